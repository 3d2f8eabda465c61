# Two commands on a fresh machine with Python 3.11+ and make: `make serve` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help install serve seed test test-lab test-faults fuzz lint-openapi check bench bench-quick bench-growth bench-cache instructions lab lab-full lab-sample format pins clean

help: ## Say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/pip:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	touch $@

.venv/runtime: requirements.txt .venv/pip
	$(BIN)/pip install --quiet -r requirements.txt
	touch $@

.venv/dev: requirements-dev.txt .venv/runtime
	$(BIN)/pip install --quiet -r requirements-dev.txt
	touch $@

.venv/lab: requirements-lab.txt .venv/dev
	$(BIN)/pip install --quiet -r requirements-lab.txt
	touch $@

.venv/bench: requirements-bench.txt .venv/lab
	$(BIN)/pip install --quiet -r requirements-bench.txt
	touch $@

install: .venv/lab ## Make .venv with everything pinned

serve: .venv/runtime ## Migrate, then serve on http://127.0.0.1:8000
	$(BIN)/flask --app wsgi db upgrade
	$(BIN)/gunicorn wsgi:app

seed: .venv/runtime ## Fill a realistic demo
	$(BIN)/flask --app wsgi db upgrade
	$(BIN)/flask --app wsgi seed

test: .venv/dev ## Run the whole suite, on SQLite and on PostgreSQL with Redis
	rm -f .coverage .coverage.*
	$(BIN)/pytest -n 2 --cov --cov-report=
	$(BIN)/coverage report

test-lab: .venv/lab ## Run the lab's tests
	$(BIN)/pytest -n 2 --dist loadgroup lab --cov=lab --cov-config=lab/coverage.cfg

test-faults: .venv/dev ## The faults that need minutes, root or nginx, and the tests of tasks in Kathmandu's time
	$(BIN)/pytest -m faults
	TZ=Asia/Kathmandu $(BIN)/pytest -n 2 tests/tasks tests/auth

fuzz: .venv/dev ## Schemathesis, thoroughly: thousands of requests on both databases
	$(BIN)/pytest -n 2 -m fuzz tests/fuzz

lint-openapi: .venv/runtime ## Lint the document with Redocly's linter, which wants Node
	$(BIN)/flask --app wsgi openapi >instance/openapi.json
	npx --yes @redocly/cli@2.77.0 lint --config tests/redocly.yaml instance/openapi.json

check: .venv/lab ## Lint, format, types, and whatever deploys
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	deploy/check $(BIN)

lab: .venv/lab ## Sync against async, predicted and measured, in under 5 minutes: lab-report.html
	$(BIN)/python -m lab run --quick

lab-full: .venv/lab ## The same with more points and repeats, in about half an hour
	$(BIN)/python -m lab run --full

lab-sample: .venv/lab ## Measure the sample in docs/ anew, and put its sentences into docs/lesson.md
	$(BIN)/python -m lab run --quick --output docs/lab-report --lesson docs/lesson.md

bench: .venv/bench ## Measure taskapp beside its peers, into docs/performance.md (25 minutes)
	$(BIN)/python -m bench compare

bench-quick: .venv/bench ## The same, rougher, to the terminal (3 minutes)
	$(BIN)/python -m bench quick

bench-growth: .venv/bench ## Measure it over 10,000 to 1,000,000 tasks (half an hour)
	$(BIN)/python -m bench growth

bench-cache: .venv/bench ## Measure what a remembered list saves, on each database and cache (4 minutes)
	$(BIN)/python -m bench remembered

instructions: .venv/dev ## Count what a request costs, and compare with the stored counts; needs valgrind
	$(BIN)/python -m bench.instructions

format: .venv/dev ## Put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

pins: .venv/dev ## Refresh every pin to today's releases
	for file in requirements requirements-dev requirements-lab requirements-bench; do \
	  $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-header \
	    --no-annotate --no-emit-index-url --no-emit-find-links $$file.in -o $$file.txt && \
	  sed -i '1i # Made by `make pins` from '$$file'.in.' $$file.txt; \
	done

clean: ## Remove what the targets above made, but not instance/
	rm -rf .venv .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis
