from odoo import api, models
from odoo.tools import str2bool


class IrConfigParameter(models.Model):
    _inherit = "ir.config_parameter"

    @api.model
    def _read_maintenance(self):
        """Whether maintenance is on, and the reason that users are told.

        Past the cache: a parameter that SQL or another process changed is not seen through it, and somebody who switches this on in the
        middle of an incident means now.
        """
        self.env.cr.execute(
            "SELECT key, value FROM ir_config_parameter WHERE key IN ('base.maintenance_mode', 'ipai_maintenance.reason')"
        )
        values = dict(self.env.cr.fetchall())
        is_on = str2bool((values.get("base.maintenance_mode") or "").strip(), False)
        return is_on, values.get("ipai_maintenance.reason") or ""
