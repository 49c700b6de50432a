from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged

from .common import FinanceCase


@tagged("post_install", "-at_install")
class TestAlerts(FinanceCase):
    roles = ("supervisor", "director", "auditor")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.people = {role: cls.person(role) for role in ("supervisor", "manager", "director")}

    def tell(self, moment):
        with self.at(moment):
            self.Filing._tell_deadlines()
        return self.alerts(("kind", "=", "deadline"))

    def test_each_threshold_once(self):
        self.make("1601-C", "2026-01")
        told = []
        for day in range(1, 14):
            for hour in (8, 9):
                told.append(len(self.tell(f"2026-02-{day:02} {hour:02}:00")))
        # Due on the 10th: told on the 3rd (7), 5th (5), 7th (3), 9th (1), 10th (0), and each day after it.
        self.assertEqual(told[::2], [0, 0, 1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8])
        self.assertEqual(told[1::2], told[::2], "a second run on a day tells nothing")
        self.assertEqual(self.alerts().mapped("severity"), ["normal"] * 2 + ["critical"] * 6)
        self.assertIn("due today", self.alerts()[4].subject)
        self.assertIn("overdue since 2026-02-10", self.alerts()[5].subject)

    def test_a_day_without_a_run_loses_nothing(self):
        self.make("1601-C", "2026-01")
        self.assertEqual(len(self.tell("2026-02-04 08:00")), 1)
        self.assertEqual(len(self.tell("2026-02-06 08:00")), 2)

    def test_severity_goes_to_a_role(self):
        filing = self.make("1601-C", "2026-01")
        self.assertEqual(self.tell("2026-02-03 08:00").recipient_ids, self.people["supervisor"])
        with self.at("2026-01-28 08:00"):
            self.Filing._make_tasks()
        filing.task_ids.filtered(lambda task: task.finance_stage != "approval").write({"state": "1_done"})
        third = self.tell("2026-02-07 08:00")[-1]
        self.assertEqual((third.severity, third.recipient_ids), ("high", self.people["manager"]))
        last = self.tell("2026-02-09 08:00")[-1]
        self.assertEqual((last.severity, last.recipient_ids), ("critical", self.people["director"]))

    def test_who_is_absent_is_represented(self):
        supervisor = self.people["supervisor"]
        supervisor.write({"absent_from": "2026-02-01", "absent_to": "2026-02-05", "backup_id": self.people["manager"].id})
        self.make("1601-C", "2026-01")
        self.assertEqual(self.tell("2026-02-03 08:00").recipient_ids, self.people["manager"])
        supervisor.backup_id = supervisor
        self.make("0619-E", "2026-01")
        self.assertEqual(self.tell("2026-02-03 09:00")[-1].recipient_ids, supervisor, "somebody has to hear it")

    def test_done_filings_are_silent(self):
        filing = self.make("1601-C", "2026-01", not_applicable_reason="no employees")
        filing.action_not_applicable()
        self.assertFalse(self.tell("2026-02-10 08:00"))

    def test_a_missed_deadline_is_told_within_the_quarter_hour(self):
        filing = self.make("1601-C", "2026-01")
        for moment, count in (("2026-02-10 23:45", 0), ("2026-02-11 00:00", 1), ("2026-02-11 00:15", 1)):
            with self.at(moment):
                self.Filing._tell_missed()
            self.assertEqual(len(self.alerts(("kind", "=", "missed"))), count, moment)
        self.assertTrue(filing.is_late)
        self.assertEqual(self.alerts().recipient_ids, self.people["director"])

    def test_what_moved_overtakes_what_was_queued(self):
        self.make("1601-C", "2026-06")
        queued = self.tell("2026-07-03 08:00")
        self.Holiday.create({"date": "2026-07-10", "name": "Example Day", "proclamation": "Proclamation 9999"})
        self.assertEqual(queued.state, "cancelled")
        self.assertEqual(len(self.tell("2026-07-06 08:00")), 2, "and the new day is told anew")

    def test_what_moves_back_is_told_though_it_was_overtaken(self):
        self.make("1601-C", "2026-06")
        queued = self.tell("2026-07-03 08:00")
        holiday = self.Holiday.create({"date": "2026-07-10", "name": "Example Day", "proclamation": "Proclamation 9999"})
        holiday.unlink()
        self.assertEqual(queued.state, "cancelled")
        self.assertEqual((self.tell("2026-07-03 09:00"), queued.state), (queued, "queued"))

    def test_what_is_filed_before_the_mail_goes_out_is_not_told(self):
        filing = self.make("1601-C", "2026-01")
        queued = self.tell("2026-02-03 08:00")
        with self.at("2026-02-03 08:05"):
            filing.write({"confirmation_no": "EX-1"})
            filing.action_file()
        self.assertEqual(queued.state, "cancelled")

    def test_what_the_mail_server_does_not_take_is_tried_again_and_told_otherwise(self):
        """Odoo's queue of mails gives one up that was refused."""
        self.people["supervisor"].user_id = self.supervisor
        filing = self.make("1601-C", "2026-01")
        told = self.tell("2026-02-03 08:00")

        def deliver(moment):
            with self.at(moment):
                self.env["ipai.finance.alert"]._take_back()
                self.env["ipai.finance.alert"]._deliver()
            return told.mail_ids.sorted("id")

        for moment, activities in (("2026-02-03 08:00", 0), ("2026-02-03 08:15", 0), ("2026-02-03 09:15", 1), ("2026-02-03 09:30", 1)):
            mails = deliver(moment)
            self.assertEqual((mails[-1].state, len(filing.activity_ids)), ("outgoing", activities), moment)
            mails[-1].write({"state": "exception", "failure_reason": "Connection refused"})
        self.assertEqual(filing.activity_ids.user_id, self.supervisor)
        mails = deliver("2026-02-03 09:45")
        mails[-1].state = "sent"
        self.assertEqual(mails.mapped("state"), ["cancel"] * 4 + ["sent"])
        self.assertEqual((deliver("2026-02-03 10:00"), told.state), (mails, "sent"))

    def test_who_has_it_is_not_mailed_again_when_another_was_refused(self):
        self.person("supervisor", code="second")
        self.make("1601-C", "2026-01")
        told = self.tell("2026-02-03 08:00")
        with self.at("2026-02-03 08:00"):
            self.env["ipai.finance.alert"]._deliver()
        first, second = told.mail_ids.sorted("id")
        first.state = "sent"
        second.write({"state": "exception", "failure_reason": "550 No such user"})
        with self.at("2026-02-03 08:15"):
            self.env["ipai.finance.alert"]._run_quarter_hour()
        self.assertEqual((told.mail_ids - first - second).email_to, second.email_to)

    def test_a_mail_server_that_was_down_for_days_is_given_the_last_of_each(self):
        self.make("1601-C", "2026-01")
        for day in ("03", "05", "07"):
            self.tell(f"2026-02-{day} 08:00")
        self.assertEqual(self.alerts().mapped("state"), ["cancelled", "cancelled", "queued"])

    def test_one_mail_for_each_person(self):
        for form in ("1601-C", "0619-E", "0619-F"):
            self.make(form, "2026-01", reference='"<b>quoted</b>" & more')
        self.tell("2026-02-03 08:00")
        mails = self.env["mail.mail"].search([])
        self.env["ipai.finance.alert"]._deliver()
        sent = self.env["mail.mail"].search([]) - mails
        sent = sent.filtered(lambda mail: mail.email_to == "supervisor@example.com")
        self.assertEqual(len(sent), 1)
        self.assertIn("and 2 more", sent.subject)
        self.assertEqual(sent.body_html.count("<h3>"), 3)
        self.assertNotIn("<b>quoted</b>", sent.body_html)
        self.assertEqual(set(self.alerts().mapped("state")), {"sent"})
        self.env["ipai.finance.alert"]._deliver()
        self.assertEqual(len(self.env["mail.mail"].search([("email_to", "=", "supervisor@example.com")]) - mails), 1)

    def test_whom_nobody_can_reach_is_told_as_a_failure(self):
        self.env["ipai.finance.person"].search([("company_id", "=", self.company.id)]).unlink()
        self.make("1601-C", "2026-01")
        alert = self.tell("2026-02-03 08:00")
        self.env["ipai.finance.alert"]._deliver()
        self.assertEqual(alert.state, "failed")
        self.assertTrue(alert.error)

    def test_whom_nobody_can_reach_is_told_in_odoo(self):
        self.env["ipai.finance.person"].search([("company_id", "=", self.company.id)]).unlink()
        manager = new_test_user(self.env, "ppm_keeper", "base.group_user,ipai_finance_ppm.group_manager", company_id=self.company.id, company_ids=[(6, 0, self.company.ids)])
        filing = self.make("1601-C", "2026-01")
        self.tell("2026-02-03 08:00")
        for _again in range(2):
            self.env["ipai.finance.alert"]._deliver()
        # A director may all that a manager may, and keeps the registers, too.
        self.assertEqual(filing.activity_ids.user_id, manager | self.director)
        self.assertEqual(len(filing.activity_ids), 2)

    def test_an_alert_says_what_is_to_be_done_by_whom(self):
        self.make("1601-C", "2026-01", supervisor_id=self.supervisor.id)
        with self.at("2026-01-28 08:00"):
            self.Filing._make_tasks()
        body = self.tell("2026-02-05 08:00").body_md
        self.assertIn("Due on 2026-02-10, by the rule on 2026-02-10; working days left: 3", body)
        self.assertIn(f"Preparation, with {self.supervisor.name}", body)

    def test_an_approval_that_has_begun_is_not_raised(self):
        filing = self.make("1601-C", "2026-01")
        with self.at("2026-01-28 08:00"):
            self.Filing._make_tasks()
        approval = filing.task_ids.filtered(lambda task: task.finance_stage == "approval")
        (filing.task_ids - approval).write({"state": "1_done"})
        approval.state = "02_changes_requested"
        self.assertEqual(self.tell("2026-02-09 08:00").severity, "high")

    def test_nobody_takes_what_is_critical_from_the_director(self):
        """Acknowledged before the quarter of an hour in which it is mailed: it is mailed and told in the chat all the same, and stays acknowledged."""
        filing, mailbox = self.make("1601-C", "2026-01"), [("email_to", "=", "director@example.com"), ("subject", "like", "1601-C 2026-01")]
        alert = self.tell("2026-02-10 08:00")

        def quarter(moment):
            with self.at(moment):
                self.env["ipai.finance.alert"]._run_quarter_hour()
            alert.invalidate_recordset(["chat_state"])
            with self.at(moment):
                return alert.state, alert.chat_state, self.env["mail.mail"].search_count(mailbox)

        with self.at("2026-02-10 08:05"):
            alert.with_user(self.supervisor).action_ack()
        self.assertEqual(quarter("2026-02-10 08:15"), ("acked", "waiting", 1))
        self.assertEqual(quarter("2026-02-10 08:30"), ("acked", "waiting", 1), "it is mailed once")
        alert.mail_ids.write({"state": "exception", "failure_reason": "Connection refused"})
        self.assertEqual(quarter("2026-02-10 08:45"), ("acked", "waiting", 2), "what is refused is tried again")
        alert.mail_ids.sorted("id")[-1].state = "sent"
        with self.at("2026-02-10 09:00"):
            filing.write({"confirmation_no": "EX-1"})
            filing.action_file()
        self.assertEqual(quarter("2026-02-10 09:15"), ("acked", "waiting", 2))
        self.assertNotIn(alert, self.env["ipai.finance.alert"]._waiting_for_chat(), "what is filed is not told in the chat")

    def test_acknowledged_and_filed_before_the_mail_goes_out_is_not_told(self):
        filing = self.make("1601-C", "2026-01")
        alert = self.tell("2026-02-10 08:00")
        with self.at("2026-02-10 08:05"):
            alert.with_user(self.supervisor).action_ack()
            filing.write({"confirmation_no": "EX-1"})
            filing.action_file()
            self.env["ipai.finance.alert"]._run_quarter_hour()
        self.assertEqual((alert.state, len(alert.mail_ids)), ("cancelled", 0))

    def test_what_was_mailed_or_is_not_critical_is_heard_when_acknowledged(self):
        self.make("1601-C", "2026-01")
        normal = self.tell("2026-02-03 08:00")
        with self.at("2026-02-03 08:05"):
            normal.with_user(self.supervisor).action_ack()
            self.env["ipai.finance.alert"]._deliver()
            self.assertEqual((normal.state, normal.chat_state, len(normal.mail_ids)), ("acked", "lapsed", 0))
        critical = self.tell("2026-02-10 08:00")[-1]
        with self.at("2026-02-10 08:15"):
            self.env["ipai.finance.alert"]._deliver()
        with self.at("2026-02-10 08:20"):
            critical.with_user(self.supervisor).action_ack()
            self.assertEqual(critical.chat_state, "lapsed")

    def test_acknowledging(self):
        self.make("1601-C", "2026-01")
        alert = self.tell("2026-02-03 08:00")
        with self.assertRaises(AccessError):
            alert.with_user(self.auditor).action_ack()
        with self.assertRaises(AccessError):
            alert.with_user(self.director).write({"state": "acked"})
        alert.with_user(self.supervisor).action_ack()
        self.assertEqual((alert.state, alert.acked_by), ("acked", self.supervisor))

    def test_the_filter_shows_what_the_dashboard_counts(self):
        acked, filed, moved, late = (self.make(form, "2026-01") for form in ("1601-C", "0619-E", "0619-F", "1600-VT"))
        told = self.tell("2026-02-10 08:00")
        with self.at("2026-02-10 08:05"):
            self.env["ipai.finance.alert"]._deliver()
            told.mail_ids.state = "sent"
            told.filtered(lambda one: one.res_id == acked.id).with_user(self.supervisor).action_ack()
            filed.write({"state": "filed", "filed_on": "2026-02-10 00:05:00", "confirmation_no": "EX-1"})
            moved.write({"override_deadline": "2026-03-16", "override_reason": "an advisory"})
        self.assertEqual(sorted(told.mapped("state")), ["acked", "cancelled", "sent", "sent"], "what is filed was sent all the same")
        told.invalidate_recordset(["is_open"])
        expected = told.filtered(lambda one: one.res_id == late.id)
        for found in (self.alerts(("is_open", "=", True)), told - self.alerts(("is_open", "=", False)), told.filtered("is_open"), self.alerts(("is_open", "!=", False))):
            self.assertEqual(found, expected)
        shown = self.env["ipai.finance.dashboard"].with_user(self.auditor)._alerts()
        self.assertEqual((shown["count"], shown["rows"][0]["ids"]), (1, expected.ids))
