from odoo import api, fields, models

from ..versions import ensure_unique


class Heartbeat(models.Model):
    """Who last asked for what is due, by which route, and what came of it: silence can be seen."""

    _name = "ipai.finance.heartbeat"
    _description = "Heartbeat of a Trigger"
    _order = "name"

    name = fields.Char(required=True, readonly=True)
    user_id = fields.Many2one("res.users", string="Called By", required=True, readonly=True)
    called_at = fields.Datetime(required=True, readonly=True)
    calls = fields.Integer(readonly=True)
    raised = fields.Integer(readonly=True, help="Alerts that the last call put into the outbox.")
    handed_out = fields.Integer(readonly=True, help="Digests that the last call was given to deliver.")

    def init(self):
        ensure_unique(self, "name")

    @api.model
    def _beat(self, name, raised, handed_out):
        """Only whoever has the turn may call it (see `_take_turn` of the alerts)."""
        beats = self.sudo()
        values = {"user_id": self.env.uid, "called_at": fields.Datetime.now(), "raised": raised, "handed_out": handed_out}
        if found := beats.search([("name", "=", name)]):
            found.write({**values, "calls": found.calls + 1})
        else:
            beats.create({**values, "name": name, "calls": 1})
