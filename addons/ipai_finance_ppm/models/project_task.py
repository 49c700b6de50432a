from datetime import datetime, time, timedelta, timezone

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError

from .calendar import MANILA

CLOSED = ("1_done", "1_canceled")
CLOSE_OF_BUSINESS = time(17, 0)
# So long a ladder stands still at the most, whoever acknowledges: over a weekend.
HOURS_MAX = 72
STAGES = [("prep", "Preparation"), ("review", "Review"), ("approval", "Approval")]
# Making or moving the tasks of a whole year is news to nobody.
SILENT = {"tracking_disable": True, "mail_create_nolog": True, "mail_auto_subscribe_no_notify": True, "mail_notrack": True}


def end_of_business(day):
    """17:00 of a day in Manila, as Odoo keeps it: UTC, without a zone."""
    return datetime.combine(day, CLOSE_OF_BUSINESS, MANILA).astimezone(timezone.utc).replace(tzinfo=None)


class ProjectTask(models.Model):
    _inherit = "project.task"

    finance_logframe_id = fields.Many2one("ipai.finance.logframe", string="Logframe", index="btree_not_null")
    bir_schedule_id = fields.Many2one("ipai.finance.bir_schedule", string="BIR Filing", index="btree_not_null", ondelete="set null")
    close_id = fields.Many2one("ipai.finance.close", string="Month-End Close", index="btree_not_null", ondelete="set null")
    close_line_id = fields.Many2one("ipai.finance.close.line", string="Line of the Close", ondelete="set null")
    is_finance_ppm = fields.Boolean(
        string="Finance PPM", compute="_compute_is_finance_ppm", store=True, readonly=False, help="Its delays are escalated."
    )
    finance_stage = fields.Selection(STAGES)
    wbs_code = fields.Char(string="WBS")
    finance_done_on = fields.Datetime(string="Done On", readonly=True, copy=False, help="When it was last closed; Odoo keeps no such instant.")
    escalation_level = fields.Integer(readonly=True, copy=False)
    last_escalated_at = fields.Datetime(readonly=True, copy=False)
    escalation_ack_by = fields.Many2one("res.users", string="Acknowledged By", readonly=True, copy=False)
    escalation_ack_at = fields.Datetime(string="Acknowledged", readonly=True, copy=False)
    escalation_ack_until = fields.Datetime(string="Quiet Until", readonly=True, copy=False)

    @api.depends("finance_logframe_id", "bir_schedule_id", "close_id")
    def _compute_is_finance_ppm(self):
        for task in self:
            task.is_finance_ppm = bool(task.finance_logframe_id or task.bir_schedule_id or task.close_id)

    def write(self, vals):
        if "date_deadline" in vals:
            # Another deadline, another ladder.
            vals = {**vals, "escalation_level": 0, "last_escalated_at": False, "escalation_ack_until": False}
        if "state" in vals:
            self.filtered(lambda task: (task.state in CLOSED) != (vals["state"] in CLOSED))._put_done_on(vals["state"] in CLOSED)
        done = super().write(vals)
        alerts, finance = self.env["ipai.finance.alert"], self.filtered("is_finance_ppm")
        if "date_deadline" in vals:
            alerts._overtake(finance, ["escalation"])
        elif vals.get("state") in CLOSED:
            alerts._drop(finance, ["escalation"])
        return done

    def _put_done_on(self, is_done):
        super(ProjectTask, self).write({"finance_done_on": fields.Datetime.now() if is_done else False})

    def _is_late(self):
        """Done after its deadline, or open after it."""
        # Of what was done before there was a day of its own, the last change of its state is known.
        until = (self.finance_done_on or self.date_last_stage_update) if self.state in CLOSED else fields.Datetime.now()
        return bool(self.date_deadline and until > self.date_deadline)

    def _is_open(self):
        """Neither done itself, nor left over from a filing that is."""
        filing = self.sudo().bir_schedule_id
        return self.state not in CLOSED and (not filing or filing._is_open())

    def _whose_turn(self):
        return self.user_ids

    def _alert_key(self, kind):
        """How the keys of its alerts begin: with another deadline others are told."""
        return f"{kind}:{self.id}:{self.date_deadline}"

    def _plan_for(self, day):
        """Puts an open task on a day; one that is there already keeps its ladder."""
        deadline = end_of_business(day)
        for task in self:
            if task.state not in CLOSED and task.date_deadline != deadline:
                task.with_context(**SILENT).date_deadline = deadline

    def action_ack_escalation(self, hours=8):
        """Whoever acknowledges has taken it on: the ladder stands still for so many hours.

        Errors: UserError for more than a weekend, or for none.
        """
        if not self.env.user.has_group("ipai_finance_ppm.group_user"):
            raise AccessError(_("Escalations are acknowledged by the people of Finance PPM."))
        if not 0 < hours <= HOURS_MAX:
            raise UserError(_("An escalation is acknowledged for %s hours at the most.", HOURS_MAX))
        self.check_access("read")
        now = fields.Datetime.now()
        for task in self:
            task.sudo().write(
                {
                    "escalation_ack_by": self.env.uid,
                    "escalation_ack_at": now,
                    "escalation_ack_until": now + timedelta(hours=hours),
                }
            )
            # Odoo 18 lets nobody post who has no e-mail address; the author is the user all the same.
            task.sudo().message_post(body=_("Escalation acknowledged for %s hours.", hours))
