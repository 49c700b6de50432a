import { expect } from "vitest";
import { askShell } from "./addon.ts";

/**
 * The addon's scheduled actions by Odoo's own runner: a filing that SQL has made unreadable keeps no other from being told, and what the run of
 * the day owes is done by the quarter of an hour after it; so is a run that fails as a whole.
 */
export async function oweADay(database: string): Promise<void> {
  const { exitCode, stdout, stderr } = await askShell(database, typed);
  expect([exitCode, stderr.slice(-2000)]).toEqual([0, expect.any(String)]);
  const said = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Readonly<Record<string, unknown>>;
  expect(said).toEqual({
    "after the day": { broken: 0, well: 1, failures: 1, isWhole: false, alarms: 0 },
    "after a quarter": { broken: 0, well: 1, failures: 1, isWhole: false, alarms: 1 },
    "mended, after a quarter": { broken: 1, well: 1, failures: 0, isWhole: true, alarms: 1 },
    "after a day that fails as a whole": { broken: 0, well: 0, failures: 0, isWhole: false, alarms: 1 },
    "and a quarter": { broken: 1, well: 1, failures: 0, isWhole: true, alarms: 1 },
  });
}

/** The clock of the runner is the database's, so the days are put around it. */
const typed = `
import json
from datetime import timedelta
from odoo import fields

crons = type(env["ir.cron"])
alerts = env["ipai.finance.alert"]
env["ir.cron"].search([]).active = False
day, quarter = (env.ref(f"ipai_finance_ppm.{name}") for name in ("cron_day", "cron_quarter_hour"))
filer = env["ipai.finance.filer"].search([("company_id", "=", env.ref("base.main_company").id)])
open_ones = [("company_id", "=", filer.company_id.id), ("state", "=", "not_started")]
broken, well = env["ipai.finance.bir_schedule"].search(open_ones, order="filing_deadline desc", limit=2)
(broken | well).write({"override_deadline": env["ipai.finance.calendar"]._today() - timedelta(days=40), "override_reason": "an example"})
since, said = [0], {}

def put(reasons):
    env.flush_all()
    env.cr.execute("update ipai_finance_bir_schedule set shift_reason = %s where id = %s", [reasons, broken.id])

def mark():
    since[0] = alerts.search([], order="id desc", limit=1).id or 0

def told(filing):
    about = [("res_model", "=", filing._name), ("res_id", "=", filing.id), ("kind", "=", "deadline"), ("id", ">", since[0])]
    return alerts.search_count(about)

def run(words, cron):
    quarter.active = day.active = False
    cron.write({"active": True, "nextcall": fields.Datetime.now() - timedelta(minutes=1)})
    if cron == quarter:
        # As its last run left it: it has been due today.
        day.write({"active": True, "nextcall": fields.Datetime.now() + timedelta(hours=23)})
    env.cr.commit()
    crons._process_jobs(env.cr.dbname)
    env.cr.rollback()
    env.invalidate_all()
    said[words] = {
        "broken": told(broken),
        "well": told(well),
        "failures": len((filer.failures or "").splitlines()),
        "isWhole": bool(filer.day_whole_at and filer.day_whole_at > fields.Datetime.now() - timedelta(minutes=5)),
        "alarms": alerts.search_count([("kind", "=", "failure"), ("company_id", "=", filer.company_id.id)]),
    }

mark()
put("5")
run("after the day", day)
run("after a quarter", quarter)
put("[]")
run("mended, after a quarter", quarter)

alerts.search([("res_id", "in", (broken | well).ids), ("res_model", "=", broken._name)]).unlink()
mark()
filer.day_whole_at = fields.Datetime.now() - timedelta(days=2)
code = day.ir_actions_server_id.code
day.ir_actions_server_id.code = "1 / 0"
run("after a day that fails as a whole", day)
day.ir_actions_server_id.code = code
run("and a quarter", quarter)
print(json.dumps(said))
`;
