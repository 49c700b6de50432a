import { runJson, secondsBetween, summaryJson } from "../../api/shapes.ts";
import { listUnattended } from "../../engine/attended.ts";
import { isApproved, listApprovals } from "../../engine/consent.ts";
import { listEvents, sendSignal } from "../../engine/events.ts";
import { decideRun, getRun, listSteps, listRuns as queryRuns, type Run, requestCancel } from "../../engine/journal.ts";
import { findOneOff } from "../../engine/one-offs.ts";
import type { Decision } from "../../engine/schema.ts";
import { defineError } from "../../errors/error.ts";
import { renderPlan } from "../../runbook/render.ts";
import type { App } from "../app.ts";
import { consentTo } from "../consent.ts";
import type { Context } from "../context.ts";
import { renderError } from "../render/error.ts";
import { renderConsent, renderSteps, renderWaiting, runExitCode, stateOf } from "../render/run.ts";
import { duration, instant, table } from "../render/text.ts";
import { carryOut, confirm } from "./run.ts";

/** What was run, what waits, and how a person goes on with it. */

interface Options {
  readonly json?: boolean;
  readonly limit?: string;
  readonly all?: boolean;
  readonly decide?: string;
  readonly wait?: boolean;
  readonly yes?: boolean;
  readonly detail?: boolean;
}

export const UnknownDecision = defineError<{ given: string }>("usage.unknown_decision", {
  exitCode: 14,
  message: (d) => `${d.given} is no decision.`,
  hint: () =>
    "again: do the step once more; done: it is done; undo: take everything back; abandon: give up and free the stack.",
});

export const NothingToApprove = defineError<{ run: string }>("usage.nothing_to_approve", {
  exitCode: 14,
  message: (d) => `Run ${d.run} has begun already: there is nothing to approve.`,
  hint: (d) => `\`ipai runs show ${d.run}\` says where it stands.`,
});

const decisions: readonly Decision[] = ["again", "done", "undo", "abandon"];

export async function listRuns(context: Context, options: Options): Promise<number> {
  await using app = await context.openApp();
  const { terminal } = context;
  const [runs, unattended] = await Promise.all([
    queryRuns(app.control, Number(options.limit ?? 20), {
      stacks: context.globals.stack === undefined ? undefined : [context.globals.stack],
      quiet: options.all === true,
    }),
    listUnattended(app.control),
  ]);
  if (options.json === true) {
    terminal.out(
      JSON.stringify(
        runs.map((run) => summaryJson(run)),
        null,
        2,
      ),
    );
    return 0;
  }
  if (runs.length === 0) terminal.out("No run yet.");
  const rows = runs.map((run) => {
    const seconds = secondsBetween(run.started_at, run.finished_at);
    const zone = app.config.stacks[run.stack]?.timezone ?? "UTC";
    const outcome = stateOf(run, unattended);
    return [
      run.id,
      instant(run.created_at, zone),
      run.stack,
      run.procedure,
      outcome,
      seconds === null ? "" : duration(seconds),
      run.title,
    ];
  });
  if (rows.length > 0)
    terminal.out(table([["RUN", "CREATED", "STACK", "PROCEDURE", "OUTCOME", "TOOK", "TITLE"], ...rows]));
  return 0;
}

export async function showRun(context: Context, id: string, options: Options): Promise<number> {
  await using app = await context.openApp();
  const run = await getRun(app.control, id);
  const [steps, approvals, unattended, time] = await Promise.all([
    listSteps(app.control, run.id),
    listApprovals(app.control, run),
    listUnattended(app.control),
    findOneOff(app.control, run.id),
  ]);
  const { terminal } = context;
  if (options.json === true) {
    terminal.out(JSON.stringify(runJson(run, steps), null, 2));
    return 0;
  }
  const zone = app.config.stacks[run.stack]?.timezone ?? "UTC";
  const seconds = secondsBetween(run.started_at, run.finished_at);
  terminal.out(
    [
      terminal.style("bold", run.title),
      table([
        ["run", run.id],
        ["procedure", `${run.procedure} on ${run.stack}, plan ${run.plan_hash.slice(0, 12)}, undo ${run.undo_class}`],
        ["started", `${run.started_at === null ? "not yet" : instant(run.started_at, zone)} by ${run.actor}`],
        ...(time === undefined ? [] : [["planned for", instant(time.at, zone)]]),
        ["consent", renderConsent(run, approvals)],
        ["outcome", `${stateOf(run, unattended)}${seconds === null ? "" : ` after ${duration(seconds)}`}`],
      ]),
      "",
      // Before it began there is no story to tell, but a plan that somebody may have to approve.
      steps.length === 0 ? renderPlan(run.plan, { detail: false }) : renderSteps(terminal, run, steps),
      ...(run.error === null ? [] : ["", ...renderError(terminal, run.error)]),
      ...(unattended.has(run.id) ? ["", `Nobody carries it out any more. Go on with: ipai runs resume ${run.id}`] : []),
      ...(run.status === "waiting" ? ["", ...renderWaiting(run, steps)] : []),
    ].join("\n"),
  );
  return 0;
}

export async function showLogs(context: Context, id: string, options: Options): Promise<number> {
  await using app = await context.openApp();
  const run = await getRun(app.control, id);
  const events = await listEvents(app.control, run.id);
  for (const event of events) {
    if (options.json === true) context.terminal.out(JSON.stringify(event));
    else context.terminal.out(`${event.at.toISOString()} ${event.path ?? ""} ${describe(event.kind, event.data)}`);
  }
  return 0;
}

function describe(kind: string, data: unknown): string {
  const fields = typeof data === "object" && data !== null ? (data as Record<string, unknown>) : {};
  if (kind === "output") return `│ ${String(fields["line"])}`;
  const error = fields["error"] as { message?: string } | undefined;
  const message = error?.message ?? fields["message"];
  return `${kind}${typeof message === "string" ? `: ${message}` : ""}`;
}

export async function resumeRun(context: Context, id: string, options: Options): Promise<number> {
  await using app = await context.openApp();
  const run = await getRun(app.control, id);
  if (run.status === "ended") {
    context.terminal.err(`Run ${run.id} has already ended: ${run.outcome}.`);
    return runExitCode(run);
  }
  const decision = decisions.find((known) => known === options.decide);
  if (options.decide !== undefined && decision === undefined) throw UnknownDecision({ given: options.decide });
  if (decision !== undefined) await decideRun(app.control, run, decision, app.actor);
  return await carryOut(context, app, run, options);
}

export async function cancelRun(context: Context, id: string, options: Options): Promise<number> {
  await using app = await context.openApp();
  const run = await getRun(app.control, id);
  await requestCancel(app.control, run.id, app.actor);
  // Nobody may be carrying it out any more: then this process takes it back.
  return await carryOut(context, app, run, options).catch((error: unknown) => {
    if (typeof error === "object" && error !== null && "code" in error && error.code === "run.being_advanced") {
      context.terminal.err(`Run ${run.id} was asked to stop; the process that carries it out takes back what it did.`);
      return 0;
    }
    throw error;
  });
}

export async function signalRun(context: Context, id: string, signal: string): Promise<number> {
  await using app = await context.openApp();
  const run = await getRun(app.control, id);
  await sendSignal(app.control, run, signal, app.actor);
  context.terminal.out(`Run ${run.id} has the signal ${signal}.`);
  return 0;
}

export async function approve(context: Context, id: string, options: Options): Promise<number> {
  await using app = await context.openApp();
  const run = await getRun(app.control, id);
  if (run.started_at !== null || run.status === "ended") throw NothingToApprove({ run: run.id });
  if (options.json !== true) await showToApprove(context, app, run, options.detail === true);
  if (options.yes !== true && !(await confirm(context, run))) return runExitCode(run);
  // Everybody who was needed may have consented already, and nobody have begun.
  if (!(await isApproved(app.control, run))) await consentTo(app, run);
  return await carryOut(context, app, run, options);
}

/** The plan, and when it begins, if not at once. */
async function showToApprove({ terminal }: Context, app: App, run: Run, detail: boolean): Promise<void> {
  terminal.err(renderPlan(run.plan, { detail }));
  const time = await findOneOff(app.control, run.id);
  const zone = app.config.stacks[run.stack]?.timezone ?? "UTC";
  if (time?.state === "due") terminal.err(`It is to begin ${instant(time.at, zone)}.`);
}
