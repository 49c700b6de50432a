from datetime import timedelta

from dateutil.relativedelta import relativedelta

from odoo import api, fields, models

from ..versions import ensure_unique

# Odoo's own actions, and how often the shipped workflows of n8n ask.
ACTIONS = ("cron_day", "cron_quarter_hour", "cron_ladder", "cron_month")
WORKFLOWS = {"deadlines": {"days": 1}, "escalations": {"hours": 2}, "reports": {"months": 1}}
# Whoever is so late is silent: Odoo looks once a minute, and a run takes its time.
GRACE = timedelta(minutes=15)


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

    @api.model
    def _pulses(self):
        """Of each action of Odoo and each workflow of n8n that has ever called: when it last ran, how often it is to run, and whether it is
        silent beyond that, or fails. The silent ones first. And the closes that nobody has opened: of these only what is missing.
        """
        actions = [self.env.ref(f"ipai_finance_ppm.{name}", raise_if_not_found=False) for name in ACTIONS]
        pulses = [one.sudo()._as_pulse() for one in actions if one] + [one._as_pulse() for one in self.search([("name", "in", list(WORKFLOWS))])]
        return sorted([*pulses, *self.env["ipai.finance.close"]._unopened()], key=lambda one: not one["trouble"])

    def _as_pulse(self):
        return as_pulse(self.env, name=self.name, by="n8n", last=self.called_at, every=WORKFLOWS[self.name])


def as_pulse(env, name, by, last, every, next_at=None, trouble=""):
    """`every`: as words of relativedelta. `next_at`: when it is to run by what its scheduler says; `trouble`: what is known without a clock."""
    now = fields.Datetime.now()
    due = min(filter(None, (next_at, last and last + relativedelta(**every))), default=now)
    if not trouble and due + GRACE < now:
        trouble = env._("silent")
    return {"name": name, "by": by, "last": last or None, "every": every, "trouble": trouble}
