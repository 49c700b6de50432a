import type { Probe } from "../../../runbook/action.ts";
import type { Act, Step } from "../../../runbook/plan.ts";
import { suffixed, type Text } from "../../../runbook/value.ts";
import type { ScratchCluster } from "../../../stack/scratch.ts";
import type { Stack } from "../../../stack/stack.ts";
import { change } from "../../steps.ts";
import { compareManifest, compareSequences, type Restored } from "../compare.ts";
import { fileOfSet } from "../set.ts";
import { automationDatabaseIn, automationIn, automationOfSet, tellAutomation } from "./told.ts";

/** Not the name that it had, as for Odoo's copy. No n8n is started on it: its workflows would run. */
const copyName = "automation";

/** Restored beside Odoo's copy and compared row by row; of a set without it nothing is done. */
export function proveAutomation(stack: Stack, cluster: ScratchCluster, folder: Text, jobs: number): readonly Step[] {
  const dump = {
    source: automationOfSet.database,
    dump: suffixed(automationDatabaseIn(folder), "/dump"),
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
  const restored = { ask, set: automationDatabaseIn(folder), answers: automationIn(folder) };
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
