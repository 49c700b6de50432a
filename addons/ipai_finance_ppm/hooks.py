from odoo.tools import SQL

from .models.calendar_feed import SCOPE
from .versions import GROUPS_OF_USER, IS_19

GROUPS = ("user", "supervisor", "manager", "director", "auditor", "deliverer")
TABLES = (
    "heartbeat",
    "digest",
    "escalation_log",
    "alert",
    "monthly_report",
    "bir_schedule",
    "close",
    "filer",
    "close_line",
    "close_template",
    "logframe",
    "deadline_extension",
    "person",
    "bir_form",
    "liability",
    "holiday",
)


def post_init(env):
    """What data files cannot say for 18 and 19 alike, and the first calendar."""
    _put_groups_in_a_category(env)
    # Whoever installs it has to be able to set it up; what may be filed and approved is for people who are named later.
    env.ref("base.user_admin").write({GROUPS_OF_USER: [(4, env.ref("ipai_finance_ppm.group_manager").id)]})
    env["ipai.finance.bir_schedule"]._generate_ahead()


def _put_groups_in_a_category(env):
    category = env.ref("ipai_finance_ppm.category")
    if IS_19:
        privilege = env["res.groups.privilege"].create({"name": "Finance PPM", "category_id": category.id})
        env["ir.model.data"].create(
            {"module": "ipai_finance_ppm", "name": "privilege", "model": privilege._name, "res_id": privilege.id, "noupdate": True}
        )
        values = {"privilege_id": privilege.id}
    else:
        values = {"category_id": category.id}
    for name in GROUPS:
        env.ref(f"ipai_finance_ppm.group_{name}").write(values)


def uninstall(env):
    """Empties the tables in the order in which they refer to each other; Odoo deletes in another one, and complains. Tasks stay."""
    for table in TABLES:
        env.cr.execute(SQL("DELETE FROM %s", SQL.identifier(f"ipai_finance_{table}")))
    env.invalidate_all()
    env["res.users.apikeys"].sudo().search([("scope", "=", SCOPE)]).unlink()
    # What was mailed is of no report any more.
    env["ir.attachment"].search([("res_model", "=", "ipai.finance.monthly_report")]).unlink()
    env["ir.cron"]._drop_names_of_the_runbook()
    env["ipai.finance.monthly_report"]._drop_view()
