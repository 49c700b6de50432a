from dateutil.relativedelta import relativedelta

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from ..report_pages import ENOUGH
from ..rules import estimate_exposure, shipped_penalties
from ..versions import ensure_unique
from .bir_schedule import OPEN
from .calendar import day_in_manila
from .project_task import SILENT

PENALTIES = shipped_penalties()
STAGE_OWNERS = (("preparation", "supervisor_id"), ("review", "reviewer_id"), ("approval", "approver_id"))


class MonthlyReport(models.Model):
    """A month of a company in numbers. SQL reads it as finance_ppm.monthly_reports."""

    _name = "ipai.finance.monthly_report"
    _description = "Monthly Compliance Report"
    # One that cannot be mailed is an activity.
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _order = "period desc, company_id"
    _rec_name = "period"

    company_id = fields.Many2one("res.company", required=True, readonly=True, index=True)
    period = fields.Char(required=True, readonly=True, help="YYYY-MM: the month in which the deadlines lie.")
    revision = fields.Integer(required=True, readonly=True, default=1)
    generated_at = fields.Datetime(required=True, readonly=True)
    total_forms = fields.Integer(readonly=True)
    filed_on_time = fields.Integer(readonly=True)
    filed_late = fields.Integer(readonly=True)
    open_late = fields.Integer(readonly=True)
    open_in_time = fields.Integer(readonly=True)
    not_applicable = fields.Integer(readonly=True)
    compliance_rate = fields.Float(string="On Time, %", readonly=True, help="Of all that was due by then; nothing was when no form is filed or late.")
    avg_completion = fields.Float(string="Completion, %", readonly=True)
    avg_lead_days = fields.Float(string="Days Before the Deadline", readonly=True)
    escalations = fields.Integer(readonly=True)
    report_markdown = fields.Text(readonly=True)
    details = fields.Json(readonly=True, help="The filings, and the tallies of forms, people, levels and closes, as they were then.")

    def init(self):
        ensure_unique(self, "company_id", "period")
        # A view depends on its columns: it is made anew after they are.
        self.env.cr.execute(
            """
            CREATE SCHEMA IF NOT EXISTS finance_ppm;
            DROP VIEW IF EXISTS finance_ppm.monthly_reports;
            CREATE VIEW finance_ppm.monthly_reports AS
            SELECT report.id, company.name AS company, report.period, report.revision, report.generated_at, report.total_forms,
                report.filed_on_time, report.filed_late + report.open_late AS late_filings,
                CASE WHEN report.total_forms > report.open_in_time THEN report.compliance_rate END AS compliance_rate,
                CASE WHEN report.total_forms > 0 THEN report.avg_completion END AS avg_completion,
                (report.details -> 'exposure' ->> 'amount')::numeric AS exposure_estimate, report.filed_on_time + report.filed_late AS status_filed, report.open_late AS status_late,
                report.open_in_time AS status_open, report.not_applicable AS status_not_applicable, report.report_markdown
            FROM ipai_finance_monthly_report report JOIN res_company company ON company.id = report.company_id
            """
        )

    @api.model
    def _drop_view(self):
        """The schema goes with it unless somebody has put something of his own there."""
        self.env.cr.execute("DROP VIEW IF EXISTS finance_ppm.monthly_reports")
        self.env.cr.execute("SELECT 1 FROM pg_class WHERE relnamespace = to_regnamespace('finance_ppm')")
        if not self.env.cr.fetchone():
            self.env.cr.execute("DROP SCHEMA IF EXISTS finance_ppm")

    @api.model
    def _make(self, company, period):
        """The report of a month, from what is known now. Asked again it is the same row, with a new revision when a number changed.

        Errors: UserError when the period is no month.
        """
        try:
            first = fields.Date.to_date(f"{period}-01")
        except ValueError as error:
            raise UserError(_("A month is written as 2026-01.")) from error
        found = self.sudo().search([("company_id", "=", company.id), ("period", "=", period)])
        last = fields.Date.end_of(first, "month")
        numbers, details = self._numbers(company, first, last), self._details(company, first, last)
        if found and found.details == details and all(found[name] == value for name, value in numbers.items()):
            return found
        values = {
            **numbers,
            "details": details,
            "generated_at": fields.Datetime.now(),
            "report_markdown": self._as_markdown(company, period, numbers),
        }
        if found:
            # Whoever has not got the former one gets this one instead.
            self.env["ipai.finance.alert"]._drop(found, ["report"])
            found.write({**values, "revision": found.revision + 1})
            return found
        return self.sudo().with_context(**SILENT).create({**values, "company_id": company.id, "period": period})

    @api.model
    def _numbers(self, company, first, last):
        filings = self.env["ipai.finance.bir_schedule"].sudo().search(
            [("company_id", "=", company.id), ("filing_deadline", ">=", first), ("filing_deadline", "<=", last)]
        )
        due = filings.filtered(lambda one: one.state in (*OPEN, "filed"))
        filed = due.filtered(lambda one: one.state == "filed")
        on_time = filed.filtered(lambda one: not one.is_late)
        late = due.filtered(lambda one: one.state in OPEN and one.is_late)
        leads = [(one.filing_deadline - day_in_manila(one.filed_on)).days for one in filed]
        # What is open in time is not due yet, as in a month that is not over: it says nothing for or against anybody.
        judged = filed | late
        steps = self.env["ipai.finance.escalation_log"].sudo().search_count([("task_id.bir_schedule_id", "in", filings.ids)])
        return {
            "total_forms": len(due),
            "filed_on_time": len(on_time),
            "filed_late": len(filed - on_time),
            "open_late": len(late),
            "open_in_time": len(due - judged),
            "not_applicable": len(filings.filtered(lambda one: one.state == "not_applicable")),
            "compliance_rate": round(100 * len(on_time) / len(judged), 2) if judged else 0.0,
            "avg_completion": round(sum(due.mapped("completion_pct")) / len(due), 2) if due else 0.0,
            "avg_lead_days": round(sum(leads) / len(leads), 2) if leads else 0.0,
            "escalations": steps,
        }

    @api.model
    def _details(self, company, first, last):
        """What the numbers are made of, as JSON: what is open and late has no days, which would be others every day."""
        filings = self.env["ipai.finance.bir_schedule"].sudo().search(
            [("company_id", "=", company.id), ("filing_deadline", ">=", first), ("filing_deadline", "<=", last)]
        )
        due = filings.filtered(lambda one: one.state in (*OPEN, "filed"))
        steps = self.env["ipai.finance.escalation_log"].sudo().search([("task_id.bir_schedule_id", "in", filings.ids)])
        closes = self.env["ipai.finance.close"].sudo().search(
            [("company_id", "=", company.id), ("target_close_date", ">=", first), ("target_close_date", "<=", last)]
        )
        return {
            "escalations": [
                {"level": level, "count": len(of_level)} for level, of_level in sorted(steps.grouped("level").items())
            ],
            "closes": [one._as_tally() for one in closes.sorted("period")],
            "exposure": self._exposure(company, due.filtered("is_late"), last),
            "byForm": [
                {"form": form.code, "name": form.name, **of_form._as_tally()}
                for form, of_form in sorted(due.grouped("form_id").items(), key=lambda one: one[0].code)
            ],
            "byPerson": [
                {"person": user.name or None, "stage": stage, **of_user._as_tally()}
                for stage, field in STAGE_OWNERS
                for user, of_user in sorted(due.grouped(field).items(), key=lambda one: one[0].name or "")
            ],
            "filings": [one._as_reported() for one in filings],
        }

    @api.model
    def _exposure(self, company, late, until):
        """What late filings may cost, an estimate. Of what is open only until the month's end, or it would be another one every day."""
        filer = self.env["ipai.finance.filer"].sudo().search([("company_id", "=", company.id)], limit=1)
        found = estimate_exposure(PENALTIES, filer.size or None, [one._as_late(until) for one in late])
        return {**found, "until": str(until)}

    def _is_judged(self):
        """Something was due by then."""
        return self.total_forms > self.open_in_time

    @api.model
    def _as_markdown(self, company, period, numbers):
        is_judged = numbers["total_forms"] > numbers["open_in_time"]
        # What was not there to be measured was not 0.
        measured = {
            "compliance_rate": is_judged,
            "avg_completion": numbers["total_forms"],
            "avg_lead_days": numbers["filed_on_time"] + numbers["filed_late"],
        }
        rate = f"{numbers['compliance_rate']:.1f} %" if is_judged else _("nothing was due")
        lines = [f"# {company.name}, {period}", "", _("On time: %s", rate), ""]
        shown = {name: value for name, value in numbers.items() if measured.get(name, True)}
        return "\n".join([*lines, *(f"- {self._fields[name]._description_string(self.env)}: {value}" for name, value in shown.items())])

    @api.model
    def _run_month(self, period=None, companies=None):
        """The reports of a month, for all companies that file, or those of `companies`; the director hears of one that is not good enough.

        Returns the alerts that were raised: none for a report that says what it said before.
        Errors: UserError for what is no month, one that has not begun, or one in which none of them had begun to file.
        """
        alerts = self.env["ipai.finance.alert"]
        if not alerts._take_turn("report"):
            return alerts
        self.env["ipai.finance.bir_schedule"]._mark_late()
        if period and period > self.env["ipai.finance.calendar"]._today().strftime("%Y-%m"):
            raise UserError(_("%s has not begun.", period))
        filers = self.env["ipai.finance.filer"].sudo().search([] if companies is None else [("company_id", "in", companies.ids)])
        begun = filers.filtered(lambda filer: not period or self._first_month(filer) <= period)
        if filers and not begun:
            raise UserError(_("Nobody had begun to file in %s.", period))
        for company in begun.company_id:
            for one in [period] if period else self._unreported(company):
                alerts |= self._make(company, one)._tell()
        return alerts

    @api.model
    def _first_month(self, filer):
        """From when on filings are kept here: since the filer's start, or since an earlier one was entered by hand."""
        filings = self.env["ipai.finance.bir_schedule"].sudo()
        first = filings.search([("company_id", "=", filer.company_id.id)], order="filing_deadline", limit=1).filing_deadline
        return min(filter(None, (first, filer.start_on))).strftime("%Y-%m")

    @api.model
    def _last_month(self):
        return self.env["ipai.finance.calendar"]._today().replace(day=1) - relativedelta(months=1)

    @api.model
    def _unreported(self, company):
        """The months since the first report that have none, whoever made those after them: one whose first fell into an outage is made, too.
        Last month is always among them.
        """
        known = set(self.sudo().search([("company_id", "=", company.id)]).mapped("period"))
        month = self._last_month()
        periods = [month.strftime("%Y-%m")]
        first = min(known, default=periods[0])
        while (month := month - relativedelta(months=1)).strftime("%Y-%m") > first:
            periods.insert(0, month.strftime("%Y-%m"))
        return [one for one in periods if one == periods[-1] or one not in known]

    def _tell(self):
        """Tells what the report says, when the month is over; of one in which nothing was due only when it is last month: whoever asks for
        others has them to read.
        """
        last = self._last_month().strftime("%Y-%m")
        if self.period > last or (self.period < last and not self.total_forms):
            return self.env["ipai.finance.alert"]
        is_bad = self.open_late or (self._is_judged() and self.compliance_rate < ENOUGH)
        severity = "critical" if is_bad else "normal"
        return self.env["ipai.finance.alert"]._queue(
            self,
            kind="report",
            dedupe_key=self._alert_key("report"),
            severity=severity,
            subject=self._subject(),
            body_md=self.report_markdown,
            recipient_ids=[(6, 0, self._recipients(severity).ids)],
        )
