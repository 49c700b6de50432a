import { command, type Probe, type SqlAction } from "../../runbook/action.ts";
import type { Text } from "../../runbook/value.ts";
import { pendingModulesSql, versionMismatchSql } from "../../stack/odoo/sql.ts";
import type { Stack } from "../../stack/stack.ts";
import type { Update } from "./facts.ts";
import { namesOf } from "./snapshot.ts";

/** Asks the database that was updated. */
export type Ask = (text: string, values?: Readonly<Record<string, Text>>) => SqlAction;

/**
 * Odoo exits with 0 for a misspelled module, missing code, and a constraint that could not be added. An update counts as done
 * only when its log and its database both say so.
 */
export function successCriteria(
  stack: Stack,
  facts: Pick<Update, "changes" | "installs">,
  ask: Ask = (text, values) => stack.postgres.query(stack.config.odoo.database, text, values),
): readonly Probe[] {
  const modules = [...facts.changes, ...(facts.installs ?? [])];
  const versions = Object.fromEntries(modules.map((module) => [module.name, module.to]));
  return [
    ...logCriteria(
      stack,
      modules.map(({ name }) => name),
    ),
    ...databaseCriteria(ask, versions),
  ];
}

/** What the run's log of an update must say, and must not. `loaded`: modules that it must name. */
export function logCriteria(stack: Stack, loaded: readonly string[] = []): readonly Probe[] {
  const { log } = namesOf(stack);
  const { tools: host } = stack;
  const grep = (title: string, pattern: string, code: string): Probe => ({
    title,
    action: command(host, ["grep", "-E", "-m", "5", "-e", pattern, log], { okExitCodes: [0, 1] }),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
    code,
  });
  const seen = (title: string, text: string): Probe => ({
    title,
    action: command(host, ["grep", "-F", "-c", "-e", text, log], { okExitCodes: [0, 1] }),
    output: { from: "stdout", as: "number" },
    compare: "ge",
    with: 1,
    code: "upgrade.not_loaded",
  });
  return [
    grep("the log has no error", " (ERROR|CRITICAL) ", "upgrade.log_errors"),
    grep("the log has no warning that means failure", failureWarnings, "upgrade.log_errors"),
    seen("the log says that the modules are loaded", "Modules loaded."),
    ...loaded.map((name) => seen(`the log says that ${name} was loaded`, `Module ${name} loaded`)),
  ];
}

/** What the database must say. `versions`: of modules that must be installed. */
export function databaseCriteria(ask: Ask, versions: Readonly<Record<string, string>>): readonly Probe[] {
  return [
    {
      title: "no module is between two states",
      action: ask(pendingModulesSql),
      output: { from: "stdout" },
      compare: "absent",
      with: "",
      code: "upgrade.modules_pending",
    },
    {
      title: "every module is installed at the version of its code",
      action: ask(versionMismatchSql, { versions: JSON.stringify(versions) }),
      output: { from: "stdout" },
      compare: "absent",
      with: "",
      code: "upgrade.versions_wrong",
    },
  ];
}

/** What Odoo logs as a warning, or at a level of the user's choice, although the update did not do what was asked. */
const failureWarnings =
  "invalid module names, ignored|not installable, skipped|modules are not loaded|inconsistent states|unable to (add constraint|set NOT NULL)";
