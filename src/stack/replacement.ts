import type { StackConfig } from "../config/schema.ts";
import { type CommandAction, command, type Probe } from "../runbook/action.ts";
import { prefixed, suffixed, type Text } from "../runbook/value.ts";
import { autoSettings, initialise, type Shape } from "./cluster.ts";
import type { PgBackRest } from "./pgbackrest.ts";
import { explained } from "./restic.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { configurationFiles } from "./server-files.ts";
import { createSideCluster, type SideCluster, sideFiles, sideRoomScript, sideSettingsScript } from "./side.ts";

/**
 * A database server that will take the damaged one's place: made and looked at beside it, in a folder on the same file system, so that the
 * exchange is two renames.
 */
export interface Replacement extends Omit<SideCluster, "fetch" | "awaitTarget"> {
  /** The newest state that the archive leads to, or that of an instant. */
  fetchNewest(wanted: Newest): CommandAction;
  /** What the damaged server had written and not archived yet: replayed after what is in the archive, as far as it is whole. */
  rescue(damaged: string): CommandAction;
  /** Ends when it has replayed all; fails when it went away before. */
  readonly awaitReplay: CommandAction;
  /** It takes changes. */
  readonly isReplayed: Probe;
  /** An empty one of the same kind. */
  makeAnew(shape: Shape): CommandAction;
  /** A dump in directory format, with its own database. */
  load(dump: Text, jobs: number): CommandAction;
  /** Runs a file of SQL. */
  run(file: Text): CommandAction;
  readonly stopCleanly: CommandAction;
  /** Takes away what it had for being beside another one, and has all of it on the disk. */
  readonly settle: CommandAction;
  readonly isSettled: Probe;
}

export interface Newest {
  /** `2026-11-23 02:00:00.000+00`; undefined: to the end of the archive. */
  readonly at: string | undefined;
  /** Settings that must not be smaller than the server's that wrote the log, or replay stops. */
  readonly limits: Readonly<Record<string, string>>;
}

export function createReplacement(
  stack: StackConfig,
  runtime: Runtime,
  pgbackrest: PgBackRest | undefined,
  folder: Text,
): Replacement {
  const host = runtime.tools;
  const { user, program } = runtime.postgres;
  const { superuser } = stack.services.database;
  const { fetch: _fetch, awaitTarget: _await, ...side } = createSideCluster(stack, runtime, pgbackrest, folder);
  const { data, socket } = side;
  const room = fillers(stack, runtime, pgbackrest, folder);
  const client = (name: string, ...args: readonly Text[]) =>
    runtime.as(user, [program(name), "-h", socket, "-U", superuser, ...args]);
  const configured = runtime.postgres.configuration === undefined ? "inside" : "elsewhere";
  const asUser = (script: string, ...words: readonly Text[]) => runtime.as(user, ["sh", "-c", script, "sh", ...words]);
  return {
    ...side,
    ...room,
    rescue: (damaged) => command(host, ["sh", "-c", rescueScript, "rescue", damaged, data, user]),
    awaitReplay: command(host, asUser(awaitScript, data, program("pg_ctl"), program("psql"), socket, superuser), {
      exitCodes: { 1: "restore.target_not_reached" },
    }),
    isReplayed: {
      title: "it takes changes",
      action: side.query("postgres", "select pg_is_in_recovery();"),
      output: { from: "stdout" },
      compare: "eq",
      with: "f",
      code: "restore.target_not_reached",
    },
    load: (dump, jobs) => {
      const one = ["--create", "--clean", "--if-exists", "--exit-on-error", "--no-tablespaces", "--no-subscriptions"];
      const words = client("pg_restore", ...one, `--jobs=${jobs}`, "--dbname=postgres", "--verbose", dump);
      return explained(command(host, words, { exitCodes: { 1: "backup.dump_damaged", 28: "backup.disk_full" } }));
    },
    run: (file) => {
      const psql = client("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", "postgres");
      return { kind: "command", host, pipeline: [{ argv: ["cat", "--", file] }, { argv: psql }] };
    },
    stopCleanly: command(
      host,
      runtime.as(user, [program("pg_ctl"), "stop", "-w", "-s", "-m", "fast", "-t", "3600", "-D", data]),
    ),
    settle: command(host, ["sh", "-c", settleScript, "settle", data, configured]),
    isSettled: {
      title: "nothing of being beside another is left in it",
      action: command(host, ["test", "-e", suffixed(data, `/${sideFiles.mark}`)], { okExitCodes: [0, 1] }),
      output: { from: "exitCode", as: "number" },
      compare: "eq",
      with: 1,
    },
  };
}

/** The two ways in which it gets its data. */
function fillers(
  stack: StackConfig,
  runtime: Runtime,
  pgbackrest: PgBackRest | undefined,
  folder: Text,
): Pick<Replacement, "fetchNewest" | "makeAnew"> {
  const { user } = runtime.postgres;
  const { superuser } = stack.services.database;
  const [data, socket, tablespaces] = ["/cluster", "/socket", "/tablespaces"].map((name) => suffixed(folder, name));
  const words = (limits: string) => [data, socket, user, superuser, limits, tablespaces] as readonly Text[];
  return {
    fetchNewest: ({ at, limits }) => {
      if (pgbackrest === undefined) throw new TypeError("There is no archive to fetch anything from");
      const settings = Object.entries(limits).map(([name, value]) => `${name} = '${value}'`);
      const target =
        at === undefined ? ["--type=default"] : ["--type=time", `--target=${at}`, "--target-action=promote"];
      const paths = [prefixed("--pg1-path=", data ?? ""), prefixed("--tablespace-map-all=", tablespaces ?? "")];
      const around = ["sh", "-c", `${sideRoomScript}"$@"${sideSettingsScript}`, "fetch", ...words(settings.join("\n"))];
      return pgbackrest.restore([...paths, ...target, "--archive-mode=off"], around);
    },
    makeAnew: (shape) => {
      const script = `${sideRoomScript}${anewScript}${sideSettingsScript}`;
      const given = [...words(""), autoSettings(shape), ...initialise(runtime, superuser, shape)];
      const argv = runtime.as(user, ["sh", "-c", script, "make", ...given]);
      return command(runtime.tools, argv, { exitCodes: { 28: "backup.disk_full" } });
    },
  };
}

const awaitScript = `
while :; do
  [ "$("$3" -XAtq -h "$4" -U "$5" -d postgres -c 'select pg_is_in_recovery()' 2>/dev/null)" != f ] || exit 0
  if ! "$2" status -D "$1" >/dev/null; then
    grep -E 'FATAL|PANIC' "$1/log" 2>/dev/null | tail -n 3 >&2
    exit 1
  fi
  sleep 0.2
done
`;

/** Segments that the archive has are read from there all the same. A damaged one ends the replay where it is damaged. */
const rescueScript = `
set -eu
[ -d "$1/pg_wal" ] || exit 0
find "$1/pg_wal" -maxdepth 1 -type f -regextype posix-extended -regex '.*/([0-9A-F]{24}|[0-9A-F]{8}[.]history)' | while IFS= read -r file; do
  cp -n -- "$file" "$2/pg_wal/" || true
done
chown -R "$3:" -- "$2/pg_wal"
`;

/** `room` has left an empty folder; the settings, then the words of initdb. */
const anewScript = `
auto=$1
shift
(cd / && "$@" --pgdata="$data" >/dev/null)
printf '%s' "$auto" >> "$data/postgresql.auto.conf"
`;

/** The mark goes last: it says that all of it was done. */
const settleScript = `
set -eu
cd -- "$1"
[ ! -e ${sideFiles.auto} ] || sed '/^# Recovery settings generated by pgBackRest/,$d' ${sideFiles.auto} > auto
[ ! -e auto ] || { chown --reference=PG_VERSION auto; chmod 0600 auto; mv -f auto postgresql.auto.conf; }
rm -f ${sideFiles.auto}
if [ -d ${sideFiles.own} ]; then
  rm -f ${configurationFiles.join(" ")}
  [ "$2" = elsewhere ] || cp -a ${sideFiles.own}/. .
  mv -T ${sideFiles.own} ${sideFiles.own}.gone
fi
rm -rf ${sideFiles.own}.gone
[ ! -f log ] || rm -f log
sync
rm -f ${sideFiles.mark}
`;
