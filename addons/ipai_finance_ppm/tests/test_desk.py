import json
from datetime import timedelta

from odoo import fields
from odoo.tests import HttpCase, tagged

from .common import FinanceCase

DOOR = "/ipai/finance/ppm/api/"
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
class TestDesk(FinanceCase, HttpCase):
    """1601-C of June 2026 is due on Friday 10 July."""

    roles = ("staff", "supervisor", "manager", "auditor")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        until = fields.Datetime.now() + timedelta(hours=1)
        cls.keys = {
            role: cls.env["res.users.apikeys"].with_user(getattr(cls, role))._generate(None, "desk", until) for role in cls.roles
        }

    def ask(self, role, path, body=None):
        headers = {"Authorization": f"Bearer {self.keys.get(role, role)}"}
        data = None if body is None else json.dumps(body)
        answer = self.url_open(DOOR + path, data=data, headers={**headers, "Content-Type": "application/json"})
        self.env.invalidate_all()
        return answer

    def answer(self, role, path, body=None):
        answer = self.ask(role, path, body)
        self.assertEqual(answer.status_code, 200, answer.text)
        return answer.json()

    def refused(self, role, path, body=None):
        answer = self.ask(role, path, body)
        return answer.status_code, answer.json()["error"]["code"]

    def test_reading(self):
        filing = self.make("1601-C", "2026-06", supervisor_id=self.staff.id)
        self.make("1601-C", "2026-05").write({"state": "cancelled"})
        for role in self.roles:
            (seen,) = self.answer(role, "filings")["filings"]
            self.assertEqual((seen["id"], seen["deadline"], seen["preparedBy"]), (filing.id, "2026-07-10", self.staff.name))
        self.assertEqual(len(self.answer("auditor", "filings?state=all&year=2026")["filings"]), 2)
        self.assertEqual(self.answer("auditor", "filings?state=all&year=2031")["filings"], [])
        days = [one["date"] for one in self.answer("staff", "holidays?year=2026")["holidays"]]
        self.assertIn("2026-11-02", days)
        self.assertEqual(days, sorted(days))
        self.assertTrue(self.answer("staff", "extensions")["extensions"])

    def test_who_may(self):
        self.assertEqual(self.ask("no key", "filings").status_code, 401)
        for role in ("staff", "supervisor", "auditor"):
            self.assertEqual(self.refused(role, "holidays", {**HOLIDAY, "preview": True}), (403, "forbidden"), role)
            self.assertEqual(self.refused(role, "extensions", EXTENSION), (403, "forbidden"), role)
        for path in ("ladder", "reports/2026-06"):
            self.assertEqual(self.refused("staff", path, {}), (403, "forbidden"), path)
        self.assertFalse(self.Holiday.search([("name", "=", "Example Day")]))

    def test_a_holiday_says_what_it_moves_before_it_does(self):
        filing = self.make("1601-C", "2026-06")
        before = self.answer("manager", "holidays", {**HOLIDAY, "preview": True})["moves"]
        (told,) = [one for one in before if one["id"] == filing.id]
        self.assertEqual((told["from"], told["to"]), ("2026-07-10", "2026-07-13"))
        self.assertEqual(str(filing.filing_deadline), "2026-07-10")
        self.assertEqual(self.answer("manager", "holidays", HOLIDAY)["moves"], before)
        self.assertEqual(str(filing.filing_deadline), "2026-07-13")
        self.assertEqual(self.refused("manager", "holidays", HOLIDAY), (409, "known"))

    def test_an_estimated_holiday_moves_nothing(self):
        filing = self.make("1601-C", "2026-06")
        self.assertEqual(self.answer("manager", "holidays", {**HOLIDAY, "status": "estimated"})["moves"], [])
        self.assertEqual(str(filing.filing_deadline), "2026-07-10")

    def test_an_extension_says_what_it_moves_before_it_does(self):
        filing, other = self.make("1601-C", "2026-06"), self.make("0619-E", "2026-04")
        decided = self.make("1601-C", "2026-06", reference="amended")
        decided.write({"override_deadline": "2026-07-09", "override_reason": "agreed with the office"})
        before = self.answer("manager", "extensions", {**EXTENSION, "preview": True})["moves"]
        mine = [one for one in before if one["company"] == self.company.name]
        self.assertEqual([(one["id"], one["to"]) for one in mine], [(filing.id, "2026-07-20")])
        self.answer("manager", "extensions", EXTENSION)
        self.assertEqual(str(filing.filing_deadline), "2026-07-20")
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
            self.assertEqual(self.refused("manager", "holidays", body), (400, code))
        for body, code in (({**EXTENSION, "forms": ["2550M"]}, "no_form"), ({**EXTENSION, "dueUntil": "2026-07-09"}, "no_extension")):
            self.assertEqual(self.refused("manager", "extensions", body), (400, code))
        self.assertEqual(self.refused("staff", "filings?year=26"), (400, "no_year"))
        self.assertEqual(self.refused("staff", "filings?state=late"), (400, "no_state"))
        self.assertEqual(self.refused("staff", "reports"), (400, "no_month"))

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
            self.answer("supervisor", "ladder", {})
        self.assertEqual(task.escalation_level, 1)
        (alert,) = [one for one in self.answer("staff", "alerts")["alerts"] if one["subject"].startswith("Example task")]
        acked = self.answer("staff", f"alerts/{alert['id']}/ack", {})["alert"]
        self.assertEqual((acked["state"], acked["acknowledgedBy"]), ("acked", self.staff.name))
        self.assertTrue(task.escalation_ack_until)
        self.assertNotIn(alert["id"], [one["id"] for one in self.answer("staff", "alerts")["alerts"]])
        self.assertEqual(self.refused("staff", "alerts/999999999/ack", {}), (404, "not_found"))
        self.assertEqual(self.refused("auditor", f"alerts/{alert['id']}/ack", {}), (403, "forbidden"))

    def test_a_report_is_made_again_as_a_revision(self):
        late = self.make("1601-C", "2026-01", supervisor_id=self.staff.id)
        late.write({"state": "filed", "filed_on": "2026-02-12 02:00:00", "confirmation_no": "EX-1"})
        self.make("0619-E", "2026-01").write({"state": "not_applicable", "not_applicable_reason": "nothing withheld"})

        def made():
            (mine,) = [one for one in self.answer("supervisor", "reports/2026-02", {})["reports"] if one["company"] == self.company.name]
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
        self.assertEqual(self.answer("auditor", "reports?period=2025-02")["reports"], [])
        self.assertEqual(self.refused("supervisor", "reports/2026-13", {}), (400, "no_month"))
