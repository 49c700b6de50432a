from datetime import timedelta

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import FinanceCase

FILER = "odoo.addons.ipai_finance_ppm.models.filer"


@tagged("post_install", "-at_install")
class TestDay(FinanceCase):
    """The run of the day when something fails half-way: at 8:00 by itself, then each quarter of an hour what it still owes. All is due on Tuesday,
    10 February 2026.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.person("manager")
        cls.other = cls.env["res.company"].create({"name": "Second Corporation"})
        cls.env["ipai.finance.filer"].search([]).active = False
        cls.filer.write({"active": True, "start_on": "2027-01-01", "day_whole_at": "2026-02-09 00:00:00"})
        cls.second = cls.filer.create({"company_id": cls.other.id, "start_on": "2027-01-01", "day_whole_at": "2026-02-09 00:00:00"})
        cls.Filing.search([]).write({"state": "cancelled", "not_applicable_reason": "an example"})
        # As after the run of the morning, whatever came of it.
        cls.cron = cls.env.ref("ipai_finance_ppm.cron_day")
        cls.cron.write({"active": True, "nextcall": "2026-02-11 00:00:00"})

    def setUp(self):
        super().setUp()
        self.broken, self.well = self.make("1601-C", "2026-01"), self.make("0619-E", "2026-01")
        self.elsewhere = self.make("1601-C", "2026-01", company_id=self.other.id)

    def put_reasons(self, reasons):
        """Past the ORM. A number is nothing that reasons can be read from."""
        self.env.flush_all()
        self.env.cr.execute("update ipai_finance_bir_schedule set shift_reason = %s where id = %s", [reasons, self.broken.id])
        self.env.invalidate_all()

    def told(self, kind="deadline"):
        return self.env["ipai.finance.alert"].search([("kind", "=", kind), ("company_id", "in", (self.company | self.other).ids)], order="id")

    def day(self, moment="2026-02-10 08:00"):
        with self.at(moment), mute_logger(FILER):
            self.Filing._run_day()

    def quarter(self, moment):
        with self.at(moment), mute_logger(FILER):
            self.env["ipai.finance.alert"]._run_quarter_hour()

    def test_what_cannot_be_read_keeps_nobody_else_from_being_told(self):
        self.put_reasons("5")
        self.day()
        self.assertEqual(set(self.told().mapped("res_id")), {self.well.id, self.elsewhere.id})
        self.assertTrue(self.broken.task_ids and self.well.task_ids, "and of what fails the rest is done")
        self.assertIn("1601-C 2026-01: ", self.filer.failures)
        self.assertEqual((self.filer.day_whole_at, self.second.failures), (False, False))
        self.assertEqual(str(self.second.day_whole_at), "2026-02-10 00:00:00")

    def test_it_is_tried_again_until_it_is_whole(self):
        self.put_reasons("5")
        self.day()
        for moment in ("2026-02-10 08:15", "2026-02-10 08:30"):
            self.quarter(moment)
            self.assertEqual(len(self.told()), 2, "what was told is told once")
            self.assertEqual(len(self.filer.failures.splitlines()), 1)
            (failure,) = self.told("failure")
            with self.at(moment):
                self.assertEqual((failure.state, failure.severity, failure.is_open), ("sent", "high", True))
            self.assertEqual(failure.recipient_ids.role, "manager")
            self.assertIn("1601-C 2026-01", failure.body_md)
        self.put_reasons("[]")
        self.quarter("2026-02-10 08:45")
        self.assertEqual(self.told().mapped("res_id").count(self.broken.id), 1)
        self.assertEqual((self.filer.failures, str(self.filer.day_whole_at)), (False, "2026-02-10 00:45:00"))
        with self.at("2026-02-10 08:45"):
            self.assertFalse(self.env["ipai.finance.alert"]._open().filtered(lambda one: one.kind == "failure"))
        self.quarter("2026-02-10 09:00")
        self.assertEqual(len(self.told()), 3)

    def test_a_failure_that_was_not_mailed_yet_is_overtaken(self):
        self.put_reasons("5")
        self.day()
        with self.at("2026-02-10 08:05"):
            self.filer._tell_failures()
        self.put_reasons("[]")
        self.quarter("2026-02-10 08:15")
        self.assertEqual(self.told("failure").state, "cancelled")

    def test_a_day_of_which_nothing_was_done_is_made_up_for(self):
        """As when the action failed as a whole, and Odoo took back all of it."""
        self.quarter("2026-02-10 08:15")
        self.assertEqual(len(self.told()), 3)
        self.assertEqual(set((self.filer | self.second).mapped(lambda one: str(one.day_whole_at))), {"2026-02-10 00:15:00"})
        self.assertFalse(self.told("failure"))

    def test_nothing_is_made_up_for_before_its_time(self):
        for nextcall, active in (("2026-02-10 00:00:00", True), ("2026-02-10 00:30:00", True), ("2026-02-11 00:00:00", False)):
            self.cron.write({"nextcall": nextcall, "active": active})
            self.filer.day_whole_at = fields.Datetime.to_datetime(nextcall) - timedelta(days=1)
            self.second.day_whole_at = self.filer.day_whole_at
            self.quarter("2026-02-10 08:15")
            self.assertFalse(self.told(), nextcall)

    def test_a_missed_deadline_and_the_ladder_go_on_beside_what_fails(self):
        self.put_reasons("5")
        self.quarter("2026-02-11 00:15")
        self.assertEqual(set(self.told("missed").mapped("res_id")), {self.well.id, self.elsewhere.id})
        self.assertTrue(self.told("failure"))
        self.put_reasons("[]")
        self.quarter("2026-02-11 00:30")
        self.assertEqual(len(self.told("missed")), 3)
