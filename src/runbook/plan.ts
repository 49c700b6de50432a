import type { Action, Output, Probe } from "./action.ts";
import type { Json, OutputRef } from "./value.ts";

/** A plan: what will be done to a stack, as an ordered list of steps that can be printed, hashed, approved and run. */

export type Effect = "read" | "change" | "destroy";
export type UndoClass = "instant" | "restore" | "irreversible";

/** Does one thing, knows whether it is already done, whether it worked, and how to take it back. */
export interface Act {
  readonly kind: "act";
  readonly id: string;
  readonly title: string;
  readonly effect: Effect;
  readonly action: Action;
  readonly outputs?: Readonly<Record<string, Output>>;
  /** Asked before acting: yes means that there is nothing to do. A step with outputs has none, because they would be lost. */
  readonly done?: Probe;
  readonly verify: readonly Probe[];
  readonly undo: Sequence | "nothing" | "irreversible";
  /** Takes the step only if the recorded value is true. */
  readonly when?: OutputRef;
  readonly onFail: "undo" | "continue" | "ask";
  /**
   * What to do when the program died while this act was under way and `done` did not answer yes. `again`: the act may be
   * repeated. `undo`: a half-done act cannot be told from a finished one, take it back. `ask`: a person decides.
   */
  readonly onInterrupt: "again" | "undo" | "ask";
  readonly timeoutSeconds: number;
  readonly attempts: number;
  /** Makes the whole plan's undo class at least this. */
  readonly undoClass?: UndoClass;
  /** Expected duration in seconds; shown, never hashed. */
  readonly forecastSeconds?: number;
}

/** Waits for the world, for an instant, or for a person. */
export interface Wait {
  readonly kind: "wait";
  readonly id: string;
  readonly title: string;
  readonly until: { readonly probe: Probe } | { readonly instant: string } | { readonly signal: string };
  readonly timeoutSeconds: number;
  readonly onTimeout: "undo" | "continue" | "ask";
  readonly forecastSeconds?: number;
}

/** What opens, closes or takes back: acts, and waits for what they bring about (services that serve again). */
export type Sequence = readonly (Act | Wait)[];

/** Opens, does the body, closes: on success, undo and cancel alike. `open` and `close` must be idempotent. */
export interface Bracket {
  readonly kind: "bracket";
  readonly id: string;
  readonly title: string;
  readonly open: readonly [Act, ...Sequence];
  readonly body: readonly Step[];
  readonly close: readonly [Act, ...Sequence];
}

/** Acts that do not depend on each other, at the same time: reads, and changes that need no taking back. */
export interface Parallel {
  readonly kind: "parallel";
  readonly id: string;
  readonly title: string;
  readonly acts: readonly Act[];
}

/** Another procedure, planned when it is reached because its facts exist only then. It may not exceed its mandate. */
export interface ProcedureStep {
  readonly kind: "procedure";
  readonly id: string;
  readonly title: string;
  readonly name: string;
  readonly input: Json;
  readonly mandate: { readonly risk: Effect; readonly undoClass: UndoClass };
}

/** Users write from here on, so it stands before what lets them in: a swap back would lose their work, so a failure after it is not undone by itself. */
export interface Pivot {
  readonly kind: "pivot";
  readonly id: string;
  readonly title: string;
}

export type Step = Act | Wait | Bracket | Parallel | ProcedureStep | Pivot;

/** What a plan goes on in spite of, and why. Two people have to consent to one, whatever the configuration says. */
export interface Override {
  readonly reason: string;
  /** Codes of the findings that would have stopped it. */
  readonly findings: readonly string[];
}

export interface Plan {
  readonly procedure: string;
  readonly version: number;
  readonly stack: string;
  readonly title: string;
  readonly input: Json;
  /** The facts this plan is bound to: read again before it starts; a difference voids it. */
  readonly facts: Json;
  readonly lease: "none" | "shared" | "exclusive";
  /** What a person should know before consenting. */
  readonly notes: readonly string[];
  /** How things stood when the plan was made, a line each. They are others an hour later, so they are shown, and never hashed. */
  readonly seen?: readonly string[];
  readonly override?: Override;
  /** For how long users are expected to be kept out, seconds; null where nobody has measured it. Shown and announced, never hashed. */
  readonly awaySeconds?: number | null;
  readonly steps: readonly Step[];
}

const effects: readonly Effect[] = ["read", "change", "destroy"];
const undoClasses: readonly UndoClass[] = ["instant", "restore", "irreversible"];

/** The greatest effect of any step. */
export function riskOf(plan: Plan): Effect {
  const all = walk(plan).map((entry) => (entry.step.kind === "act" ? entry.step.effect : "read"));
  const mandates = walk(plan).map((entry) => (entry.step.kind === "procedure" ? entry.step.mandate.risk : "read"));
  return greatest(effects, [...all, ...mandates]);
}

/** How the whole plan would be taken back, computed before it starts. */
export function undoClassOf(plan: Plan): UndoClass {
  return greatest(
    undoClasses,
    walk(plan).map(({ step }) => {
      if (step.kind === "procedure") return step.mandate.undoClass;
      if (step.kind !== "act") return "instant";
      return step.undo === "irreversible" ? "irreversible" : (step.undoClass ?? "instant");
    }),
  );
}

/** It does no more than the plan around it said, and goes on in spite of nothing: one consent to that plan is none of two to this. */
export function isWithin(mandate: ProcedureStep["mandate"], plan: Plan): boolean {
  return (
    plan.override === undefined &&
    effects.indexOf(riskOf(plan)) <= effects.indexOf(mandate.risk) &&
    undoClasses.indexOf(undoClassOf(plan)) <= undoClasses.indexOf(mandate.undoClass)
  );
}

function greatest<T>(order: readonly T[], values: readonly T[]): T {
  return order[Math.max(0, ...values.map((value) => order.indexOf(value)))] as T;
}

/** A leaf of the plan in the order in which it is run, with its undo made explicit. */
export interface Entry {
  readonly path: string;
  readonly step: Act | Wait | ProcedureStep | Pivot;
  /** What takes this entry back, in order. */
  readonly undo: Sequence;
  /** Entries of one parallel step share its id and stand side by side. */
  readonly parallel?: string;
}

/**
 * The plan's leaves in running order. A bracket is symmetric: going back over its opening closes it, going back over its closing
 * opens it again, so that its body is always undone inside. Both happen at the first act, which is reached last on the way back:
 * whichever act of the opening or closing failed, the bracket is whole again before the walk goes on.
 */
export function walk(plan: Pick<Plan, "steps">): readonly Entry[] {
  return plan.steps.flatMap((step) => walkStep(step, ""));
}

function walkStep(step: Step, prefix: string): readonly Entry[] {
  const path = prefix + step.id;
  switch (step.kind) {
    case "bracket":
      return [
        ...step.open.map((inner, index) => ({
          path: `${path}/${inner.id}`,
          step: inner,
          undo: index === 0 ? step.close : [],
        })),
        ...step.body.flatMap((inner) => walkStep(inner, `${path}/`)),
        ...step.close.map((inner, index) => ({
          path: `${path}/${inner.id}`,
          step: inner,
          undo: index === 0 ? step.open : [],
        })),
      ];
    case "parallel":
      return step.acts.map((act) => ({ path: `${path}/${act.id}`, step: act, undo: [], parallel: path }));
    case "act":
      return [{ path, step, undo: typeof step.undo === "string" ? [] : step.undo }];
    default:
      return [{ path, step, undo: [] }];
  }
}
