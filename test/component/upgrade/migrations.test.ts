import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { App } from "../../../src/cli/app.ts";
import type { Run } from "../../../src/engine/journal.ts";
import { readOutput } from "../../../src/host/perform.ts";
import { orderScripts, runScripts, stillToRun } from "../../../src/procedures/upgrade/major/scripts.ts";
import type { Action } from "../../../src/runbook/action.ts";
import type { Plan } from "../../../src/runbook/plan.ts";
import { createGit } from "../../../src/stack/git.ts";
import {
  listMigrationFiles,
  type MigrationGround,
  parseMigrationFiles,
  parseRecordedMigrations,
  recordedMigrationsSql,
} from "../../../src/stack/odoo/migrations.ts";
import { createOdoo } from "../../../src/stack/odoo/odoo.ts";
import type { Stack } from "../../../src/stack/stack.ts";
import { type Archived, createArchived, lacking } from "../../harness/archive.ts";
import { commit, type Files, makeRepository } from "../../harness/git.ts";
import { strike } from "../../harness/kill.ts";
import { perform } from "../../harness/perform.ts";
import { approvedRun, planOf, resume, runPlan } from "../../harness/plans.ts";
import { root } from "../../harness/sandbox.ts";

/** Migration scripts on a real PostgreSQL, out of a real repository, carried out by the engine. */

const isPossible = !lacking.includes("pg_createcluster");
const database = "next";
let server: Archived;
let app: App;
let stack: Stack;
let ground: MigrationGround;

beforeAll(async () => {
  if (!isPossible) return;
  server = await createArchived(29_510);
  server.sql("alter system set fsync = off");
  server.sql("select pg_reload_conf()");
  server.sql("create role erp login");
  app = await server.app();
  stack = app.stack();
  // Peer authentication knows no other user of every machine whose Python may ask this server.
  const conf = join(server.folder, "odoo.conf");
  await writeFile(conf, `[options]\ndb_host = ${join(server.folder, "run")}\ndb_port = 29511\ndb_user = postgres\n`, {
    mode: 0o644,
  });
  const config = { ...stack.config, odoo: { ...stack.config.odoo, user: "postgres", environment: {}, config: conf } };
  stack = { ...stack, config, odoo: createOdoo(config, stack.runtime) };
  ground = { database, query: stack.postgres.query, odooOptions: [] };
}, 120_000);
afterAll(async () => {
  if (isPossible) await server[Symbol.asyncDispose]();
});
beforeEach(() => {
  if (!isPossible) return;
  server.sql(`drop database if exists ${database} with (force)`);
  server.sql(`create database ${database} owner erp`);
  // What scripts append to tells how often each was run.
  const tables = "create table effects (what text); create table ir_module_module (name text, latest_version text)";
  server.sql(`set role erp; ${tables}; insert into ir_module_module values ('base', '18.0.1.3')`, database);
});

const ask = (text: string) => server.sql(text, database);
const effects = () => ask("select coalesce(string_agg(what, ' '), '') from effects");
const did = (what: string) => `insert into effects values ('${what}');\n`;
const lines = async (action: Action) => readOutput(await perform(action), { from: "stdout", as: "jsonLines" });
const recorded = async () => parseRecordedMigrations(await lines(ground.query(database, recordedMigrationsSql)));

/** The steps for what a commit has and the database has not had. */
async function planFor(files: Files): Promise<Plan> {
  const repository = join(server.folder, `tree-${Object.keys(files).length}-${Math.random().toString(36).slice(2)}`);
  await makeRepository(repository);
  const inFolder = Object.entries(files).map(([name, text]) => [`migrations/18_to_19/${name}`, text] as const);
  const to = await commit(repository, Object.fromEntries(inFolder));
  const git = createGit("local", { repository, remote: "origin", branch: "main" });
  const found = parseMigrationFiles(await lines(listMigrationFiles(git, to, "migrations/18_to_19")));
  const scripts = stillToRun(orderScripts("migrations/18_to_19", found), await recorded());
  return planOf([...runScripts(stack.odoo, stack.config.odoo.config, ground, scripts)]);
}

const carryOut = (plan: Plan) => runPlan(app.control, plan);
const ended = ({ outcome, error }: Run) => [outcome, error?.code];
const python = (body: string) => `def migrate(cr, version):\n    ${body}\n`;

describe.skipIf(!isPossible)("migration scripts", () => {
  it("run in order, each once, and the database says so", async () => {
    const files = {
      "01_first.sql": did("first"),
      "02_second.py": python("cr.execute('insert into effects values (%s)', ['second ' + version])"),
      // As large as one may be.
      "10_third.sql": `create table made (id int);\n${did("third")}-- ${"x".repeat(999_000 - 100)}`,
      "README.md": "What they are for",
    };
    const plan = await planFor(files);
    expect(await carryOut(plan)).toMatchObject({ outcome: "succeeded" });
    expect(effects()).toBe("first second 18.0.1.3 third");
    // What a script makes is the owner's of the database, and so Odoo's to change.
    expect(ask("select tableowner from pg_tables where tablename = 'made'")).toBe("erp");
    const all = await recorded();
    expect(all.map(({ name }) => name)).toEqual([
      "18_to_19/01_first.sql",
      "18_to_19/02_second.py",
      "18_to_19/10_third.sql",
    ]);
    expect(new Set(all.map(({ run }) => run)).size).toBe(1);
    // The same steps once more find everything done; a new plan has none for them.
    expect(await carryOut(plan)).toMatchObject({ outcome: "succeeded" });
    expect(effects()).toBe("first second 18.0.1.3 third");
    expect((await planFor({ ...files, "11_fourth.sql": did("fourth") })).steps.map(({ id }) => id)).toEqual([
      "migrations",
      "migrate 11_fourth.sql",
    ]);
  });

  it("are refused when they were run and changed since", async () => {
    expect(await carryOut(await planFor({ "01_first.sql": did("first") }))).toMatchObject({ outcome: "succeeded" });
    await expect(planFor({ "01_first.sql": did("first ") })).rejects.toMatchObject({
      code: "upgrade.migration_changed",
    });
  });

  it.each([
    ["under way", "migrate 02_b.sql", "spawned"],
    ["between two", "migrate 01_a.sql", "recorded"],
    ["after its end, in Python", "migrate 03_c.py", "performed"],
  ] as const)("run once each when the program is killed: %s", async (_, step, at) => {
    const plan = await planFor({
      "01_a.sql": did("a"),
      "02_b.sql": `${did("b")}select pg_sleep(0.3);\n`,
      "03_c.py": python("cr.execute(\"insert into effects values ('c'); select pg_sleep(0.3)\")"),
      "04_d.sql": did("d"),
    });
    const run = await approvedRun(app.control, plan);
    const program = { program: "test/harness/carry-out.ts", args: [join(server.folder, "home"), run.id] };
    await strike(program, `do:${step}:${at}`);
    expect(await resume(app.control, run)).toMatchObject({ outcome: "succeeded" });
    expect(effects()).toBe("a b c d");
    expect(await recorded()).toHaveLength(4);
  });

  it.each([
    ["a statement that is wrong", "02_b.sql", `${did("half")}select nothing;\n`, 'column "nothing" does not exist'],
    ["the end of its transaction", "02_b.sql", `${did("half")}commit;\n`, "transaction commands"],
    ["psql's own commands", "02_b.sql", `${did("half")}\\! touch /tmp/never\n`, "syntax error"],
    [
      "a failure in Python",
      "02_b.py",
      python("cr.execute(\"insert into effects values ('half')\"); 1 / 0"),
      "ZeroDivision",
    ],
    [
      "a commit in Python",
      "02_b.py",
      python("cr.execute(\"insert into effects values ('half')\"); cr.connection.commit()"),
      "does not commit",
    ],
    ["no function to call", "02_b.py", "x = 1\n", "KeyError: 'migrate'"],
  ])("leave nothing behind with %s", async (_, name, text, cause) => {
    const run = await carryOut(await planFor({ "01_a.sql": did("a"), [name]: text, "03_c.sql": did("c") }));
    expect(ended(run)).toEqual(["undone", "upgrade.migration_failed"]);
    expect(run.error?.message).toContain(cause);
    expect(effects()).toBe("a");
    expect((await recorded()).map((one) => one.name)).toEqual(["18_to_19/01_a.sql"]);
  });

  it("in Python that commit by a statement are found out", async () => {
    const body = "cr.execute(\"insert into effects values ('half'); commit\")";
    const run = await carryOut(await planFor({ "01_a.py": python(body) }));
    expect(ended(run)).toEqual(["undone", "upgrade.migration_failed"]);
    expect(run.error?.message).toContain("ended the transaction");
  });
});

describe.skipIf(!isPossible)("the shipped script for names of menus", () => {
  const shipped = () => readFile(join(root, "docs/examples/migrations/17_to_18/01_menu_names.sql"), "utf8");
  const migrate = async () => {
    expect(await carryOut(await planFor({ "01_menu_names.sql": await shipped() }))).toMatchObject({
      outcome: "succeeded",
    });
  };
  const menus = (type: string, ...values: readonly string[]) =>
    server.sql(
      `set role erp; create table ir_ui_menu (id int primary key, name ${type} not null); insert into ir_ui_menu values ${values.join(", ")}`,
      database,
    );
  const names = () => ask("select string_agg(id || ' ' || name, ', ' order by id) from ir_ui_menu");

  it("makes of each text one with its language, and lets no name be empty", async () => {
    menus("varchar", "(1, 'Settings')", "(2, 'It''s \"quoted\" \\')");
    await migrate();
    expect(names()).toBe('1 {"en_US": "Settings"}, 2 {"en_US": "It\'s \\"quoted\\" \\\\"}');
    expect(() => ask("insert into ir_ui_menu values (3, null)")).toThrow();
  });

  it("takes the other languages along where Odoo kept them elsewhere", async () => {
    menus("varchar", "(1, 'Settings')", "(2, 'Users')");
    ask(
      "set role erp; create table ir_translation (id serial, type text, name text, lang text, res_id int, value text); insert into ir_translation (type, name, lang, res_id, value) " +
        "values ('model', 'ir.ui.menu,name', 'de_DE', 1, 'Einstellungen'), ('model', 'ir.ui.menu,name', 'en_US', 1, 'stale'), ('model', 'ir.ui.menu,name', 'tl_PH', 2, ''), " +
        "('model', 'res.groups,name', 'de_DE', 2, 'Gruppe')",
    );
    await migrate();
    expect(names()).toBe('1 {"de_DE": "Einstellungen", "en_US": "Settings"}, 2 {"en_US": "Users"}');
  });

  it("changes nothing where it was done already", async () => {
    menus("jsonb", `(1, '{"en_US": "Settings", "de_DE": "Einstellungen"}')`);
    await migrate();
    expect(names()).toBe('1 {"de_DE": "Einstellungen", "en_US": "Settings"}');
  });

  it("changes nothing when it is run a second time by hand", async () => {
    menus("varchar", "(1, 'Settings')");
    await migrate();
    server.sql(await shipped(), database);
    expect(names()).toBe('1 {"en_US": "Settings"}');
  });
});
