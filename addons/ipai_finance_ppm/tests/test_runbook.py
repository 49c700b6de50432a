from datetime import timedelta

from odoo import fields
from odoo.tests import tagged

from .common import FinanceCase


@tagged("post_install", "-at_install")
class TestRunbook(FinanceCase):
    """The statements of the runbook that touch this addon, as they are written there."""

    def sql(self, statement):
        self.env.flush_all()
        self.env.cr.execute(statement)
        return self.env.cr.fetchall() if self.env.cr.description else self.env.cr.rowcount

    def test_crons_are_listed(self):
        rows = self.sql("SELECT id, name, active, nextcall FROM ir_cron WHERE model LIKE 'ipai%';")
        self.assertGreaterEqual(len(rows), 1)
        self.assertTrue(all(name and active for _, name, active, _ in rows), rows)

    def test_the_cron_of_deadlines_is_due_within_a_day(self):
        rows = self.sql(
            "SELECT id, name, active, nextcall, numbercall FROM ir_cron WHERE model = 'ipai.finance.bir_schedule';"
        )
        self.assertEqual([(active, numbercall) for _, _, active, _, numbercall in rows], [(True, -1)])
        nextcall = rows[0][3]
        self.assertLessEqual(nextcall - fields.Datetime.now(), timedelta(hours=24))
        self.assertEqual((nextcall.hour, nextcall.minute), (0, 0), "08:00 in Manila")

    def test_the_cron_is_switched_on_and_triggered(self):
        cron = self.env.ref("ipai_finance_ppm.cron_day")
        cron.active = False
        self.assertEqual(self.sql("UPDATE ir_cron SET active = true WHERE model = 'ipai.finance.bir_schedule';"), 1)
        self.env.invalidate_all()
        self.assertTrue(cron.active)
        # As in the shell: a search result, of which the button demands exactly one.
        found = self.env["ir.cron"].search([("model", "=", "ipai.finance.bir_schedule")])
        self.assertEqual(found, cron)
        self.filer.start_on = fields.Date.today()
        found.ir_actions_server_id.run()
        self.assertTrue(self.filings())

    def test_the_schedule_is_counted(self):
        self.filer._generate(2026)
        self.assertGreaterEqual(self.sql("SELECT COUNT(*) FROM ipai_finance_bir_schedule;")[0][0], 8)

    def test_the_index_of_deadlines(self):
        for _again in range(2):
            self.sql(
                """
                CREATE INDEX IF NOT EXISTS idx_bir_schedule_filing_deadline
                ON ipai_finance_bir_schedule(filing_deadline)
                WHERE state IN ('not_started', 'in_progress');
                """
            )

    def test_status_is_state_until_it_is_late(self):
        filing = self.make("1601-C", "2026-01")
        status = f"SELECT status, state FROM ipai_finance_bir_schedule WHERE id = {filing.id}"
        with self.at("2026-02-10 12:00"):
            filing._compute_is_late()
            self.assertEqual(self.sql(status), [("not_started", "not_started")])
        with self.at("2026-02-11 12:00"):
            filing._compute_is_late()
            self.assertEqual(self.sql(status), [("late", "not_started")])
            filing.write({"state": "filed", "filed_on": "2026-02-11 03:00:00", "confirmation_no": "EX-3"})
            self.assertEqual(self.sql(status), [("filed", "filed")])

    def test_the_index_of_tasks(self):
        for _again in range(2):
            self.sql(
                """
                CREATE INDEX IF NOT EXISTS idx_project_task_finance_ppm
                ON project_task(finance_logframe_id, bir_schedule_id)
                WHERE is_finance_ppm = true;
                """
            )

    def test_the_query_of_the_dashboard_and_its_index(self):
        filing = self.make("1601-C", "2099-01")
        self.env["project.task"].create([{"name": f"Task {n}", "bir_schedule_id": filing.id} for n in range(2)])
        rows = self.sql(
            """
            SELECT
              bir.filing_deadline,
              bir.status,
              COUNT(pt.id) AS task_count
            FROM ipai_finance_bir_schedule bir
            LEFT JOIN project_task pt ON pt.bir_schedule_id = bir.id
            WHERE bir.filing_deadline >= CURRENT_DATE
            GROUP BY bir.filing_deadline, bir.status
            ORDER BY bir.filing_deadline;
            """
        )
        self.assertIn((filing.filing_deadline, "not_started", 2), rows)
        # Without IF NOT EXISTS in the runbook: the addon may have none of that name.
        self.sql(
            """
            CREATE INDEX idx_bir_schedule_dashboard
            ON ipai_finance_bir_schedule(filing_deadline, status)
            INCLUDE (id);
            """
        )

    def test_the_module_is_installed(self):
        rows = self.sql("SELECT name, state FROM ir_module_module WHERE name = 'ipai_finance_ppm';")
        self.assertEqual(rows[0][0], "ipai_finance_ppm")
        self.assertIn(rows[0][1], ("installed", "to upgrade", "to install"))

    def test_monthly_reports_are_read_by_sql(self):
        report = self.env["ipai.finance.monthly_report"]._make(self.company, "2026-03")
        rows = self.sql(
            f"SELECT company, period, total_forms, late_filings, compliance_rate FROM finance_ppm.monthly_reports WHERE id = {report.id}"
        )
        self.assertEqual(rows, [("Example Trading Corporation", "2026-03", 0, 0, None)])
