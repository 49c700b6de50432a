import type { CopyConfig, StackConfig } from "../config/schema.ts";
import { type CommandAction, command, type Probe } from "../runbook/action.ts";
import { join, runId, type Text } from "../runbook/value.ts";
import { clusterPart } from "./configuration.ts";
import type { Placing } from "./placing.ts";
import { createProgram, createReadable, environmentOf, type NamedRepository } from "./restic.ts";
import { containerOf, projectOf } from "./runtime/compose.ts";
import { removeAll, startWithAll } from "./runtime/compose-program.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { primary } from "./sources.ts";

/**
 * Where the recovery of a server begins: a machine with nothing of the stack on it. Of a stack in containers not even the places are there
 * where work is done; they are made of what the set has of the project.
 */
export interface Ground {
  /** The machine itself. */
  readonly host: string;
  /** The stack's own repositories, as the machine finds them. */
  readonly repositories: readonly GroundRepository[];
  /** Programs that it has to have, by name or path. */
  readonly programs: readonly string[];
  /** What a set must have of the stack's configuration. */
  readonly parts: readonly string[];
  /** Users that services run as and that the machine has to know. */
  readonly users: readonly string[];
  /** How files get their place on it. */
  readonly placing: Placing;
  /** Absent where the machine is the place where work is done. */
  readonly containers: Containers | undefined;
}

export interface GroundRepository extends NamedRepository {
  /** Undefined when its password is no file. */
  readonly passwordFile: string | undefined;
}

/** What only a project has. */
export interface Containers {
  /** A folder of the run on the machine, for what is needed before there is any container. */
  readonly desk: Text;
  /** Prints the folder of the disk on which containers and volumes lie. */
  readonly disk: CommandAction;
  /** Prints containers and volumes that are there of the project, a line each. */
  readonly remains: CommandAction;
  /** Makes the database's server and the tools, and waits for them. */
  readonly start: CommandAction;
  readonly areRunning: readonly Probe[];
  /**
   * That the database's server answers at an address. The image's first one, which is for the scripts of `initdb` alone and is ended again,
   * answers at the socket only, so a project's health check may take it for the one that stays.
   */
  readonly answers: Probe;
  /** Removes all that is there of the project, with its volumes. */
  readonly remove: CommandAction;
  /** Odoo's own folders, which its user writes to. */
  readonly makeFolders: CommandAction;
  /** Streams a set from the machine into a folder among the tools. */
  carry(repository: NamedRepository, backup: string, folder: Text): CommandAction;
  /** What ALTER SYSTEM had set, for the next start of the server. */
  settle(dataDirectory: string, settings: string): CommandAction;
  /** The server's own configuration, from a folder among the tools, for its next start. */
  configure(dataDirectory: string, from: Text): CommandAction;
  isConfigured(dataDirectory: string, from: Text): Probe;
  /** Prints what is set so. */
  settings(dataDirectory: string): CommandAction;
}

export function createGround(stack: StackConfig, runtime: Runtime, own: readonly NamedRepository[]): Ground {
  return "native" in stack.runtime ? groundOfMachine(stack, runtime, own) : groundOfProject(stack, runtime);
}

function groundOfMachine(stack: StackConfig, runtime: Runtime, own: readonly NamedRepository[]): Ground {
  const services = "native" in stack.runtime ? Object.values(stack.runtime.native.services) : [];
  const daemons = services.flatMap((service) => ("command" in service ? [service.command[0] ?? ""] : []));
  const paths = stack.odoo.command.filter((word, index) => index === 0 || word.startsWith("/"));
  const server = ["initdb", "pg_ctl", "pg_restore", "psql"].map(runtime.postgres.program);
  const tools = ["restic", "pg_ctlcluster", "python3", "start-stop-daemon", "runuser", "curl", "diff", "jq"];
  const programs = new Set([...tools, ...server, ...paths, ...daemons]);
  return {
    host: stack.host,
    repositories: own.map((one) => ({ ...one, passwordFile: passwordFileOf(stack, one.name) })),
    programs: [...programs].filter((word) => word !== "").toSorted(),
    parts: ["odoo.conf", clusterPart],
    users: [...new Set([stack.odoo.user, ...services.map(({ user }) => user)])],
    placing: placingIn(stack.host, `${stack.workDirectory}/runs/`, "/made"),
    containers: undefined,
  };
}

export function placingIn(host: string, before: string, after: string): Placing {
  return { host, ledger: join(before, runId, after), suffix: join(".before_", runId) };
}

/** As the configuration says it, for the place where work is done. */
export function passwordFileOf(stack: StackConfig, name: string): string | undefined {
  return findSettings(stack, name)?.passwordFile;
}

type Settings = Pick<CopyConfig, "repository" | "passwordFile" | "environment" | "options">;

function findSettings({ backup }: StackConfig, name: string): Settings | undefined {
  return name === primary ? backup : backup?.copies[name];
}

function groundOfProject(stack: StackConfig, runtime: Runtime): Ground {
  const project = projectOf(stack);
  const desks = `${project.directory}/.ipai-recovery/`;
  return {
    host: stack.host,
    repositories: repositoriesOfMachine(stack),
    programs: [...new Set(["bash", "curl", "diff", "docker", "restic", project.program[0] ?? ""])].toSorted(),
    parts: ["odoo.conf", "compose"],
    users: [],
    placing: placingIn(stack.host, desks, ".made"),
    containers: createContainers(stack, runtime, join(desks, runId)),
  };
}

/** Paths under `backup` are those of a container that is not there yet. */
function repositoriesOfMachine(stack: StackConfig): readonly GroundRepository[] {
  if (stack.backup === undefined) return [];
  return [primary, ...Object.keys(stack.backup.copies)].flatMap((name) => {
    const settings = findSettings(stack, name);
    if (settings === undefined) return [];
    const there = stack.recovery.repositories[name];
    const repository = there?.repository ?? settings.repository;
    const passwordFile = there?.passwordFile ?? settings.passwordFile;
    const path = name === primary ? "backup" : `backup.copies.${name}`;
    const env = environmentOf({ ...settings, repository, passwordFile }, path);
    const restic = createProgram(stack, stack.host, env, settings.options);
    return [{ name, repository, passwordFile, ...createReadable(stack.name, restic) }];
  });
}

function createContainers(stack: StackConfig, runtime: Runtime, desk: Text): Containers {
  const { host, services, odoo } = stack;
  const project = projectOf(stack);
  const first = [services.database.name, project.tools, project.odooTools];
  const beside = (script: string, ...words: readonly string[]) =>
    runtime.beside(services.database.name, ["sh", "-c", script, "settle", ...words]);
  const exec = ["docker", "exec", "--interactive"] as const;
  const container = (service: string) => containerOf(project, service);
  const server = container(services.database.name);
  return {
    desk,
    disk: command(host, ["docker", "info", "--format", "{{.DockerRootDir}}"]),
    remains: command(host, ["sh", "-c", remainsScript, "look", `label=com.docker.compose.project=${project.project}`]),
    start: startWithAll(host, project, first),
    areRunning: first.map((name) => runtime.service(name).isRunning),
    answers: {
      title: "the database's server answers",
      action: command(host, [...exec, server, "pg_isready", "--quiet", "--host=127.0.0.1"], { okExitCodes: [0, 1, 2] }),
      output: { from: "exitCode", as: "number" },
      compare: "eq",
      with: 0,
    },
    remove: removeAll(host, project),
    makeFolders: command(runtime.tools, [
      ...["sh", "-c", foldersScript, "make", odoo.user],
      ...[odoo.dataDirectory, `${odoo.dataDirectory}/filestore`],
    ] as unknown as readonly [string, ...string[]]),
    carry: (repository, backup, folder) => {
      const dump = repository.print(backup, "/");
      return {
        ...dump,
        pipeline: [...dump.pipeline, { argv: [...exec, container(project.tools), "tar", "-x", "-C", folder] }],
      };
    },
    settle: (dataDirectory, settings) => beside(settleScript, dataDirectory, settings),
    configure: (dataDirectory, from) => ({
      kind: "command",
      host,
      pipeline: [
        { argv: [...exec, container(project.tools), "sh", "-c", 'cd -- "$1" && tar -c *', "files", from] },
        { argv: [...exec, "--user", "postgres", server, "tar", "-x", "-C", dataDirectory] },
      ],
    }),
    isConfigured: (dataDirectory, from) => ({
      title: "its configuration is that of the set",
      action: {
        kind: "command",
        host,
        okExitCodes: [0, 1],
        pipeline: [
          { argv: [...exec, container(project.tools), "sh", "-c", 'cd -- "$1" && sha256sum *', "sum", from] },
          { argv: [...exec, server, "sh", "-c", 'cd -- "$1" && sha256sum -c', "sum", dataDirectory] },
        ],
      },
      output: { from: "exitCode", as: "number" },
      compare: "eq",
      with: 0,
      code: "recovery.not_in_place",
    }),
    settings: (dataDirectory) => beside('sed "/^#/d" "$1/postgresql.auto.conf"', dataDirectory),
  };
}

const remainsScript = `
set -eu
docker ps --all --filter "$1" --format 'container {{.Names}}'
docker volume ls --filter "$1" --format 'volume {{.Name}}'
`;

/** A volume begins as root's where its image has no such folder. */
const foldersScript = `
set -eu
user=$1
shift
for path; do install -d -m 0755 -o "$user" -g "$(id -gn "$user")" -- "$path"; done
`;

/** With nothing but what any image of PostgreSQL has; a copy keeps owner and mode. */
const settleScript = `
set -eu
cd -- "$1"
cp -p postgresql.auto.conf auto.partial
{ grep '^#' postgresql.auto.conf || true; printf '%s' "$2"; } > auto.partial
mv -f auto.partial postgresql.auto.conf
`;
