import type { ComposeProject, StackConfig } from "../config/schema.ts";
import { type CommandAction, command, type Probe } from "../runbook/action.ts";
import { join, runId } from "../runbook/value.ts";
import { createOdoo, type Odoo } from "./odoo/odoo.ts";
import { containerOf, createComposeRuntime, projectOf } from "./runtime/compose.ts";
import { composeScript, withVariables } from "./runtime/compose-program.ts";

/**
 * A container of a run's own, beside the services of a project: as that of Odoo's commands, and made of another image. Compose makes it, so it
 * has the project's network, volumes and user. It carries the run in a label.
 */
export interface Beside {
  /** The same stack, with Odoo's own commands in it. */
  readonly config: StackConfig;
  readonly odoo: Odoo;
  readonly start: CommandAction;
  readonly isStarted: Probe;
  readonly remove: CommandAction;
  readonly isRemoved: Probe;
}

/** How its image is said: by variables of the project, or by its name. */
export type Other = { readonly variables: Readonly<Record<string, string>> } | { readonly image: string };

/** `what`: the end of the container's name. */
export function createBeside(stack: StackConfig, what: string, other: Other): Beside {
  const { host } = stack;
  const project = projectOf(stack);
  const container = `${containerOf(project, project.odooTools)}-${what}`;
  const config = inContainer(stack, project, container);
  const own = (script: string) => command(host, ["sh", "-c", script, "own", container, runId]);
  const image = "image" in other ? other.image : "";
  const run = composeScript(host, project, startScript, project.odooTools, container, runId, image);
  return {
    config,
    odoo: createOdoo(config, createComposeRuntime(config, projectOf(config))),
    start: {
      ...withVariables(run, "variables" in other ? other.variables : {}),
      exitCodes: { ...run.exitCodes, 94: "stack.container_taken" },
    },
    isStarted: {
      title: "it runs",
      action: own(stateScript),
      output: { from: "stdout" },
      compare: "eq",
      with: join("true ", runId),
      code: "stack.service_not_running",
    },
    remove: own(removeScript),
    isRemoved: {
      title: "it is gone",
      action: own(absentScript),
      output: { from: "stdout" },
      compare: "eq",
      with: "",
      code: "stack.service_still_running",
    },
  };
}

function inContainer(stack: StackConfig, project: ComposeProject, container: string): StackConfig {
  const containers = { ...project.containers, [project.odooTools]: container };
  return { ...stack, runtime: { compose: { ...project, containers } } };
}

const ownedBy = `owner_of() { docker container inspect --format '{{index .Config.Labels "ipai.run"}}' "$1" 2>/dev/null || :; }
`;
/**
 * One that was made is only started, by a run that was killed. It comes back with the machine, as services do; when somebody stops it, it stays so.
 * An image that no variable names is said in a file of its own over the project as Compose understands it.
 */
const startScript = `
${ownedBy}
service=$1 name=$2 run=$3 image=$4
make() {
  need 2.0.0
  set -- run --detach --no-deps -T --name "$name" --label "ipai.run=$run" --user 0:0 --entrypoint sleep "$service" infinity
  if [ -z "$image" ]; then compose "$@"; return; fi
  understood=$(compose config)
  other=$(printf 'services: {"%s": {image: "%s"}}' "$service" "$image")
  "\${program[@]}" "\${project[@]}" --file <(echo "$understood") --file <(echo "$other") "$@"
}
owner=$(owner_of "$name")
case $owner in
  "$run") docker start "$name" ;;
  '') make ;;
  *) echo "$name is of the run $owner" >&2; exit 94 ;;
esac
docker update --restart unless-stopped "$name"
`;
const stateScript = `docker container inspect --format '{{.State.Running}} {{index .Config.Labels "ipai.run"}}' "$1" 2>/dev/null || :`;
const removeScript = `${ownedBy}
[ "$(owner_of "$1")" != "$2" ] || docker rm --force --volumes "$1"
`;
const absentScript = `docker ps --all --quiet --filter "name=^$1\\$" --filter "label=ipai.run=$2"`;
