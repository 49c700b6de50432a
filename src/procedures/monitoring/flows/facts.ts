import { z } from "zod";
import type { Stack } from "../../../stack/stack.ts";
import { createWorkflows, type Workflow, type WorkflowFound, type Workflows } from "../../../stack/workflows.ts";
import type { FactReader } from "../../procedure.ts";
import { NoAutomation } from "./errors.ts";
import { workflowsOf } from "./shipped.ts";

/** What n8n has of the workflows that are shipped. */

const found: z.ZodType<WorkflowFound> = z.object({
  is: z.enum(["as shipped", "missing", "inactive", "different"]),
  isActive: z.boolean(),
  differs: z.array(z.string()),
  digest: z.string().nullable(),
});

export interface FlowFound extends WorkflowFound {
  readonly shipped: Workflow;
}

export async function readFlows({ stack, json }: FactReader): Promise<readonly FlowFound[]> {
  const workflows = requireWorkflows(stack);
  const read = async (shipped: Workflow) => ({ ...found.parse(await json(workflows.look(shipped))), shipped });
  return Promise.all(workflowsOf(stack).map(read));
}

const failures = z.array(
  z.object({ id: z.string(), workflow: z.string(), at: z.string(), node: z.string(), message: z.string() }),
);
export type FlowFailure = z.infer<typeof failures>[number];

/** What failed in n8n since an instant, of any workflow, the latest first; not what was repeated there and went well. */
export async function readFailures({ stack, json }: FactReader, since: Date): Promise<readonly FlowFailure[]> {
  if (stack.automation === undefined) throw NoAutomation({ stack: stack.name });
  return failures.parse(await json(stack.automation.failures(since.toISOString())));
}

export function requireWorkflows(stack: Stack): Workflows {
  const workflows = createWorkflows(stack);
  if (workflows === undefined) throw NoAutomation({ stack: stack.name });
  return workflows;
}
