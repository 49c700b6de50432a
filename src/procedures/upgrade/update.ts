import type { Probe } from "../../runbook/action.ts";
import type { Act, Step } from "../../runbook/plan.ts";
import { output, type Text } from "../../runbook/value.ts";
import { activeCronsSql, lostCronsSql, newCronsSql, recordHashesSql, structureSql } from "../../stack/odoo/sql.ts";
import { otherSessionsSql } from "../../stack/postgres.ts";
import type { Stack } from "../../stack/stack.ts";
import { change, read, require } from "../steps.ts";
import { successCriteria } from "./criteria.ts";
import type { Update } from "./facts.ts";
import { namesOf, snapshotDatabase, snapshotFilestore, swapBack } from "./snapshot.ts";

/**
 * Modules are updated in a database that nobody else uses, after a copy of it and of the filestore was made; log and database judge. Any
 * failure, also of what comes later, puts the copies in their place.
 */
export function updateModules(stack: Stack, facts: Update, acceptLostCrons: boolean): readonly Step[] {
  return [
    nobodyElse(stack, "alone"),
    readBefore(stack),
    snapshotDatabase(stack, facts.databaseBytes),
    snapshotFilestore(stack),
    update(stack, facts),
    compareCrons(stack, acceptLostCrons),
    recordHashes(stack, facts.hashes),
  ];
}

export function nobodyElse(stack: Stack, id: string): Act {
  const probe: Probe = {
    title: "no other session is on the database",
    action: stack.postgres.query("postgres", otherSessionsSql, { name: stack.config.odoo.database }),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
    code: "upgrade.database_busy",
  };
  return require({ id, title: "Nobody else uses the database", probe }, { attempts: 5 });
}

export function readBefore(stack: Stack): Act {
  return read({
    id: "before",
    title: "Note the active scheduled actions and the structure of the database",
    action: stack.postgres.query(stack.config.odoo.database, activeCronsSql + structureSql),
    outputs: {
      crons: { from: "stdout", as: "jsonLines", pick: [0] },
      structure: { from: "stdout", as: "jsonLines", pick: [1] },
    },
  });
}

function update(stack: Stack, facts: Update): Act {
  const { log } = namesOf(stack);
  const { changes, installs = [] } = facts;
  const names = (of: Update["changes"]) => of.map(({ name }) => name);
  const title = [
    ...(changes.length === 0 ? [] : [`Update ${names(changes).join(", ")}`]),
    ...(installs.length === 0 ? [] : [`Install ${names(installs).join(", ")}`]),
  ].join("; ");
  return change(
    { id: "update", title, action: stack.odoo.bring({ update: names(changes), install: names(installs) }, log) },
    {
      verify: successCriteria(stack, facts),
      undo: swapBack(stack),
      // A half-done update cannot be told from a finished one by looking at the database.
      onInterrupt: "undo",
      timeoutSeconds: 4 * 3600,
      forecastSeconds: 5 + 2 * (changes.length + installs.length),
    },
  );
}

/** Rows of `ir_cron` are never rewritten: lost ones fail the upgrade, new ones are named. */
export function compareCrons(stack: Stack, acceptLostCrons: boolean, database: Text = namesOf(stack).database): Act {
  const before = output("before", "crons");
  const lost: Probe = {
    title: "every scheduled action that was active still is",
    action: stack.postgres.query(database, lostCronsSql, { before }),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
    code: "upgrade.crons_lost",
  };
  return read(
    {
      id: "crons",
      title: "Compare the active scheduled actions",
      action: stack.postgres.query(database, newCronsSql, { before }),
      outputs: { switchedOn: { from: "stdout" } },
    },
    { verify: acceptLostCrons ? [] : [lost] },
  );
}

/** Kept in the database itself, so that every copy of it knows which code it belongs to. */
export function recordHashes(stack: Stack, given: Update["hashes"]): Act {
  const { database } = namesOf(stack);
  const hashes = JSON.stringify(given);
  return change(
    {
      id: "record",
      title: "Record which code is installed",
      action: stack.postgres.query(database, recordHashesSql, { hashes }),
    },
    {
      verify: [
        {
          title: "the record is there",
          action: stack.postgres.query(
            database,
            "select value from ir_config_parameter where key = 'ipai.module_hashes';",
          ),
          output: { from: "stdout" },
          compare: "eq",
          with: hashes,
        },
      ],
    },
  );
}
