from datetime import timedelta

from odoo import _, api, fields, models

from .bir_schedule import OPEN
from .calendar import MANILA, day_in_manila
from .project_task import CLOSED

PATIENCE = timedelta(hours=4)
QUIET_FROM, QUIET_UNTIL = 19, 7
SEVERITY_OF_LEVEL = {1: "normal", 2: "high", 3: "critical"}


class EscalationLog(models.Model):
    """The ladder: supervisor, manager, director. Every step that was taken stays here."""

    _name = "ipai.finance.escalation_log"
    _description = "Escalation"
    _order = "id desc"
    _rec_name = "task_id"

    task_id = fields.Many2one("project.task", required=True, readonly=True, ondelete="cascade", index=True)
    company_id = fields.Many2one("res.company", required=True, readonly=True, index=True)
    level = fields.Integer(required=True, readonly=True)
    reason = fields.Char(required=True, readonly=True)
    alert_id = fields.Many2one("ipai.finance.alert", readonly=True)
    recipient_ids = fields.Many2many(related="alert_id.recipient_ids")

    @api.model
    def _run_ladder(self, least=1):
        """Takes each open finance task one step up, when it is due; straight to the director when a filing is due today or missed.

        `least`: only to that level and above.
        """
        now, steps = fields.Datetime.now(), self.browse()
        if not self.env["ipai.finance.alert"]._take_turn("escalation"):
            return steps
        tasks = self.env["project.task"].sudo().search(
            [("is_finance_ppm", "=", True), ("date_deadline", "!=", False), ("state", "not in", CLOSED), ("escalation_level", "<", 3)]
        )
        for company in tasks.company_id | self.env.company:
            working = self.env["ipai.finance.calendar"]._working_days(company)
            for task in tasks.filtered(lambda one: (one.company_id or self.env.company) == company):
                with self.env["ipai.finance.filer"]._try(company, task):
                    level, reason = self._wanted(task, now, working)
                    if level >= least and level > task.escalation_level and not self._waits(task, level, now):
                        steps |= self._take(task, company, level, reason)
        return steps

    @api.model
    def _wanted(self, task, now, working):
        """The level on which a task belongs now, and why; the first that is true counts."""
        today, due, filing = day_in_manila(now), day_in_manila(task.date_deadline), task.bir_schedule_id
        if filing and filing.state not in OPEN:
            return 0, ""
        if filing and filing.filing_deadline <= today:
            return 3, _("%(filing)s is due on %(day)s", filing=filing.name, day=filing.filing_deadline)
        is_unheard = not self._is_heard(task, now) and task.last_escalated_at and now - task.last_escalated_at >= PATIENCE
        last = filing.filing_deadline or due
        if task.escalation_level == 2 and is_unheard and last <= working.after(today, 2):
            return 3, _("nobody has acknowledged it for four hours, and two working days are left")
        if task.escalation_level < 2:
            if working.after(due, 1) <= today:
                return self._next(task, 2), _("overdue by a working day")
            if task.finance_stage in ("review", "approval") and task.date_deadline < now:
                return self._next(task, 2), _("review or approval is overdue")
            if task.escalation_level == 1 and is_unheard:
                return 2, _("nobody has acknowledged it for four hours")
        if due <= working.after(today, 1):
            return 1, _("due on %s", due)
        return 0, ""

    @api.model
    def _is_heard(self, task, now):
        return bool(task.escalation_ack_until and task.escalation_ack_until > now)

    @api.model
    def _next(self, task, level):
        return min(level, task.escalation_level + 1)

    @api.model
    def _waits(self, task, level, now):
        """Until when it is acknowledged, and at night; what is critical waits for neither."""
        hour = (now + MANILA.utcoffset(None)).hour
        is_quiet = hour >= QUIET_FROM or hour < QUIET_UNTIL
        return level < 3 and (is_quiet or self._is_heard(task, now))

    @api.model
    def _take(self, task, company, level, reason):
        alert = self.env["ipai.finance.alert"]._queue(
            task,
            company,
            kind="escalation",
            dedupe_key=f"{task._alert_key('escalation')}:{level}",
            severity=SEVERITY_OF_LEVEL[level],
            subject=_("%(task)s: level %(level)s", task=task.name, level=level),
            body_md=reason,
        )
        task.write({"escalation_level": level, "last_escalated_at": fields.Datetime.now(), "escalation_ack_until": False})
        task.message_post(body=_("Escalated to level %(level)s: %(reason)s", level=level, reason=reason))
        return self.sudo().create(
            {"task_id": task.id, "company_id": company.id, "level": level, "reason": reason, "alert_id": alert.id}
        )
