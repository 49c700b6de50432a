import type { ReleaseKind } from "../../../src/stack/odoo/release-scan.ts";
import type { Files } from "../../harness/git.ts";

/** Small edits of a small addon, and what Odoo has to do after each. */

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

type Edit = (text: string) => string;
export interface Case {
  readonly title: string;
  /** Files of the addon that are edited, written or (undefined) removed. */
  readonly after: Readonly<Record<string, Edit | string | Buffer | undefined>>;
  /** What the addon has besides `base` already. */
  readonly before?: Files;
  readonly kind: ReleaseKind;
  /** Part of one of the reasons. */
  readonly why?: string;
}

const swap =
  (from: string, to: string): Edit =>
  (text) => {
    if (!text.includes(from)) throw new TypeError(`there is no ${from}`);
    return text.replace(from, to);
  };
const inThing = (title: string, from: string, to: string, kind: ReleaseKind, why?: string): Case => ({
  title,
  after: { "models/thing.py": swap(from, to) },
  kind,
  ...(why === undefined ? {} : { why }),
});
const inManifest = (title: string, from: string, to: string, kind: ReleaseKind, why: string): Case => ({
  title,
  after: { "__manifest__.py": swap(from, to) },
  kind,
  why,
});
const inFile = (
  title: string,
  path: string,
  content: Edit | string | Buffer | undefined,
  kind: ReleaseKind,
  why: string,
): Case => ({
  title,
  after: { [path]: content },
  kind,
  why,
});

export const cases: readonly Case[] = [
  { title: "nothing", after: {}, kind: "none" },

  // Python that runs when users work.
  inThing("the body of a method", "self.name, LIMIT)", "self.name, LIMIT + 1)", "code", "Thing.act() changed inside"),
  inThing("a docstring", "Acts.", "Acts now.", "code", "nothing that reaches the database"),
  inThing("a comment", "LIMIT = 10", "LIMIT = 10  # ten", "code", "nothing that reaches the database"),
  inThing("the docstring of a class", "A thing.", "Any thing.", "code"),
  inThing(
    "a new method",
    "    def refresh",
    "    def new(self):\n        return 1\n\n    def refresh",
    "code",
    "Thing.new() is new",
  ),
  inThing("an unused import", "from datetime import timedelta\n", "", "code"),
  inThing("one more name from the same module", "import _, api,", "import _, api, Command,", "code"),
  inThing("a constant that no field uses", "LIMIT = 10", "LIMIT = 20", "code"),
  inThing("a logger", "LIMIT = 10", "LIMIT = 10\n_other = logging.getLogger('x')", "code"),
  inThing(
    "a function that nobody calls when the file is loaded",
    "return 1",
    "return 2",
    "code",
    "_unused() changed inside",
  ),
  inThing("a constraint's own check", "if not self.name:", "if self.name:", "code"),
  inThing("what @api.constrains watches", 'constrains("name")', 'constrains("name", "state")', "code"),
  inThing(
    "a method that computes a stored field",
    "len(one.name)",
    "2 * len(one.name)",
    "code",
    "computes total: what is stored already is not computed again",
  ),
  inThing(
    "what a stored field depends on",
    '@api.depends("name")',
    '@api.depends("name", "state")',
    "code",
    "computes total",
  ),
  inThing("a method that gives a default", 'return "x"', 'return "y"', "code", "Thing._default_shown() changed inside"),
  inThing("the arguments of a method", "def act(self)", "def act(self, more=None)", "code"),
  inFile(
    "line ends of Python",
    "models/thing.py",
    (text) => text.replaceAll("\n", "\r\n"),
    "code",
    "nothing that reaches the database",
  ),
  inFile(
    "the body of a route",
    "controllers/main.py",
    swap('"thing"\n', '"other"\n'),
    "code",
    "Main.thing() changed inside",
  ),
  inFile("a route's address", "controllers/main.py", swap("/thing", "/things"), "code", "Main.thing() changed inside"),
  inFile(
    "a value of a controller",
    "controllers/main.py",
    swap("page = 20", "page = 50"),
    "code",
    "nothing that reaches",
  ),
  inFile(
    "a helper of a method",
    "tools/text.py",
    swap("[:limit]", "[: limit - 1]"),
    "code",
    "shorten() changed inside",
  ),
  inFile(
    "a method of a plain base",
    "models/mixin.py",
    swap("return 1", "return 2"),
    "code",
    "Plain.plain() changed inside",
  ),
  inFile("a file that the addon does not load", "scripts/tool.py", "import os\nX = os.name\n", "code", "does not load"),

  // Python that reaches the database.
  inThing(
    "a field's label",
    "fields.Char(required=True)",
    'fields.Char("Name", required=True)',
    "schema",
    "the field name of thing changed",
  ),
  inThing(
    "a new field",
    "    kind =",
    "    more = fields.Char()\n    kind =",
    "schema",
    "the field more of thing is new",
  ),
  inThing(
    "a field that is gone",
    "    name = fields.Char(required=True)\n",
    "",
    "schema",
    "the field name of thing is gone",
  ),
  inThing(
    "a field with an annotation",
    "    name = fields",
    "    name: fields.Char = fields",
    "schema",
    "the field name of thing",
  ),
  inThing("the model's order", '_order = "name"', '_order = "id"', "schema", "the setting _order of thing changed"),
  inThing("a constraint of SQL", "unique(name)", "unique(name, state)", "schema", "_sql_constraints"),
  inThing(
    "an index of Odoo 19",
    "    name = fields",
    '    _by_name = models.Index("(name)")\n    name = fields',
    "schema",
    "_by_name of thing is new",
  ),
  inThing(
    "what a model inherits",
    '_name = "thing"',
    '_name = "thing"\n    _inherit = ["mail.thread"]',
    "schema",
    "_inherit of thing is new",
  ),
  inThing("a base of the class", "models.Model, Plain", "models.Model", "schema", "the model thing changed"),
  inThing("what init() does", "self._view())", "self._view() + '')", "schema", "what Thing.init() does"),
  inThing("what init() calls", '"select 1"', '"select 2"', "schema", "what Thing._view() does changed"),
  inThing("a function that a field calls", '("a", "A")', '("b", "B")', "schema", "what _helper() does changed"),
  inThing(
    "where a constant of a field comes from",
    "from .constants import STATES, make_kinds, BATCH",
    "from .constants import make_kinds, BATCH\nfrom .more_constants import STATES",
    "schema",
    "where STATES is imported from",
  ),
  inThing(
    "a constant by way of another name",
    "import STATES,",
    "import BATCH as STATES,",
    "schema",
    "where STATES is imported from",
  ),
  inThing(
    "a method that makes a table",
    "return True",
    'self.env.cr.execute("CREATE TABLE x ()")',
    "schema",
    "what Thing.refresh() does",
  ),
  inThing(
    "a method that adds a field",
    "return True",
    'self._add_field("x", fields.Char())',
    "schema",
    "what Thing.refresh() does",
  ),
  inThing(
    "a decorator that is not known",
    "    def refresh",
    "    @register\n    def refresh",
    "schema",
    "what Thing.refresh() does",
  ),
  inThing(
    "a statement at the end",
    "LIMIT = 10",
    "LIMIT = 10\nfor x in range(3):\n    setattr(models, str(x), x)",
    "schema",
    "a statement that is run",
  ),
  inThing(
    "a patch of another class",
    "LIMIT = 10",
    "LIMIT = 10\nmodels.Model.act = _unused",
    "schema",
    "what an assignment sets",
  ),
  inThing(
    "a field under a condition",
    "    kind =",
    "    if LIMIT > 5:\n        more = fields.Char()\n    kind =",
    "schema",
    "what the class of thing does",
  ),
  inThing("a renamed class", "class Thing(", "class Things(", "schema", "the model thing"),
  inFile(
    "a constant of a selection",
    "models/constants.py",
    swap('"Draft"', '"New"'),
    "schema",
    "the value STATES changed",
  ),
  inFile("a constant beside it", "models/constants.py", swap("100", "200"), "code", "nothing that reaches"),
  inFile(
    "a constant that a field's function uses",
    "models/constants.py",
    swap('["x"]', '["z"]'),
    "schema",
    "the value _KINDS changed",
  ),
  inFile(
    "what a field's function calls",
    "models/constants.py",
    swap('["y"]', '["z"]'),
    "schema",
    "what more() does changed",
  ),
  inFile(
    "a value of a plain base",
    "models/mixin.py",
    swap("= True", "= False"),
    "schema",
    "a value of the class Plain changed",
  ),
  inFile(
    "a field of a plain base",
    "models/mixin.py",
    swap("= True", "= True\n    x = fields.Char()"),
    "schema",
    "a value of the class Plain is new",
  ),
  inFile(
    "a file that is not imported any more",
    "models/__init__.py",
    "from . import thing\n",
    "schema",
    "is not loaded any more",
  ),
  inFile("a file that is gone", "models/other.py", undefined, "schema", "the field thing of res.partner is gone"),
  inFile(
    "a file that is imported for the first time",
    "models/__init__.py",
    (text) => `${text}from . import more_constants\n`,
    "schema",
    "is loaded from now on",
  ),
  {
    title: "a moved class",
    after: {
      "models/other.py": (text) => text.replace(/class[^]*/, ""),
      "models/more_constants.py":
        'from odoo import fields, models\n\n\nclass Partner(models.Model):\n    _inherit = "res.partner"\n\n    thing = fields.Char()\n',
    },
    kind: "schema",
    why: "the model res.partner is gone",
  },
  {
    title: "names that are looked up as text",
    before: {
      "models/other.py":
        'from odoo import fields, models\nfrom . import constants\n\n\nclass P(models.Model):\n    _inherit = "res.partner"\n    x = fields.Selection(getattr(constants, "BATCH"))\n',
    },
    after: { "models/constants.py": swap("100", "200") },
    kind: "schema",
    why: "the value BATCH changed",
  },
  {
    title: "a kind of field of its own",
    before: {
      "models/other.py":
        'from odoo import fields, models\n\n\nclass Secret(fields.Char):\n    def convert(self):\n        return 1\n\n\nclass P(models.Model):\n    _inherit = "res.partner"\n    x = Secret()\n',
    },
    after: { "models/other.py": swap("return 1", "return 2") },
    kind: "schema",
    why: "what Secret.convert() does",
  },
  {
    title: "a class that a field calls",
    before: {
      "models/other.py":
        'from odoo import fields, models\n\n\nclass Maker:\n    def make(self):\n        return []\n\n\nclass P(models.Model):\n    _inherit = "res.partner"\n    x = fields.Selection(Maker().make())\n',
    },
    after: { "models/other.py": swap("return []", "return [1]") },
    kind: "schema",
    why: "what Maker.make() does",
  },
  {
    title: "code that imports by name",
    before: {
      "__init__.py": "import importlib\nfor name in ['models']:\n    importlib.import_module('.' + name, __name__)\n",
    },
    after: { "models/other.py": swap("fields.Char()", "fields.Text()") },
    kind: "schema",
    why: "the field thing of res.partner changed",
  },
  inFile(
    "what a hook of the manifest does",
    "hooks.py",
    swap("return 1", "return 2"),
    "schema",
    "what _fill() does changed",
  ),
  inFile(
    "a migration script",
    "migrations/1.1/post-move.py",
    "def migrate(cr, version):\n    pass\n",
    "schema",
    "a migration script",
  ),
  inFile(
    "an upgrade script",
    "upgrades/1.1/pre-move.py",
    "def migrate(cr, version):\n    pass\n",
    "schema",
    "a migration script",
  ),
  inThing("a syntax error", "def act(self):", "def act(self:", "schema", "cannot read it"),

  // Data.
  inThing(
    "a method that a data file calls",
    "return True",
    "return False",
    "data",
    "refresh() is called by a data file",
  ),
  inFile("a view", "views/thing.xml", swap("thing</field>", "Thing</field>"), "data", "a data file that is loaded"),
  inFile(
    "line ends of a view",
    "views/thing.xml",
    (text) => text.replaceAll("\n", "\r\n"),
    "none",
    "only its line ends changed",
  ),
  inFile(
    "rights",
    "security/ir.model.access.csv",
    (text) => text.replace("group_user,1,0", "group_user,1,1"),
    "data",
    "a data file",
  ),
  inFile(
    "line ends of rights",
    "security/ir.model.access.csv",
    (text) => text.replaceAll("\n", "\r\n"),
    "data",
    "a data file",
  ),
  inFile("demo data", "demo/thing.xml", "<odoo><data/></odoo>\n", "data", "demo data"),
  inFile("XML that the manifest does not name", "wizard/extra.xml", "<odoo/>\n", "data", "may be loaded by an update"),
  inFile("a translation", "i18n/de.po", swap("Ding", "Sache"), "data", "a translation"),
  inFile("the template of translations", "i18n/thing.pot", 'msgid "x"\n', "none", "nothing that Odoo loads"),
  inFile("a file that nobody can tell about", "data/rates.json", "[]\n", "data", "may be loaded by an update"),
  inFile("the icon of a menu", "static/description/icon.png", "another", "data", "its content is kept in the database"),
  {
    title: "an image that a data file loads",
    before: {
      "data/thing.xml":
        '<odoo><record id="x" model="y"><field name="image" type="base64" file="NAME/static/img/x.png"/></record></odoo>\n',
      "static/img/x.png": "one",
    },
    after: { "static/img/x.png": "two" },
    kind: "data",
    why: "its content is kept in the database",
  },

  // What is read from the disk each time.
  inFile("a script for browsers", "static/src/thing.js", "console.log(2);\n", "code", "sent to browsers"),
  inFile("a template for browsers", "static/src/thing.xml", "<templates/>\n", "code", "sent to browsers"),
  inFile("a large file for browsers", "static/lib/large.js", Buffer.alloc(48 << 20, "x"), "code", "sent to browsers"),
  inFile("how a copy is neutralized", "data/neutralize.sql", "SELECT 1;\n", "code", "when a copy is neutralized"),
  inFile(
    "the page in the list of apps",
    "static/description/index.html",
    "<p>Things</p>\n",
    "none",
    "shown in the list of apps",
  ),
  inFile("a test", "tests/test_thing.py", "X = 2\n", "none", "a test"),
  inFile("a text", "README.rst", "Things\n", "none", "nothing that Odoo loads"),

  // The manifest.
  inManifest("its summary", '"Things"', '"Many things"', "none", "only summary"),
  inManifest("its version", '"1.0"', '"1.1"', "data", "the version goes from 1.0 to 1.1"),
  inManifest("its dependencies", '["base"]', '["base", "mail"]', "schema", "depends: with mail"),
  inManifest("its data", '"views/thing.xml", ', "", "data", "data: without views/thing.xml"),
  inManifest(
    "the order of its data",
    '"views/thing.xml", "data/thing.xml"',
    '"data/thing.xml", "views/thing.xml"',
    "data",
    "another order",
  ),
  inManifest("its assets", "thing.js", "other.js", "code", "assets"),
  inManifest("a hook", "after_install", "at_install", "schema", "post_init_hook goes from after_install to at_install"),
  inManifest(
    "that it cannot be installed",
    '"version"',
    '"installable": False, "version"',
    "schema",
    "cannot be installed any more",
  ),
  inManifest(
    "that it can be installed, in words",
    '"version"',
    '"installable": True, "version"',
    "code",
    "only comments or layout",
  ),
  inManifest("a key that is not known", '"version"', '"magic": 1, "version"', "data", "magic of the manifest changed"),
  inManifest("a manifest that is computed", '"1.0"', "str(1)", "schema", "the manifest cannot be read"),
];
