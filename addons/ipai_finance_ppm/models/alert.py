import logging
from datetime import timedelta

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError

from ..versions import ensure_unique
from .project_task import CLOSED

_logger = logging.getLogger(__name__)

SEVERITIES = [("normal", "Normal"), ("high", "High"), ("critical", "Critical")]
# Who hears of it first; when nobody has that role, the next in line.
HEARERS = {
    "critical": ("director", "manager", "supervisor", "staff"),
    "high": ("manager", "supervisor", "director", "staff"),
    "normal": ("supervisor", "manager", "staff", "director"),
}
# When the mail server takes nothing for so long, it is told in Odoo; tried again each quarter of an hour it is for so long.
TOLD_OTHERWISE_AFTER = timedelta(hours=1)
TRIED_FOR = timedelta(days=7)


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
        [("deadline", "Deadline"), ("missed", "Missed deadline"), ("escalation", "Escalation"), ("report", "Report"), ("failure", "Failure")],
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
    mail_ids = fields.Many2many("mail.mail", string="Mails", readonly=True, groups="base.group_system")
    failing_since = fields.Datetime(readonly=True, help="When the mail server first did not take it.")
    is_told_otherwise = fields.Boolean(readonly=True, help="It could not be mailed: there is an activity for it.")
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
    is_open = fields.Boolean(
        string="To Be Acknowledged",
        compute="_compute_is_open",
        search="_search_is_open",
        help="Nobody has acknowledged it, and what it says is still so. The dashboard shows these.",
    )

    def init(self):
        ensure_unique(self, "dedupe_key")

    @api.depends("state", "severity", "sent_at", "acked_at", "raised_at", "digest_ids.state", "digest_ids.lease_until")
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
                alert.chat_state = "waiting" if is_fresh and alert.state != "cancelled" and not alert._is_heard() else "lapsed"

    def _is_heard(self):
        """Acknowledged. What is critical is for one person, and so only when it had been mailed before: nobody takes it from the director."""
        return self.state == "acked" and (self.severity != "critical" or bool(self.sent_at and self.sent_at <= self.acked_at))

    @api.model
    def _waiting_for_chat(self):
        """What nobody has told in the chat, nobody is about to, and what is still so. By the user's own rights."""
        fresh = self.search([("raised_at", ">", fields.Datetime.now() - CHAT_AGE), ("state", "!=", "cancelled")], order="id")
        # A lease ends by itself.
        fresh.invalidate_recordset(["chat_state"])
        return fresh.filtered(lambda alert: alert.chat_state == "waiting")._still_so()

    @api.model
    def _open(self, limit=None):
        """What nobody has acknowledged, and what is still so: the newest first. By the user's own rights."""
        return self.search([("is_open", "=", True)], limit=limit)

    @api.depends("state", "acked_at", "dedupe_key")
    def _compute_is_open(self):
        # What it is about moves by itself: nothing is kept of it.
        unheard = self.filtered(lambda alert: alert.state != "cancelled" and not alert.acked_at)._still_so()
        for alert in self:
            alert.is_open = alert in unheard

    @api.model
    def _search_is_open(self, operator, value):
        if operator not in ("=", "!=", "in", "not in"):
            raise UserError(_("An alert is open or not."))
        is_wanted = (bool(value) if operator in ("=", "!=") else True in value) == (operator in ("=", "in"))
        unheard = self.sudo().search([("state", "!=", "cancelled"), ("acked_at", "=", False), *self._about_open()])
        return [("id", "in" if is_wanted else "not in", unheard._still_so().ids)]

    @api.model
    def _about_open(self):
        """Narrows alerts down to those that may still be so: years of them are about what was filed."""
        filings = self.env["ipai.finance.bir_schedule"]._open_of(None)
        tasks = self.env["project.task"].sudo().search([("is_finance_ppm", "=", True), ("state", "not in", CLOSED)])
        about = [(filings._name, filings.ids), (tasks._name, tasks.ids)]
        terms = [("res_model", "not in", [model for model, _ids in about])]
        for model, ids in about:
            terms = ["|", *terms, "&", ("res_model", "=", model), ("res_id", "in", ids)]
        return terms

    def _still_so(self):
        """Those that are not about what has been filed, done or moved to another day since."""
        about = {model: self.env[model].sudo().browse(told.mapped("res_id")).exists() for model, told in self.grouped("res_model").items()}
        return self.filtered(lambda alert: alert.res_id in about[alert.res_model]._ids and alert._is_still_so())

    def _is_still_so(self):
        record = self.env[self.res_model].sudo().browse(self.res_id)
        return record._is_open() and self.dedupe_key.startswith(record._alert_key(self.kind))

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

        What was overtaken and is true again, as after an extension that is withdrawn, is put there again, for whoever has not got it.

        `company` is for a record that may have none of its own. Only whoever has the turn may call it.
        """
        outbox = self.sudo()
        known = outbox.search([("dedupe_key", "=", values["dedupe_key"])])
        if known and known.state != "cancelled":
            return outbox.browse()
        company = company or record.company_id
        alert = {
            "res_model": record._name,
            "res_id": record.id,
            "company_id": company.id,
            "recipient_ids": [(6, 0, self._hearers(company, values["severity"]).ids)],
            "raised_at": fields.Datetime.now(),
            **values,
        }
        if known:
            known.write({**alert, **dict.fromkeys(("error", "failing_since", "sent_at", "acked_by", "acked_at"), False), "state": "queued"})
        return known or outbox.create(alert)

    @api.model
    def _hearers(self, company, severity):
        people = self.env["ipai.finance.person"]
        for role in HEARERS[severity]:
            if found := people._of_role(company, role):
                return found
        return people

    def _to_mention(self):
        """Whom the chat calls by name: whose turn it is with what it is about, and whoever hears of it."""
        record = self.env[self.res_model].sudo().browse(self.res_id).exists()
        owners = record._whose_turn() if self.kind in ("deadline", "missed", "escalation") else self.env["res.users"]
        return self.env["ipai.finance.person"]._of_users(self.company_id, owners) | self.sudo().recipient_ids

    @api.model
    def _overtake(self, record, kinds):
        """What still waits to be mailed or told in the chat about a record is true no more."""
        alerts = self._about(record, kinds)
        alerts.filtered(lambda alert: alert._is_unsent() or alert.chat_state == "waiting").write({"state": "cancelled"})

    @api.model
    def _drop(self, record, kinds, but=None):
        """What still waits to be mailed about a record is mailed no more; whether it is told in the chat is seen when that is asked for."""
        (self._about(record, kinds) - (but or self)).filtered(lambda alert: alert._is_unsent()).write({"state": "cancelled"})

    @api.model
    def _about(self, record, kinds):
        about = [("res_model", "=", record._name), ("res_id", "in", record.ids), ("kind", "in", kinds)]
        return self.sudo().search([*about, ("state", "!=", "cancelled")])

    def _is_unsent(self):
        if self.state == "acked":
            return self.severity == "critical" and not self.sent_at
        return self.state != "sent" or bool({"outgoing", "exception"} & set(self.mail_ids.mapped("state")))

    def _become(self, state, **values):
        """What has been acknowledged stays that, though it is delivered all the same."""
        acked = self.filtered(lambda alert: alert.state == "acked")
        acked.write(values)
        (self - acked).write({**values, "state": state})

    @api.model
    def _deliver(self):
        """Mails what is queued: one message for each person, with all that this person has not got, and each report as a message of its own. What
        nobody can get has failed, and says why.
        """
        now = fields.Datetime.now()
        tried = ["|", ("failing_since", "=", False), ("failing_since", ">", now - TRIED_FOR)]
        critical = ["&", "&", ("state", "=", "acked"), ("severity", "=", "critical"), ("sent_at", "=", False)]
        queued = self.sudo().search(["|", ("state", "in", ("queued", "failed")), *critical, *tried], order="id")
        reachable = queued.filtered(lambda alert: any(one._address() for one in alert.recipient_ids))
        (queued - reachable)._fail(_("Nobody with an e-mail address has a role in this company."))
        for person in reachable.recipient_ids:
            own = reachable.filtered(lambda alert: person in alert._waiting()).sorted(
                lambda alert: ("critical", "high", "normal").index(alert.severity)
            )
            reports = own.filtered(lambda alert: alert.kind == "report")
            for told in filter(None, (own - reports, *reports)):
                if not told._mail_to(person):
                    reachable -= told
        reachable._become("sent", sent_at=now, error=False)
        if reachable:
            # Odoo's queue of mails runs once an hour.
            self.env.ref("mail.ir_cron_mail_scheduler_action").sudo()._trigger()

    def _mail_to(self, person):
        """One mail of all of these. When it cannot be made the others still are: these have failed, and say why. Returns whether it was made."""
        try:
            with self.env.cr.savepoint():
                mail = self.env["mail.mail"].sudo().create({**self._as_mail(), "email_to": person._address(), "auto_delete": False})
                self.write({"mail_ids": [(4, mail.id)]})
                return True
        except Exception as error:
            _logger.exception("No mail could be made of %s", self)
            for alert in self:
                alert.failing_since = alert.failing_since or fields.Datetime.now()
            self._fail(" ".join(str(error).split()))
            return False

    def _waiting(self):
        """Who has not got it, nor has a mail under way."""
        told = self.mail_ids.filtered(lambda mail: mail.state in ("outgoing", "sent", "received")).mapped("email_to")
        return self.recipient_ids.filtered(lambda person: person._address() and person._address() not in told)

    @api.model
    def _take_back(self):
        """What the mail server did not take is queued again, for whoever has not got it: Odoo itself never tries twice."""
        now = fields.Datetime.now()
        alerts = self.sudo().search([("mail_ids.state", "=", "exception")])
        refused = alerts.mail_ids.filtered(lambda mail: mail.state == "exception")
        for alert in alerts.filtered(lambda one: one.state == "sent" or (one.state == "acked" and not one._is_heard())):
            why = (alert.mail_ids & refused)[:1].failure_reason
            alert._become("queued", error=why, failing_since=alert.failing_since or now, sent_at=False)
            if now - alert.failing_since >= TOLD_OTHERWISE_AFTER:
                alert._fail(why)
        refused.write({"state": "cancel"})

    def _fail(self, why):
        """It cannot be mailed: it says so, and is told in Odoo, once."""
        for alert in self:
            if alert.state not in ("failed", "acked") or alert.error != why:
                alert._become("failed", error=why)
            if not alert.is_told_otherwise:
                alert.is_told_otherwise = True
                alert._tell_in_odoo()

    def _tell_in_odoo(self):
        record = self.env[self.res_model].browse(self.res_id).exists()
        if record:
            self.recipient_ids._remind(record, self.company_id, self.subject, _("It could not be mailed: %s", self.error))

    def _as_mail(self):
        report = self.env[self[0].res_model].browse(self[0].res_id).exists() if self[0].kind == "report" else None
        if report:
            return report._as_mail()
        first = self[0].subject
        return {
            "subject": first if len(self) == 1 else _("%(first)s, and %(count)s more", first=first, count=len(self) - 1),
            "body_html": self.env["ir.qweb"]._render("ipai_finance_ppm.alert_mail", {"alerts": self}),
        }

    def action_ack(self):
        if not self.env.user.has_group("ipai_finance_ppm.group_user"):
            raise AccessError(_("Alerts are acknowledged by the people of Finance PPM."))
        self.check_access("read")
        # Whoever acknowledges an escalation has taken its task on: the ladder stands still. May they not, nothing is written.
        tasks = self.env["project.task"].browse(self.filtered(lambda alert: alert.kind == "escalation").mapped("res_id")).exists()
        tasks.check_access("read")
        self.sudo().write({"state": "acked", "acked_by": self.env.uid, "acked_at": fields.Datetime.now()})
        tasks.action_ack_escalation()

    @api.model
    def _run_quarter_hour(self):
        """Does what the day still owes, tells a missed deadline and whatever else is for the director within a quarter of an hour, and what
        failed; delivers what is queued.
        """
        self.env["ipai.finance.bir_schedule"]._catch_up()
        self.env["ipai.finance.bir_schedule"]._tell_missed()
        self.env["ipai.finance.escalation_log"]._run_ladder(least=3)
        self.env["ipai.finance.filer"]._tell_failures()
        self._take_back()
        self._deliver()
