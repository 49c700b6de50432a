import type { Act } from "../../runbook/plan.ts";
import { join, output, runId } from "../../runbook/value.ts";
import { linkTree, pathExists, pathIsAbsent, removeTree, swapTree } from "../../stack/files.ts";
import { structureSql } from "../../stack/odoo/sql.ts";
import { dropDatabaseSql, swapDatabasesSql } from "../../stack/postgres.ts";
import type { Stack } from "../../stack/stack.ts";
import { change, read, takeBack } from "../steps.ts";

/** The way back of an upgrade: a copy of database and filestore, put in their place when the update is not as it should be. */

/** Names that belong to this run alone, so that a run which is resumed finds its own things and no other's. */
export function namesOf(stack: Stack) {
  const { database } = stack.config.odoo;
  return {
    database,
    before: join(`${database}_before_`, runId),
    failed: join(`${database}_failed_`, runId),
    work: join(`${stack.config.workDirectory}/runs/`, runId),
    log: join(`${stack.config.workDirectory}/runs/`, runId, "/update.log"),
  };
}

export function snapshotDatabase(stack: Stack, databaseBytes: number): Act {
  const { before, database } = namesOf(stack);
  const { postgres } = stack;
  return change(
    { id: "snapshot", title: "Copy the database", action: postgres.copyHidden(database, before) },
    {
      done: postgres.isHidden(before),
      verify: [postgres.isHidden(before)],
      attempts: 3,
      timeoutSeconds: 7200,
      forecastSeconds: Math.ceil(databaseBytes / copyBytesPerSecond),
      undo: [
        takeBack(
          {
            id: "drop snapshot",
            title: "Remove the copy",
            action: postgres.query("postgres", dropDatabaseSql, { name: before }),
          },
          { done: postgres.databaseIsAbsent(before), verify: [postgres.databaseIsAbsent(before)] },
        ),
      ],
    },
  );
}

/** Measured on the test machine for `CREATE DATABASE … TEMPLATE`; only used to say how long it will take. */
export const copyBytesPerSecond = 100_000_000;

export function snapshotFilestore(stack: Stack): Act {
  const { before, database } = namesOf(stack);
  const copy = stack.odoo.filestoreOf(before);
  return change(
    {
      id: "snapshot files",
      title: "Link the filestore",
      action: linkTree(stack.tools, stack.odoo.filestoreOf(database), copy),
    },
    {
      done: pathExists(stack.tools, copy, "the filestore's copy exists"),
      verify: [pathExists(stack.tools, copy, "the filestore's copy exists")],
      timeoutSeconds: 3600,
      undo: [
        takeBack(
          { id: "drop files snapshot", title: "Remove the filestore's copy", action: removeTree(stack.tools, copy) },
          { verify: [pathIsAbsent(stack.tools, copy, "the filestore's copy is gone")] },
        ),
      ],
    },
  );
}

/** Copy and live database change places, and the old one is proven to be there. */
export function swapBack(stack: Stack): readonly Act[] {
  const { database, before, failed } = namesOf(stack);
  const { postgres, tools: host, odoo } = stack;
  const failedFiles = odoo.filestoreOf(failed);
  const beforeFiles = odoo.filestoreOf(before);
  return [
    takeBack(
      {
        id: "swap database",
        title: "Put the copy of the database in its place",
        action: postgres.query("postgres", swapDatabasesSql, { live: database, copy: before, aside: failed }),
      },
      {
        done: postgres.databaseIsAbsent(before),
        verify: [postgres.databaseExists(database), postgres.databaseIsAbsent(before)],
      },
    ),
    takeBack(
      {
        id: "swap files",
        title: "Put the copy of the filestore in its place",
        action: swapTree(host, odoo.filestoreOf(database), beforeFiles, failedFiles),
      },
      {
        done: pathIsAbsent(host, beforeFiles, "the filestore's copy is in its place"),
        verify: [pathExists(host, odoo.filestoreOf(database), "the filestore is there")],
      },
    ),
    read(
      {
        id: "compare",
        title: "The database is as it was before",
        action: postgres.query(database, structureSql),
        outputs: {},
      },
      {
        attempts: 2,
        verify: [
          {
            title: "modules, scheduled actions and structure are as before",
            action: postgres.query(database, structureSql),
            output: { from: "stdout", as: "json" },
            compare: "eq",
            with: output("before", "structure"),
            code: "upgrade.undo_differs",
          },
        ],
      },
    ),
  ];
}

/** Only once everything serves again: the server writes all of its memory to the disk before it drops a database, and users would wait. */
export function dropFailed(stack: Stack): readonly Act[] {
  const { failed } = namesOf(stack);
  const { postgres, tools: host, odoo } = stack;
  const files = odoo.filestoreOf(failed);
  const [absent, gone] = [postgres.databaseIsAbsent(failed), pathIsAbsent(host, files, "the failed filestore is gone")];
  return [
    takeBack(
      {
        id: "drop failed database",
        title: "Remove the failed database",
        action: postgres.query("postgres", dropDatabaseSql, { name: failed }),
      },
      { effect: "destroy", done: absent, verify: [absent] },
    ),
    takeBack(
      { id: "drop failed files", title: "Remove the failed filestore", action: removeTree(host, files) },
      { effect: "destroy", done: gone, verify: [gone] },
    ),
  ];
}

export function dropSnapshotDatabase(stack: Stack): Act {
  const { before } = namesOf(stack);
  return change(
    {
      id: "forget snapshot",
      title: "Remove the copy of the database",
      action: stack.postgres.query("postgres", dropDatabaseSql, { name: before }),
    },
    { effect: "destroy", verify: [stack.postgres.databaseIsAbsent(before)], onFail: "continue", attempts: 3 },
  );
}

export function dropSnapshotFilestore(stack: Stack): Act {
  const copy = stack.odoo.filestoreOf(namesOf(stack).before);
  return change(
    { id: "forget files snapshot", title: "Remove the copy of the filestore", action: removeTree(stack.tools, copy) },
    {
      effect: "destroy",
      verify: [pathIsAbsent(stack.tools, copy, "the copy is gone")],
      onFail: "continue",
      attempts: 3,
    },
  );
}
