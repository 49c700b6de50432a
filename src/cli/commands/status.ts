import { summaryJson } from "../../api/shapes.ts";
import { listUnattended } from "../../engine/attended.ts";
import { listRuns, type RunSummary } from "../../engine/journal.ts";
import { type BackupState, readBackupState } from "../../engine/keeper.ts";
import { type LeaseHolder, listLeases } from "../../engine/lease.ts";
import { countLost } from "../../engine/occurrences.ts";
import { listWorkers } from "../../engine/workers.ts";
import { type BackupEntry, listBackups } from "../../procedures/backup/calls.ts";
import type { Exposure } from "../../procedures/backup/exposure/exposure.ts";
import { exposureJson, sayExposure } from "../../procedures/backup/exposure/say.ts";
import { type MaintenanceState, readState } from "../../procedures/maintenance/state.ts";
import { checkTimeoutMs, type HealthReport } from "../../procedures/monitoring/check.ts";
import { createFactReader } from "../../procedures/procedure.ts";
import { schedulesOf } from "../../procedures/schedules.ts";
import type { Stack } from "../../stack/stack.ts";
import type { App } from "../app.ts";
import type { Context } from "../context.ts";
import { backupSettings } from "../control.ts";
import { stateOf } from "../render/run.ts";
import { bytes, clip, duration, instant, table, wrap } from "../render/text.ts";
import type { Style, Terminal } from "../terminal.ts";
import { renderHealth } from "./health.ts";
import { sayState } from "./maintenance.ts";

/** Everything that matters on one screen: what a dead server would take, health, the last backups, who holds the stack, what ran. Without a choice, of every stack. */
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
  readonly exposure: Exposure | undefined;
  readonly backups: readonly BackupEntry[];
  readonly leases: readonly LeaseHolder[];
  readonly runs: readonly RunSummary[];
  readonly unattended: ReadonlySet<string>;
  readonly byItself: ByItself;
  /** Undefined: none is configured, or it could not be asked, which health tells. */
  readonly maintenance: MaintenanceState | undefined;
}

/** What is scheduled, and whether somebody does it. */
interface ByItself {
  readonly schedules: number;
  readonly workers: number;
  /** Times of the last day that failed or were missed. */
  readonly lost: number;
}

async function readStatus(app: App, stack: Stack): Promise<StackStatus> {
  const [{ health, exposure }, backups, leases, runs, unattended, byItself, maintenance] = await Promise.all([
    app.inspect(stack),
    listBackups(app.records, stack.name),
    listLeases(app.control.db, stack.name),
    listRuns(app.control, 5, { stacks: [stack.name] }),
    listUnattended(app.control),
    readByItself(app, stack),
    readMaintenance(app, stack),
  ]);
  return { stack, health, exposure, backups, leases, runs, unattended, byItself, maintenance };
}

async function readMaintenance(app: App, stack: Stack): Promise<MaintenanceState | undefined> {
  if (stack.maintenance === undefined) return undefined;
  const reader = createFactReader(stack, app.performer, app.records, checkTimeoutMs);
  return await reader.maybe(readState(reader));
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

function toJson({ stack, health, exposure, backups, leases, runs, byItself, maintenance }: StackStatus) {
  const known = {
    stack: stack.name,
    health,
    exposure: exposureJson(exposure, stack.config),
    backup: backups[0] ?? null,
    leases,
    byItself,
    maintenance: maintenance ?? null,
  };
  return { ...known, runs: runs.map((run) => summaryJson(run)) };
}

function render(terminal: Terminal, status: StackStatus): string {
  const { stack, health, backups, leases, byItself, maintenance } = status;
  const zone = stack.config.timezone;
  const where = stack.host === "local" ? [] : [stack.host];
  const fold = (text: string) => wrap(text, terminal.columns, "  ");
  return [
    fold(
      [terminal.style("bold", stack.name), ...where, stack.config.urls.public, summary(terminal, health)].join(" · "),
    ),
    "",
    exposureLine(terminal, status),
    "",
    renderHealth(terminal, health),
    "",
    fold(backupLine(backups, zone)),
    fold(leaseLine(leases, zone)),
    ...(maintenance === undefined ? [] : [maintenanceLine(terminal, fold, stack, maintenance)]),
    fold(byItselfLine(byItself)),
    ...recentLines(terminal, status),
  ].join("\n");
}

/** In colour when it is not as it was promised. */
function exposureLine(terminal: Terminal, { stack, health, exposure }: StackStatus): string {
  const bad = health.checks.filter(({ code }) => ["IPAI-BACKUP-009", "IPAI-BACKUP-010"].includes(code));
  const style: Style = bad.some(({ status }) => status === "fail") || exposure === undefined ? "red" : "yellow";
  const lines = wrap(sayExposure(exposure, stack.config), terminal.columns, "  ").split("\n");
  return (bad.length === 0 && exposure !== undefined ? lines : lines.map((line) => terminal.style(style, line))).join(
    "\n",
  );
}

function summary(terminal: Terminal, health: HealthReport): string {
  const bad = health.checks.filter((check) => check.status !== "ok").length;
  if (bad === 0) return terminal.style("green", "healthy");
  const style: Style = health.status === "fail" ? "red" : "yellow";
  return terminal.style(style, `${bad} of ${health.checks.length} checks need attention`);
}

/** A line each, in the width of a terminal: how long one took is in `ipai runs`. */
function recentLines(terminal: Terminal, { stack, runs, unattended }: StackStatus): readonly string[] {
  if (runs.length === 0) return [];
  const rows = runs.map((run) => [
    shortInstant(run.created_at, stack.config.timezone),
    stateOf(run, unattended),
    terminal.style("dim", run.id),
    run.title,
  ]);
  const isWell = (run: RunSummary) => run.outcome === "succeeded";
  const lines = table(rows).split("\n");
  return [
    "",
    ...lines.map((line, index) => {
      const run = runs[index];
      const clipped = clip(line, Math.max(60, terminal.columns));
      return run === undefined || isWell(run) ? clipped : terminal.style("yellow", clipped);
    }),
  ];
}

/** `25 Nov 02:00`, in the stack's zone. */
function shortInstant(date: Date, timeZone: string): string {
  const parts = { day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
  return new Intl.DateTimeFormat("en-GB", { ...parts, timeZone }).format(date).replace(",", "");
}

function backupLine(backups: readonly BackupEntry[], zone: string): string {
  const [last] = backups;
  if (last === undefined) return "Last backup: none yet. Make one with: ipai backup";
  const proven = backups.filter(({ proof }) => proof !== null).length;
  return `Last backup: ${instant(last.takenAt, zone)}, ${bytes(last.databaseBytes)}; ${backups.length} kept, ${proven} of them proven.`;
}

function maintenanceLine(
  terminal: Terminal,
  fold: (text: string) => string,
  stack: Stack,
  state: MaintenanceState,
): string {
  const line = fold(sayState(stack, state));
  return state.isOn ? terminal.style("yellow", line) : line;
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
