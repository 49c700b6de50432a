import { command, type Probe } from "../../runbook/action.ts";
import type { Act } from "../../runbook/plan.ts";
import { join, runId, type Text } from "../../runbook/value.ts";
import { copyTree, pathExists } from "../../stack/files.ts";
import { recordHashesSql } from "../../stack/odoo/sql.ts";
import type { Stack } from "../../stack/stack.ts";
import { change } from "../steps.ts";
import { keptCodeFolder } from "../upgrade/facts.ts";
import { sandboxUser } from "./definition.ts";
import type { SandboxFacts, SandboxInput } from "./facts.ts";

/** The practice database: installed by Odoo the first time, a copy of the cluster that was kept every other time. */

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

export function createDatabase(stack: Stack): Act {
  return change(
    {
      id: "create",
      title: "Make the database",
      action: stack.postgres.query("postgres", createDatabaseSql, { owner: sandboxUser }),
    },
    { verify: [stack.postgres.databaseExists("odoo")], attempts: 3 },
  );
}

/** Takes the place of the new cluster's empty data folder before its server is first started. */
export function copyTemplate(stack: Stack, { folder }: SandboxInput, { template }: SandboxFacts): readonly Act[] {
  const { tools: host, odoo } = stack;
  const copy = (id: string, title: string, source: string, target: Text) => {
    const there = pathExists(host, target, "the copy is there");
    return change({ id, title, action: copyTree(host, source, target) }, { verify: [there] });
  };
  return [
    copy("data", "Copy the kept fresh database", `${template}/data`, `${folder}/data`),
    copy("filestore", "Copy its filestore", `${template}/filestore`, odoo.filestoreOf("odoo")),
  ];
}

/** What a fresh database holds. Kept small: the practice is about operating, not about accounting. */
const standardModules = ["base", "web", "project", "account"];

/** All of them: an installation that was killed has some. */
export function modulesInstalled(stack: Stack): Probe {
  return {
    title: "the practice modules are installed, and what they need",
    action: stack.postgres.query("odoo", installedSql, {}),
    output: { from: "stdout", as: "number" },
    compare: "eq",
    with: standardModules.length + 2,
  };
}

/** None, while any is still to be installed. */
const installedSql = `
select case when to_regclass('public.ir_module_module') is null then 0 else
  (xpath('/row/count/text()', query_to_xml('select count(*) from ir_module_module
    where state = ''installed'' and (name like ''ipai\\_demo%'' or name in (${standardModules.map((name) => `''${name}''`).join(", ")}))
      and not exists (select from ir_module_module where state like ''to %'')', false, true, '')))[1]::text::int
end;
`;

export function installOdoo(stack: Stack, hashes: Hashes): Act {
  const modules = [...standardModules, ...Object.keys(hashes)];
  const log = join(`${stack.config.workDirectory}/install-`, runId, ".log");
  return change(
    { id: "install", title: `Install ${modules.join(", ")}`, action: stack.odoo.bring({ install: modules }, log) },
    { done: modulesInstalled(stack), verify: [modulesInstalled(stack)], timeoutSeconds: 900, forecastSeconds: 35 },
  );
}

/** Content hashes of the practice modules, by their names. */
export type Hashes = Readonly<Record<string, string>>;

/** What an upgrade will compare with. */
export function recordInstalled(stack: Stack, hashes: Hashes): Act {
  const text = JSON.stringify(hashes);
  return change(
    {
      id: "record",
      title: "Record which code is installed",
      action: stack.postgres.query("odoo", recordHashesSql, { hashes: text }),
    },
    { verify: [modulesInstalled(stack)] },
  );
}

/** `modules`: the folder that it was installed from. */
export function keepInstalledCode(stack: Stack, modules: string, module: string): Act {
  const kept = `${keptCodeFolder(stack.config.workDirectory)}/${module}`;
  return change(
    {
      id: `keep ${module}`,
      title: `Keep the code of ${module}`,
      action: copyTree(stack.tools, `${modules}/${module}`, kept),
    },
    { verify: [pathExists(stack.tools, kept, "the code is kept")] },
  );
}

/** The cluster as it is now, for the next time. */
export function keepTemplate(stack: Stack, given: SandboxInput, facts: SandboxFacts): readonly Act[] {
  const { tools: host, odoo, postgres } = stack;
  const partial = `${facts.template}.partial`;
  const room = 'rm -rf -- "$3" && install -d -m 0755 "$2" && install -d -m 0755 -o "$1" "$3"';
  const keep = 'mv -T -- "$1" "$2" 2>/dev/null || rm -rf -- "$1"';
  return [
    change(
      {
        id: "template folder",
        title: "Make room for a copy for the next time",
        action: command(host, ["sh", "-c", room, "room", postgres.user, given.cache, partial]),
      },
      { verify: [pathExists(host, partial, "the folder is there")], onFail: "continue" },
    ),
    change(
      {
        id: "template data",
        title: "Keep a copy of the fresh database",
        action: command(host, postgres.client("pg_basebackup", "--checkpoint=fast", `--pgdata=${partial}/data`)),
      },
      { verify: [pathExists(host, `${partial}/data/PG_VERSION`, "the copy is there")], onFail: "continue" },
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
