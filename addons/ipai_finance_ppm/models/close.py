from datetime import timedelta

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError

from ..versions import ensure_unique
from .calendar import day_in_manila
from .heartbeat import as_pulse
from .person import ROLES
from .project_task import CLOSED, SILENT, STAGES

# Of which month the last close was, when a missing one is told.
FORGOTTEN_AFTER = timedelta(days=120)


def last_day_of(period):
    """Of a month, YYYY-MM. Errors: ValueError, TypeError when it is none."""
    return fields.Date.end_of(fields.Date.to_date(f"{period}-01"), "month")


def working_day_of(last, number, working):
    """The day that a working day of a period is which ends on `last`: 1 is the first one after it, -1 the last one of it."""
    return working.after(last, number) if number > 0 else working.before(last + timedelta(days=1), -number)


def by_number(code):
    """How WBS codes are ordered: 2.10 is after 2.9."""
    return [int(part) if part.isdecimal() else 0 for part in (code or "").split(".")]


def check_workdays(env, numbers):
    if 0 in numbers:
        raise ValidationError(env._("There is no working day 0: -1 is the last one of the period, 1 the first one after it."))


class CloseTemplate(models.Model):
    _name = "ipai.finance.close.template"
    _description = "Template of a Month-End Close"

    name = fields.Char(required=True)
    line_ids = fields.One2many("ipai.finance.close.line", "template_id", string="Lines", copy=True)
    open_workday = fields.Integer(
        string="Opens on Working Day",
        required=True,
        default=-5,
        help="1 is the first working day after the period, -1 its last one. Then the close is opened, for companies whose filer names this template.",
    )
    active = fields.Boolean(default=True)

    @api.constrains("open_workday")
    def _check_open_workday(self):
        check_workdays(self.env, self.mapped("open_workday"))

    def _opens_on(self, period, working):
        return working_day_of(last_day_of(period), self.open_workday, working)


class CloseLine(models.Model):
    """A task of every close: when (a working day of the close), who (RACI) and after what."""

    _name = "ipai.finance.close.line"
    _description = "Line of a Month-End Close"
    _order = "template_id, wbs_code, id"

    template_id = fields.Many2one("ipai.finance.close.template", required=True, ondelete="cascade", index=True)
    wbs_code = fields.Char(string="WBS", required=True)
    phase = fields.Char(required=True)
    name = fields.Char(required=True)
    workday = fields.Integer(
        string="Working Day", required=True, default=1, help="1 is the first working day after the period, -1 the last one of the period."
    )
    stage = fields.Selection(STAGES, required=True, default="prep")
    responsible = fields.Selection(ROLES, required=True, default="staff", help="Does it.")
    accountable = fields.Selection(ROLES, required=True, default="manager", help="Answers for it.")
    consulted = fields.Selection(ROLES)
    informed = fields.Selection(ROLES)
    predecessor_ids = fields.Many2many(
        "ipai.finance.close.line", relation="ipai_finance_close_line_order", column1="line_id", column2="before_id", string="After"
    )

    @api.depends("wbs_code", "name")
    def _compute_display_name(self):
        for line in self:
            line.display_name = f"{line.wbs_code} {line.name}"

    @api.constrains("workday")
    def _check_workday(self):
        check_workdays(self.env, self.mapped("workday"))

    @api.constrains("predecessor_ids")
    def _check_order(self):
        for line in self:
            seen, ahead = self.browse(), line.predecessor_ids
            while ahead:
                if line in ahead:
                    raise ValidationError(_("%s would wait for itself.", line.display_name))
                seen |= ahead
                ahead = ahead.predecessor_ids - seen


class Close(models.Model):
    _name = "ipai.finance.close"
    _description = "Month-End Close"
    # That one was opened by itself is an activity.
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _order = "period desc, company_id"

    name = fields.Char(compute="_compute_name", store=True)
    company_id = fields.Many2one("res.company", required=True, default=lambda self: self.env.company, index=True)
    period = fields.Char(required=True, help="YYYY-MM.")
    template_id = fields.Many2one("ipai.finance.close.template", required=True)
    state = fields.Selection(
        [("draft", "Draft"), ("open", "Open"), ("in_review", "In review"), ("locked", "Locked")],
        required=True,
        default="draft",
        tracking=True,
    )
    target_close_date = fields.Date(readonly=True, tracking=True)
    actual_close_date = fields.Date(readonly=True, copy=False)
    days_to_close = fields.Integer(compute="_compute_days_to_close", store=True, help="Working days after the period.")
    task_ids = fields.One2many("project.task", "close_id", string="Tasks")
    completion_pct = fields.Float(string="Completion, %", compute="_compute_completion_pct")

    def init(self):
        ensure_unique(self, "company_id", "period")

    @api.depends("period", "company_id")
    def _compute_name(self):
        for close in self:
            close.name = f"{close.company_id.name} {close.period}"

    @api.depends("task_ids.state")
    def _compute_completion_pct(self):
        for close in self:
            done = close.task_ids.filtered(lambda task: task.state in CLOSED)
            close.completion_pct = 100 * len(done) / len(close.task_ids) if close.task_ids else 0

    @api.depends("actual_close_date", "period")
    def _compute_days_to_close(self):
        for close in self:
            close.days_to_close = 0
            if close.actual_close_date:
                working = self.env["ipai.finance.calendar"]._working_days(close.company_id)
                day = close._last_day()
                while day < close.actual_close_date:
                    day = working.after(day, 1)
                    close.days_to_close += 1

    @api.constrains("period")
    def _check_period(self):
        for close in self:
            close._last_day()

    def _last_day(self):
        """The last day of the period. Errors: UserError when it is no month."""
        try:
            return last_day_of(self.period)
        except (ValueError, TypeError) as error:
            raise UserError(_("A month is written as 2026-01.")) from error

    def _day_of(self, line, working):
        return working_day_of(self._last_day(), line.workday, working)

    def action_open(self):
        """Makes the tasks of the template, each with its day, its people and what it waits for."""
        for close in self:
            # Somebody may have linked a task of their own before.
            if close.task_ids.close_line_id:
                raise UserError(_("%s is open already.", close.name))
            people = self.env["ipai.finance.person"]
            project = self.env["ipai.finance.filer"]._project_of(close.company_id)
            task_of = {}
            tasks = self.env["project.task"].sudo().with_context(**SILENT)
            for line in close.template_id.line_ids:
                doers = people._of_role(close.company_id, line.responsible).user_id
                task_of[line] = tasks.create(
                    {
                        "name": f"{close.period} {line.wbs_code} {line.name}",
                        "project_id": project.id,
                        "close_id": close.id,
                        "close_line_id": line.id,
                        "wbs_code": line.wbs_code,
                        "finance_stage": line.stage,
                        "user_ids": [(6, 0, doers.ids)],
                    }
                )
            for line, task in task_of.items():
                task.depend_on_ids = [(6, 0, [task_of[one].id for one in line.predecessor_ids if one in task_of])]
            close.state = "open"
            close._plan()

    def unlink(self):
        """What is open of its tasks goes with it: nobody is to be chased for a close that is none."""
        tasks = self.sudo().task_ids.filtered(lambda task: task.close_line_id and task.state not in CLOSED)
        self.env["ipai.finance.alert"]._overtake(tasks, ["escalation"])
        tasks.unlink()
        return super().unlink()

    def _plan(self):
        """Puts the open tasks on their working days, again when a holiday came between."""
        for close in self:
            working = self.env["ipai.finance.calendar"]._working_days(close.company_id)
            for task in close.sudo().task_ids.filtered("close_line_id"):
                task._plan_for(close._day_of(task.close_line_id, working))
            days = [close._day_of(line, working) for line in close.template_id.line_ids]
            close.sudo().target_close_date = max(days, default=False)

    @api.model
    def _plan_open(self):
        self.sudo().search([("state", "in", ("open", "in_review"))])._plan()

    def _last_line(self):
        """Whoever answers for that answers for all of it."""
        return self.template_id.line_ids.sorted(lambda line: (line.workday, by_number(line.wbs_code)))[-1:]

    def _accountable(self):
        return self.env["ipai.finance.person"]._of_role(self.company_id, self._last_line().accountable)

    @api.model
    def _unopened(self):
        """A pulse (see the heartbeats) for each company of the user that files, has opened a close of one of the months before, from a template that
        is still used, and none of last month though its day has passed. One that has not for longer does not close in Odoo any more.
        """
        if not self.has_access("read"):
            return []
        month = (self.env["ipai.finance.calendar"]._today().replace(day=1) - timedelta(days=1)).strftime("%Y-%m")
        since = (self.env["ipai.finance.calendar"]._today() - FORGOTTEN_AFTER).strftime("%Y-%m")
        filing = self.env["ipai.finance.filer"].sudo().search([("company_id", "in", self.env.companies.ids)]).company_id
        opened = [("company_id", "in", filing.ids), ("state", "!=", "draft"), ("period", "<=", month), ("period", ">=", since)]
        newest = self._read_group(opened, ["company_id"], ["period:max"])
        closes = [self.search([("company_id", "=", company.id), ("period", "=", period)]) for company, period in newest if period < month]
        return [one._as_pulse(month) for one in closes if one._is_followed(month)]

    def _is_followed(self, month):
        """Whether the close of that month had to be opened by now: by itself on its day, by a person until the first working day after the month."""
        working = self.env["ipai.finance.calendar"]._working_days(self.company_id)
        own = self.env["ipai.finance.filer"].sudo()._of(self.company_id).close_template_id
        day = own._opens_on(month, working) if own else working_day_of(last_day_of(month), 1, working)
        return (own or self.template_id).active and day < self.env["ipai.finance.calendar"]._today()

    def _as_pulse(self, month):
        name = _("Month-end close of %s", self.company_id.name)
        trouble = _("that of %s was not opened", month)
        return as_pulse(self.env, name=name, by="Odoo", last=self.create_date, every={"months": 1}, trouble=trouble)

    def action_review(self):
        self.write({"state": "in_review"})

    def action_lock(self):
        """Errors: UserError while a task is open."""
        for close in self:
            waiting = close.task_ids.filtered(lambda task: task.state not in CLOSED)
            if waiting:
                raise UserError(_("%(close)s is not closed: %(count)s tasks are open.", close=close.name, count=len(waiting)))
            close.write({"state": "locked", "actual_close_date": day_in_manila(fields.Datetime.now())})

    def _as_plan(self):
        """Its tasks on a time line, by WBS code: the days they are planned for and were done on (in Manila, as ISO text), what each waits for, and
        who has which part in it (RACI).
        """
        parts = {role: self.env["ipai.finance.person"]._of_role(self.company_id, role).mapped("name") for role, _name in ROLES}
        working = self.env["ipai.finance.calendar"]._working_days(self.company_id)
        return [self._as_planned(task, working, parts) for task in self.task_ids.sorted(lambda task: (by_number(task.wbs_code), task.id))]

    def _as_planned(self, task, working, parts):
        today, due = self.env["ipai.finance.calendar"]._today(), task.date_deadline and day_in_manila(task.date_deadline)
        done = task.finance_done_on and day_in_manila(task.finance_done_on)
        is_closed, line = task.state in CLOSED, task.close_line_id
        before = (task.depend_on_ids & self.task_ids).sorted(lambda one: (by_number(one.wbs_code), one.id))
        ahead = [day_in_manila(one.date_deadline) for one in before if one.date_deadline]
        until = done if is_closed else today
        return {
            "id": task.id,
            "wbs": task.wbs_code or "",
            "name": line.name or task.name,
            "phase": line.phase or None,
            "stage": task.finance_stage or None,
            "start": str(min(working.after(max(ahead), 1), due) if ahead and due else due) if due else None,
            "due": str(due) if due else None,
            "done": str(done) if is_closed and done else None,
            "state": "cancelled" if task.state == "1_canceled" else "done" if is_closed else "open",
            "daysLate": max(0, (until - due).days) if due and until else 0,
            "after": before.mapped("wbs_code"),
            "responsible": {"role": line.responsible or None, "people": task.user_ids.mapped("name")},
            **{part: {"role": line[part], "people": parts[line[part]]} if line[part] else None for part in ("accountable", "consulted", "informed")},
        }

    def _as_tally(self):
        """For the monthly report. What was cancelled had not to be done; what is open is late when its deadline has passed."""
        tasks = self.task_ids.filtered(lambda task: task.state != "1_canceled")
        done = tasks.filtered(lambda task: task.state in CLOSED)
        late = tasks.filtered(lambda task: task._is_late())
        days = self.days_to_close if self.actual_close_date else None
        counts = {"tasks": len(tasks), "done": len(done), "onTime": len(done - late), "late": len(late)}
        return {"period": self.period, **counts, "days": days}

    @api.model
    def _average_days(self, companies):
        closes = self.sudo().search([("company_id", "in", companies.ids), ("state", "=", "locked")], limit=12, order="period desc")
        return sum(closes.mapped("days_to_close")) / len(closes) if closes else 0.0
