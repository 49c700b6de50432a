import type { StackConfig } from "../config/schema.ts";
import { type CommandAction, command, type Probe, type SqlAction } from "../runbook/action.ts";
import { prefixed, suffixed, type Text } from "../runbook/value.ts";
import type { PgBackRest } from "./pgbackrest.ts";
import { explained } from "./restic.ts";
import type { Argv, Runtime } from "./runtime/runtime.ts";
import { configurationFiles } from "./server-files.ts";

/**
 * The stack's whole database server as it was at an instant, beside the one that serves: a socket folder of its own, no TCP, nothing
 * archived, and none of the settings that were made on the server itself, such as where it listens.
 */
export interface SideCluster {
  readonly data: Text;
  readonly socket: Text;
  /** Base backup and settings; what a killed attempt left is removed first. */
  fetch(target: Target): CommandAction;
  readonly isFetched: Probe;
  readonly start: CommandAction;
  readonly stop: CommandAction;
  readonly isRunning: Probe;
  readonly isStopped: Probe;
  /** Ends when the server has stopped before the target; fails when it went away, or ran out of segments. */
  readonly awaitTarget: CommandAction;
  /** Argv of a client program, with its connection. */
  client(program: string): Argv;
  query(database: Text, text: string, values?: Readonly<Record<string, Text>>): SqlAction;
  /** The same as Odoo's user, with no more than that user's rights. */
  queryAsOdoo(database: Text, text: string, values?: Readonly<Record<string, Text>>): SqlAction;
  dump(database: Text, folder: Text, jobs: number): CommandAction;
  readonly odooOptions: readonly Text[];
}

export interface Target {
  /** `2026-11-23 02:00:00.000+00`; undefined is the end of the base backup. */
  readonly at: string | undefined;
  /** The base backup to begin with. */
  readonly backup: string;
  /** Settings that must not be smaller than the server's that wrote the log, or replay stops. */
  readonly limits: Readonly<Record<string, string>>;
}

export function createSideCluster(
  stack: StackConfig,
  runtime: Runtime,
  /** One that is only asked or stopped needs none. */
  pgbackrest: PgBackRest | undefined,
  folder: Text,
): SideCluster {
  const host = runtime.tools;
  const { user, program } = runtime.postgres;
  const { superuser } = stack.services.database;
  const [data, socket] = [suffixed(folder, "/cluster"), suffixed(folder, "/socket")];
  const status = command(host, runtime.as(user, [program("pg_ctl"), "status", "-D", data]), { okExitCodes: [0, 3, 4] });
  const answer = { action: status, output: { from: "exitCode", as: "number" } } as const;
  const asUser = runtime.as(user, ["sh", "-c"]);
  const client = (name: string) => runtime.as(user, [program(name), "-h", socket, "-U", superuser]);
  const ask = (argv: Argv, given: Asked) => askAt(host, argv, given);
  const asOdoo = runtime.as(stack.odoo.user, [program("psql"), "-h", socket, "-U", stack.odoo.user]);
  return {
    data,
    socket,
    client,
    fetch: (target) => fetch(pgbackrest, target, folder, [data, socket, user, superuser]),
    isFetched: {
      title: "the base backup is there, with its settings",
      action: command(host, ["test", "-e", suffixed(data, `/${sideFiles.mark}`)], { okExitCodes: [0, 1] }),
      output: { from: "exitCode", as: "number" },
      compare: "eq",
      with: 0,
    },
    start: command(host, [...asUser, startScript, "start", data, program("pg_ctl")], {
      exitCodes: { 1: "restore.target_not_reached" },
    }),
    stop: command(host, runtime.as(user, [program("pg_ctl"), "stop", "-s", "-m", "immediate", "-D", data])),
    isRunning: { ...answer, title: "the side cluster runs", compare: "eq", with: 0, code: "stack.service_not_running" },
    isStopped: {
      ...answer,
      title: "the side cluster is stopped",
      compare: "ge",
      with: 1,
      code: "stack.service_still_running",
    },
    awaitTarget: command(
      host,
      [...asUser, awaitScript, "await", data, program("pg_ctl"), program("psql"), socket, superuser],
      { exitCodes: { 1: "restore.target_not_reached" } },
    ),
    query: (database, text, values = {}) => ask(client("psql"), { database, text, values }),
    queryAsOdoo: (database, text, values = {}) => ask(asOdoo, { database, text, values }),
    dump: (database, into, jobs) =>
      explained(
        command(
          host,
          runtime.as(user, [
            ...["sh", "-c", 'rm -rf -- "$1" && shift && exec "$@"', "dump", into, program("pg_dump"), "-h", socket],
            ...[
              "-U",
              superuser,
              "--format=directory",
              "--compress=0",
              `--jobs=${jobs}`,
              prefixed("--file=", into),
              database,
            ],
          ] as unknown as readonly [Text, ...Text[]]),
          { exitCodes: { 1: "backup.dump_failed", 28: "backup.disk_full" } },
        ),
      ),
    odooOptions: [prefixed("--db_host=", socket), "--db_port=5432", `--db_user=${stack.odoo.user}`],
  };
}

type Asked = Pick<SqlAction, "database" | "text" | "values">;

function askAt(host: string, client: Argv, given: Asked): SqlAction {
  return { kind: "sql", host, client, ...given, text: `${given.text.trim()}\n` };
}

/** What a side cluster has besides a server's own files. */
export const sideFiles = { mark: "ipai-side", auto: "ipai-auto.conf", own: "ipai-own" } as const;

/** Three programs in turn: room, pgBackRest's own restore, and the settings. The mark at the end says that all three were done. */
function fetch(
  pgbackrest: PgBackRest | undefined,
  target: Target,
  folder: Text,
  words: readonly Text[],
): CommandAction {
  if (pgbackrest === undefined) throw new TypeError("A side cluster is fetched from an archive");
  const [data = "", socket = "", user = "", superuser = ""] = words;
  const limits = Object.entries(target.limits).map(([name, value]) => `${name} = '${value}'`);
  const restore = pgbackrest.restore(
    [
      prefixed("--pg1-path=", data),
      `--set=${target.backup}`,
      ...(target.at === undefined ? ["--type=immediate"] : ["--type=time", `--target=${target.at}`]),
      "--target-action=pause",
      "--archive-mode=off",
      prefixed("--tablespace-map-all=", suffixed(folder, "/tablespaces")),
    ],
    [
      "sh",
      "-c",
      fetchScript,
      "fetch",
      data,
      socket,
      user,
      superuser,
      limits.join("\n"),
      suffixed(folder, "/tablespaces"),
    ],
  );
  return restore;
}

/** Room for a cluster and its socket. After the first six words comes the program that fills it. */
export const sideRoomScript = `
set -eu
data=$1 socket=$2 user=$3 superuser=$4 limits=$5 tablespaces=$6
shift 6
rm -rf -- "$data" "$tablespaces"
mkdir -p -- "$socket" "$tablespaces"
mkdir -m 0700 -- "$data"
chmod 0711 "$socket"
`;

/**
 * Debian keeps a server's configuration elsewhere, so the copy has none; where there is one, it is kept beside. Of what ALTER SYSTEM once
 * set only pgBackRest's own lines stay; all of it is kept beside too. Durability is off: what lies here is a copy, or is written to the disk before it becomes more.
 */
export const sideSettingsScript = `
cd -- "$data"
cp postgresql.auto.conf ${sideFiles.auto}
sed -n '/^# Recovery settings generated by pgBackRest/,$p' postgresql.auto.conf > auto
mv -f auto postgresql.auto.conf
mkdir -m 0700 ${sideFiles.own}
for name in ${configurationFiles.join(" ")}; do [ ! -f "$name" ] || mv -f "$name" ${sideFiles.own}; done
cat > postgresql.conf <<END
$limits
listen_addresses = ''
port = 5432
unix_socket_directories = '$socket'
unix_socket_permissions = 0777
hba_file = '$data/pg_hba.conf'
ident_file = '$data/pg_ident.conf'
hot_standby = on
fsync = off
full_page_writes = off
autovacuum = off
max_wal_size = '4GB'
maintenance_work_mem = '256MB'
log_timezone = 'UTC'
END
printf 'local all "%s" peer map=ipai\\nlocal all all peer\\n' "$superuser" > pg_hba.conf
printf 'ipai "%s" "%s"\\n' "$user" "$superuser" > pg_ident.conf
: > ${sideFiles.mark}
`;

const fetchScript = `${sideRoomScript}"$@"${sideSettingsScript}`;

/** It opens its socket once it is consistent; one that ended before has said why in its log. */
const startScript = `
"$2" start -w -s -t 86400 -D "$1" -l "$1/log" && exit
grep -E 'FATAL|PANIC' "$1/log" 2>/dev/null | tail -n 3 >&2
exit 1
`;

const awaitScript = `
while :; do
  state=$("$3" -XAtq -h "$4" -U "$5" -d postgres -c 'select pg_get_wal_replay_pause_state()' 2>/dev/null) || state=
  [ "$state" = paused ] && exit 0
  if ! "$2" status -D "$1" >/dev/null; then
    grep -E 'FATAL|PANIC' "$1/log" 2>/dev/null | tail -n 3 >&2
    exit 1
  fi
  sleep 0.2
done
`;
