from odoo.exceptions import AccessError, ValidationError
from odoo.tests import tagged

from .common import FinanceCase


@tagged("post_install", "-at_install")
class TestRights(FinanceCase):
    roles = ("staff", "supervisor", "manager", "director", "auditor")

    def test_staff_work_on_their_own(self):
        mine, theirs = self.make("1601-C", "2026-01", supervisor_id=self.staff.id), self.make("1601-C", "2026-02")
        mine.with_user(self.staff).action_start()
        self.assertEqual(mine.state, "in_progress")
        self.assertEqual(theirs.with_user(self.staff).state, "not_started", "seen it is")
        with self.assertRaises(AccessError):
            theirs.with_user(self.staff).action_start()
        theirs.with_user(self.supervisor).action_start()
        with self.assertRaises(AccessError):
            mine.with_user(self.staff).unlink()

    def test_nobody_types_a_deadline(self):
        filing = self.make("1601-C", "2026-01", filing_deadline="2027-01-01")
        self.assertEqual(str(filing.filing_deadline), "2026-02-10")
        for field, value in (("filing_deadline", "2026-12-31"), ("is_late", False), ("shift_reason", [])):
            with self.assertRaises(AccessError):
                filing.with_user(self.director).write({field: value})

    def test_a_manager_says_which_day_holds_and_opens_again(self):
        filing = self.make("1601-C", "2026-01")
        instead = {"override_deadline": "2026-02-09", "override_reason": "bank holiday"}
        with self.assertRaises(AccessError):
            filing.with_user(self.supervisor).write(instead)
        filing.with_user(self.manager).write(instead)
        self.assertEqual(str(filing.filing_deadline), "2026-02-09")
        filing.not_applicable_reason = "an example"
        for closed in ("cancelled", "not_applicable"):
            with self.assertRaises(AccessError):
                filing.with_user(self.supervisor).write({"state": closed})
        with self.assertRaises(AccessError):
            self.Filing.with_user(self.supervisor).create(
                {"form_id": filing.form_id.id, "period_covered": "2026-02", "state": "cancelled", "not_applicable_reason": "an example"}
            )
        filing.with_user(self.manager).action_cancel()
        self.assertEqual(filing.excused_by_id, self.manager)
        for values in ({"not_applicable_reason": "another"}, {"excused_by_id": self.supervisor.id}):
            with self.assertRaises(AccessError):
                filing.with_user(self.supervisor).write(values)
        with self.assertRaises(AccessError):
            filing.with_user(self.supervisor).action_reopen()
        filing.with_user(self.manager).action_reopen()
        self.assertEqual(filing.state, "in_progress")

    def test_a_manager_says_that_a_missed_filing_was_filed_in_time(self):
        filing = self.make("1601-C", "2026-01", confirmation_no="EX-1")
        in_time = {"state": "filed", "filed_on": "2026-02-10 02:00:00"}
        with self.at("2026-02-12 09:00"):
            self.Filing._mark_late()
            with self.assertRaises(AccessError), self.env.cr.savepoint():
                filing.with_user(self.supervisor).write(in_time)
            filing.with_user(self.supervisor).action_file()
            self.assertTrue(filing.is_late)
            with self.assertRaises(AccessError), self.env.cr.savepoint():
                filing.with_user(self.supervisor).filed_on = in_time["filed_on"]
            filing.with_user(self.manager).filed_on = in_time["filed_on"]
            self.assertFalse(filing.is_late)

    def test_the_registers_are_a_managers(self):
        holiday = {"date": "2026-07-10", "name": "Example Day", "proclamation": "Proclamation 9999"}
        filing = self.make("1601-C", "2026-06")
        for user in (self.staff, self.supervisor, self.auditor):
            with self.assertRaises(AccessError):
                self.Holiday.with_user(user).create(holiday)
        self.Holiday.with_user(self.manager).create(holiday)
        self.assertEqual(str(filing.filing_deadline), "2026-07-13", "it moves what the manager's own rights do not reach, too")
        self.filer.with_user(self.manager).action_generate()
        with self.assertRaises(AccessError):
            self.filer.with_user(self.supervisor).action_generate()

    def test_an_auditor_changes_nothing(self):
        filing = self.make("1601-C", "2026-01", supervisor_id=self.auditor.id)
        self.assertTrue(filing.with_user(self.auditor).reasons)
        with self.assertRaises(AccessError):
            filing.with_user(self.auditor).action_start()

    def test_companies_do_not_see_each_other(self):
        filing = self.make("1601-C", "2026-01")
        other = self.env["res.company"].create({"name": "Other Corporation"})
        stranger = self.director.copy({"login": "ppm_stranger", "company_id": other.id, "company_ids": [(6, 0, other.ids)]})
        self.assertFalse(self.Filing.with_user(stranger).search([("id", "=", filing.id)]))
        with self.assertRaises(AccessError):
            filing.with_user(stranger).read(["name"])
        self.assertFalse(self.env["ipai.finance.filer"].with_user(stranger).search([("id", "=", self.filer.id)]))

    def test_whoever_prepares_does_not_approve(self):
        with self.assertRaises(ValidationError):
            self.make("1601-C", "2026-01", supervisor_id=self.staff.id, approver_id=self.staff.id)
        with self.assertRaises(ValidationError):
            self.filer.write({"supervisor_id": self.staff.id, "approver_id": self.staff.id})

    def test_who_is_named_later_is_named_in_what_waits(self):
        waiting, taken, begun = (self.make("1601-C", f"2026-0{month}") for month in (1, 2, 3))
        taken.supervisor_id = self.supervisor
        begun.action_start()
        self.filer.with_user(self.manager).supervisor_id = self.staff
        names = [one.supervisor_id for one in (waiting, taken, begun)]
        self.assertEqual(names, [self.staff, self.supervisor, self.env["res.users"]])

    def test_a_role_gives_its_group(self):
        user = self.env["res.users"].create({"name": "Nobody Example", "login": "ppm_nobody"})
        person = self.env["ipai.finance.person"].create({"code": "X9", "name": "Nobody Example", "role": "supervisor", "user_id": user.id})
        with self.assertRaises(AccessError):
            person.with_user(self.director).action_grant_access()
        person.action_grant_access()
        self.assertTrue(user.has_group("ipai_finance_ppm.group_supervisor"))
        self.assertFalse(user.has_group("ipai_finance_ppm.group_manager"))
