import type { ClusterService, DaemonService, StackConfig } from "../../config/schema.ts";
import { type CommandAction, command } from "../../runbook/action.ts";
import { asUser, createDaemon, createDaemons, detach } from "./daemon.ts";
import { type DaemonSpec, type PostgresInstallation, type Runtime, toService } from "./runtime.ts";

export type NativeServices = Readonly<Record<string, ClusterService | DaemonService>>;

/**
 * Services as Debian runs them: PostgreSQL by `pg_ctlcluster`, everything else by `start-stop-daemon`. Needs root on the host,
 * because every service runs as a user of its own.
 */
export function createNativeRuntime(stack: StackConfig, services: NativeServices): Runtime {
  const { host } = stack;
  const define = (name: string) => {
    const service = services[name];
    if (service === undefined) throw new TypeError(`${name} is no service of ${stack.name}`);
    return service;
  };
  const database = define(stack.services.database.name);
  return {
    tools: host,
    odoo: host,
    as: asUser,
    detach: (environment, argv) => detach(host, environment, argv),
    daemon: (spec) => createDaemon(host, spec),
    service: (name) => {
      const service = define(name);
      if (!("cluster" in service)) return createDaemon(host, { name, ...service });
      const verb = (word: "start" | "stop" | "status") => clusterCommand(host, service, word);
      return toService(name, clusterStopSeconds, verb("start"), verb("stop"), verb("status"));
    },
    together: (names) =>
      createDaemons(
        host,
        names.map((name): DaemonSpec => {
          const service = define(name);
          if ("cluster" in service) throw new TypeError(`${name} is stopped by itself`);
          return { name, ...service };
        }),
      ),
    beside: (_service, argv, env = {}) => command(host, argv, { env }),
    postgres: findPostgres(database, stack.services.database.superuser),
    words: {
      log: (name) => {
        const service = services[name];
        return service !== undefined && "log" in service ? service.log : undefined;
      },
      startDatabase: startWords(database),
    },
    pids: {
      script: 'pid_of() { { read -r pid < "$1"; } 2>/dev/null; }',
      word: (name) => {
        const service = services[name];
        return service !== undefined && "pidFile" in service ? service.pidFile : undefined;
      },
    },
    within: { script: `place_of() { printf '%s\\n' "$2"; }`, words: () => [] },
  };
}

/** A server that is no cluster of Debian's has its programs where a shell finds them. */
function findPostgres(service: ClusterService | DaemonService, superuser: string): PostgresInstallation {
  if (!("cluster" in service))
    return { user: superuser, program: (name) => name, configuration: undefined, archive: undefined };
  const [version = ""] = service.cluster.split("/");
  const configuration = `${service.configRoot}/${service.cluster}`;
  return {
    user: service.user,
    program: (name) => `/usr/lib/postgresql/${version}/bin/${name}`,
    configuration,
    archive: { folder: `${configuration}/ipai-wal`, serverFile: `${configuration}/conf.d/ipai-wal.conf` },
  };
}

function startWords(service: ClusterService | DaemonService): string {
  if (!("cluster" in service)) return "Is it running?";
  const [version = "", name = ""] = service.cluster.split("/");
  const root = service.configRoot === "/etc/postgresql" ? "" : `PG_CLUSTER_CONF_ROOT=${service.configRoot} `;
  return `\`${root}pg_lsclusters\` names its state and its log; start it with \`${root}pg_ctlcluster ${version} ${name} start\`.`;
}

/** A fast shutdown ends sessions at once; only the last checkpoint takes time. */
const clusterStopSeconds = 120;

/** Exit codes of `pg_ctlcluster`: 0 done or running, 2 already in that state, 3 down. */
function clusterCommand(host: string, service: ClusterService, verb: "start" | "stop" | "status"): CommandAction {
  const [version = "", name = ""] = service.cluster.split("/");
  const fast = verb === "stop" ? ["-m", "fast"] : [];
  return command(host, ["pg_ctlcluster", version, name, verb, ...fast], {
    env: { PG_CLUSTER_CONF_ROOT: service.configRoot },
    okExitCodes: verb === "status" ? [0, 3] : [0, 2],
  });
}
