import { runAct } from "./act.ts";
import { keyOf, type Session } from "./session.ts";

/**
 * The walk backwards: every step that began is taken back, the last one first. A step that failed may have done half of its work,
 * so it is taken back like one that succeeded. Undo steps are journaled like others and can be resumed in the middle.
 *
 * Returns whether anything of the stack had been changed.
 */
export async function undoAll(session: Session, undoChild: (procedure: string) => Promise<void>): Promise<boolean> {
  let changed = false;
  for (const entry of session.entries.toReversed()) {
    const row = session.journal.get(keyOf(entry.path, "do"));
    if (row === undefined || row.outcome === "skipped") continue;
    const { step } = entry;
    if (step.kind === "act" && step.effect !== "read") changed = true;
    if (step.kind === "procedure") {
      changed = true;
      await undoChild(step.name);
    }
    for (const act of entry.undo) await runAct(session, act, { path: `${entry.path}~${act.id}`, phase: "undo" });
  }
  return changed;
}
