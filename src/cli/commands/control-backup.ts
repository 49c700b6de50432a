import { resolve } from "node:path";
import { settleRights } from "../../access/aftermath.ts";
import { listReplaced, type Replaced } from "../../engine/beside.ts";
import { openDatabase } from "../../engine/control.ts";
import { backUpControl } from "../../engine/control-backup.ts";
import { type BackupFile, listBackupFiles } from "../../engine/control-file.ts";
import { type RestorePlan, restoreControl } from "../../engine/control-restore.ts";
import { openServer } from "../../engine/server.ts";
import { defineError } from "../../errors/error.ts";
import { LocalExecutor } from "../../host/local.ts";
import { findActor } from "../actor.ts";
import type { Context } from "../context.ts";
import { backupSettings, controlOptions, findConfig, routesOrNone } from "../control.ts";
import { bytes, duration, table } from "../render/text.ts";

/** Backups of the control database itself: made, listed, put back. */

export const NoControlBackup = defineError<{ directory: string }>("control.no_backup", {
  exitCode: 73,
  message: (d) => `There is no backup of the control database in ${d.directory}.`,
  hint: () => "Name a file; `ipai control backup` makes one.",
});

export const NoConsent = defineError<Record<never, never>>("control.no_consent", {
  exitCode: 14,
  message: () => "Nobody is here to consent to the restore. Nothing was changed.",
  hint: () => "Read what it would mean with --plan, and run it with --yes.",
});

interface Options {
  readonly json?: boolean;
  readonly plan?: boolean;
  readonly yes?: boolean;
}

async function settingsOf(context: Context) {
  const { environment } = context;
  const config = await findConfig(context);
  return {
    ...controlOptions(config, environment, new LocalExecutor()),
    ...backupSettings(config, environment),
    ...{ actor: await findActor(environment), routes: routesOrNone(config) },
  };
}

export async function backup(context: Context, given: string | undefined, options: Options): Promise<number> {
  const settings = await settingsOf(context);
  const file = given === undefined ? undefined : resolve(context.directory, given);
  const { path, manifest, seconds } = await backUpControl({ ...settings, file });
  const { tables, audit, dump } = manifest;
  const rows = Object.values(tables).reduce((sum, one) => sum + one.rows, 0);
  context.terminal.out(
    options.json === true
      ? JSON.stringify({ path, seconds, ...manifest })
      : `${path}: ${bytes(dump.bytes)}, proven in ${duration(seconds)}: ${Object.keys(tables).length} tables, ${rows} rows, ${audit.entries} entries of the audit chain.\nHead: ${audit.head ?? "none"}`,
  );
  return 0;
}

export async function backups(context: Context, options: Options): Promise<number> {
  const settings = await settingsOf(context);
  const files = await listBackupFiles(settings.directory);
  const server = await openServer(settings);
  const db = openDatabase(server.clientConfig());
  const replaced = await listReplaced(db, server).finally(() => db.destroy());
  const { terminal } = context;
  if (options.json === true) terminal.out(JSON.stringify({ directory: settings.directory, files, replaced }, null, 2));
  else terminal.out([renderFiles(settings.directory, files), ...renderReplaced(replaced)].join("\n"));
  return 0;
}

function renderFiles(directory: string, files: readonly BackupFile[]): string {
  if (files.length === 0) return `No backup in ${directory}. Make one with: ipai control backup`;
  const rows = files.map(({ path, bytes: size, manifest, fault }) => [
    path,
    bytes(size),
    manifest === undefined ? `not usable: ${fault}` : `proven, ${manifest.audit.entries} entries of the audit`,
  ]);
  return table([["BACKUP", "SIZE", "WHAT"], ...rows]);
}

function renderReplaced(replaced: readonly Replaced[]): readonly string[] {
  if (replaced.length === 0) return [];
  const rows = replaced.map(({ name, bytes: size, at }) => [name, bytes(size), at.toISOString()]);
  return ["", table([["REPLACED BY A RESTORE", "SIZE", "AT (UTC)"], ...rows])];
}

export async function restore(context: Context, given: string, options: Options): Promise<number> {
  const settings = await settingsOf(context);
  const file = given === "latest" ? await findLatest(settings.directory) : resolve(context.directory, given);
  const { terminal } = context;
  const shown: RestorePlan[] = [];
  const restored = await restoreControl({
    ...{ ...settings, file, settleRights },
    consent: async (plan) => {
      shown.push(plan);
      if (options.json !== true) terminal[options.plan === true ? "out" : "err"](renderPlan(plan));
      return options.plan === true ? false : options.yes === true || ask(context);
    },
  });
  if (options.json === true)
    terminal.out(
      JSON.stringify({ plan: shown[0], restored: restored !== undefined, kept: restored?.kept ?? null }, null, 2),
    );
  else if (restored !== undefined)
    terminal.out(
      `Restored in ${duration(restored.seconds)}. What was there is kept for 35 days as the database ${restored.kept}.\nLook at: ipai runs · ipai audit`,
    );
  else if (options.plan !== true) terminal.out("Nothing was changed.");
  return restored === undefined && options.plan !== true ? refusedExitCode : 0;
}

/** As a plan that nobody consented to. */
const refusedExitCode = 7;

async function findLatest(directory: string): Promise<string> {
  const newest = (await listBackupFiles(directory)).find(({ manifest }) => manifest !== undefined);
  if (newest === undefined) throw NoControlBackup({ directory });
  return newest.path;
}

async function ask({ terminal }: Context): Promise<boolean> {
  if (!terminal.isInteractive) throw NoConsent({});
  const { confirm, isCancel } = await import("@clack/prompts");
  const answer = await confirm({ message: "Put this backup in its place?", initialValue: false });
  return !isCancel(answer) && answer;
}

/** So many of anything are listed. */
const listedMax = 20;

function renderPlan({ file, manifest, where, live, lost, aftermath, rights }: RestorePlan): string {
  const list = (title: string, items: readonly string[]) =>
    items.length === 0
      ? []
      : [`${title}:`, ...items.slice(0, listedMax).map((one) => `  ${one}`), ...more(items.length - listedMax)];
  const runs = (all: RestorePlan["lost"]["runs"]) =>
    all.map(({ run, stack, title, status }) => `${stack}: ${title} (${run}, ${status})`);
  return [
    `Backup ${file}`,
    `  taken ${manifest.takenAt} on ${manifest.host} by ${manifest.by}; restored beside, compared and its audit chain checked`,
    `It takes the place of the control database ${where}, ${describeLive(live)}.`,
    ...(lost.isOtherChain
      ? ["The chain that is there is another one than that of the backup: all of it is replaced."]
      : []),
    ...list(
      `Lost from the audit (${lost.entries.length})`,
      lost.entries.toReversed().map(({ at, actor, action, subject }) => `${at} ${actor} ${action} ${subject}`),
    ),
    ...list("Not ended, and not in the backup: look at their stacks", runs(lost.runs)),
    ...list("These runs wait for a decision then", runs(aftermath.runs)),
    ...list("These runs wait for consent anew", runs(aftermath.consents)),
    ...list("Everybody signs in anew; rights", rights),
    ...list("These times have passed, and do not begin", aftermath.once),
    ...list("These messages may have arrived, and are not sent again", aftermath.messages),
  ].join("\n");
}

const more = (count: number) => (count > 0 ? [`  … and ${count} more`] : []);

function describeLive(live: RestorePlan["live"]): string {
  if (live === undefined) return "which is empty";
  if (live.fault !== undefined) return `which cannot be read (${live.fault}): what would be lost is not known`;
  return `which has ${live.entries} entries of the audit, head ${live.head ?? "none"}`;
}
