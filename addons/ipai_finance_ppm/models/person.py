import re

from odoo import api, fields, models

from ..versions import ALL_GROUPS_OF_USER, GROUPS_OF_USER, ensure_unique

ROLES = [("staff", "Staff"), ("supervisor", "Supervisor"), ("manager", "Manager"), ("director", "Director")]
GROUP_OF_ROLE = {"staff": "user", "supervisor": "supervisor", "manager": "manager", "director": "director"}


class Person(models.Model):
    _name = "ipai.finance.person"
    _description = "Finance Person"
    _order = "code"
    _rec_names_search = ["code", "name"]

    code = fields.Char(required=True)
    name = fields.Char(required=True)
    company_id = fields.Many2one("res.company", required=True, default=lambda self: self.env.company, index=True)
    user_id = fields.Many2one("res.users", string="User")
    email = fields.Char()
    mattermost_handle = fields.Char()
    role = fields.Selection(ROLES, required=True, default="staff")
    manager_id = fields.Many2one("ipai.finance.person", string="Reports To")
    backup_id = fields.Many2one("ipai.finance.person", string="Backup")
    absent_from = fields.Date()
    absent_to = fields.Date()
    gets_reports = fields.Boolean(
        string="Monthly Report",
        compute="_compute_gets_reports",
        store=True,
        readonly=False,
        help="Is mailed the report of each month. Managers and directors are, unless somebody decides otherwise.",
    )
    active = fields.Boolean(default=True)

    def init(self):
        ensure_unique(self, "company_id", "code")

    @api.depends("role")
    def _compute_gets_reports(self):
        for person in self:
            person.gets_reports = person.role in ("manager", "director")

    def _address(self):
        return self.email or self.user_id.email

    def _present(self, today):
        """Who stands in on a day: the person, or whoever of its backups is there. Nobody there: the person all the same."""
        self.ensure_one()
        asked = self.browse()
        one = self
        while one and one not in asked:
            if not (one.absent_from and one.absent_from <= today <= (one.absent_to or today)):
                return one
            asked |= one
            one = one.backup_id
        return self

    @api.model
    def _readers(self, company):
        """Who is mailed the reports of a company. Nobody reads them in somebody's place: a report can wait."""
        return self.sudo().search([("company_id", "=", company.id), ("gets_reports", "=", True)])

    @api.model
    def _of_role(self, company, role):
        """Who answers for a role in a company: absent people are represented."""
        today = self.env["ipai.finance.calendar"]._today()
        people = self.sudo().search([("company_id", "=", company.id), ("role", "=", role)])
        return self.sudo().union(*(one._present(today) for one in people))

    @api.model
    def _of_users(self, company, users):
        """The people of a company that these users are, or who stands in for them."""
        today = self.env["ipai.finance.calendar"]._today()
        people = self.sudo().search([("company_id", "=", company.id), ("user_id", "in", users.ids)])
        return self.sudo().union(*(one._present(today) for one in people))

    def _remind(self, record, company, summary, note):
        """An activity at a record of a company for those who are users, or for whoever keeps the registers when none is, or none may read it."""
        keeper = self.env.ref("ipai_finance_ppm.group_manager")
        keepers = self.env["res.users"].search([(ALL_GROUPS_OF_USER, "in", keeper.ids), ("company_ids", "in", company.ids)])
        for user in self._reading(record, self.user_id) or self._reading(record, keepers):
            # It would be mailed, too.
            record.with_context(mail_activity_quick_update=True).activity_schedule(
                "mail.mail_activity_data_todo",
                date_deadline=self.env["ipai.finance.calendar"]._today(),
                summary=summary,
                note=note,
                user_id=user.id,
            )

    @api.model
    def _reading(self, record, users):
        """Those of the users who are there and may read a record."""
        seen = {user: record.with_user(user).with_context(allowed_company_ids=user.company_ids.ids) for user in users if user.active}
        return users.filtered(lambda user: user in seen and seen[user].has_access("read"))

    def _handle(self):
        """The name in the chat, without the sign before it; nothing that is no such name."""
        handle = (self.mattermost_handle or "").strip().lstrip("@")
        return handle if re.fullmatch(r"[a-z0-9._-]+", handle) else ""

    def action_grant_access(self):
        """Gives the user the group of the role. Whoever may not change users may not do this either."""
        for person in self.filtered("user_id"):
            group = self.env.ref(f"ipai_finance_ppm.group_{GROUP_OF_ROLE[person.role]}")
            person.user_id.write({GROUPS_OF_USER: [(4, group.id)]})
