import logging
from contextlib import contextmanager
from datetime import timedelta

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError

from ..rules import RuleError, list_filings
from ..versions import ensure_unique
from .calendar import split_words

_logger = logging.getLogger(__name__)
KINDS = [("manual", "On paper"), ("ebirforms", "eBIRForms"), ("efps", "eFPS")]
GROUPS = [(group, group) for group in "ABCDE"]
# By gross sales: RR 8-2024.
SIZES = [
    ("micro", "Micro: less than ₱3 million"),
    ("small", "Small: less than ₱20 million"),
    ("medium", "Medium: less than ₱1 billion"),
    ("large", "Large: ₱1 billion or more"),
]
MONTHS = [
    ("1", "January"),
    ("2", "February"),
    ("3", "March"),
    ("4", "April"),
    ("5", "May"),
    ("6", "June"),
    ("7", "July"),
    ("8", "August"),
    ("9", "September"),
    ("10", "October"),
    ("11", "November"),
    ("12", "December"),
]
PEOPLE = ("supervisor_id", "reviewer_id", "approver_id")
PARTICULARS = {"kind", "efps_group", "fiscal_year_end", "regions"}


class Filer(models.Model):
    _name = "ipai.finance.filer"
    _description = "Filer"
    # A failure that cannot be mailed is an activity.
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _rec_name = "company_id"

    company_id = fields.Many2one("res.company", required=True, default=lambda self: self.env.company)
    kind = fields.Selection(KINDS, string="Files", required=True, default="manual", tracking=True)
    efps_group = fields.Selection(GROUPS, string="eFPS Group", tracking=True, help="RR 26-2002: by industry. No national government agency has one.")
    fiscal_year_end = fields.Selection(MONTHS, string="Fiscal Year Ends In", required=True, default="12", tracking=True)
    size = fields.Selection(
        SIZES, tracking=True, help="By gross sales in a year (RR 8-2024). What filing late may cost is estimated by it; without it, by the higher rates."
    )
    regions = fields.Char(tracking=True, help="Where it is registered, as holidays and extensions of a place name it: region, city, RDO code.")
    liability_ids = fields.Many2many(
        "ipai.finance.liability",
        string="Liable For",
        default=lambda self: self.env["ipai.finance.liability"]._core(),
        help="What makes a form apply. Others are not generated.",
    )
    start_on = fields.Date(
        required=True,
        default=lambda self: self.env["ipai.finance.calendar"]._today(),
        help="Filings with an earlier deadline are not generated: they were made elsewhere.",
    )
    supervisor_id = fields.Many2one("res.users", string="Prepared By")
    reviewer_id = fields.Many2one("res.users", string="Reviewed By")
    approver_id = fields.Many2one("res.users", string="Approved By")
    project_id = fields.Many2one("project.project", help="Where the tasks of filings and closes are; made with the first of them.")
    active = fields.Boolean(default=True)
    # A new one owes nothing of the days before it.
    day_whole_at = fields.Datetime(
        string="Last Whole Day",
        readonly=True,
        copy=False,
        default=lambda self: fields.Datetime.now(),
        help="When the run of the day last did all that it had to do; nothing while something fails.",
    )
    tin = fields.Char(string="TIN", related="company_id.vat")
    missing = fields.Text(compute="_compute_missing", help="What has to be entered before its calendar can be relied on.")
    failures = fields.Text(readonly=True, copy=False, help="What fails. It is tried again each quarter of an hour.")

    def init(self):
        ensure_unique(self, "company_id")

    @api.constrains("kind", "efps_group")
    def _check_group(self):
        if any(filer.kind == "efps" and not filer.efps_group for filer in self):
            raise ValidationError(_("An eFPS filer belongs to a group, A to E. An agency of the government files as eBIRForms."))

    @api.constrains("supervisor_id", "approver_id")
    def _check_people(self):
        if any(filer.supervisor_id and filer.supervisor_id == filer.approver_id for filer in self):
            raise ValidationError(_("Whoever prepares a filing does not approve it."))

    def _as_filer(self):
        """As the rule engine asks for it."""
        return {
            "kind": self.kind,
            "group": self.efps_group or None,
            "fiscalYearEnd": int(self.fiscal_year_end),
            "regions": split_words(self.regions),
            "applies": self.liability_ids.mapped("code"),
        }

    def write(self, vals):
        done = super().write(vals)
        if PARTICULARS & vals.keys():
            self.env["ipai.finance.bir_schedule"]._refresh()
        self._name_people([field for field in PEOPLE if vals.get(field)])
        return done

    def _name_people(self, named):
        """Who is named is named in the filings, too, that nobody has begun and that name nobody."""
        filings = self.env["ipai.finance.bir_schedule"].sudo()
        for filer in self:
            for field in named:
                vacant = [("company_id", "=", filer.company_id.id), ("state", "=", "not_started"), (field, "=", False)]
                filings.search(vacant).write({field: filer[field].id})

    def _generate(self, year):
        """Makes what is missing of the filings with a deadline in that year; asked again it makes none. Returns those made.

        Errors: UserError for a year that has no calendar (the catalogue's first year and before).
        """
        filings = self.env["ipai.finance.bir_schedule"].sudo()
        rules = self.env["ipai.finance.calendar"]._rules()
        forms = {form.code: form for form in self.env["ipai.finance.bir_form"].search([])}
        made = filings
        for filer in self:
            known = {(one.form_code, one.period_covered) for one in filings.search([("company_id", "=", filer.company_id.id)])}
            try:
                answers = list_filings(rules, filer._as_filer(), year)
            except RuleError as error:
                raise UserError(str(error)) from error
            missing = [
                one
                for one in answers
                if one["form"] in forms
                and (one["form"], one["period"]) not in known
                and fields.Date.to_date(one["effective"]) >= filer.start_on
            ]
            made |= filings.create(
                [
                    {
                        "company_id": filer.company_id.id,
                        "form_id": forms[one["form"]].id,
                        "period_covered": one["period"],
                        "supervisor_id": filer.supervisor_id.id,
                        "reviewer_id": filer.reviewer_id.id,
                        "approver_id": filer.approver_id.id,
                    }
                    for one in missing
                ]
            )
        return made

    # The first steps

    @api.depends("company_id.vat", "regions", *PEOPLE)
    def _compute_missing(self):
        for filer in self:
            filer.missing = "\n".join(filer._missing())

    def _missing(self):
        """What has to be entered before its calendar can be relied on, as sentences: nothing when all is there."""
        roles = self.env["ipai.finance.person"].sudo().search([("company_id", "=", self.company_id.id)]).mapped("role")
        filings = self.env["ipai.finance.bir_schedule"].sudo().search_count([("company_id", "=", self.company_id.id)], limit=1)
        checks = [
            (self.company_id.vat, _("The company has no TIN: enter it in its settings.")),
            (self.regions, _("Where it is registered is not said: extensions and holidays of a place pass it by. Enter its RDO code.")),
            (all(self[field] for field in PEOPLE), _("Say who prepares, reviews and approves its filings.")),
            # `_` looks for the language in the frame of the method.
            *((role in roles, self.env._("Nobody has the role %s: enter people (Registers, People).", name)) for role, name in self._needed_roles()),
            *(
                (is_known, self.env._("The holidays of %s are not proclaimed here: enter the proclamation (Registers, Holidays).", year))
                for year, is_known in self._years()
            ),
            (filings, _("It has no filings yet: generate them.")),
        ]
        return [said for is_there, said in checks if not is_there]

    @api.model
    def _needed_roles(self):
        """Whoever hears of what is normal, high and critical."""
        names = dict(self.env["ipai.finance.person"]._fields["role"]._description_selection(self.env))
        return [(role, names[role]) for role in ("supervisor", "manager", "director")]

    @api.model
    def _years(self):
        """This year, and the next from when its filings are generated: whether its holidays are proclaimed."""
        calendar = self.env["ipai.finance.calendar"]
        today, known = calendar._today(), calendar._holidays()["proclaimedYears"]
        return [(str(year), year in known) for year in sorted({today.year, (today + timedelta(days=90)).year})]

    # The run of the day

    @api.model
    def _of(self, company):
        return self.sudo().with_context(active_test=False).search([("company_id", "=", company.id)], limit=1)

    @contextmanager
    def _try(self, company, what):
        """Tries something of a company by itself: when it fails it is taken back and noted of `what` (a record, or words); the others go on."""
        try:
            with self.env.cr.savepoint():
                yield
        except Exception as error:
            said = what if isinstance(what, str) else what.display_name
            # What people were told is no fault of the program.
            _logger.warning("%s, %s: %s", company.name, said, error, exc_info=not isinstance(error, UserError))
            self._of(company)._note(f"{said}: {error}")

    def _note(self, failure):
        for filer in self:
            known = (filer.failures or "").splitlines()
            filer.write({"failures": "\n".join(dict.fromkeys([*known, " ".join(failure.split())])), "day_whole_at": False})

    def _begin_day(self):
        if self.failures:
            self.failures = False

    def _end_day(self):
        if self and not self.failures:
            self.day_whole_at = fields.Datetime.now()
            self.env["ipai.finance.alert"]._drop(self, ["failure"])

    @api.model
    def _owing(self, due):
        """Those whose run of the day, which was due then, is not whole."""
        return self.with_context(active_test=False).search(["|", ("day_whole_at", "=", False), ("day_whole_at", "<", due)])

    @api.model
    def _tell_failures(self):
        """Once a day for each company in which something fails."""
        alerts = self.env["ipai.finance.alert"]
        if not alerts._take_turn("failure"):
            return
        for filer in self.sudo().with_context(active_test=False).search([("failures", "!=", False)]):
            alerts._queue(
                filer,
                kind="failure",
                dedupe_key=filer._alert_key("failure"),
                severity="high",
                subject=_("%s: not everything that is due could be told", filer.company_id.name),
                body_md="\n".join(f"- {line}" for line in filer.failures.splitlines()),
            )

    def _is_open(self):
        return bool(self.failures)

    def _alert_key(self, kind):
        return f"{kind}:{self.id}:{self.env['ipai.finance.calendar']._today()}"

    @api.model
    def _project_of(self, company):
        """Where the tasks of a company are. Without a filer: the project of this name, made when there is none."""
        filer = self.sudo().search([("company_id", "=", company.id)], limit=1)
        projects = self.env["project.project"].sudo()
        project = filer.project_id or projects.search([("company_id", "=", company.id), ("name", "=", "Finance PPM")], limit=1)
        if not project:
            project = projects.create({"name": "Finance PPM", "company_id": company.id, "allow_task_dependencies": True})
        if filer and not filer.project_id:
            filer.project_id = project
        return project

    def action_generate(self):
        """What is missing of this year and the next, and the list of all of it."""
        self.check_access("write")
        year = self.env["ipai.finance.calendar"]._today().year
        for one in (year, year + 1):
            self._generate(one)
        action = self.env["ir.actions.act_window"]._for_xml_id("ipai_finance_ppm.action_bir_schedule")
        return {**action, "domain": [("company_id", "in", self.company_id.ids)]}
