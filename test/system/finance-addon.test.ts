import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeDatabase, removeDatabase, runOdoo, serve, typeIntoShell } from "../harness/addon.ts";
import { workAtTheDesk } from "../harness/finance-desk.ts";
import { isCompose, sql } from "../harness/sandbox.ts";

/** The module ipai_finance_ppm on the practice stack's Odoo: its own tests, the commands of the runbook, and that it goes without a trace. */

const database = "finance_addon";
const left = `
  select count(*) from pg_class where relname like '%ipai_finance%'
  union all select count(*) from pg_namespace where nspname = 'finance_ppm'
  union all select count(*) from information_schema.columns where table_name = 'ir_cron' and column_name in ('name', 'model', 'numbercall')
  union all select count(*) from ir_model_data where module = 'ipai_finance_ppm'`;
const count = () => sql("SELECT COUNT(*) FROM ipai_finance_bir_schedule;", database).then(Number);

describe.skipIf(isCompose)("the module ipai_finance_ppm", () => {
  beforeAll(() => makeDatabase(database));
  afterAll(() => removeDatabase(database));

  it("is installed without a complaint, with the filings of a year", async () => {
    const { exitCode, complaints } = await runOdoo(database, ["-i", "ipai_finance_ppm"]);
    expect([exitCode, complaints]).toEqual([0, []]);
    expect(await count()).toBeGreaterThanOrEqual(8);
  });

  it("is updated without a complaint, and passes its own tests", async () => {
    const words = ["-u", "ipai_finance_ppm", "--test-tags=/ipai_finance_ppm"];
    const { exitCode, tests, complaints } = await runOdoo(database, words);
    expect([exitCode, tests]).toEqual([0, expect.stringMatching(/0 failed, 0 error\(s\) of [1-9]\d* tests/)]);
    expect(complaints).toEqual([]);
  });

  it("makes filings again when the cron is triggered as the runbook types it", async () => {
    const made = await count();
    await sql("delete from ipai_finance_bir_schedule", database);
    await typeIntoShell(
      database,
      `env['ir.cron'].search([('model', '=', 'ipai.finance.bir_schedule')]).method_direct_trigger()\nenv.cr.commit()\n`,
    );
    expect(await count()).toBe(made);
  });

  it("shows its dashboard to the runbook's curl, and filings only to whoever is logged in and has a part in it", async () => {
    const { url, stop } = await serve(database);
    try {
      const page = await fetch(`${url}/ipai/finance/ppm`, { redirect: "manual" });
      const text = await page.text();
      expect([page.status, text.includes("TBWA Finance PPM Dashboard"), text.includes("1601-C")]).toEqual([
        200,
        true,
        false,
      ]);
      const data = `${url}/ipai/finance/ppm/api/bir`;
      expect((await fetch(data)).status).toBe(401);
      const params = { db: database, login: "admin", password: "admin" };
      const entered = await fetch(`${url}/web/session/authenticate`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ params }),
      });
      const cookie = entered.headers
        .getSetCookie()
        .map((one) => one.split(";")[0])
        .join("; ");
      const seen = await fetch(data, { headers: { cookie } });
      const answer = (await seen.json()) as { filings: readonly { form: string }[] };
      expect([seen.status, answer.filings.some(({ form }) => form === "1601-C")]).toEqual([200, true]);
    } finally {
      await stop();
    }
  });

  it("is worked with from a shell: each command, by a key, with the chain", () => workAtTheDesk(database));

  it("is uninstalled without a complaint, and leaves nothing", async () => {
    await typeIntoShell(
      database,
      "env['ir.module.module'].search([('name', '=', 'ipai_finance_ppm')]).button_immediate_uninstall()\nenv.cr.commit()\n",
    );
    expect(await sql(left, database)).toBe("0\n0\n0\n0");
  });
});
