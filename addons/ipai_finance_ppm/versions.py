"""What Odoo 18 and 19 call differently."""

from odoo import release
from odoo.tools import SQL

IS_19 = release.version_info >= (19, 0)
GROUPS_OF_USER = "group_ids" if IS_19 else "groups_id"
# With those that they imply: 18 writes them all down.
ALL_GROUPS_OF_USER = "all_group_ids" if IS_19 else "groups_id"


def ensure_unique(model, *expressions):
    """One row for each combination, whoever writes it. 18 and 19 declare constraints in different words; both call `init`."""
    model.env.cr.execute(
        SQL(
            "CREATE UNIQUE INDEX IF NOT EXISTS %s ON %s (%s)",
            SQL.identifier(f"{model._table}_unique"),
            SQL.identifier(model._table),
            SQL(", ").join(SQL(expression) for expression in expressions),
        )
    )
