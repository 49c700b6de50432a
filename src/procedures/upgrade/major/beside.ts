import type { SqlAction } from "../../../runbook/action.ts";
import type { Act, Step } from "../../../runbook/plan.ts";
import { join, runId, type Text } from "../../../runbook/value.ts";
import type { MigrationGround } from "../../../stack/odoo/migrations.ts";
import type { Stack } from "../../../stack/stack.ts";
import { addonsOption, takeCode } from "../../deployment/rehearse.ts";
import { change } from "../../steps.ts";
import { databaseCriteria, logCriteria } from "../criteria.ts";
import { compareStructures, noteStructure } from "../found.ts";
import type { MajorFacts } from "./facts.ts";
import { programOf, requireSuccessor } from "./program.ts";
import { runScripts } from "./scripts.ts";

/**
 * The upgrade itself, in a copy of the database: code in a folder of its own, the user's scripts, then Odoo's update of all modules by the
 * program of the new series. Nothing that serves is touched by it, so it can be rehearsed.
 */

export interface Ways {
  /** Folders with upgrade scripts of Odoo's own kind, such as OpenUpgrade's. */
  readonly upgradePath: readonly string[];
  /** Modules that Odoo loads before everything else, such as openupgrade_framework; what its configuration says when empty. */
  readonly load: readonly string[];
}

/** `folder`: of this run, for code and notes. `meanwhile`: what is asked of the copy once it is updated. */
export function upgradeCopy(
  stack: Stack,
  folder: Text,
  ground: MigrationGround,
  {
    ways,
    facts,
    meanwhile = [],
  }: { readonly ways: Ways; readonly facts: MajorFacts; readonly meanwhile?: readonly Step[] },
): readonly Step[] {
  const successor = requireSuccessor(stack, facts.to);
  const ask = (text: string, values?: Readonly<Record<string, Text>>): SqlAction =>
    ground.query(ground.database, text, values);
  return [
    ...(facts.code === undefined ? [] : [takeCode(stack, folder, facts.code.to)]),
    noteStructure(stack, ask, folder, "before"),
    ...programOf(stack, facts).beside([
      ...runScripts(successor.odoo, successor.config.odoo.config, ground, facts.scripts),
      updateAll(stack, folder, ground, { ways, facts }),
    ]),
    ...meanwhile,
    noteStructure(stack, ask, folder, "after"),
    compareStructures(stack, folder),
  ];
}

function updateAll(
  stack: Stack,
  folder: Text,
  { database, query, odooOptions }: MigrationGround,
  { ways, facts }: { readonly ways: Ways; readonly facts: MajorFacts },
): Act {
  const { odoo, relinked } = requireSuccessor(stack, facts.to);
  const log = join(`${stack.config.workDirectory}/runs/`, runId, "/update.log");
  const options = [
    ...odooOptions,
    addonsOption(stack, folder, facts.addonsPath, relinked),
    ...(ways.upgradePath.length === 0 ? [] : [`--upgrade-path=${ways.upgradePath.join(",")}`]),
    ...(ways.load.length === 0 ? [] : [`--load=${ways.load.join(",")}`]),
  ];
  const count = Object.keys(facts.versions).length;
  return change(
    {
      id: "update",
      title: `Update all ${count} modules with Odoo ${facts.to}`,
      action: odoo.bring({ update: ["all"] }, log, { database, options }),
    },
    {
      verify: [
        ...logCriteria(stack),
        ...databaseCriteria((text, values) => query(database, text, values), facts.versions),
      ],
      // A half-done update cannot be told from a finished one by looking at the database.
      onInterrupt: "undo",
      timeoutSeconds: 48 * 3600,
      forecastSeconds: 10 + 2 * count,
    },
  );
}
