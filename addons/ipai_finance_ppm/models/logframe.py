from odoo import api, fields, models

from ..versions import ensure_unique


class Logframe(models.Model):
    _name = "ipai.finance.logframe"
    _description = "Logical Framework"
    _order = "sequence, code"
    _parent_name = "parent_id"
    _rec_names_search = ["code", "name"]

    code = fields.Char(required=True)
    name = fields.Char(required=True)
    sequence = fields.Integer(default=10)
    level = fields.Selection(
        [
            ("goal", "Goal"),
            ("outcome", "Outcome"),
            ("im1", "Intermediate result 1"),
            ("im2", "Intermediate result 2"),
            ("output", "Output"),
            ("activity_im1", "Activity of 1"),
            ("activity_im2", "Activity of 2"),
        ],
        required=True,
    )
    parent_id = fields.Many2one("ipai.finance.logframe", string="Serves", ondelete="restrict")
    child_ids = fields.One2many("ipai.finance.logframe", "parent_id")
    company_id = fields.Many2one("res.company", help="Without it: for all companies.")
    indicator = fields.Char()
    unit = fields.Char()
    baseline = fields.Float()
    target = fields.Float()
    measure = fields.Selection(
        [("entered", "Entered by hand"), ("on_time", "Filings on time, %"), ("close_days", "Working days to close")],
        required=True,
        default="entered",
        help="Where the actual value comes from: the last twelve months of this database, or a person.",
    )
    entered = fields.Float(string="Actual, Entered")
    actual = fields.Float(compute="_compute_actual")
    means_of_verification = fields.Char()
    assumptions = fields.Char()
    task_ids = fields.One2many("project.task", "finance_logframe_id", string="Tasks")
    bir_schedule_ids = fields.One2many("ipai.finance.bir_schedule", "logframe_id", string="Filings")
    task_count = fields.Integer(compute="_compute_task_count")

    def init(self):
        ensure_unique(self, "code", "coalesce(company_id, 0)")

    @api.depends("code", "name")
    def _compute_display_name(self):
        for one in self:
            one.display_name = f"{one.code} {one.name}" if one.code else ""

    @api.depends("task_ids")
    def _compute_task_count(self):
        for one in self:
            one.task_count = len(one.task_ids)

    @api.depends("measure", "entered", "company_id")
    @api.depends_context("allowed_company_ids")
    def _compute_actual(self):
        for one in self:
            one.actual = one._known_actual(self.env.companies) or 0.0

    def _known_actual(self, companies):
        """What was measured in those companies, or entered; None where there was nothing to measure yet."""
        companies = self.company_id or companies
        if self.measure == "on_time":
            return self.env["ipai.finance.bir_schedule"]._on_time_rate(companies)
        if self.measure == "close_days":
            return self.env["ipai.finance.close"]._average_days(companies) or None
        # A number in Odoo is never empty: where more is better, 0 is one that nobody has entered.
        return self.entered if self.entered or self._is_less_better() else None

    def _is_less_better(self):
        return self.measure == "close_days" or self.target < self.baseline or not self.target

    def _is_met(self, actual):
        return actual <= self.target if self._is_less_better() else actual >= self.target
