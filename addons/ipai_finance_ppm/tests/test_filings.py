import json
from pathlib import Path

from odoo.exceptions import UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..rules import list_filings, shipped_rules
from .common import FinanceCase

CASES = json.loads((Path(__file__).parents[1] / "rules/cases.json").read_text(encoding="utf-8"))["cases"]


@tagged("post_install", "-at_install")
class TestFilings(FinanceCase):
    def test_a_year_is_what_the_rules_say(self):
        for year in (2025, 2026, 2027, 2031):
            made = self.filer._generate(year)
            expected = list_filings(shipped_rules(), self.filer._as_filer(), year)
            self.assertGreater(len(expected), 60)
            self.assertEqual(
                sorted((one.form_code, one.period_covered, str(one.filing_deadline), str(one.prep_deadline)) for one in made),
                sorted((one["form"], one["period"], one["effective"], one["preparation"]) for one in expected),
            )
            self.assertFalse(self.filer._generate(year), "a second time makes none")

    def test_the_cases_of_the_rules(self):
        """Those that name no holiday or extension of their own; the filer and the period as they are."""
        told = 0
        for case in CASES:
            if {"holidays", "extensions"} & case.keys() or case["filer"].get("regions"):
                continue
            told += 1
            with self.subTest(case["name"]):
                given = case["filer"]
                self.filer.write(
                    {
                        "kind": given["kind"],
                        "efps_group": given.get("group"),
                        "fiscal_year_end": str(given.get("fiscalYearEnd", 12)),
                    }
                )
                filing = self.make(case["form"], case["period"], reference=f"case {told}")
                names = {"statutory": "statutory_deadline", "adjusted": "adjusted_deadline", "effective": "filing_deadline"}
                for key, field in names.items():
                    if key in case["expect"]:
                        self.assertEqual(str(filing[field]), case["expect"][key], key)
                filing.unlink()
        self.assertGreater(told, 40)

    def test_a_late_holiday_moves_what_is_open_and_says_why(self):
        moved, done = self.make("1601-C", "2026-06"), self.make("0619-E", "2026-05")
        done.write({"state": "filed", "filed_on": "2026-06-09 03:00:00", "confirmation_no": "EX-1"})
        self.assertEqual((str(moved.filing_deadline), str(done.filing_deadline)), ("2026-07-10", "2026-06-10"))
        days = [
            {"date": day, "name": "Example Day", "proclamation": "Proclamation 9999 (2026)"} for day in ("2026-07-10", "2026-06-10")
        ]
        holidays = self.Holiday.create(days)
        self.assertEqual(str(moved.filing_deadline), "2026-07-13")
        self.assertIn("Proclamation 9999 (2026)", moved.reasons)
        self.assertEqual(str(done.filing_deadline), "2026-06-10", "what is filed stays")
        said = moved.message_ids.filtered(lambda one: "moved from 2026-07-10 to 2026-07-13" in (one.body or ""))
        self.assertEqual(len(said), 1)
        self.assertIn("Example Day", said.body)
        holidays.write({"active": False})
        self.assertEqual(str(moved.filing_deadline), "2026-07-10", "and back when it was a mistake")
        self.assertFalse(holidays[0].is_shipped)

    def test_an_estimate_moves_nothing(self):
        filing = self.make("1601-C", "2026-06")
        self.Holiday.create({"date": "2026-07-10", "name": "Eid", "proclamation": "expected", "status": "estimated"})
        self.assertEqual((str(filing.filing_deadline), filing.confidence), ("2026-07-10", "low"))

    def test_an_extension_moves_when_it_is_confirmed(self):
        self.filer.regions = "RDO-99"
        filing, other = self.make("1601-EQ", "2026-Q1"), self.make("1601-FQ", "2026-Q1")
        before = filing.filing_deadline
        extension = self.env["ipai.finance.deadline_extension"].create(
            {
                "authority": "RMC 999-2026",
                "issued_on": "2026-04-20",
                "form_ids": filing.form_id.ids,
                "due_from": "2026-04-30",
                "due_until": "2026-04-30",
                "new_deadline": "2026-05-15",
                "regions": "RDO-98, RDO-99",
            }
        )
        self.assertEqual((extension.filing_ids, filing.filing_deadline), (filing, before))
        extension.action_confirm()
        self.assertEqual([str(one.filing_deadline) for one in (filing, other)], ["2026-05-15", "2026-04-30"])
        self.assertEqual(str(filing.adjusted_deadline), "2026-04-30", "what was computed is kept")
        self.assertIn("RMC 999-2026", filing.reasons)
        self.filer.regions = False
        self.assertEqual(filing.filing_deadline, before, "it is for that place only")

    def test_what_was_begun_keeps_the_filer_it_was_begun_with(self):
        begun, waiting = self.make("1601-C", "2026-01"), self.make("1601-C", "2026-02")
        begun.action_start()
        self.filer.write({"kind": "efps", "efps_group": "E"})
        self.assertEqual([str(one.filing_deadline) for one in (begun, waiting)], ["2026-02-10", "2026-03-11"])
        self.assertEqual((begun.filer_kind, waiting.filer_kind, waiting.efps_group), ("manual", "efps", "E"))

    def test_a_period_that_is_none_any_more_keeps_its_dates(self):
        filing, other = self.make("1702Q", "2026-Q1"), self.make("1601-C", "2026-01")
        for _again in range(2):
            self.filer.write({"fiscal_year_end": "6", "kind": "efps", "efps_group": "E"})
        self.assertEqual((str(filing.filing_deadline), filing.confidence), ("2026-06-01", "low"))
        self.assertEqual(filing.reasons.count("is not filed for a period"), 1)
        self.assertEqual(str(other.filing_deadline), "2026-02-11", "and keeps nothing else from being dated")

    def test_another_day_with_a_reason(self):
        filing = self.make("1601-C", "2026-01")
        with self.assertRaises(ValidationError):
            filing.override_deadline = "2026-02-06"
        filing.write({"override_deadline": "2026-02-06", "override_reason": "the counter closes on Friday"})
        self.assertEqual([str(one) for one in (filing.filing_deadline, filing.prep_deadline)], ["2026-02-06", "2026-02-02"])
        self.assertIn("the counter closes", filing.reasons)
        filing.write({"override_deadline": False, "override_reason": False})
        self.assertEqual(str(filing.filing_deadline), "2026-02-10")

    def test_late_begins_after_the_last_minute_in_manila(self):
        filing = self.make("1601-C", "2026-01")
        for moment, is_late in (("2026-02-10 23:59", False), ("2026-02-11 00:01", True)):
            with self.at(moment):
                filing._compute_is_late()
                self.Filing._mark_late()
                self.assertEqual((filing.is_late, filing.status), (is_late, "late" if is_late else "not_started"))
        with self.at("2026-02-12 09:00"):
            filing.write({"state": "filed", "filed_on": "2026-02-10 15:59:00", "confirmation_no": "EX-2"})
            self.assertFalse(filing.is_late, "received before midnight")
            filing.filed_on = "2026-02-10 16:01:00"
            self.assertEqual((filing.is_late, filing.status), (True, "filed"), "history stays")

    def test_status_is_searched_for(self):
        late, open_one = self.make("1601-C", "2026-01"), self.make("1601-C", "2026-02")
        with self.at("2026-02-11 08:00"):
            (late | open_one)._compute_is_late()
            self.assertEqual(self.filings(("status", "=", "late")), late)
            self.assertEqual(self.filings(("status", "!=", "late")), open_one)
            self.assertEqual(self.filings(("status", "in", ["late", "not_started"])), late | open_one)
            self.assertEqual(self.filings(("status", "=", "not_started")), open_one)

    def test_filed_needs_a_proof_and_what_is_not_filed_a_reason(self):
        filing = self.make("1601-C", "2026-01")
        with self.assertRaisesRegex(ValidationError, "proof"):
            filing.action_file()
        with self.assertRaisesRegex(ValidationError, "apply"):
            filing.action_not_applicable()
        with self.assertRaisesRegex(ValidationError, "cancelled"):
            filing.action_cancel()
        proof = self.env["ir.attachment"].create({"name": "confirmation.txt", "raw": b"received"})
        filing.write({"evidence_ids": proof.ids})
        filing.action_file()
        self.assertTrue(filing.filed_on)

    def test_one_filing_for_each_period(self):
        self.make("1601-C", "2026-01")
        self.make("1601-C", "2026-01", reference="amended")
        with mute_logger("odoo.sql_db"), self.assertRaises(Exception) as raised, self.env.cr.savepoint():
            self.make("1601-C", "2026-01")
        self.assertIn("ipai_finance_bir_schedule_unique", str(raised.exception))

    def test_what_has_no_deadline_is_refused(self):
        for form, period in (("0619-E", "2026-03"), ("1601-C", "soon"), ("1706", "2026-02-30")):
            with self.assertRaises(UserError), self.env.cr.savepoint():
                self.make(form, period)
        self.assertEqual(str(self.make("1706", "2026-03-14").filing_deadline), "2026-04-13")

    def test_earlier_filings_were_made_elsewhere(self):
        self.filer.start_on = "2026-11-01"
        self.assertEqual(min(self.filer._generate(2026).mapped("filing_deadline")), self.day("2026-11-03"))

    def test_the_next_year_is_generated_in_time(self):
        self.filer.start_on = "2026-09-01"
        for moment, last in (("2026-09-30 08:00", "2026"), ("2026-10-05 08:00", "2027")):
            with self.at(moment):
                self.Filing._generate_ahead()
            self.assertEqual(str(max(self.filings().mapped("filing_deadline")))[:4], last)

    def test_a_filer_that_fails_keeps_no_other_from_its_filings(self):
        user = self.env.user
        # As from an import past the checks.
        self.env.cr.execute("update ipai_finance_filer set supervisor_id = %s, approver_id = %s where id = %s", [user.id, user.id, self.filer.id])
        self.filer.invalidate_recordset()
        other = self.env["res.company"].create({"name": "Second Corporation"})
        self.env["ipai.finance.filer"].create({"company_id": other.id, "start_on": "2026-01-01"})
        with self.at("2026-01-12 08:00"), mute_logger("odoo.addons.ipai_finance_ppm.models.filer"):
            for _again in range(2):
                self.Filing._run_day()
        self.assertFalse(self.filings())
        self.assertTrue(self.Filing.search([("company_id", "=", other.id)]))
        self.assertIn("No filings of 2026 were made: Whoever prepares", self.filer.failures)
        self.assertEqual(len(self.filer.failures.splitlines()), 1, "it is said once")
        self.assertTrue(self.env["ipai.finance.alert"].search([("company_id", "=", other.id)]), "and what is due is told")

    def test_an_update_keeps_what_a_person_has_entered(self):
        shipped = self.Holiday.search([("date", "=", "2026-12-08")])
        other = self.Holiday.search([("date", "=", "2026-12-24")])
        shipped.name = "Our words"
        other.with_context(ipai_loading=True).write({"name": "An older text", "is_shipped": True})
        self.Holiday._load_shipped()
        self.assertEqual((shipped.name, shipped.is_shipped), ("Our words", False))
        self.assertNotEqual(other.name, "An older text")
        count = self.Holiday.search_count([])
        for model in ("bir_form", "holiday", "deadline_extension"):
            self.env[f"ipai.finance.{model}"]._load_shipped()
        self.assertEqual(self.Holiday.search_count([]), count)
        self.assertEqual(self.env["ipai.finance.bir_form"].search_count([]), len(shipped_rules()["catalogue"]["forms"]))
