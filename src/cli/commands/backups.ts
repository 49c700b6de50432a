import { defineError } from "../../errors/error.ts";
import {
  type BackupEntry,
  listCatalogue,
  pinBackup,
  listBackups as readBackups,
  toStoredSet,
} from "../../procedures/backup/calls.ts";
import { BackupNotFound } from "../../procedures/backup/errors.ts";
import { findRepositoryState } from "../../procedures/backup/repositories.ts";
import { forecastRemovals, judgeSets, setReasons } from "../../procedures/backup/retention.ts";
import type { Stack } from "../../stack/stack.ts";
import type { App } from "../app.ts";
import type { Context } from "../context.ts";
import { automationWords } from "../render/automation.ts";
import { bytes, duration, instant, table } from "../render/text.ts";
import type { Terminal } from "../terminal.ts";
import { type RunOptions, runProcedure } from "./run.ts";

/** The catalogue of backups: what there is, what is proven, and for how long it is kept. */

export const BadReason = defineError<{ given: string }>("usage.bad_reason", {
  exitCode: 14,
  message: (d) => `A backup is not made ${d.given}.`,
  hint: () => `--reason is one of: ${setReasons.join(", ")}.`,
});

interface Options {
  readonly json?: boolean;
  readonly all?: boolean;
}

export function createBackup(context: Context, given: string, options: RunOptions): Promise<number> {
  const reason = setReasons.find((one) => one === given);
  if (reason === undefined) throw BadReason({ given });
  return runProcedure(context, "backup", { reason }, options);
}

/** A backup with what retention says of it. */
interface Kept extends BackupEntry {
  readonly kept: readonly string[];
  /** When it is expected to go if one is made every day; null when nothing removes it. */
  readonly removableAt: string | null;
  /** The other repositories that hold it. */
  readonly copies: readonly string[];
}

export async function listBackups(context: Context, options: Options): Promise<number> {
  await using app = await context.openApp();
  const stack = app.stack(context.globals.stack);
  const backups = await withRetention(app, stack, await readBackups(app.records, stack.name));
  const gone = options.all === true ? (await listCatalogue(app.records, stack.name)).filter(isRemoved) : [];
  const { terminal } = context;
  if (options.json === true) {
    terminal.out(JSON.stringify([...backups, ...gone], null, 2));
    return 0;
  }
  if (backups.length + gone.length === 0) {
    terminal.out("No backup yet. Make one with: ipai backup");
    return 0;
  }
  const { timezone } = stack.config;
  const rows = backups.map((backup) => [
    ...rowOf(backup, timezone),
    keptWords(backup, timezone),
    ...(stack.copies.length === 0 ? [] : [backup.copies.join(", ") || terminal.style("yellow", "none")]),
    describeProof(terminal, backup),
  ]);
  const goneRows = gone.map((backup) => [...rowOf(backup, timezone), removedWords(backup, timezone)]);
  const head = [
    "BACKUP",
    "TAKEN",
    "MADE",
    "DATABASE",
    "STORED",
    "FILES",
    "KEPT",
    ...(stack.copies.length === 0 ? [] : ["COPIES"]),
    "PROOF",
  ];
  terminal.out(table([head, ...rows, ...goneRows]));
  return 0;
}

function isRemoved({ removed }: BackupEntry): boolean {
  return removed !== null;
}

async function withRetention(
  { records }: App,
  { name, config, copies }: Stack,
  backups: readonly BackupEntry[],
): Promise<readonly Kept[]> {
  const keep = config.backup?.keep;
  if (keep === undefined) return backups.map((backup) => ({ ...backup, kept: [], removableAt: null, copies: [] }));
  const states = await Promise.all(copies.map((copy) => findRepositoryState(records, name, copy.name)));
  const catalogue = await listCatalogue(records, name);
  const made = catalogue.map(({ takenAt }) => takenAt);
  const sets = backups.map((backup) => toStoredSet(backup, catalogue));
  const verdicts = judgeSets(sets, keep, config.timezone, made);
  const grounds = new Map(verdicts.map((verdict) => [verdict.set.id, verdict.grounds]));
  const removals = forecastRemovals(sets, keep, config.timezone, made);
  return backups.map((backup) => ({
    ...backup,
    kept: (grounds.get(backup.id) ?? []).map(({ words }) => words),
    removableAt: removals.get(backup.id) ?? null,
    copies: states.flatMap((state) => (state.sets.includes(backup.id) ? [state.name] : [])),
  }));
}

function rowOf(backup: BackupEntry, timezone: string): readonly string[] {
  return [
    backup.id,
    instant(backup.takenAt, timezone),
    backup.reason,
    bytes(backup.databaseBytes),
    backup.storedBytes === null ? "?" : bytes(backup.storedBytes),
    String(backup.files),
  ];
}

/** In a column there is room for what matters most. */
function keptWords({ pin, kept, removableAt }: Kept, timezone: string): string {
  if (pin !== null) return `pinned by ${pin.by}`;
  if (kept.length === 0) return "until the next prune";
  return removableAt === null ? "until another is proven" : `until about ${dayOf(removableAt, timezone)}`;
}

function dayOf(date: string, timeZone: string): string {
  return instant(date, timeZone).slice(0, "2026-11-25".length);
}

function removedWords({ removed }: BackupEntry, timezone: string): string {
  if (removed === null) return "";
  const when = `${instant(removed.at, timezone)}, run ${removed.run}`;
  return removed.why === "retention" ? `removed ${when}` : `missing from the repository, seen ${when}`;
}

function describeProof(terminal: Terminal, backup: BackupEntry): string {
  if (backup.proof !== null) {
    const { seconds, tables, rows, attachments } = backup.proof;
    return terminal.style(
      "green",
      `proven in ${duration(seconds)}: ${tables} tables, ${rows} rows, ${attachments} attachments`,
    );
  }
  const why = backup.doubt === null ? "" : `, see ipai runs show ${backup.doubt.run}`;
  return terminal.style("yellow", `not proven${why}`);
}

export async function showBackup(context: Context, id: string, options: Options): Promise<number> {
  await using app = await context.openApp();
  const stack = app.stack(context.globals.stack);
  const catalogue = await listCatalogue(app.records, stack.name);
  const present = await withRetention(
    app,

    stack,
    catalogue.filter((backup) => !isRemoved(backup)),
  );
  const all: readonly (Kept | BackupEntry)[] = [...present, ...catalogue.filter(isRemoved)];
  const found = all.find((backup) => backup.id === id);
  if (found === undefined) throw BackupNotFound({ backup: id });
  const { terminal } = context;
  if (options.json === true) {
    terminal.out(JSON.stringify(found, null, 2));
    return 0;
  }
  const { timezone } = stack.config;
  const removed = removedWords(found, timezone);
  const rows = [
    ["backup", found.id],
    ["taken", instant(found.takenAt, timezone)],
    ["made", `${found.reason}, in ${duration(found.seconds)}`],
    ["database", bytes(found.databaseBytes)],
    ["set", found.setBytes === null ? "?" : bytes(found.setBytes)],
    ["stored", found.storedBytes === null ? "?" : bytes(found.storedBytes)],
    ["attachments", `${found.files}, ${found.unsound} of them damaged before`],
    ...(found.automation === null ? [] : [["automation", automationWords(found.automation)]]),
    ["proof", describeProof(terminal, found)],
    ...("kept" in found ? keptRows(found, timezone) : []),
    ...(removed === "" ? [] : [["gone", removed]]),
  ];
  terminal.out(table(rows));
  return 0;
}

function keptRows(backup: Kept, timezone: string): readonly string[][] {
  return [
    ["kept as", backup.kept.join(", ") || "nothing: no rule asks for it"],
    ["kept", keptWords(backup, timezone)],
    ["copies", backup.copies.join(", ") || "none"],
  ];
}

/** Without a reason it is unpinned. */
export async function pin(context: Context, id: string, options: Options, reason?: string): Promise<number> {
  await using app = await context.openApp();
  const stack = app.stack(context.globals.stack);
  await pinBackup(app.records, { stack: stack.name, id, by: app.actor, reason });
  const { terminal } = context;
  if (options.json === true) terminal.out(JSON.stringify({ id, pinned: reason ?? null }));
  else if (reason === undefined) terminal.out(`${id} is kept as long as the rules say: ipai backup list`);
  else terminal.out(`${id} is kept until: ipai backup unpin ${id}`);
  return 0;
}
