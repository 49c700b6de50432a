import { z } from "zod";
import type { ComposeProject, StackConfig } from "../../config/schema.ts";
import { type CommandAction, command, type Probe } from "../../runbook/action.ts";
import type { Text } from "../../runbook/value.ts";
import { type Beside, createBeside } from "../beside.ts";
import { idOf, namelessVolumes } from "../images.ts";
import { containerOf, projectOf } from "../runtime/compose.ts";
import { composeScript, readProject, withVariables } from "../runtime/compose-program.ts";
import type { AnySuccessor } from "./successor.ts";

/**
 * The Odoo of another series as an image. The project names it by variables, so what is exchanged are lines of its `.env`: whoever starts
 * the project, by hand or on a new machine, has the image that belongs to the database. Until then Compose is told them for a container
 * of its own alone, which is otherwise as that of Odoo's commands.
 */
export interface ImageSuccessor extends AnySuccessor, Variables, Beside {
  readonly kind: "image";
  /** Compose's project as it will be, as JSON for `imagesOfProject`. */
  readonly project: CommandAction;
  /** As it is now. */
  readonly presentProject: CommandAction;
  /** Lines for `parseMade`. `images`: what the services will be made of. */
  made(images: ReadonlyMap<string, string>): CommandAction;
  /** Prints the services that keep data in a volume without a name. */
  readonly nameless: CommandAction;
  /** An image's name means this one. */
  isImage(name: string, id: string): Probe;
  isMadeOf(service: string, id: string): Probe;
}

interface Variables {
  /** Prints the lines of the project's `.env` that say the variables now; fails where it cannot be exchanged. */
  readonly lines: CommandAction;
  /** What they will be. */
  readonly wanted: Lines;
  /** Writes them, and removes those that are null. Other lines stay; the file is exchanged whole. */
  write(lines: Lines): CommandAction;
  areWritten(lines: Lines): Probe;
}

/** A line of `.env` for each variable; null where there is none. */
export type Lines = Readonly<Record<string, string | null>>;

type Given = Readonly<Record<string, string>>;

export function createImageSuccessor(stack: StackConfig, series: string, variables: Given): ImageSuccessor {
  const { host } = stack;
  const project = projectOf(stack);
  const services = [...stack.services.odoo.map(({ name }) => name), project.odooTools];
  return {
    kind: "image",
    series,
    ...createVariables(host, project, variables),
    ...createBeside(stack, "next", { variables }),
    ask: (question) => withVariables(askIn(host, project, question), variables),
    relinked: (path) => path,
    project: withVariables(readProject(host, project), variables),
    presentProject: readProject(host, project),
    made: (images) => {
      const words = services.flatMap((one) => [one, containerOf(project, one), images.get(one) ?? ""]);
      return command(host, ["sh", "-c", madeScript, "made", ...words]);
    },
    nameless: namelessVolumes(host, project, services),
    isImage: (name, id) =>
      prints(
        `${name} is the image that was planned`,
        command(host, ["docker", "image", "inspect", "--format", "{{.Id}}", name]),
        id,
        "upgrade.image_moved",
      ),
    isMadeOf: (service, id) =>
      prints(
        `${service} is made of that image`,
        command(host, ["docker", "container", "inspect", "--format", "{{.Image}}", containerOf(project, service)]),
        id,
        "upgrade.image_elsewhere",
      ),
  };
}

function createVariables(host: string, project: ComposeProject, variables: Given): Variables {
  const [file, names] = [variablesOf(project), Object.keys(variables)];
  const lines = command(host, ["sh", "-c", linesScript, "lines", file, ...names], {
    exitCodes: { 9: "upgrade.variables_fixed" },
  });
  const textOf = (given: Lines) => names.flatMap((name) => given[name] ?? []).join("\n");
  return {
    lines,
    wanted: Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, `${name}=${value}`])),
    write: (given) => {
      const words = Object.entries(given).flatMap(([name, line]) => [name, line ?? ""]);
      return command(host, ["sh", "-c", writeScript, "write", file, ...words]);
    },
    areWritten: (given) =>
      prints(
        `${file} has ${names.map((name) => given[name] ?? `no ${name}`).join(", ")}`,
        lines,
        textOf(given).trimEnd(),
        "upgrade.variables_moved",
      ),
  };
}

function prints(title: string, action: CommandAction, answer: Text, code: string): Probe {
  return { title, action, output: { from: "stdout" }, compare: "eq", with: answer, code };
}

/** The file with the project's variables; of several the last counts. */
function variablesOf({ directory, envFiles }: ComposeProject): string {
  const file = envFiles.at(-1) ?? ".env";
  return file.startsWith("/") ? file : `${directory}/${file}`;
}

/** In a container that is gone when it has answered. */
function askIn(host: string, project: ComposeProject, { pipeline: [asked], ...rest }: CommandAction): CommandAction {
  const { argv, stdin } = asked;
  const run = composeScript(host, project, askScript, project.odooTools, ...argv);
  const [first] = run.pipeline;
  return {
    ...run,
    ...(rest.okExitCodes === undefined ? {} : { okExitCodes: rest.okExitCodes }),
    pipeline: [stdin === undefined ? first : { ...first, stdin }],
  };
}

/** What a service is made of now and will be made of. */
export interface Made {
  readonly service: string;
  readonly image: string;
  /** Undefined: there is no such image. */
  readonly id: string | undefined;
  /** Undefined: the service has no container. */
  readonly before: { readonly id: string; readonly image: string; readonly meant: string | undefined } | undefined;
}

const madeLine = z.tuple([z.string(), z.string(), z.string(), z.string(), z.string(), z.string()]);

export function parseMade(text: string): readonly Made[] {
  return text.split("\n").map((line) => {
    const [service, image, id, made, name, meant] = madeLine.parse(line.split("\t"));
    const known = (one: string) => (one === "-" ? undefined : one);
    const before = made === "-" ? undefined : { id: made, image: name, meant: known(meant) };
    return { service, image, id: known(id), before };
  });
}

/** The lines that were printed, by variable. */
export function parseLines(text: string, names: readonly string[]): Lines {
  const all = text.split("\n");
  const isOf = (name: string) => (line: string) => new RegExp(`^\\s*(export\\s+)?${name}\\s*=`).test(line);
  return Object.fromEntries(names.map((name) => [name, all.find(isOf(name)) ?? null]));
}

const madeScript = `${idOf}
while [ $# -gt 0 ]; do
  id=$(id_of image '{{.Id}}' "$3") && made=$(id_of container '{{.Image}}' "$2") &&
    name=$(id_of container '{{.Config.Image}}' "$2") || exit
  meant=
  [ -z "$name" ] || meant=$(id_of image '{{.Id}}' "$name") || exit
  printf '%s\\t%s\\t%s\\t%s\\t%s\\t%s\\n' "$1" "$3" "\${id:--}" "\${made:--}" "\${name:--}" "\${meant:--}"
  shift 3
done
`;

/** Of several lines for one variable the last counts, for Compose as well. */
const isOfVariable = '"^[ \\t]*(export[ \\t]+)?" name "[ \\t]*="';
const linesScript = `
set -eu
file=$1
shift
folder=$(dirname -- "$file")
if [ ! -w "$folder" ] || [ -L "$file" ]; then echo "$file" >&2; exit 9; fi
[ -e "$file" ] || exit 0
for name; do
  awk -v name="$name" '$0 ~ ${isOfVariable} { line = $0; found = 1 } END { if (found) print line }' "$file"
done
`;
const writeScript = `
set -eu
file=$1
[ -e "$file" ] || : >"$file"
cp -p -- "$file" "$file.ipai"
awk 'BEGIN {
  while ((getline line < ARGV[1]) > 0) lines[++count] = line
  for (word = 2; word < ARGC; word += 2) {
    name = ARGV[word]; last = 0
    for (number = 1; number <= count; number++) if (lines[number] ~ ${isOfVariable}) last = number
    if (!last && ARGV[word + 1] != "") last = ++count
    if (last) { lines[last] = ARGV[word + 1]; if (ARGV[word + 1] == "") gone[last] = 1 }
  }
  for (number = 1; number <= count; number++) if (!(number in gone)) print lines[number]
}' "$@" >"$file.ipai"
sync -- "$file.ipai"
mv -f -- "$file.ipai" "$file"
`;

/** Without the image's entrypoint, which may want to know of a database. */
const askScript = `
service=$1
shift
compose run --rm --no-deps -T --user 0:0 --entrypoint env "$service" "$@"
`;
