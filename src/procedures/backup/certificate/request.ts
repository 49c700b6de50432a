import type { Act } from "../../../runbook/plan.ts";
import type { Stack } from "../../../stack/stack.ts";
import { change } from "../../steps.ts";

/** Its failure is told, and fails no backup: that is stored and entered. */
export function requestProof(stack: Stack): Act {
  return change(
    {
      id: "request proof",
      title: "Ask a worker to prove it",
      action: { kind: "call", name: "backup.request_proof", version: 1, input: { stack: stack.name } },
    },
    { onFail: "continue", timeoutSeconds: 30 },
  );
}
