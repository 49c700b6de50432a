import re
from datetime import timedelta
from itertools import groupby

from odoo import _, api, fields, models

from .alert import SEVERITIES

# So long a deliverer has, before what it was handed is handed out again: its receiver may be slow, and it tries more than once.
LEASE = timedelta(minutes=15)
# A post has its bounds; the rest is another one.
ALERTS_MAX = 20
CHANNELS = {True: "ipai_finance_ppm.channel_urgent", False: "ipai_finance_ppm.channel"}
MARKS = re.compile(r"([\\`*_~\[\]<>|#])")


def as_text(text):
    """What people typed, as Markdown that says just that: no markup of its own, and no `@all` that calls everybody."""
    return MARKS.sub(r"\\\1", " ".join((text or "").split())).replace("@", "@\u200b")


class Digest(models.Model):
    """What was handed out to be told in the chat: to whom, until when, and what came of it. Whoever delivers says so; else it is handed out again."""

    _name = "ipai.finance.digest"
    _description = "Digest for the Chat"
    _order = "id desc"
    _rec_name = "channel"

    company_id = fields.Many2one("res.company", required=True, readonly=True, index=True)
    channel = fields.Char(readonly=True, help="Empty for the channel that the deliverer's address belongs to.")
    severity = fields.Selection(SEVERITIES, required=True, readonly=True)
    alert_ids = fields.Many2many("ipai.finance.alert", string="Alerts", readonly=True)
    user_id = fields.Many2one("res.users", string="Handed To", required=True, readonly=True)
    state = fields.Selection(
        [("claimed", "Handed out"), ("delivered", "Delivered"), ("failed", "Failed")],
        required=True,
        readonly=True,
        default="claimed",
        index=True,
    )
    lease_until = fields.Datetime(required=True, readonly=True)
    detail = fields.Char(readonly=True)
    said_at = fields.Datetime(readonly=True)

    @api.model
    def _hand_out(self):
        """Hands this user what waits to be told in the chat, of his companies: one digest for what is critical, one for the rest, each.

        Only whoever has the turn may ask (see `_take_turn` of the alerts): two would be handed the same.
        """
        digests = self.browse()
        waiting = self.env["ipai.finance.alert"]._waiting_for_chat().sudo()
        alike = lambda alert: (alert.company_id.id, alert.severity != "critical")  # noqa: E731
        for (_company, is_calm), alerts in groupby(waiting.sorted(alike), alike):
            alerts = waiting.browse().union(*alerts)
            for start in range(0, len(alerts), ALERTS_MAX):
                digests |= self._claim(alerts[start : start + ALERTS_MAX], not is_calm)
        return digests

    @api.model
    def _claim(self, alerts, is_urgent):
        return self.sudo().create(
            {
                "company_id": alerts.company_id.id,
                "channel": self._channel(is_urgent),
                "severity": next(one for one in ("critical", "high", "normal") if one in alerts.mapped("severity")),
                "alert_ids": [(6, 0, alerts.ids)],
                "user_id": self.env.uid,
                "lease_until": fields.Datetime.now() + LEASE,
            }
        )

    @api.model
    def _channel(self, is_urgent):
        return self.env["ir.config_parameter"].sudo().get_param(CHANNELS[is_urgent], "")

    def _as_answer(self):
        return [
            {
                "id": digest.id,
                "company": digest.company_id.name,
                "channel": digest.channel or "",
                "severity": digest.severity,
                "count": len(digest.alert_ids),
                "text": digest._text(),
                "link": digest._link(),
            }
            for digest in self.sudo()
        ]

    @api.model
    def _test_answer(self, form, days):
        """One message that says that it is a test. Nothing is written."""
        about = ", ".join(
            filter(None, (as_text(form), "" if days is None else _("%s days until the deadline", days)))
        )
        text = _("**TEST** Finance PPM reaches this chat. Nothing is due because of this message.")
        return [
            {
                "id": 0,
                "test": True,
                "company": self.env.company.name,
                "channel": self._channel(is_urgent=False),
                "severity": "normal",
                "count": 0,
                "text": f"{text} ({about})" if about else text,
                "link": self._link(),
            }
        ]

    def _link(self):
        return f"{self.get_base_url()}/ipai/finance/ppm"

    def _text(self):
        alerts = self.alert_ids.sorted(lambda alert: (("critical", "high", "normal").index(alert.severity), alert.id))
        newest = {(alert.res_model, alert.res_id): alert for alert in alerts.sorted("id")}
        shown = [alert for alert in alerts if newest[alert.res_model, alert.res_id] == alert]
        called = set()
        return "\n\n".join([f"#### {as_text(self.company_id.name)}", *(self._text_of(alert, called) for alert in shown)])

    def _text_of(self, alert, called):
        severity = dict(alert._fields["severity"]._description_selection(self.env))[alert.severity]
        lines = [self._line(line) for line in (alert.body_md or "").splitlines()]
        url = f"{self.get_base_url()}/mail/view?model={alert.res_model}&res_id={alert.res_id}"
        headline = f"**{severity}: {as_text(alert.subject)}**{self._mentions(alert, called)}"
        return "\n".join([headline, *lines, f"[{_('Open it in Odoo')}]({url})"])

    def _mentions(self, alert, called):
        """Whom it calls. Each is called once in a post, by what comes first, and named without being called after that."""
        said = ""
        for handle in dict.fromkeys(filter(None, (one._handle() for one in alert._to_mention()))):
            said += f" {as_text(handle)}" if handle in called else f" @{handle}"
            called.add(handle)
        return said

    def _line(self, line):
        item, text = re.match(r"(- |#+ )?(.*)", line).groups()
        return f"{item if item == '- ' else ''}{as_text(text)}"

    def _settle(self, delivered, detail):
        """A deliverer says what came of it. What was delivered stays told; what failed waits again at once.

        Answers False, and keeps what was said before, when that was something else.
        """
        self.ensure_one()
        state = "delivered" if delivered else "failed"
        if self.state != "claimed":
            return self.state == state
        self.sudo().write({"state": state, "detail": detail, "said_at": fields.Datetime.now()})
        return True
