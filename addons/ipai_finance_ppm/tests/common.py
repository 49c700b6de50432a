from datetime import datetime, timedelta
from unittest.mock import patch

from odoo import fields
from odoo.tests import TransactionCase, new_test_user


GROUP_OF = {"staff": "user"}


class FinanceCase(TransactionCase):
    """A company of its own, far from what the database has, with a filer on paper, and users of the roles that a case asks for."""

    roles = ()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.Filing = cls.env["ipai.finance.bir_schedule"]
        cls.Holiday = cls.env["ipai.finance.holiday"]
        cls.company = cls.env["res.company"].create({"name": "Example Trading Corporation"})
        cls.filer = cls.env["ipai.finance.filer"].create({"company_id": cls.company.id, "start_on": "2020-01-01"})
        for role in cls.roles:
            user = new_test_user(
                cls.env,
                f"ppm_{role}",
                f"base.group_user,ipai_finance_ppm.group_{GROUP_OF.get(role, role)}",
                company_id=cls.company.id,
                company_ids=[(6, 0, cls.company.ids)],
            )
            setattr(cls, role, user)

    @classmethod
    def person(cls, role, **values):
        code = values.pop("code", role)
        email = f"{code}@example.com"
        return cls.env["ipai.finance.person"].create(
            {"code": code, "name": f"{code} Example", "role": role, "company_id": cls.company.id, "email": email, **values}
        )

    def alerts(self, *terms):
        return self.env["ipai.finance.alert"].search([("company_id", "=", self.company.id), *terms], order="id")

    def filings(self, *terms):
        return self.Filing.search([("company_id", "=", self.company.id), *terms])

    def make(self, form, period, **values):
        found = self.env["ipai.finance.bir_form"].search([("code", "=", form)])
        return self.Filing.create({"company_id": self.company.id, "form_id": found.id, "period_covered": period, **values})

    def at(self, moment):
        """Odoo's clock stands at an instant of Manila, such as 2026-03-01 08:00: a port, nothing else is replaced."""
        utc = datetime.strptime(moment, "%Y-%m-%d %H:%M") - timedelta(hours=8)
        return patch.object(fields.Datetime, "now", lambda *args: utc)

    def day(self, text):
        return fields.Date.to_date(text)
