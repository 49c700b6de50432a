from odoo import _, api, fields, models
from odoo.exceptions import ValidationError

from ..rules import shipped_rules
from .bir_form import CONFIDENCES
from .calendar import split_words


class DeadlineExtension(models.Model):
    _name = "ipai.finance.deadline_extension"
    _description = "Extension of Deadlines"
    _inherit = ["mail.thread"]
    _order = "issued_on desc, id desc"
    _rec_name = "authority"

    authority = fields.Char(required=True, tracking=True, help="The circular that grants it, such as RMC 75-2025.")
    issued_on = fields.Date(required=True)
    form_ids = fields.Many2many("ipai.finance.bir_form", string="Forms", required=True)
    due_from = fields.Date(required=True, tracking=True, help="The first adjusted deadline that it is for.")
    due_until = fields.Date(required=True, tracking=True, help="The last adjusted deadline that it is for.")
    new_deadline = fields.Date(required=True, tracking=True)
    regions = fields.Char(help="For whom, as companies name their place (regions, cities, RDO codes). Without it: the nation.")
    source = fields.Char(help="Where it can be read.")
    confidence = fields.Selection(CONFIDENCES, required=True, default="high")
    state = fields.Selection(
        [("draft", "Draft"), ("confirmed", "Confirmed")],
        required=True,
        default="draft",
        tracking=True,
        help="Only a confirmed extension moves deadlines.",
    )
    shipped_key = fields.Char(readonly=True, copy=False)
    filing_ids = fields.Many2many(
        "ipai.finance.bir_schedule", compute="_compute_filing_ids", string="Filings", help="The open filings that it is for."
    )

    @api.constrains("due_from", "due_until", "new_deadline")
    def _check_dates(self):
        for one in self:
            if not one.due_from <= one.due_until <= one.new_deadline:
                raise ValidationError(_("An extension leads from the first deadline over the last one to a later day."))

    @api.depends("form_ids", "due_from", "due_until")
    def _compute_filing_ids(self):
        for one in self:
            one.filing_ids = self.env["ipai.finance.bir_schedule"].search(
                [
                    ("form_id", "in", one.form_ids.ids),
                    ("adjusted_deadline", ">=", one.due_from),
                    ("adjusted_deadline", "<=", one.due_until),
                ]
            )

    @api.model
    def _as_rules(self):
        return [one._as_rule() for one in self.search([("state", "=", "confirmed")])]

    def _as_rule(self):
        return {
            "forms": self.form_ids.mapped("code"),
            "dueFrom": str(self.due_from),
            "dueUntil": str(self.due_until),
            "newDeadline": str(self.new_deadline),
            "regions": split_words(self.regions),
            "authority": self.authority,
            "confidence": self.confidence,
        }

    def action_confirm(self):
        self.write({"state": "confirmed"})

    def action_withdraw(self):
        self.write({"state": "draft"})

    @api.model_create_multi
    def create(self, vals_list):
        extensions = super().create(vals_list)
        self.env["ipai.finance.bir_schedule"]._refresh()
        return extensions

    def write(self, vals):
        done = super().write(vals)
        self.env["ipai.finance.bir_schedule"]._refresh()
        return done

    def unlink(self):
        done = super().unlink()
        self.env["ipai.finance.bir_schedule"]._refresh()
        return done

    @api.model
    def _load_shipped(self):
        """The extensions that came with the addon, once each: what becomes of them after that is for people to say."""
        known = set(self.search([("shipped_key", "!=", False)]).mapped("shipped_key"))
        forms = self.env["ipai.finance.bir_form"].with_context(active_test=False)
        for given in shipped_rules()["extensions"]:
            if given["id"] not in known:
                self.create(
                    {
                        "shipped_key": given["id"],
                        "authority": given["authority"],
                        "issued_on": given["issuedOn"],
                        "form_ids": forms.search([("code", "in", given["forms"])]).ids,
                        "due_from": given["dueFrom"],
                        "due_until": given["dueUntil"],
                        "new_deadline": given["newDeadline"],
                        "regions": ", ".join(given["regions"]),
                        "source": given["source"],
                        "confidence": given["confidence"],
                        "state": "confirmed",
                    }
                )
