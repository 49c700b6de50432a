from odoo import fields, models


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    maintenance_mode = fields.Boolean(
        string="Maintenance Mode",
        config_parameter="base.maintenance_mode",
        help="Everybody but administrators gets a page that says so. Scheduled actions go on.",
    )
    maintenance_reason = fields.Char(
        string="Reason", config_parameter="ipai_maintenance.reason", help="What users read, in plain words."
    )
