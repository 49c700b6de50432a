import vobject

from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged

from ..models.calendar_feed import SCOPE
from .common import FinanceCase


@tagged("post_install", "-at_install")
class TestCalendarFeed(FinanceCase):
    roles = ("manager", "auditor")

    def events(self, user=None, moment="2026-01-28 08:00"):
        with self.at(moment):
            text = self.env["ipai.finance.calendar_feed"].with_user(user or self.auditor)._as_ics()
        self.assertTrue(all(len(line.encode()) <= 75 for line in text.split("\r\n")), "RFC 5545 folds lines")
        return list(getattr(vobject.readOne(text), "vevent_list", []))

    def test_an_event_of_a_whole_day_with_alarms(self):
        filing = self.make("1601-C", "2026-01")
        (event,) = self.events()
        self.assertEqual(event.summary.value, "BIR 1601-C for 2026-01")
        self.assertEqual((event.dtstart.value, (event.dtend.value - event.dtstart.value).days), (filing.filing_deadline, 1))
        triggers = [alarm.trigger.value.total_seconds() / 3600 for alarm in event.valarm_list]
        self.assertEqual(triggers, [8 - 7 * 24, 8 - 3 * 24, 8 - 24, 8])
        self.assertEqual((event.status.value, event.sequence.value), ("CONFIRMED", "0"))
        self.assertIn("Prepare by 2026-02-04", event.description.value)

    def test_names_of_events(self):
        main = self.env.ref("base.main_company")
        user = new_test_user(
            self.env, "ppm_both", "ipai_finance_ppm.group_auditor", company_id=main.id, company_ids=[(6, 0, [main.id, self.company.id])]
        )
        self.filings().unlink()
        self.Filing.search([("company_id", "=", main.id)]).write({"state": "not_started"})
        self.Filing.search([("company_id", "=", main.id)]).unlink()
        self.make("1601-C", "2026-01")
        own = self.make("1601-C", "2026-01", company_id=main.id)
        again = self.make("1601-C", "2026-01", company_id=main.id, reference="amended")
        names = {event.uid.value for event in self.events(user)}
        # As `ipai finance calendar` names it.
        kind = "-".join(filter(None, (own.filer_kind, own.efps_group))).lower()
        self.assertEqual(
            names,
            {f"1601-c.2026-01.{kind}{more}@bir-deadlines.ipai" for more in ("", f".{again.id}")}
            | {f"1601-c.2026-01.manual.company-{self.company.id}@bir-deadlines.ipai"},
        )

    def test_a_moved_deadline_is_another_version_of_the_same_event(self):
        self.make("1601-C", "2026-06")
        (before,) = self.events(moment="2026-06-20 08:00")
        self.Holiday.create({"date": "2026-07-10", "name": "Example Day", "proclamation": "Proclamation 9999"})
        (after,) = self.events(moment="2026-06-20 08:00")
        self.assertEqual(before.uid.value, after.uid.value)
        self.assertEqual((after.dtstart.value - before.dtstart.value).days, 3)
        self.assertEqual((before.sequence.value, after.sequence.value), ("0", "1"))

    def test_what_is_filed_or_cancelled_rings_no_more(self):
        filed, cancelled = self.make("1601-C", "2026-01"), self.make("0619-E", "2026-02")
        filed.write({"state": "filed", "filed_on": "2026-01-27 02:00:00", "confirmation_no": "EX-1"})
        cancelled.not_applicable_reason = "an example"
        cancelled.with_user(self.manager).action_cancel()
        events = self.events()
        self.assertEqual([(one.status.value, one.sequence.value) for one in events], [("CONFIRMED", "1"), ("CANCELLED", "1")])
        self.assertEqual([one.summary.value.split(":")[0] for one in events], ["Filed", "Cancelled"])
        self.assertFalse([one for one in events if hasattr(one, "valarm")])

    def test_nobody_counts_the_versions_by_hand(self):
        filing = self.make("1601-C", "2026-01")
        with self.assertRaises(AccessError):
            filing.with_user(self.manager).calendar_sequence = 7

    def test_odd_texts_come_back_as_they_were(self):
        odd = 'A\\B; "C", ñ€😀\nEND:VEVENT ' * 8
        self.make("1601-C", "2026-01", override_deadline="2026-02-09", override_reason=odd)
        (event,) = self.events()
        self.assertIn(odd.strip(), event.description.value)

    def test_no_filings_is_an_empty_calendar(self):
        self.assertEqual(self.events(), [])

    def test_others_companies_are_not_in_it(self):
        other = self.env["res.company"].create({"name": "Other Corporation"})
        self.make("1601-C", "2026-01", company_id=other.id)
        self.assertEqual(self.events(), [])

    def test_a_token_is_of_one_user_until_it_is_taken_back(self):
        feed = self.env["ipai.finance.calendar_feed"]
        token = feed.with_user(self.auditor)._make_token()
        self.assertEqual(feed._user_of(token), self.auditor)
        self.env.cr.execute("SELECT count(*) FROM res_users_apikeys WHERE key = %s OR name = %s", [token, token])
        self.assertEqual(self.env.cr.fetchone()[0], 0, "Odoo keeps its hash")
        newer = feed.with_user(self.auditor)._make_token()
        self.assertFalse(feed._user_of(token), "a newer one makes it void")
        self.assertTrue(feed.with_user(self.manager)._make_token())
        self.assertEqual(feed._user_of(newer), self.auditor, "of the same user only")
        key = self.auditor.api_key_ids.filtered(lambda one: one.scope == SCOPE)
        key.with_user(self.auditor)._remove()
        self.assertFalse(feed._user_of(newer))
        self.assertFalse(feed._user_of("") or feed._user_of("0" * 40))

    def test_a_token_is_good_for_nothing_else(self):
        token = self.env["ipai.finance.calendar_feed"].with_user(self.auditor)._make_token()
        self.assertFalse(self.env["res.users.apikeys"]._check_credentials(scope="rpc", key=token))

    def test_who_is_archived_has_no_calendar(self):
        feed = self.env["ipai.finance.calendar_feed"]
        token = feed.with_user(self.auditor)._make_token()
        self.auditor.active = False
        self.assertFalse(feed._user_of(token))

    def test_who_has_no_part_in_it_gets_no_token(self):
        other = new_test_user(self.env, "ppm_other", "base.group_user")
        with self.assertRaises(AccessError):
            self.env["ipai.finance.calendar_feed"].with_user(other)._make_token()
