import { secondsBetween, summaryJson } from "../../api/shapes.ts";
import type { StackConfig } from "../../config/schema.ts";
import { listUnattended } from "../../engine/attended.ts";
import { listRuns, type RunSummary } from "../../engine/journal.ts";
import { type BackupState, readBackupState } from "../../engine/keeper.ts";
import { type LeaseHolder, listLeases } from "../../engine/lease.ts";
import { countLost } from "../../engine/occurrences.ts";
import { listWorkers } from "../../engine/workers.ts";
import { type BackupEntry, listBackups } from "../../procedures/backup/calls.ts";
import type { HealthReport } from "../../procedures/monitoring/check.ts";
import { schedulesOf } from "../../procedures/schedules.ts";
import type { Stack } from "../../stack/stack.ts";
import type { App } from "../app.ts";
import type { Context } from "../context.ts";
import { backupSettings } from "../control.ts";
import { stateOf } from "../render/run.ts";
import { bytes, duration, instant, table } from "../render/text.ts";
import type { Terminal } from "../terminal.ts";
import { renderHealth } from "./health.ts";

/** Everything that matters on one screen: health, the last backups, who holds the stack, what ran. Without a choice, of every stack. */
export async function status(context: Context, options: { json?: boolean }): Promise<number> {
  await using app = await context.openApp();
  const chosen = context.globals.stack;
  const names = chosen === undefined ? Object.keys(app.config.stacks) : [chosen];
  const [all, control] = await Promise.all([
    Promise.all(names.map((name) => readStatus(app, app.stack(name)))),
    readControl(context, app),
  ]);
  const { terminal } = context;
  const json = all.map((one) => ({ ...toJson(one), control }));
  if (options.json === true) terminal.out(JSON.stringify(json.length === 1 ? json[0] : json, null, 2));
  else terminal.out([...all.map((one) => render(terminal, one)), controlLine(terminal, control)].join("\n\n"));
  return 0;
}

/** The backups of the control database, or off. */
async function readControl(context: Context, app: App): Promise<BackupState | "off"> {
  const { directory, isOff } = backupSettings(app.config, context.environment);
  return isOff ? "off" : readBackupState(app.control, directory, new Date());
}

function controlLine(terminal: Terminal, state: BackupState | "off"): string {
  if (state === "off") return "Control database: its backups are off.";
  const failed = state.failure === null ? "" : ` The last attempt failed: ${state.failure}`;
  if (state.status === "none" || state.at === null)
    return terminal.style("yellow", `Control database: no backup of it. Make one with: ipai control backup.${failed}`);
  const age = duration((Date.now() - Date.parse(state.at)) / 1000);
  const line = `Control database: backed up ${age} ago, ${state.kept} kept.${failed}`;
  if (state.status === "ok" && failed === "") return line;
  const late =
    state.status === "late" ? " That is too old: a worker makes one every night, or ipai control backup." : "";
  return terminal.style("yellow", `${line}${late}`);
}

interface StackStatus {
  readonly stack: Stack;
  readonly health: HealthReport;
  readonly backups: readonly BackupEntry[];
  readonly leases: readonly LeaseHolder[];
  readonly runs: readonly RunSummary[];
  readonly unattended: ReadonlySet<string>;
  readonly byItself: ByItself;
}

/** What is scheduled, and whether somebody does it. */
interface ByItself {
  readonly schedules: number;
  readonly workers: number;
  /** Times of the last day that failed or were missed. */
  readonly lost: number;
}

async function readStatus(app: App, stack: Stack): Promise<StackStatus> {
  const [health, backups, leases, runs, unattended, byItself] = await Promise.all([
    app.health(stack),
    listBackups(app.records, stack.name),
    listLeases(app.control.db, stack.name),
    listRuns(app.control, 5, { stacks: [stack.name] }),
    listUnattended(app.control),
    readByItself(app, stack),
  ]);
  return { stack, health, backups, leases, runs, unattended, byItself };
}

const dayMs = 86_400_000;

async function readByItself(app: App, { name, config }: Stack): Promise<ByItself> {
  const [procedures, workers, lost] = await Promise.all([
    app.procedures(),
    listWorkers(app.control),
    countLost(app.control, name, new Date(Date.now() - dayMs)),
  ]);
  return {
    schedules: schedulesOf(config, procedures).length,
    workers: workers.filter(({ lives }) => lives).length,
    lost,
  };
}

function byItselfLine({ schedules, workers, lost }: ByItself): string {
  if (workers === 0)
    return `Nobody does what is scheduled (${schedules}). Start a worker: ipai worker, or ipai service install`;
  const done = `${schedules} scheduled, ${workers} at work`;
  return lost === 0
    ? `By itself: ${done}.`
    : `By itself: ${done}; ${lost} times failed or were missed in 24 h: ipai schedules history`;
}

function toJson({ stack, health, backups, leases, runs, byItself }: StackStatus) {
  const known = { stack: stack.name, health, backup: backups[0] ?? null, leases, byItself };
  return { ...known, runs: runs.map((run) => summaryJson(run)) };
}

function render(
  terminal: Terminal,
  { stack, health, backups, leases, runs, unattended, byItself }: StackStatus,
): string {
  const zone = stack.config.timezone;
  const recent = runs.map((run) => {
    const seconds = secondsBetween(run.started_at, run.finished_at);
    return [
      instant(run.created_at, zone),
      stateOf(run, unattended),
      seconds === null ? "" : duration(seconds),
      run.title,
      terminal.style("dim", run.id),
    ];
  });
  const where = stack.host === "local" ? [] : [stack.host];
  return [
    [terminal.style("bold", stack.name), ...where, stack.config.urls.public, summary(health)].join(" · "),
    "",
    renderHealth(terminal, health),
    "",
    backupLine(backups, stack.config),
    leaseLine(leases, zone),
    byItselfLine(byItself),
    ...(recent.length === 0 ? [] : ["", table(recent)]),
  ].join("\n");
}

function summary(health: HealthReport): string {
  const bad = health.checks.filter((check) => check.status !== "ok").length;
  return bad === 0 ? "healthy" : `${bad} of ${health.checks.length} checks need attention`;
}

/** What would be lost if the server died now, and how long it would take, beside what was promised. */
function backupLine(backups: readonly BackupEntry[], { timezone, objectives }: StackConfig): string {
  const last = backups[0];
  if (last === undefined)
    return "Backup: none yet. If the server died now, everything would be lost. Make one with: ipai backup";
  const age = (Date.now() - Date.parse(last.takenAt)) / 1000;
  const proven = backups.flatMap((backup) => backup.proof ?? [])[0];
  const proof =
    proven === undefined
      ? "none is proven: ipai backup verify"
      : `last proof ${instant(proven.at, timezone)}, restored and checked in ${within(proven.seconds, objectives.rtoSeconds)}`;
  return `Backup: ${bytes(last.databaseBytes)} taken ${within(age, objectives.rpoSeconds)} ago; ${proof}`;
}

function within(seconds: number, objectiveSeconds: number): string {
  const text = duration(seconds);
  return seconds <= objectiveSeconds ? text : `${text} (more than the objective of ${duration(objectiveSeconds)})`;
}

function leaseLine(leases: readonly LeaseHolder[], zone: string): string {
  if (leases.length === 0) return "Nobody holds the stack.";
  return leases
    .map(
      (lease) =>
        `Held (${lease.mode}) by ${lease.procedure}, run ${lease.run}, started by ${lease.actor}, since ${instant(lease.since, zone)}.`,
    )
    .join("\n");
}
