#!/bin/bash
# Runs once, when the database's volume is new. The service owns its database and nothing else: it is no superuser, so a
# hole in it can read no file of the server and run no program there. The exporter may read statistics, and no row.
set -euo pipefail
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
\set password `cat /run/secrets/taskapp_password`
CREATE ROLE taskapp LOGIN PASSWORD :'password';
CREATE DATABASE taskapp OWNER taskapp;
\set password `cat /run/secrets/monitor_password`
CREATE ROLE monitor LOGIN CONNECTION LIMIT 3 PASSWORD :'password';
GRANT pg_monitor TO monitor;
SQL
