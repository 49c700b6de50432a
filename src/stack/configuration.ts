import type { StackConfig } from "../config/schema.ts";
import { type CommandAction, command } from "../runbook/action.ts";
import { containerOf } from "./runtime/compose.ts";
import { composeWordsOf } from "./runtime/compose-program.ts";
import { configurationFiles } from "./server-files.ts";

/**
 * What a bare machine needs besides database and filestore: configuration and code. Everything is read from the stack's machine, that
 * of a container through Docker, so that it is read from one that is stopped too.
 */

export interface Part {
  /** Its folder in the set. */
  readonly name: string;
  /** Where it is: on the machine, or in a container. */
  readonly path: string;
  readonly container?: string;
  /** `code`: a commit that a remote has stands for the folder. `optional`: need not be there. */
  readonly kind: "file" | "code" | "optional";
}

export function configurationParts(stack: StackConfig): readonly Part[] {
  const { odoo, backup } = stack;
  const own = "compose" in stack.runtime ? partsOfProject(stack, stack.runtime.compose) : partsOfMachine(stack);
  const control = stack.controlBackups;
  const further = (backup?.files ?? []).map((path): Omit<Part, "name"> => ({ path, kind: "file" }));
  const parts = [
    { name: "odoo.conf", kind: "file", ...own.inOdoo, path: odoo.config } as const,
    ...odoo.addons.map((path) => ({ name: "addons", kind: "code", ...own.inOdoo, path }) as const),
    ...own.parts,
    ...keyOfAutomation(stack),
    ...(control === undefined ? [] : [{ name: "control", path: control, kind: "optional" } as const]),
    ...further.map((part) => ({ ...part, name: "files" })),
  ];
  // Several of a kind are told apart by their number.
  return parts.map((part, index) => {
    const earlier = parts.slice(0, index).filter(({ name }) => name === part.name).length;
    return { ...part, name: earlier === 0 ? part.name : `${part.name}-${earlier + 1}` };
  });
}

/** Without it the credentials in n8n's database are lost. */
export const automationPart = "automation";

function keyOfAutomation({ runtime, services }: StackConfig): readonly Part[] {
  const { name, keyFile: path } = services.automation ?? {};
  if (path === undefined) return [];
  const container = "compose" in runtime && name !== undefined ? { container: containerOf(runtime.compose, name) } : {};
  return [{ name: automationPart, kind: "file", path, ...container } as const];
}

interface Own {
  /** How Odoo's own files are reached. */
  readonly inOdoo: Pick<Part, "container">;
  readonly parts: readonly Part[];
}

function partsOfMachine({ services, runtime }: StackConfig): Own {
  const { proxy, cache, database } = services;
  const find = (service: { readonly name: string } | undefined) =>
    service === undefined || !("native" in runtime) ? undefined : runtime.native.services[service.name];
  const cluster = find(database);
  const ofProxy = fileOf("proxy", find(proxy), (command) => optionOf(command, "-c") ?? "/etc/nginx");
  return {
    inOdoo: {},
    parts: [
      ...ofProxy,
      ...upstreamsBeside(proxy?.upstreams, ofProxy),
      // Redis takes its file as the first word after its name; without one it has its own defaults.
      ...fileOf("cache", find(cache), ([, file]) => (file?.startsWith("/") ? file : undefined)),
      ...(cluster !== undefined && "cluster" in cluster
        ? [{ name: clusterPart, path: `${cluster.configRoot}/${cluster.cluster}`, kind: "file" } as const]
        : []),
    ],
  };
}

/** The proxy does not start without them. They may lie in its own folder, which is taken whole. */
function upstreamsBeside(path: string | undefined, ofProxy: readonly Part[]): readonly Part[] {
  if (path === undefined || ofProxy.some((part) => path.startsWith(`${part.path}/`))) return [];
  return [{ name: "proxy", path, kind: "file" }];
}

/** The database server's own configuration: where its data are, who may connect, what was tuned. */
export const clusterPart = "postgresql";

function fileOf(
  name: string,
  service: object | undefined,
  find: (command: readonly string[]) => string | undefined,
): readonly Part[] {
  const isDaemon = service !== undefined && "command" in service;
  const path = isDaemon ? find((service as { readonly command: readonly string[] }).command) : undefined;
  return path === undefined ? [] : [{ name, path, kind: "file" }];
}

function optionOf(command: readonly string[], option: string): string | undefined {
  return command.includes(option) ? command[command.indexOf(option) + 1] : undefined;
}

/** Folders that services need and no configuration file makes: of their pid files and logs, of sockets and working files. */
function foldersOf({ runtime, odoo, services, workDirectory }: StackConfig): readonly string[] {
  if (!("native" in runtime)) return [];
  const daemons = Object.values(runtime.native.services).flatMap((service) =>
    "command" in service
      ? [service.pidFile, service.log, ...(service.directory ? [`${service.directory}/.`] : [])]
      : [],
  );
  return [...daemons, `${odoo.dataDirectory}/filestore/.`, `${services.database.host}/.`, `${workDirectory}/.`];
}

function partsOfProject(stack: StackConfig, project: Parameters<typeof containerOf>[0] & Project): Own {
  const { proxy } = stack.services;
  const below = (path: string) => (path.startsWith("/") ? path : `${project.directory}/${path}`);
  const variables = project.envFiles.map((path) => ({ name: "variables", path: below(path), kind: "file" }) as const);
  const usual = { name: "variables", path: `${project.directory}/.env`, kind: "optional" } as const;
  return {
    inOdoo: { container: containerOf(project, project.odooTools) },
    parts: [
      ...project.files.map((path) => ({ name: "compose", path: below(path), kind: "file" }) as const),
      ...(variables.length === 0 ? [usual] : variables),
      ...(proxy === undefined
        ? []
        : [{ name: "proxy", path: "/etc/nginx", container: containerOf(project, proxy.name), kind: "file" } as const]),
    ],
  };
}

interface Project {
  readonly directory: string;
  readonly files: readonly string[];
  readonly envFiles: readonly string[];
  readonly odooTools: string;
}

/**
 * Takes the parts into `folder` among the tools, which only root may enter: odoo.conf and the variables of a project hold passwords.
 * `folder/parts` has a JSON line for each: `taken`, `commit` (code that a remote has; its commit is told instead), `absent`, or
 * `unreadable` with the reason. A part that cannot be taken does not keep the others from being stored. `owners` tells what belongs to
 * somebody else than root: of a machine by name, since another one gives its users other numbers, of a project by number, since that is what
 * its images agree on. Of a machine also `folders`, those that a service needs before it can start.
 */
export function takeConfiguration(stack: StackConfig, folder: string): CommandAction {
  const words = configurationParts(stack).flatMap(({ name, kind, container, path }) => [
    name,
    kind,
    container ?? "",
    path,
  ]);
  if (!("compose" in stack.runtime)) {
    const script = `desk=$1; shift\n${takeScript}\n${roomScript}`;
    return command(stack.host, ["sh", "-c", script, "take", folder, ...words, "--", ...foldersOf(stack)]);
  }
  const { compose } = stack.runtime;
  const script = `${ownDesk}\n${bindsScript}\n${takeScript}\n${projectScript}\ntar -C "$desk" -c .`;
  const database = containerOf(compose, stack.services.database.name);
  const described = composeWordsOf(compose, "config");
  const into = ["docker", "exec", "--interactive", containerOf(compose, compose.tools), "sh", "-c", intoScript];
  return {
    kind: "command",
    host: stack.host,
    pipeline: [
      {
        argv: ["sh", "-c", script, "take", ...words, "--", compose.project, compose.directory, database, ...described],
      },
      { argv: [...into, "into", folder] as unknown as readonly [string, ...string[]] },
    ],
  };
}

const ownDesk = "desk=$(mktemp -d); trap 'rm -rf -- \"$desk\"' EXIT";

const intoScript = 'rm -rf -- "$1" && mkdir -m 0700 -- "$1" && tar -x --no-same-owner -C "$1"';

const bindsScript = `
binds() {
  docker container inspect --format '{{range .Mounts}}{{if eq .Type "bind"}}{{.RW}}{{"\\t"}}{{.Destination}}{{"\\t"}}{{.Source}}{{"\\n"}}{{end}}{{end}}' "$1"
}
bound() {
  binds "$container" | wanted=$path awk -F '\\t' 'ENVIRON["wanted"] == $2 || index(ENVIRON["wanted"], $2 "/") == 1 {
    if (length($2) > best) { best = length($2); found = $3 substr(ENVIRON["wanted"], best + 1) } } END { printf "%s", found }'
}`;

/**
 * A commit is told when the work tree is clean and some branch of a remote has it; else the code itself is taken. Whoever owns the
 * folder may have put programs into git's configuration: none of them is run. An address keeps no password. Of what is in a container
 * `machine` tells where on its machine it lies; nowhere, if it came with the image.
 */
const takeScript = `set -eu
rm -rf -- "$desk"; mkdir -m 0700 -- "$desk"
quoted() { printf '%s' "$1" | tr '\\n' ' ' | sed 's/[\\\\"]/\\\\&/g'; }
tell() {
  env printf '{"part": "%s", "path": "%s", "state": "%s"' "$name" "$(quoted "$path")" "$1" >> "$desk/parts"
  shift
  while [ $# -gt 0 ]; do env printf ', "%s": "%s"' "$1" "$(quoted "$2")" >> "$desk/parts"; shift 2; done
  env printf '}\\n' >> "$desk/parts"
}
code() { git -c 'safe.directory=*' -c core.fsmonitor=false -c core.hooksPath=/dev/null -C "$path" "$@" 2>/dev/null; }
committed() {
  [ "$kind" = code ] && [ -z "$container" ] && commit=$(code rev-parse HEAD) || return 1
  remote=$(code remote get-url origin | sed 's#://[^@/]*@#://#') || remote=
  top=$(code rev-parse --show-toplevel) || top=$path
  branch=$(code symbolic-ref --short HEAD) || branch=
  dirty=true
  [ -n "$(code status --porcelain -- . || echo unknown)" ] || dirty=false
  kept=$(code branch -r --contains HEAD || true)
  # A repository on the same machine is lost with it.
  case $remote in file:* | /* | ./* | ../*) kept= ;; esac
}
take() {
  mkdir -p -- "$desk/$name"
  if [ -n "$container" ]; then docker cp -- "$container:$path" "$desk/$name/" 2>&1 >/dev/null
  elif [ -d "$path" ]; then tar -C "$(dirname -- "$path")" --exclude=.git --exclude=__pycache__ --exclude='ipai-wal*' -c -- "$(basename -- "$path")" 2>&1 >"$desk/$name.tar" &&
    tar -C "$desk/$name" -xf "$desk/$name.tar" 2>&1
  else cp -a -- "$path" "$desk/$name/" 2>&1
  fi
}
while [ "$1" != -- ]; do
  name=$1 kind=$2 container=$3 path=$4 commit=
  shift 4
  if [ -z "$container" ] && [ ! -e "$path" ]; then
    if [ "$kind" = optional ]; then tell absent; else tell missing; fi
    continue
  fi
  if committed && [ "$dirty" = false ] && [ -n "$kept" ]; then
    tell commit commit "$commit" remote "$remote" top "$top" branch "$branch"
  elif said=$(take); then
    if [ -n "$commit" ]; then tell taken commit "$commit" remote "$remote" dirty "$dirty"
    elif [ -n "$container" ]; then tell taken machine "$(bound)"
    else tell taken; fi
  else
    rm -rf -- "$desk/$name"
    tell unreadable reason "$said"
  fi
  rm -f -- "$desk/$name.tar"
done
shift`;

/**
 * `PROJECT DIRECTORY DATABASE`, then Compose's words to print the project. What its containers are given of its folder to read only is
 * configuration, secrets among it, each with its folder, for what is in there too and for the folder's mode; what they may write to is data,
 * but for the files with which a server is told who may connect. Nothing of what Compose prints, which has the variables' values, goes any
 * further than the folders that images are built of.
 */
const projectScript = `
project=$1 directory=$2 database=$3 container= kind=file number=1
shift 3
has() {
  sed -n 's/^.*"state": "taken".*"machine": "\\([^"]*\\)".*$/\\1/p; t; s/^.*"path": "\\([^"]*\\)", "state": "taken".*$/\\1/p' "$desk/parts" |
    wanted=$1 awk 'length($0) > 0 && (ENVIRON["wanted"] == $0 || index(ENVIRON["wanted"], $0 "/") == 1) { found = 1 } END { exit !found }'
}
contexts() { awk '/^ +build:/ { match($0, /^ +/); within = RLENGTH; next } { match($0, /^ */) } RLENGTH <= within { within = 0 }
  within && /^ +context: / { sub(/^ +context: /, ""); gsub(/^["\\047]|["\\047]$/, ""); print }'; }
folder() {
  parent=$(dirname -- "$path")
  if [ -f "$path" ] && ! printf '%s\\n' "$bound" | sed -n 's/^true\\t[^\\t]*\\t//p' | folder=$parent awk '
    index(ENVIRON["folder"] "/", $0 "/") == 1 || index($0, ENVIRON["folder"] "/") == 1 { found = 1 } END { exit !found }' &&
    [ "$parent" != "$directory" ]; then path=$parent; fi
  printf '%s\\n' "$path"
}
bound=$(docker ps --all --quiet --filter "label=com.docker.compose.project=$project" | while IFS= read -r id; do binds "$id"; done)
described=$("$@" 2>"$desk/said") || {
  name=compose path=$directory
  tell unreadable reason "$(tail -n 1 "$desk/said")"
}
rm -f -- "$desk/said"
{
  printf '%s\\n' "$described" | contexts
  printf '%s\\n' "$bound" | sed -n 's/^false\\t[^\\t]*\\t//p' | while IFS= read -r path; do folder; done
} | wanted=$directory awk 'index($0, ENVIRON["wanted"] "/") == 1' | LC_ALL=C sort -u | while IFS= read -r path; do
  if [ ! -e "$path" ] || has "$path"; then continue; fi
  name=project
  [ "$number" = 1 ] || name=project-$number
  number=$((number + 1))
  if said=$(take); then tell taken; else rm -rf -- "$desk/$name"; tell unreadable reason "$said"; fi
  rm -f -- "$desk/$name.tar"
done
unset described
name=postgresql path=$(docker container inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "$database" | sed -n 's/^PGDATA=//p')
path=\${path:-/var/lib/postgresql/data}
inside=$desk/$name/$(basename -- "$path")
mkdir -p -- "$inside"
for file in ${configurationFiles.join(" ")}; do docker cp -- "$database:$path/$file" "$inside/" >/dev/null 2>&1 || rm -f -- "$inside/$file"; done
if [ -s "$inside/pg_hba.conf" ]; then tell taken machine ""; else rm -rf -- "$desk/$name"; tell absent; fi
(cd -- "$desk" && find . -mindepth 2 ! -user root -printf '%U %G %P\\n' > owners)`;

/**
 * What files name (a log, a temporary folder, a socket) lies in folders that packages make or somebody once made by hand: every one
 * that a path in them leads to is told with its owner and mode, with those above it. A database's own folder is none of them.
 */
const roomScript = `
(cd -- "$desk" && find . -mindepth 2 ! -user root -printf '%u %g %P\\n' > owners)
near() {
  [ -d "$1" ] || set -- "$(dirname -- "$1")"
  while [ -d "$1" ] && [ "$1" != / ]; do
    [ -L "$1" ] || [ -e "$1/PG_VERSION" ] || printf '%s\\n' "$1"
    set -- "$(dirname -- "$1")"
  done
}
{
  for path; do printf '%s\\n' "$path"; done
  for name in odoo.conf proxy cache postgresql; do
    [ -d "$desk/$name" ] || continue
    find "$desk/$name" -type l -exec readlink '{}' ';'
    grep -rhoE '/[A-Za-z0-9._/-]+' "$desk/$name" || true
  done
} | sort -u | while IFS= read -r path; do
  case $path in /proc/*|/sys/*|/dev/*) ;; /*) near "$path" ;; esac
done | sort -u | while IFS= read -r path; do stat --format='%U %G %a %n' -- "$path"; done > "$desk/folders"`;
