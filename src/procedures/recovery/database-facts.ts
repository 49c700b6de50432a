import { command } from "../../runbook/action.ts";
import { countCores, jobsOf, readFolder, requireSpace } from "../backup/facts.ts";
import { readArchive } from "../backup/wal/facts.ts";
import type { FactReader } from "../procedure.ts";
import { type Running, readRunning } from "../running.ts";
import { RecoveryDatabaseServes, RecoveryNoCluster, RecoveryTablespaces, RecoveryUnsupported } from "./errors.ts";
import { requireKey } from "./facts.ts";
import { type FoundSet, findSet } from "./sets.ts";

/** What the plan for a damaged database depends on: what is left of the server, and what there is to make another one of. */
export interface DatabaseFacts {
  readonly dataDirectory: string;
  /** Where it says what it met. */
  readonly log: string;
  readonly isRunning: boolean;
  readonly running: Running;
  /** Newer than any set when there is one. */
  readonly archive: { readonly limits: Readonly<Record<string, string>>; readonly databaseBytes: number } | undefined;
  readonly set: FoundSet | undefined;
  readonly jobs: number;
}

export interface DatabaseInput {
  readonly set: string | undefined;
  readonly repository: string;
  readonly at: string | undefined;
  readonly although: boolean;
}

export async function readDatabaseFacts(reader: FactReader, input: DatabaseInput): Promise<DatabaseFacts> {
  const { stack } = reader;
  const cluster = await findCluster(reader);
  const isThere =
    (await reader.maybe(reader.number(stack.postgres.databaseExists(stack.config.odoo.database).action))) === 1;
  if (isThere && !input.although)
    throw RecoveryDatabaseServes({ stack: stack.name, database: stack.config.odoo.database });
  await requireNoTablespaces(reader, cluster.dataDirectory);
  const archive = input.set === undefined ? await findArchive(reader) : undefined;
  const set = archive === undefined ? await readSet(reader, input) : undefined;
  const bytes = archive?.databaseBytes ?? 1.2 * (set?.databaseBytes ?? 0) + 150_000_000;
  const disk = await readFolder(reader, cluster.dataDirectory);
  requireSpace("The new database server", cluster.dataDirectory, bytes + 200_000_000, disk.freeBytes);
  const jobs = jobsOf(stack.config, await countCores(reader));
  return { ...cluster, running: await readRunning(reader), archive, set, jobs };
}

async function readSet(reader: FactReader, { set, repository }: DatabaseInput): Promise<FoundSet> {
  await requireKey(reader, repository);
  const found = await findSet(reader, { set: set ?? "latest", repository });
  const work = await readFolder(reader, reader.stack.config.workDirectory);
  requireSpace("Reading the set", reader.stack.config.workDirectory, found.setBytes, work.freeBytes);
  return found;
}

async function findCluster(reader: FactReader): Promise<Pick<DatabaseFacts, "dataDirectory" | "log" | "isRunning">> {
  const { serverFiles, name } = reader.stack;
  if (serverFiles === undefined) throw RecoveryUnsupported({ stack: name });
  const [state, dataDirectory, log] = (await reader.text(serverFiles.find)).trim().split("\n");
  if (dataDirectory === undefined || log === undefined) throw RecoveryNoCluster({ cluster: serverFiles.name });
  return { dataDirectory, log, isRunning: state === "online" };
}

async function requireNoTablespaces(reader: FactReader, dataDirectory: string): Promise<void> {
  const path = `${dataDirectory}/pg_tblspc`;
  const script = 'if [ -d "$1" ]; then find "$1" -mindepth 1 -maxdepth 1; fi';
  const found = await reader.text(command(reader.stack.tools, ["sh", "-c", script, "look", path]));
  if (found.trim() !== "") throw RecoveryTablespaces({ path });
}

/** Undefined when there is none, or none that could be read: then the newest set is the newest state that there is. */
export async function findArchive(reader: FactReader): Promise<DatabaseFacts["archive"]> {
  if (reader.stack.pgbackrest === undefined) return undefined;
  const found = await reader.maybe(readArchive(reader));
  const last = found?.backups.at(-1);
  if (last === undefined) return undefined;
  return { limits: await readLimits(reader), databaseBytes: last.databaseBytes };
}

const limitNames = [
  "max_connections",
  "max_worker_processes",
  "max_wal_senders",
  "max_prepared_transactions",
  "max_locks_per_transaction",
];

/** What its configuration files say: a server that does not start can still be asked that. */
async function readLimits(reader: FactReader): Promise<Readonly<Record<string, string>>> {
  const { tools, runtime } = reader.stack;
  const { user, program } = runtime.postgres;
  const configuration = runtime.postgres.configuration ?? (await findDataDirectory(reader));
  const answers = await Promise.all(
    limitNames.map(async (name) => {
      const words = ["-C", name, "-D", configuration, `--config-file=${configuration}/postgresql.conf`];
      const asked = reader.text(command(tools, runtime.as(user, [program("postgres"), ...words])));
      return [name, (await reader.maybe(asked))?.trim()] as const;
    }),
  );
  return Object.fromEntries(answers.flatMap(([name, value]) => (value ? [[name, value]] : [])));
}

/** Empty when it is not known: then nothing is known of its settings either. */
async function findDataDirectory({ stack, maybe, text }: FactReader): Promise<string> {
  const { serverFiles } = stack;
  const found = serverFiles === undefined ? undefined : await maybe(text(serverFiles.find));
  return found?.split("\n")[1] ?? "";
}
