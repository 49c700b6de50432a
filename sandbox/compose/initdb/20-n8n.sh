#!/bin/sh
# A database and a role for n8n, where its password is given.
set -eu
[ -r /run/secrets/n8n_database_password ] || exit 0
psql -v ON_ERROR_STOP=1 -v password="$(cat /run/secrets/n8n_database_password)" --username postgres <<'SQL'
create role n8n login password :'password';
create database n8n owner n8n;
SQL
