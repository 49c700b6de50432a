from odoo import api, fields, models


class Entry(models.Model):
    _inherit = "ipai.demo.entry"

    band = fields.Selection(
        [("small", "Small"), ("medium", "Medium"), ("large", "Large")],
        compute="_compute_band",
        store=True,
    )

    quarter = fields.Char(compute="_compute_quarter", store=True)

    @api.depends("amount")
    def _compute_band(self):
        for entry in self:
            size = abs(entry.amount)
            entry.band = "small" if size < 10_000 else "medium" if size < 100_000 else "large"

    @api.depends("date")
    def _compute_quarter(self):
        for entry in self:
            entry.quarter = f"{entry.date.year} Q{(entry.date.month + 2) // 3}" if entry.date else False
