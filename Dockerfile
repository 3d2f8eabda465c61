# Two stages: one may use pip, the other only runs; and a third for backups. Nothing here needs a compiler: every requirement has a wheel.
# 3.13 is the newest Python that the whole suite was run on. (Every requirement has wheels for 3.14, too: --build-arg
# BASE=python:3.14-slim-trixie.) deploy/pin-images adds the digest.
ARG BASE=python:3.13-slim-trixie

FROM ${BASE} AS builder
# The environment has no pip of its own: what runs in production can't install anything into it.
RUN python -m venv --without-pip /venv
COPY requirements.txt /build/
# hadolint ignore=DL3042
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /venv/bin/python install --disable-pip-version-check --require-hashes --no-deps --only-binary :all: \
        --requirement /build/requirements.txt
WORKDIR /app
COPY wsgi.py config.py gunicorn.conf.py requirements.txt ./
COPY migrations/ migrations/
COPY taskapp/ taskapp/
# A checkout made with a strict umask must be readable by the image's user as well; compiling here saves it at each start,
# where the file system is read-only and the result could not be kept.
RUN chmod -R a+rX . && python -m compileall -q --invalidation-mode unchecked-hash .

FROM ${BASE} AS service
# The release adds source, revision and version.
LABEL org.opencontainers.image.title="taskapp" \
      org.opencontainers.image.description="A task tracker's back end" \
      org.opencontainers.image.authors="the taskapp authors" \
      org.opencontainers.image.licenses="MIT"
# A number, so that "must not run as root" can be checked from outside; the same one owns the secrets (deploy/make_secrets.py).
RUN groupadd --gid 10001 taskapp \
    && useradd --uid 10001 --gid taskapp --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin taskapp \
    && install --directory --owner=taskapp --group=taskapp --mode=0750 /data \
    && install --directory --owner=taskapp --group=taskapp --mode=0755 /static
COPY --from=builder /venv /venv
COPY --from=builder /app /app
WORKDIR /app
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ENVIRONMENT=production \
    PORT=8000 \
    TASKAPP_INSTANCE=/data
# The only place the service writes to, apart from /tmp: the rest may be mounted read-only.
VOLUME /data
EXPOSE 8000
USER 10001:10001
# No curl in a slim image, and http.client, unlike urllib, never asks the proxy that http_proxy names.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --start-interval=1s --retries=3 \
    CMD ["python", "-c", "import http.client, os; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=4); c.request('GET', '/health/ready'); raise SystemExit(c.getresponse().status != 200)"]
# BIND follows PORT, whichever of the two is given at run time. The shell replaces itself, so SIGTERM reaches gunicorn.
ENTRYPOINT ["/bin/sh", "-c", "export BIND=\"${BIND:-0.0.0.0:$PORT}\"; exec \"$@\"", "--"]
CMD ["gunicorn", "wsgi:app"]

# With PostgreSQL's own pg_dump and pg_restore, for "flask backup" and "flask restore": docker-compose.yml's "backup".
FROM service AS backup
USER 0:0
# As new as the server at least, or pg_dump refuses; whatever Debian patches it to.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends postgresql-client-17 && rm -rf /var/lib/apt/lists/* \
    && install --directory --owner=taskapp --group=taskapp --mode=0750 /backups \
    && install --directory --owner=taskapp --group=taskapp --mode=0755 /textfile
USER 10001:10001
# Well, if it made a backup today: deploy/backup leaves this file then.
HEALTHCHECK --interval=1m --start-period=1h --start-interval=1s \
    CMD ["/bin/sh", "-c", "find /textfile/taskapp.prom -mmin -1560 | grep --quiet ."]

FROM service
