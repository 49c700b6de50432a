import io
import unittest

import polib

from odoo.modules.module import get_module_path
from odoo.tests import TransactionCase, tagged
from odoo.tools.translate import trans_export

from ..versions import IS_19

MODULE = "ipai_finance_ppm"


@tagged("post_install", "-at_install")
class TestTranslations(TransactionCase):
    @unittest.skipUnless(IS_19, "the template is what Odoo 19 exports")
    def test_the_template_of_translations_is_what_odoo_exports(self):
        exported = io.BytesIO()
        trans_export(False, [MODULE], exported, "po", self.env)
        with open(f"{get_module_path(MODULE)}/i18n/{MODULE}.pot", encoding="utf-8") as shipped:
            differ = self.terms(exported.getvalue().decode()) ^ self.terms(shipped.read())
        self.assertFalse(differ, "export it anew: odoo i18n export -d DATABASE ipai_finance_ppm")

    def terms(self, text):
        return {(one.msgid, place) for one in polib.pofile(text) for place, _line in one.occurrences}
