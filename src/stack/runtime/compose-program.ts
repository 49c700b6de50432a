import type { ComposeProject } from "../../config/schema.ts";
import { type CommandAction, command } from "../../runbook/action.ts";
import type { Text } from "../../runbook/value.ts";

/**
 * Compose itself, for what only a project's file knows: to make containers and to remove them. Each command asks for the version first.
 * Version 1 answers an option that it does not know with its help and exit code 0, so that nothing would have been done and all looked
 * well; version 2 as a missing plugin is "unknown flag" to docker.
 */

/** The first with profiles; it takes a file without `version` too. */
export const versionMin = "1.28.0";
/** The first whose `up` can wait. */
const versionOfWait = "2.1.1";

const exitCodes = {
  95: "stack.compose_missing",
  96: "stack.compose_too_old",
  97: "stack.compose_file",
  98: "stack.container_elsewhere",
} as const;

/** A script that has Compose as functions. */
export function composeScript(
  host: string,
  given: ComposeProject,
  script: string,
  ...args: readonly Text[]
): CommandAction {
  const { program, project, files } = composeWords(given);
  const words = [...program, "--", ...project, "--", ...files, "--", ...args];
  return command(host, ["bash", "-c", `${composeFunctions}${script}`, "compose", ...words], { exitCodes });
}

/** The same as the project would be with other variables, which count for this command alone. */
export function withVariables(action: CommandAction, env: Readonly<Record<string, string>>): CommandAction {
  const [first, ...others] = action.pipeline;
  return { ...action, pipeline: [{ ...first, env: { ...first.env, ...env } }, ...others] };
}

/** The project as Compose understands it, as JSON. Ends with an error where there is only version 1. */
export function readProject(host: string, project: ComposeProject): CommandAction {
  return composeScript(host, project, "need 2.0.0\ncompose config --format json\n");
}

/** Makes and starts services with all that they need, and waits until they are well. */
export function startWithAll(host: string, project: ComposeProject, services: readonly string[]): CommandAction {
  const up = ["up", "--detach", "--wait", ...services];
  return composeScript(host, project, runScript, versionOfWait, ...up);
}

/** Removes everything of a project: containers, networks, and volumes with what is in them. */
export function removeAll(host: string, project: ComposeProject): CommandAction {
  const down = ["down", "--volumes", "--remove-orphans", "--timeout", "10"];
  return composeScript(host, project, runScript, versionMin, ...down);
}

/** Starts a service's container; one that was removed is made anew from the project's file. */
export function startContainer(
  host: string,
  project: ComposeProject,
  service: string,
  container: string,
): CommandAction {
  return composeScript(host, project, startScript, project.project, service, container);
}

/** A command of Compose as a person would type it, for hints. */
export function composeWordsOf(given: ComposeProject, ...args: readonly string[]): readonly [string, ...string[]] {
  const { program, project, files } = composeWords(given);
  return [...program, ...project, ...files, ...args] as unknown as readonly [string, ...string[]];
}

function composeWords({ program, project, directory, files, envFiles }: ComposeProject) {
  const below = (file: string) => (file.startsWith("/") ? file : `${directory}/${file}`);
  const variables = envFiles.flatMap((file) => ["--env-file", below(file)]);
  return {
    program,
    project: ["--project-name", project, "--project-directory", directory, ...variables],
    files: files.flatMap((file) => ["--file", below(file)]),
  };
}

/** `PROGRAM -- PROJECT -- FILES --` are taken from the arguments. Exit codes: see above. */
const composeFunctions = `
set -euo pipefail
program=() project=() files=()
until [ "$1" = -- ]; do program+=("$1"); shift; done; shift
until [ "$1" = -- ]; do project+=("$1"); shift; done; shift
until [ "$1" = -- ]; do files+=("$1"); shift; done; shift
compose() { "\${program[@]}" "\${project[@]}" "\${files[@]}" "$@"; }
installed() { found=$("\${program[@]}" version --short 2>/dev/null) || found=; found=\${found#v}; }
need() {
  installed
  case $found in
    [0-9]*) ;;
    *) echo "\${program[*]}" >&2; exit 95 ;;
  esac
  [ "$(printf '%s\\n' "$1" "$found" | sort -V | head -n 1)" = "$1" ] && return
  echo "\${program[*]} is version $found, and $1 is needed" >&2
  exit 96
}
`;

const runScript = `
need "$1"
shift
compose "$@"
`;

/**
 * Not \`up --no-deps\`: before 2.29.3 Compose notes such a container as one of another definition, and the next \`up\` of anybody would
 * make it anew. This makes missing containers of what it depends on too, but starts none of them.
 *
 * What an image's name means here is what a release made it mean: a file that says `pull_policy: always` would have a registry say what it
 * means instead. So only what is not there is pulled. Version 1 knows neither the option nor the policy.
 */
const startScript = `
label=com.docker.compose
is_there() { docker container inspect "$1" >/dev/null 2>&1; }
if ! is_there "$3"; then
  need ${versionMin}
  pull=()
  case $(compose up --help) in *' --pull '*) pull=(--pull missing) ;; esac
  compose up --no-start --no-build --no-recreate "\${pull[@]}" "$2"
  if ! is_there "$3"; then
    made=$(docker ps --all --filter "label=$label.project=$1" --filter "label=$label.service=$2" --format '{{.Names}}')
    echo "$2 is" $made >&2
    exit 98
  fi
fi
exec docker start "$3"
`;
