from datetime import timedelta

from odoo import _, api, fields, models
from odoo.exceptions import AccessError

from ..versions import ensure_unique

SEVERITIES = [("normal", "Normal"), ("high", "High"), ("critical", "Critical")]
# Who hears of it first; when nobody has that role, the next in line.
HEARERS = {
    "critical": ("director", "manager", "supervisor", "staff"),
    "high": ("manager", "supervisor", "director", "staff"),
    "normal": ("supervisor", "manager", "staff", "director"),
}


# So long it is worth telling in the chat, which is asked for once a day at the least. After that the mail was all there was: whoever calls after
# a week of silence is not told a week of old news.
CHAT_AGE = timedelta(hours=26)
LATEST = "SELECT coalesce(max(id), 0) FROM ipai_finance_alert WHERE kind = %s"


class Alert(models.Model):
    """The outbox: what is worth telling is put here once, by its key, and delivered from here: by mail and in the chat, each once."""

    _name = "ipai.finance.alert"
    _description = "Finance Alert"
    _order = "create_date desc, id desc"
    _rec_name = "subject"

    kind = fields.Selection(
        [("deadline", "Deadline"), ("missed", "Missed deadline"), ("escalation", "Escalation"), ("report", "Report")],
        required=True,
        readonly=True,
    )
    dedupe_key = fields.Char(required=True, readonly=True, help="What has been told under this key is not told again.")
    company_id = fields.Many2one("res.company", required=True, readonly=True, index=True)
    res_model = fields.Char(readonly=True)
    res_id = fields.Many2oneReference(model_field="res_model", readonly=True)
    severity = fields.Selection(SEVERITIES, required=True, readonly=True)
    recipient_ids = fields.Many2many("ipai.finance.person", string="Recipients", readonly=True)
    subject = fields.Char(required=True, readonly=True)
    body_md = fields.Text(string="Text", readonly=True)
    state = fields.Selection(
        [
            ("queued", "Queued"),
            ("sent", "Sent"),
            ("failed", "Failed"),
            ("acked", "Acknowledged"),
            ("cancelled", "Overtaken"),
        ],
        required=True,
        default="queued",
        readonly=True,
        index=True,
    )
    error = fields.Char(readonly=True)
    sent_at = fields.Datetime(readonly=True)
    acked_by = fields.Many2one("res.users", readonly=True)
    acked_at = fields.Datetime(readonly=True)
    raised_at = fields.Datetime(readonly=True)
    digest_ids = fields.Many2many("ipai.finance.digest", string="Digests", readonly=True)
    chat_state = fields.Selection(
        [("waiting", "Waiting"), ("claimed", "Handed out"), ("told", "Told"), ("lapsed", "By mail alone")],
        string="Chat",
        compute="_compute_chat_state",
    )

    def init(self):
        ensure_unique(self, "dedupe_key")

    @api.depends("state", "raised_at", "digest_ids.state", "digest_ids.lease_until")
    def _compute_chat_state(self):
        now = fields.Datetime.now()
        for alert in self:
            digests = alert.sudo().digest_ids
            if "delivered" in digests.mapped("state"):
                alert.chat_state = "told"
            elif digests.filtered(lambda one: one.state == "claimed" and one.lease_until > now):
                alert.chat_state = "claimed"
            else:
                is_fresh = alert.raised_at and alert.raised_at > now - CHAT_AGE
                alert.chat_state = "waiting" if is_fresh and alert.state not in ("acked", "cancelled") else "lapsed"

    @api.model
    def _waiting_for_chat(self):
        """What nobody has told in the chat, nobody is about to, and what is still so. By the user's own rights."""
        fresh = self.search([("raised_at", ">", fields.Datetime.now() - CHAT_AGE), ("state", "not in", ("acked", "cancelled"))], order="id")
        return fresh.filtered(lambda alert: alert.chat_state == "waiting" and alert._is_still_so())

    def _is_still_so(self):
        """Not about what has been filed or done since."""
        record = self.env[self.res_model].sudo().browse(self.res_id).exists()
        return bool(record) and (self.kind == "report" or record._is_open())

    @api.model
    def _take_turn(self, kind=None):
        """Waits until nobody else raises alerts, and lets nobody else until the end of this transaction. The first word of one that has the choice.

        Answers False when alerts of this kind were raised since this transaction began: it does not see them, and what it was to raise has been
        raised. A transaction that begins with this sees everything.
        """
        self.env.cr.execute("LOCK TABLE ipai_finance_alert IN SHARE ROW EXCLUSIVE MODE")
        if kind is None:
            return True
        self.env.cr.execute(LATEST, [kind])
        seen = self.env.cr.fetchone()
        with self.env.registry.cursor() as fresh:
            fresh.execute(LATEST, [kind])
            return seen >= fresh.fetchone()

    @api.model
    def _queue(self, record, company=None, **values):
        """Puts one alert about a record into the outbox unless its key is there already. Returns it, or nothing.

        `company` is for a record that may have none of its own. Only whoever has the turn may call it.
        """
        outbox = self.sudo()
        if outbox.search_count([("dedupe_key", "=", values["dedupe_key"])], limit=1):
            return outbox.browse()
        company = company or record.company_id
        return outbox.create(
            {
                "res_model": record._name,
                "res_id": record.id,
                "company_id": company.id,
                "recipient_ids": self._hearers(company, values["severity"]).ids,
                "raised_at": fields.Datetime.now(),
                **values,
            }
        )

    @api.model
    def _hearers(self, company, severity):
        people = self.env["ipai.finance.person"]
        for role in HEARERS[severity]:
            if found := people._of_role(company, role):
                return found
        return people

    @api.model
    def _overtake(self, record, kinds):
        """What still waits to be mailed or told in the chat about a record is true no more."""
        about = [("res_model", "=", record._name), ("res_id", "in", record.ids), ("kind", "in", kinds)]
        alerts = self.sudo().search([*about, ("state", "in", ("queued", "sent", "failed"))])
        alerts.filtered(lambda alert: alert.state == "queued" or alert.chat_state == "waiting").write({"state": "cancelled"})

    @api.model
    def _deliver(self):
        """Mails what is queued: one message for each person, with all that is for this person. What nobody can get has failed, and says why."""
        queued = self.sudo().search([("state", "=", "queued")], order="id")
        reachable = queued.filtered(lambda alert: any(one.email or one.user_id.email for one in alert.recipient_ids))
        (queued - reachable).write({"state": "failed", "error": _("Nobody with an e-mail address has a role in this company.")})
        for person in reachable.recipient_ids:
            own = reachable.filtered(lambda alert: person in alert.recipient_ids).sorted(
                lambda alert: ("critical", "high", "normal").index(alert.severity)
            )
            if address := person.email or person.user_id.email:
                self.env["mail.mail"].sudo().create(own._as_mail(address))
        reachable.write({"state": "sent", "sent_at": fields.Datetime.now()})

    def _as_mail(self, address):
        first = self[0].subject
        return {
            "email_to": address,
            "subject": first if len(self) == 1 else _("%(first)s, and %(count)s more", first=first, count=len(self) - 1),
            "body_html": self.env["ir.qweb"]._render("ipai_finance_ppm.alert_mail", {"alerts": self}),
            "auto_delete": False,
        }

    def _subject_key(self):
        """What it is about: a task of a filing is about the filing."""
        self.ensure_one()
        if self.res_model == "project.task":
            filing = self.env["project.task"].sudo().browse(self.res_id).exists().bir_schedule_id
            if filing:
                return filing._name, filing.id
        return self.res_model, self.res_id

    def action_ack(self):
        if not self.env.user.has_group("ipai_finance_ppm.group_user"):
            raise AccessError(_("Alerts are acknowledged by the people of Finance PPM."))
        self.check_access("read")
        # Whoever has taken on an escalation has taken on its task.
        for alert in self.filtered(lambda one: one.kind == "escalation" and one.state not in ("acked", "cancelled")):
            self.env[alert.res_model].browse(alert.res_id).exists().action_ack_escalation()
        self.sudo().write({"state": "acked", "acked_by": self.env.uid, "acked_at": fields.Datetime.now()})

    @api.model
    def _run_quarter_hour(self):
        """Tells a missed deadline within a quarter of an hour, and delivers what is queued."""
        self.env["ipai.finance.bir_schedule"]._tell_missed()
        self._deliver()
