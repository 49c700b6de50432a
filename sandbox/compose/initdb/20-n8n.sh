#!/bin/sh
# A database and a role for n8n, made with the cluster. Its password is in no argument, where whoever lists the processes would see it.
set -eu
[ -s /run/secrets/n8n_database_password ] || exit 0
N8N_PASSWORD=$(cat /run/secrets/n8n_database_password)
export N8N_PASSWORD
psql -v ON_ERROR_STOP=1 --username postgres <<'SQL'
\getenv password N8N_PASSWORD
create role n8n login password :'password';
create database n8n owner n8n;
SQL
