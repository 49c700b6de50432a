import type { StackConfig } from "../config/schema.ts";
import { type CommandAction, command, type Probe, type SqlAction } from "../runbook/action.ts";
import { prefixed, suffixed, type Text } from "../runbook/value.ts";
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
  /** Makes the database anew and restores a dump into it; any error ends it. */
  restore(database: string, dump: Dump): CommandAction;
  /** Connection options for Odoo's command line. */
  readonly odooOptions: readonly Text[];
}

export function createScratchCluster(stack: StackConfig, runtime: Runtime, folder: Text): ScratchCluster {
  const host = runtime.tools;
  const { user, program } = runtime.postgres;
  const data = suffixed(folder, "/cluster");
  const socket = suffixed(folder, "/socket");
  const status = command(host, runtime.as(user, [program("pg_ctl"), "status", "-D", data]), { okExitCodes: [0, 3, 4] });
  const answer = { action: status, output: { from: "exitCode", as: "number" } } as const;
  const asUser = runtime.as(user, ["sh", "-c"]);
  return {
    socket,
    start: command(host, [...asUser, startScript, "start", data, socket, program("initdb"), program("pg_ctl"), user]),
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
    query: (database, text, values = {}) => ({
      kind: "sql",
      host,
      client: runtime.as(user, [program("psql"), "-h", socket]),
      database,
      text: `${text.trim()}\n`,
      values,
    }),
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
