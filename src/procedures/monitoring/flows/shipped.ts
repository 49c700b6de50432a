import deadlines from "../../../../n8n/bir_deadline_alert.json" with { type: "json" };
import failure from "../../../../n8n/failure.json" with { type: "json" };
import figures from "../../../../n8n/figures.json" with { type: "json" };
import reports from "../../../../n8n/monthly_report.json" with { type: "json" };
import performanceLog from "../../../../n8n/performance_log.json" with { type: "json" };
import performance from "../../../../n8n/performance_monitor.json" with { type: "json" };
import escalations from "../../../../n8n/task_escalation.json" with { type: "json" };
import type { Stack } from "../../../stack/stack.ts";
import type { Workflow } from "../../../stack/workflows.ts";

/** In the order in which they are put: the others name the one for failures. */
export const shippedWorkflows: readonly Workflow[] = [
  failure,
  deadlines,
  escalations,
  reports,
  performance,
  figures,
  performanceLog,
];

/** As this stack's n8n is to have them: with a secret that their webhooks ask for, when there is one. */
export function workflowsOf({ config }: Stack): readonly Workflow[] {
  const isOpen = config.services.automation?.webhookSecret === undefined;
  return isOpen ? shippedWorkflows : shippedWorkflows.map(guarded);
}

function guarded(workflow: Workflow): Workflow {
  const guard = { httpHeaderAuth: { id: null, name: "Finance PPM: webhooks" } };
  const nodes = workflow.nodes.map((node) =>
    node["type"] === "n8n-nodes-base.webhook"
      ? { ...node, parameters: { ...Object(node["parameters"]), authentication: "headerAuth" }, credentials: guard }
      : node,
  );
  return { ...workflow, nodes };
}

/** Of the workflow that a test calls: as the runbook has it. */
export const testedPath = "/webhook/bir-deadline-alert";
