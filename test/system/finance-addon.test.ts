import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeDatabase, odooWith, removeDatabase, runOdoo } from "../harness/addon.ts";
import { isCompose, run, sql } from "../harness/sandbox.ts";

/** The module ipai_finance_ppm on the practice stack's Odoo: its own tests, the commands of the runbook, and that it goes without a trace. */

const database = "finance_addon";
const columns = "select count(*) from information_schema.columns where table_name = 'ir_cron' and column_name in";

describe.skipIf(isCompose)("the module ipai_finance_ppm", () => {
  beforeAll(() => makeDatabase(database));
  afterAll(() => removeDatabase(database));

  it("is installed without a complaint, and passes its own tests", async () => {
    const { exitCode, tests, complaints } = await runOdoo(database, [
      "-i",
      "ipai_finance_ppm",
      "--test-tags=/ipai_finance_ppm",
    ]);
    expect([exitCode, tests]).toEqual([0, expect.stringMatching(/0 failed, 0 error\(s\) of [1-9]\d* tests/)]);
    expect(complaints).toEqual([]);
  });

  it("has the filings of a year, which the cron of the runbook's shell makes again when they are gone", async () => {
    const count = () => sql("SELECT COUNT(*) FROM ipai_finance_bir_schedule;", database).then(Number);
    const made = await count();
    expect(made).toBeGreaterThanOrEqual(8);
    await sql("delete from ipai_finance_bir_schedule", database);
    const args = await odooWith(database, ["--log-level=error"], ["shell"]);
    const typed =
      "env['ir.cron'].search([('model', '=', 'ipai.finance.bir_schedule')]).method_direct_trigger()\nenv.cr.commit()\n";
    const shell = await run("runuser", args, { directory: "/", stdin: typed });
    expect([shell.exitCode, shell.stderr.trim()]).toEqual([0, ""]);
    expect(await count()).toBe(made);
  });

  it("is updated and uninstalled without a complaint, and leaves nothing", async () => {
    const updated = await runOdoo(database, ["-u", "ipai_finance_ppm"]);
    expect([updated.exitCode, updated.complaints]).toEqual([0, []]);
    const args = await odooWith(database, ["--log-level=warn"], ["shell"]);
    const typed =
      "env['ir.module.module'].search([('name', '=', 'ipai_finance_ppm')]).button_immediate_uninstall()\nenv.cr.commit()\n";
    const shell = await run("runuser", args, { directory: "/", stdin: typed });
    expect([shell.exitCode, shell.stderr.trim()]).toEqual([0, ""]);
    expect(await sql("select count(*) from pg_class where relname like 'ipai_finance%'", database)).toBe("0");
    expect(await sql(`${columns} ('name', 'model', 'numbercall')`, database)).toBe("0");
  });
});
