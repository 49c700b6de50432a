import { channel } from "node:diagnostics_channel";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { type Kysely, sql } from "kysely";
import { defineError } from "../errors/error.ts";
import { findFault, inTransaction, listLinks, record } from "./audit.ts";
import { CopyFailed, listReplaced, openWorkshop, type Workshop } from "./beside.ts";
import { migrate, openDatabase } from "./control.ts";
import { listBackupFiles, type Manifest, measure, nameOf, syncFolder, writeWhole } from "./control-file.ts";
import { findDifference, readDigests } from "./digests.ts";
import type { ControlSchema } from "./schema.ts";
import type { ControlOptions } from "./server.ts";

/**
 * A backup of the control database itself. It is made beside the others, restored into a database of its own, compared and its audit
 * chain checked; only then it gets its name. Whatever happens before that, the earlier ones are as they were.
 */

export const BackupUnproven = defineError<{ reason: string }>("control.backup_unproven", {
  exitCode: 74,
  message: (d) =>
    `The backup of the control database is not proven, and was not kept: ${d.reason}. Earlier ones are as they were.`,
  hint: () => "`ipai audit verify` says whether the chain of the control database itself holds.",
});

export const BackupExists = defineError<{ file: string }>("control.backup_exists", {
  exitCode: 14,
  message: (d) => `${d.file} is there already. It was not touched.`,
  hint: () => "Choose another name; no backup is written over.",
});

export interface BackupRequest extends ControlOptions {
  readonly actor: string;
  /** Folder of the usual ones; made when it is not there. */
  readonly directory: string;
  /** So many of the usual ones are kept. */
  readonly keep: number;
  /** A file to write instead; then none is removed. */
  readonly file?: string | undefined;
}

export interface MadeBackup {
  readonly path: string;
  readonly manifest: Manifest;
  readonly seconds: number;
}

/** How far a backup or a restore has come: the crash tests end the process at each of these. */
const stages = channel("ipai:control");
export const publishStage = (stage: string): void => stages.publish(stage);

export async function backUpControl(request: BackupRequest): Promise<MadeBackup> {
  const began = performance.now();
  const takenAt = new Date();
  const path = request.file ?? join(request.directory, nameOf(takenAt));
  if (existsSync(path)) throw BackupExists({ file: path });
  await using workshop = await openWorkshop(request);
  const aside = await makeAside(request, path);
  const db = openDatabase(workshop.server.clientConfig());
  try {
    await migrate(db);
    const manifest = await copy(workshop, db, { ...request, aside, takenAt });
    publishStage("proven");
    await put(manifest, aside, path);
    publishStage("named");
    await note(db, request, path, manifest);
    if (request.file === undefined) await removeOldest(request);
    await dropReplaced(workshop, db, takenAt);
    return { path, manifest, seconds: (performance.now() - began) / 1000 };
  } finally {
    await db.destroy();
    await rm(aside, { recursive: true, force: true });
  }
}

/** A folder beside the file, on the same disk; what processes that were killed have left there is removed. */
async function makeAside({ file, directory }: BackupRequest, path: string): Promise<string> {
  try {
    if (file === undefined) await mkdir(directory, { recursive: true, mode: 0o700 });
    await removeHalves(dirname(path));
    return await mkdtemp(join(dirname(path), `${halfPrefix}${process.pid}-`));
  } catch (error) {
    throw CopyFailed({ what: `Writing below ${dirname(path)}`, output: wordsOf(error) }, { cause: error });
  }
}

const wordsOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

interface Making extends BackupRequest {
  readonly aside: string;
  readonly takenAt: Date;
}

/** Dump and digests of one snapshot, and the proof that the one has what the others say. */
async function copy(workshop: Workshop, db: Kysely<ControlSchema>, making: Making): Promise<Manifest> {
  const dump = join(making.aside, "dump");
  const seen = await db
    .transaction()
    .setIsolationLevel("repeatable read")
    .execute(async (tx) => {
      const { rows } = await sql<{ snapshot: string }>`select pg_export_snapshot() as snapshot`.execute(tx);
      const state = await readState(tx);
      const what = ["--format=custom", "--no-owner", "--no-privileges", `--snapshot=${rows[0]?.snapshot}`];
      publishStage("begun");
      await workshop.run(workshop.server.database, ["pg_dump", ...what, `--file=${dump}`]);
      return state;
    });
  publishStage("dumped");
  const copied = await workshop.create("proof");
  try {
    await load(workshop, copied, dump);
    publishStage("loaded");
    await prove(workshop, copied, seen.tables);
  } finally {
    await workshop.drop(copied);
  }
  return {
    ...{ format: "ipai control backup 1", takenAt: making.takenAt.toISOString(), by: making.actor, host: hostname() },
    ...{ server: workshop.version, ...seen, dump: await measure(dump) },
  };
}

async function readState(tx: Kysely<ControlSchema>): Promise<Pick<Manifest, "schema" | "audit" | "tables">> {
  const { rows } = await sql<{ schema: string }>`select max(name) as schema from kysely_migration`.execute(tx);
  const last = await tx.selectFrom("audit").select(["number", "hash"]).orderBy("number", "desc").limit(1).execute();
  const audit = { entries: last[0]?.number ?? 0, head: last[0]?.hash ?? null };
  return { schema: rows[0]?.schema ?? "", audit, tables: await readDigests(tx) };
}

/** All of a dump, or nothing. */
export async function load(workshop: Workshop, database: string, dump: string, fromLine = 1): Promise<void> {
  const how = ["--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges"] as const;
  const input = ["tail", "-n", `+${fromLine}`, "--", dump] as const;
  await workshop.run(database, ["pg_restore", ...how, `--dbname=${database}`], input);
}

/** Every table is what it was, and every entry of the audit chain follows on the one before. */
export async function prove(workshop: Workshop, database: string, wanted: Manifest["tables"]): Promise<void> {
  const db = openDatabase(workshop.server.clientConfig(database));
  try {
    const difference = await db.connection().execute(async (one) => findDifference(wanted, await readDigests(one)));
    if (difference !== undefined) throw BackupUnproven({ reason: difference });
    const fault = findFault(await listLinks({ db }));
    if (fault !== undefined) throw BackupUnproven({ reason: `its audit chain does not hold: ${fault.reason}` });
  } finally {
    await db.destroy();
  }
}

/** Gives it its name when the disk has all of it. */
async function put(manifest: Manifest, aside: string, path: string): Promise<void> {
  const whole = join(aside, "whole");
  await writeWhole(whole, manifest, join(aside, "dump"))
    .then(() => rename(whole, path))
    .catch((error: Error) => {
      throw CopyFailed({ what: `Writing ${path}`, output: error.message }, { cause: error });
    });
  await syncFolder(dirname(path));
}

async function note(
  db: Kysely<ControlSchema>,
  request: BackupRequest,
  path: string,
  manifest: Manifest,
): Promise<void> {
  const { takenAt, audit, dump } = manifest;
  const detail = { host: hostname(), takenAt, head: audit.head, entries: audit.entries, sha256: dump.sha256 };
  const entry = { actor: request.actor, action: "control.backed_up", stack: null, subject: path, detail };
  await inTransaction(db, (tx) => record(tx, entry, new Date()));
}

const halfPrefix = ".making-control-";

async function removeHalves(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const pid = Number(new RegExp(`^\\${halfPrefix}(\\d+)-`).exec(name)?.[1] ?? process.pid);
    if (pid !== process.pid && !existsSync(`/proc/${pid}`))
      await rm(join(directory, name), { recursive: true, force: true });
  }
}

/** The one that was just made is whole and proven, so those before it may go. What is no whole backup is a person's to remove. */
async function removeOldest({ directory, keep }: BackupRequest): Promise<void> {
  const whole = (await listBackupFiles(directory)).filter(({ manifest }) => manifest !== undefined);
  for (const { path } of whole.slice(keep)) await rm(path);
}

/** So long a restore can be taken back, days. */
const replacedDays = 35;

async function dropReplaced(workshop: Workshop, db: Kysely<ControlSchema>, now: Date): Promise<void> {
  const before = now.getTime() - replacedDays * 86_400_000;
  for (const { name, at } of await listReplaced(db, workshop.server))
    if (at.getTime() < before) await workshop.drop(name);
}
