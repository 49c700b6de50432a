from datetime import timedelta, timezone

from odoo import api, fields, models

from ..rules import WorkingDays, shipped_rules

ZONE = "Asia/Manila"
# The Philippines have had no summer time since 1990.
MANILA = timezone(timedelta(hours=8))
CATALOGUE = shipped_rules()["catalogue"]
BY_LAW = shipped_rules()["holidays"]["byLaw"]


def day_in_manila(moment):
    """The date in Manila of an instant as Odoo keeps it: UTC, without a zone."""
    return moment.replace(tzinfo=timezone.utc).astimezone(MANILA).date()


def split_words(text):
    """What a person enters as a list: words with commas or spaces between them."""
    return (text or "").replace(",", " ").split()


class Calendar(models.AbstractModel):
    _name = "ipai.finance.calendar"
    _description = "Rules of Deadlines"

    @api.model
    def _today(self):
        """The date in Manila now, whatever the zone of the user or the server is."""
        return day_in_manila(fields.Datetime.now())

    @api.model
    def _rules(self, holiday=None, extension=None):
        """The question of the rule engine: the shipped catalogue, with the holidays and extensions that this database has.

        `holiday`, `extension`: one besides that is not entered (`new`), for whoever asks what it would move.
        """
        extensions = self.env["ipai.finance.deadline_extension"].sudo()._as_rules()
        return {
            "catalogue": CATALOGUE,
            "holidays": self._holidays(holiday),
            "extensions": [*extensions, *([extension._as_rule()] if extension else [])],
        }

    @api.model
    def _holidays(self, besides=None):
        holidays = [*self.env["ipai.finance.holiday"].sudo().search([]), *(besides or [])]
        return {
            "proclaimedYears": [
                one.date.year
                for one in holidays
                if one.status == "proclaimed" and not one.regions and (one.date.month, one.date.day) == (1, 1)
            ],
            "byLaw": BY_LAW,
            "days": [one._as_rule() for one in holidays],
        }

    @api.model
    def _working_days(self, company):
        """Which days are worked in a company: WorkingDays of the rule engine."""
        filer = self.env["ipai.finance.filer"].sudo().search([("company_id", "=", company.id)], limit=1)
        return WorkingDays(self._holidays(), split_words(filer.regions))
