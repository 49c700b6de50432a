import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { addons, edit, fingerprint, fingerprintAtRest, installedCode, put } from "../harness/release.ts";
import { type Ended, folder, ipai, leftovers, parsed, type RunJson, sql, stopServices } from "../harness/sandbox.ts";

/**
 * Every way in which Odoo's own update fails, silently (exit code 0) or loudly (255, 1, 2): each must be caught, named, and leave
 * the database as it was. The services are stopped, so that a case takes seconds; `upgrade.test.ts` shows one with all of them up.
 */
const ledger = "ipai_demo_ledger";
const report = "ipai_demo_report";
const entry = `${ledger}/models/entry.py`;
const ledgerView = `${ledger}/views/entry_views.xml`;
let before: string;

beforeAll(async () => {
  await installedCode();
  await stopServices();
  before = await fingerprintAtRest();
});
beforeEach(installedCode);
afterAll(async () => {
  await installedCode();
  expect((await ipai(["demo", "up"])).exitCode).toBe(0);
});

interface Case {
  readonly title: string;
  readonly code: string;
  readonly bring: () => Promise<unknown>;
  readonly modules?: readonly string[];
  /** Something that must be said, so that the operator finds the cause. */
  readonly says?: RegExp;
}

/** What Odoo answers with exit code 0, doing nothing or half of it: refused before anything is touched. */
const refused: readonly Case[] = [
  {
    title: "a misspelled module",
    code: "upgrade.unknown_module",
    modules: ["ipai_demo_legder"],
    bring: async () => undefined,
    says: /ipai_demo_ledger/,
  },
  {
    title: "a module that is not installed",
    code: "upgrade.not_installed",
    modules: ["ipai_demo_extra"],
    bring: () => put("ipai_demo_extra/__manifest__.py", `{"name": "Extra", "version": "1.0.0", "license": "LGPL-3"}\n`),
  },
  {
    title: "a module that says it is not installable",
    code: "upgrade.not_installable",
    bring: () => edit(`${report}/__manifest__.py`, `"version": "1.0.0",`, `"version": "1.1.0", "installable": False,`),
  },
  {
    title: "a manifest of another series",
    code: "upgrade.series_mismatch",
    bring: () => edit(`${report}/__manifest__.py`, `"version": "1.0.0"`, `"version": "17.0.1.1.0"`),
  },
  {
    title: "installed code that is missing on disk",
    code: "upgrade.code_missing",
    bring: () => rm(join(addons, report), { recursive: true }),
    says: new RegExp(report),
  },
  {
    title: "a manifest that cannot be read",
    code: "upgrade.code_unreadable",
    bring: () => put(`${report}/__manifest__.py`, `{"name": "Report", \n`),
  },
  { title: "code that does not differ", code: "upgrade.nothing_to_do", bring: async () => undefined },
];

describe("an upgrade is refused before it starts for", () => {
  it.each(refused)("$title", async ({ code, bring, modules = [], says }) => {
    await bring();
    const ended = await ipai(["upgrade", ...modules, "--yes", "--json"]);
    const { error } = parsed<{ error: NonNullable<RunJson["error"]> }>(ended);
    expect([error.code, ended.exitCode]).toEqual([code, code === "upgrade.nothing_to_do" ? 24 : 23]);
    if (says !== undefined) expect(`${error.message} ${error.hint}`).toMatch(says);
    expect(await fingerprint()).toBe(before);
  });

  it("a database of another series than the program", async () => {
    const version = await sql("select latest_version from ir_module_module where name = 'base'");
    await sql("update ir_module_module set latest_version = '16.0.1.3' where name = 'base'");
    await edit(entry, "amount = ", "amount2 = fields.Float()\n    amount = ");
    const ended = await ipai(["upgrade", "--yes", "--json"]);
    await sql(`update ir_module_module set latest_version = '${version}' where name = 'base'`);
    expect(codeOf(ended)).toBe("upgrade.series_mismatch");
  });

  it.each([
    ["a database that does not exist", "odoo_typo", "upgrade.database_missing", undefined],
    ["a database that holds no Odoo", "empty", "upgrade.database_not_initialised", "create database empty"],
  ])("%s", async (_, database, code, prepare) => {
    if (prepare !== undefined) await sql(prepare, "postgres");
    const ended = await ipai([
      "upgrade",
      "--yes",
      "--json",
      "--config",
      await configWith((text) => text.replace(`"database": "odoo"`, `"database": "${database}"`)),
    ]);
    if (prepare !== undefined) await sql(`drop database ${database}`, "postgres");
    expect(codeOf(ended)).toBe(code);
    expect(await sql("select count(*) from pg_database where datname = 'odoo_typo'", "postgres")).toBe("0");
  });
});

const constraint = `
    if release.version_info[0] >= 19:
        _one_state = models.Constraint("unique(state)", "One entry per state")
    else:
        _sql_constraints = [("one_state", "unique(state)", "One entry per state")]
`;

/** What fails while Odoo updates: with exit code 0 and a line in the log, or with another exit code. */
const undone: readonly Case[] = [
  {
    title: "a unique constraint that existing rows violate (exit code 0)",
    code: "upgrade.log_errors",
    bring: async () => {
      await edit(entry, "from odoo import api, fields, models", "from odoo import api, fields, models, release");
      await edit(entry, "    @api.model", `${constraint}\n    @api.model`);
    },
    says: /unable to add constraint|one_state/i,
  },
  {
    title: "a NOT NULL that existing rows violate (exit code 0)",
    code: "upgrade.log_errors",
    bring: () => edit(entry, "note = fields.Text()", "note = fields.Text(required=True)"),
    says: /null/i,
  },
  {
    title: "installed code outside of the managed modules that is missing (exit code 0)",
    code: "upgrade.log_errors",
    bring: async () => {
      await rm(join(addons, report), { recursive: true });
      await edit(entry, "note = fields.Text()", "note = fields.Text()\n    memo = fields.Text()");
    },
    modules: ["--config", "ledger-only"],
    says: new RegExp(report),
  },
  {
    title: "a view with a field that does not exist (255)",
    code: "odoo.update_failed",
    bring: () => edit(ledgerView, `name="amount"`, `name="amuont"`),
    says: /amuont/,
  },
  {
    title: "XML that is not well-formed (255)",
    code: "odoo.update_failed",
    bring: () => edit(ledgerView, "</odoo>", ""),
    says: /entry_views\.xml/,
  },
  {
    title: "a data file that is missing (255)",
    code: "odoo.update_failed",
    bring: () =>
      edit(`${ledger}/__manifest__.py`, `"views/entry_views.xml"`, `"views/entry_views.xml", "data/forgotten.xml"`),
    says: /forgotten\.xml/,
  },
  {
    title: "Python that cannot be parsed (255)",
    code: "odoo.update_failed",
    bring: () => edit(entry, "class Entry(models.Model):", "class Entry(models.Model:"),
    says: /SyntaxError/,
  },
  {
    title: "an import that does not exist (255)",
    code: "odoo.update_failed",
    bring: () => edit(entry, "from odoo import", "import nowhere_to_be_found\nfrom odoo import"),
    says: /nowhere_to_be_found/,
  },
  {
    title: "a dependency that does not exist (255)",
    code: "odoo.update_failed",
    bring: () => edit(`${report}/__manifest__.py`, `"depends": [`, `"depends": ["ipai_nowhere", `),
    says: /ipai_nowhere/,
  },
  {
    title: "a Python dependency that is not installed (255)",
    code: "odoo.update_failed",
    bring: () =>
      edit(
        `${report}/__manifest__.py`,
        `"depends": [`,
        `"external_dependencies": {"python": ["nowhere_at_all"]}, "depends": [`,
      ),
    says: /nowhere_at_all/,
  },
  {
    title: "a migration script that raises (255)",
    code: "odoo.update_failed",
    bring: async () => {
      await edit(`${ledger}/__manifest__.py`, `"version": "1.0.0"`, `"version": "1.1.0"`);
      await put(
        `${ledger}/migrations/1.1.0/post-fail.py`,
        "def migrate(cr, version):\n    cr.execute('update ipai_demo_entry set note = 1')\n    raise ValueError('half of the work is done')\n",
      );
    },
    says: /half of the work is done/,
  },
  {
    title: "an active scheduled action that the new version removes (exit code 0)",
    code: "upgrade.crons_lost",
    bring: async () => {
      await edit(`${ledger}/__manifest__.py`, `"version": "1.0.0"`, `"version": "1.1.0"`);
      await edit(`${ledger}/__manifest__.py`, `"data/ir_cron.xml",`, "");
      await put(
        `${ledger}/migrations/1.1.0/post-cron.py`,
        "def migrate(cr, version):\n    cr.execute(\"update ir_cron set active = false where cron_name like 'Demo Ledger%'\")\n",
      );
    },
    says: /post due entries/,
  },
];

describe("an upgrade is undone for", () => {
  it.each(undone)("$title", async ({ code, bring, modules, says }) => {
    await bring();
    const config =
      modules === undefined ? [] : ["--config", await configWith((text) => text.replace(`"ipai_*"`, `"${ledger}"`))];
    const ended = await ipai(["upgrade", "--yes", "--json", ...config]);
    const run = parsed<RunJson>(ended);
    expect([run.error?.code, run.outcome, ended.exitCode]).toEqual([code, "failed-and-undone", 3]);
    if (says !== undefined) expect(`${run.error?.message} ${run.error?.output}`).toMatch(says);
    expect(await fingerprint()).toBe(before);
    expect(await leftovers()).toEqual([]);
  });

  it.each([
    ["a configuration that does not exist (2)", "odoo.bad_options", async () => join(folder, "nowhere.conf")],
    [
      "a role that may not connect (1)",
      "odoo.update_crashed",
      () => confWith(["db_user = odoo", "db_user = nobody_at_all"]),
    ],
  ])("%s", async (_, code, conf) => {
    await edit(entry, "note = fields.Text()", "note = fields.Text()\n    memo = fields.Text()");
    const path = await conf();
    const config = await configWith((text) =>
      text.replace(`"config": "${join(folder, "odoo.conf")}"`, `"config": "${path}"`),
    );
    const run = parsed<RunJson>(await ipai(["upgrade", "--yes", "--json", "--config", config]));
    expect([run.error?.code, run.outcome]).toEqual([code, "failed-and-undone"]);
    expect(await fingerprint()).toBe(before);
  });
});

describe("an upgrade is not led astray by", () => {
  it("a configuration that logs elsewhere, less, and with workers on a used port", async () => {
    await edit(entry, "note = fields.Text()", "note = fields.Text(help='changed')");
    const path = await confWith(
      ["workers = 0", "workers = 2"],
      ["log_level = info", `log_level = error\nlogfile = ${join(folder, "log/elsewhere.log")}`],
    );
    const config = await configWith((text) =>
      text.replace(`"config": "${join(folder, "odoo.conf")}"`, `"config": "${path}"`),
    );
    const plan = await ipai(["upgrade", "--plan", "--config", config]);
    // The database is always named: without one, Odoo would do nothing and say so to nobody.
    expect(plan.stdout).toMatch(/ -d odoo -u ipai_demo_ledger --stop-after-init/);
    await edit(entry, "help='changed')", "help='changed'");
    const run = parsed<RunJson>(await ipai(["upgrade", "--yes", "--json", "--config", config]));
    expect([run.error?.code, run.error?.output]).toEqual([
      "odoo.update_failed",
      expect.stringContaining("SyntaxError"),
    ]);
  });
});

function codeOf(ended: Ended): string | undefined {
  return parsed<{ error: { code: string } }>(ended).error.code;
}

async function configWith(change: (text: string) => string): Promise<string> {
  const text = await readFile(join(folder, "ipai.yaml"), "utf8");
  const changed = change(text);
  if (changed === text) throw new Error("The configuration has not what should be changed");
  const file = join(folder, "changed.yaml");
  await writeFile(file, changed);
  return file;
}

async function confWith(...changes: readonly (readonly [from: string, to: string])[]): Promise<string> {
  let text = await readFile(join(folder, "odoo.conf"), "utf8");
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`odoo.conf has no ${from}`);
    text = text.replace(from, to);
  }
  const file = join(folder, "changed.conf");
  await writeFile(file, text);
  return file;
}
