from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged

from .common import FinanceCase


@tagged("post_install", "-at_install")
class TestDashboard(FinanceCase):
    """What the page shows; the page itself is asked for over HTTP by the project's system test: a case of HTTP here would build all of Odoo's assets first."""

    roles = ("staff", "manager", "auditor")

    def seen(self, user=None, moment="2026-02-11 08:00"):
        with self.at(moment):
            return self.env["ipai.finance.dashboard"].with_user(user or self.auditor)._read_all(60)

    def numbers(self, answer):
        return {one["key"]: one["value"] for one in answer["numbers"]}

    def test_what_is_late_due_and_open(self):
        late, soon, later = self.make("1601-C", "2026-01"), self.make("0619-E", "2026-02"), self.make("1601-C", "2026-09")
        done = self.make("0619-F", "2026-01")
        done.write({"state": "filed", "filed_on": "2026-02-09 02:00:00", "confirmation_no": "EX-1"})
        answer = self.seen()
        self.assertEqual([one["id"] for one in answer["filings"]], [late.id, soon.id])
        self.assertNotIn(later.id, [one["id"] for one in answer["filings"]])
        self.assertEqual(
            self.numbers(answer), {"late": "1", "today": "0", "week": "0", "open": "2", "doubtful": "0", "rate": "50 %"}
        )
        self.assertEqual([(one["said"], one["leftSaid"]) for one in answer["filings"]], [("Late", "1 day late"), ("Not started", "in 27 days")])
        counts = {one["status"]: one["count"] for one in answer["statuses"]}
        self.assertEqual(counts, {"late": 1, "not_started": 1, "in_progress": 0, "submitted": 0, "filed": 1})

    def test_nothing_was_due(self):
        answer = self.seen()
        self.assertEqual(self.numbers(answer)["rate"], "–")
        for empty in ("filings", "deadlines", "workload", "closes"):
            self.assertEqual(answer[empty], [], empty)
        self.assertEqual((answer["alerts"], sum(one["count"] for one in answer["statuses"])), ({"count": 0, "rows": []}, 0))

    def test_done_against_deadline(self):
        with self.at("2026-01-28 08:00"):
            first, second = self.make("1601-C", "2026-01"), self.make("0619-E", "2026-01")
            self.Filing._make_tasks()
            self.assertEqual([str(first.prep_deadline), str(first.filing_deadline)], ["2026-02-04", "2026-02-10"])
        (first | second).task_ids.filtered(lambda task: task.finance_stage == "prep")[:1].write({"state": "1_done"})
        # Preparation was due the day before; one of two has done it.
        (due,) = self.seen(moment="2026-02-05 08:00")["deadlines"]
        self.assertEqual((due["day"], due["count"], due["expected"]), ("2026-02-10", 2, 33))
        self.assertIn(due["completion"], (16, 17))

    def test_workload(self):
        with self.at("2026-01-28 08:00"):
            self.make("1601-C", "2026-01", supervisor_id=self.staff.id)
            self.Filing._make_tasks()
        rows = self.seen(moment="2026-02-05 08:00")["workload"]
        self.assertEqual(
            rows,
            [
                {"name": self.staff.name, "overdue": 1, "soon": 0, "later": 0},
                {"name": "Nobody", "overdue": 0, "soon": 2, "later": 0},
            ],
        )

    def test_tasks_of_what_is_filed_are_no_work(self):
        with self.at("2026-01-28 08:00"):
            filing = self.make("1601-C", "2026-01", supervisor_id=self.staff.id)
            self.Filing._make_tasks()
        filing.write({"state": "filed", "filed_on": "2026-02-03 02:00:00", "confirmation_no": "EX-1"})
        self.assertEqual(self.seen(moment="2026-02-05 08:00")["workload"], [])

    def test_closes(self):
        line = {"wbs_code": "1", "phase": "P", "name": "Count", "workday": 1}
        lines = [(0, 0, line), (0, 0, {**line, "wbs_code": "2", "workday": 5})]
        template = self.env["ipai.finance.close.template"].create({"name": "T", "line_ids": lines})
        close = self.env["ipai.finance.close"].create({"company_id": self.company.id, "period": "2026-01", "template_id": template.id})
        self.assertEqual(self.seen()["closes"], [], "a draft is nobody's business yet")
        close.action_open()
        (row,) = self.seen(moment="2026-02-04 08:00")["closes"]
        self.assertEqual((row["done"], row["waiting"], row["overdue"], row["said"]), (0, 1, 1, "Open"))
        self.assertEqual((row["target"], row["leftSaid"]), ("2026-02-06", "in 2 days"))
        self.assertEqual([(one["wbs"], one["said"], one["verdict"]) for one in row["plan"]], [("1", "2 days late", "late"), ("2", "in 2 days", "open")])
        self.assertEqual(row["plan"][0]["accountable"], "Manager: nobody")

    def test_what_is_silent_or_fails_is_said(self):
        cron = self.env.ref("ipai_finance_ppm.cron_ladder")
        beats = self.env["ipai.finance.heartbeat"]
        with self.at("2026-02-11 08:00"):
            beats._beat("deadlines", 0, 0)
            beats._beat("escalations", 0, 0)

        def seen(moment, **values):
            cron.write({"nextcall": "2026-02-11 04:00:00", "lastcall": "2026-02-11 02:00:00", "active": True, **values})
            return {one["said"]: (one["last"], one["state"], one["verdict"]) for one in self.seen(moment=moment)["heartbeats"]}

        name = cron.cron_name
        self.assertEqual(seen("2026-02-11 12:10")[name], ("2 hours ago", "on time", "met"))
        self.assertEqual(seen("2026-02-11 12:16")[name], ("2 hours ago", "silent", "late"))
        self.assertEqual(seen("2026-02-11 11:00", active=False)[name][1:], ("switched off", "late"))
        self.assertEqual(seen("2026-02-11 11:00", failure_count=2)[name][1:], ("failed 2 times", "late"))
        rows = seen("2026-02-11 10:30", failure_count=0)
        self.assertEqual(rows["Asks for escalations"], ("2 hours ago", "silent", "late"))
        self.assertEqual(rows["Asks for deadlines"][1:], ("on time", "met"))
        self.assertNotIn("Asks for reports", rows, "who has never asked is not missed")
        self.filer.failures = "1601-C 2026-01: no reasons"
        self.assertEqual(seen("2026-02-11 10:30")[f"The day of {self.company.name}"][1:], ("1601-C 2026-01: no reasons", "late"))
        self.assertEqual([one["verdict"] for one in self.seen()["heartbeats"]][:1], ["late"], "what is silent comes first")

    def test_a_month_whose_close_nobody_opened_is_said(self):
        template = self.env.ref("ipai_finance_ppm.close_template").copy()
        close = self.env["ipai.finance.close"].create({"company_id": self.company.id, "period": "2026-04", "template_id": template.id})

        def seen(moment, user=None):
            rows = self.seen(user, moment)["heartbeats"]
            return [one["state"] for one in rows if one["said"] == f"Month-end close of {self.company.name}"]

        self.assertEqual(seen("2026-06-10 08:00"), [], "a company that has never opened one")
        close.action_open()
        # 1 June is a Monday: until then a person has time.
        self.assertEqual((seen("2026-06-01 23:59"), seen("2026-06-02 00:00")), ([], ["that of 2026-05 was not opened"]))
        self.filer.close_template_id = template
        self.assertEqual((seen("2026-05-31 23:59"), len(seen("2026-06-01 00:00"))), ([], 1), "what opens by itself has its own day")
        template.open_workday = 1
        self.assertEqual((seen("2026-06-01 23:59"), len(seen("2026-06-02 00:00"))), ([], 1))
        self.assertEqual(seen("2026-07-02 08:00"), ["that of 2026-06 was not opened"])
        self.assertEqual(seen("2026-10-02 08:00"), [], "who has opened none for so long closes elsewhere")
        next_one = close.create({"company_id": self.company.id, "period": "2026-05", "template_id": template.id})
        self.assertEqual(len(seen("2026-06-10 08:00")), 1, "a draft opens nothing")
        next_one.action_open()
        self.assertEqual(seen("2026-06-10 08:00"), [])
        self.assertEqual(len(seen("2026-07-02 08:00")), 1)
        template.active = False
        self.assertEqual(seen("2026-07-02 08:00"), [], "whoever puts the template away has done with it")

    def test_the_first_steps(self):
        said = lambda user: [one["items"] for one in self.seen(user)["setUp"]]  # noqa: E731
        self.assertEqual(said(self.auditor), [], "who may not enter it is not told")
        (items,) = said(self.manager)
        self.assertEqual(len(items), 7, items)
        for role in ("supervisor", "manager", "director"):
            self.person(role)
        self.company.vat = "000-123-456-000"
        self.filer.write({"regions": "047", "supervisor_id": self.staff.id, "reviewer_id": self.manager.id, "approver_id": self.manager.id})
        self.make("1601-C", "2026-02")
        self.assertEqual(said(self.manager), [])
        with self.at("2026-12-01 08:00"):
            self.assertEqual(self.filer._missing(), [])
        with self.at("2031-12-01 08:00"):
            self.assertEqual(len(self.filer._missing()), 2, "neither this year's nor the next one's holidays are proclaimed")
        self.filer.active = False
        ((item,),) = said(self.manager)
        self.assertIn("no filer", item)

    def test_logframe_is_a_tree_that_says_what_is_met(self):
        rows = self.seen()["logframe"]
        self.assertEqual([(one["code"], one["depth"]) for one in rows][:4], [("G1", 0), ("O1", 1), ("I1", 2), ("P1", 3)])
        of = {one["code"]: one for one in rows}
        self.assertEqual((of["O1"]["actual"], of["O1"]["verdict"]), ("–", "unknown"), "nothing was due")
        self.make("1601-C", "2026-01")
        missed = {one["code"]: one for one in self.seen()["logframe"]}["O1"]
        self.assertEqual((missed["actual"], missed["target"], missed["verdict"]), ("0 %", "100 %", "missed"))
        self.env.ref("ipai_finance_ppm.logframe_I1").entered = 2
        self.assertEqual({one["code"]: one for one in self.seen()["logframe"]}["I1"]["verdict"], "met")

    def test_of_each_record_the_last_alert_and_the_severe_ones_first(self):
        first, second = self.make("1601-C", "2026-01"), self.make("0619-E", "2026-02")
        queue = self.env["ipai.finance.alert"]._queue
        for record, key, severity in ((first, "a", "normal"), (second, "b", "normal"), (first, "c", "critical")):
            queue(record, kind="deadline", dedupe_key=f"{record._alert_key('deadline')}:{key}", severity=severity, subject=key, body_md="")
        alerts = self.seen()["alerts"]
        self.assertEqual(([one["subject"] for one in alerts["rows"]], alerts["count"]), (["c", "b"], 2))
        self.assertEqual(len(alerts["rows"][0]["ids"]), 2)

    def test_acknowledging_an_escalation_is_acknowledging_its_task(self):
        with self.at("2026-01-28 08:00"):
            filing = self.make("1601-C", "2026-01")
            self.Filing._make_tasks()
        with self.at("2026-02-04 12:00"):
            self.env["ipai.finance.escalation_log"]._run_ladder()
        alert = self.alerts(("kind", "=", "escalation"))[0]
        alert.with_user(self.manager).action_ack()
        self.assertEqual(self.env["project.task"].browse(alert.res_id).escalation_ack_by, self.manager)
        self.assertIn(alert.res_id, filing.task_ids.ids)

    def test_what_is_refused_is_not_half_acknowledged(self):
        """The page answers that it was refused, and Odoo keeps what was written until then."""
        with self.at("2026-01-28 08:00"):
            self.make("1601-C", "2026-01")
            self.Filing._make_tasks()
        with self.at("2026-02-10 08:00"):
            self.Filing._tell_deadlines()
            self.env["ipai.finance.escalation_log"]._run_ladder()
        task = self.env["project.task"].browse(self.alerts(("kind", "=", "escalation"))[:1].res_id)
        task.project_id.privacy_visibility = "followers"
        task.project_id.message_unsubscribe(self.staff.partner_id.ids)
        refused = None
        # Not assertRaises: that takes back what was written.
        try:
            self.alerts().with_user(self.staff).action_ack()
        except AccessError as error:
            refused = error
        self.assertTrue(refused)
        self.env.flush_all()
        self.env.invalidate_all()
        self.assertEqual(set(self.alerts().mapped("state")), {"queued"})

    def test_a_filing_with_its_tasks_is_one_alert(self):
        with self.at("2026-01-28 08:00"):
            filing = self.make("1601-C", "2026-01")
            self.Filing._make_tasks()
        with self.at("2026-02-11 08:00"):
            self.Filing._tell_deadlines()
            self.env["ipai.finance.escalation_log"]._run_ladder()
        (row,) = self.seen()["alerts"]["rows"]
        self.assertEqual((len(row["ids"]), row["severity"]), (1 + len(filing.task_ids), "critical"))

    def test_what_is_filed_or_moved_is_no_open_alert(self):
        """Sent is sent: such alerts stay as they are in the outbox, and hide nothing that is so."""
        filed, moved, done, late = (self.make(form, "2026-01") for form in ("1601-C", "0619-E", "0619-F", "1600-VT"))
        with self.at("2026-01-28 08:00"):
            self.Filing._make_tasks()
        with self.at("2026-02-10 08:00"):
            self.Filing._tell_deadlines()
            self.env["ipai.finance.escalation_log"]._run_ladder()
            self.env["ipai.finance.alert"]._deliver()
            self.env["mail.mail"].search([("state", "=", "outgoing")]).state = "sent"
        self.assertEqual(self.seen()["alerts"]["count"], 4)
        with self.at("2026-02-11 08:00"):
            filed.write({"state": "filed", "filed_on": "2026-02-10 02:00:00", "confirmation_no": "EX-1"})
            moved.with_user(self.manager).write({"override_deadline": "2026-03-16", "override_reason": "an advisory"})
            (late | done).task_ids.write({"state": "1_done"})
        alerts = self.env["ipai.finance.alert"].with_user(self.auditor)._open().filtered(lambda one: one.company_id == self.company)
        self.assertEqual({(one.kind, one.res_id) for one in alerts}, {("deadline", done.id), ("deadline", late.id)})
        self.assertEqual(self.seen()["alerts"]["count"], 2)

    def test_who_has_no_part_in_it_sees_nothing(self):
        other = new_test_user(self.env, "ppm_other", "base.group_user")
        with self.assertRaises(AccessError):
            self.seen(other)

    def test_may_acknowledge(self):
        self.assertEqual([self.seen(user)["mayAck"] for user in (self.staff, self.auditor)], [True, False])
