import type { Probe } from "../../../runbook/action.ts";
import type { Act } from "../../../runbook/plan.ts";
import type { Automation } from "../../../stack/automation.ts";
import { pathExists } from "../../../stack/files.ts";
import type { Stack } from "../../../stack/stack.ts";
import { change } from "../../steps.ts";
import { aboutOtherSql, manifestSql, sequencesSql } from "../manifest.ts";
import { withFullDisk } from "../working-folder.ts";
import { tellAutomation } from "./told.ts";

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
