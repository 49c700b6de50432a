import { Bug, type ErrorRecord, type IpaiError } from "../errors/error.ts";
import { comesBack } from "../host/errors.ts";
import { type Entry, walk } from "../runbook/plan.ts";
import type { Control } from "./control.ts";
import {
  Cancelled,
  HostAway,
  InnerProcedureWaits,
  Interrupted,
  RunBeingAdvanced,
  RunFenced,
  StackBusy,
} from "./errors.ts";
import { findInnerRun, listSteps, type Run } from "./journal.ts";
import { ControlLost } from "./persist.ts";
import { keyOf, type Session } from "./session.ts";

/** What a failed step means for its run. */

/**
 * Errors after which this process touches and writes nothing more: the run is somebody else's, its journal cannot be written, the
 * host stays away, or the program is at fault. The run stays as it is recorded, to be resumed.
 */
export function endsProcess(error: IpaiError): boolean {
  const codes: readonly string[] = [RunFenced.code, RunBeingAdvanced.code, ControlLost.code, Bug.code];
  return codes.includes(error.code) || isHostAway(error);
}

/** Says nothing about the step: what became of it is asked when the host is there again. */
export function isHostAway(error: { readonly code: string }): boolean {
  return error.code === HostAway.code || comesBack.includes(error.code);
}

export function policyOf(step: Entry["step"], error: ErrorRecord): "undo" | "continue" | "ask" {
  // Neither says anything about the step.
  if (error.code === Cancelled.code || error.code === StackBusy.code) return "undo";
  switch (step.kind) {
    case "act":
      if (error.code === Interrupted.code) return step.onInterrupt === "ask" ? "ask" : "undo";
      return step.onFail;
    case "wait":
      return step.onTimeout;
    case "procedure":
      return error.code === InnerProcedureWaits.code ? "ask" : "undo";
    case "pivot":
      return "undo";
  }
}

/** The steps at which a waiting run stopped: not those that were allowed to fail. */
export function listStopped(session: Session): readonly Entry[] {
  return session.entries.filter(({ path, step }) => {
    const row = session.journal.get(keyOf(path, "do"));
    if (row?.outcome === "running") return true;
    return row?.outcome === "failed" && row.error !== null && policyOf(step, row.error) !== "continue";
  });
}

/** Whether a run, or one inside it, has begun a step of some kind. */
export async function hasBegun(
  control: Control,
  run: Pick<Run, "id" | "plan">,
  isMeant: (step: Entry["step"]) => boolean,
): Promise<boolean> {
  const begun = (await listSteps(control, run.id)).filter((row) => row.phase === "do" && row.outcome !== "skipped");
  const paths = new Set(begun.map((row) => row.path));
  for (const { path, step } of walk(run.plan)) {
    if (!paths.has(path)) continue;
    if (isMeant(step)) return true;
    const inner = step.kind === "procedure" ? await findInnerRun(control, { run: run.id, step: path }) : undefined;
    if (inner !== undefined && (await hasBegun(control, inner, isMeant))) return true;
  }
  return false;
}

/** Half an irreversible step cannot be taken back either. */
export function isIrreversible(step: Entry["step"]): boolean {
  return step.kind === "act" && step.undo === "irreversible";
}

/** Users have written since, or something cannot be taken back: from here on a failure is a question to a person. */
export function isPointOfNoReturn(step: Entry["step"]): boolean {
  return step.kind === "pivot" || isIrreversible(step);
}
