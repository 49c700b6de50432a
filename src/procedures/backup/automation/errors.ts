import { defineError } from "../../../errors/error.ts";

interface Told {
  readonly output?: string;
  readonly found?: string;
}

const lastLine = ({ output = "", found = "" }: Told) => (output || found).trim().split("\n").at(-1) ?? "";

export const AutomationUnreachable = defineError<Told>("automation.unreachable", {
  exitCode: 33,
  message: (d) => `n8n does not answer as it should: ${lastLine(d)}`,
  hint: () =>
    "Does it run, and is services.automation.url right? A backup goes on without it, and `ipai health` says so (IPAI-AUTOMATION-001).",
});

export const AutomationKeyRefused = defineError<Told>("automation.key_refused", {
  exitCode: 33,
  message: (d) => `n8n refuses the key of its API: ${lastLine(d)}`,
  hint: () =>
    "Keys expire, and may lack a scope (docs/operating/workflows.md): make a new one in n8n, under Settings, n8n API, as its owner, and give it to ipai (services.automation.apiKey).",
});

export const AutomationExportFailed = defineError<Told>("automation.export_failed", {
  exitCode: 33,
  message: (d) => `n8n's workflows could not be taken as JSON: ${lastLine(d)}`,
  hint: () =>
    "Its database has them too, and is a part of the set of its own. Is services.automation.url that of n8n, and its public API switched on?",
});

export const AutomationNoWorkflows = defineError<Told>("automation.no_workflows", {
  exitCode: 33,
  message: () => "The dump has no table of workflows.",
  hint: () => "Is services.automation.database the database that n8n uses (DB_POSTGRESDB_DATABASE)?",
});
