import { type Step, walk } from "../../runbook/plan.ts";
import type { Json } from "../../runbook/value.ts";

/** What a recovery is made of, each with its own time on the stop-watch. */
export interface Phase {
  readonly name: string;
  readonly steps: readonly Step[];
}

export function stepsOf(phases: readonly Phase[]): readonly Step[] {
  return phases.flatMap(({ steps }) => steps);
}

/** By the ids of its steps, as a call takes them. */
export function namesOfPhases(phases: readonly Phase[]): readonly Json[] {
  return phases.map(({ name, steps }) => ({ name, steps: walk({ steps }).map(({ step }) => step.id) }));
}

/** When a run began, and when its steps and those of runs within were under way: of the outermost one. */
export interface RunTimes {
  readonly run: string;
  readonly startedAt: Date;
  readonly now: Date;
  /** For how long users were expected to be out when its plan was made; null where nobody had measured it. */
  readonly awaySeconds: number | null;
  readonly steps: readonly StepTime[];
}

export interface StepTime {
  /** With the brackets that it is in. */
  readonly path: string;
  readonly step: string;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
}

/** From the first step's begin to the last one's end, so that waiting for a person counts too. One that was not begun is none. */
export function measurePhases(
  phases: readonly { readonly name: string; readonly steps: readonly string[] }[],
  times: readonly Omit<StepTime, "path">[],
): readonly { readonly name: string; readonly seconds: number }[] {
  return phases.flatMap(({ name, steps }) => {
    const own = times.filter(({ step }) => steps.includes(step));
    if (own.length === 0) return [];
    const start = Math.min(...own.map(({ startedAt }) => startedAt.getTime()));
    const end = Math.max(...own.map(({ finishedAt, startedAt }) => (finishedAt ?? startedAt).getTime()));
    return [{ name, seconds: Math.round((end - start) / 100) / 10 }];
  });
}
