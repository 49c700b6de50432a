import csv
import io

from odoo.exceptions import UserError
from odoo.tests import tagged

from .common import FinanceCase


@tagged("post_install", "-at_install")
class TestReport(FinanceCase):
    roles = ("manager",)

    def end_request(self):
        """Then what was tracked is written into the chatter."""
        self.env.flush_all()
        self.env.cr.precommit.run()

    def make_month(self):
        """February 2026: one filed in time, one filed late, one open and late, one that does not apply."""
        for form, values in (
            ("1601-C", {"state": "filed", "filed_on": "2026-02-06 02:00:00", "confirmation_no": "EX-1"}),
            ("0619-E", {"state": "filed", "filed_on": "2026-02-12 02:00:00", "confirmation_no": "EX-2"}),
            ("0619-F", {}),
            ("1600-VT", {"state": "not_applicable", "not_applicable_reason": "nothing withheld"}),
        ):
            self.make(form, "2026-01").write(values or {"reference": ""})

    def test_a_month_in_numbers(self):
        self.make_month()
        with self.at("2026-03-01 09:00"):
            self.Filing._mark_late()
            report = self.env["ipai.finance.monthly_report"]._make(self.company, "2026-02")
            again = self.env["ipai.finance.monthly_report"]._make(self.company, "2026-02")
        names = ("total_forms", "filed_on_time", "filed_late", "open_late", "open_in_time", "not_applicable")
        self.assertEqual([report[name] for name in names], [3, 1, 1, 1, 0, 1])
        self.assertEqual((report.compliance_rate, report.avg_lead_days), (33.33, 1.0))
        self.assertEqual((again, again.revision), (report, 1))
        self.filings(("form_code", "=", "0619-F")).write({"state": "filed", "filed_on": "2026-03-02 02:00:00", "confirmation_no": "EX-3"})
        report._make(self.company, "2026-02")
        self.assertEqual((report.revision, report.filed_late, report.open_late), (2, 2, 0))

    def test_what_is_not_filed_says_who_decided_it_when_and_why(self):
        self.make_month()
        entered = self.make("1601-C", "2026-01", reference="entered", state="cancelled", not_applicable_reason="a duplicate")
        self.make("1600-PT", "2026-01").write({"state": "not_applicable", "not_applicable_reason": "no platform"})
        cancelled = self.filings(("form_code", "=", "0619-F"))
        cancelled.with_user(self.manager).write({"state": "cancelled", "not_applicable_reason": "=entered twice"})
        self.end_request()
        # Half past midnight in Manila; the other one is from before it was noted.
        cancelled.sudo().excused_on = "2026-02-03 16:30:00"
        entered.sudo().write({"excused_by_id": False, "excused_on": False})
        report = self.env["ipai.finance.monthly_report"]._make(self.company, "2026-02")
        said = report._as_answer()
        told = {(one["form"], one["period"]): (one["status"], one["excusedBy"], one["excusedOn"], one["reason"]) for one in said["filings"]}
        self.assertEqual(told["0619-F", "2026-01"], ("cancelled", self.manager.name, "2026-02-04", "=entered twice"))
        self.assertEqual(told["1601-C", entered.name.removeprefix("1601-C ")], ("cancelled", None, None, "a duplicate"), "nobody is invented")
        self.assertEqual(told["1601-C", "2026-01"], ("filed", None, None, None))
        self.assertEqual((said["total"], said["notApplicable"], said["openLate"]), (2, 2, 0), "no number has it")
        (row,) = [one for one in csv.DictReader(io.StringIO(report._as_csv())) if one["form"] == "0619-F"]
        self.assertEqual([row[one] for one in ("status", "excusedBy", "excusedOn")], ["cancelled", self.manager.name, "2026-02-04"])
        self.assertEqual(row["reason"], "'=entered twice", "no spreadsheet computes it")
        mail = report._as_mail()["body_html"]
        self.assertIn("Cancelled or not applicable", mail)
        self.assertIn("=entered twice", mail)
        self.assertIn("not recorded", mail)
        self.assertTrue(report._as_pdf().startswith(b"%PDF-"))
        cancelled.with_user(self.manager).action_reopen()
        said = cancelled._as_reported()
        self.assertEqual([said[name] for name in ("excusedBy", "excusedOn", "reason")], [None] * 3, "another decision needs a reason of its own")

    def test_a_reason_of_any_length_is_a_row_of_a_page(self):
        self.make_month()
        cancelled = self.filings(("form_code", "=", "0619-F"))
        cancelled.with_user(self.manager).write({"state": "cancelled", "not_applicable_reason": "because it is so " * 600})
        report = self.env["ipai.finance.monthly_report"]._make(self.company, "2026-02")
        self.assertTrue(report._as_pdf().startswith(b"%PDF-"))
        self.assertIn("because it is so " * 500, report._as_csv())

    def test_a_report_that_was_made_before_says_what_it_knows(self):
        self.make_month()
        report = self.env["ipai.finance.monthly_report"]._make(self.company, "2026-02")
        kept = [{name: one[name] for name in one if name not in ("excusedBy", "excusedOn")} for one in report.details["filings"]]
        report.details = {**report.details, "filings": kept}
        self.assertEqual({one["excusedBy"] for one in report._as_answer()["filings"]}, {None})
        self.assertTrue(report._as_pdf().startswith(b"%PDF-"))

    def test_a_report_speaks_the_language_of_the_reader(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        field = self.env["ir.model.fields"]._get("ipai.finance.monthly_report", "filed_on_time")
        field.with_context(lang="fr_FR").field_description = "Déposés à temps"
        report = self.env["ipai.finance.monthly_report"].with_context(lang="fr_FR")._make(self.company, "2026-02")
        self.assertIn("- Déposés à temps: 0", report.report_markdown)

    def test_a_month_in_which_nothing_was_due(self):
        report = self.env["ipai.finance.monthly_report"]._make(self.company, "2026-02")
        self.assertEqual((report.total_forms, report.compliance_rate), (0, 0))
        self.assertIn("nothing was due", report.report_markdown)
        self.assertEqual(report.report_markdown.count("%"), 0, "nothing was measured, not even 0 %")
        self.assertNotIn("Days Before the Deadline", report.report_markdown)
        with self.assertRaises(UserError):
            report._make(self.company, "2026-13")

    def test_a_month_that_is_not_over_is_judged_over_what_is_due_and_not_told(self):
        reports = self.env["ipai.finance.monthly_report"]
        self.make("1601-C", "2026-01").write({"state": "filed", "filed_on": "2026-02-06 02:00:00", "confirmation_no": "EX-1"})
        self.make("0619-E", "2026-01").write({"override_deadline": "2026-02-26", "override_reason": "an example"})
        for moment, numbers in (("2026-02-12 09:00", (2, 1, 0, 1)), ("2026-02-27 09:00", (2, 1, 1, 0))):
            with self.at(moment):
                self.assertFalse(reports._run_month("2026-02", self.company), moment)
            report = reports.search([("company_id", "=", self.company.id)])
            self.assertEqual((report.total_forms, report.filed_on_time, report.open_late, report.open_in_time), numbers)
            self.assertEqual(report.compliance_rate, 100 if moment < "2026-02-20" else 50)
        with self.at("2026-03-01 09:00"):
            self.assertEqual(reports._run_month("2026-02", self.company).severity, "critical")

    def test_the_month_is_that_of_manila(self):
        director = self.person("director")
        self.make_month()
        with self.at("2026-03-01 00:30"):
            for _again in range(2):
                self.env["ipai.finance.monthly_report"]._run_month()
        report = self.env["ipai.finance.monthly_report"].search([("company_id", "=", self.company.id)])
        self.assertEqual(report.mapped("period"), ["2026-02"])
        alert = self.alerts(("kind", "=", "report"))
        self.assertEqual((len(alert), alert.severity, alert.recipient_ids), (1, "critical", director))

    def test_a_month_that_fell_into_an_outage_is_reported_too(self):
        reports = self.env["ipai.finance.monthly_report"]
        for moment, periods in (("2026-03-01 09:00", ["2026-02"]), ("2026-06-03 10:00", ["2026-02", "2026-03", "2026-04", "2026-05"])):
            with self.at(moment):
                reports._run_month()
            self.assertEqual(reports.search([("company_id", "=", self.company.id)], order="period").mapped("period"), periods)

    def test_a_report_on_demand_hides_no_month_before_it(self):
        reports = self.env["ipai.finance.monthly_report"]
        for moment, period, periods in (
            ("2026-03-01 09:00", None, ["2026-02"]),
            ("2026-06-03 10:00", "2026-05", ["2026-02", "2026-05"]),
            ("2026-06-03 10:00", "2026-06", ["2026-02", "2026-05", "2026-06"]),
            ("2026-06-03 10:15", None, ["2026-02", "2026-03", "2026-04", "2026-05", "2026-06"]),
        ):
            with self.at(moment):
                reports._run_month(period, self.company)
            self.assertEqual(reports.search([("company_id", "=", self.company.id)], order="period").mapped("period"), periods)

    def test_a_report_that_nobody_can_be_sent_is_told_in_odoo(self):
        self.make_month()
        with self.at("2026-03-01 09:00"):
            self.env["ipai.finance.monthly_report"]._run_month(companies=self.company)
            self.env["ipai.finance.alert"]._run_quarter_hour()
        report = self.env["ipai.finance.monthly_report"].search([("company_id", "=", self.company.id)])
        self.assertEqual(self.alerts(("kind", "=", "report")).state, "failed")
        self.assertEqual(report.activity_ids.user_id, self.manager)
        self.assertIn("BIR compliance", report.activity_ids.summary)
        report.with_user(self.manager).activity_ids.action_feedback(feedback="read")
        self.assertFalse(report.activity_ids)

    def test_the_logframe_measures(self):
        self.make_month()
        with self.at("2026-03-01 09:00"):
            self.Filing._mark_late()
            outcome = self.env.ref("ipai_finance_ppm.logframe_O1").with_context(allowed_company_ids=self.company.ids)
            self.assertAlmostEqual(outcome.actual, 100 / 3)
        self.assertEqual(self.env["ipai.finance.logframe"].search_count([]), 12)
