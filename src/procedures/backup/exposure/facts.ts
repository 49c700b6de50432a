import { z } from "zod";
import { primary } from "../../../stack/sources.ts";
import type { Finding, HealthReport } from "../../monitoring/check.ts";
import { filesNotStored } from "../../monitoring/files.ts";
import { walNotArchived } from "../../monitoring/wal.ts";
import type { FactReader } from "../../procedure.ts";
import { type BackupEntry, listBackups } from "../calls.ts";
import { shippingSeconds } from "../files/interval.ts";
import { findRepositoryState } from "../repositories.ts";
import { type Exposure, type ExposureFacts, type MeasuredRecovery, measureExposure } from "./exposure.ts";
import { judgeExposure } from "./judge.ts";
import { promisesOf, readPlaces } from "./places.ts";

const recovery = z.object({
  what: z.enum(["database", "server"]),
  mode: z.enum(["drill", "real"]),
  at: z.string(),
  seconds: z.number(),
  databaseBytes: z.number(),
  filestoreBytes: z.number(),
});

/** What is at risk now, and what of it is not as it was promised. */
export interface Exposed {
  readonly exposure: Exposure;
  readonly findings: readonly Finding[];
}

/** `checks`: what the health checks have just said of the archive and the files. Undefined: nothing is backed up, by configuration. */
export async function readExposure(
  reader: FactReader,
  { checks }: Pick<HealthReport, "checks">,
  now: Date,
): Promise<Exposed | undefined> {
  const { stack, records } = reader;
  if (stack.config.backup === undefined) return undefined;
  const [places, backups, recoveries, databaseBytes] = await Promise.all([
    readPlaces(reader),
    listBackups(records, stack.name),
    listRecoveries(reader),
    readDatabaseBytes(reader),
  ]);
  const held = await readHeld(reader, places?.away ?? []);
  // Of a repository that is not there nothing can be fetched; what copies hold can.
  const copied =
    places?.isRepositoryThere === false
      ? await readHeld(
          reader,
          stack.copies.map(({ name }) => name),
        )
      : [];
  const sets = places?.isRepositoryThere === false ? backups.filter(({ id }) => copied.includes(id)) : backups;
  const facts: ExposureFacts = {
    ...{ now, sets, recoveries, databaseBytes },
    archiveSeconds: stack.pgbackrest === undefined ? undefined : secondsOf(checks, walNotArchived.code),
    filesSeconds: shippingSeconds(stack.config) === undefined ? undefined : secondsOf(checks, filesNotStored.code),
    hasBase: places?.hasBase === true,
    away: places === undefined || places.away.length === 0 ? undefined : idsAway(places.away, backups, held),
    isArchiveAway: places?.isArchiveAway === true,
    isOnSameDisk: places?.isOnSameDisk ?? null,
  };
  const exposure = measureExposure(facts);
  const promises = { ...promisesOf(stack.config), setTookSeconds: backups[0]?.seconds ?? 0 };
  return { exposure, findings: judgeExposure(exposure, promises) };
}

/** What could not be asked, or is not to be relied on, has no figure. */
function secondsOf(checks: readonly Finding[], code: string): number | null {
  const value = checks.find((check) => check.code === code)?.value;
  return typeof value === "number" ? value : null;
}

async function listRecoveries({ records, stack }: FactReader): Promise<readonly MeasuredRecovery[]> {
  const all = (await records.list("recovery", stack.name, recoveriesMax)).map(({ data }) => recovery.parse(data));
  return all.toSorted((a, b) => b.at.localeCompare(a.at));
}

const recoveriesMax = 100;

async function readDatabaseBytes({ stack, maybe, number }: FactReader): Promise<number | null> {
  const sql = "select pg_database_size(current_database());";
  const found = await maybe(number(stack.postgres.query(stack.config.odoo.database, sql)));
  return found ?? null;
}

/** The sets that copies held when they were last looked at. */
async function readHeld({ records, stack }: FactReader, names: readonly string[]): Promise<readonly string[]> {
  const states = await Promise.all(
    names.filter((name) => name !== primary).map((name) => findRepositoryState(records, stack.name, name)),
  );
  return states.flatMap(({ sets }) => sets);
}

function idsAway(away: readonly string[], backups: readonly BackupEntry[], held: readonly string[]): readonly string[] {
  return away.includes(primary) ? backups.map(({ id }) => id) : held;
}
