import csv
import io
from unittest.mock import patch

from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import FinanceCase

NAME = "Peñafrancia & “Ñandú” <Trading> Co. 🍍"


@tagged("post_install", "-at_install")
class TestReportDelivery(FinanceCase):
    """The report's mail, its files, and what its lateness may cost."""

    roles = ("supervisor", "manager", "auditor")

    def setUp(self):
        super().setUp()
        self.company.name = NAME
        self.late = self.make("1601-C", "2026-01", supervisor_id=self.supervisor.id)

    def run_month(self, moment="2026-03-01 09:00"):
        with self.at(moment):
            self.env["ipai.finance.monthly_report"]._run_month("2026-02", self.company)
            self.env["ipai.finance.alert"]._run_quarter_hour()
        return self.env["ipai.finance.monthly_report"].search([("company_id", "=", self.company.id)])

    def mails(self):
        return self.alerts(("kind", "=", "report")).mail_ids.sorted("id")

    def file(self, day="2026-02-12"):
        self.late.write({"state": "filed", "filed_on": f"{day} 02:00:00", "confirmation_no": '=1+1 "EX"'})

    def test_managers_and_directors_get_it_and_whoever_is_named(self):
        people = [self.person(role) for role in ("staff", "supervisor", "manager", "director")]
        self.assertEqual([one.gets_reports for one in people], [False, False, True, True])
        people[0].gets_reports = True
        people[2].gets_reports = False
        self.file("2026-02-09")
        report = self.run_month()
        self.assertEqual(sorted(self.mails().mapped("email_to")), ["director@example.com", "staff@example.com"])
        self.assertEqual((report.delivery, report.sent_to), ("waiting", ""))
        self.mails().write({"state": "sent"})
        report.invalidate_recordset()
        self.assertEqual((report.delivery, report.sent_to), ("sent", "director Example, staff Example"))

    def test_the_director_hears_of_a_bad_month_whoever_reads_reports(self):
        director = self.person("director", gets_reports=False)
        self.file()
        self.run_month()
        self.assertEqual(self.mails().mapped("email_to"), [director.email])

    def test_it_is_a_mail_of_its_own_with_both_files(self):
        self.person("director")
        self.file()
        report = self.run_month()
        mail = self.mails()
        self.assertEqual((len(mail), mail.state), (1, "outgoing"))
        self.assertEqual(mail.subject, f"BIR compliance of {NAME}, 2026-02")
        self.assertIn("Peñafrancia &amp; “Ñandú” &lt;Trading&gt; Co. 🍍", mail.body_html)
        self.assertIn("0 % filed in time", mail.body_html)
        self.assertNotIn("replaces", mail.body_html)
        pdf, table = mail.attachment_ids.sorted("name", reverse=True)
        self.assertEqual([pdf.mimetype, table.mimetype], ["application/pdf", "text/csv"])
        self.assertEqual([pdf.res_model, pdf.res_id], [report._name, report.id])
        self.assertTrue(pdf.raw.startswith(b"%PDF-"))
        self.assertEqual(report._as_pdf(), pdf.raw, "the same report gives the same bytes")
        head, row = csv.reader(io.StringIO(table.raw.decode("utf-8-sig")))
        told = dict(zip(head, row))
        self.assertEqual([told[key] for key in ("company", "form", "late", "daysLate")], [NAME, "1601-C", "true", "2"])
        self.assertEqual(told["confirmation"], '\'=1+1 "EX"', "no spreadsheet computes it")

    def test_a_revision_is_mailed_once_and_says_what_it_replaces(self):
        self.person("director")
        self.run_month()
        self.run_month()
        self.assertEqual(len(self.mails()), 1)
        self.file("2026-03-02")
        report = self.run_month("2026-03-02 12:00")
        self.assertEqual(report.revision, 2)
        first, second = self.mails()
        self.assertEqual(first.state, "outgoing", "what Odoo's queue of mails has is not taken back")
        self.assertEqual(second.subject, f"BIR compliance of {NAME}, 2026-02, revision 2")
        self.assertIn("replaces revision 1", second.body_html)
        self.assertFalse(first.attachment_ids & second.attachment_ids)

    def test_a_revision_that_nobody_was_mailed_is_overtaken(self):
        reports = self.env["ipai.finance.monthly_report"]
        self.person("director")
        for moment, step in (("2026-03-01 09:00", lambda: None), ("2026-03-01 09:05", lambda: self.file("2026-02-28"))):
            with self.at(moment):
                step()
                reports._run_month("2026-02", self.company)
        self.assertEqual(self.alerts(("kind", "=", "report")).mapped("state"), ["cancelled", "queued"])
        with self.at("2026-03-01 09:15"):
            self.env["ipai.finance.alert"]._run_quarter_hour()
        self.assertEqual(self.mails().mapped("subject"), [f"BIR compliance of {NAME}, 2026-02, revision 2"])

    def test_what_else_is_to_be_told_is_another_mail(self):
        self.person("director")
        with self.at("2026-03-01 09:00"):
            self.Filing._tell_deadlines()
        self.run_month()
        self.assertEqual([bool(mail.attachment_ids) for mail in self.mails() | self.alerts().mail_ids.sorted("id")], [True, False])

    def test_a_mail_that_cannot_be_made_keeps_no_other(self):
        self.person("director")
        with self.at("2026-03-01 09:00"):
            self.Filing._tell_deadlines()
        broken = patch.object(type(self.env["ipai.finance.monthly_report"]), "_as_pdf", side_effect=ValueError("no font"))
        with broken, mute_logger("odoo.addons.ipai_finance_ppm.models.alert"):
            report = self.run_month()
        alert = report._alert()
        self.assertEqual((alert.state, alert.error, self.mails().ids), ("failed", "no font", []))
        self.assertTrue(self.alerts(("kind", "!=", "report")).mail_ids, "what else is to be told is mailed")
        self.assertTrue(alert.is_told_otherwise)
        self.run_month("2026-03-01 09:15")
        self.assertEqual((alert.state, len(self.mails())), ("sent", 1))

    def test_the_mail_of_a_month_in_which_nothing_was_due(self):
        self.person("manager")
        self.late.unlink()
        self.run_month()
        self.assertIn("Nothing was due", self.mails().body_html)
        self.assertNotIn("Exposure", self.mails().body_html)

    def test_exposure(self):
        reports = self.env["ipai.finance.monthly_report"]
        self.filer.size = "small"
        self.make("SLSP", "2025-Q4").write({"override_deadline": "2026-02-02", "override_reason": "an example"})
        self.file()
        with self.at("2026-03-01 09:00"):
            self.Filing._mark_late()
            said = lambda: reports._make(self.company, "2026-02").details["exposure"]  # noqa: E731
            self.assertEqual((said()["amount"], said()["unknown"], said()["until"]), (500, 1, "2026-02-28"))
            self.late.amount_due = 36_500
            # 10 % of it, 6 % a year for two days, half of 8,500, and a list.
            self.assertEqual((said()["amount"], said()["unknown"], said()["size"]), (3650 + 12 + 4250 + 500, 0, "small"))
        self.env.flush_all()
        self.env.cr.execute("SELECT exposure_estimate FROM finance_ppm.monthly_reports WHERE company = %s", [NAME])
        self.assertEqual(self.env.cr.fetchall(), [(8412,)])

    def test_tasks_of_the_close(self):
        template = self.env["ipai.finance.close.template"].create(
            {"name": "Example", "line_ids": [(0, 0, {"wbs_code": f"1.{day}", "phase": "A", "name": f"Day {day}", "workday": day}) for day in (1, 2, 3)]}
        )
        close = self.env["ipai.finance.close"].create({"company_id": self.company.id, "period": "2026-01", "template_id": template.id})
        with self.at("2026-01-28 09:00"):
            close.action_open()
        in_time, late, _open = close.task_ids.sorted("wbs_code")
        for task, moment in ((in_time, "2026-02-02 16:59"), (late, "2026-02-03 17:01")):
            with self.at(moment):
                task.state = "1_done"
        for moment, expected in (("2026-02-04 17:00", (1, 1)), ("2026-02-04 17:01", (1, 2))):
            with self.at(moment):
                (told,) = self.env["ipai.finance.monthly_report"]._make(self.company, "2026-02").details["closes"]
            self.assertEqual((told["tasks"], told["done"], told["onTime"], told["late"]), (3, 2, *expected))
        with self.at("2026-02-05 10:00"):
            late.state = "01_in_progress"
        self.assertFalse(late.finance_done_on)
