from odoo.exceptions import UserError
from odoo.tests import tagged

from ..controllers.door import Refusal
from ..controllers.outbox import Outbox
from .common import FinanceCase


@tagged("post_install", "-at_install")
class TestDoor(FinanceCase):
    """What a program such as n8n is answered; by HTTP the project's system test asks. 1601-C of January 2026 is due on Tuesday, 10 February."""

    roles = ("deliverer", "supervisor", "manager")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.director = cls.person("director", mattermost_handle="@dora.example")
        cls.supervisor_person = cls.person("supervisor")
        # Whatever the database has is of other companies: what this one has to tell can be counted.
        cls.env["ipai.finance.bir_schedule"].search([("company_id", "!=", cls.company.id)]).write({"state": "cancelled", "not_applicable_reason": "an example"})

    def ask(self, route, sent=None):
        # A request begins with nothing in its cache.
        self.env.invalidate_all()
        return getattr(Outbox, route).plain(Outbox(), self.env(user=self.deliverer), sent or {})

    def told(self, route="deadlines", moment="2026-02-10 08:00", **sent):
        with self.at(moment):
            return self.ask(route, sent)["digests"]

    def settle(self, digest, delivered, moment="2026-02-10 08:01", **sent):
        with self.at(moment):
            return self.ask("deliveries", {"id": digest["id"], "delivered": delivered, **sent})

    def chat(self, moment="2026-02-10 08:01"):
        self.env.invalidate_all()
        with self.at(moment):
            return self.alerts().mapped("chat_state")

    def assert_refused(self, status, code, route, sent):
        with self.assertRaises(Refusal) as caught:
            self.ask(route, sent)
        self.assertEqual((caught.exception.status, caught.exception.code), (status, code), sent)

    def test_a_deliverer_sees_no_filing(self):
        self.assertFalse(self.env["ipai.finance.bir_schedule"].with_user(self.deliverer).has_access("read"))

    def test_bad_input(self):
        for sent, code in (
            ({"test": "true"}, "wrong_type"),
            ({"test": 1}, "wrong_type"),
            ({"test": True, "days_until_deadline": True}, "wrong_type"),
            ({"tset": True}, "unknown_key"),
            ({"period": "2026-01"}, "unknown_key"),
            ({"form": "1601-C"}, "only_of_a_test"),
            ({"test": True, "form": "1" * 17}, "no_form"),
            ({"test": True, "form": "Pay me at example.com"}, "no_form"),
            ({"test": True, "days_until_deadline": 10**6}, "too_much"),
        ):
            self.assert_refused(400, code, "deadlines", sent)
        for period in ("2026-13", "2026-1", "2026-01-01"):
            self.assert_refused(400, "no_month", "reports", {"period": period})
        with self.assertRaises(UserError):
            self.ask("reports", {"period": "2199-01"})
        self.assert_refused(400, "missing_key", "deliveries", {"id": 1})
        self.assertFalse(self.env["ipai.finance.heartbeat"].search([]))

    def test_a_test_tells_and_changes_nothing(self):
        self.make("1601-C", "2026-01")
        for route in ("deadlines", "escalations", "reports"):
            digest, = self.told(route, test=True, form="1601-C", days_until_deadline=7)
            self.assertIn("TEST", digest["text"])
            self.assertIn("1601-C, 7 days", digest["text"])
            self.assertEqual(self.settle(digest, True, test=True), {"id": 0, "test": True, "state": "delivered"})
        for model in ("digest", "heartbeat", "alert"):
            self.assertFalse(self.env[f"ipai.finance.{model}"].search([("create_uid", "=", self.deliverer.id)]), model)

    def test_told_once_whoever_triggers(self):
        filing = self.make("1601-C", "2026-01")
        with self.at("2026-02-10 08:00"):
            self.Filing._tell_deadlines()
            self.env["ipai.finance.alert"]._run_quarter_hour()
        digest, = self.told()
        self.assertEqual((digest["company"], digest["severity"], digest["count"]), (self.company.name, "critical", 1))
        for part in ("1601-C", "due today", "@dora.example", f"res_id={filing.id}"):
            self.assertIn(part, digest["text"])
        self.assertEqual(self.told(), [], "it is handed out once")
        self.assertEqual(self.chat(), ["claimed"])
        self.assertEqual(self.settle(digest, True)["state"], "delivered")
        self.assertEqual((self.told(moment="2026-02-10 18:00"), self.chat("2026-02-10 18:00")), ([], ["told"]))
        self.assertEqual(self.alerts().state, "sent", "the mail is a matter of its own")
        mails = self.env["mail.mail"].search([("email_to", "=", "director@example.com"), ("subject", "like", "1601-C 2026-01")])
        self.assertEqual(len(mails), 1)

    def test_a_deliverer_that_died_is_not_waited_for(self):
        self.make("1601-C", "2026-01")
        first, = self.told()
        self.assertEqual(self.told(moment="2026-02-10 08:14"), [])
        second, = self.told("escalations", "2026-02-10 08:16")
        self.assertNotEqual(first["id"], second["id"])
        self.settle(first, True, "2026-02-10 08:17")
        self.assertEqual(self.chat(), ["told"], "late, but said")

    def test_what_failed_is_handed_out_again(self):
        self.make("1601-C", "2026-01")
        first, = self.told()
        self.assertEqual(self.settle(first, False, detail="500 from the chat")["state"], "failed")
        self.assertEqual(self.chat(), ["waiting"])
        self.assertEqual(self.settle(first, False)["state"], "failed", "said twice is said once")
        self.assert_refused(409, "settled", "deliveries", {"id": first["id"], "delivered": True})
        self.assert_refused(404, "not_found", "deliveries", {"id": 10**8, "delivered": True})
        second, = self.told(moment="2026-02-10 08:02")
        self.settle(second, True)
        self.assertEqual(self.chat(), ["told"])

    def test_days_of_silence_are_not_made_up_for(self):
        self.make("1601-C", "2026-01")
        for day in (3, 5, 7, 9):
            with self.at(f"2026-02-{day:02} 08:00"):
                self.Filing._tell_deadlines()
        digest, = self.told(moment="2026-02-09 10:00")
        self.assertEqual(digest["count"], 1)
        self.assertEqual(self.chat("2026-02-09 10:00"), ["lapsed", "lapsed", "lapsed", "claimed"])

    def test_what_is_so_no_more_is_not_told(self):
        filed, moved, read = self.make("1601-C", "2026-01"), self.make("0619-E", "2026-01"), self.make("0619-F", "2026-01")
        with self.at("2026-02-10 08:00"):
            self.Filing._tell_deadlines()
            self.env["ipai.finance.alert"]._deliver()
            filed.write({"state": "filed", "filed_on": "2026-02-10 00:10:00", "confirmation_no": "EX-1"})
            self.alerts(("res_id", "=", read.id)).with_user(self.supervisor).action_ack()
            moved.with_user(self.manager).write({"override_deadline": "2026-03-10", "override_reason": "an advisory"})
        self.assertEqual(self.told(), [])

    def test_the_escalations_of_what_is_filed_are_not_told(self):
        filing = self.make("1601-C", "2026-01")
        with self.at("2026-01-28 08:00"):
            self.Filing._make_tasks()
        with self.at("2026-02-10 08:00"):
            self.env["ipai.finance.escalation_log"]._run_ladder()
            self.env["ipai.finance.alert"]._deliver()
            self.assertEqual(len(self.alerts(("kind", "=", "escalation"))), 3)
            filing.write({"state": "filed", "filed_on": "2026-02-10 00:10:00", "confirmation_no": "EX-1"})
        self.assertEqual(self.told(), [])

    def test_names_are_only_names(self):
        self.company.name = 'Ex "ample" <b>&</b> 🎉\n# @all [x](http://example.com) *Co*'
        self.make("1601-C", "2026-01", reference="it's\n@channel `x`")
        digest, = self.told()
        text = digest["text"]
        self.assertIn("🎉", text)
        self.assertIn('"ample"', text)
        for harm in ("@all", "@channel", "[x](", "<b>", " *Co*", " `x`"):
            self.assertNotIn(harm, text)
        self.assertEqual(digest["company"], self.company.name)

    def test_one_digest_for_each_company_and_urgency(self):
        other = self.env["res.company"].create({"name": "Second Corporation"})
        self.env["ipai.finance.filer"].create({"company_id": other.id, "start_on": "2020-01-01"})
        self.env["ir.config_parameter"].set_param("ipai_finance_ppm.channel_urgent", "finance-urgent")
        form = self.env["ipai.finance.bir_form"].search([("code", "=", "1601-C")])
        self.Filing.create({"company_id": other.id, "form_id": form.id, "period_covered": "2026-01"})
        for form, period in (("1601-C", "2026-01"), ("0619-E", "2026-01"), ("0619-F", "2026-01")):
            self.make(form, period)
        self.make("1702-RT", "2025").with_user(self.manager).write({"override_deadline": "2026-02-16", "override_reason": "early"})
        digests = self.told()
        self.assertEqual([(one["severity"], one["count"], one["channel"]) for one in digests], [("critical", 3, "finance-urgent"), ("normal", 1, "")])
        self.deliverer.company_ids |= other
        self.assertEqual([one["company"] for one in self.told()], ["Second Corporation"])

    def test_whoever_has_the_stage_is_called_by_name_once_in_a_post(self):
        """Two filings with one person: one digest, in which the chat calls this person once; who is absent is represented."""
        rey = self.person("staff", code="rey", mattermost_handle="@rey", user_id=self.supervisor.id)
        first, second = (self.make(form, "2026-01", supervisor_id=self.supervisor.id) for form in ("1601-C", "0619-E"))
        with self.at("2026-01-28 08:00"):
            self.Filing._make_tasks()
        digest, = self.told(moment="2026-02-03 08:00")
        self.assertEqual((digest["count"], digest["text"].count("@rey")), (2, 1))
        self.assertEqual(digest["text"].count(" rey\n"), 1, "the second time it is a name")
        ann = self.person("staff", code="ann", mattermost_handle="ann")
        rey.write({"backup_id": ann.id, "absent_from": "2026-02-04", "absent_to": "2026-02-06"})
        digest, = self.told(moment="2026-02-05 08:00")
        self.assertEqual([digest["text"].count(one) for one in ("@ann", "@rey")], [1, 0])
        (first | second).task_ids.filtered(lambda task: task.finance_stage == "prep").write({"state": "1_done"})
        digest, = self.told(moment="2026-02-07 08:00")
        self.assertNotIn("@rey", digest["text"], "it is with the reviewer, who is nobody")

    def test_a_post_has_its_bounds(self):
        for number in range(45):
            self.make("1601-C", "2026-01", reference=f"{number}")
        self.assertEqual([one["count"] for one in self.told()], [20, 20, 5])

    def test_escalations_and_reports(self):
        filing = self.make("1601-C", "2026-01", supervisor_id=self.supervisor.id)
        with self.at("2026-01-28 08:00"):
            self.Filing._make_tasks()
        digest, = self.told("escalations", "2026-02-10 10:00")
        self.assertEqual((digest["count"], digest["severity"]), (3, "critical"))
        self.assertEqual(self.told("escalations", "2026-02-10 10:00"), [])
        self.settle(digest, True)
        filing.write({"state": "filed", "filed_on": "2026-02-10 03:00:00", "confirmation_no": "EX-1"})
        report, = self.told("reports", "2026-03-01 09:00")
        self.settle(report, True)
        self.assertIn("2026-02", report["text"])
        self.assertEqual(self.told("reports", "2026-03-01 09:10", period="2026-02"), [])
        self.make("1601-C", "2025-12", confirmation_no="EX-2", filed_on="2026-01-08 03:00:00", state="filed")
        again = self.told("reports", "2026-03-01 09:20", period="2026-01")
        self.assertEqual([one["count"] for one in again], [1], "another month")
        beats = {one.name: (one.calls, one.raised, one.handed_out, one.user_id) for one in self.env["ipai.finance.heartbeat"].search([])}
        self.assertEqual(beats["escalations"], (2, 0, 0, self.deliverer))
        self.assertEqual(beats["reports"][0], 3)

    def test_months_of_the_past_do_not_flood_the_chat(self):
        """Whoever finds an open webhook may ask for any month."""
        reports = self.env["ipai.finance.monthly_report"]
        with self.at("2026-03-01 09:00"), self.assertRaises(UserError):
            self.ask("reports", {"period": "1950-01"})
        self.assertFalse(reports.search([("period", "=", "1950-01")]))
        self.assertEqual(self.told("reports", "2026-03-01 09:00", period="2025-06"), [], "nothing was due, and it is long ago")
        self.assertEqual(len(self.told("reports", "2026-03-01 09:00", period="2026-02")), 1, "nothing was due last month")

    def test_nothing_due_is_a_heartbeat(self):
        self.assertEqual(self.told(moment="2026-02-20 08:00"), [])
        beat = self.env["ipai.finance.heartbeat"].search([])
        self.assertEqual((beat.name, beat.calls, str(beat.called_at)), ("deadlines", 1, "2026-02-20 00:00:00"))

    def test_figures_are_handed_out_until_they_are_kept(self):
        report = self.env["ipai.finance.monthly_report"]._make(self.company, "2026-02")
        (told,) = self.ask("figures")["reports"]
        self.assertEqual((told["id"], told["revision"]), (report.id, 1))
        row = told["row"]
        self.assertEqual([row[name] for name in ("company", "period", "total_forms", "compliance_rate")], [self.company.name, "2026-02", 0, None])
        self.assertRegex(row["generated_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(self.ask("figures")["reports"], [told])
        self.ask("figures_kept", {"id": report.id, "revision": 1})
        self.assertEqual(self.ask("figures")["reports"], [])
        self.make("1601-C", "2026-01")
        report._make(self.company, "2026-02")
        # What is said late of an earlier revision is no word about this one.
        self.ask("figures_kept", {"id": report.id, "revision": 1})
        self.assertEqual([one["revision"] for one in self.ask("figures")["reports"]], [2])

    def test_figures_are_of_the_companies_of_the_key(self):
        other = self.env["res.company"].create({"name": "Second Corporation"})
        report = self.env["ipai.finance.monthly_report"]._make(other, "2026-02")
        self.assertEqual(self.ask("figures")["reports"], [])
        self.assert_refused(404, "not_found", "figures_kept", {"id": report.id, "revision": 1})
        own = self.env["ipai.finance.monthly_report"]._make(self.company, "2026-02")
        self.assert_refused(400, "missing_key", "figures_kept", {"id": own.id})
        for revision in (0, 2):
            self.assert_refused(400, "no_revision", "figures_kept", {"id": own.id, "revision": revision})
