import { z } from "zod";
import { command, type Probe } from "../../runbook/action.ts";
import type { Act, Plan } from "../../runbook/plan.ts";
import { join, output, runId } from "../../runbook/value.ts";
import {
  copyTree,
  linkTree,
  makeDirectory,
  pathExists,
  pathIsAbsent,
  removeTree,
  swapTree,
  treesAreEqual,
} from "../../stack/files.ts";
import {
  activeCronsSql,
  lostCronsSql,
  newCronsSql,
  pendingModulesSql,
  recordHashesSql,
  structureSql,
  versionMismatchSql,
} from "../../stack/odoo/sql.ts";
import { copyDatabaseSql, dropDatabaseSql, otherSessionsSql, swapDatabasesSql } from "../../stack/postgres.ts";
import type { Stack } from "../../stack/stack.ts";
import type { Procedure } from "../procedure.ts";
import { change, read, require, takeBack, whileClosed, whileOdooStopped } from "../steps.ts";
import { keptCodeFolder, type ModuleChange, readUpgradeFacts, type UpgradeFacts } from "./facts.ts";

const input = z.object({
  modules: z.array(z.string()).default([]).describe("Modules to update; all changed ones when empty"),
  acceptLostCrons: z.boolean().default(false).describe("Accept that active scheduled actions disappear"),
});
type UpgradeInput = z.infer<typeof input>;

export const upgrade: Procedure<UpgradeInput, UpgradeFacts> = {
  name: "upgrade",
  chapter: "upgrade",
  version: 1,
  title: "Upgrade modules",
  summary:
    "Updates the modules whose code changed. Odoo is stopped, database and filestore are copied, the update is run and judged by " +
    "its log and by the database; when anything is not as it should be, code, database and filestore go back and the old version serves again.",
  input,
  facts: (reader, { modules }) => readUpgradeFacts(reader, modules),
  plan: planUpgrade,
};

function planUpgrade(stack: Stack, { modules, acceptLostCrons }: UpgradeInput, facts: UpgradeFacts): Plan {
  const names = facts.changes.map((module) => module.name);
  const proxy = stack.config.services.proxy;
  return {
    procedure: upgrade.name,
    version: upgrade.version,
    stack: stack.name,
    title: `Upgrade ${names.join(", ")}`,
    input: { modules, acceptLostCrons },
    facts: {
      series: facts.series,
      changes: facts.changes.map((module) => ({ ...module })),
      running: facts.runningServices,
    },
    lease: "exclusive",
    notes: notesOf(facts),
    steps: [
      workDirectory(stack),
      ...whileClosed(stack, { proxy: facts.isProxyRunning ? proxy?.name : undefined, odoo: facts.runningServices }, [
        ...whileOdooStopped(stack, facts.runningServices, [
          holdCode(stack, facts),
          require({ id: "alone", title: "Nobody else uses the database", probe: aloneProbe(stack) }, { attempts: 5 }),
          readBefore(stack),
          snapshotDatabase(stack, facts),
          snapshotFilestore(stack),
          update(stack, facts),
          compareCrons(stack, acceptLostCrons),
          recordHashes(stack, facts),
        ]),
      ]),
      { kind: "pivot", id: "open", title: "Users are back: from here on their work would be lost by a swap" },
      ...facts.changes.map((module) => keepCode(stack, module)),
      dropSnapshotDatabase(stack),
      dropSnapshotFilestore(stack),
    ],
  };
}

function notesOf(facts: UpgradeFacts): readonly string[] {
  const changes = facts.changes.map((module) => `${module.name}: ${module.from} → ${module.to}`);
  const unkept = facts.changes.filter((module) => !module.isCodeKept).map((module) => module.name);
  return [
    ...changes,
    ...(unkept.length === 0
      ? []
      : [
          `The code that is installed now is not known for ${unkept.join(", ")}: an undo puts the database back, ` +
            "but the services would start with the code that lies in the addons folder.",
        ]),
    ...(facts.runningServices.length === 0 ? ["No Odoo service runs now; none will be started."] : []),
  ];
}

/** Names that belong to this run alone, so that a run which is resumed finds its own things and no other's. */
function namesOf(stack: Stack) {
  const { database } = stack.config.odoo;
  return {
    database,
    before: join(`${database}_before_`, runId),
    failed: join(`${database}_failed_`, runId),
    work: join(`${stack.config.workDirectory}/runs/`, runId),
    log: join(`${stack.config.workDirectory}/runs/`, runId, "/update.log"),
  };
}

/** Where the log of the update stays, as evidence. */
function workDirectory(stack: Stack): Act {
  const { work } = namesOf(stack);
  return change(
    { id: "work", title: "Make the run's own folder", action: makeDirectory(stack.host, work) },
    { verify: [pathExists(stack.host, work, "the run's folder is there")] },
  );
}

/** From here on the new code is what a service would start with; taking this back puts the installed code in its place. */
function holdCode(stack: Stack, facts: UpgradeFacts): Act {
  const inventory = stack.odoo.inventory(stack.config.odoo.addons);
  return read(
    { id: "code", title: "The code is the one that was planned", action: inventory, outputs: {} },
    {
      verify: facts.changes.map((module) => ({
        title: `${module.name} is as it was planned`,
        action: inventory,
        output: { from: "stdout" },
        compare: "has",
        with: module.hash,
        code: "upgrade.code_changed",
      })),
      undo: facts.changes.filter((module) => module.isCodeKept).flatMap((module) => putCodeBack(stack, module)),
    },
  );
}

/** The rejected code is set aside, not lost: somebody will want to correct it. */
function putCodeBack(stack: Stack, module: ModuleChange): readonly Act[] {
  const { host } = stack;
  const kept = `${keptCodeFolder(stack.config.workDirectory)}/${module.name}`;
  const rejected = join(`${stack.config.workDirectory}/rejected/`, runId, `/${module.name}`);
  const equal = treesAreEqual(host, kept, module.folder, `the installed code of ${module.name} is in place`);
  return [
    takeBack(
      {
        id: `reject ${module.name}`,
        title: `Set the new code of ${module.name} aside`,
        action: copyTree(host, module.folder, rejected),
      },
      { done: pathExists(host, rejected, "the new code is set aside"), timeoutSeconds: 120 },
    ),
    takeBack(
      {
        id: `restore code ${module.name}`,
        title: `Put the installed code of ${module.name} back`,
        action: copyTree(host, kept, module.folder),
      },
      { done: equal, verify: [equal], timeoutSeconds: 120 },
    ),
  ];
}

function aloneProbe(stack: Stack): Probe {
  return {
    title: "no other session is on the database",
    action: stack.postgres.query("postgres", otherSessionsSql, { name: stack.config.odoo.database }),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
    code: "upgrade.database_busy",
  };
}

function readBefore(stack: Stack): Act {
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

function snapshotDatabase(stack: Stack, facts: UpgradeFacts): Act {
  const { before, database } = namesOf(stack);
  const { postgres } = stack;
  return change(
    {
      id: "snapshot",
      title: "Copy the database",
      action: postgres.query("postgres", copyDatabaseSql, { source: database, copy: before }),
    },
    {
      done: postgres.databaseExists(before),
      verify: [postgres.databaseExists(before)],
      attempts: 3,
      timeoutSeconds: 7200,
      forecastSeconds: Math.ceil(facts.databaseBytes / copyBytesPerSecond),
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
const copyBytesPerSecond = 100_000_000;

function snapshotFilestore(stack: Stack): Act {
  const { before, database } = namesOf(stack);
  const copy = stack.odoo.filestoreOf(before);
  return change(
    {
      id: "snapshot files",
      title: "Link the filestore",
      action: linkTree(stack.host, stack.odoo.filestoreOf(database), copy),
    },
    {
      done: pathExists(stack.host, copy, "the filestore's copy exists"),
      verify: [pathExists(stack.host, copy, "the filestore's copy exists")],
      timeoutSeconds: 3600,
      undo: [
        takeBack(
          { id: "drop files snapshot", title: "Remove the filestore's copy", action: removeTree(stack.host, copy) },
          { verify: [pathIsAbsent(stack.host, copy, "the filestore's copy is gone")] },
        ),
      ],
    },
  );
}

function update(stack: Stack, facts: UpgradeFacts): Act {
  const { log } = namesOf(stack);
  return change(
    {
      id: "update",
      title: `Update ${facts.changes.map((module) => module.name).join(", ")}`,
      action: stack.odoo.update(
        facts.changes.map((module) => module.name),
        log,
      ),
    },
    {
      verify: successCriteria(stack, facts),
      undo: swapBack(stack),
      // A half-done update cannot be told from a finished one by looking at the database.
      onInterrupt: "undo",
      timeoutSeconds: 4 * 3600,
      forecastSeconds: 5 + 2 * facts.changes.length,
    },
  );
}

/**
 * Odoo exits with 0 for a misspelled module, missing code, and a constraint that could not be added. An update counts as done
 * only when its log and its database both say so.
 */
function successCriteria(stack: Stack, facts: UpgradeFacts): readonly Probe[] {
  const { database, log } = namesOf(stack);
  const { postgres, host } = stack;
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
  const versions = JSON.stringify(Object.fromEntries(facts.changes.map((module) => [module.name, module.to])));
  return [
    grep("the log has no error", " (ERROR|CRITICAL) ", "upgrade.log_errors"),
    grep("the log has no warning that means failure", failureWarnings, "upgrade.log_errors"),
    seen("the log says that the modules are loaded", "Modules loaded."),
    ...facts.changes.map((module) =>
      seen(`the log says that ${module.name} was loaded`, `Module ${module.name} loaded`),
    ),
    {
      title: "no module is between two states",
      action: postgres.query(database, pendingModulesSql),
      output: { from: "stdout" },
      compare: "absent",
      with: "",
      code: "upgrade.modules_pending",
    },
    {
      title: "every module is installed at the version of its code",
      action: postgres.query(database, versionMismatchSql, { versions }),
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

/** Copy and live database change places; only when the old one is proven to be there is the failed one removed. */
function swapBack(stack: Stack): readonly Act[] {
  const { database, before, failed } = namesOf(stack);
  const { postgres, host, odoo } = stack;
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
    takeBack(
      {
        id: "drop failed database",
        title: "Remove the failed database",
        action: postgres.query("postgres", dropDatabaseSql, { name: failed }),
      },
      { effect: "destroy", verify: [postgres.databaseIsAbsent(failed)] },
    ),
    takeBack(
      { id: "drop failed files", title: "Remove the failed filestore", action: removeTree(host, failedFiles) },
      { effect: "destroy", verify: [pathIsAbsent(host, failedFiles, "the failed filestore is gone")] },
    ),
  ];
}

/** Rows of `ir_cron` are never rewritten: lost ones fail the upgrade, new ones are named. */
function compareCrons(stack: Stack, acceptLostCrons: boolean): Act {
  const { database } = namesOf(stack);
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
function recordHashes(stack: Stack, facts: UpgradeFacts): Act {
  const { database } = namesOf(stack);
  const hashes = JSON.stringify(facts.hashes);
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

function keepCode(stack: Stack, module: ModuleChange): Act {
  const kept = `${keptCodeFolder(stack.config.workDirectory)}/${module.name}`;
  const equal = treesAreEqual(stack.host, module.folder, kept, `the code of ${module.name} is kept`);
  return change(
    {
      id: `keep code ${module.name}`,
      title: `Keep the code of ${module.name} for the next undo`,
      action: copyTree(stack.host, module.folder, kept),
    },
    { verify: [equal], onFail: "continue" },
  );
}

function dropSnapshotDatabase(stack: Stack): Act {
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

function dropSnapshotFilestore(stack: Stack): Act {
  const copy = stack.odoo.filestoreOf(namesOf(stack).before);
  return change(
    { id: "forget files snapshot", title: "Remove the copy of the filestore", action: removeTree(stack.host, copy) },
    {
      effect: "destroy",
      verify: [pathIsAbsent(stack.host, copy, "the copy is gone")],
      onFail: "continue",
      attempts: 3,
    },
  );
}
