#!/bin/bash
# Runs once, when the database's volume is new; to run it again changes nothing (docs/containers.md). Two roles: the owner
# migrates, and nothing else uses it; the service reads and writes rows, and can make, change or drop no table. Neither is a
# superuser, so a hole in the service can read no file of the server and run no program there. The exporter reads statistics,
# and no row.
set -euo pipefail
sql() { psql --no-psqlrc --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname "$1"; }

sql postgres <<'SQL'
SELECT format('CREATE ROLE %I LOGIN', role) FROM unnest(ARRAY['taskapp_owner', 'taskapp', 'monitor']) role
WHERE role NOT IN (SELECT rolname FROM pg_roles) \gexec
\set password `cat /run/secrets/owner_password`
ALTER ROLE taskapp_owner PASSWORD :'password';
\set password `cat /run/secrets/taskapp_password`
ALTER ROLE taskapp PASSWORD :'password';
\set password `cat /run/secrets/monitor_password`
ALTER ROLE monitor CONNECTION LIMIT 3 PASSWORD :'password';
GRANT pg_monitor TO monitor;
SELECT 'CREATE DATABASE taskapp' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'taskapp') \gexec
ALTER DATABASE taskapp OWNER TO taskapp_owner;
SQL

# In a database from before there were two roles, the service owns the tables.
{ echo 'REASSIGN OWNED BY taskapp TO taskapp_owner;' && cat "$(dirname "$0")/roles.psql"; } | sql taskapp
