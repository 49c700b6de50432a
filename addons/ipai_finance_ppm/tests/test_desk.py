from odoo.exceptions import AccessError
from odoo.tests import tagged

from ..controllers.desk import Desk
from ..controllers.door import Refusal
from .common import FinanceCase

HOLIDAY = {"date": "2026-07-10", "name": "Example Day", "proclamation": "Proclamation 9999"}
EXTENSION = {
    "authority": "RMC 99-2026",
    "forms": ["1601-C"],
    "issuedOn": "2026-07-08",
    "dueFrom": "2026-07-10",
    "dueUntil": "2026-07-10",
    "newDeadline": "2026-07-20",
}


@tagged("post_install", "-at_install")
class TestDesk(FinanceCase):
    """What a desk is answered; by HTTP the project's system test asks. 1601-C of June 2026 is due on Friday 10 July."""

    roles = ("staff", "supervisor", "manager", "auditor")

    def answer(self, role, route, **sent):
        answer = getattr(Desk, route).plain(Desk(), self.env(user=getattr(self, role)), sent)
        self.env.invalidate_all()
        return answer

    def assert_refused(self, role, status, code, route, **sent):
        with self.assertRaises(Refusal) as caught:
            self.answer(role, route, **sent)
        self.assertEqual((caught.exception.status, caught.exception.code), (status, code), sent)

    def test_reading(self):
        filing = self.make("1601-C", "2026-06", supervisor_id=self.staff.id)
        self.make("1601-C", "2026-05").write({"state": "cancelled", "not_applicable_reason": "an example"})
        for role in self.roles:
            (seen,) = self.answer(role, "filings")["filings"]
            self.assertEqual((seen["id"], seen["deadline"], seen["preparedBy"]), (filing.id, "2026-07-10", self.staff.name))
        self.assertEqual(len(self.answer("auditor", "filings", state="all", year="2026")["filings"]), 2)
        self.assertEqual(self.answer("auditor", "filings", state="all", year="2031")["filings"], [])
        days = [one["date"] for one in self.answer("staff", "holidays", year="2026")["holidays"]]
        self.assertIn("2026-11-02", days)
        self.assertEqual(days, sorted(days))
        self.assertTrue(self.answer("staff", "extensions")["extensions"])

    def test_closes_and_heartbeats(self):
        template = self.env.ref("ipai_finance_ppm.close_template")
        close = self.env["ipai.finance.close"].create({"company_id": self.company.id, "period": "2026-06", "template_id": template.id})
        self.assertEqual(self.answer("auditor", "closes", period="2026-06")["closes"], [], "a draft is nobody's business yet")
        close.action_open()
        (seen,) = self.answer("auditor", "closes", period="2026-06")["closes"]
        self.assertEqual((seen["state"], seen["target"], seen["days"], len(seen["tasks"])), ("open", "2026-07-07", None, 12))
        self.assertEqual(seen["tasks"], close._as_plan(), "as on the dashboard")
        self.assertEqual(seen["accountable"], {"role": "director", "people": []})
        self.assertIn(close.id, [one["id"] for one in self.answer("staff", "closes")["closes"]])
        self.assert_refused("staff", 400, "no_month", "closes", period="June")
        (ladder,) = [one for one in self.answer("auditor", "heartbeats")["heartbeats"] if one["every"] == {"unit": "hours", "count": 2}]
        self.assertEqual(ladder["by"], "Odoo")
        with self.at("2026-08-10 08:00"):
            missing = [one["trouble"] for one in self.answer("auditor", "heartbeats")["heartbeats"] if self.company.name in one["name"]]
        self.assertEqual(missing, ["that of 2026-07 was not opened"])

    def test_who_may(self):
        for role in ("staff", "supervisor", "auditor"):
            for route, sent in (("add_holiday", {**HOLIDAY, "preview": True}), ("add_extension", EXTENSION)):
                with self.assertRaises(AccessError, msg=f"{role} {route}"):
                    self.answer(role, route, **sent)
        self.assertFalse(self.Holiday.search([("name", "=", "Example Day")]))

    def test_a_holiday_says_what_it_moves_before_it_does(self):
        filing = self.make("1601-C", "2026-06")
        before = self.answer("manager", "add_holiday", **HOLIDAY, preview=True)["moves"]
        (told,) = [one for one in before if one["id"] == filing.id]
        self.assertEqual((told["from"], told["to"]), ("2026-07-10", "2026-07-13"))
        self.assertEqual(str(filing.filing_deadline), "2026-07-10")
        self.assertEqual(self.answer("manager", "add_holiday", **HOLIDAY)["moves"], before)
        self.assertEqual(str(filing.filing_deadline), "2026-07-13")
        self.assert_refused("manager", 409, "known", "add_holiday", **HOLIDAY)
        self.Holiday.search([("name", "=", "Example Day")]).active = False
        self.assert_refused("manager", 409, "known", "add_holiday", **HOLIDAY)

    def test_an_estimated_holiday_moves_nothing(self):
        filing = self.make("1601-C", "2026-06")
        self.assertEqual(self.answer("manager", "add_holiday", **HOLIDAY, status="estimated")["moves"], [])
        self.assertEqual(str(filing.filing_deadline), "2026-07-10")

    def test_an_extension_says_what_it_moves_before_it_does(self):
        filing, other = self.make("1601-C", "2026-06"), self.make("0619-E", "2026-04")
        decided = self.make("1601-C", "2026-06", reference="amended")
        decided.write({"override_deadline": "2026-07-09", "override_reason": "agreed with the office"})
        before = self.answer("manager", "add_extension", **EXTENSION, preview=True)["moves"]
        mine = [one for one in before if one["company"] == self.company.name]
        self.assertEqual([(one["id"], one["to"]) for one in mine], [(filing.id, "2026-07-20")])
        self.answer("manager", "add_extension", **EXTENSION)
        self.assertEqual(str(filing.filing_deadline), "2026-07-20")
        self.assert_refused("manager", 409, "known", "add_extension", **EXTENSION)
        self.assertEqual(str(decided.filing_deadline), "2026-07-09")
        self.assertEqual(str(other.filing_deadline), "2026-05-11")
        (held,) = [one for one in self.answer("staff", "extensions")["extensions"] if one["authority"] == "RMC 99-2026"]
        self.assertEqual((held["state"], held["forms"], held["regions"]), ("confirmed", ["1601-C"], []))

    def test_what_cannot_be_entered(self):
        for body, code in (
            ({**HOLIDAY, "date": "2026-02-30"}, "no_day"),
            ({**HOLIDAY, "date": "tomorrow"}, "no_day"),
            ({**HOLIDAY, "type": "long"}, "no_choice"),
            ({**HOLIDAY, "regions": ["Metro Manila"]}, "no_region"),
            ({**HOLIDAY, "regions": "Cebu"}, "wrong_type"),
            ({**HOLIDAY, "name": ""}, "missing_key"),
            ({**HOLIDAY, "move": True}, "unknown_key"),
        ):
            self.assert_refused("manager", 400, code, "add_holiday", **body)
        for body, code in (({**EXTENSION, "forms": ["2550M"]}, "no_form"), ({**EXTENSION, "forms": [1]}, "no_form"), ({**EXTENSION, "dueUntil": "2026-07-09"}, "no_extension")):
            self.assert_refused("manager", 400, code, "add_extension", **body)
        self.assert_refused("staff", 400, "no_year", "filings", year="26")
        self.assert_refused("staff", 400, "no_state", "filings", state="late")
        self.assert_refused("staff", 400, "no_month", "reports")

    def test_acknowledging_an_escalation_stops_its_ladder(self):
        self.person("supervisor")
        today = self.env["ipai.finance.calendar"]._today()
        task = self.env["project.task"].create(
            {
                "name": "Example task",
                "is_finance_ppm": True,
                "date_deadline": f"{today} 09:00:00",
                "project_id": self.env["ipai.finance.filer"]._project_of(self.company).id,
            }
        )
        # Late at night only what is critical speaks: the clock stands at ten in the morning.
        with self.at(f"{today} 10:00"):
            self.answer("supervisor", "climb")
        self.assertEqual(task.escalation_level, 1)
        (alert,) = [one for one in self.answer("staff", "alerts")["alerts"] if one["subject"].startswith("Example task")]
        acked = self.answer("staff", "acknowledge", alert=alert["id"])["alert"]
        self.assertEqual((acked["state"], acked["acknowledgedBy"]), ("acked", self.staff.name))
        self.assertTrue(task.escalation_ack_until)
        self.assertNotIn(alert["id"], [one["id"] for one in self.answer("staff", "alerts")["alerts"]])
        self.assert_refused("staff", 404, "not_found", "acknowledge", alert=999_999_999)
        with self.assertRaises(AccessError):
            self.answer("auditor", "acknowledge", alert=alert["id"])

    def test_a_report_is_made_again_as_a_revision(self):
        late = self.make("1601-C", "2026-01", supervisor_id=self.staff.id)
        late.write({"state": "filed", "filed_on": "2026-02-12 02:00:00", "confirmation_no": "EX-1"})
        self.make("0619-E", "2026-01").write({"state": "not_applicable", "not_applicable_reason": "nothing withheld"})

        def made():
            (mine,) = [one for one in self.answer("supervisor", "make_reports", period="2026-02")["reports"] if one["company"] == self.company.name]
            return mine

        first = made()
        self.assertEqual((first["revision"], first["total"], first["filedLate"], first["rate"]), (1, 1, 1, 0))
        self.assertEqual(first["byForm"][0]["late"], 1)
        self.assertEqual(first["byPerson"][0], {"person": self.staff.name, "stage": "preparation", "total": 1, "onTime": 0, "late": 1})
        self.assertEqual([one["daysLate"] for one in first["filings"] if one["late"]], [2])
        self.assertEqual([one["reason"] for one in first["filings"] if one["reason"]], ["nothing withheld"])
        self.assertEqual(made(), first)
        self.make("0619-F", "2026-01").write({"state": "filed", "filed_on": "2026-02-09 02:00:00", "confirmation_no": "EX-2"})
        self.assertEqual((made()["revision"], made()["rate"]), (2, 50))
        self.assertEqual(self.answer("auditor", "reports", period="2025-02")["reports"], [])
        self.assert_refused("supervisor", 400, "no_month", "make_reports", period="2026-13")

    def test_a_report_is_made_of_the_companies_of_whoever_asks(self):
        other = self.env["res.company"].create({"name": "Second Corporation"})
        self.env["ipai.finance.filer"].create({"company_id": other.id, "start_on": "2020-01-01"})
        self.answer("supervisor", "make_reports", period="2026-02")
        made = self.env["ipai.finance.monthly_report"].search([("period", "=", "2026-02")])
        self.assertIn(self.company, made.company_id)
        self.assertNotIn(other, made.company_id)

    def test_of_a_running_month_only_what_is_due_is_judged(self):
        self.make("1601-C", "2026-01")
        with self.at("2026-02-05 10:00"):
            (mine,) = self.answer("supervisor", "make_reports", period="2026-02")["reports"]
        self.assertEqual((mine["total"], mine["openInTime"], mine["rate"]), (1, 1, None))
