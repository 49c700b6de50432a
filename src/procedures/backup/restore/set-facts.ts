import { z } from "zod";
import { toIpaiError } from "../../../errors/error.ts";
import { command } from "../../../runbook/action.ts";
import type { Json } from "../../../runbook/value.ts";
import { adaptVersion, parseInventory, seriesOfProgram, seriesOfVersion } from "../../../stack/odoo/inventory.ts";
import type { NamedRepository } from "../../../stack/restic.ts";
import type { FactReader } from "../../procedure.ts";
import { boundTo, type Running, readRunning, readServerDisk } from "../../running.ts";
import { matches } from "../../upgrade/facts.ts";
import { findBackup, proofStateOf } from "../calls.ts";
import { NoRepository, RepositoryUnknown } from "../errors.ts";
import {
  countCores,
  findSet,
  jobsOf,
  listSets,
  measureBackup,
  readFolder,
  requireSpace,
  type SetInRepository,
} from "../facts.ts";
import { requireAutomation } from "./automation.ts";
import {
  RestoreAutomationElsewhere,
  RestoreCodeMissing,
  RestoreNewerServer,
  RestorePresentUnreadable,
  RestoreRepositoryAway,
  RestoreSeries,
  RestoreSourceUnknown,
  RestoreSourceUnreached,
} from "./errors.ts";
import type { SetInput } from "./set-input.ts";

/** What the restore of a set depends on. What cannot go well is refused here, before anything is begun. */

export interface RestoreSetFacts {
  readonly set: Pick<SetInRepository, "id" | "takenAt" | "reason">;
  /** The name of the repository that it is taken from. */
  readonly repository: string;
  /** The name that its database had. */
  readonly source: string;
  readonly databaseBytes: number;
  /** What there is now, and is kept. */
  readonly present: { readonly database: boolean; readonly files: boolean };
  /** Why Odoo is tried on a copy first; undefined when it need not be. */
  readonly trial: string | undefined;
  /** Modules whose code here is of another version than the set's, in words. */
  readonly differences: readonly string[];
  readonly running: Running;
  readonly jobs: number;
}

const about = z.object({
  database: z.string(),
  databaseBytes: z.number(),
  takenAt: z.string(),
  server: z.string(),
  modules: z.record(z.string(), z.string().nullable()).nullable(),
});
type About = z.infer<typeof about>;

export async function readRestoreSetFacts(reader: FactReader, input: SetInput): Promise<RestoreSetFacts> {
  if (input.only === "automation" && input.from !== null) throw RestoreAutomationElsewhere({ from: input.from });
  const repository = await chooseRepository(reader, input);
  const set = chooseSet(await listSetsOf(reader, repository, input), input.set);
  const [said, size, present, running, cores] = await Promise.all([
    reader.json(repository.print(set.id, "about")),
    measureBackup(reader, repository, set.id),
    readPresent(reader, input),
    readRunning(reader),
    countCores(reader),
  ]);
  const told = about.parse(said);
  await requireReadable(reader, input, present);
  const differences = isOdoo(input) ? await requireFitting(reader, told) : [];
  await requireRoom(reader, input, size);
  return {
    set: { id: set.id, takenAt: set.takenAt, reason: set.reason },
    repository: repository.name,
    source: told.database,
    databaseBytes: told.databaseBytes,
    present,
    trial: isOdoo(input) ? await whyTry(reader, input, set.id, differences) : undefined,
    differences,
    running,
    jobs: jobsOf(reader.stack.config, cores),
  };
}

/** Whether Odoo's database is brought back. */
function isOdoo({ only }: SetInput): boolean {
  return only === null || only === "database";
}

/** The first repository, unless another one is named. Of another stack, the first that is reached from here. */
export async function chooseRepository(
  { stack }: FactReader,
  { from, repository: wanted }: Pick<SetInput, "from" | "repository">,
): Promise<NamedRepository> {
  const owner = from ?? stack.name;
  const known = stack.sources.get(owner);
  if (known === undefined) throw RestoreSourceUnknown({ given: owner, known: [...stack.sources.keys()].join(", ") });
  const [first] = known;
  if (first === undefined)
    throw from === null ? NoRepository({ stack: owner }) : RestoreSourceUnreached({ source: owner });
  const found = wanted === null ? first : known.find(({ name }) => name === wanted);
  if (found === undefined)
    throw RepositoryUnknown({ given: wanted ?? "", known: known.map(({ name }) => name).join(", ") });
  return found;
}

/** One that does not answer, while there are others: they are named. */
async function listSetsOf(
  reader: FactReader,
  repository: NamedRepository,
  { from }: Pick<SetInput, "from">,
): Promise<readonly SetInRepository[]> {
  try {
    return await listSets(reader, repository);
  } catch (thrown) {
    const error = toIpaiError(thrown);
    const others = (reader.stack.sources.get(from ?? reader.stack.name) ?? [])
      .map(({ name }) => name)
      .filter((name) => name !== repository.name);
    if (error.code !== "backup.repository_unreadable" || others.length === 0) throw error;
    throw RestoreRepositoryAway({ repository: repository.name, others: others.join(", ") }, { cause: error });
  }
}

/** The latest is the newest that was not made before a restore: such a one has what that restore was to take back. */
function chooseSet(sets: readonly SetInRepository[], wanted: string): SetInRepository {
  const latest = wanted === "latest" ? sets.findLast(({ reason }) => reason !== "before-restore") : undefined;
  return latest ?? findSet(sets, wanted);
}

async function readPresent(
  { stack, number, exitCode }: FactReader,
  { only }: SetInput,
): Promise<RestoreSetFacts["present"]> {
  const database = only === "automation" ? requireAutomation(stack).database : stack.config.odoo.database;
  const live = stack.odoo.filestoreOf(stack.config.odoo.database);
  const [databases, files] = await Promise.all([
    number(stack.postgres.databaseExists(database).action),
    exitCode(command(stack.tools, ["test", "-d", live], { okExitCodes: [0, 1] })),
  ]);
  return { database: databases === 1, files: files === 0 };
}

/** A set of the present cannot be made of a database that cannot be read, and of a missing one nothing can be asked. */
async function requireReadable(
  reader: FactReader,
  { only, backup }: SetInput,
  present: RestoreSetFacts["present"],
): Promise<void> {
  const { database } = reader.stack.config.odoo;
  const isNeeded = only === "files" || (backup && present.database && reader.stack.restic !== undefined);
  if (!isNeeded) return;
  const asked = reader.number(reader.stack.postgres.query(database, "select count(*) from ir_attachment;"));
  if ((await reader.maybe(asked)) === undefined) throw RestorePresentUnreadable({ database, only: only ?? "all" });
}

/** Server, series and code must be such that Odoo can work with the set's database. Returns what differs and may still work. */
async function requireFitting(reader: FactReader, { server, modules }: About): Promise<readonly string[]> {
  const { stack } = reader;
  const { database, addons, modules: patterns } = stack.config.odoo;
  const [version, printed, lines] = await Promise.all([
    reader.number(stack.postgres.query("postgres", "show server_version_num;")),
    reader.text(stack.odoo.version()),
    reader.jsonLines(stack.odoo.inventory(addons)),
  ]);
  const [major, mine] = [Number.parseInt(server, 10), Math.floor(version / 10_000)];
  if (major > mine) throw RestoreNewerServer({ set: String(major), server: String(mine) });
  const [program, series] = [seriesOfProgram(printed), seriesOfVersion(modules?.["base"] ?? "")];
  if (program !== series) throw RestoreSeries({ database, program, series });
  const inventory = parseInventory(lines).addons;
  const managed = Object.entries(modules ?? {}).filter(([name]) => matches(name, patterns));
  const missing = managed.filter(([name]) => !inventory.some((addon) => addon.name === name));
  if (missing.length > 0) throw RestoreCodeMissing({ modules: missing.map(([name]) => name).join(", ") });
  return managed.flatMap(([name, was]) => {
    const addon = inventory.find((one) => one.name === name);
    const now = addon === undefined ? "" : adaptVersion(addon.version, series);
    return now === was ? [] : [`${name}: ${was ?? "no version"} in the set, ${now} in the addons folder`];
  });
}

/** The set, what is loaded of it in the server and on a throw-away one, and the files once more where they cannot be linked. */
async function requireRoom(reader: FactReader, { only, trial }: SetInput, size: Sizes): Promise<void> {
  const { workDirectory, odoo } = reader.stack.config;
  const { databaseBytes, setBytes } = size;
  // What is n8n's of a set, nobody has measured; a full disk ends the restore before anything changes places.
  if (only === "automation") return;
  const [work, data] = await Promise.all([readFolder(reader, workDirectory), readFolder(reader, odoo.dataDirectory)]);
  const scratchBytes = only === "files" || trial === "never" ? 0 : 1.2 * databaseBytes + 150_000_000;
  requireSpace("The restore", workDirectory, setBytes + scratchBytes, work.freeBytes);
  if (work.mount !== data.mount) requireSpace("The filestore", odoo.dataDirectory, setBytes, data.freeBytes);
  if (only === "files") return;
  const server = await readServerDisk(reader);
  // Where both have as much room they are one disk, though each may call it differently; then all must fit there together.
  const isOneDisk = Math.abs(server.freeBytes - work.freeBytes) < 0.01 * work.freeBytes;
  const besides = isOneDisk ? setBytes + scratchBytes : 0;
  requireSpace("The restored database", server.directory, 1.3 * databaseBytes + besides, server.freeBytes);
}

interface Sizes {
  readonly databaseBytes: number;
  readonly setBytes: number;
}

/** A proof stays good as long as the code is the same: the set does not change, and what was damaged since is met on the way. */
async function whyTry(
  reader: FactReader,
  { trial }: SetInput,
  id: string,
  differences: readonly string[],
): Promise<string | undefined> {
  if (trial === "never") return undefined;
  if (trial === "always") return "as was asked for";
  if (differences.length > 0) return "because the code is of another version";
  const known = await findBackup(reader.records, id);
  return known !== undefined && proofStateOf(known) === "proven" ? undefined : "because the set is not proven";
}

/** What the plan is bound to. */
export function toJson(facts: RestoreSetFacts): Json {
  const { set, repository, present, trial, running } = facts;
  return {
    ...{ set: set.id, takenAt: set.takenAt, repository, present },
    ...{ trial: trial !== undefined, ...boundTo(running) },
  };
}
