import { z } from "zod";
import type { Records } from "../../engine/records.ts";
import { Bug } from "../../errors/error.ts";
import type { CallFunction } from "../../host/perform.ts";

/** The catalogue of backups and their proofs, in the control database. */

const entry = z.object({
  id: z.string(),
  takenAt: z.string(),
  databaseBytes: z.number(),
  /** Bytes that the repository took in; null when the program died before restic said it. */
  storedBytes: z.number().nullable(),
  files: z.number(),
  /** Attachments that were already missing or altered in the live filestore. */
  unsound: z.number(),
  /** Bytes of the whole set when it is read back; null for a backup that another control database made. */
  setBytes: z.number().nullable().default(null),
  seconds: z.number(),
  proof: z
    .object({
      at: z.string(),
      run: z.string(),
      seconds: z.number(),
      tables: z.number(),
      rows: z.number(),
      attachments: z.number(),
      mismatches: z.number(),
    })
    .nullable(),
  /** A verification that began after the proof and has not ended well: until one does, the proof counts for nothing. */
  doubt: z.object({ at: z.string(), run: z.string() }).nullable().default(null),
});
export type BackupEntry = z.infer<typeof entry>;

const recordInput = entry
  .omit({ seconds: true, proof: true, doubt: true })
  .extend({ stack: z.string(), storedBytes: z.number(), setBytes: z.number() });
const doubtInput = z.object({ stack: z.string(), backup: z.string(), run: z.string() });
const proofInput = z.object({
  stack: z.string(),
  databaseBytes: z.number(),
  backup: z.string(),
  run: z.string(),
  takenAt: z.string(),
  tables: z.number(),
  rows: z.number(),
  attachments: z.number(),
  unsound: z.number(),
});

const kind = "backup";

/** Newest first; a proof that is in doubt is not shown as one. */
export async function listBackups(records: Records, stack: string, limit: number): Promise<readonly BackupEntry[]> {
  return (await records.list(kind, stack, limit))
    .map((record) => entry.parse(record.data))
    .map((backup) => (backup.doubt === null ? backup : { ...backup, proof: null }))
    .toSorted((a, b) => (a.id < b.id ? 1 : -1));
}

export function recordBackup(records: Records): CallFunction {
  return async (given, { scope }) => {
    const { stack, storedBytes, setBytes, ...rest } = recordInput.parse(given);
    const before = await findBackup(records, rest.id);
    const data: BackupEntry = {
      ...rest,
      storedBytes: storedBytes < 0 ? null : storedBytes,
      setBytes: setBytes < 0 ? null : setBytes,
      seconds: secondsSince(scope.run.startedAt),
      proof: before?.proof ?? null,
      doubt: before?.doubt ?? null,
    };
    await records.put({ kind, id: rest.id, stack, run: scope.run.id, data });
    return null;
  };
}

/** One that is not in the catalogue has no proof that could be doubted. */
export function recordDoubt(records: Records): CallFunction {
  return async (given) => {
    const { stack, backup, run } = doubtInput.parse(given);
    const before = await findBackup(records, backup);
    if (before === undefined) return null;
    const data: BackupEntry = { ...before, doubt: { run, at: new Date().toISOString() } };
    await records.put({ kind, id: backup, stack, run: backup, data });
    return null;
  };
}

/** When the repository itself is removed. */
export function forgetBackups(records: Records): CallFunction {
  return async (given) => {
    const { stack } = z.object({ stack: z.string() }).parse(given);
    await records.forget(kind, stack);
    return null;
  };
}

/** A backup that another control database made is entered with what its own set says. */
export function recordProof(records: Records): CallFunction {
  return async (given, { scope }) => {
    const { stack, backup, databaseBytes, takenAt, unsound, run, ...counts } = proofInput.parse(given);
    const before = await findBackup(records, backup);
    const known = before ?? {
      id: backup,
      takenAt,
      databaseBytes,
      storedBytes: null,
      setBytes: null,
      files: counts.attachments,
      unsound,
      seconds: 0,
      proof: null,
    };
    const proof = {
      ...counts,
      run,
      at: new Date().toISOString(),
      seconds: secondsSince(scope.run.startedAt),
      mismatches: 0,
    };
    await records.put({
      kind,
      id: backup,
      stack,
      run: before === undefined ? null : backup,
      data: { ...known, proof, doubt: null },
    });
    return null;
  };
}

export async function findBackup(records: Records, id: string): Promise<BackupEntry | undefined> {
  const found = await records.find(kind, id);
  if (found === undefined) return undefined;
  const parsed = entry.safeParse(found);
  if (!parsed.success) throw Bug({ what: `the catalogue entry of backup ${id} is malformed: ${parsed.error.message}` });
  return parsed.data;
}

function secondsSince(instant: string): number {
  return Math.round((Date.now() - Date.parse(instant)) / 100) / 10;
}
