from datetime import timedelta

from odoo import _, api, fields, models

from .close import last_day_of


class Filer(models.Model):
    """Closes that open by themselves: month after month, from the one in which somebody named a template."""

    _inherit = "ipai.finance.filer"

    close_template_id = fields.Many2one(
        "ipai.finance.close.template",
        string="Closes Open by Themselves from",
        ondelete="restrict",
        tracking=True,
        help="On the working day that the template says. Without one somebody opens each month's.",
    )
    next_close = fields.Char(
        string="Next Close",
        compute="_compute_next_close",
        store=True,
        copy=False,
        help="YYYY-MM: the month whose close is opened next. What was before the template was named is opened by nobody but you.",
    )

    @api.depends("close_template_id.active", "active")
    def _compute_next_close(self):
        this_month = self.env["ipai.finance.calendar"]._today().strftime("%Y-%m")
        for filer in self:
            opens = filer.active and filer.close_template_id.active
            filer.next_close = (filer.next_close or this_month) if opens else False

    def _open_closes(self):
        """Opens each close whose day has come, also those of the days on which nothing ran. When one of them fails none is opened by this run."""
        with self._try(self.company_id, _("Closes were not opened")):
            while period := self._due_close():
                self._open_close(period)

    def _due_close(self):
        """The month whose close is to be opened by today, or nothing."""
        if not self.next_close:
            return None
        working = self.env["ipai.finance.calendar"]._working_days(self.company_id)
        is_due = self.close_template_id._opens_on(self.next_close, working) <= self.env["ipai.finance.calendar"]._today()
        return self.next_close if is_due else None

    def _open_close(self, period):
        """As the button does it. One that somebody has opened stays as it is, and a draft keeps the template that it has."""
        closes = self.env["ipai.finance.close"].sudo()
        close = closes.search([("company_id", "=", self.company_id.id), ("period", "=", period)])
        if not close:
            close = closes.create({"company_id": self.company_id.id, "period": period, "template_id": self.close_template_id.id})
        if close.state == "draft":
            close.action_open()
            self._tell_opened(close)
        self.next_close = (last_day_of(period) + timedelta(days=1)).strftime("%Y-%m")

    def _tell_opened(self, close):
        """Whoever answers for it, in Odoo. It is no alert: nothing is due, and each task has people and a ladder of its own."""
        said = _("Its %(count)s tasks are planned until %(day)s.", count=len(close.task_ids), day=close.target_close_date)
        close._accountable()._remind(close, self.company_id, _("The close of %s has been opened", close.period), said)
