from odoo import api, fields, models


class Entry(models.Model):
    _name = "ipai.demo.entry"
    _description = "Demo Ledger Entry"
    _order = "date desc, id desc"

    name = fields.Char(required=True)
    date = fields.Date(required=True, default=fields.Date.context_today, index=True)
    amount = fields.Float(digits=(16, 2))
    note = fields.Text()
    state = fields.Selection([("draft", "Draft"), ("posted", "Posted")], required=True, default="draft")
    document = fields.Binary(attachment=True)
    document_name = fields.Char()

    @api.model
    def _cron_post_due_entries(self):
        due = self.search([("state", "=", "draft"), ("date", "<", fields.Date.today())])
        due.write({"state": "posted"})
