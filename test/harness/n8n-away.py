"""Typed into Odoo's shell before what a test asks for: the people of Finance PPM, and filings as somebody enters them."""
from datetime import timedelta

from odoo import fields

filings = env["ipai.finance.bir_schedule"]
company = env["res.company"].search([], limit=1)


def set_up(smtp_port, people):
    """Nothing is due of itself: what is told is what the test enters."""
    filings._generate_ahead()
    env.flush_all()
    env.cr.execute("update ipai_finance_bir_schedule set state = 'cancelled'")
    env["ir.mail_server"].search([]).unlink()
    env["ir.mail_server"].create({"name": "Example", "smtp_host": "127.0.0.1", "smtp_port": smtp_port, "smtp_encryption": "none"})
    env["ir.config_parameter"].set_param("mail.default.from", "odoo@example.com")
    for role, email in people.items():
        env["ipai.finance.person"].create({"code": role, "name": role, "role": role, "email": email, "company_id": company.id})
    env.cr.commit()


def enter(reference, days, done=()):
    """A filing that is due in so many days, with its tasks, of which these are done."""
    filing = filings.create(
        {
            "company_id": company.id,
            "form_id": env["ipai.finance.bir_form"].search([("code", "=", "1601-C")]).id,
            "period_covered": "2026-01",
            "reference": reference,
            "override_deadline": env["ipai.finance.calendar"]._today() + timedelta(days=days),
            "override_reason": "an example",
        }
    )
    filings._make_tasks()
    for task in filing.task_ids.filtered(lambda one: one.finance_stage in done).sorted("date_deadline"):
        task.state = "1_done"
    env.cr.commit()
    return filing


def unheard_since(task, seconds):
    """It is with the manager, and in so many seconds nobody has acknowledged it for four hours."""
    task.write({"escalation_level": 2, "last_escalated_at": fields.Datetime.now() - timedelta(hours=4) + timedelta(seconds=seconds)})
    env.cr.commit()


def call_in(name, seconds, minutes=None):
    """When a scheduled action is called next, and at which pace then."""
    cron = env.ref(f"ipai_finance_ppm.{name}")
    cron.nextcall = fields.Datetime.now() + timedelta(seconds=seconds)
    if minutes:
        cron.interval_number = minutes
    env.cr.commit()


ALL = ("prep", "review", "approval")
