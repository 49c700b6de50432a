"""Typed into Odoo's shell, after `scenario` and `mail_server` (the text of smtp-server.py): what people and the clock do, moment by moment.

Odoo's clock (freezegun) and the database's (a function `now()` before PostgreSQL's own, see finance-year.ts) stand at each moment; what is
scheduled is run by Odoo's own runner of scheduled actions, mails go to a real mail server. Prints what is there in the end, one line of JSON.
"""
import atexit
import email.policy
import html
import json
import re
import subprocess
import threading
from datetime import datetime, timedelta

from freezegun import freeze_time

FINANCE = ("cron_day", "cron_quarter_hour", "cron_ladder", "cron_month")
crons = type(env["ir.cron"])


def utc(moment):
    return datetime.strptime(moment, "%Y-%m-%d %H:%M") - timedelta(hours=8)


def manila(moment):
    return moment and (moment + timedelta(hours=8)).strftime("%Y-%m-%d %H:%M")


class Mail:
    """The mail server, which may be down: then nobody listens there."""

    def __init__(self):
        self.taken, self.port = [], 0
        self.up()
        env["ir.mail_server"].search([]).unlink()
        env["ir.mail_server"].create({"name": "Example", "smtp_host": "127.0.0.1", "smtp_port": self.port, "smtp_encryption": "none"})
        env["ir.config_parameter"].set_param("mail.default.from", "odoo@example.com")
        env.cr.commit()

    def up(self):
        words = ["/usr/bin/python3", "-c", mail_server, json.dumps({"port": self.port})]
        self.server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        # It would keep whoever reads what is printed here waiting for ever when a moment fails.
        atexit.register(self.server.kill)
        self.port = int(self.server.stdout.readline())
        self.reader = threading.Thread(target=lambda lines: self.taken.extend(lines), args=(self.server.stdout,), daemon=True)
        self.reader.start()

    def down(self):
        self.server.kill()
        self.server.wait()
        self.reader.join()


def set_up():
    env.cr.execute("delete from ipai_finance_bir_schedule")
    env["ipai.finance.filer"].search([]).active = False
    env["ipai.finance.person"].search([]).active = False
    env["ipai.finance.deadline_extension"].search([]).state = "draft"
    env["ir.cron"].search([]).active = False
    for name in FINANCE:
        cron = env.ref(f"ipai_finance_ppm.{name}")
        cron.write({"active": True, "nextcall": utc(scenario["nextCalls"][name])})
    env.ref("mail.ir_cron_mail_scheduler_action").write({"active": True, "nextcall": utc(scenario["start"])})
    env.cr.execute("delete from ir_cron_trigger")
    for one in scenario["companies"]:
        company = env["res.company"].create({"name": one["name"]})
        env["ipai.finance.filer"].create(
            {
                "company_id": company.id,
                "kind": one["filer"]["kind"],
                "efps_group": one["filer"].get("group"),
                "fiscal_year_end": str(one["filer"]["fiscalYearEnd"]),
                "start_on": scenario["start"][:10],
            }
        )
        people = {}
        for given in one["people"]:
            user = env["res.users"].with_context(no_reset_password=True).create(
                {
                    "name": given["email"].split("@")[0],
                    "login": given["email"],
                    "company_id": company.id,
                    "company_ids": [(6, 0, company.ids)],
                }
            )
            people[given["email"]] = env["ipai.finance.person"].create(
                {
                    "code": given["email"].split("@")[0],
                    "name": given["email"].split("@")[0],
                    "role": given["role"],
                    "company_id": company.id,
                    "email": given["email"],
                    "user_id": user.id,
                }
            )
            people[given["email"]].action_grant_access()
        for given in one["people"]:
            if "backup" in given:
                people[given["email"]].backup_id = people[given["backup"]]
    env.cr.commit()


def stand_at(instant):
    """Odoo's clock, and the database's."""
    clock.move_to(instant)
    with env.registry.cursor() as other:
        other.execute("update ipai_clock set instant = %s", (f"{instant}+00",))


def run_scheduled(one):
    """What is due, as Odoo's cron process does it, until nothing is: a job may trigger another one.

    Time goes on between the rounds: Odoo 18 forgets what triggered a job only when that instant is past.
    """
    for second in range(10):
        stand_at(utc(one["at"]) + timedelta(seconds=second))
        with env.registry.cursor() as cr:
            if not crons._get_all_ready_jobs(cr):
                return
        crons._process_jobs(env.cr.dbname)
    raise RuntimeError("something is always due")


def find_filing(one, role="supervisor"):
    company = env["res.company"].search([("name", "=", one["company"])])
    filing = env["ipai.finance.bir_schedule"].search(
        [("company_id", "=", company.id), ("form_code", "=", one["form"]), ("period_covered", "=", one["period"])]
    )
    user = env["ipai.finance.person"].search([("company_id", "=", company.id), ("role", "=", role)], limit=1).user_id
    return filing.with_user(user).with_context(allowed_company_ids=company.ids)


def find_task(one):
    return find_filing(one).task_ids.filtered(lambda task: task.finance_stage == one["stage"])


def file(one):
    # When it was filed, if it was not just now, is for a manager to say.
    filing = find_filing(one, "manager" if "filedOn" in one else "supervisor")
    filing.confirmation_no = "EX-1"
    if "filedOn" in one:
        filing.filed_on = utc(one["filedOn"])
    filing.action_file()


def not_applicable(one):
    filing = find_filing(one, "manager")
    filing.not_applicable_reason = "an example"
    filing.action_not_applicable()


def extend(one):
    if "dueFrom" not in one:
        env["ipai.finance.deadline_extension"].search([("authority", "=", one["authority"])]).action_withdraw()
        return
    forms = env["ipai.finance.bir_form"].search([("code", "in", one["forms"])])
    env["ipai.finance.deadline_extension"].create(
        {
            "authority": one["authority"],
            "issued_on": one["at"][:10],
            "form_ids": [(6, 0, forms.ids)],
            "due_from": one["dueFrom"],
            "due_until": one["dueUntil"],
            "new_deadline": one["newDeadline"],
        }
    ).action_confirm()


def absent(one):
    env["ipai.finance.person"].search([("email", "=", one["email"])]).write({"absent_from": one["from"], "absent_to": one["to"]})


def ask(one):
    env.cr.execute("select count(*) from ipai_finance_bir_schedule where status = 'late'")
    asked.append({"at": one["at"], "late": env.cr.fetchone()[0]})


asked = []
mail = Mail()
DOES = {
    "run": run_scheduled,
    "file": file,
    "notApplicable": not_applicable,
    "finishTask": lambda one: find_task(one).write({"state": "1_done"}),
    "acknowledge": lambda one: find_task(one).action_ack_escalation(),
    "proclaim": lambda one: env["ipai.finance.holiday"].create({"date": one["day"], "name": one["name"], "proclamation": "Proclamation 9999"}),
    "extend": extend,
    "absent": absent,
    "mailDown": lambda one: mail.down(),
    "mailUp": lambda one: mail.up(),
    # As the runbook types it.
    "trigger": lambda one: env["ir.cron"].search([("model", "=", "ipai.finance.bir_schedule")]).method_direct_trigger(),
    "ask": ask,
}


def told(alert):
    return {
        "key": alert.dedupe_key,
        "kind": alert.kind,
        "company": alert.company_id.name,
        "at": manila(alert.create_date),
        "severity": alert.severity,
        "to": sorted(alert.recipient_ids.mapped("email")),
        "subject": alert.subject,
        "state": alert.state,
        "isToldOtherwise": alert.is_told_otherwise,
    }


def arrived(given):
    """Who got it, when it was sent, which alerts it tells, and what kinds of files it has."""
    sent = email.message_from_string(given["mail"], policy=email.policy.default)
    page = sent.get_body(("html",)).get_content()
    at = sent["date"].datetime.replace(tzinfo=None)
    return {
        "to": ", ".join(given["to"]),
        "at": manila(at),
        "subjects": sorted(map(html.unescape, re.findall("<h3>(.*?)</h3>", page))),
        "files": sorted(one.get_filename().rsplit(".", 1)[1] for one in sent.iter_attachments() if one.get_content()),
    }


def result():
    logs = env["ipai.finance.escalation_log"].search([], order="id")
    filings = env["ipai.finance.bir_schedule"].search([])
    reports = env["ipai.finance.monthly_report"].search([], order="period, company_id")
    return {
        "alerts": [told(alert) for alert in env["ipai.finance.alert"].search([], order="id")],
        "steps": [
            {
                "company": one.company_id.name,
                "task": one.task_id.name,
                "level": one.level,
                "at": manila(one.create_date),
                "to": sorted(one.recipient_ids.mapped("email")),
            }
            for one in logs
        ],
        "filings": [
            {
                "id": one.id,
                "company": one.company_id.name,
                "name": one.name,
                "deadline": str(one.filing_deadline),
                "status": one.status,
                "isLate": one.is_late,
                "activities": len(one.activity_ids),
            }
            for one in filings
        ],
        "reports": [
            {
                "company": one.company_id.name,
                "period": one.period,
                "at": manila(one.generated_at),
                "numbers": [one.total_forms, one.filed_on_time, one.filed_late, one.open_late, one.open_in_time, one.not_applicable],
            }
            for one in reports
        ],
        "failures": env["ir.cron"].search([("failure_count", ">", 0)]).mapped("cron_name"),
        "mailStates": dict(env["mail.mail"]._read_group([], ["state"], ["__count"])),
        "asked": asked,
        "mails": [arrived(json.loads(line)) for line in mail.taken],
    }


with freeze_time(utc(scenario["start"])) as clock:
    for moment in [{"at": scenario["start"], "does": None}, *scenario["moments"]]:
        stand_at(utc(moment["at"]))
        # A new transaction: the last one knows the time at which it began.
        env.cr.rollback()
        env.invalidate_all()
        set_up() if moment["does"] is None else DOES[moment["does"]](moment)
        env.cr.commit()
    mail.down()
    print(json.dumps(result()))
