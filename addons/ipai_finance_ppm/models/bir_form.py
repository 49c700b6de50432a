from odoo import api, fields, models

from ..versions import ensure_unique
from .calendar import CATALOGUE

CONFIDENCES = [("high", "High"), ("medium", "Medium"), ("low", "Low")]


class Liability(models.Model):
    _name = "ipai.finance.liability"
    _description = "What a Filer Is Liable For"
    _order = "code"

    code = fields.Char(required=True)
    name = fields.Char(required=True, translate=True)

    def init(self):
        ensure_unique(self, "code")

    @api.model
    def _core(self):
        return self.search([("code", "in", CATALOGUE["core"])])


class BirForm(models.Model):
    _name = "ipai.finance.bir_form"
    _description = "BIR Form"
    _order = "sequence, code"
    _rec_names_search = ["code", "name"]

    code = fields.Char(required=True, readonly=True)
    sequence = fields.Integer(readonly=True)
    name = fields.Char(required=True, readonly=True)
    kind = fields.Selection(
        [
            ("return", "Return"),
            ("remittance", "Remittance"),
            ("list", "List"),
            ("certificate", "Certificate"),
            ("submission", "Submission"),
            ("registration", "Registration"),
        ],
        required=True,
        readonly=True,
    )
    period = fields.Selection(
        [
            ("month", "Month"),
            ("quarter", "Calendar quarter"),
            ("fiscal_quarter", "Fiscal quarter"),
            ("half_year", "Half year"),
            ("calendar_year", "Calendar year"),
            ("fiscal_year", "Fiscal year"),
            ("event", "Transaction"),
        ],
        required=True,
        readonly=True,
    )
    liability_id = fields.Many2one("ipai.finance.liability", string="Filed By", required=True, readonly=True)
    due = fields.Text(readonly=True, help="What the rules say, one a line, with the legal basis and the source.")
    confidence = fields.Selection(CONFIDENCES, readonly=True, help="The lowest of its rules.")
    active = fields.Boolean(default=True, help="An archived form is not generated any more.")

    def init(self):
        ensure_unique(self, "code")

    @api.depends("code", "name")
    def _compute_display_name(self):
        for form in self:
            form.display_name = f"{form.code} {form.name}" if form.code else ""

    @api.model
    def _load_shipped(self):
        """Mirrors the catalogue of the rule engine, which alone computes. Runs with each installation and update."""
        known = {form.code: form for form in self.with_context(active_test=False).search([])}
        liabilities = {one.code: one.id for one in self.env["ipai.finance.liability"].search([])}
        for sequence, given in enumerate(CATALOGUE["forms"]):
            values = {
                "code": given["code"],
                "sequence": sequence,
                "name": given["name"],
                "kind": given["kind"],
                "period": given["period"],
                "liability_id": liabilities[given["applies"]],
                "due": "\n".join(f"{rule['says']} ({rule['legalBasis']}; {rule['source']})" for rule in given["rules"]),
                "confidence": max((rule["confidence"] for rule in given["rules"]), key=("high", "medium", "low").index),
            }
            if given["code"] in known:
                known[given["code"]].write(values)
            else:
                self.create(values)
