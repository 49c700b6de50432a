import { command, type Probe } from "../../../runbook/action.ts";
import type { Act, Step } from "../../../runbook/plan.ts";
import { join, runId, type Text } from "../../../runbook/value.ts";
import { linkTree, pathExists, pathIsAbsent, swapTree } from "../../../stack/files.ts";
import { copyDatabaseSql, dropDatabaseSql, otherSessionsSql, swapDatabasesSql } from "../../../stack/postgres.ts";
import type { SideCluster } from "../../../stack/side.ts";
import type { Stack } from "../../../stack/stack.ts";
import { change, require, takeBack } from "../../steps.ts";
import { kept } from "../backup.ts";
import { copyName } from "../copy.ts";
import { manifestSql } from "../manifest.ts";
import { fileIn } from "./side.ts";

/** From the side cluster into the serving one, under another name first; then the two change places. */

/** Names that belong to this run alone. */
export function namesOf({ config, odoo }: Stack) {
  const { database } = config.odoo;
  const past = join(`${database}_past_`, runId);
  const before = join(`${database}_before_`, runId);
  return { database, past, before, pastFiles: odoo.filestoreOf(past), beforeFiles: odoo.filestoreOf(before) };
}

/** A database for Odoo to be tried on: it will be neutralized, and what is carried over must not be. */
export function makeCopy(stack: Stack, side: SideCluster): Act {
  const { database } = stack.config.odoo;
  const exists: Probe = {
    title: "the copy is there, and Odoo's user may use it",
    action: side.query(
      "postgres",
      "select count(*) from pg_database where datname = :'copy' and has_database_privilege(:'user', datname, 'create');",
      {
        copy: copyName,
        user: stack.config.odoo.user,
      },
    ),
    output: { from: "stdout", as: "number" },
    compare: "eq",
    with: 1,
  };
  return change(
    {
      id: "copy",
      title: "Copy the database within the side cluster, to try Odoo on",
      action: side.query("postgres", copySql, {
        source: database,
        copy: copyName,
        name: copyName,
        user: stack.config.odoo.user,
      }),
    },
    { verify: [exists], timeoutSeconds: 7200 },
  );
}

const copySql = `
${dropDatabaseSql.trim()}
select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = :'source' and pid <> pg_backend_pid();
${copyDatabaseSql.trim()}
select format('create role %I', :'user') where to_regrole(quote_ident(:'user')) is null \\gexec
alter role :"user" login;
select format('grant %I to %I', pg_get_userbyid(datdba), :'user') from pg_database
  where datname = :'copy' and pg_get_userbyid(datdba) <> :'user' \\gexec
`;

/** Every row of every table is read: a page that came back wrong is met here, and not by a user. */
export function judgePast(stack: Stack, side: SideCluster, folder: Text): readonly Act[] {
  const { database } = stack.config.odoo;
  const isOdoo: Probe = {
    title: "it is an Odoo database",
    action: side.query(database, "select count(*) from ir_module_module where state = 'installed';"),
    output: { from: "stdout", as: "number" },
    compare: "ge",
    with: 1,
    code: "restore.carry_failed",
  };
  return [
    change(
      {
        id: "manifest",
        title: "Read every table of the past",
        action: kept(side.query(database, manifestSql), fileIn(folder, "manifest")),
      },
      {
        verify: [isOdoo, pathExists(stack.tools, fileIn(folder, "manifest"), "its manifest is there")],
        timeoutSeconds: 6 * 3600,
      },
    ),
  ];
}

/** The dump makes its database itself, so it is given its new name first; what a killed attempt left of it is dropped. */
export function carryOver(stack: Stack, side: SideCluster, folder: Text, jobs: number): readonly Step[] {
  const { tools: host, postgres } = stack;
  const { database, past } = namesOf(stack);
  const dump = fileIn(folder, "dump");
  const named: Probe = {
    title: "it has its new name",
    action: side.query("postgres", "select count(*) from pg_database where datname = :'name';", { name: past }),
    output: { from: "stdout", as: "number" },
    compare: "eq",
    with: 1,
  };
  const load = postgres.client(
    "pg_restore",
    "--create",
    "--clean",
    "--if-exists",
    "--exit-on-error",
    "--no-tablespaces",
    "--no-subscriptions",
    `--jobs=${jobs}`,
    "--dbname=postgres",
    dump,
  );
  return [
    change(
      {
        id: "name",
        title: "Give the past its new name",
        action: side.query("postgres", `alter database :"database" rename to :"past";`, { database, past }),
      },
      { done: named, verify: [named], attempts: 3 },
    ),
    change(
      { id: "dump", title: "Dump it", action: side.dump(past, dump, jobs) },
      { verify: [dumpIsWhole(stack, dump)], timeoutSeconds: 12 * 3600 },
    ),
    change(
      {
        id: "load",
        title: "Load it into the serving server, under its new name",
        action: command(host, load, {
          exitCodes: { 1: "restore.carry_failed" },
        }),
      },
      {
        verify: [postgres.databaseExists(past)],
        attempts: 2,
        timeoutSeconds: 12 * 3600,
        undo: [
          takeBack(
            {
              id: "unload",
              title: "Remove it again",
              action: postgres.query("postgres", dropDatabaseSql, { name: past }),
            },
            { done: postgres.databaseIsAbsent(past), verify: [postgres.databaseIsAbsent(past)] },
          ),
        ],
      },
    ),
    compareCarried(stack, folder, past),
  ];
}

function dumpIsWhole(stack: Stack, dump: Text): Probe {
  return {
    title: "the dump's table of contents is complete",
    action: stack.postgres.listDump(dump),
    output: { from: "stdout" },
    compare: "has",
    with: "ir_attachment",
    code: "backup.dump_failed",
  };
}

function compareCarried(stack: Stack, folder: Text, past: Text): Act {
  const mine = fileIn(folder, "manifest-carried");
  const lines = ["--unchanged-line-format=", "--old-line-format=- %L", "--new-line-format=+ %L"];
  return change(
    {
      id: "compare",
      title: "Compare every table with the side cluster's",
      action: kept(stack.postgres.query(past, manifestSql), mine),
    },
    {
      verify: [
        {
          title: "every table has the rows and checksums that it had",
          action: command(stack.tools, ["diff", ...lines, "--", fileIn(folder, "manifest"), mine], {
            okExitCodes: [0, 1],
          }),
          output: { from: "stdout" },
          compare: "absent",
          with: "",
          code: "restore.carried_differs",
        },
      ],
      timeoutSeconds: 6 * 3600,
    },
  );
}

/** With Odoo stopped. Taken back, both change places again, and the present serves as it was. */
export function changePlaces(stack: Stack): readonly Step[] {
  const { tools: host, postgres, odoo } = stack;
  const { database, past, before, pastFiles, beforeFiles } = namesOf(stack);
  const live = odoo.filestoreOf(database);
  const alone: Probe = {
    title: "no other session is on the database",
    action: postgres.query("postgres", otherSessionsSql, { name: database }),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
    code: "restore.database_busy",
  };
  return [
    require({ id: "alone", title: "Nobody else uses the database", probe: alone }, { attempts: 5 }),
    change(
      {
        id: "swap",
        title: "Put the past in the place of the present",
        action: postgres.query("postgres", swapDatabasesSql, { live: database, copy: past, aside: before }),
      },
      {
        done: postgres.databaseExists(before),
        verify: [postgres.databaseExists(before), postgres.databaseExists(database), postgres.databaseIsAbsent(past)],
        undo: [
          takeBack(
            {
              id: "swap back",
              title: "Put the present back",
              action: postgres.query("postgres", swapDatabasesSql, { live: database, copy: before, aside: past }),
            },
            {
              done: postgres.databaseIsAbsent(before),
              verify: [postgres.databaseExists(database), postgres.databaseIsAbsent(before)],
            },
          ),
        ],
      },
    ),
    change(
      { id: "swap files", title: "Put its filestore in place", action: swapTree(host, live, pastFiles, beforeFiles) },
      {
        done: pathIsAbsent(host, pastFiles, "the filestore of the past is in its place"),
        verify: [
          pathExists(host, live, "the filestore is there"),
          pathExists(host, beforeFiles, "the present's filestore is kept"),
        ],
        undo: [
          takeBack(
            {
              id: "swap files back",
              title: "Put the filestore back",
              action: swapTree(host, live, beforeFiles, pastFiles),
            },
            {
              done: pathIsAbsent(host, beforeFiles, "the filestore is in its place"),
              verify: [pathExists(host, live, "the filestore is there")],
            },
          ),
        ],
      },
    ),
  ];
}

/** Odoo is tried on links, so that nothing of the filestore that will serve is moved. */
export function linkForCopy(stack: Stack, folder: Text): Act {
  const target = fileIn(folder, "set/filestore");
  const there = pathExists(stack.tools, target, "the copy's filestore is there");
  return change(
    {
      id: "files for copy",
      title: "Link the filestore for the copy",
      action: linkTree(stack.tools, namesOf(stack).pastFiles, target),
    },
    { verify: [there], timeoutSeconds: 6 * 3600 },
  );
}
