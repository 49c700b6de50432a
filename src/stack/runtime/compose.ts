import type { ComposeProject, StackConfig } from "../../config/schema.ts";
import { command } from "../../runbook/action.ts";
import { inContainer } from "../../runbook/place.ts";
import { startContainer } from "./compose-program.ts";
import { asUser, createDaemon, detach } from "./daemon.ts";
import { type Runtime, type Service, toService } from "./runtime.ts";

/**
 * Services as containers of a Docker Compose project. They are started, stopped and asked by Docker's own client, which needs no
 * compose file for it and knows the containers of every version of Compose. Everything else runs in two containers that serve
 * nobody: the host needs nothing but Docker, and its user nothing but the right to use it.
 */
export function createComposeRuntime(stack: StackConfig, project: ComposeProject): Runtime {
  const { host } = stack;
  const nameOf = (service: string) => containerOf(project, service);
  const tools = inContainer(host, nameOf(project.tools));
  const odoo = inContainer(host, nameOf(project.odooTools));
  const database = nameOf(stack.services.database.name);
  return {
    tools,
    odoo,
    as: asUser,
    detach: (environment, argv) => detach(tools, environment, argv),
    daemon: (spec) => createDaemon(odoo, spec),
    service: (name) => createService(host, project, name),
    together: (names) => createServices(host, project, names),
    beside: (service, argv, env = {}) => {
      const variables = Object.keys(env).flatMap((name) => ["--env", name]);
      return command(host, ["docker", "exec", ...variables, nameOf(service), ...argv], { env });
    },
    postgres: {
      user: "postgres",
      program: (name) => name,
      configuration: undefined,
      archive: { folder: `${project.serverFolder}/ipai-wal`, serverFile: `${project.serverFolder}/ipai-wal.conf` },
    },
    words: {
      log: (service) => `\`docker logs --tail 100 ${nameOf(service)}\``,
      startDatabase: `\`docker logs --tail 50 ${database}\` says why; start it with \`docker start ${database}\`.`,
    },
    pids: {
      script: pidScript,
      word: nameOf,
    },
    within: { script: placeScript, words: (service) => ["docker", "exec", nameOf(service)] },
  };
}

/** What cannot be asked ends the question. */
const pidScript = `pid_of() {
  pid=$(docker container inspect --format '{{.State.Pid}}' "$1" 2>&1) || case $pid in
    *'No such container'*) return 1 ;;
    *) printf '%s\\n' "$pid" >&2; exit 4 ;;
  esac
  [ "$pid" != 0 ]
}`;

/** The file itself is mounted, or a folder above it; of several the nearest. */
const placeScript = `place_of() {
  mounts=$(docker container inspect --format '{{range .Mounts}}{{if .Source}}{{.Source}}{{"\\t"}}{{.Destination}}{{"\\n"}}{{end}}{{end}}' "$1") || exit 4
  printf '%s' "$mounts" | sort | while IFS=$'\\t' read -r source destination; do
    below=$(realpath -m --relative-base="$source" -- "$2")
    case $below in
      /* | '') ;;
      .) printf '%s\\n' "$destination" ;;
      *) printf '%s\\n' "$destination/$below" ;;
    esac
  done | tail -n 1
}`;

/** The container of a service, as Compose names it when nobody gave it another name. */
export function containerOf(
  { project, containers }: Pick<ComposeProject, "project" | "containers">,
  service: string,
): string {
  return containers[service] ?? `${project}-${service}-1`;
}

/** The project of a stack that is one; a TypeError for another, which no plan for a project is made for. */
export function projectOf({ name, runtime }: StackConfig): ComposeProject {
  if (!("compose" in runtime)) throw new TypeError(`${name} is no project of Docker Compose`);
  return runtime.compose;
}

function createService(host: string, project: ComposeProject, name: string): Service {
  return {
    ...createServices(host, project, [name]),
    start: startContainer(host, project, name, containerOf(project, name)),
  };
}

function createServices(host: string, project: ComposeProject, names: readonly string[]): Service {
  const containers = names.map((name) => containerOf(project, name));
  const status = command(host, ["sh", "-c", statusScript, "status", ...containers], { okExitCodes: [0, 1] });
  const verb = (word: "start" | "stop") => command(host, ["docker", word, ...containers]);
  // Each is given the time to stop that its own definition says.
  return toService(names.join(", "), project.stopSeconds, verb("start"), verb("stop"), status);
}

/** Exit codes: 0 when one of them runs, 1 when none does; 4 (cannot tell) is a failure, so that the probe says unknown. */
const statusScript = `
for name; do
  said=$(docker container inspect --format '{{.State.Running}}' "$name" 2>&1)
  case $said in
    true) exit 0 ;;
    false | *'No such container'*) ;;
    *) printf '%s\\n' "$said" >&2; exit 4 ;;
  esac
done
exit 1
`;
