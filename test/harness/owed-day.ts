import { expect } from "vitest";
import { askShell } from "./addon.ts";

/**
 * The addon's scheduled actions by Odoo's own runner: a filing that SQL has made unreadable keeps no other from being told, and what the run of
 * the day owes is done by the quarter of an hour after it; so is a run that fails as a whole. Two transactions that open the same close at once
 * make one.
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
    "two by themselves": { closes: 1, tasks: 12, failures: 0, isNext: true },
    "one by itself and a person": { closes: 1, tasks: 12, failures: 0, isNext: true },
  });
}

/** The clock of the runner is the database's, so the days are put around it. */
const typed = `
import json
import threading
from datetime import timedelta
import psycopg2
from dateutil.relativedelta import relativedelta
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

closes, template = env["ipai.finance.close"], env.ref("ipai_finance_ppm.close_template")
template.open_workday = 1
filer.close_template_id = template
env.flush_all()

def by_itself(own, period):
    own[filer._name].browse(filer.id)._open_closes()

def by_a_person(own, period):
    own[closes._name].create({"company_id": filer.company_id.id, "period": period, "template_id": template.id}).action_open()

def at_once(words, months, *acts):
    """Each in a transaction of its own that has begun before any of them acts; what gets into another's way is taken back whole."""
    period = (env["ipai.finance.calendar"]._today() - relativedelta(months=months)).strftime("%Y-%m")
    of_period = [("company_id", "=", filer.company_id.id), ("period", "=", period)]
    closes.search(of_period).unlink()
    filer.next_close = period
    env.cr.commit()
    ready = threading.Barrier(len(acts))
    def one(act):
        try:
            with env.registry.cursor() as cr:
                own = env(cr=cr)
                own[closes._name].search_count([])
                ready.wait()
                act(own, period)
        except psycopg2.Error:
            pass
    threads = [threading.Thread(target=one, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    env.cr.rollback()
    env.invalidate_all()
    # The next run of the day.
    filer._begin_day()
    filer._open_closes()
    env.cr.commit()
    made = closes.search(of_period)
    said[words] = {"closes": len(made), "tasks": len(made.task_ids), "failures": len((filer.failures or "").splitlines()), "isNext": filer.next_close > period}

at_once("two by themselves", 3, by_itself, by_itself)
at_once("one by itself and a person", 4, by_itself, by_a_person)
print(json.dumps(said))
`;
