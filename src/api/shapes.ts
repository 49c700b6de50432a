import type { Run, RunSummary, StepRow } from "../engine/journal.ts";
import type { ErrorRecord } from "../errors/error.ts";
import { walk } from "../runbook/plan.ts";

/** What machines read: the answers of the API, which are also what `--json` prints. */

export interface RunJson {
  readonly run: string;
  readonly procedure: string;
  readonly stack: string;
  readonly title: string;
  /** Who started it. */
  readonly actor: string;
  readonly planHash: string;
  readonly consentsNeeded: number;
  readonly createdAt: string;
  readonly waitingFor: string | null;
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
    title: run.title,
    actor: run.actor,
    planHash: run.plan_hash,
    consentsNeeded: run.consents,
    createdAt: run.created_at.toISOString(),
    waitingFor: run.waiting_for,
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
