import type { Approval } from "../../engine/consent.ts";
import type { Run, RunSummary, StepRow } from "../../engine/journal.ts";
import type { Outcome } from "../../engine/schema.ts";
import type { ErrorRecord } from "../../errors/error.ts";
import { walk } from "../../runbook/plan.ts";
import type { Terminal } from "../terminal.ts";
import { renderError } from "./error.ts";
import { duration, table } from "./text.ts";

/** A run as people and machines read it. */

export interface RunJson {
  readonly run: string;
  readonly procedure: string;
  readonly stack: string;
  readonly outcome: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  readonly seconds: number | null;
  readonly undoClass: string;
  readonly error?: ErrorRecord;
  readonly steps: readonly StepJson[];
}

interface StepJson {
  readonly id: string;
  readonly title: string;
  readonly outcome: string;
  readonly seconds: number | null;
  readonly attempts: number;
  readonly error?: ErrorRecord;
}

export function runJson(run: Run, steps: readonly StepRow[]): RunJson {
  return { ...summaryJson(run), steps: orderSteps(run, steps).map(stepJson) };
}

/** A run in a list: without its steps. */
export function summaryJson(run: RunSummary): RunJson {
  return {
    run: run.id,
    procedure: run.procedure,
    stack: run.stack,
    // The outcome of a run that has not ended is where it stands.
    outcome: run.outcome === "undone" ? "failed-and-undone" : (run.outcome ?? run.status),
    startedAt: run.started_at?.toISOString() ?? null,
    finishedAt: run.finished_at?.toISOString() ?? null,
    seconds: secondsBetween(run.started_at, run.finished_at),
    undoClass: run.undo_class,
    ...(run.error === null ? {} : { error: run.error }),
    steps: [],
  };
}

/** Steps in the plan's order, then what was taken back, in the order in which it was. */
export function orderSteps(run: Run, steps: readonly StepRow[]): readonly StepRow[] {
  const order = new Map(walk(run.plan).map((entry, index) => [entry.path, index]));
  const done = steps
    .filter((step) => step.phase === "do")
    .toSorted((a, b) => (order.get(a.path) ?? 0) - (order.get(b.path) ?? 0));
  return [
    ...done,
    ...steps
      .filter((step) => step.phase === "undo")
      .toSorted((a, b) => a.started_at.getTime() - b.started_at.getTime()),
  ];
}

function stepJson(step: StepRow): StepJson {
  return {
    id: step.phase === "undo" ? step.path.slice(step.path.lastIndexOf("/") + 1) : step.step,
    title: step.title,
    outcome: step.phase === "undo" && step.outcome === "succeeded" ? "undone" : step.outcome,
    seconds: secondsBetween(step.started_at, step.finished_at),
    attempts: step.attempts,
    ...(step.error === null ? {} : { error: step.error }),
  };
}

export function secondsBetween(from: Date | null, to: Date | null): number | null {
  return from === null || to === null ? null : Math.round((to.getTime() - from.getTime()) / 10) / 100;
}

const exitCodes: Readonly<Record<Outcome, number>> = { succeeded: 0, undone: 3, failed: 4, cancelled: 5, unknown: 6 };

/** 0 succeeded, 3 failed and undone, 4 failed with nothing changed, 5 cancelled, 6 unknown, 7 waiting for a person. */
export function runExitCode({ outcome }: Pick<Run, "outcome">): number {
  return outcome === null ? 7 : exitCodes[outcome];
}

/** Who consented to the plan, by what right, and how many it needs. */
export function renderConsent({ consents }: Pick<Run, "consents">, approvals: readonly Approval[]): string {
  const given = approvals.map(({ actor, onBehalfOf }) => `${actor}${onBehalfOf === null ? "" : ` for ${onBehalfOf}`}`);
  const missing = consents - given.length;
  return [...given, ...(missing > 0 ? [`${missing} more needed`] : [])].join(", ");
}

/** Where a run stands, in a word or two, for lists. */
export function stateOf(run: RunSummary, unattended: ReadonlySet<string>): string {
  if (run.outcome !== null) return run.outcome;
  if (unattended.has(run.id)) return `interrupted (${run.status})`;
  return run.status === "waiting" ? `waits for ${run.waiting_for}` : run.status;
}

/** The last words about a run: how it ended, why, and what to do now. */
export function renderOutcome(terminal: Terminal, run: Run, steps: readonly StepRow[]): string {
  const seconds = secondsBetween(run.started_at, run.finished_at);
  const took = seconds === null ? "" : ` in ${duration(seconds)}`;
  const lines = [`${headline(terminal, run)}${took} (run ${run.id})`];
  if (run.error !== null) lines.push(...renderError(terminal, run.error).map((line) => `  ${line}`));
  if (run.status === "waiting") lines.push(...renderWaiting(run, steps));
  return lines.join("\n");
}

function headline(terminal: Terminal, run: Run): string {
  const { style } = terminal;
  switch (run.outcome) {
    case "succeeded":
      return style("green", `✓ ${run.title}: succeeded`);
    case "undone":
      return style("yellow", `↶ ${run.title}: failed, and everything was taken back`);
    case "failed":
      return style("red", `✗ ${run.title}: failed; nothing had been changed`);
    case "cancelled":
      return style(
        "yellow",
        `↶ ${run.title}: cancelled${run.started_at === null ? " before it began" : ", and everything was taken back"}`,
      );
    case "unknown":
      return style("red", `? ${run.title}: given up; what it left was not put right by the program`);
    case null:
      return style(
        "yellow",
        `… ${run.title}: ${run.status === "waiting" ? `waits for ${waitingFor(run)}` : run.status}`,
      );
  }
}

function waitingFor(run: Run): string {
  if (run.waiting_for === "approval") return "approval";
  return run.waiting_for === "undo" ? "a person: taking back stopped half-way" : "a person's decision";
}

export function renderWaiting(run: Run, steps: readonly StepRow[]): readonly string[] {
  if (run.waiting_for === "approval")
    return [
      `  ${run.consents === 1 ? "Approve it" : "It needs two people. Another one approves it"} with: ipai approve ${run.id}`,
    ];
  const failed = steps.filter((step) => step.outcome === "failed").at(-1);
  const at =
    failed === undefined
      ? []
      : [`  Stopped at: ${failed.title}${failed.error === null ? "" : ` (${failed.error.message})`}`];
  if (run.waiting_for === "undo")
    return [
      ...at,
      `  Remove the cause, then: ipai runs resume ${run.id}`,
      `  Or put the stack right by hand, then: ipai runs resume ${run.id} --decide abandon`,
    ];
  return [...at, `  Decide with: ipai runs resume ${run.id} --decide again|done|undo|abandon`];
}

export function renderSteps(terminal: Terminal, run: Run, steps: readonly StepRow[]): string {
  const rows = orderSteps(run, steps).map((step) => {
    const seconds = secondsBetween(step.started_at, step.finished_at);
    return [
      mark(terminal, step),
      `${"  ".repeat(Math.max(0, step.path.split("~")[0]?.split("/").length ?? 1) - 1)}${step.phase === "undo" ? "↶ " : ""}${step.title}`,
      seconds === null ? "" : duration(seconds),
      step.attempts > 1 ? `${step.attempts} attempts` : "",
      step.error === null ? "" : terminal.style("red", step.error.code),
    ];
  });
  return table(rows);
}

function mark(terminal: Terminal, step: StepRow): string {
  if (step.outcome === "succeeded") return terminal.style("green", "✓");
  if (step.outcome === "failed") return terminal.style("red", "✗");
  return step.outcome === "skipped" ? terminal.style("dim", "–") : terminal.style("yellow", "…");
}
