import type { ClusterService, DaemonService, StackConfig } from "../../config/schema.ts";
import { type CommandAction, command, type Probe } from "../../runbook/action.ts";
import type { Text } from "../../runbook/value.ts";

/**
 * Services as Debian runs them: PostgreSQL by `pg_ctlcluster`, everything else by `start-stop-daemon`. Builds commands, runs none.
 * Needs root on the host, because every service runs as a user of its own.
 */
export interface Runtime {
  /** Wraps argv so that it runs as another operating-system user. */
  as(user: string, argv: readonly [Text, ...Text[]]): readonly [Text, ...Text[]];
  /** Starts a program that goes on by itself; it must end by itself or be ended by what it holds. */
  detach(environment: Readonly<Record<string, Text>>, argv: readonly [Text, ...Text[]]): CommandAction;
  /** A process in the background that is known by its pid file. */
  daemon(spec: DaemonSpec): Service;
  service(name: string): Service;
  readonly postgres: PostgresInstallation;
  /** Stops several at the same time: each is asked before one is waited for. */
  together(names: readonly string[]): Stoppable;
}

/** PostgreSQL as it is installed on the host of the stack's database. */
export interface PostgresInstallation {
  /** The operating-system user that owns the server. */
  readonly user: string;
  /**
   * A program of the server's own version. Debian's wrappers take the newest that is there, whose dumps the server's version need
   * not be able to read; they also take longer to start than psql to answer.
   */
  program(name: string): string;
}

export type Stoppable = Pick<Service, "stop" | "isStopped" | "stopSeconds">;

/** How one service is started, stopped and asked whether its process is there. It may still answer nobody: ask its adapter. */
export interface Service {
  readonly start: CommandAction;
  readonly stop: CommandAction;
  readonly isRunning: Probe;
  readonly isStopped: Probe;
  /** Longest time that stopping may take, seconds. */
  readonly stopSeconds: number;
}

export interface DaemonSpec {
  readonly name: string;
  readonly command: readonly Text[];
  readonly environment: Readonly<Record<string, string>>;
  readonly user: string;
  readonly directory?: string | undefined;
  readonly pidFile: Text;
  readonly log: Text;
  readonly stopSeconds: number;
}

export function createNativeRuntime(stack: StackConfig): Runtime {
  const services = stack.runtime.native.services;
  const { host } = stack;
  const daemon = (spec: DaemonSpec) =>
    toService(
      spec.name,
      spec.stopSeconds,
      startDaemon(host, spec),
      stopDaemons(host, [spec]),
      daemonStatus(host, [spec]),
    );
  const define = (name: string) => {
    const service = services[name];
    if (service === undefined) throw new TypeError(`${name} is no service of ${stack.name}`);
    return service;
  };
  return {
    postgres: findPostgres(define(stack.services.database.name), stack.services.database.superuser),
    as: asUser,
    detach: (environment, argv) => command(host, detached(argv), { env: environment }),
    daemon,
    service: (name) => {
      const service = define(name);
      if (!("cluster" in service)) return daemon({ name, ...service });
      const verb = (word: "start" | "stop" | "status") => clusterCommand(host, service, word);
      return toService(name, clusterStopSeconds, verb("start"), verb("stop"), verb("status"));
    },
    together: (names) => {
      const daemons = names.map((name) => {
        const service = define(name);
        if ("cluster" in service) throw new TypeError(`${name} is stopped by itself`);
        return { name, ...service };
      });
      const seconds = Math.max(...daemons.map(({ stopSeconds }) => stopSeconds));
      const [stop, status] = [stopDaemons(host, daemons), daemonStatus(host, daemons)];
      return toService(names.join(", "), seconds, stop, stop, status);
    },
  };
}

/** A server that is no cluster of Debian's has its programs where a shell finds them. */
function findPostgres(service: ClusterService | DaemonService, superuser: string): PostgresInstallation {
  if (!("cluster" in service)) return { user: superuser, program: (name) => name };
  const [version = ""] = service.cluster.split("/");
  return { user: service.user, program: (name) => `/usr/lib/postgresql/${version}/bin/${name}` };
}

/** A fast shutdown ends sessions at once; only the last checkpoint takes time. */
const clusterStopSeconds = 120;

function toService(
  name: string,
  stopSeconds: number,
  start: CommandAction,
  stop: CommandAction,
  status: CommandAction,
): Service {
  const answer = { action: status, output: { from: "exitCode", as: "number" } } as const;
  return {
    start,
    stop,
    stopSeconds,
    isRunning: { ...answer, title: `${name} runs`, compare: "eq", with: 0, code: "stack.service_not_running" },
    isStopped: { ...answer, title: `${name} is stopped`, compare: "ge", with: 1, code: "stack.service_still_running" },
  };
}

function detached(argv: readonly Text[]): readonly [Text, ...Text[]] {
  // A pid file that never names a process: start-stop-daemon otherwise refuses a second program of the same kind.
  return [
    "start-stop-daemon",
    "--start",
    "--background",
    "--pidfile",
    "/dev/null",
    "--startas",
    "/usr/bin/env",
    "--",
    ...argv,
  ];
}

function asUser(user: string, argv: readonly [Text, ...Text[]]): readonly [Text, ...Text[]] {
  return ["runuser", "-u", user, "--", ...argv];
}

/** Exit codes of `pg_ctlcluster`: 0 done or running, 2 already in that state, 3 down. */
function clusterCommand(host: string, service: ClusterService, verb: "start" | "stop" | "status"): CommandAction {
  const [version = "", name = ""] = service.cluster.split("/");
  const fast = verb === "stop" ? ["-m", "fast"] : [];
  return command(host, ["pg_ctlcluster", version, name, verb, ...fast], {
    env: { PG_CLUSTER_CONF_ROOT: service.configRoot },
    okExitCodes: verb === "status" ? [0, 3] : [0, 2],
  });
}

function startDaemon(host: string, service: DaemonSpec): CommandAction {
  const environment = Object.entries(service.environment).map(([name, value]) => `${name}=${value}`);
  const program = [
    "start-stop-daemon",
    "--start",
    "--background",
    "--make-pidfile",
    ...identify(service),
    ...(service.directory === undefined ? [] : ["--chdir", service.directory]),
    "--chuid",
    service.user,
    "--output",
    service.log,
    "--startas",
    "/usr/bin/env",
    "--",
    ...environment,
    ...service.command,
  ];
  return command(host, ["sh", "-c", startScript, "start", service.pidFile, service.user, ...program]);
}

function stopDaemons(host: string, services: readonly DaemonSpec[]): CommandAction {
  const words = services.flatMap(({ pidFile, user, stopSeconds }) => [pidFile, user, String(stopSeconds)]);
  return command(host, ["sh", "-c", stopScript, "stop", ...words]);
}

/** Exit codes: 0 when one of them runs, 1 when none does; 4 (cannot tell) is a failure, so that the probe says unknown. */
function daemonStatus(host: string, services: readonly DaemonSpec[]): CommandAction {
  const words = services.flatMap(({ pidFile, user }) => [pidFile, user]);
  return command(host, ["sh", "-c", statusScript, "status", ...words], { okExitCodes: [0, 1] });
}

/**
 * A process that has ended stays in the table (as a zombie) until its parent asks for it. In a container, whose first process may
 * never ask, that is for ever; start-stop-daemon would call it running, wait for it in vain and start no other.
 */
const runsFunction = `
runs() {
  code=0
  start-stop-daemon --status --pidfile "$1" --user "$2" || code=$?
  case $code in
    0)
      state=$(ps -o stat= -p "$(cat "$1")") || [ $? -eq 1 ] || exit 4
      case $state in ''|Z*) return 1 ;; esac
      ;;
    1|3) return 1 ;;
    *) exit 4 ;;
  esac
}`;

const statusScript = `${runsFunction}
while [ $# -gt 0 ]; do
  if runs "$1" "$2"; then exit 0; fi
  shift 2
done
exit 1
`;

const startScript = `${runsFunction}
if runs "$1" "$2"; then exit 0; fi
rm -f -- "$1"
shift 2
exec "$@"
`;

/** TERM once, since Odoo drops the requests in flight at the second; KILL ends what does not listen. */
const stopScript = `${runsFunction}
each() {
  what=$1
  shift
  while [ $# -gt 0 ]; do
    "$what" "$1" "$2" "$3"
    shift 3
  done
}
ask() { if runs "$1" "$2"; then send TERM "$1" "$2"; fi; }
send() { start-stop-daemon --stop --quiet --oknodo --signal "$1" --pidfile "$2" --user "$3"; }
finish() {
  if ! has_ended "$3" "$1" "$2"; then
    send KILL "$1" "$2"
    has_ended 5 "$1" "$2" || { echo "The process of $1 does not end." >&2; exit 1; }
  fi
  rm -f -- "$1"
}
has_ended() {
  tenths=$(($1 * 10))
  while runs "$2" "$3"; do
    [ "$tenths" -gt 0 ] || return 1
    tenths=$((tenths - 1))
    sleep 0.1
  done
}
each ask "$@"
each finish "$@"
`;

/** A pid file alone may name a process that is somebody else's by now: the owner must fit too. */
function identify(service: DaemonSpec): readonly Text[] {
  return ["--pidfile", service.pidFile, "--user", service.user];
}
