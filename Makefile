# Two commands on a fresh machine with Python 3.11+ and make: `make serve` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Each file of pins is complete: nothing is installed but what `make pins` saw.
PIP := $(BIN)/python -m pip install --disable-pip-version-check --require-hashes --no-deps
.DEFAULT_GOAL := help
.PHONY: help install serve seed pictures test coverage test-lab test-client test-agents test-calendar test-page test-faults fuzz test-document check bench bench-quick bench-taste bench-growth \
  bench-cache bench-courier instructions predict lab lab-full lab-taste lab-sample format pins audit sbom clean

help: ## Say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/pip:
	@echo "Making $(VENV), an environment of its own"
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/runtime: requirements.txt $(VENV)/pip
	@echo "Installing what the service runs on: a minute or two"
	$(PIP) -r $<
	touch $@

$(VENV)/dev $(VENV)/lab $(VENV)/bench $(VENV)/audit $(VENV)/agents $(VENV)/page $(VENV)/calendar: $(VENV)/%: requirements-%.txt $(VENV)/pip
	@echo "Installing what '$*' needs: a few minutes"
	$(PIP) -r $<
	touch $@

$(VENV)/client: client/requirements-test.txt $(VENV)/pip
	@echo "Installing what the service and its command line need"
	$(PIP) -r $<
	touch $@

$(VENV)/judges: tests/judges/package.json tests/judges/package-lock.json $(VENV)/pip
	@echo "Installing what judges the document and /mcp: a minute; needs Node"
	mkdir -p $@
	cp $(filter %.json,$^) $@
	cd $@ && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

install: $(VENV)/dev $(VENV)/lab ## Make .venv with everything pinned

serve: $(VENV)/runtime ## Migrate, then serve on http://127.0.0.1:8000
	$(BIN)/flask --app wsgi db upgrade
	RUN_COURIER=$${RUN_COURIER:-true} $(BIN)/gunicorn wsgi:app

seed: $(VENV)/runtime ## Fill a realistic demo
	$(BIN)/flask --app wsgi db upgrade
	$(BIN)/flask --app wsgi seed

test: $(VENV)/dev ## Run the whole suite, on SQLite and on PostgreSQL with Redis
	$(BIN)/pytest -n 2

coverage: $(VENV)/dev ## The same, and what of the code it runs: 95 % at least; half as long again
	rm -f .coverage .coverage.*
	$(BIN)/pytest -n 2 --cov --cov-report=
	$(BIN)/coverage report

test-lab: $(VENV)/lab ## Run the lab's tests
	$(BIN)/pytest -n 2 --dist loadgroup lab --cov=lab --cov-config=lab/coverage.cfg

test-client: ## Run the tests of the command line, in an environment of its own
	$(MAKE) VENV=$(VENV)-client test-client-there

.PHONY: test-client-there
test-client-there: $(VENV)/client
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation \
	  --force-reinstall ./client
	$(BIN)/pytest -n 2 client

test-faults: $(VENV)/dev ## The faults that need minutes, root or nginx, and the tests of tasks in Kathmandu's time
	$(BIN)/pytest -m faults
	TZ=Asia/Kathmandu $(BIN)/pytest -n 2 tests/tasks tests/auth

test-page: $(VENV)/page ## Drive the page in the system's Chromium, on both databases; what fails is tried once more
	tests/page/chromium
	$(BIN)/pytest -m page tests/page || $(BIN)/pytest -m page tests/page --last-failed --last-failed-no-failures none

test-agents: $(VENV)/agents $(VENV)/judges ## Agents and a person race on /mcp; the official SDK and the conformance suite
	JUDGES=$(VENV)/judges $(BIN)/pytest -m agents tests/agents

test-calendar: ## recurring-ical-events shows what repeats when it is due, in an environment of its own
	$(MAKE) VENV=$(VENV)-calendar test-calendar-there

.PHONY: test-calendar-there
test-calendar-there: $(VENV)/calendar
	$(BIN)/pytest -m calendar tests/calendars

pictures: $(VENV)/page ## Take the README's pictures of the page once more
	tests/page/chromium
	$(BIN)/python -m tests.page.pictures

fuzz: $(VENV)/dev ## Schemathesis, thoroughly: thousands of requests on both databases
	$(BIN)/pytest -n 2 -m fuzz tests/fuzz

test-document: $(VENV)/dev $(VENV)/judges ## What others' tools say of the document: two linters, a client in TypeScript
	JUDGES=$(VENV)/judges $(BIN)/pytest -m judges tests/judges

check: $(VENV)/dev $(VENV)/lab ## Lint, format, types, and whatever deploys
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	deploy/check $(BIN)

predict: $(VENV)/lab ## Type a guess for each question of the lab, before `make lab` answers it
	$(BIN)/python -m lab predict

lab: $(VENV)/lab ## Sync against async, predicted and measured, in under 5 minutes: lab-report.html
	$(BIN)/python -m lab run --quick

lab-full: $(VENV)/lab ## All experiments with more points; says how long it takes, can be stopped and continued
	$(BIN)/python -m lab run --full

lab-taste: $(VENV)/lab ## A short run of each experiment and exercise, to see that they run
	$(BIN)/python -m lab run --taste --output $(VENV)/lab-report

lab-sample: $(VENV)/lab ## Measure the sample in docs/ anew, and put its sentences into docs/lesson.md
	$(BIN)/python -m lab run --quick --all --output docs/lab-report --lesson docs/lesson.md --lesson docs/lesson-failures.md

bench: $(VENV)/bench ## Measure taskapp beside its peers, into docs/performance.md (half an hour); NEWEST=python3.13 adds that Python
	$(if $(NEWEST),$(MAKE) VENV=$(VENV)-newest PYTHON=$(NEWEST) $(VENV)-newest/runtime)
	$(if $(NEWEST),NEWEST=$(VENV)-newest/bin/python) $(BIN)/python -m bench compare

bench-quick: $(VENV)/bench ## The same, rougher, to the terminal (3 minutes)
	$(BIN)/python -m bench quick

bench-taste: $(VENV)/bench ## A few seconds of it, to see that it runs
	$(BIN)/python -m bench taste

bench-growth: $(VENV)/bench ## Measure it over 10,000 to 1,000,000 tasks (a quarter of an hour)
	$(BIN)/python -m bench growth

bench-cache: $(VENV)/bench ## Measure what a remembered list saves, on each database and cache (4 minutes)
	$(BIN)/python -m bench remembered

bench-courier: $(VENV)/bench ## Measure the courier: deliveries a second, CPU, memory, idle cost (10 minutes)
	$(BIN)/python -m bench.courier

instructions: $(VENV)/dev ## Count what a request costs, and compare with the stored counts; needs valgrind
	$(BIN)/python -m bench.instructions

format: $(VENV)/dev ## Put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

pins: $(VENV)/dev ## Refresh every pin to today's releases
	for file in requirements requirements-dev requirements-lab requirements-bench requirements-audit requirements-agents requirements-page requirements-calendar \
	  client/requirements client/requirements-test; do \
	  $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-annotate --no-emit-index-url --no-emit-find-links $$file.in -o $$file.txt && \
	  sed -i '1i # Made by `make pins` from '$$file'.in.' $$file.txt || exit 1; \
	done

audit: $(VENV)/audit ## Look up whether anything pinned has a known vulnerability; asks pypi.org
	$(BIN)/pip-audit --strict --require-hashes --disable-pip $(addprefix -r ,$(wildcard requirements*.txt client/requirements*.txt)) || \
	  { echo "A pinned package has a known vulnerability, or pypi.org did not tell: see above."; exit 1; }

sbom: $(VENV)/audit ## List what the image is made of, as CycloneDX: sbom.json
	$(BIN)/cyclonedx-py requirements requirements.txt --output-reproducible --of JSON -o sbom.json

clean: ## Remove what the targets above made, but not instance/
	rm -rf $(VENV) $(VENV)-client .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis
