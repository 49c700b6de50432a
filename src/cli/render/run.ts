import { orderSteps, secondsBetween } from "../../api/shapes.ts";
import type { Approval } from "../../engine/consent.ts";
import type { Run, RunSummary, StepRow } from "../../engine/journal.ts";
import type { Outcome } from "../../engine/schema.ts";
import type { Terminal } from "../terminal.ts";
import { renderError } from "./error.ts";
import { duration, table } from "./text.ts";

/** A run as people read it. */

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
  if (run.outcome === "succeeded") lines.push(...renderShortfalls(steps));
  if (run.status === "waiting") lines.push(...renderWaiting(run, steps));
  return lines.join("\n");
}

/** What failed without stopping the run. */
function renderShortfalls(steps: readonly StepRow[]): readonly string[] {
  const failed = steps.filter(({ phase, outcome }) => phase === "do" && outcome === "failed");
  return failed.map(
    ({ title, error }) => `  Not as it should be: ${title}${error === null ? "" : `: ${error.message}`}`,
  );
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
