import { command, type Probe } from "../../runbook/action.ts";
import type { Act, Step } from "../../runbook/plan.ts";
import { suffixed, type Text } from "../../runbook/value.ts";
import { explained } from "../../stack/restic.ts";
import type { Stack } from "../../stack/stack.ts";
import { compareAutomation } from "../backup/automation/prove.ts";
import { automationDatabaseIn, automationOfSet, tellAutomation } from "../backup/automation/told.ts";
import { change } from "../steps.ts";
import { asking } from "./configuration.ts";

/** n8n's database on a new server, if the set has it. The key of its credentials comes with the configuration. */
export function putAutomation(stack: Stack, folder: Text, jobs: number): readonly Step[] {
  const { database } = stack.automation ?? {};
  if (database === undefined) return [];
  const ask = (sql: string) => stack.postgres.query(database, sql);
  const steps = [restoreDump(stack, folder, jobs), nameIt(stack, database), ...compareAutomation(stack, folder, ask)];
  return [
    tellAutomation(stack, folder),
    ...steps.map((act) => ({ ...act, ...asking, when: automationOfSet.isDumped })),
  ];
}

function restoreDump({ postgres, tools }: Stack, folder: Text, jobs: number): Act {
  const words = postgres.client(
    "pg_restore",
    ...["--create", "--clean", "--if-exists", "--exit-on-error", "--no-tablespaces", "--no-subscriptions"],
    ...[`--jobs=${jobs}`, "--dbname=postgres", "--verbose", suffixed(automationDatabaseIn(folder), "/dump")],
  );
  return change(
    {
      id: "restore automation",
      title: "Restore n8n's database",
      action: explained(command(tools, words, { exitCodes: { 1: "backup.dump_damaged", 28: "backup.disk_full" } })),
    },
    { verify: [postgres.databaseExists(automationOfSet.database)], timeoutSeconds: 6 * 3600 },
  );
}

/** The dump makes it under the name that it had. */
function nameIt({ postgres }: Stack, database: string): Act {
  const there: Probe = postgres.databaseExists(database);
  const sql = "select format('alter database %I rename to %I', :'was', :'wanted') where :'was' <> :'wanted' \\gexec";
  const values = { was: automationOfSet.database, wanted: database };
  return change(
    { id: "name automation", title: `Call it ${database}`, action: postgres.query("postgres", sql, values) },
    { done: there, verify: [there] },
  );
}

/** What a set does not bring back to the server that takes the place of a damaged one. */
export function otherDatabases({ automation }: Stack, set: string): readonly string[] {
  return [
    "Other databases of the server are in no set: they stay in the damaged one alone.",
    ...(automation?.database === undefined
      ? []
      : [`n8n's is: afterwards \`ipai restore ${set} --only automation\` brings it back.`]),
  ];
}
