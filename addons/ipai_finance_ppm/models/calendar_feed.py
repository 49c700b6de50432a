from datetime import timedelta

import vobject
from vobject.icalendar import utc

from odoo import _, api, fields, models

from .bir_schedule import OPEN

# What a token is good for: nothing but the calendar, whatever its owner may do in Odoo.
SCOPE = "ipai.finance.calendar"
# At eight in the morning, seven, three and one day before, and on the day: an event of a whole day begins at midnight.
ALARMS = tuple(timedelta(hours=8) - timedelta(days=days) for days in (7, 3, 1, 0))
DAYS_BACK = timedelta(days=60)


class CalendarFeed(models.AbstractModel):
    """The filings of a user as a calendar that other programs subscribe to (RFC 5545)."""

    _name = "ipai.finance.calendar_feed"
    _description = "Calendar of BIR Filings"

    @api.model
    def _make_token(self):
        """A new token of the user; the one before is void. Odoo keeps its hash, so this is the only time that it can be seen.

        It is one of the user's API keys, and taken back where those are: in the user's preferences.
        Errors: AccessError for whoever may not read filings.
        """
        self.env["ipai.finance.bir_schedule"].check_access("read")
        # Only the superuser's rights allow a key that does not expire. It is the user's all the same.
        keys = self.env["res.users.apikeys"].sudo()
        keys.search([("user_id", "=", self.env.uid), ("scope", "=", SCOPE)]).unlink()
        return keys._generate(SCOPE, _("Calendar of BIR filings"), None)

    @api.model
    def _user_of(self, token):
        """Whose token it is; nobody's when it was never one, or has been taken back."""
        return self.env["res.users"].browse(token and self.env["res.users.apikeys"]._check_credentials(scope=SCOPE, key=token) or [])

    @api.model
    def _as_ics(self):
        """What the user may read: what is open, and what was due in the last 60 days, of all the user's companies.

        Errors: AccessError for whoever may not read filings.
        """
        since = self.env["ipai.finance.calendar"]._today() - DAYS_BACK
        filings = self.env["ipai.finance.bir_schedule"].search(["|", ("state", "in", OPEN), ("filing_deadline", ">=", since)])
        calendar = vobject.iCalendar()
        calendar.add("prodid").value = "-//ipai//Finance PPM//EN"
        calendar.add("method").value = "PUBLISH"
        calendar.add("x-wr-calname").value = _("BIR filings")
        now = fields.Datetime.now().replace(tzinfo=utc)
        for filing in filings:
            self._add_event(calendar, filing, now)
        return calendar.serialize()

    @api.model
    def _add_event(self, calendar, filing, now):
        summary = self._summary(filing)
        event = calendar.add("vevent")
        event.add("uid").value = self._uid(filing)
        event.add("dtstamp").value = now
        event.add("last-modified").value = filing.write_date.replace(microsecond=0, tzinfo=utc)
        event.add("sequence").value = str(filing.calendar_sequence)
        event.add("dtstart").value = filing.filing_deadline
        event.add("dtend").value = filing.filing_deadline + timedelta(days=1)
        event.add("summary").value = summary
        event.add("description").value = self._description_of(filing)
        event.add("categories").value = ["BIR", filing.form_id.kind]
        event.add("transp").value = "TRANSPARENT"
        event.add("status").value = "CANCELLED" if filing.state in ("cancelled", "not_applicable") else "CONFIRMED"
        event.add("url").value = f"{filing.get_base_url()}/odoo/{filing._name}/{filing.id}"
        for before in ALARMS if filing.state in OPEN else ():
            alarm = event.add("valarm")
            alarm.add("action").value = "DISPLAY"
            alarm.add("trigger").value = before
            alarm.add("description").value = summary

    @api.model
    def _uid(self, filing):
        """As `ipai finance calendar` names it, which knows one filer: the main company's. What it cannot tell apart has more in its name."""
        files = "-".join(filter(None, (filing.filer_kind, filing.efps_group)))
        more = [f"company-{filing.company_id.id}"] if filing.company_id != self.env.ref("base.main_company") else []
        if filing.reference:
            more.append(str(filing.id))
        return ".".join([filing.form_code, filing.period_covered, files, *more]).lower() + "@bir-deadlines.ipai"

    @api.model
    def _summary(self, filing):
        values = {"form": filing.form_code, "period": " ".join(filter(None, (filing.period_covered, filing.reference)))}
        said = _("BIR %(form)s for %(period)s", **values)
        if len(self.env.companies) > 1:
            said = f"{said}, {filing.company_id.name}"
        if filing.state in OPEN:
            return said
        return f"{dict(filing._fields['state']._description_selection(self.env))[filing.state]}: {said}"

    @api.model
    def _description_of(self, filing):
        stages = {"prepare": filing.prep_deadline, "review": filing.review_deadline, "approve": filing.approval_deadline}
        lines = [filing.form_id.name, *filing._reasons(), _("Prepare by %(prepare)s, review by %(review)s, approve by %(approve)s.", **stages)]
        if filing.epayment_deadline and filing.epayment_deadline != filing.filing_deadline:
            lines.append(_("Pay by %s.", filing.epayment_deadline))
        return "\n".join(lines)
