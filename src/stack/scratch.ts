import type { StackConfig } from "../config/schema.ts";
import { type CommandAction, command, type Probe, type SqlAction } from "../runbook/action.ts";
import { prefixed, suffixed, type Text } from "../runbook/value.ts";
import type { Runtime } from "./runtime/native.ts";

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
  query(database: string, text: string, values?: Readonly<Record<string, Text>>): SqlAction;
  /** Makes the database anew and restores a directory dump into it; any error ends it. */
  restore(database: string, dump: Text, options: { jobs: number; locale: Text }): CommandAction;
  /** Connection options for Odoo's command line. */
  readonly odooOptions: readonly Text[];
}

export function createScratchCluster(stack: StackConfig, runtime: Runtime, folder: Text): ScratchCluster {
  const { host } = stack;
  const service = stack.runtime.native.services[stack.services.database.name];
  const [version, user] =
    service !== undefined && "cluster" in service ? [service.cluster.split("/")[0], service.user] : ["15", "postgres"];
  const program = (name: string): string => `/usr/lib/postgresql/${version}/bin/${name}`;
  const data = suffixed(folder, "/cluster");
  const socket = suffixed(folder, "/socket");
  const status = command(host, runtime.as(user, [program("pg_ctl"), "status", "-D", data]), { okExitCodes: [0, 3, 4] });
  const answer = { action: status, output: { from: "exitCode", as: "number" } } as const;
  const asUser = runtime.as(user, ["sh", "-c"]);
  return {
    socket,
    start: command(host, [
      ...asUser,
      startScript,
      "start",
      data,
      socket,
      program("initdb"),
      program("pg_ctl"),
      stack.odoo.user,
    ]),
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
      client: runtime.as(user, ["psql", "-h", socket]),
      database,
      text: `${text.trim()}\n`,
      values,
    }),
    restore: (database, dump, { jobs, locale }) =>
      command(
        host,
        [...asUser, restoreScript, "restore", socket, database, stack.odoo.user, locale, dump, String(jobs)],
        {
          exitCodes: { 1: "backup.dump_damaged" },
        },
      ),
    odooOptions: [prefixed("--db_host=", socket), "--db_port=5432", `--db_user=${stack.odoo.user}`],
  };
}

/** Durability is off: this cluster only ever holds a copy. Peer authentication: the user's own name is the only password. */
const startScript = `
set -eu
rm -rf -- "$1"
mkdir -p -- "$2"
chmod 0711 "$2"
"$3" -D "$1" -U postgres -A peer -E UTF8 --locale=C --no-sync --no-instructions >/dev/null
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
createuser -h "$2" -U postgres "$5"
`;

const restoreScript = `
set -eu
dropdb -h "$1" --if-exists --force "$2"
createdb -h "$1" --template=template0 --encoding=UTF8 --lc-collate="$4" --lc-ctype="$4" --owner="$3" "$2"
exec pg_restore -h "$1" --exit-on-error --no-owner --role="$3" --jobs="$6" --dbname="$2" --verbose "$5"
`;
