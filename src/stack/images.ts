import { z } from "zod";
import type { ComposeProject, StackConfig } from "../config/schema.ts";
import { type CommandAction, command, type Probe } from "../runbook/action.ts";
import type { Git } from "./git.ts";
import { containerOf } from "./runtime/compose.ts";
import { readProject } from "./runtime/compose-program.ts";

/**
 * Images of a compose project that are built from the stack's source. They are built beside those that serve, under the name of their
 * commit, and take the name that the project has for them when containers are to be made of them. Those of before keep a name too.
 */

/** One of which Odoo's services, or the container of Odoo's own commands, are made. */
export interface UsedImage {
  /** As the project names it. */
  readonly name: string;
  readonly services: readonly string[];
}

export interface SourceImage extends UsedImage {
  /** The folder that it is built of, relative to the repository; empty for the repository itself. */
  readonly context: string;
  /** Relative to that folder. */
  readonly dockerfile: string;
  readonly target: string | undefined;
  readonly args: Readonly<Record<string, string>>;
}

export interface Images {
  /** The project as Compose understands it: JSON for `parse`. Ends with an error where there is only version 1. */
  readonly project: CommandAction;
  /** Those that can be built from the source alone, and whose containers can be made anew. */
  parse(project: unknown): readonly SourceImage[];
  /** Of what the commit has, whatever lies in the tree. */
  build(image: SourceImage, commit: string): CommandAction;
  isThere(image: SourceImage, commit: string): Probe;
  /** Gives that of which a service's container is made the name of a commit. */
  keep(image: SourceImage, commit: string): CommandAction;
  /** Runs a program in it, which is over and leaves nothing. */
  ask(image: SourceImage, commit: string, argv: readonly string[]): CommandAction;
  /** From here on containers are made of it. */
  use(image: SourceImage, commit: string): CommandAction;
  isUsed(image: SourceImage, commit: string): Probe;
}

/** Undefined: no project, or no source. */
export function createImages(
  { host, runtime, source, services, name }: StackConfig,
  git: Git | undefined,
): Images | undefined {
  if (!("compose" in runtime) || source === undefined || git === undefined) return undefined;
  const project = runtime.compose;
  const ours = [...services.odoo.map((one) => one.name), project.odooTools];
  const firstOf = (image: SourceImage) => {
    const [service] = image.services;
    if (service === undefined) throw new TypeError(`no service of ${name} is made of ${image.name}`);
    return containerOf(project, service);
  };
  return {
    project: readProject(host, project),
    parse: (given) => parseProject(given, project, source.repository, ours),
    build: (image, commit) => build(host, git, image, commit),
    isThere: (image, commit) => yes(host, `there is ${tagOf(image, commit)}`, isThereScript, tagOf(image, commit)),
    keep: (image, commit) => command(host, ["sh", "-c", keepScript, "keep", firstOf(image), tagOf(image, commit)]),
    ask: (image, commit, [program = "true", ...args]) =>
      command(host, [
        ...["docker", "run", "--rm", "--network", "none", "--entrypoint", program],
        ...[tagOf(image, commit), ...args],
      ] as unknown as readonly [string, ...string[]]),
    use: (image, commit) => command(host, ["docker", "tag", tagOf(image, commit), image.name]),
    isUsed: (image, commit) =>
      yes(host, `${image.name} is that of the commit`, isUsedScript, tagOf(image, commit), image.name),
  };
}

/** Prints the services that keep data in a volume without a name, which a container that is made anew would not have. */
export function namelessVolumes(host: string, project: ComposeProject, services: readonly string[]): CommandAction {
  const words = services.flatMap((one) => [one, containerOf(project, one)]);
  return command(host, ["sh", "-c", namelessScript, "nameless", ...words]);
}

/** Removes a stopped container that is made of another image than this name means now. Starting the service makes it anew. */
export function discardContainer(host: string, project: ComposeProject, service: string, image: string): CommandAction {
  return command(host, ["sh", "-c", discardScript, "discard", containerOf(project, service), image]);
}

export function hasNoOtherContainer(host: string, project: ComposeProject, service: string, image: string): Probe {
  return yes(host, `${service} has no container of another image`, isFitScript, containerOf(project, service), image);
}

function yes(host: string, title: string, script: string, ...words: readonly string[]): Probe {
  return {
    title,
    action: command(host, ["sh", "-c", script, "ask", ...words], { okExitCodes: [0, 1] }),
    output: { from: "exitCode", as: "number" },
    compare: "eq",
    with: 0,
    code: "image.not_in_place",
  };
}

/** `company/odoo:18` at a commit is `company/odoo:ipai-0123456789ab`. */
export function tagOf({ name }: Pick<SourceImage, "name">, commit: string): string {
  return `${name.replace(/:[^:/]*$/, "")}:ipai-${commit.slice(0, 12)}`;
}

/** What is said in any other way (a secret, another machine's folder, a file of its own) is not in the commit. */
const definition = z.strictObject({
  context: z.string(),
  dockerfile: z.string().default("Dockerfile"),
  target: z.string().optional(),
  args: z.record(z.string(), z.string()).default({}),
});
const projectFile = z.object({
  services: z.record(z.string(), z.object({ image: z.string().optional(), build: z.unknown().optional() })),
});

/** What each service of the project is made of, by its name. */
export function imagesOfProject(given: unknown, { project }: ComposeProject): ReadonlyMap<string, string> {
  const { services } = projectFile.parse(given);
  return new Map(Object.entries(services).map(([name, { image }]) => [name, image ?? `${project}-${name}`]));
}

function parseProject(
  given: unknown,
  project: ComposeProject,
  repository: string,
  ours: readonly string[],
): readonly SourceImage[] {
  const { services: defined } = projectFile.parse(given);
  const all = [...imagesOfProject(given, project)].map(([service, name]) => ({
    service,
    name,
    build: definition.safeParse(defined[service]?.build).data,
  }));
  return [...new Set(all.map(({ name }) => name))].flatMap((name): readonly SourceImage[] => {
    const services = all.filter((one) => one.name === name && ours.includes(one.service)).map(({ service }) => service);
    const build = all.find((one) => one.name === name && one.build !== undefined)?.build;
    const context = build === undefined ? undefined : below(repository, build.context);
    if (build === undefined || context === undefined || services.length === 0) return [];
    if (name.includes("@") || build.dockerfile.startsWith("/")) return [];
    const { dockerfile, target, args } = build;
    return [{ name, context, dockerfile, target, args, services }];
  });
}

function below(repository: string, path: string): string | undefined {
  if (path === repository) return "";
  return path.startsWith(`${repository}/`) ? path.slice(repository.length + 1) : undefined;
}

/** The folder goes from git's objects into the builder: nothing is written beside them. Values of arguments are not in argv. */
function build(host: string, git: Git, image: SourceImage, commit: string): CommandAction {
  const { context, dockerfile, target, args } = image;
  const options = [
    ...["--tag", tagOf(image, commit), "--file", dockerfile],
    ...(target === undefined ? [] : ["--target", target]),
    ...Object.keys(args).flatMap((name) => ["--build-arg", name]),
  ];
  const archive = git.as(["git", "archive", "--format=tar", `${commit}:${context}`]);
  return {
    ...{ kind: "command", host, exitCodes: { 1: "image.not_built" } },
    pipeline: [...archive.pipeline, { argv: ["docker", "build", ...options, "-"], env: args, mergeStderr: true }],
  };
}

/** For a shell on the host: `id_of image|container FORMAT NAME`. */
export const idOf = `
id_of() { # of an image, or of that of a container; nothing where there is none
  found=$(docker "$1" inspect --format "$2" "$3" 2>&1) && { echo "$found"; return; }
  case $found in *[Nn]'o such'*) ;; *) printf '%s\\n' "$found" >&2; exit 4 ;; esac
}
`;
const isThereScript = `${idOf}
id=$(id_of image '{{.Id}}' "$1") || exit
[ -n "$id" ]
`;
const isUsedScript = `${idOf}
wanted=$(id_of image '{{.Id}}' "$1") && used=$(id_of image '{{.Id}}' "$2") || exit
[ -n "$wanted" ] && [ "$wanted" = "$used" ]
`;
const isFitScript = `${idOf}
made=$(id_of container '{{.Image}}' "$1") && wanted=$(id_of image '{{.Id}}' "$2") || exit
[ -z "$made" ] || [ "$made" = "$wanted" ]
`;
const discardScript = `${idOf}
made=$(id_of container '{{.Image}}' "$1") && wanted=$(id_of image '{{.Id}}' "$2") || exit
if [ -n "$made" ] && [ "$made" != "$wanted" ]; then docker rm "$1"; fi
`;
const keepScript = `
set -eu
docker tag "$(docker container inspect --format '{{.Image}}' "$1")" "$2"
`;
const namelessScript = `
while [ $# -gt 0 ]; do
  volumes=$(docker container inspect --format '{{range .Mounts}}{{if eq .Type "volume"}}{{println .Name}}{{end}}{{end}}' "$2") || exit 4
  if printf '%s\\n' "$volumes" | grep -Eqx '[0-9a-f]{64}'; then echo "$1"; fi
  shift 2
done
`;
