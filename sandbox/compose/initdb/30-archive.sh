#!/bin/sh
# `ipai wal setup` writes settings into a folder that the tools have too; until then there is no such file.
set -eu
line="include_if_exists = '/var/lib/ipai/server/ipai-wal.conf'"
grep -qxF "$line" "$PGDATA/postgresql.conf" || printf '\n%s\n' "$line" >>"$PGDATA/postgresql.conf"
