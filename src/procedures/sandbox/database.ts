import { command, type Probe } from "../../runbook/action.ts";
import type { Act } from "../../runbook/plan.ts";
import { join, runId } from "../../runbook/value.ts";
import { copyTree, pathExists } from "../../stack/files.ts";
import type { Stack } from "../../stack/stack.ts";
import { change } from "../steps.ts";
import { sandboxUser } from "./definition.ts";
import type { SandboxFacts, SandboxInput } from "./facts.ts";

/** The practice database: installed by Odoo the first time, restored from the copy that was kept every other time. */

export function makeRole(stack: Stack): Act {
  const { postgres } = stack;
  const role: Probe = {
    title: "the role of Odoo is there",
    action: postgres.query("postgres", "select count(*) from pg_roles where rolname = :'role';", { role: sandboxUser }),
    output: { from: "stdout", as: "number" },
    compare: "eq",
    with: 1,
  };
  return change(
    {
      id: "role",
      title: "Make the role of Odoo, which may not make databases",
      action: postgres.query("postgres", `create role :"role" login nosuperuser nocreatedb nocreaterole;`, {
        role: sandboxUser,
      }),
    },
    { done: role, verify: [role], attempts: 5 },
  );
}

const createDatabaseSql = `
select format('create database odoo owner %I template template0 encoding %L lc_collate %L lc_ctype %L', :'owner', 'UTF8', 'C', 'C.UTF-8')
  where not exists (select from pg_database where datname = 'odoo') \\gexec
`;

function createDatabase(stack: Stack): Act {
  return change(
    {
      id: "create",
      title: "Make the database",
      action: stack.postgres.query("postgres", createDatabaseSql, { owner: sandboxUser }),
    },
    { verify: [stack.postgres.databaseExists("odoo")], attempts: 3 },
  );
}

/** Nothing that can be missing when a copy half restored is found again: the marker is the last thing that a restore writes. */
export function restoreTemplate(stack: Stack, { template }: SandboxFacts): readonly Act[] {
  const { host, odoo, postgres } = stack;
  return [
    createDatabase(stack),
    change(
      {
        id: "restore",
        title: "Restore the kept fresh database",
        action: command(host, postgres.client("pg_restore", ...restoreOptions, `${template}/dump`)),
      },
      { done: modulesInstalled(stack), verify: [modulesInstalled(stack)], timeoutSeconds: 600, forecastSeconds: 5 },
    ),
    change(
      {
        id: "filestore",
        title: "Copy its filestore",
        action: copyTree(host, `${template}/filestore`, odoo.filestoreOf("odoo")),
      },
      { verify: [pathExists(host, odoo.filestoreOf("odoo"), "the filestore is there")] },
    ),
  ];
}

/** `--clean`: a restore that was killed half-way is begun again. */
const restoreOptions = [
  "--clean",
  "--if-exists",
  "--exit-on-error",
  "--no-owner",
  `--role=${sandboxUser}`,
  "--jobs=2",
  "--dbname=odoo",
];

export function modulesInstalled(stack: Stack): Probe {
  return {
    title: "the practice modules are installed",
    action: stack.postgres.query("odoo", installedSql, {}),
    output: { from: "stdout", as: "number" },
    compare: "eq",
    with: 2,
  };
}

const installedSql = `
select case when to_regclass('public.ir_module_module') is null then 0 else
  (xpath('/row/count/text()', query_to_xml('select count(*) from ir_module_module where name like ''ipai\\_demo%'' and state = ''installed''', false, true, '')))[1]::text::int
end;
`;

/** What a fresh database holds. Kept small: the practice is about operating, not about accounting. */
const standardModules = ["base", "web", "project", "account"];

export function installOdoo(stack: Stack, given: SandboxInput, facts: SandboxFacts): readonly Act[] {
  const { host, odoo, postgres } = stack;
  const partial = `${facts.template}.partial`;
  const modules = [...standardModules, ...Object.keys(facts.hashes)];
  const log = join(`${stack.config.workDirectory}/install-`, runId, ".log");
  const keep = 'mv -T -- "$1" "$2" 2>/dev/null || rm -rf -- "$1"';
  return [
    createDatabase(stack),
    change(
      { id: "install", title: `Install ${modules.join(", ")}`, action: odoo.install(modules, log) },
      { done: modulesInstalled(stack), verify: [modulesInstalled(stack)], timeoutSeconds: 900, forecastSeconds: 35 },
    ),
    change(
      {
        id: "template folder",
        title: "Make room for a copy for the next time",
        action: command(host, ["install", "-d", "-m", "0755", "-o", postgres.user, given.cache, partial]),
      },
      { verify: [pathExists(host, partial, "the folder is there")], onFail: "continue" },
    ),
    change(
      {
        id: "template dump",
        title: "Keep a copy of the fresh database",
        action: postgres.dump("odoo", { folder: `${partial}/dump`, jobs: 2 }),
      },
      { verify: [pathExists(host, `${partial}/dump/toc.dat`, "the dump is there")], onFail: "continue" },
    ),
    change(
      {
        id: "template files",
        title: "Keep a copy of its filestore",
        action: copyTree(host, odoo.filestoreOf("odoo"), `${partial}/filestore`),
      },
      { verify: [pathExists(host, `${partial}/filestore`, "the filestore is there")], onFail: "continue" },
    ),
    change(
      {
        id: "template",
        title: "Name the copy",
        action: command(host, ["sh", "-c", keep, "keep", partial, facts.template]),
      },
      { verify: [pathExists(host, facts.template, "the copy is kept")], onFail: "continue" },
    ),
  ];
}
