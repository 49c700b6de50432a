from psycopg2 import IntegrityError

from odoo.exceptions import UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import FinanceCase

FILER = "odoo.addons.ipai_finance_ppm.models.filer"


@tagged("post_install", "-at_install")
class TestCloseOpening(FinanceCase):
    """Closes that open by themselves: five working days before a month ends is 24 June, 27 July (31 July is a Friday) and 24 August 2026, whose
    last day is a holiday.
    """

    roles = ("manager", "director")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.template = cls.env.ref("ipai_finance_ppm.close_template")
        cls.filer.start_on = "2027-01-01"

    def turn_on(self, moment="2026-06-03 10:00"):
        with self.at(moment):
            self.filer.close_template_id = self.template
            self.filer.flush_recordset()

    def run_day(self, moment):
        with self.at(moment), mute_logger(FILER):
            self.Filing._run_day(self.company)

    def open_by(self, moment):
        """What the run of the day does of it."""
        with self.at(moment), mute_logger(FILER):
            self.filer._open_closes()

    def closes(self):
        return self.env["ipai.finance.close"].search([("company_id", "=", self.company.id)], order="period")

    def opened(self):
        return [(one.period, one.state, len(one.task_ids)) for one in self.closes()]

    def test_nothing_opens_by_itself_unless_a_filer_names_a_template(self):
        self.assertFalse(self.env["ipai.finance.filer"].search([("close_template_id", "!=", False)]))
        self.run_day("2026-06-30 08:00")
        self.assertEqual(self.opened(), [])

    def test_on_its_day_and_once(self):
        self.turn_on()
        for moment, opened in (
            ("2026-06-23 08:00", []),
            ("2026-06-24 08:00", [("2026-06", "open", 12)]),
            ("2026-06-24 08:15", [("2026-06", "open", 12)]),
            ("2026-07-24 08:00", [("2026-06", "open", 12)]),
            ("2026-07-27 08:00", [("2026-06", "open", 12), ("2026-07", "open", 12)]),
        ):
            self.run_day(moment)
            self.assertEqual(self.opened(), opened, moment)
        self.assertEqual(self.filer.next_close, "2026-08")
        self.assertFalse(self.filer.failures)
        # The same as by the button.
        self.assertEqual(str(self.closes()[0].target_close_date), "2026-07-07")

    def test_what_fell_into_an_outage_is_made_up_for_but_nothing_of_before(self):
        self.turn_on()
        self.open_by("2026-09-01 08:00")
        self.assertEqual([one.period for one in self.closes()], ["2026-06", "2026-07", "2026-08"])
        self.filer.close_template_id = False
        self.open_by("2026-12-01 08:00")
        self.assertEqual((len(self.closes()), self.filer.next_close), (3, False))
        self.turn_on("2026-12-01 10:00")
        self.open_by("2026-12-02 08:00")
        self.assertEqual((len(self.closes()), self.filer.next_close), (3, "2026-12"), "not those while it was off")

    def test_on_the_first_working_day_after(self):
        self.template.open_workday = 1
        self.turn_on()
        self.open_by("2026-06-30 08:00")
        self.assertEqual(self.opened(), [])
        self.open_by("2026-07-01 08:00")
        self.assertEqual(self.opened(), [("2026-06", "open", 12)])
        with self.assertRaises(ValidationError):
            self.template.open_workday = 0

    def test_a_draft_is_opened_and_what_is_open_stays(self):
        other = self.template.copy({"name": "Two", "line_ids": [(0, 0, {"wbs_code": "1", "phase": "P", "name": "N", "workday": one}) for one in (1, 2)]})
        draft = self.env["ipai.finance.close"].create({"company_id": self.company.id, "period": "2026-06", "template_id": other.id})
        self.turn_on()
        self.open_by("2026-06-24 08:00")
        self.assertEqual((draft.state, len(draft.task_ids)), ("open", len(other.line_ids)))
        mine = draft.create({"company_id": self.company.id, "period": "2026-07", "template_id": other.id})
        mine.action_open()
        mine.action_review()
        self.open_by("2026-07-27 08:00")
        self.assertEqual((mine.state, len(mine.task_ids), self.filer.next_close), ("in_review", len(other.line_ids), "2026-08"))
        self.assertFalse(mine.activity_ids, "whoever opened it knows")

    def test_a_task_that_somebody_linked_to_a_draft_is_one_more(self):
        self.turn_on()
        draft = self.env["ipai.finance.close"].create({"company_id": self.company.id, "period": "2026-06", "template_id": self.template.id})
        project = self.env["ipai.finance.filer"]._project_of(self.company)
        self.env["project.task"].create({"name": "An example", "project_id": project.id, "close_id": draft.id})
        self.open_by("2026-06-24 08:00")
        self.assertEqual(self.opened(), [("2026-06", "open", 13)])
        with self.assertRaises(UserError):
            draft.action_open()

    def test_where_whoever_answers_is_gone_who_keeps_the_registers_is_told(self):
        self.turn_on()
        self.director.active = False
        self.person("director", user_id=self.director.id)
        self.open_by("2026-06-24 08:00")
        self.assertIn(self.manager, self.closes().activity_ids.user_id)

    def test_what_somebody_deletes_does_not_come_back(self):
        self.turn_on()
        self.open_by("2026-06-24 08:00")
        tasks = self.closes().task_ids
        done, by_hand = tasks[0], tasks[1].copy({"close_id": self.closes().id, "close_line_id": False})
        done.state = "1_done"
        self.closes().with_user(self.manager).unlink()
        self.open_by("2026-06-25 08:00")
        self.assertEqual(self.opened(), [])
        self.assertEqual((tasks | by_hand).exists(), done | by_hand, "nobody is chased for what is not to be done; what was done, or is no task of ours, stays")

    def test_a_template_or_a_filer_that_is_put_away_opens_none(self):
        self.turn_on()
        for record in (self.template, self.filer):
            record.active = False
            self.open_by("2026-06-24 08:00")
            self.assertEqual(self.opened(), [])
            with self.at("2026-06-24 09:00"):
                record.active = True
                self.filer.flush_recordset()
        self.open_by("2026-06-25 08:00")
        self.assertEqual(len(self.closes()), 1)

    def test_months_in_which_it_was_put_away_are_not_opened(self):
        self.turn_on()
        for record, back, month in ((self.template, "2026-09-01 09:00", "2026-09"), (self.filer, "2026-12-02 09:00", "2026-12")):
            record.active = False
            self.env.flush_all()
            with self.at(back):
                record.active = True
                self.assertEqual(self.filer.next_close, month)
        self.open_by("2026-12-02 10:00")
        self.assertEqual(self.opened(), [])

    def test_another_template_goes_on_where_the_first_one_was(self):
        self.turn_on()
        with self.at("2026-08-03 10:00"):
            self.filer.close_template_id = self.template.copy()
            self.assertEqual(self.filer.next_close, "2026-06")

    def test_one_company_keeps_no_other_from_its_close(self):
        self.turn_on()
        other = self.env["res.company"].create({"name": "Second Corporation"})
        second = self.filer.create({"company_id": other.id, "start_on": "2027-01-01"})
        with self.at("2026-06-03 10:00"):
            second.close_template_id = self.template
            self.env.flush_all()
        # Past the ORM: no month.
        self.env.cr.execute("update ipai_finance_filer set next_close = '2026-13' where id = %s", [self.filer.id])
        self.env.invalidate_all()
        due = self.make("1601-C", "2026-05")
        due.write({"override_deadline": "2026-06-24", "override_reason": "an example"})
        with self.at("2026-06-24 08:00"), mute_logger(FILER):
            self.Filing._run_day(self.company | other)
        self.assertEqual(self.env["ipai.finance.close"].search([("company_id", "in", (self.company | other).ids)]).company_id, other)
        self.assertIn("Closes were not opened: ", self.filer.failures)
        self.assertTrue(self.alerts(("kind", "=", "deadline"), ("res_id", "=", due.id)), "and its deadlines are told")
        self.env.cr.execute("update ipai_finance_filer set next_close = '2026-06' where id = %s", [self.filer.id])
        self.env.invalidate_all()
        self.run_day("2026-06-24 08:15")
        self.assertEqual((self.opened(), self.filer.failures), ([("2026-06", "open", 12)], False))

    def test_whoever_answers_for_it_is_told_in_odoo_and_nobody_by_mail(self):
        self.person("director", user_id=self.director.id)
        self.person("director", code="gone", user_id=self.manager.id).active = False
        self.turn_on()
        mails = self.env["mail.mail"].search_count([])
        self.run_day("2026-06-24 08:00")
        close = self.closes()
        self.assertEqual((close._accountable().mapped("code"), close.activity_ids.user_id), (["director"], self.director))
        self.assertEqual(close.activity_ids.summary, "The close of 2026-06 has been opened")
        self.assertIn("12 tasks are planned until 2026-07-07", close.activity_ids.note)
        self.assertEqual((self.env["mail.mail"].search_count([]), len(self.alerts())), (mails, 0))

    def test_where_nobody_answers_for_it_whoever_keeps_the_registers_is_told(self):
        self.turn_on()
        self.open_by("2026-06-24 08:00")
        self.assertIn(self.manager, self.closes().activity_ids.user_id)

    def test_a_template_that_a_filer_names_is_not_deleted(self):
        mine = self.template.copy()
        self.filer.close_template_id = mine
        self.env.flush_all()
        with mute_logger("odoo.sql_db"), self.assertRaises(IntegrityError), self.env.cr.savepoint():
            mine.unlink()
