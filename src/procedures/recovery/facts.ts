import { command } from "../../runbook/action.ts";
import { clusterPart } from "../../stack/configuration.ts";
import { type GroundRepository, passwordFileOf } from "../../stack/ground.ts";
import type { Stack } from "../../stack/stack.ts";
import { countCores, jobsOf, readFolder, requireSpace } from "../backup/facts.ts";
import type { FactReader } from "../procedure.ts";
import {
  RecoveryClusterDiffers,
  RecoveryKeyMissing,
  RecoveryProgramsMissing,
  RecoveryProjectRemains,
  RecoveryStillServes,
} from "./errors.ts";
import { type FoundPart, type FoundSet, findSet, getGroundRepository, getRepository, requireParts } from "./sets.ts";

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
  await requirePrograms(reader);
  await requireNotServing(reader);
  await requireNothingRemains(reader);
  await requireGroundKey(reader, input.repository);
  const set = await findSet(reader, input, getGroundRepository(stack, input.repository));
  requireParts(set, stack.ground.parts);
  requireCluster(stack, set);
  await requireRoom(reader, set);
  const jobs = jobsOf(stack.config, await countCores(reader, stack.ground.host));
  const [running, aside, users] = [await findRunning(reader), await findThere(reader, set), await findMissing(reader)];
  return { set, running, aside, users, jobs };
}

async function requirePrograms(reader: FactReader): Promise<void> {
  const { stack } = reader;
  const script = 'for name; do command -v -- "$name" >/dev/null || [ -e "$name" ] || printf "%s\\n" "$name"; done';
  const missing = await reader.text(command(stack.host, ["sh", "-c", script, "look", ...stack.ground.programs]));
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

/** Volumes cannot be set aside, and would be taken for the new ones. */
async function requireNothingRemains({ stack, text }: FactReader): Promise<void> {
  if (stack.ground.containers === undefined) return;
  const found = (await text(stack.ground.containers.remains)).trim();
  if (found !== "") throw RecoveryProjectRemains({ stack: stack.name, found: found.split("\n").join(", ") });
}

/** As the machine finds it. */
export function requireGroundKey(reader: FactReader, name: string): Promise<void> {
  const { ground } = reader.stack;
  return requireFile(reader, ground.host, getGroundRepository(reader.stack, name));
}

/** As the tools find it. */
export function requireKey(reader: FactReader, name: string): Promise<void> {
  const { stack } = reader;
  const { repository } = getRepository(stack, name);
  return requireFile(reader, stack.tools, { repository, passwordFile: passwordFileOf(stack.config, name) });
}

/** Only of a file it can be told whether it is there. */
async function requireFile(
  reader: FactReader,
  place: string,
  { repository, passwordFile: path }: Pick<GroundRepository, "repository" | "passwordFile">,
): Promise<void> {
  if (path === undefined) return;
  const code = await reader.exitCode(command(place, ["test", "-s", path], { okExitCodes: [0, 1] }));
  if (code !== 0) throw RecoveryKeyMissing({ path, repository });
}

function requireCluster({ runtime, ground }: Stack, set: FoundSet): void {
  if (!ground.parts.includes(clusterPart)) return;
  const found = set.parts.find(({ part }) => part === clusterPart)?.path ?? "";
  const configured = runtime.postgres.configuration ?? "";
  if (found !== configured) throw RecoveryClusterDiffers({ set: set.id, configured, found });
}

async function requireRoom(reader: FactReader, { setBytes, databaseBytes, cluster }: FoundSet): Promise<void> {
  const { workDirectory } = reader.stack.config;
  const { host, containers } = reader.stack.ground;
  const [fetched, restored] = [setBytes, 1.2 * databaseBytes + 150_000_000];
  if (containers !== undefined) {
    const disk = (await reader.text(containers.disk)).trim();
    return requireSpace("The recovery", disk, fetched + restored, (await readFolder(reader, disk, host)).freeBytes);
  }
  const [work, data] = [await readFolder(reader, workDirectory), await readFolder(reader, cluster.dataDirectory)];
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
  const made = stack.ground.containers === undefined ? [set.cluster.dataDirectory, filestoreOf(stack)] : [];
  return [...new Set(partsToPlace(set).map(placeOf)), ...made];
}

/** What belongs to the machine, and not to an image. */
export function partsToPlace({ parts }: FoundSet): readonly FoundPart[] {
  return placedOnce(parts.filter(({ machine }) => machine !== ""));
}

/** By the paths that programs know, which in a container are others than its machine's. */
export function partsInside({ parts }: FoundSet): readonly FoundPart[] {
  return placedOnce(parts.map(({ machine: _, ...part }) => part));
}

/** Backups of the control database are put back by whoever restores that. */
function placedOnce(parts: readonly FoundPart[]): readonly FoundPart[] {
  const usable = parts.filter(({ part, state }) => part !== "control" && (state === "taken" || state === "commit"));
  return usable.filter((one, index) => usable.findIndex((other) => placeOf(other) === placeOf(one)) === index);
}

export function placeOf({ state, top, path, machine }: FoundPart): string {
  return state === "commit" && top !== "" ? top : (machine ?? path);
}

export function filestoreOf({ config, odoo }: Stack): string {
  return `${odoo.filestore}/${config.odoo.database}`;
}

async function findThere(reader: FactReader, set: FoundSet): Promise<readonly string[]> {
  const script = 'for path; do if [ -e "$path" ] || [ -L "$path" ]; then printf "%s\\n" "$path"; fi; done';
  const paths = placesOf(reader.stack, set);
  const found = await reader.text(command(reader.stack.ground.host, ["sh", "-c", script, "look", ...paths]));
  return found.split("\n").filter((line) => line !== "");
}

/** Those that the definition names. The server's own user comes with its programs. */
async function findMissing(reader: FactReader): Promise<readonly string[]> {
  const { host, users } = reader.stack.ground;
  const script = 'for name; do id -u "$name" >/dev/null 2>&1 || printf "%s\\n" "$name"; done';
  const missing = await reader.text(command(host, ["sh", "-c", script, "look", ...users]));
  return missing.split("\n").filter((line) => line !== "");
}
