from odoo import fields, models

from .heartbeat import as_pulse


class IrCron(models.Model):
    """What older runbooks call the columns of scheduled actions. `name` and `numbercall` are for SQL alone: to the ORM `name` is the action's."""

    _inherit = "ir.cron"

    model = fields.Char(related="ir_actions_server_id.model_name", string="Model of the Runbook", store=True)

    def init(self):
        super().init()
        self.env.cr.execute(
            """
            ALTER TABLE ir_cron
                ADD COLUMN IF NOT EXISTS name varchar GENERATED ALWAYS AS (cron_name) STORED,
                ADD COLUMN IF NOT EXISTS numbercall integer GENERATED ALWAYS AS (-1) STORED
            """
        )

    def _as_pulse(self):
        trouble = "" if self.active else self.env._("switched off")
        if self.failure_count:
            trouble = self.env._("failed %s times", self.failure_count)
        every = {self.interval_type: self.interval_number}
        return as_pulse(self.env, name=self.cron_name, by="Odoo", last=self.lastcall, every=every, next_at=self.nextcall, trouble=trouble)

    def _drop_names_of_the_runbook(self):
        self.env.cr.execute("ALTER TABLE ir_cron DROP COLUMN IF EXISTS name, DROP COLUMN IF EXISTS numbercall")
