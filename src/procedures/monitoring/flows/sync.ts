import { z } from "zod";
import type { CommandAction } from "../../../runbook/action.ts";
import type { Act, Plan } from "../../../runbook/plan.ts";
import type { Stack } from "../../../stack/stack.ts";
import type { Workflows } from "../../../stack/workflows.ts";
import type { Procedure } from "../../procedure.ts";
import { change, read, takeBack } from "../../steps.ts";
import { type FlowFound, readFlows, requireWorkflows } from "./facts.ts";
import { testedPath } from "./shipped.ts";

const input = z.object({});
type NoInput = z.infer<typeof input>;

interface Facts {
  readonly flows: readonly FlowFound[];
}

export const syncWorkflows: Procedure<NoInput, Facts> = {
  name: "n8n sync",
  chapter: "monitoring",
  version: 1,
  risk: "change",
  title: "Workflows of n8n",
  summary:
    "Puts the shipped workflows into n8n, each under its name, and activates them: what is due, escalated and reported is then asked of Odoo and told in the chat. What is " +
    "there already as it is shipped stays; what was there otherwise is put back when something fails. A test of the deadline alert has to be answered.",
  input,
  facts: async (reader) => ({ flows: await readFlows(reader) }),
  plan: planSync,
};

function planSync(stack: Stack, _input: NoInput, { flows }: Facts): Plan {
  const workflows = requireWorkflows(stack);
  const wrong = flows.filter(({ is }) => is !== "as shipped");
  return {
    procedure: syncWorkflows.name,
    version: syncWorkflows.version,
    stack: stack.name,
    title:
      wrong.length === 0 ? "Test the workflows of n8n, which are as shipped" : "Put the shipped workflows into n8n",
    input: {},
    facts: Object.fromEntries(
      flows.map(({ shipped, differs, ...seen }) => [shipped.name, { ...seen, differs: [...differs] }]),
    ),
    // Nothing of Odoo changes. A restore of n8n has the stack for itself.
    lease: "shared",
    notes: [
      "Where nodes stand on the canvas, their notes, and settings that are not shipped, stay as they are.",
      "n8n needs ODOO_URL and MATTERMOST_WEBHOOK_URL in its environment; the credential is called Finance PPM: Odoo.",
    ],
    steps: [...wrong.map((flow) => put(workflows, flow)), ...test(stack)],
  };
}

function put(workflows: Workflows, flow: FlowFound): Act {
  const { shipped } = flow;
  const isThere = workflows.isAsShipped(shipped);
  return change(
    { id: `put ${shipped.name}`, title: titleOf(flow), action: workflows.put(shipped) },
    { done: isThere, verify: [isThere], undo: [undo(workflows, flow)], timeoutSeconds: 120 },
  );
}

function titleOf({ shipped, is, differs }: FlowFound): string {
  if (is === "missing") return `Add ${shipped.name}`;
  return is === "inactive" ? `Activate ${shipped.name}` : `Change ${shipped.name}: ${differs.join(", ")}`;
}

function undo(workflows: Workflows, { shipped, is }: FlowFound): Act {
  const { name } = shipped;
  const back =
    is === "missing"
      ? { id: `remove ${name}`, title: `Remove ${name}` }
      : { id: `put back ${name}`, title: `Put back what ${name} was` };
  return takeBack({ ...back, action: workflows.putBack(shipped) }, { verify: [workflows.isPutBack(shipped)] });
}

/** As the runbook calls it. Nothing is written by it; the chat gets one message that says that it is a test. */
function test({ automation, config, name }: Stack): readonly Act[] {
  if (automation === undefined) return [];
  const ask = (id: string, title: string, action: CommandAction) => read({ id, title, action, outputs: {} });
  const body = { test: true };
  return [
    ask("test", `n8n answers a test of ${testedPath} for ${name}`, automation.callWebhook(testedPath, body)),
    ...(config.services.automation?.webhookSecret === undefined
      ? []
      : [ask("refuse", "n8n refuses the same without the secret", automation.callWithoutSecret(testedPath, body))]),
  ];
}
