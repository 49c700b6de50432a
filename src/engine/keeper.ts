import { hostname } from "node:os";
import { Cron } from "croner";
import { type ErrorRecord, toErrorRecord } from "../errors/error.ts";
import { ControlBusy } from "./beside.ts";
import type { Control } from "./control.ts";
import { type BackupRequest, backUpControl, type MadeBackup } from "./control-backup.ts";
import { type BackupFile, listBackupFiles } from "./control-file.ts";
import { controlStack } from "./control-restore.ts";
import type { Message } from "./message.ts";
import { post } from "./outbox.ts";
import { createRecords } from "./records.ts";
import type { Route } from "./route.ts";

/** Backs the control database up every night, for as long as a worker is there, and says so when it cannot. */

export interface KeeperPorts {
  readonly control: Control;
  readonly backup: Omit<BackupRequest, "file">;
  readonly routes: readonly Route[];
  readonly now: () => Date;
  readonly pause: (milliseconds: number, stop: AbortSignal) => Promise<void>;
  readonly tell: (event: KeeperEvent) => void;
}

export type KeeperEvent =
  | { readonly kind: "backed_up"; readonly made: MadeBackup }
  | { readonly kind: "not_backed_up"; readonly error: ErrorRecord };

const lookEveryMs = 60_000;
/** After one that failed. */
const restMs = 3_600_000;

export async function keepBackups(ports: KeeperPorts, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) await ports.pause((await keep(ports)) ? lookEveryMs : restMs, stop);
}

/** One look. False: it was due, and failed. */
export async function keep(ports: KeeperPorts): Promise<boolean> {
  const { control, backup, routes, now, tell } = ports;
  let newest: BackupFile | undefined;
  try {
    [newest] = await listWhole(backup.directory);
    if (!isDue(newest, now())) return true;
    tell({ kind: "backed_up", made: await backUpControl(backup) });
    await noteFailure(control, null);
    return true;
  } catch (thrown) {
    const error = toErrorRecord(thrown);
    // Another worker makes its own in this minute. What is in the way for longer is a failure.
    if (error.code === ControlBusy.code && newest !== undefined && !isLate(newest, now())) return true;
    tell({ kind: "not_backed_up", error });
    // The database itself may be away; then its own trouble is told, and this is tried again.
    await noteFailure(control, error).catch(() => undefined);
    await post(control.db, routes, [failureMessage(error, now())], now()).catch(() => undefined);
    return false;
  }
}

const listWhole = async (directory: string) =>
  (await listBackupFiles(directory)).filter(({ manifest }) => manifest !== undefined);

/** In the zone of this machine: before the night's other work. */
const nightly = "30 1 * * *";

const takenAt = ({ manifest }: BackupFile) => Date.parse(manifest?.takenAt ?? "");

function lastDue(now: Date): number {
  return new Cron(nightly).previousRuns(1, new Date(now.getTime() + 1))[0]?.getTime() ?? 0;
}

function isDue(newest: BackupFile | undefined, now: Date): boolean {
  return newest === undefined || takenAt(newest) < lastDue(now);
}

/** Told once a night, however often it is tried. */
function failureMessage(error: ErrorRecord, now: Date): Message {
  return {
    ...{ key: `control:backup:${hostname()}:${new Date(lastDue(now)).toISOString()}`, stack: controlStack },
    ...{
      event: "control.backup_failed",
      run: null,
      chapter: "backup",
      severity: "critical",
      title: `its backup failed on ${hostname()}`,
    },
    lines: [error.message, error.hint],
  };
}

const kind = "control.backup";

async function noteFailure(control: Control, error: ErrorRecord | null): Promise<void> {
  const data = error === null ? null : { code: error.code, message: error.message };
  await createRecords(control).put({ kind, id: hostname(), stack: controlStack, run: null, data });
}

/** How old the last backup of this machine is, and whether that is as it should be. */
export interface BackupState {
  readonly status: "ok" | "late" | "none";
  readonly at: string | null;
  readonly kept: number;
  /** What the last attempt said, when it failed. */
  readonly failure: string | null;
}

/** A night and a morning: a worker that was away makes up for it at once. */
const lateMs = 30 * 3_600_000;

const isLate = (file: BackupFile, now: Date) => now.getTime() - takenAt(file) > lateMs;

export async function readBackupState(control: Control, directory: string, now: Date): Promise<BackupState> {
  const [files, noted] = await Promise.all([listWhole(directory), createRecords(control).find(kind, hostname())]);
  const failure = typeof noted === "object" && noted !== null && "message" in noted ? String(noted["message"]) : null;
  const [newest] = files;
  if (newest === undefined) return { status: "none", at: null, kept: 0, failure };
  return {
    status: isLate(newest, now) ? "late" : "ok",
    at: newest.manifest?.takenAt ?? null,
    kept: files.length,
    failure,
  };
}
