from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged

from .common import FinanceCase


@tagged("post_install", "-at_install")
class TestDashboard(FinanceCase):
    """What the page asks for; the page itself is asked for over HTTP by the project's system test."""

    roles = ("auditor",)

    def seen(self, user, moment="2026-02-11 08:00"):
        with self.at(moment):
            self.Filing._mark_late()
            return self.Filing.with_user(user)._dashboard(60)

    def test_what_is_late_due_and_open(self):
        late, soon, later = self.make("1601-C", "2026-01"), self.make("0619-E", "2026-02"), self.make("1601-C", "2026-09")
        done = self.make("0619-F", "2026-01")
        done.write({"state": "filed", "filed_on": "2026-02-09 02:00:00", "confirmation_no": "EX-1"})
        answer = self.seen(self.auditor)
        self.assertEqual([one["id"] for one in answer["filings"]], [late.id, soon.id])
        self.assertEqual(list(answer["numbers"].values()), ["1", "0", "2", "50 %"])
        self.assertEqual([one["said"] for one in answer["filings"]], ["Late", "Not started"])
        self.assertNotIn(later.id, [one["id"] for one in answer["filings"]])

    def test_nothing_was_due(self):
        self.assertEqual(list(self.seen(self.auditor)["numbers"].values()), ["0", "0", "0", "\u2013"])

    def test_who_has_no_part_in_it_sees_nothing(self):
        other = new_test_user(self.env, "ppm_other", "base.group_user")
        with self.assertRaises(AccessError):
            self.seen(other)
