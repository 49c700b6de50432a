import type { ClusterService, StackConfig } from "../../config/schema.ts";
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
}

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
    toService(spec.name, spec.stopSeconds, startDaemon(host, spec), stopDaemon(host, spec), daemonStatus(host, spec));
  return {
    as: asUser,
    detach: (environment, argv) => command(host, detached(argv), { env: environment }),
    daemon,
    service: (name) => {
      const service = services[name];
      if (service === undefined) throw new TypeError(`${name} is no service of ${stack.name}`);
      if (!("cluster" in service)) return daemon({ name, ...service });
      const verb = (word: "start" | "stop" | "status") => clusterCommand(host, service, word);
      return toService(name, clusterStopSeconds, verb("start"), verb("stop"), verb("status"));
    },
  };
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
  return command(host, [
    "start-stop-daemon",
    "--start",
    "--oknodo",
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
  ]);
}

/** TERM lets Odoo finish the requests in flight; KILL ends what does not listen. */
function stopDaemon(host: string, service: DaemonSpec): CommandAction {
  return command(host, [
    "start-stop-daemon",
    "--stop",
    "--oknodo",
    "--retry",
    `TERM/${service.stopSeconds}/KILL/5`,
    "--remove-pidfile",
    ...identify(service),
  ]);
}

/** Exit codes: 0 runs, 1 dead but with a pid file, 3 not running. 4 (cannot tell) is a failure, so the probe says unknown. */
function daemonStatus(host: string, service: DaemonSpec): CommandAction {
  return command(host, ["start-stop-daemon", "--status", ...identify(service)], { okExitCodes: [0, 1, 3] });
}

/** A pid file alone may name a process that is somebody else's by now: the owner must fit too. */
function identify(service: DaemonSpec): readonly Text[] {
  return ["--pidfile", service.pidFile, "--user", service.user];
}
