import { command } from "../../runbook/action.ts";
import { clusterPart } from "../../stack/configuration.ts";
import type { Stack } from "../../stack/stack.ts";
import { countCores, jobsOf, readFolder, requireSpace } from "../backup/facts.ts";
import type { FactReader } from "../procedure.ts";
import {
  RecoveryClusterDiffers,
  RecoveryKeyMissing,
  RecoveryProgramsMissing,
  RecoveryStillServes,
  RecoveryUnsupported,
} from "./errors.ts";
import { type FoundPart, type FoundSet, findSet, getRepository, requireParts } from "./sets.ts";

/** What the plan for a blank machine depends on. Whatever would stop it later is refused here, before anything is begun. */
export interface HostFacts {
  readonly set: FoundSet;
  /** Services that run without serving: they are stopped first. */
  readonly running: readonly string[];
  /** Paths that are there already: they are set aside. */
  readonly aside: readonly string[];
  /** Users that services run as and that the machine does not have. */
  readonly users: readonly string[];
  /** Workers of the restore. */
  readonly jobs: number;
}

export interface HostInput {
  readonly set: string;
  readonly repository: string;
}

export async function readHostFacts(reader: FactReader, input: HostInput): Promise<HostFacts> {
  const { stack } = reader;
  requireNative(stack);
  await requirePrograms(reader);
  await requireNotServing(reader);
  await requireKey(reader, input.repository);
  const set = await findSet(reader, input);
  requireParts(set, ["odoo.conf", clusterPart]);
  requireCluster(stack, set);
  await requireRoom(reader, set);
  const jobs = jobsOf(stack.config, await countCores(reader));
  const [running, aside, users] = [await findRunning(reader), await findThere(reader, set), await findMissing(reader)];
  return { set, running, aside, users, jobs };
}

export function requireNative({ config, name }: Stack): void {
  if (!("native" in config.runtime)) throw RecoveryUnsupported({ stack: name });
}

/** By the names, or the paths, that the stack's own definition has for them. */
function programsOf({ config, runtime }: Stack): readonly string[] {
  const services = "native" in config.runtime ? Object.values(config.runtime.native.services) : [];
  const daemons = services.flatMap((service) => ("command" in service ? [service.command[0] ?? ""] : []));
  const paths = config.odoo.command.filter((word, index) => index === 0 || word.startsWith("/"));
  const server = ["initdb", "pg_ctl", "pg_restore", "psql"].map(runtime.postgres.program);
  const tools = ["restic", "pg_ctlcluster", "python3", "start-stop-daemon", "runuser", "curl", "diff", "jq"];
  return [...new Set([...tools, ...server, ...paths, ...daemons])].filter((word) => word !== "").toSorted();
}

async function requirePrograms(reader: FactReader): Promise<void> {
  const { stack } = reader;
  const script = 'for name; do command -v -- "$name" >/dev/null || [ -e "$name" ] || printf "%s\\n" "$name"; done';
  const missing = await reader.text(command(stack.host, ["sh", "-c", script, "look", ...programsOf(stack)]));
  if (missing.trim() !== "")
    throw RecoveryProgramsMissing({ host: stack.host, programs: missing.trim().split("\n").join(", ") });
}

/** A database server of the machine's own packages, which holds nothing of the stack's, is no stack that serves. */
async function requireNotServing(reader: FactReader): Promise<void> {
  const { stack } = reader;
  const { odoo, postgres, config, name } = stack;
  for (const service of config.services.odoo) {
    const page = await reader.maybe(reader.text(odoo.isReady(service.name, odoo.addressOf(service)).action));
    if (page?.includes('name="login"'))
      throw RecoveryStillServes({ stack: name, what: `${service.name} serves its login page` });
  }
  const { action } = postgres.databaseExists(config.odoo.database);
  if ((await reader.maybe(reader.number(action))) === 1)
    throw RecoveryStillServes({
      stack: name,
      what: `its database server answers, and ${config.odoo.database} is in it`,
    });
}

/** Only of a file it can be told whether it is there. */
export async function requireKey(reader: FactReader, name: string): Promise<void> {
  const { stack } = reader;
  const { repository } = getRepository(stack, name);
  const { backup } = stack.config;
  const path = name in (backup?.copies ?? {}) ? backup?.copies[name]?.passwordFile : backup?.passwordFile;
  if (path === undefined) return;
  const code = await reader.exitCode(command(stack.tools, ["test", "-s", path], { okExitCodes: [0, 1] }));
  if (code !== 0) throw RecoveryKeyMissing({ path, repository });
}

function requireCluster({ runtime }: Stack, set: FoundSet): void {
  const found = set.parts.find(({ part }) => part === clusterPart)?.path ?? "";
  const configured = runtime.postgres.configuration ?? "";
  if (found !== configured) throw RecoveryClusterDiffers({ set: set.id, configured, found });
}

async function requireRoom(reader: FactReader, { setBytes, databaseBytes, cluster }: FoundSet): Promise<void> {
  const { workDirectory } = reader.stack.config;
  const [work, data] = [await readFolder(reader, workDirectory), await readFolder(reader, cluster.dataDirectory)];
  const [fetched, restored] = [setBytes, 1.2 * databaseBytes + 150_000_000];
  if (work.mount === data.mount) return requireSpace("The recovery", workDirectory, fetched + restored, work.freeBytes);
  requireSpace("The recovery", workDirectory, fetched, work.freeBytes);
  requireSpace("The database", cluster.dataDirectory, restored, data.freeBytes);
}

async function findRunning(reader: FactReader): Promise<readonly string[]> {
  const { odoo, proxy, cache, automation, database } = reader.stack.config.services;
  const named = (service: { readonly name?: string | undefined } | undefined) => service?.name ?? [];
  const names = [automation, proxy, ...odoo, cache, database].flatMap(named);
  const answers = await Promise.all(
    names.map(async (name) => {
      const { action } = reader.stack.runtime.service(name).isRunning;
      // Of a cluster that is not configured pg_ctlcluster only knows that there is none.
      return (await reader.maybe(reader.exitCode(action))) === 0;
    }),
  );
  return names.filter((_, index) => answers[index]);
}

/** Where the set puts something. Code of one repository is one. */
export function placesOf(stack: Stack, set: FoundSet): readonly string[] {
  return [...new Set(partsToPlace(set).map(placeOf)), set.cluster.dataDirectory, filestoreOf(stack)];
}

/** What belongs to the machine; backups of the control database are put back by whoever restores that. */
export function partsToPlace({ parts }: FoundSet): readonly FoundPart[] {
  const usable = parts.filter(({ part, state }) => part !== "control" && (state === "taken" || state === "commit"));
  return usable.filter((one, index) => usable.findIndex((other) => placeOf(other) === placeOf(one)) === index);
}

export function placeOf({ state, top, path }: FoundPart): string {
  return state === "commit" && top !== "" ? top : path;
}

export function filestoreOf({ config, odoo }: Stack): string {
  return `${odoo.filestore}/${config.odoo.database}`;
}

async function findThere(reader: FactReader, set: FoundSet): Promise<readonly string[]> {
  const script = 'for path; do if [ -e "$path" ] || [ -L "$path" ]; then printf "%s\\n" "$path"; fi; done';
  const paths = placesOf(reader.stack, set);
  const found = await reader.text(command(reader.stack.tools, ["sh", "-c", script, "look", ...paths]));
  return found.split("\n").filter((line) => line !== "");
}

/** Those that the definition names. The server's own user comes with its programs. */
async function findMissing(reader: FactReader): Promise<readonly string[]> {
  const { config, tools } = reader.stack;
  const services = "native" in config.runtime ? Object.values(config.runtime.native.services) : [];
  const users = [...new Set([config.odoo.user, ...services.map(({ user }) => user)])];
  const script = 'for name; do id -u "$name" >/dev/null 2>&1 || printf "%s\\n" "$name"; done';
  const missing = await reader.text(command(tools, ["sh", "-c", script, "look", ...users]));
  return missing.split("\n").filter((line) => line !== "");
}
