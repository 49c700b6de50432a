import { toErrorRecord, toIpaiError } from "../errors/error.ts";
import type { Act, Entry, Wait } from "../runbook/plan.ts";
import { runAct } from "./act.ts";
import { UndoFailed } from "./errors.ts";
import { endsProcess, policyOf } from "./failure.ts";
import { keyOf, type Session } from "./session.ts";
import { runWait } from "./wait.ts";

/**
 * The walk backwards: every step that began is taken back, the last one first. A step that failed may have done half of its work,
 * so it is taken back like one that succeeded; one that was found done already is left as it was found. Undo steps are journaled
 * like others and can be resumed in the middle.
 *
 * `undoInner` takes back the procedure inside an entry. Returns whether anything of the stack had been changed.
 */
export async function undoAll(session: Session, undoInner: (entry: Entry) => Promise<boolean>): Promise<boolean> {
  let changed = false;
  for (const entry of session.entries.toReversed()) {
    const { step, path } = entry;
    const row = session.journal.get(keyOf(path, "do"));
    if (row === undefined || (row.outcome === "skipped" && !isEdge(entry))) continue;
    if (step.kind === "act" && step.effect !== "read" && row.outcome !== "skipped") changed = true;
    if (step.kind === "procedure" && (await undoInner(entry))) changed = true;
    for (const back of entry.undo) await takeBack(session, entry, back);
  }
  return changed;
}

/** Going back over the edge of a bracket closes it or opens it again, also where the edge itself had found nothing to do. */
function isEdge({ step, undo }: Entry): boolean {
  return step.kind === "act" && undo !== step.undo;
}

async function takeBack(session: Session, entry: Entry, back: Act | Wait): Promise<void> {
  const key = { path: `${entry.path}~${back.id}`, phase: "undo" } as const;
  try {
    if (back.kind === "act") await runAct(session, back, key);
    else await runWait(session, back, key);
  } catch (thrown) {
    const error = toIpaiError(thrown);
    if (endsProcess(error)) throw error;
    if (policyOf(back, toErrorRecord(error)) === "continue") return;
    throw UndoFailed({ step: back.title, reason: error.message }, { cause: error });
  }
}
