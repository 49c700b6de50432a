import type { AutomationTold } from "../../procedures/backup/automation/told.ts";

/** What a set has of n8n, in words. */
export function automationWords({ isDumped, workflows, credentials, exported }: AutomationTold): string {
  const database = isDumped
    ? `n8n's database (${workflows ?? 0} workflows, ${credentials ?? 0} credentials)`
    : "no database of n8n's";
  return `${database}, ${exported === null ? "no workflows" : `${exported} workflows`} as JSON`;
}
