from odoo import api, fields, models

from ..rules import shipped_rules
from ..versions import ensure_unique
from .bir_form import CONFIDENCES
from .calendar import split_words


class Holiday(models.Model):
    _name = "ipai.finance.holiday"
    _description = "Holiday"
    _order = "date desc, id"

    date = fields.Date(required=True, index=True)
    name = fields.Char(required=True)
    holiday_type = fields.Selection(
        [
            ("regular", "Regular holiday"),
            ("special_nonworking", "Special non-working day"),
            ("special_working", "Special working day"),
        ],
        required=True,
        default="special_nonworking",
        help="A special working day moves no deadline.",
    )
    status = fields.Selection(
        [("proclaimed", "Proclaimed"), ("estimated", "Estimated")],
        required=True,
        default="proclaimed",
        help="An estimated day moves no deadline: should another be proclaimed, the moved one would be too late. "
        "A year counts as entered when its New Year's Day is proclaimed, which only the yearly proclamation does.",
    )
    proclamation = fields.Char(required=True, help="The number of the proclamation or the law.")
    confidence = fields.Selection(CONFIDENCES, required=True, default="high")
    regions = fields.Char(
        help="Where it holds, as companies name their place (regions, cities, RDO codes). Without it: the nation. "
        "No rule was found for local days: enter one when somebody who answers for taxes has confirmed it."
    )
    active = fields.Boolean(default=True)
    is_shipped = fields.Boolean(readonly=True, help="It came with the addon and nobody has changed it since.")

    def init(self):
        ensure_unique(self, "date", "coalesce(regions, '')")

    def _as_rule(self):
        return {
            "date": str(self.date),
            "name": self.name,
            "type": self.holiday_type,
            "status": self.status,
            "basis": self.proclamation,
            "confidence": self.confidence,
            "regions": split_words(self.regions),
        }

    @api.model_create_multi
    def create(self, vals_list):
        holidays = super().create(vals_list)
        self._refresh_filings()
        return holidays

    def write(self, vals):
        done = super().write({"is_shipped": False, **vals})
        self._refresh_filings()
        return done

    def unlink(self):
        done = super().unlink()
        self._refresh_filings()
        return done

    def _refresh_filings(self):
        if not self.env.context.get("ipai_loading"):
            self.env["ipai.finance.bir_schedule"]._refresh()

    @api.model
    def _load_shipped(self):
        """The days that came with the addon. What somebody has changed or archived stays as it is."""
        here = self.with_context(active_test=False, ipai_loading=True)
        known = {(one.date, one.regions or ""): one for one in here.search([])}
        shipped = set()
        for day in shipped_rules()["holidays"]["days"]:
            key = (fields.Date.to_date(day["date"]), ", ".join(day.get("regions", [])))
            shipped.add(key)
            values = {
                "date": key[0],
                "name": day["name"],
                "holiday_type": day["type"],
                "status": day["status"],
                "proclamation": day["basis"],
                "confidence": day["confidence"],
                "regions": key[1],
                "is_shipped": True,
            }
            if key not in known:
                here.create(values)
            elif known[key].is_shipped:
                known[key].write(values)
        # An estimate that was proclaimed for another day.
        here.browse([one.id for key, one in known.items() if key not in shipped and one.is_shipped]).unlink()
