import { runJson } from "../../api/shapes.ts";
import { advance } from "../../engine/advance.ts";
import { listSteps, type Run, requestCancel } from "../../engine/journal.ts";
import { findObstacle } from "../../engine/lease.ts";
import { findOneOff } from "../../engine/one-offs.ts";
import { listWorkers } from "../../engine/workers.ts";
import { Bug } from "../../errors/error.ts";
import type { Plan } from "../../runbook/plan.ts";
import { planJson, renderPlan } from "../../runbook/render.ts";
import { renderScript } from "../../runbook/script.ts";
import type { Json } from "../../runbook/value.ts";
import type { Stack } from "../../stack/stack.ts";
import type { App } from "../app.ts";
import { consentTo } from "../consent.ts";
import type { Context } from "../context.ts";
import { parseFuture } from "../instant.ts";
import { createProgress } from "../render/progress.ts";
import { renderOutcome, runExitCode } from "../render/run.ts";
import { duration, instant } from "../render/text.ts";

export interface RunOptions {
  readonly plan?: boolean;
  readonly script?: boolean;
  readonly detail?: boolean;
  readonly yes?: boolean;
  readonly wait?: boolean;
  readonly json?: boolean;
  /** When it is to begin, as it was typed; now when absent. Not `at`, which of a restore is the instant that is meant. */
  readonly begins?: string | undefined;
  /** What a run that succeeded has to show. */
  readonly show?: (app: App, run: Run) => Promise<Shown>;
  /** It is one part of what was asked for: with --json the last one alone is told. */
  readonly isPart?: boolean;
}

/** For machines, beside what is told of every run; and for people, on standard output. */
export interface Shown {
  readonly json: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/** What a person should know about a plan besides, as it is now: the plan itself is the same an hour later. */
export type Aside = (app: App, stack: Stack, plan: Plan) => Promise<readonly string[]>;

/** Every command that changes a stack: plan, show, ask, run, tell. */
export async function runProcedure(
  context: Context,
  procedure: string,
  input: Json,
  options: RunOptions,
  aside: Aside = async () => [],
): Promise<number> {
  await using app = await context.openApp();
  const stack = app.stack(context.globals.stack);
  const at = options.begins === undefined ? undefined : parseFuture(options.begins, stack.config.timezone, new Date());
  const plan = await app.plan(procedure, stack.name, input, at);
  if (options.json !== true && options.script !== true)
    for (const line of await aside(app, stack, plan)) context.terminal.err(line);
  if (options.plan === true) return showPlan(context, plan, options);
  if (options.script === true) {
    context.terminal.out(renderScript(plan).trimEnd());
    return 0;
  }
  if (!options.json) context.terminal.err(renderPlan(plan, { detail: options.detail === true }));
  const obstacle =
    plan.lease === "none" || options.wait === true || at !== undefined
      ? undefined
      : await findObstacle(app.control, { stack: stack.name }, plan.lease);
  if (obstacle !== undefined) throw obstacle;
  const run = await app.record(plan, { at });
  if (options.yes !== true && !(await confirm(context, run))) {
    if (options.json === true) context.terminal.out(JSON.stringify(runJson(run, []), null, 2));
    return runExitCode(run);
  }
  await consentTo(app, run);
  return await carryOut(context, app, run, options);
}

/** Plans, approves and carries out in one go, for a caller who has consented already; shows progress only. */
export async function startRun(context: Context, app: App, procedure: string, input: Json): Promise<Run> {
  const plan = await app.plan(procedure, app.stack().name, input);
  const run = await app.record(plan);
  await consentTo(app, run);
  return follow(context, app, run, {});
}

/** Carries a run out in this process, shows its progress, and tells how it ended. */
export async function carryOut(
  context: Context,
  app: App,
  run: Run,
  options: Pick<RunOptions, "json" | "wait" | "show" | "isPart">,
): Promise<number> {
  const ended = await follow(context, app, run, options);
  // It has its consent, and its time will come.
  return ended.status === "planned" ? 0 : runExitCode(ended);
}

async function follow(
  context: Context,
  app: App,
  run: Run,
  options: Pick<RunOptions, "json" | "wait" | "show" | "isPart">,
): Promise<Run> {
  const progress = createProgress(context.terminal, run.plan, options.json === true);
  const stopListening = cancelOnSignals(context, app, run);
  let ended: Run;
  try {
    ended = await advance(app.engine({ waitForLease: options.wait === true, onEvent: progress.event }), run.id);
  } finally {
    progress.stop();
    stopListening();
  }
  if (ended.status === "planned") {
    await tellPlanned(context, app, ended, options.json === true);
    return ended;
  }
  const steps = await listSteps(app.control, ended.id);
  const shown = ended.outcome === "succeeded" ? await options.show?.(app, ended) : undefined;
  if (options.json === true) {
    if (options.isPart !== true || ended.outcome !== "succeeded")
      context.terminal.out(JSON.stringify({ ...runJson(ended, steps), ...shown?.json }, null, 2));
    return ended;
  }
  context.terminal.err(renderOutcome(context.terminal, ended, steps));
  if (shown !== undefined && options.isPart !== true) context.terminal.out(shown.text);
  return ended;
}

/** What begins later, and who knows of it until then. */
async function tellPlanned({ terminal }: Context, app: App, run: Run, isJson: boolean): Promise<void> {
  const [time, workers, procedures] = await Promise.all([
    findOneOff(app.control, run.id),
    listWorkers(app.control),
    app.procedures(),
  ]);
  if (time === undefined) throw Bug({ what: `run ${run.id} is planned and has no time` });
  if (isJson)
    return terminal.out(JSON.stringify({ ...runJson(run, []), at: time.at, schedule: time.schedule }, null, 2));
  const leads = procedures.find(run.procedure)?.announceSeconds ?? [];
  const lines = [
    `${run.title}: begins ${instant(time.at, app.stack(run.stack).config.timezone)}, if a worker runs then and the plan is still the same.`,
    ...(leads.length === 0 ? [] : [`Announced before: ${leads.map(duration).join(", ")}; at once where it is nearer.`]),
    `Take it back with: ipai runs cancel ${run.id}`,
    ...(workers.some(({ lives }) => lives) ? [] : ["No worker runs now. Start one: ipai worker"]),
  ];
  for (const line of lines) terminal.err(line);
}

function showPlan(context: Context, plan: Plan, options: RunOptions): number {
  context.terminal.out(
    options.json === true
      ? JSON.stringify(planJson(plan), null, 2)
      : renderPlan(plan, { detail: options.detail === true }),
  );
  return 0;
}

/** Without a terminal nobody can answer: the run waits for `ipai approve`. */
export async function confirm(context: Context, run: Run): Promise<boolean> {
  const { terminal } = context;
  if (terminal.isInteractive) {
    const { confirm: ask, isCancel } = await import("@clack/prompts");
    const answer = await ask({ message: "Run this plan?", initialValue: false });
    if (!isCancel(answer) && answer) return true;
    terminal.err(`Not started. The plan is kept: ipai approve ${run.id}`);
    return false;
  }
  terminal.err(`Nothing was started. Approve the plan with: ipai approve ${run.id}`);
  return false;
}

/** The first Ctrl-C asks the run to stop and take back what it did; the second leaves at once, and the run can be resumed. */
function cancelOnSignals(context: Context, app: App, run: Run): () => void {
  let count = 0;
  const onSignal = () => {
    if (++count > 1) process.exit(130);
    context.terminal.err(
      `Cancelling; what was done is taken back. (Again to leave now; then: ipai runs resume ${run.id})`,
    );
    requestCancel(app.control, run.id, app.actor).catch(() => undefined);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, onSignal);
  return () => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, onSignal);
  };
}
