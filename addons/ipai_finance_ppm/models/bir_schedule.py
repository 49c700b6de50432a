from datetime import timedelta

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError

from ..rules import RuleError, get_filing
from ..versions import ensure_unique
from .bir_form import CONFIDENCES
from .calendar import CATALOGUE, day_in_manila
from .filer import GROUPS, KINDS
from .project_task import CLOSED, SILENT, end_of_business

OPEN = ("not_started", "in_progress", "submitted")
# Nobody is reminded of them, and no number has them.
UNCOUNTED = frozenset({"not_applicable", "cancelled"})
STATES = [
    ("not_started", "Not started"),
    ("in_progress", "In progress"),
    ("submitted", "Submitted"),
    ("filed", "Filed"),
    ("not_applicable", "Not applicable"),
    ("cancelled", "Cancelled"),
]
STAGES = {"prep_deadline": "preparation", "review_deadline": "review", "approval_deadline": "approval"}
# Of each stage of a filing: the task's stage, its deadline, and who does it.
TASKS = (
    ("prep", "prep_deadline", "supervisor_id"),
    ("review", "review_deadline", "reviewer_id"),
    ("approval", "approval_deadline", "approver_id"),
)
# Tasks are made this long before the first of them is due: a year of them at once would bury the board.
TASKS_AHEAD = timedelta(days=14)
# Days before the deadline on which it is told; overdue, it is told every day.
THRESHOLDS = (0, 1, 3, 5, 7)
# An open task is in progress by itself; in these states somebody has put it.
BEGUN = (*CLOSED, "02_changes_requested", "03_approved")
# That a filing is not filed: who decided it, and when.
DECIDED = ("excused_by_id", "excused_on")
# What the rule engine answers, and what is noted of a decision: nobody types it.
COMPUTED = {
    "period_start",
    "period_end",
    "statutory_deadline",
    "adjusted_deadline",
    "effective_deadline",
    "filing_deadline",
    "epayment_deadline",
    *STAGES,
    "shift_reason",
    "legal_basis",
    "source",
    "confidence",
    "filer_kind",
    "efps_group",
    "is_late",
    "calendar_sequence",
    *DECIDED,
}
# What an event of a calendar says: another one is another version of it.
TOLD = ("filing_deadline", "state")


class BirSchedule(models.Model):
    _name = "ipai.finance.bir_schedule"
    _description = "BIR Filing"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _order = "filing_deadline, form_code, id"

    name = fields.Char(compute="_compute_name", store=True)
    company_id = fields.Many2one("res.company", required=True, default=lambda self: self.env.company, index=True)
    form_id = fields.Many2one("ipai.finance.bir_form", string="Form", required=True, ondelete="restrict")
    form_code = fields.Char(related="form_id.code", store=True)
    period_covered = fields.Char(
        string="Period", required=True, help="2026-01, 2026-Q1, 2026-H1, 2026, FY2026-Q1; of a transaction its day, 2026-03-14."
    )
    reference = fields.Char(help="Tells several filings of one period apart: transactions of one day, an amended return.")
    period_start = fields.Date(readonly=True)
    period_end = fields.Date(readonly=True)

    statutory_deadline = fields.Date(readonly=True, help="What the rule says, whatever day that is.")
    adjusted_deadline = fields.Date(readonly=True, help="Moved to the next working day.")
    effective_deadline = fields.Date(readonly=True, help="With the extensions that the BIR has granted.")
    override_deadline = fields.Date(tracking=True, help="What somebody who answers for taxes says instead.")
    override_reason = fields.Char(tracking=True)
    filing_deadline = fields.Date(readonly=True, index=True, tracking=True, help="The date to work by.")
    epayment_deadline = fields.Date(string="Payment Deadline", readonly=True)
    prep_deadline = fields.Date(string="Preparation Deadline", readonly=True)
    review_deadline = fields.Date(readonly=True)
    approval_deadline = fields.Date(readonly=True)
    shift_reason = fields.Json(readonly=True)
    reasons = fields.Text(compute="_compute_reasons", string="Why")
    legal_basis = fields.Char(readonly=True)
    source = fields.Char(readonly=True)
    confidence = fields.Selection(CONFIDENCES, readonly=True)

    filer_kind = fields.Selection(KINDS, string="Files", readonly=True)
    efps_group = fields.Selection(GROUPS, string="eFPS Group", readonly=True)
    supervisor_id = fields.Many2one("res.users", string="Prepared By", tracking=True)
    reviewer_id = fields.Many2one("res.users", string="Reviewed By", tracking=True)
    approver_id = fields.Many2one("res.users", string="Approved By", tracking=True)

    state = fields.Selection(STATES, required=True, default="not_started", tracking=True, index=True)
    is_late = fields.Boolean(compute="_compute_is_late", store=True)
    # A generated column of the database (see init): for SQL, which has no other way to know that a filing is late.
    status = fields.Selection([*STATES, ("late", "Late")], compute="_compute_status", search="_search_status")
    submitted_on = fields.Datetime(copy=False)
    filed_on = fields.Datetime(copy=False, tracking=True)
    paid_on = fields.Date(copy=False)
    confirmation_no = fields.Char(string="Confirmation Number", copy=False, tracking=True)
    payment_ref = fields.Char(string="Payment Reference", copy=False)
    currency_id = fields.Many2one(related="company_id.currency_id")
    amount_due = fields.Monetary(copy=False)
    evidence_ids = fields.Many2many(
        "ir.attachment", string="Evidence", copy=False, help="The confirmation, or the BIR's advice that its system was down."
    )
    not_applicable_reason = fields.Char(
        string="Why It Is Not Filed", tracking=True, help="Why it does not apply, or was cancelled: the monthly report says so, with who decided it and when."
    )
    excused_by_id = fields.Many2one("res.users", string="Not Filed, Decided by", readonly=True, copy=False)
    excused_on = fields.Datetime(string="Decided on", readonly=True, copy=False)
    logframe_id = fields.Many2one("ipai.finance.logframe", string="Logframe")
    task_ids = fields.One2many("project.task", "bir_schedule_id", string="Tasks")
    completion_pct = fields.Float(string="Completion, %", compute="_compute_completion_pct")
    calendar_sequence = fields.Integer(readonly=True, copy=False, help="How often what calendars show of it has changed: their SEQUENCE.")

    def init(self):
        ensure_unique(self, "company_id", "form_id", "period_covered", "coalesce(reference, '')")
        self.env.cr.execute(
            """
            ALTER TABLE ipai_finance_bir_schedule ADD COLUMN IF NOT EXISTS status varchar GENERATED ALWAYS AS (
                CASE WHEN is_late AND state IN ('not_started', 'in_progress', 'submitted') THEN 'late' ELSE state END
            ) STORED
            """
        )

    @api.depends("form_code", "period_covered", "reference")
    def _compute_name(self):
        for filing in self:
            filing.name = " ".join(filter(None, (filing.form_code, filing.period_covered, filing.reference)))

    @api.depends("shift_reason", "override_deadline", "override_reason")
    def _compute_reasons(self):
        for filing in self:
            filing.reasons = "\n".join(filing._reasons())

    def _reasons(self):
        said = [f"{one['text']} ({one['basis']})" if one["basis"] else one["text"] for one in self.shift_reason or []]
        if self.override_deadline:
            said.append(_("%(day)s instead: %(reason)s", day=self.override_deadline, reason=self.override_reason))
        return said

    @api.depends("state", "filed_on", "filing_deadline")
    def _compute_is_late(self):
        """Late is whoever has not filed by the end of the last day in Manila; a filing that was late stays marked."""
        today = self.env["ipai.finance.calendar"]._today()
        for filing in self:
            until = day_in_manila(filing.filed_on) if filing.state == "filed" and filing.filed_on else today
            is_judged = filing.state in (*OPEN, "filed") and filing.filing_deadline
            filing.is_late = bool(is_judged and until > filing.filing_deadline)

    @api.depends("state", "is_late")
    def _compute_status(self):
        for filing in self:
            filing.status = "late" if filing.is_late and filing.state in OPEN else filing.state

    @api.depends("state", "task_ids.state")
    def _compute_completion_pct(self):
        for filing in self:
            tasks = filing.sudo().task_ids
            done = tasks.filtered(lambda task: task.state in CLOSED)
            filing.completion_pct = 100 if filing.state == "filed" else 100 * len(done) / len(tasks) if tasks else 0

    def _search_status(self, operator, value):
        if operator not in ("=", "!=", "in", "not in"):
            raise UserError(_("A status is searched for by what it is."))
        asked = [value] if isinstance(value, (str, bool)) else list(value)
        in_time = ["&", "|", ("is_late", "=", False), ("state", "not in", OPEN), ("state", "in", asked)]
        late = ["&", ("is_late", "=", True), ("state", "in", OPEN)]
        found = ["|", *in_time, *late] if "late" in asked else in_time
        return ["!", *found] if operator in ("!=", "not in") else found

    @api.constrains("state", "filed_on", "confirmation_no", "evidence_ids")
    def _check_proof(self):
        for filing in self:
            if filing.state == "filed" and not (filing.filed_on and (filing.confirmation_no or filing.evidence_ids)):
                raise ValidationError(
                    _("%s is not filed without a proof: the confirmation number, or the confirmation itself as evidence.", filing.name)
                )

    @api.constrains("state", "not_applicable_reason")
    def _check_reason(self):
        for filing in self:
            if filing.state == "not_applicable" and not filing.not_applicable_reason:
                raise ValidationError(_("Why does %s not apply? Enter the reason first.", filing.name))
            if filing.state == "cancelled" and not filing.not_applicable_reason:
                raise ValidationError(_("Why is %s cancelled? Enter the reason first.", filing.name))

    @api.constrains("override_deadline", "override_reason")
    def _check_override(self):
        for filing in self:
            if filing.override_deadline and not filing.override_reason:
                raise ValidationError(_("Why is %s due on another day? Enter the reason.", filing.name))

    @api.constrains("supervisor_id", "approver_id")
    def _check_people(self):
        for filing in self:
            if filing.supervisor_id and filing.supervisor_id == filing.approver_id:
                raise ValidationError(_("Whoever prepares %s does not approve it.", filing.name))

    @api.model_create_multi
    def create(self, vals_list):
        if any(vals.get("state") in UNCOUNTED for vals in vals_list):
            self._require_manager()
        vals_list = [{name: value for name, value in vals.items() if name not in DECIDED} for vals in vals_list]
        # Last, so that no caller dates a filing: only the rules do.
        filings = super(BirSchedule, self.with_context(tracking_disable=True)).create(vals_list)
        filings.sudo()._put_dates()
        filings.with_env(self.env).filtered(lambda one: one.state in UNCOUNTED)._note_decision()
        return filings.with_env(self.env)

    def write(self, vals):
        if COMPUTED & vals.keys() and not self.env.su:
            raise AccessError(_("Deadlines are computed. Enter the holiday or the extension, or say which day holds instead."))
        if vals.keys() & {"override_deadline", "override_reason"} and not self._may_decide():
            raise AccessError(_("Which day holds instead is for a manager to say."))
        was = {one: one.state for one in self}
        if vals.get("state") in UNCOUNTED or ("not_applicable_reason" in vals and not UNCOUNTED.isdisjoint(was.values())):
            self._require_manager()
        missed = self.filtered("is_late")
        told = {filing: [filing[field] for field in TOLD] for filing in self} if vals.keys() & set(TOLD) else {}
        done = super().write(vals)
        if "state" in vals:
            self._note_decisions(was)
        if any(one.state == "filed" and not one.is_late for one in missed) and not self._may_decide():
            raise AccessError(_("That a missed filing was filed in time after all is for a manager to say."))
        for filing, before in told.items():
            # The first date is no change.
            if before[0] and [filing[field] for field in TOLD] != before:
                super(BirSchedule, filing.sudo()).write({"calendar_sequence": filing.calendar_sequence + 1})
        if vals.get("state", OPEN[0]) not in OPEN:
            self.env["ipai.finance.alert"]._drop(self, ["deadline", "missed"])
            self.env["ipai.finance.alert"]._drop(self.sudo().task_ids, ["escalation"])
        if vals.keys() & {"override_deadline", "override_reason", "form_id", "period_covered", "company_id"}:
            self.sudo()._put_dates()
        return done

    def _note_decisions(self, was):
        """Who says that it is not filed, and when; nothing of what is to be filed after all. `was`: the state of each of them before."""
        self.filtered(lambda one: one.state in UNCOUNTED and one.state != was[one])._note_decision()
        revived = self.filtered(lambda one: one.state not in UNCOUNTED and was[one] in UNCOUNTED)
        super(BirSchedule, revived.sudo()).write({"excused_by_id": False, "excused_on": False, "not_applicable_reason": False})

    def _note_decision(self):
        super(BirSchedule, self.sudo()).write({"excused_by_id": self.env.uid, "excused_on": fields.Datetime.now()})

    def _require_manager(self):
        if not self._may_decide():
            raise AccessError(_("That a filing is cancelled, or does not apply, is for a manager to say: nobody is reminded of it any more."))

    def _may_decide(self):
        return self.env.su or self.env.user.has_group("ipai_finance_ppm.group_manager")

    @api.ondelete(at_uninstall=False)
    def _unlink_only_unused(self):
        if any(filing.state not in ("not_started", "cancelled") for filing in self):
            raise UserError(_("What has been worked on is not deleted. Cancel it, or say why it does not apply."))

    # Dates

    def _put_dates(self, rules=None):
        """Computes the dates anew and tells in the chatter what moved, and why. Needs no rights of its own: run it as superuser.

        A filing that nobody has begun follows the particulars of its filer; others keep those they were begun with. One whose period is
        none any more, as after another fiscal year, keeps its dates and says so.
        Errors: UserError when a form is entered for a period for which it is not filed.
        """
        rules = rules or self.env["ipai.finance.calendar"]._rules()
        filers = {one.company_id: one for one in self.env["ipai.finance.filer"].search([("company_id", "in", self.company_id.ids)])}
        for filing in self:
            filer = filing._filer_of(filers.get(filing.company_id))
            try:
                answer = get_filing(rules, filer, filing.form_code, filing.period_covered)
            except (RuleError, ValueError) as error:
                if not filing.filing_deadline:
                    raise UserError(str(error)) from error
                filing._keep_dates(str(error))
                continue
            before, told = filing.filing_deadline, filing._reasons()
            filing.write(filing._dated(answer, filer))
            if before and filing.filing_deadline != before:
                new = [one for one in filing._reasons() if one not in told] or filing._reasons()
                filing.message_post(
                    body=_("The deadline moved from %(old)s to %(new)s: %(why)s", old=before, new=filing.filing_deadline, why="; ".join(new))
                )
                self.env["ipai.finance.alert"]._overtake(filing, ["deadline", "missed"])
            # A holiday before the deadline moves the stages alone.
            filing._plan_tasks()

    def _keep_dates(self, why):
        if why not in [one["text"] for one in self.shift_reason]:
            self.write({"shift_reason": [*self.shift_reason, {"kind": "unfit", "text": why, "basis": ""}], "confidence": "low"})
            self.message_post(body=_("The dates stay as they were: %s", why))

    def _filer_of(self, filer):
        given = filer._as_filer() if filer else {"kind": "manual", "fiscalYearEnd": 12, "regions": []}
        if self.state != "not_started" and self.filer_kind:
            given.update(kind=self.filer_kind, group=self.efps_group or None)
        return given

    def _dated(self, answer, filer):
        deadline = self.override_deadline or fields.Date.to_date(answer["effective"])
        stages = {field: fields.Date.to_date(answer[stage]) for field, stage in STAGES.items()}
        if self.override_deadline:
            working = self.env["ipai.finance.calendar"]._working_days(self.company_id)
            stages = {field: working.before(deadline, CATALOGUE["stages"][stage]) for field, stage in STAGES.items()}
        return {
            "period_start": answer["periodStart"],
            "period_end": answer["periodEnd"],
            "statutory_deadline": answer["statutory"],
            "adjusted_deadline": answer["adjusted"],
            "effective_deadline": answer["effective"],
            "filing_deadline": deadline,
            "epayment_deadline": answer["payment"],
            **stages,
            "shift_reason": answer["reasons"],
            "legal_basis": answer["legalBasis"],
            "source": answer["source"],
            "confidence": answer["confidence"],
            "filer_kind": filer["kind"],
            "efps_group": filer.get("group") or False,
        }

    @api.model
    def _refresh(self):
        """Dates all open filings of all companies anew, after a holiday, an extension or a filer changed. Done ones stay as they are."""
        self.sudo().search([("state", "in", OPEN)])._put_dates()
        self.env["ipai.finance.close"]._plan_open()

    @api.model
    def _would_move(self, rules):
        """Which open filings other rules would give another deadline, of those that the user sees. Changes nothing.

        Returns pairs of a filing and its deadline by those rules.
        """
        filings = self.search([("state", "in", OPEN), ("override_deadline", "=", False)])
        filers = {one.company_id: one for one in self.env["ipai.finance.filer"].sudo().search([("company_id", "in", filings.company_id.ids)])}
        moves = []
        for filing in filings:
            filer = filing._filer_of(filers.get(filing.company_id))
            try:
                answer = get_filing(rules, filer, filing.form_code, filing.period_covered)
            except (RuleError, ValueError):
                # Its period is none any more: it keeps its dates.
                continue
            deadline = fields.Date.to_date(answer["effective"])
            if deadline != filing.filing_deadline:
                moves.append((filing, deadline))
        return moves

    # Tasks

    @api.model
    def _make_tasks(self, companies=None):
        """Preparation, review and approval, as tasks, of the open filings whose preparation is near. Returns those made."""
        near = self.env["ipai.finance.calendar"]._today() + TASKS_AHEAD
        made = self.env["project.task"].sudo()
        for filing in self._open_of(companies, ("prep_deadline", "<=", near), ("task_ids", "=", False)):
            with self.env["ipai.finance.filer"]._try(filing.company_id, filing):
                made |= filing._make_own_tasks()
        return made

    def _make_own_tasks(self):
        titles = dict(self.env["project.task"]._fields["finance_stage"]._description_selection(self.env))
        project = self.env["ipai.finance.filer"]._project_of(self.company_id)
        tasks = self.env["project.task"].sudo().with_context(**SILENT)
        made = before = tasks.browse()
        for stage, deadline, person in TASKS:
            before = tasks.create(
                {
                    "name": f"{self.name}: {titles[stage]}",
                    "project_id": project.id,
                    "bir_schedule_id": self.id,
                    "finance_logframe_id": self.logframe_id.id,
                    "finance_stage": stage,
                    "date_deadline": end_of_business(self[deadline]),
                    "user_ids": [(6, 0, self[person].ids)],
                    "depend_on_ids": [(6, 0, before.ids)],
                }
            )
            made |= before
        return made

    def _plan_tasks(self):
        """Open tasks move with their filing."""
        for filing in self:
            for stage, deadline, _person in TASKS:
                filing.task_ids.filtered(lambda task, stage=stage: task.finance_stage == stage)._plan_for(filing[deadline])

    # Alerts

    @api.model
    def _open_of(self, companies, *terms):
        """Open filings of these companies, or of all of them."""
        of_companies = [] if companies is None else [("company_id", "in", companies.ids)]
        return self.sudo().search([("state", "in", OPEN), *of_companies, *terms])

    @api.model
    def _tell_deadlines(self, companies=None):
        """Puts what is due within a week, due today or overdue into the outbox: once for each threshold, overdue once a day. Returns those
        alerts, or None when somebody else has just done it.
        """
        today = self.env["ipai.finance.calendar"]._today()
        alerts = self.env["ipai.finance.alert"]
        if not alerts._take_turn("deadline"):
            return None
        for filing in self._open_of(companies, ("filing_deadline", "<=", today + timedelta(days=THRESHOLDS[-1]))):
            with self.env["ipai.finance.filer"]._try(filing.company_id, filing):
                alerts |= filing._tell_deadline(today)
        return alerts

    def _tell_deadline(self, today):
        alerts, left = self.env["ipai.finance.alert"], (self.filing_deadline - today).days
        step = f"overdue:{today}" if left < 0 else next(days for days in THRESHOLDS if days >= left)
        told = alerts._queue(
            self,
            kind="deadline",
            dedupe_key=f"{self._alert_key('deadline')}:{step}",
            severity=self._severity(left),
            subject=self._headline(left),
            body_md=self._as_markdown(),
        )
        if told:
            # Whoever has not got the last one gets this one instead.
            alerts._drop(self, ["deadline"], but=told)
        return told

    @api.model
    def _tell_missed(self):
        """A deadline that has just passed is critical at once, not in the morning."""
        self._mark_late()
        alerts = self.env["ipai.finance.alert"]
        if not alerts._take_turn("missed"):
            return alerts
        yesterday = self.env["ipai.finance.calendar"]._today() - timedelta(days=1)
        for filing in self._open_of(None, ("is_late", "=", True), ("filing_deadline", ">=", yesterday)):
            with self.env["ipai.finance.filer"]._try(filing.company_id, filing):
                alerts |= alerts._queue(
                    filing,
                    kind="missed",
                    dedupe_key=filing._alert_key("missed"),
                    severity="critical",
                    subject=filing._headline(-1),
                    body_md=filing._as_markdown(),
                )
        return alerts

    def _severity(self, left):
        """By calendar days left, one level up when too little is done three days before or the approval has not begun one day before."""
        if left <= 0:
            return "critical"
        approval = self.task_ids.filtered(lambda task: task.finance_stage == "approval")
        is_slow = self.completion_pct < 50 or (left <= 1 and not approval.filtered(lambda task: task.state in BEGUN))
        if left <= 3:
            return "critical" if is_slow else "high"
        return "normal"

    def _headline(self, left):
        if left < 0:
            return _("%(filing)s is overdue since %(day)s", filing=self.name, day=self.filing_deadline)
        if left == 0:
            return _("%s is due today", self.name)
        return _("%(filing)s is due on %(day)s, in %(left)s days", filing=self.name, day=self.filing_deadline, left=left)

    def _is_open(self):
        return self.state in OPEN

    def _alert_key(self, kind):
        """How the keys of its alerts begin: with another deadline others are told."""
        return f"{kind}:{self.id}:{self.filing_deadline}"

    def _as_markdown(self):
        lines = [self.company_id.name, self.form_id.name, self._said_dates(), *self._reasons(), self._said_stage()]
        return "\n".join(f"- {' '.join(line.split())}" for line in lines if line)

    def _said_dates(self):
        today, working = self.env["ipai.finance.calendar"]._today(), self.env["ipai.finance.calendar"]._working_days(self.company_id)
        left = sum(1 for days in range(1, (self.filing_deadline - today).days + 1) if working.is_worked(today + timedelta(days=days)))
        said = _("Due on %(day)s, by the rule on %(rule)s", day=self.filing_deadline, rule=self.statutory_deadline)
        return _("%(said)s; working days left: %(left)s", said=said, left=left) if left else said

    def _current_task(self):
        """The first that is not done, or none."""
        return self.task_ids.filtered(lambda task: task.state not in CLOSED).sorted("date_deadline")[:1]

    def _said_stage(self):
        """At which stage it is, and with whom."""
        task = self._current_task()
        if not task:
            return ""
        stage = dict(task._fields["finance_stage"]._description_selection(self.env)).get(task.finance_stage, task.name)
        who = ", ".join(task.user_ids.mapped("name"))
        return _("%(stage)s, with %(who)s", stage=stage, who=who) if who else _("%s, with nobody", stage)

    def _whose_turn(self):
        """Users who have to go on with it: of the stage it is at; whoever prepares it has it before its tasks are made, and after the last."""
        task = self._current_task()
        return task.user_ids if task else self.supervisor_id

    @api.model
    def _on_time_rate(self, companies):
        """Of the filings that were due in the last twelve months, how many per cent were filed in time; None when none was due."""
        today = self.env["ipai.finance.calendar"]._today()
        due = self.sudo().search(
            [
                ("company_id", "in", companies.ids),
                ("state", "in", (*OPEN, "filed")),
                ("filing_deadline", "<", today),
                ("filing_deadline", ">=", today - timedelta(days=365)),
            ]
        )
        on_time = due.filtered(lambda one: one.state == "filed" and not one.is_late)
        return 100 * len(on_time) / len(due) if due else None

    # For the monthly report

    def _as_tally(self):
        """How many of these were due, filed in time, and late, filed or not."""
        on_time = self.filtered(lambda one: one.state == "filed" and not one.is_late)
        return {"total": len(self), "onTime": len(on_time), "late": len(self.filtered("is_late"))}

    def _as_late(self, until):
        """What the estimate of the exposure asks of a filing that is late: what is open is late until a day."""
        is_open = self.state in OPEN
        paid = until if is_open else max(day_in_manila(self.filed_on), self.paid_on or day_in_manila(self.filed_on))
        days = max(0, (paid - self.filing_deadline).days)
        return {"form": self.form_code, "amount": self.amount_due or None, "days": days, "isOpen": is_open}

    def _as_reported(self):
        filed = day_in_manila(self.filed_on) if self.filed_on else None
        return {
            "form": self.form_code,
            "period": " ".join(filter(None, (self.period_covered, self.reference))),
            "deadline": str(self.filing_deadline),
            "status": self.status,
            "filedOn": str(filed) if filed else None,
            "late": self.is_late,
            "daysLate": max(0, (filed - self.filing_deadline).days) if filed else None,
            "preparedBy": self.supervisor_id.name or None,
            "confirmation": self.confirmation_no or None,
            "excusedBy": self.excused_by_id.name or None,
            "excusedOn": str(day_in_manila(self.excused_on)) if self.excused_on else None,
            "reason": self.not_applicable_reason or None,
        }

    # What people do

    def action_start(self):
        self.write({"state": "in_progress"})

    def action_submit(self):
        self.write({"state": "submitted", "submitted_on": fields.Datetime.now()})

    def action_file(self):
        for filing in self:
            filing.write({"state": "filed", "filed_on": filing.filed_on or fields.Datetime.now()})

    def action_not_applicable(self):
        self.write({"state": "not_applicable"})

    def action_cancel(self):
        self.write({"state": "cancelled"})

    def action_reopen(self):
        if not self._may_decide():
            raise AccessError(_("A manager opens again what was closed."))
        self.write({"state": "in_progress", "filed_on": False})
        self.sudo()._put_dates()
