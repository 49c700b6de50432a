import { z } from "zod";
import type { FactReader } from "../../procedure.ts";
import { type Running, readRunning } from "../../running.ts";
import { countCores, jobsOf, readFolder, requireSpace } from "../facts.ts";
import { type BaseBackup, readArchive, requireArchiving } from "../wal/facts.ts";
import { RestoreInFuture, RestoreTooEarly } from "./errors.ts";

/** What a way back to an instant depends on. What cannot be reached is refused here, before anything is begun. */
export interface RestoreFacts {
  readonly backup: string;
  readonly limits: Readonly<Record<string, string>>;
  readonly databaseBytes: number;
  readonly running: Running;
  /** Workers of dump and restore. */
  readonly jobs: number;
}

const row = z.object({ now: z.string(), databaseBytes: z.number(), limits: z.record(z.string(), z.string()) });

const factsSql = `
select json_build_object(
  'now', to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
  'databaseBytes', pg_database_size(current_database()),
  'limits', (select json_object_agg(name, setting order by name) from pg_settings where name in ('max_connections',
    'max_worker_processes', 'max_wal_senders', 'max_prepared_transactions', 'max_locks_per_transaction')));
`;

export async function readRestoreFacts(reader: FactReader, at: string): Promise<RestoreFacts> {
  const { stack } = reader;
  const { serverBytes, ...past } = await readPastFacts(reader, at);
  const { databaseBytes } = past;
  const work = await readFolder(reader, stack.config.workDirectory);
  // The whole server, the database once more as a copy for Odoo, and once as a dump.
  requireSpace(
    "The restore",
    stack.config.workDirectory,
    1.2 * (serverBytes + 2 * databaseBytes) + 200_000_000,
    work.freeBytes,
  );
  const jobs = jobsOf(stack.config, await countCores(reader));
  return { ...past, running: await readRunning(reader), jobs };
}

/** What a side cluster of that instant needs. */
export type PastFacts = Pick<RestoreFacts, "backup" | "limits" | "databaseBytes">;

/** `serverBytes`: of all databases of the server. */
export async function readPastFacts(
  reader: FactReader,
  at: string,
): Promise<PastFacts & { readonly serverBytes: number }> {
  const { now, backups, ...facts } = await readServerFacts(reader);
  if (Date.parse(at) > Date.parse(now)) throw RestoreInFuture({ at, now });
  return { ...facts, backup: chooseBackup(backups, at).label };
}

async function readServerFacts(reader: FactReader) {
  const { stack } = reader;
  const { databaseBytes: serverBytes } = await requireArchiving(reader);
  const facts = row.parse(await reader.json(stack.postgres.query(stack.config.odoo.database, factsSql)));
  return { ...facts, serverBytes, backups: (await readArchive(reader)).backups };
}

const dayMs = 86_400_000;

/** The base backup that a search begins with: of `since`, or of a day ago; the first one there is when none is that old. */
export async function readBaseFacts(
  reader: FactReader,
  since: string | undefined,
): Promise<PastFacts & { readonly serverBytes: number; readonly segment: string }> {
  const { now, backups, ...facts } = await readServerFacts(reader);
  if (since !== undefined && Date.parse(since) > Date.parse(now)) throw RestoreInFuture({ at: since, now });
  const seconds = (since === undefined ? Date.parse(now) - dayMs : Date.parse(since)) / 1000;
  const chosen = backups.findLast(({ stoppedAt }) => stoppedAt + 1 <= seconds) ?? backups[0];
  if (chosen === undefined) throw RestoreTooEarly({ at: since ?? now, first: undefined });
  return { ...facts, backup: chosen.label, segment: chosen.lastSegment };
}

/**
 * The newest one that had ended before the instant: of one that ends later, the server would begin with its end, and say nothing. Its
 * end is told in whole seconds.
 */
function chooseBackup(backups: readonly BaseBackup[], at: string): BaseBackup {
  const seconds = Date.parse(at) / 1000;
  const chosen = backups.findLast(({ stoppedAt }) => stoppedAt + 1 <= seconds);
  if (chosen !== undefined) return chosen;
  const first = backups[0];
  throw RestoreTooEarly({
    at,
    first: first === undefined ? undefined : new Date(first.stoppedAt * 1000).toISOString(),
  });
}
