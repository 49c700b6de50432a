import { command, type Probe } from "../../../runbook/action.ts";
import type { Act, Bracket } from "../../../runbook/plan.ts";
import { suffixed, type Text } from "../../../runbook/value.ts";
import type { Automation } from "../../../stack/automation.ts";
import { automationPart } from "../../../stack/configuration.ts";
import type { Stack } from "../../../stack/stack.ts";
import { require, waitFor, whileAutomationStopped } from "../../steps.ts";
import { compareAutomation } from "../automation/prove.ts";
import { automationDatabaseIn, automationOfSet, tellAutomation } from "../automation/told.ts";
import { fileOfSet } from "../set.ts";
import { RestoreNoAutomation } from "./errors.ts";
import { exchangeDatabases, keptDays, loadBeside, namesOfDatabase, noteKeptAs } from "./place.ts";

/** n8n's database comes back as Odoo's does: loaded beside, compared, exchanged by renames while nobody works with it. */

interface AutomationFacts {
  /** Whether there is one now, which is kept. */
  readonly present: { readonly database: boolean };
  readonly jobs: number;
}

export type RestorableAutomation = Automation & { readonly database: string };

/** Throws when the configuration names no database that could be restored. */
export function requireAutomation({ automation, name }: Pick<Stack, "automation" | "name">): RestorableAutomation {
  if (automation?.database === undefined) throw RestoreNoAutomation({ stack: name });
  return { ...automation, database: automation.database };
}

export function bringAutomation(stack: Stack, facts: AutomationFacts, folder: Text): Bracket["body"] {
  const automation = requireAutomation(stack);
  const names = namesOfDatabase(automation.database);
  const isThere = facts.present.database;
  const serves = waitFor({
    id: "serve automation",
    title: "Wait until n8n is well",
    probe: automation.isHealthy(),
    timeoutSeconds: 180,
  });
  return [
    tellAutomation(stack, folder),
    isInSet(stack),
    ...hasItsKey(stack, folder),
    loadAutomation(stack, names.past, folder, facts.jobs),
    ...compareAutomation(stack, folder, (sql) => stack.postgres.query(names.past, sql)),
    ...(isThere ? [noteKeptAs(stack, names.before)] : []),
    ...whileAutomationStopped(stack, exchangeDatabases(stack, names, { isThere })),
    ...(automation.name === undefined ? [] : [serves]),
    { kind: "pivot", id: "open", title: "n8n works: from here on what it does would be lost by a swap" },
  ];
}

function isInSet({ tools }: Stack): Act {
  const probe: Probe = {
    title: "the set has n8n's database",
    action: command(tools, ["printf", "%s", automationOfSet.isDumped]),
    output: { from: "stdout" },
    compare: "eq",
    with: "true",
    code: "restore.no_automation_in_set",
  };
  return require({ id: "in set", title: "The set has n8n's database", probe });
}

/** In a container the key cannot be compared from outside. */
function hasItsKey({ config, tools }: Stack, folder: Text): readonly Act[] {
  const { keyFile } = config.services.automation ?? {};
  if (keyFile === undefined || "compose" in config.runtime) return [];
  const inSet = fileOfSet(folder, `configuration/${automationPart}/${keyFile.split("/").at(-1)}`);
  const probe: Probe = {
    title: "n8n has the key of that day's credentials",
    action: command(tools, ["sh", "-c", keyScript, "compare", inSet, keyFile]),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
    code: "restore.automation_key",
  };
  return [require({ id: "key", title: "n8n has the key of that day's credentials", probe })];
}

/** Of a set without the key nothing can be said. */
const keyScript = '[ ! -e "$1" ] || cmp -s -- "$1" "$2" || printf "%s\\n" "$2"';

function loadAutomation(stack: Stack, past: Text, folder: Text, jobs: number): Act {
  const dump = {
    source: automationOfSet.database,
    dump: suffixed(automationDatabaseIn(folder), "/dump"),
    roles: fileOfSet(folder, "roles"),
    jobs,
  };
  const hasWorkflows: Probe = {
    title: "it is a database of n8n's",
    action: stack.postgres.query(
      past,
      "select count(*) from pg_stat_user_tables where relname like '%workflow\\_entity';",
    ),
    output: { from: "stdout", as: "number" },
    compare: "ge",
    with: 1,
    code: "restore.carry_failed",
  };
  return loadBeside(stack, past, dump, hasWorkflows);
}

export function automationNotes(stack: Stack, { present }: AutomationFacts): readonly string[] {
  const { name, database } = requireAutomation(stack);
  return [
    "Odoo, its database and its filestore are not touched.",
    "Workflows that are active in it run again as soon as n8n is started; what it waited for at that instant it waits for again.",
    ...(name === undefined
      ? ["Stop n8n before, and start it after: ipai does not know how (services.automation.name)."]
      : [`n8n (${name}) is stopped for the renames and started again.`]),
    ...(present.database
      ? [
          `The present is kept for ${keptDays} days as ${database}_before_RUN, RUN being this run's id: ipai resources lists, extends and closes it.`,
        ]
      : ["There is nothing here that could be kept."]),
  ];
}
