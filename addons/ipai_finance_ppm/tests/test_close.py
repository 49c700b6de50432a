from odoo.exceptions import UserError, ValidationError
from odoo.tests import tagged

from .common import FinanceCase


@tagged("post_install", "-at_install")
class TestClose(FinanceCase):
    roles = ("supervisor",)

    def open(self, period="2026-06", **values):
        template = self.env.ref("ipai_finance_ppm.close_template")
        close = self.env["ipai.finance.close"].create({"company_id": self.company.id, "period": period, "template_id": template.id, **values})
        close.action_open()
        return close

    def test_a_template_becomes_tasks_on_working_days(self):
        self.person("supervisor", user_id=self.supervisor.id)
        close = self.open()
        days = {task.wbs_code: str(task.date_deadline)[:10] for task in close.task_ids}
        # 30 June 2026 is a Tuesday.
        self.assertEqual([days[code] for code in ("1.1", "2.1", "2.3", "4.2")], ["2026-06-30", "2026-07-01", "2026-07-02", "2026-07-07"])
        self.assertEqual(str(close.target_close_date), "2026-07-07")
        review = close.task_ids.filtered(lambda task: task.wbs_code == "4.1")
        self.assertEqual((review.user_ids, review.finance_stage), (self.supervisor, "review"))
        self.assertEqual(set(review.depend_on_ids.mapped("wbs_code")), {"3.1", "3.2", "3.3"})
        self.assertEqual(set(close.task_ids.mapped("is_finance_ppm")), {True})
        with self.assertRaises(UserError):
            close.action_open()

    def test_a_holiday_in_between_moves_what_is_open(self):
        close = self.open()
        done = close.task_ids.filtered(lambda task: task.wbs_code == "2.3")
        done.state = "1_done"
        self.Holiday.create({"date": "2026-07-02", "name": "Example Day", "proclamation": "Proclamation 9999"})
        days = {task.wbs_code: str(task.date_deadline)[:10] for task in close.task_ids}
        self.assertEqual([days[code] for code in ("2.1", "2.3", "3.1", "4.2")], ["2026-07-01", "2026-07-02", "2026-07-03", "2026-07-08"])
        self.assertEqual(str(close.target_close_date), "2026-07-08")

    def test_the_plan_says_when_after_what_and_with_whom(self):
        self.person("supervisor", user_id=self.supervisor.id)
        close = self.open()
        first, late = (close.task_ids.filtered(lambda task, code=code: task.wbs_code == code) for code in ("1.1", "2.1"))
        with self.at("2026-06-30 16:00"):
            first.state = "1_done"
        with self.at("2026-07-03 09:00"):
            late.state = "1_done"
            plan = {one["wbs"]: one for one in close._as_plan()}
        self.assertEqual(list(plan)[:4], ["1.1", "1.2", "1.3", "2.1"])
        shown = lambda code: [plan[code][name] for name in ("start", "due", "done", "state", "daysLate")]  # noqa: E731
        self.assertEqual(shown("1.1"), ["2026-06-30", "2026-06-30", "2026-06-30", "done", 0])
        self.assertEqual(shown("2.1"), ["2026-07-01", "2026-07-01", "2026-07-03", "done", 2])
        self.assertEqual(shown("2.3"), ["2026-07-01", "2026-07-02", None, "open", 1])
        # It waits for what is due on the 2nd: from the working day after that on.
        self.assertEqual((shown("4.1")[:2], plan["4.1"]["after"]), (["2026-07-06", "2026-07-06"], ["3.1", "3.2", "3.3"]))
        review = plan["4.1"]
        self.assertEqual(review["responsible"], {"role": "supervisor", "people": [self.supervisor.name]})
        self.assertEqual((review["accountable"]["role"], review["consulted"]["role"], review["informed"]["people"]), ("manager", "staff", []))
        late.state = "01_in_progress"
        self.assertFalse(late.finance_done_on, "what is open again is not done")

    def test_codes_are_numbers(self):
        template = self.env["ipai.finance.close.template"].create(
            {"name": "T", "line_ids": [(0, 0, {"wbs_code": code, "phase": "P", "name": "N"}) for code in ("2.10", "2.9", "10.1")]}
        )
        plan = self.open(template_id=template.id)._as_plan()
        self.assertEqual([one["wbs"] for one in plan], ["2.9", "2.10", "10.1"])
        self.assertEqual([plan[0][part] for part in ("consulted", "informed")], [None, None])

    def test_it_is_locked_when_all_is_done(self):
        close = self.open()
        close.action_review()
        with self.assertRaisesRegex(UserError, "12 tasks are open"):
            close.action_lock()
        close.task_ids.write({"state": "1_done"})
        with self.at("2026-07-08 10:00"):
            close.action_lock()
        self.assertEqual((close.state, close.days_to_close, close.completion_pct), ("locked", 6, 100))
        self.assertEqual(close._average_days(self.company), 6)

    def test_what_makes_no_sense_is_refused(self):
        line = self.env.ref("ipai_finance_ppm.close_line_1_1")
        with self.assertRaises(ValidationError):
            line.workday = 0
        with self.assertRaises(ValidationError):
            line.predecessor_ids = self.env.ref("ipai_finance_ppm.close_line_4_3")
        with self.assertRaises(UserError):
            self.open("June")
