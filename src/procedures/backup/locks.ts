import type { Act } from "../../runbook/plan.ts";
import type { Prunable } from "../../stack/restic.ts";
import { change } from "../steps.ts";

/** Processes that were killed leave their locks in a repository, which would keep its prune from ever beginning. */
export function unlock(
  { unlock: remove, isUnlocked, isInitialised }: Prunable,
  act: Pick<Act, "id" | "title"> = { id: "unlock", title: "Remove locks of dead backups" },
  options: Partial<Pick<Act, "onFail" | "timeoutSeconds">> = {},
): Act {
  return change(
    { ...act, action: remove() },
    { ...(isUnlocked === undefined ? {} : { done: isUnlocked }), verify: [isInitialised()], ...options },
  );
}
