import { z } from "zod";
import { command } from "../../../runbook/action.ts";
import type { Act } from "../../../runbook/plan.ts";
import { output, suffixed, type Text } from "../../../runbook/value.ts";
import type { Stack } from "../../../stack/stack.ts";
import { read } from "../../steps.ts";

/**
 * The part of a set that is n8n's, in `automation`: `database` (its dump with manifest, sequences and what it says of itself, all of one
 * instant) and `workflows` (each as readable JSON). Either is there whole, or not at all.
 */

/** What a set says of this part. */
export const automationTold = z.object({
  /** Whether its database is in the set. */
  isDumped: z.boolean(),
  workflows: z.number().nullable(),
  credentials: z.number().nullable(),
  /** Workflows that its API gave as JSON; null when they are not in the set. */
  exported: z.number().nullable(),
});
export type AutomationTold = z.infer<typeof automationTold>;

export function automationIn(folder: Text): Text {
  return suffixed(folder, "/set/automation");
}

export function automationDatabaseIn(folder: Text): Text {
  return suffixed(folder, "/set/automation/database");
}

/** Of a set without this part it says so. */
export function tellAutomation({ tools }: Stack, folder: Text): Act {
  const from = (name: string) => ({ from: "stdout", as: "json", pick: [name] }) as const;
  return read({
    id: "automation",
    title: "Count what the set has of n8n",
    action: command(tools, ["sh", "-c", tellScript, "tell", automationIn(folder)]),
    outputs: {
      told: { from: "stdout", as: "json", pick: ["told"] },
      isDumped: from("isDumped"),
      database: from("database"),
    },
  });
}

/** Tables may have a prefix, and a schema of their own: their names end as n8n has them. */
const tellScript = `
set -eu
exported=null
[ ! -d "$1/workflows" ] || exported=$(find "$1/workflows" -name '*.json' | wc -l)
[ -e "$1/database/about" ] || {
  printf '{"told": {"isDumped": false, "workflows": null, "credentials": null, "exported": %s}, "isDumped": false, "database": ""}\\n' "$exported"
  exit
}
jq -n -c --slurpfile about "$1/database/about" --argjson exported "$exported" '
  def rows($ending): map(select(.table | endswith($ending)).rows) | if . == [] then null else add end;
  [inputs | select(.table)] | {
    told: { isDumped: true, workflows: rows("workflow_entity"), credentials: rows("credentials_entity"), exported: $exported },
    isDumped: true, database: $about[0].database }' "$1/database/manifest"
`;

export const automationOfSet = {
  told: output("automation", "told"),
  isDumped: output("automation", "isDumped"),
  /** The name that its database had. */
  database: output("automation", "database"),
};
