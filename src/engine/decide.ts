import type { Entry } from "../runbook/plan.ts";
import { NothingToDecide } from "./errors.ts";
import { listStopped } from "./failure.ts";
import { findWaitingInner } from "./inner.ts";
import { decideRun, describeStatus, finishStep, type RunChange, type StepKey } from "./journal.ts";
import { persist } from "./persist.ts";
import { keyOf, type Session } from "./session.ts";

/** How a run that stopped goes on: what a person decided becomes a change of the run. */
export async function heedDecision(session: Session): Promise<RunChange> {
  const { run } = session;
  const isUndoing = run.waiting_for === "undo";
  const decision = run.decision ?? (run.cancel_requested_by !== null ? "undo" : isUndoing ? "again" : null);
  if (decision === null) throw NothingToDecide({ run: run.id, status: describeStatus(run) });
  const settled = { waiting_for: null, decision: null, cancel_requested_by: null } as const;
  if (decision === "abandon") return { ...settled, status: "ended", outcome: "unknown", finished_at: new Date() };
  if (isUndoing) {
    if (decision === "done") await settleUndo(session);
    return { ...settled, status: "undoing" };
  }
  if (decision === "undo") return { ...settled, status: "undoing" };
  await settleSteps(session, decision);
  return { ...settled, status: "running", error: null };
}

/** The steps that stopped the run are done once more, or count as done because a person says so. */
async function settleSteps(session: Session, decision: "again" | "done"): Promise<void> {
  const again: Entry[] = [];
  for (const entry of listStopped(session)) {
    const inner = await findWaitingInner(session, entry);
    // What was decided is meant for the step at which the procedure inside stopped.
    if (inner !== undefined) await persist(() => decideRun(session.engine.control, inner, decision, session.run.actor));
    if (inner !== undefined || decision === "again") again.push(entry);
    else await settleByPerson(session, { path: entry.path, phase: "do" });
  }
  session.again = new Set(again.map(({ path }) => path));
}

/** The undo step at which taking back stopped was done by hand; the rest is still to be taken back. */
async function settleUndo(session: Session): Promise<void> {
  for (const row of session.journal.values())
    if (row.phase === "undo" && row.outcome === "failed") await settleByPerson(session, row);
}

async function settleByPerson(session: Session, { path, phase }: StepKey): Promise<void> {
  const { engine, claim } = session;
  const result = { outcome: "succeeded", outputs: {} } as const;
  const row = await persist(() => finishStep(engine.control, claim, { path, phase }, result));
  session.journal.set(keyOf(path, phase), row);
  session.log.add("step.settled", path, { phase });
}
