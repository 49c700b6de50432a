from datetime import timedelta

import psycopg2
from odoo import _, api, fields, models

from .bir_schedule import OPEN


class Day(models.Model):
    """The run of the day, of each company by itself, and what of it is still owed when something has failed."""

    _inherit = "ipai.finance.bir_schedule"

    @api.model
    def _generate_ahead(self, companies=None):
        """The filings of this year, and of the next when it is 90 days away."""
        today = self.env["ipai.finance.calendar"]._today()
        filers = self.env["ipai.finance.filer"].sudo()
        for filer in filers.search([] if companies is None else [("company_id", "in", companies.ids)]):
            for year in sorted({today.year, (today + timedelta(days=90)).year}):
                with filers._try(filer.company_id, _("No filings of %s were made", year)):
                    filer._generate(year)

    @api.model
    def _mark_late(self):
        """A day has passed: which open filings have become late."""
        today = self.env["ipai.finance.calendar"]._today()
        passed = self.sudo().search([("state", "in", OPEN), ("filing_deadline", "<", today), ("is_late", "=", False)])
        self.env.add_to_compute(self._fields["is_late"], passed)
        passed.flush_recordset(["is_late"])
        return passed

    @api.model
    def _run_day(self, companies=None):
        """What the scheduled action does each morning, of each company by itself. Where something fails the day is not whole: see `_catch_up`."""
        self._mark_late()
        filers = self.env["ipai.finance.filer"].sudo().with_context(active_test=False)
        for company in companies or filers.search([]).company_id | self._open_of(None).company_id:
            filer = filers._of(company)
            filer._begin_day()
            with filers._try(company, _("The run of the day")):
                self._generate_ahead(company)
                self._make_tasks(company)
                # Filers that are put away still owe what is open; people who are have no part in a close.
                filer.with_context(active_test=True)._open_closes()
                if self._tell_deadlines(company) is not None:
                    filer._end_day()

    @api.model
    def _catch_up(self):
        """Does what the last run of the day still owes: of the companies where something failed, or of all when none of it was done."""
        if due := self._last_due():
            if owed := self.env["ipai.finance.filer"].sudo()._owing(due).company_id:
                self._run_day(owed)

    @api.model
    def _last_due(self):
        """When the day was last to be run; nothing while it runs, before the action runs by itself, and when somebody has switched it off.

        Until the end of this transaction nobody else runs it: Odoo passes over an action whose row is locked, and so does this.
        """
        cron = self.env.ref("ipai_finance_ppm.cron_day", raise_if_not_found=False)
        self.env["ir.cron"].flush_model(["active", "nextcall"])
        locked = "SELECT nextcall FROM ir_cron WHERE id = %s AND active FOR NO KEY UPDATE SKIP LOCKED"
        try:
            with self.env.cr.savepoint():
                self.env.cr.execute(locked, [cron and cron.id or None], log_exceptions=False)
                (nextcall,) = self.env.cr.fetchone() or (None,)
        except psycopg2.OperationalError:
            # It has run since this transaction began.
            return None
        now = fields.Datetime.now()
        due = nextcall and nextcall > now and nextcall - timedelta(days=1)
        return due if due and due <= now else None
