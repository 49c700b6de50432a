#!/bin/bash
# The contract of the official image's entrypoint: POSTGRES_USER, POSTGRES_DB, POSTGRES_PASSWORD or its _FILE, POSTGRES_INITDB_ARGS,
# PGDATA, /docker-entrypoint-initdb.d.
set -euo pipefail
if [[ $(id -u) == 0 ]]; then
  install -d -o postgres -g postgres -m 0700 "$PGDATA"
  install -d -o postgres -g postgres -m 3777 /var/run/postgresql
  exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi
if [[ ! -s $PGDATA/PG_VERSION ]]; then
  user=${POSTGRES_USER:-postgres} database=${POSTGRES_DB:-${POSTGRES_USER:-postgres}}
  # shellcheck disable=SC2086
  initdb --username="$user" --pwfile=<(cat "${POSTGRES_PASSWORD_FILE:-/dev/fd/3}" 3<<<"${POSTGRES_PASSWORD:-}") \
    ${POSTGRES_INITDB_ARGS:-} -D "$PGDATA"
  printf '\nhost all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
  pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
  [[ $database == postgres ]] || createdb --username "$user" --maintenance-db postgres "$database"
  for file in /docker-entrypoint-initdb.d/*; do
    case $file in
      *.sql) psql -v ON_ERROR_STOP=1 --username "$user" -d "$database" -f "$file" ;;
      *.sh) "$file" ;;
    esac
  done
  pg_ctl -D "$PGDATA" -m fast -w stop
fi
exec "$@" -c listen_addresses='*'
