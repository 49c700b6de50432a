import type { Probe } from "../../../runbook/action.ts";
import type { Act } from "../../../runbook/plan.ts";
import type { Text } from "../../../runbook/value.ts";
import { linkTree, pathExists } from "../../../stack/files.ts";
import { copyDatabaseSql, dropDatabaseSql } from "../../../stack/postgres.ts";
import type { SideCluster } from "../../../stack/side.ts";
import type { Stack } from "../../../stack/stack.ts";
import { change } from "../../steps.ts";
import { kept } from "../backup.ts";
import { copyName } from "../copy.ts";
import { attachmentsSql, manifestSql, rolesSql, sequencesSql } from "../manifest.ts";
import { fileOfSet } from "../set.ts";
import { namesOf } from "./place.ts";

/** A set is made of the database in the side cluster, as a backup makes one of the serving database: it is carried over like any other. */

/** A server beside the stack's, with the database under the name that it has there. */
export type SideServer = Pick<SideCluster, "query" | "dump">;

/** Every row of every table is read: a page that came back wrong is met here, and not by a user. */
export function describePast(
  stack: Stack,
  side: SideServer,
  folder: Text,
  database = stack.config.odoo.database,
): readonly Act[] {
  const isOdoo: Probe = {
    title: "it is an Odoo database",
    action: side.query(database, "select count(*) from ir_module_module where state = 'installed';"),
    output: { from: "stdout", as: "number" },
    compare: "ge",
    with: 1,
    code: "restore.carry_failed",
  };
  const note = (id: string, title: string, sql: string, file: string): Act =>
    change(
      { id, title, action: kept(side.query(database, sql), fileOfSet(folder, file)) },
      {
        verify: [pathExists(stack.tools, fileOfSet(folder, file), "the answer is there")],
        timeoutSeconds: 6 * 3600,
      },
    );
  const manifest = note("past manifest", "Read every table of the past", manifestSql, "manifest");
  return [
    { ...manifest, verify: [isOdoo, ...manifest.verify] },
    note("past roles", "Note its roles", rolesSql, "roles"),
    note("past sequences", "Note where its sequences stand", sequencesSql, "sequences"),
    note("past attachments", "List the attachments that it names", attachmentsSql, "attachments"),
  ];
}

/** A database for Odoo to be tried on: it will be neutralized, and what is carried over must not be. */
export function makeCopy(stack: Stack, side: SideServer): Act {
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

/** Odoo is tried on links, so that nothing of the filestore that will serve is moved. */
export function linkForCopy(stack: Stack, folder: Text): Act {
  const target = fileOfSet(folder, "filestore");
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

export function dumpPast(
  stack: Stack,
  side: SideServer,
  folder: Text,
  jobs: number,
  database = stack.config.odoo.database,
): Act {
  const dump = fileOfSet(folder, "dump");
  const listed: Probe = {
    title: "the dump's table of contents is complete",
    action: stack.postgres.listDump(dump),
    output: { from: "stdout" },
    compare: "has",
    with: "ir_attachment",
    code: "backup.dump_failed",
  };
  return change(
    { id: "dump", title: "Dump it", action: side.dump(database, dump, jobs) },
    { verify: [listed], timeoutSeconds: 12 * 3600 },
  );
}
