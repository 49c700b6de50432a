import { z } from "zod";
import { command, type Probe } from "../../runbook/action.ts";
import type { Act, Step } from "../../runbook/plan.ts";
import { output, suffixed, type Text } from "../../runbook/value.ts";
import type { Automation } from "../../stack/automation.ts";
import { pathExists } from "../../stack/files.ts";
import type { ScratchCluster } from "../../stack/scratch.ts";
import type { Stack } from "../../stack/stack.ts";
import { change, read } from "../steps.ts";
import { compareManifest, compareSequences, type Restored } from "./compare.ts";
import { aboutOtherSql, manifestSql, sequencesSql } from "./manifest.ts";
import { fileOfSet } from "./set.ts";
import { withFullDisk } from "./working-folder.ts";

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

export function databaseOfAutomation(folder: Text): Text {
  return fileOfSet(folder, "automation/database");
}

/** An n8n that is away must not keep Odoo from its backup: each of these may fail, and what is in the set is counted. */
export function takeAutomation(stack: Stack, folder: string, jobs: number): readonly Act[] {
  const { automation } = stack;
  if (automation === undefined) return [];
  return [
    ...(automation.database === undefined ? [] : [dumpAutomation(stack, automation.database, folder, jobs)]),
    exportWorkflows(stack, automation, folder),
    tellAutomation(stack, folder),
  ];
}

function dumpAutomation({ postgres }: Stack, database: string, folder: string, jobs: number): Act {
  const target = `${folder}/set/automation/database`;
  const questions = { SEQUENCES: sequencesSql, MANIFEST: manifestSql, ABOUT: aboutOtherSql };
  const listed: Probe = {
    title: "the dump's table of contents is complete",
    action: postgres.listDump(`${target}/dump`),
    output: { from: "stdout" },
    compare: "has",
    with: "workflow_entity",
    code: "automation.no_workflows",
  };
  return change(
    {
      id: "automation database",
      title: "Dump n8n's database, with every table's rows and checksum",
      action: withFullDisk(postgres.dumpDescribed(database, { folder: target, jobs, questions })),
    },
    { verify: [listed], onFail: "continue", timeoutSeconds: 3 * 3600 },
  );
}

function exportWorkflows({ tools }: Stack, automation: Automation, folder: string): Act {
  const target = `${folder}/set/automation/workflows`;
  return change(
    { id: "workflows", title: "Take n8n's workflows as JSON", action: automation.exportWorkflows(target) },
    { verify: [pathExists(tools, target, "the workflows are in the set")], onFail: "continue", timeoutSeconds: 900 },
  );
}

/** Of a set without this part it says so. */
export function tellAutomation({ tools }: Stack, folder: Text): Act {
  const from = (name: string) => ({ from: "stdout", as: "json", pick: [name] }) as const;
  return read({
    id: "automation",
    title: "Count what the set has of n8n",
    action: command(tools, ["sh", "-c", tellScript, "tell", fileOfSet(folder, "automation")]),
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

/** Not the name that it had, as for Odoo's copy. No n8n is started on it: its workflows would run. */
const copyName = "automation";

/** Restored beside Odoo's copy and compared row by row; of a set without it nothing is done. */
export function proveAutomation(stack: Stack, cluster: ScratchCluster, folder: Text, jobs: number): readonly Step[] {
  const dump = {
    source: automationOfSet.database,
    dump: suffixed(databaseOfAutomation(folder), "/dump"),
    roles: fileOfSet(folder, "roles"),
    jobs,
  };
  const restored: Probe = {
    title: "the restored database has tables",
    action: cluster.query(copyName, "select count(*) from pg_stat_user_tables;"),
    output: { from: "stdout", as: "number" },
    compare: "ge",
    with: 1,
    code: "backup.dump_damaged",
  };
  const restore = change(
    { id: "restore automation", title: "Restore n8n's dump too", action: cluster.restore(copyName, dump) },
    { verify: [restored], timeoutSeconds: 3 * 3600 },
  );
  const ask = (sql: string) => cluster.query(copyName, sql);
  return [
    tellAutomation(stack, folder),
    ...[restore, ...compareAutomation(stack, folder, ask)].map((act) => ({ ...act, when: automationOfSet.isDumped })),
  ];
}

/** The manifest has the number of workflows and of credentials among its rows. */
export function compareAutomation(stack: Stack, folder: Text, ask: Restored["ask"]): readonly Act[] {
  const restored = { ask, set: databaseOfAutomation(folder), answers: fileOfSet(folder, "automation") };
  return [
    {
      ...compareManifest(stack, restored),
      ...{ id: "automation manifest", title: "Compare every table of n8n's with its manifest" },
    },
    {
      ...compareSequences(stack, restored),
      ...{ id: "automation sequences", title: "Compare where n8n's sequences stand" },
    },
  ];
}
