import { defineError } from "../../../errors/error.ts";

interface Told {
  readonly output?: string;
  readonly found?: string;
}

const lastLine = ({ output = "", found = "" }: Told) => (output || found).trim().split("\n").at(-1) ?? "";

export const NoAutomation = defineError<{ stack: string }>("automation.none", {
  exitCode: 23,
  message: (d) => `The stack ${d.stack} has no n8n that ipai knows of. Nothing was changed.`,
  hint: () => "Say under services.automation in ipai.yaml where it answers, and with which key of its API.",
});

export const WorkflowRefused = defineError<Told>("automation.workflow_refused", {
  exitCode: 33,
  message: (d) => `n8n does not have the workflow as it should: ${lastLine(d)}`,
  hint: () =>
    "What it had before is put back. Did somebody edit it at the same time, or is this n8n older than 1.100, which the workflows are made for?",
});

export const WorkflowAmbiguous = defineError<Told>("automation.workflow_ambiguous", {
  exitCode: 33,
  message: (d) => `It cannot be said which workflow is meant: ${lastLine(d)}. It was not changed.`,
  hint: () => "Rename or archive all but one of them in n8n. Workflows are known by their names.",
});

export const CredentialMissing = defineError<Told>("automation.credential_missing", {
  exitCode: 33,
  message: (d) => `The workflows cannot ask Odoo: ${lastLine(d)}`,
  hint: () =>
    "Make it in n8n (Finance PPM: Odoo as Bearer Auth, with an API key of an Odoo user in the group Deliverer), or give that key to ipai as services.automation.odooKey, which makes it.",
});
