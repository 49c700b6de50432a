import type { StackConfig } from "../config/schema.ts";
import { type Command, type CommandAction, command, type Probe, type SqlAction } from "../runbook/action.ts";
import { prefixed, suffixed, type Text } from "../runbook/value.ts";
import { loaderScript } from "./dump-loader.ts";
import type { Dump } from "./postgres.ts";
import { explained } from "./restic.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { watching } from "./watched.ts";

/**
 * A throw-away PostgreSQL beside the stack's own, for copies that must not touch it: no TCP, no durability, nobody but the
 * cluster's user and Odoo's may connect. It has the server version of the stack, so that what it restores is what production would.
 */
export interface ScratchCluster {
  readonly socket: Text;
  readonly start: CommandAction;
  readonly stop: CommandAction;
  readonly isRunning: Probe;
  readonly isStopped: Probe;
  query(database: Text, text: string, values?: Readonly<Record<string, Text>>): SqlAction;
  /** The same as Odoo's user, with no more than that user's rights. */
  queryAsOdoo(database: Text, text: string, values?: Readonly<Record<string, Text>>): SqlAction;
  /** An empty database for a file from elsewhere. Its owner may do nothing besides, and is only there for that. */
  prepare(database: Text, locale: Locale): SqlAction;
  /** The end of a pipeline whose beginning prints a dump as plain SQL: loads it as that owner. */
  load(database: Text): Command;
  /** Gives what was loaded to Odoo's user. */
  adopt(database: Text): SqlAction;
  /** A dump in directory format, as a backup makes one. */
  dump(database: Text, folder: Text, jobs: number): CommandAction;
  /** Makes the database anew and restores a dump into it; any error ends it. */
  restore(database: string, dump: Dump): CommandAction;
  /** Connection options for Odoo's command line. */
  readonly odooOptions: readonly Text[];
}

export interface Locale {
  readonly collate: string;
  readonly ctype: string;
}

/** Who loads files from elsewhere: a user of every machine who owns nothing there, and of whom the server knows nothing else. */
export const stranger = "nobody";

export function createScratchCluster(stack: StackConfig, runtime: Runtime, folder: Text): ScratchCluster {
  const host = runtime.tools;
  const { user, program } = runtime.postgres;
  const data = suffixed(folder, "/cluster");
  const socket = suffixed(folder, "/socket");
  const status = command(host, runtime.as(user, [program("pg_ctl"), "status", "-D", data]), { okExitCodes: [0, 3, 4] });
  const answer = { action: status, output: { from: "exitCode", as: "number" } } as const;
  const asUser = runtime.as(user, ["sh", "-c"]);
  const ask = (as: string, given: Pick<SqlAction, "database" | "text" | "values">): SqlAction => ({
    kind: "sql",
    host,
    client: runtime.as(as, [program("psql"), "-h", socket]),
    ...given,
    text: `${given.text.trim()}\n`,
  });
  return {
    socket,
    start: explained(
      command(host, [...asUser, startScript, "start", data, socket, program("initdb"), program("pg_ctl"), user], {
        exitCodes: { 28: "backup.disk_full" },
      }),
    ),
    stop: command(host, runtime.as(user, [program("pg_ctl"), "stop", "-s", "-m", "immediate", "-D", data])),
    isRunning: {
      ...answer,
      title: "the throw-away cluster runs",
      compare: "eq",
      with: 0,
      code: "stack.service_not_running",
    },
    isStopped: {
      ...answer,
      title: "the throw-away cluster is stopped",
      compare: "ge",
      with: 1,
      code: "stack.service_still_running",
    },
    query: (database, text, values = {}) => ask(user, { database, text, values }),
    queryAsOdoo: (database, text, values = {}) => ask(stack.odoo.user, { database, text, values }),
    prepare: (database, { collate, ctype }) => {
      const values = { name: database, owner: stranger, collate, ctype };
      return ask(user, { database: "postgres", text: prepareSql, values });
    },
    load: (database) => ({
      argv: runtime.as(stranger, ["/usr/bin/python3", "-c", loaderScript, socket, stranger, database]),
    }),
    adopt: (database) => ask(user, { database, text: adoptSql, values: { from: stranger, user: stack.odoo.user } }),
    dump: (database, into, jobs) => {
      const options = ["--format=directory", "--compress=0", `--jobs=${jobs}`, prefixed("--file=", into)];
      const words = [into, program("pg_dump"), "-h", socket, ...options, database];
      return explained(
        command(host, [...asUser, 'rm -rf -- "$1" && shift && exec "$@"', "dump", ...words], {
          exitCodes: { 1: "backup.dump_failed", 28: "backup.disk_full" },
        }),
      );
    },
    restore: (database, { dump, source, roles, jobs }) => {
      const programs = ["psql", "dropdb", "pg_restore"].map(program);
      const words = [socket, database, source, roles, stack.odoo.user, dump, String(jobs), ...programs];
      return explained(
        command(host, [...runtime.as(user, [...watching(data), "sh", "-c"]), restoreScript, "restore", ...words], {
          exitCodes: { 1: "backup.dump_damaged", 28: "backup.disk_full" },
        }),
      );
    },
    odooOptions: [prefixed("--db_host=", socket), "--db_port=5432", `--db_user=${stack.odoo.user}`],
  };
}

/** Durability is off: this cluster only ever holds a copy. Peer authentication: the user's own name is the only password. */
const startScript = `
set -eu
rm -rf -- "$1"
mkdir -p -- "$2"
chmod 0711 "$2"
"$3" -D "$1" -U "$5" -A peer -E UTF8 --locale=C --no-sync --no-instructions >/dev/null
cat >> "$1/postgresql.auto.conf" <<END
listen_addresses = ''
unix_socket_directories = '$2'
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
max_wal_size = '4GB'
wal_level = minimal
max_wal_senders = 0
maintenance_work_mem = '256MB'
END
"$4" start -w -s -D "$1" -l "$1/log"
`;

/**
 * The dump makes its database itself, so that encoding, locale, owner, settings and grants are those that it had; only then it gets
 * another name. Tablespaces are places on other disks, and a subscription would call out. Odoo comes in under its user's name,
 * with the rights of the owner. A server whose disk ran full may be gone before it can say so, so the disk itself is looked at too.
 */
const restoreScript = `
set -eu
end() { [ "$1" = 0 ] || [ "$(df --output=avail -B1M "$2" | tail -1)" -ge 4 ] || { echo 'No space left on device' >&2; exit 28; }; }
trap 'end $? "$1"' EXIT
for name in "$2" "$3"; do "$9" -h "$1" --if-exists --force "$name"; done
ask() { "$8" -h "$1" -X -q -v ON_ERROR_STOP=1 -v copy="$2" -v source="$3" -v user="$5" -d postgres; }
ask "$@" < "$4"
ask "$@" <<'END'
select format('create role %I', :'user') where to_regrole(quote_ident(:'user')) is null \\gexec
alter role :"user" login;
END
"\${10}" -h "$1" --create --exit-on-error --no-tablespaces --no-subscriptions --jobs="$7" --dbname=postgres --verbose "$6"
ask "$@" <<'END'
select format('alter database %I rename to %I', :'source', :'copy') where :'source' <> :'copy' \\gexec
select format('grant %I to %I', pg_get_userbyid(datdba), :'user') from pg_database
  where datname = :'copy' and pg_get_userbyid(datdba) <> :'user' \\gexec
END
`;

/** The locale is that of the database that it may replace: an index on texts has another order elsewhere. */
const prepareSql = `
select format('create role %I', :'owner') where to_regrole(quote_ident(:'owner')) is null \\gexec
alter role :"owner" login nosuperuser nocreatedb nocreaterole noreplication nobypassrls;
drop database if exists :"name" with (force);
select format('create database %I template template0 owner %I encoding %L lc_collate %L lc_ctype %L', :'name', :'owner', 'UTF8', :'collate', :'ctype') \\gexec
revoke connect, temporary on database :"name" from public;
`;

/** From here on it is an Odoo database like any other of this machine. */
const adoptSql = `
set search_path to pg_catalog;
select format('create role %I', :'user') where to_regrole(quote_ident(:'user')) is null \\gexec
alter role :"user" login;
reassign owned by :"from" to :"user";
select format('grant connect, temporary on database %I to public', current_database()) \\gexec
`;
