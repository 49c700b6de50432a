import type { Files } from "../../harness/git.ts";

/** A small addon with one of everything that a release may change. NAME stands for its name. */

const manifest = `{
    "name": "Thing", "version": "1.0", "summary": "Things", "depends": ["base"],
    "data": ["security/ir.model.access.csv", "views/thing.xml", "data/thing.xml"], "demo": ["demo/thing.xml"],
    "assets": {"web.assets_backend": ["thing/static/src/thing.js"]}, "post_init_hook": "after_install",
}
`;

const thing = `import logging
from datetime import timedelta

from odoo import _, api, fields, models
from odoo.exceptions import UserError
from .constants import STATES, make_kinds, BATCH
from .mixin import Plain
from ..tools.text import shorten

_logger = logging.getLogger(__name__)
LIMIT = 10


def _helper():
    return [("a", "A")]


def _unused():
    return 1


class Thing(models.Model, Plain):
    """A thing."""
    _name = "thing"
    _description = "Thing"
    _order = "name"
    _sql_constraints = [("name_unique", "unique(name)", "Twice")]

    name = fields.Char(required=True)
    state = fields.Selection(STATES)
    kind = fields.Selection(make_kinds())
    local = fields.Selection(_helper())
    total = fields.Float(compute="_compute_total", store=True)
    shown = fields.Char(compute="_compute_shown", default=lambda self: self._default_shown())

    @api.depends("name")
    def _compute_total(self):
        for one in self:
            one.total = len(one.name)

    @api.depends("name")
    def _compute_shown(self):
        self.shown = self.name

    def _default_shown(self):
        return "x"

    @api.constrains("name")
    def _check_name(self):
        if not self.name:
            raise UserError(_("No name"))

    def act(self):
        """Acts."""
        return shorten(self.name, LIMIT)

    def refresh(self):
        return True

    def init(self):
        self.env.cr.execute(self._view())

    def _view(self):
        return "select 1"
`;

export const base: Files = {
  "__manifest__.py": manifest,
  "__init__.py": "from . import models\nfrom . import controllers\nfrom .hooks import after_install\n",
  "hooks.py": "def after_install(env):\n    _fill(env)\n\n\ndef _fill(env):\n    return 1\n",
  "models/__init__.py": "from . import thing\nfrom . import other\n",
  "models/thing.py": thing,
  "models/constants.py":
    'STATES = [("draft", "Draft")]\nBATCH = 100\n_KINDS = ["x"]\n\n\ndef make_kinds():\n    return [(kind, kind) for kind in _KINDS + more()]\n\n\ndef more():\n    return ["y"]\n',
  "models/more_constants.py": 'STATES = [("done", "Done")]\n',
  "models/mixin.py": "class Plain:\n    _check_company_auto = True\n\n    def plain(self):\n        return 1\n",
  "models/other.py":
    'from odoo import fields, models\n\n\nclass Partner(models.Model):\n    _inherit = "res.partner"\n\n    thing = fields.Char()\n',
  "tools/__init__.py": "",
  "tools/text.py": "def shorten(text, limit):\n    return text[:limit]\n",
  "controllers/__init__.py": "from . import main\n",
  "controllers/main.py":
    'from odoo import http\n\n\nclass Main(http.Controller):\n    page = 20\n\n    @http.route("/thing")\n    def thing(self):\n        return "thing"\n',
  "security/ir.model.access.csv":
    "id,name,model_id:id,group_id:id,perm_read,perm_write,perm_create,perm_unlink\nread_thing,thing,model_thing,base.group_user,1,0,0,0\nold_thing,thing,model_thing,base.group_system,1,1,1,1\n",
  "views/thing.xml":
    '<odoo>\n  <record id="view" model="ir.ui.view">\n    <field name="name">thing</field>\n  </record>\n</odoo>\n',
  "data/thing.xml":
    '<odoo>\n  <function model="thing" name="refresh"/>\n  <menuitem id="menu" web_icon="NAME,static/description/icon.png"/>\n  <record id="rule" model="ir.rule">\n    <field name="domain_force">[(1, "=", 1)]</field>\n  </record>\n</odoo>\n',
  "data/neutralize.sql": "UPDATE thing SET name = 'x';\n",
  "demo/thing.xml": "<odoo/>\n",
  "i18n/de.po": 'msgid "Thing"\nmsgstr "Ding"\n',
  "i18n/thing.pot": 'msgid "Thing"\nmsgstr ""\n',
  "static/src/thing.js": "console.log(1);\n",
  "static/description/icon.png": "icon",
  "static/description/index.html": "<p>Thing</p>\n",
  "tests/__init__.py": "from . import test_thing\n",
  "tests/test_thing.py": "X = 1\n",
  "README.rst": "Thing\n",
  "scripts/tool.py": "import sys\nX = sys.argv\n",
};
