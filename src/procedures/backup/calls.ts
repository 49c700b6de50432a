import { z } from "zod";
import type { Records } from "../../engine/records.ts";
import { Bug } from "../../errors/error.ts";
import type { CallFunction } from "../../host/perform.ts";
import { integrityKind } from "../maintenance/integrity.ts";
import { automationTold } from "./automation/told.ts";
import { certificateKind } from "./certificate/content.ts";
import { BackupNotFound, ClockJumped } from "./errors.ts";
import { filesKind } from "./files/notes.ts";
import { repositoryKind } from "./repositories.ts";
import { type SetReason, type StoredSet, setReasons } from "./retention.ts";

/** The catalogue of backups and their proofs, in the control database. */

const entry = z.object({
  id: z.string(),
  takenAt: z.string(),
  databaseBytes: z.number(),
  /** Bytes that the repository took in; null when the program died before restic said it. */
  storedBytes: z.number().nullable(),
  files: z.number(),
  /** Bytes of the attachments; null for a backup that was made elsewhere, or before this was counted. */
  filestoreBytes: z.number().nullable().default(null),
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
  /** Sets that were entered before this one and say that they are later: a clock was wrong, for this one or for those. */
  contradicts: z.array(z.string()).default([]),
  /** What is in it of n8n; null for a stack that has none, and for a set of which that is not known. */
  automation: automationTold.nullable().default(null),
  reason: z.enum(setReasons).default("by-hand"),
  pin: z.object({ reason: z.string(), by: z.string(), at: z.string() }).nullable().default(null),
  /** The set is not in the repository any more: retention removed it, or it was missing when that looked. */
  removed: z
    .object({ at: z.string(), run: z.string(), why: z.enum(["retention", "missing"]) })
    .nullable()
    .default(null),
});
export type BackupEntry = z.infer<typeof entry>;

const recordInput = entry
  .omit({ seconds: true, proof: true, doubt: true, contradicts: true, pin: true, removed: true })
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

/** Newest first, those too that were removed; a proof that is in doubt is not shown as one. */
export async function listCatalogue(records: Records, stack: string): Promise<readonly BackupEntry[]> {
  return (await records.list(kind, stack, listedMax))
    .map((record) => entry.parse(record.data))
    .map((backup) => (backup.doubt === null ? backup : { ...backup, proof: null }))
    .toSorted((a, b) => b.takenAt.localeCompare(a.takenAt) || b.id.localeCompare(a.id));
}

/** Ten years of nights, and what was made by hand. */
const listedMax = 5000;

/** Those that are there. */
export async function listBackups(records: Records, stack: string): Promise<readonly BackupEntry[]> {
  return (await listCatalogue(records, stack)).filter(({ removed }) => removed === null);
}

export function proofStateOf({ proof, doubt }: Pick<BackupEntry, "proof" | "doubt">): StoredSet["proof"] {
  if (doubt !== null) return "doubted";
  return proof === null ? "none" : "proven";
}

/** Those of the sets that one contradicts which are still there. Entered again after a crash it does not contradict itself. */
export function findContradicted(
  { id, contradicts }: Pick<BackupEntry, "id" | "contradicts">,
  backups: readonly Pick<BackupEntry, "id" | "removed">[],
): readonly string[] {
  return contradicts.filter((one) => one !== id && backups.some((other) => other.id === one && other.removed === null));
}

/** As retention sees it, among all that are in the catalogue. */
export function toStoredSet(backup: BackupEntry, catalogue: readonly BackupEntry[]): StoredSet {
  const { id, takenAt, reason, pin } = backup;
  const isMisdated = findContradicted(backup, catalogue).length > 0;
  return { id, takenAt, reason, proof: proofStateOf(backup), pinned: pin?.reason ?? null, isMisdated };
}

export function recordBackup(records: Records): CallFunction {
  return async (given, { scope }) => {
    const { stack, storedBytes, setBytes, ...rest } = recordInput.parse(given);
    const before = await findBackup(records, rest.id);
    const later = (await listBackups(records, stack)).filter(({ takenAt }) => takenAt > rest.takenAt);
    const data: BackupEntry = {
      ...rest,
      contradicts: before?.contradicts ?? later.map(({ id }) => id),
      storedBytes: storedBytes < 0 ? null : storedBytes,
      setBytes: setBytes < 0 ? null : setBytes,
      seconds: secondsSince(scope.run.startedAt),
      proof: before?.proof ?? null,
      doubt: before?.doubt ?? null,
      pin: before?.pin ?? null,
      removed: null,
    };
    await records.put({ kind, id: rest.id, stack, run: scope.run.id, data });
    return null;
  };
}

/** Fails when sets say that they are later than this one although they were made before it. */
export function judgeClock(records: Records): CallFunction {
  return async (given) => {
    const { stack, id } = z.object({ stack: z.string(), id: z.string() }).parse(given);
    const backups = await listBackups(records, stack);
    const own = backups.find((backup) => backup.id === id);
    const against = own === undefined ? [] : findContradicted(own, backups);
    const told = backups.filter((one) => against.includes(one.id)).map((one) => `${one.id} (${one.takenAt})`);
    if (told.length > 0) throw ClockJumped({ found: `${id} (${own?.takenAt}) was made after ${told.join(", ")}` });
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

/** When a practice stack is removed with its repository: what is known of both, and what was certified of the practice. */
export function forgetBackups(records: Records): CallFunction {
  return async (given) => {
    const { stack } = z.object({ stack: z.string() }).parse(given);
    const kinds = [kind, repositoryKind, filesKind, certificateKind, integrityKind];
    for (const one of kinds) await records.forget(one, stack);
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
      filestoreBytes: null,
      unsound,
      seconds: 0,
      contradicts: [],
      automation: null,
      reason: "by-hand" as const,
      pin: null,
      removed: null,
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

const inventoryInput = z.object({
  stack: z.string(),
  removed: z.array(z.string()),
  missing: z.array(z.string()),
  found: z.array(z.string()),
});

/** What retention removed, and what it saw of the rest: nothing is forgotten, only what is there changes. */
export function recordInventory(records: Records): CallFunction {
  return async (given, { scope }) => {
    const { stack, removed, missing, found } = inventoryInput.parse(given);
    const mark = async (id: string, why: "retention" | "missing" | null) => {
      const before = await findBackup(records, id);
      // One that another control database made has no entry that could say so.
      if (before === undefined) return;
      const now = why === null ? null : { at: new Date().toISOString(), run: scope.run.id, why };
      await records.put({ kind, id, stack, run: id, data: { ...before, removed: now } });
    };
    for (const id of removed) await mark(id, "retention");
    for (const id of missing) await mark(id, "missing");
    for (const id of found) await mark(id, null);
    return null;
  };
}

/** Keeps a set until it is unpinned, whatever retention says; without a reason it is unpinned. */
export async function pinBackup(
  records: Records,
  { stack, id, by, reason }: { stack: string; id: string; by: string; reason: string | undefined },
): Promise<void> {
  const before = await findBackup(records, id);
  if (before === undefined || before.removed !== null) throw BackupNotFound({ backup: id });
  const pin = reason === undefined ? null : { reason, by, at: new Date().toISOString() };
  const action = reason === undefined ? "set.unpinned" : "set.pinned";
  const told = { actor: by, action, stack, subject: id, detail: reason === undefined ? {} : { reason } };
  await records.put({ kind, id, stack, run: id, data: { ...before, pin } }, told);
}

export async function findBackup(records: Records, id: string): Promise<BackupEntry | undefined> {
  const found = await records.find(kind, id);
  if (found === undefined) return undefined;
  const parsed = entry.safeParse(found);
  if (!parsed.success) throw Bug({ what: `the catalogue entry of backup ${id} is malformed: ${parsed.error.message}` });
  return parsed.data;
}

/** Why a set was made, as its tags in the repository say, which outlive the catalogue. */
export function reasonOf(tags: readonly string[]): SetReason {
  return setReasons.find((reason) => tags.includes(`reason=${reason}`)) ?? "by-hand";
}

function secondsSince(instant: string): number {
  return Math.round((Date.now() - Date.parse(instant)) / 100) / 10;
}
