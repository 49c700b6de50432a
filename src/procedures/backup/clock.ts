import type { Act } from "../../runbook/plan.ts";
import { runId } from "../../runbook/value.ts";
import type { Stack } from "../../stack/stack.ts";
import { read } from "../steps.ts";

/** A finding, not a failure: the set is as good as any, but what is later than what cannot be told any more. */
export function findWrongClock(stack: Stack): Act {
  const action = {
    kind: "call",
    name: "backup.judge_clock",
    version: 1,
    input: { stack: stack.name, id: runId },
  } as const;
  return read(
    { id: "clock", title: "No set that was made before it says that it is later", action, outputs: {} },
    { onFail: "continue", timeoutSeconds: 30 },
  );
}
