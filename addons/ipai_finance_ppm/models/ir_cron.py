from odoo import fields, models


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

    def _drop_names_of_the_runbook(self):
        self.env.cr.execute("ALTER TABLE ir_cron DROP COLUMN IF EXISTS name, DROP COLUMN IF EXISTS numbercall")
