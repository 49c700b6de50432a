import type { StackConfig } from "../../config/schema.ts";
import { listUnattended } from "../../engine/attended.ts";
import { listRuns } from "../../engine/journal.ts";
import { type LeaseHolder, listLeases } from "../../engine/lease.ts";
import { type BackupEntry, listBackups } from "../../procedures/backup/calls.ts";
import type { HealthReport } from "../../procedures/monitoring/check.ts";
import type { Context } from "../context.ts";
import { secondsBetween, stateOf, summaryJson } from "../render/run.ts";
import { bytes, duration, instant, table } from "../render/text.ts";
import { checkHealth, renderHealth } from "./health.ts";

/** Everything that matters on one screen: health, the last backups, who holds the stack, what ran. */
export async function status(context: Context, options: { json?: boolean }): Promise<number> {
  await using app = await context.openApp();
  const stack = app.stack(context.globals.stack);
  const [health, backups, leases, runs, unattended] = await Promise.all([
    checkHealth(stack),
    listBackups(app.records, stack.name, 100),
    listLeases(app.control.db, stack.name),
    listRuns(app.control, 5, stack.name),
    listUnattended(app.control),
  ]);
  const { terminal } = context;
  if (options.json === true) {
    const data = {
      stack: stack.name,
      health,
      backup: backups[0] ?? null,
      leases,
      runs: runs.map((run) => summaryJson(run)),
    };
    terminal.out(JSON.stringify(data, null, 2));
    return 0;
  }
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
  terminal.out(
    [
      `${terminal.style("bold", stack.name)} · ${stack.config.urls.public} · ${summary(health)}`,
      "",
      renderHealth(terminal, health),
      "",
      backupLine(backups, stack.config),
      leaseLine(leases, zone),
      ...(recent.length === 0 ? [] : ["", table(recent)]),
    ].join("\n"),
  );
  return 0;
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
