from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from .common import FinanceCase


@tagged("post_install", "-at_install")
class TestLadder(FinanceCase):
    """1601-C of June 2026 is due on Friday 10 July: prepared until Monday 6, reviewed until Wednesday 8, approved until Thursday 9."""

    roles = ("staff", "manager", "auditor")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.people = {role: cls.person(role) for role in ("supervisor", "manager", "director")}

    def setUp(self):
        super().setUp()
        self.filing = self.make("1601-C", "2026-06", supervisor_id=self.staff.id, approver_id=self.manager.id)
        with self.at("2026-06-25 08:00"):
            self.Filing._make_tasks()
        self.prep, self.review, self.approval = self.filing.task_ids.sorted("date_deadline")

    def climb(self, moment):
        with self.at(moment):
            self.env["ipai.finance.escalation_log"]._run_ladder()
        return self.prep.escalation_level

    def steps(self):
        return self.env["ipai.finance.escalation_log"].search([("task_id", "in", self.filing.task_ids.ids)], order="id")

    def test_tasks_of_a_filing(self):
        self.assertEqual(self.filing.task_ids.mapped("is_finance_ppm"), [True] * 3)
        self.assertEqual(self.prep.user_ids, self.staff)
        self.assertEqual(self.prep.project_id.company_id, self.company)
        self.assertEqual(str(self.prep.date_deadline), "2026-07-06 09:00:00", "17:00 in Manila")
        self.assertEqual(self.approval.depend_on_ids, self.review)
        with self.at("2026-06-26 08:00"):
            self.assertFalse(self.Filing._make_tasks() & self.filing.task_ids)
        self.assertEqual(len(self.filing.task_ids), 3)
        self.prep.state = "1_done"
        self.assertAlmostEqual(self.filing.completion_pct, 100 / 3, places=3)

    def test_tasks_move_with_their_filing(self):
        self.prep.state = "1_done"
        self.Holiday.create({"date": "2026-07-10", "name": "Example Day", "proclamation": "Proclamation 9999"})
        self.assertEqual(str(self.approval.date_deadline)[:10], "2026-07-09")
        self.assertEqual(str(self.prep.date_deadline)[:10], "2026-07-06", "what is done stays")
        self.assertEqual(str(self.filing.filing_deadline), "2026-07-13")

    def test_one_step_at_a_time(self):
        self.assertEqual(self.climb("2026-07-02 10:00"), 0)
        self.assertEqual(self.climb("2026-07-03 10:00"), 1, "Friday, due on Monday: within a working day")
        self.assertEqual(self.climb("2026-07-03 12:00"), 1, "it is told once")
        self.assertEqual(self.steps().alert_id.recipient_ids, self.people["supervisor"])
        self.assertEqual(self.climb("2026-07-03 14:00"), 2, "nobody has acknowledged it for four hours")
        self.assertEqual(self.climb("2026-07-07 10:00"), 2, "three working days are left")
        self.assertEqual(self.climb("2026-07-08 10:00"), 3)
        own = self.steps().filtered(lambda step: step.task_id == self.prep)
        self.assertEqual(own.mapped("level"), [1, 2, 3])
        self.assertEqual([one.alert_id.severity for one in own], ["normal", "high", "critical"])
        self.assertTrue(any("level 3" in (message.body or "") for message in self.prep.message_ids))

    def test_who_acknowledges_stops_it(self):
        self.climb("2026-07-03 10:00")
        with self.at("2026-07-03 11:00"):
            self.prep.with_user(self.staff).action_ack_escalation(hours=72)
            with self.assertRaises(AccessError):
                self.prep.with_user(self.auditor).action_ack_escalation()
            for hours in (73, 0, -1):
                with self.assertRaises(UserError, msg=hours):
                    self.prep.with_user(self.staff).action_ack_escalation(hours=hours)
        self.assertEqual(self.prep.escalation_ack_by, self.staff)
        self.assertEqual(self.climb("2026-07-06 10:00"), 1)
        self.assertEqual(self.climb("2026-07-06 12:00"), 2)

    def test_whoever_has_no_address_acknowledges_too(self):
        self.climb("2026-07-03 10:00")
        self.staff.email = False
        with self.at("2026-07-03 11:00"):
            self.prep.with_user(self.staff).action_ack_escalation()
        said = self.prep.message_ids.filtered(lambda one: "Escalation acknowledged" in (one.body or ""))
        self.assertEqual(said.author_id, self.staff.partner_id)

    def test_who_acknowledges_stops_it_before_the_director_too(self):
        self.climb("2026-07-07 10:00")
        self.assertEqual(self.climb("2026-07-07 12:00"), 2)
        with self.at("2026-07-08 09:00"):
            self.prep.with_user(self.staff).action_ack_escalation()
        self.assertEqual(self.climb("2026-07-08 12:00"), 2, "it has been acknowledged")
        self.assertEqual(self.climb("2026-07-08 18:00"), 3)

    def test_what_is_for_the_director_is_told_within_the_quarter_hour(self):
        with self.at("2026-07-10 00:15"):
            self.env["ipai.finance.alert"]._run_quarter_hour()
        self.assertEqual(self.prep.escalation_level, 3)
        self.assertEqual(set(self.steps().mapped("level")), {3})
        self.filing.write({"override_reason": "an example", "override_deadline": "2026-07-14"})
        with self.at("2026-07-09 10:15"):
            self.env["ipai.finance.alert"]._run_quarter_hour()
        self.assertEqual(self.prep.escalation_level, 0, "the supervisor is told every two hours")

    def test_a_step_that_is_overtaken_is_not_told(self):
        self.climb("2026-07-03 10:00")
        step = self.steps()
        self.prep.state = "1_done"
        self.assertEqual(step.alert_id.state, "cancelled")

    def test_a_holiday_before_the_deadline_moves_the_stages(self):
        self.Holiday.create({"date": "2026-07-09", "name": "Example Day", "proclamation": "Proclamation 9999"})
        self.assertEqual(str(self.filing.filing_deadline), "2026-07-10")
        self.assertEqual(str(self.approval.date_deadline), "2026-07-08 09:00:00")

    def test_nights_are_quiet_but_for_what_is_critical(self):
        self.assertEqual(self.climb("2026-07-03 20:00"), 0)
        self.assertEqual(self.climb("2026-07-04 06:00"), 0)
        self.assertEqual(self.climb("2026-07-10 00:01"), 3, "due today: straight to the director")
        self.assertEqual(self.steps()[0].alert_id.recipient_ids, self.people["director"])

    def test_what_is_done_is_left_alone(self):
        self.filing.task_ids.write({"state": "1_done"})
        self.climb("2026-07-20 10:00")
        self.assertFalse(self.steps())
        self.filing.task_ids.write({"state": "01_in_progress"})
        self.filing.write({"state": "filed", "filed_on": "2026-07-03 02:00:00", "confirmation_no": "EX-1"})
        self.climb("2026-07-20 12:00")
        self.assertFalse(self.steps(), "filed without them is filed")

    def test_a_late_review_goes_to_the_manager(self):
        self.prep.state = "1_done"
        self.climb("2026-07-08 10:00")
        self.assertEqual(self.review.escalation_level, 1)
        self.climb("2026-07-08 17:30")
        self.assertEqual(self.review.escalation_level, 2)

    def test_another_deadline_is_another_ladder(self):
        self.climb("2026-07-03 10:00")
        self.prep.date_deadline = "2026-07-20 09:00:00"
        self.assertEqual(self.prep.escalation_level, 0)

    def test_other_tasks_are_no_business_of_this(self):
        other = self.env["project.task"].create({"name": "Elsewhere", "date_deadline": "2026-01-01 00:00:00"})
        self.climb("2026-07-03 10:00")
        self.assertEqual((other.is_finance_ppm, other.escalation_level), (False, 0))
        other.is_finance_ppm = True
        self.climb("2026-07-03 11:00")
        self.assertEqual(other.escalation_level, 1)
