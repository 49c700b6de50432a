import { expect } from "vitest";
import { typeIntoShell } from "./addon.ts";
import type { N8n } from "./n8n.ts";
import type { Supabase } from "./postgrest.ts";
import { sql, until } from "./sandbox.ts";

/** What the runbook asks of performance, as written. */
const runbook = `
-- Last 24 hours average response time
SELECT
  AVG(response_time_ms) AS avg_response_time,
  PERCENTILE_CONT(0.95) WITHIN GROUP (ORDER BY response_time_ms) AS p95_response_time,
  MAX(response_time_ms) AS max_response_time
FROM finance_ppm.performance_logs
WHERE timestamp > NOW() - INTERVAL '24 hours';`;

const reports = "select period, revision, total_forms, compliance_rate is null from finance_ppm.monthly_reports";

/** The two workflows that keep figures, each second instead of each hour, on a database in which nothing was reported yet. */
export async function keepFigures(n8n: N8n, supabase: Supabase, database: string): Promise<void> {
  const everySecond = (name: string) => n8n.reschedule(name, "* * * * * *", { position: [0, 0], notes: "" });
  await report(database);
  await everySecond("Finance PPM: figures");
  await until(
    "the report is kept",
    async () => (await supabase.as("service_role", reports)) === "2025-03|1|0|t",
    60_000,
  );
  await until("Odoo is told", async () => (await kept(database)) === "1");
  // A later call has nothing to keep; a new revision takes the place of the last one.
  await report(database, "filing");
  await until(
    "the revision is kept",
    async () => (await supabase.as("authenticated", reports)) === "2025-03|2|1|f",
    60_000,
  );

  await everySecond("Finance PPM: performance log");
  const measured = () => supabase.as("authenticated", "select count(*) from finance_ppm.performance_logs").then(Number);
  await until("something is measured", async () => (await measured()) >= 3, 60_000);
  const [average, high, most] = (await supabase.as("authenticated", runbook)).split("|").map(Number);
  const rows = await supabase.as(
    ...["authenticated", "select distinct source, metric, route, status_code from finance_ppm.performance_logs"],
  );
  expect(rows).toBe("n8n|http|/web/login|200");
  expect([Number(average) > 0, Number(average) <= Number(high), Number(high) <= Number(most)]).toEqual([
    true,
    true,
    true,
  ]);
  await expect(supabase.as("anon", reports)).rejects.toThrow("permission denied");
  await expect(supabase.as("authenticated", "delete from finance_ppm.monthly_reports")).rejects.toThrow(
    "permission denied",
  );
  expect(supabase.refused).toEqual([]);
}

const kept = (database: string) => sql("select max(kept_revision) from ipai_finance_monthly_report", database);

/** The report of a month of long ago, in which something may have been filed. */
async function report(database: string, filing?: string): Promise<void> {
  const filed = `
form = env['ipai.finance.bir_form'].search([('code', '=', '1601-C')])
values = {'company_id': company.id, 'form_id': form.id, 'period_covered': '2025-02'}
env['ipai.finance.bir_schedule'].create(values).write({'state': 'filed', 'filed_on': '2025-03-04 02:00:00', 'confirmation_no': 'EX-1'})`;
  await typeIntoShell(
    database,
    `company = env['res.company'].search([], limit=1)${filing === undefined ? "" : filed}
env['ipai.finance.monthly_report']._make(company, '2025-03')
env.cr.commit()
`,
  );
}
