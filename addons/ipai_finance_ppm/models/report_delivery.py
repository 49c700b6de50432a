import csv
import io
import re

from odoo import _, api, fields, models
from odoo.tools.misc import file_path

from ..report_pages import ENOUGH, render, said_excused, said_exposure, said_numbers, said_verdict

# Roboto is Odoo's own, in every series; emoji it has none.
FONTS = {
    "regular": "web/static/fonts/google/Roboto/Roboto-Regular.ttf",
    "bold": "web/static/fonts/google/Roboto/Roboto-Bold.ttf",
    "emoji": "ipai_finance_ppm/static/lib/noto-emoji/NotoEmoji-Regular.ttf",
}
COLUMNS = ("form", "period", "deadline", "status", "filedOn", "late", "daysLate", "preparedBy", "confirmation", "excusedBy", "excusedOn", "reason")
# The view says what a row is; an instant is told with its zone.
ROWS = """
    SELECT id, to_jsonb(row) - 'id' || jsonb_build_object('generated_at', to_char(generated_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
    FROM finance_ppm.monthly_reports AS row WHERE id = ANY(%s)
"""
DETAILS = {"escalations": [], "closes": [], "byForm": [], "byPerson": [], "filings": [], "exposure": None}


class MonthlyReport(models.Model):
    """How a report leaves Odoo: as JSON, as CSV, as pages of A4, and by mail, which has both files attached."""

    _inherit = "ipai.finance.monthly_report"

    delivery = fields.Selection(
        [("none", "Not mailed"), ("waiting", "Waiting"), ("sent", "Sent"), ("failed", "Failed")], compute="_compute_delivery"
    )
    sent_to = fields.Char(compute="_compute_delivery", help="Whose mail the mail server has taken, of this revision.")

    kept_revision = fields.Integer(readonly=True, copy=False, help="The newest revision that is kept outside of Odoo, as whoever keeps it has said.")

    def _compute_delivery(self):
        for report in self:
            alert = report._alert()
            got = report._who_got(alert)
            waiting = alert.recipient_ids.filtered(lambda person: person._address()) - got
            report.sent_to = ", ".join(got.mapped("name"))
            state = "failed" if alert.state == "failed" else "waiting" if waiting or not got else "sent"
            report.delivery = state if alert and alert.state != "cancelled" else "none"

    def _alert(self):
        return self.env["ipai.finance.alert"].sudo().search([("dedupe_key", "=", self._alert_key("report"))])

    @api.model
    def _who_got(self, alert):
        taken = alert.mail_ids.filtered(lambda mail: mail.state in ("sent", "received")).mapped("email_to")
        return alert.recipient_ids.filtered(lambda person: person._address() in taken)

    # For the outbox

    def _is_open(self):
        """A report is worth telling as long as it is the newest, which its key says."""
        return True

    def _alert_key(self, kind):
        return f"{kind}:{self.company_id.id}:{self.period}:{self.revision}"

    def _subject(self):
        subject = _("BIR compliance of %(company)s, %(period)s", company=self.company_id.name, period=self.period)
        return _("%(subject)s, revision %(revision)s", subject=subject, revision=self.revision) if self.revision > 1 else subject

    def _recipients(self, severity):
        """The company's readers; and who hears of what is critical, when it is, or when there are no readers."""
        readers = self.env["ipai.finance.person"]._readers(self.company_id)
        if severity == "critical" or not readers:
            readers |= self.env["ipai.finance.alert"]._hearers(self.company_id, severity)
        return readers

    def _as_mail(self):
        said = self._as_answer()
        values = {
            "report": self,
            "verdict": said_verdict(said, self.env._),
            "is_bad": said["rate"] is not None and said["rate"] < ENOUGH,
            "numbers": said_numbers(said, self.env._),
            "exposure": said_exposure(said, self.env._),
            "late": [one for one in said["filings"] if one["late"]],
            "excused": said_excused(said, self.env._),
        }
        return {
            "subject": self._subject(),
            "body_html": self.env["ir.qweb"]._render("ipai_finance_ppm.report_mail", values),
            "attachment_ids": [(6, 0, self._attachments().ids)],
        }

    def _attachments(self):
        """The files of this revision, made once: everybody is mailed the same, and they stay with the report."""
        attachments = self.env["ir.attachment"].sudo()
        files = {".pdf": ("application/pdf", self._as_pdf), ".csv": ("text/csv", lambda: self._as_csv().encode("utf-8-sig"))}
        for ending, (mimetype, make) in files.items():
            name = f"{self._file_name()}{ending}"
            own = [("res_model", "=", self._name), ("res_id", "=", self.id), ("name", "=", name)]
            attachments |= attachments.search(own, limit=1) or attachments.create(
                {"name": name, "raw": make(), "mimetype": mimetype, "res_model": self._name, "res_id": self.id}
            )
        return attachments

    def _file_name(self):
        company = re.sub(r"\W+", "-", self.company_id.name).strip("-") or str(self.company_id.id)
        return f"bir-compliance-{company}-{self.period}-r{self.revision}"

    # Files

    def _as_pdf(self):
        return render([one._as_answer() for one in self], {face: file_path(path) for face, path in FONTS.items()}, self.env._)

    def _as_csv(self):
        """A line for each filing, as RFC 4180 has it."""
        written = io.StringIO()
        rows = csv.writer(written)
        rows.writerow(["company", "month", "revision", *COLUMNS])
        for said in [report._as_answer() for report in self]:
            head = [as_text(said["company"]), said["period"], said["revision"]]
            rows.writerows([*head, *(as_text(filing[column]) for column in COLUMNS)] for filing in said["filings"])
        return written.getvalue()

    # For programs

    @api.model
    def _to_keep(self):
        """The reports of the user's companies of which a newer revision is here than outside, each with the row that SQL reads of it."""
        reports = self.sudo().search([("company_id", "in", self.env.companies.ids)], order="id").filtered(lambda one: one.kept_revision < one.revision)
        self.env.flush_all()
        self.env.cr.execute(ROWS, [reports.ids])
        rows = dict(self.env.cr.fetchall())
        return [{"id": one.id, "revision": one.revision, "row": rows[one.id]} for one in reports]

    def _keep(self, revision):
        self.sudo().kept_revision = max(revision, self.sudo().kept_revision)

    def _as_answer(self):
        details = {**DETAILS, **(self.details or {})}
        return {
            "company": self.company_id.name,
            "period": self.period,
            "revision": self.revision,
            "generatedAt": f"{self.generated_at.isoformat(timespec='seconds')}Z",
            "delivery": self.delivery,
            "sentTo": self._who_got(self._alert()).mapped("name"),
            "total": self.total_forms,
            "filedOnTime": self.filed_on_time,
            "filedLate": self.filed_late,
            "openLate": self.open_late,
            "openInTime": self.open_in_time,
            "notApplicable": self.not_applicable,
            "rate": self.compliance_rate if self._is_judged() else None,
            "completion": self.avg_completion if self.total_forms else None,
            "leadDays": self.avg_lead_days if self.filed_on_time + self.filed_late else None,
            **{name: details[name] for name in DETAILS},
            # What was reported before tasks of a close were told by their days.
            "closes": [{"onTime": None, "late": None, **one} for one in details["closes"]],
            # Or of who decided what is not filed.
            "filings": [{"excusedBy": None, "excusedOn": None, **one} for one in details["filings"]],
        }


def as_text(value):
    """What begins like a formula is a text in a spreadsheet, too: what people typed is never computed."""
    if value is None or isinstance(value, (bool, int)):
        return "" if value is None else str(value).lower()
    return f"'{value}" if value[:1] in ("=", "+", "-", "@") and not re.fullmatch(r"[+-]?\d+(\.\d+)?", value) else value
