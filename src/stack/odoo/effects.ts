/**
 * What an update does that no log says, in Python for Odoo's shell on a copy. Asked before it with the old code and after it with the new, it
 * prints JSON lines: `view`, one that Odoo itself calls invalid; `kept`, a field of a record that an update leaves alone (noupdate) and that
 * the code's own files say otherwise; `off`, a scheduled action that those files switch off; `unknown`, what could not be asked.
 *
 * Each record is put as its file has it, by Odoo's own loader in its first mode, then looked at, then put back: nothing is guessed of what a
 * file means. Of the values only a digest is told, since they may be secret. Left out are CSV, menus, lines that a record makes anew (one2many), and
 * what functions in a file do. The copy has been silenced, so that what this took out differs as well, before and after alike.
 */
export const effectsScript = `
import hashlib, json, os
from lxml import etree
from odoo.modules.module import get_manifest
from odoo.tools import file_open
from odoo.tools.convert import xml_import

class Back(Exception):
    pass

def tell(kind, **told):
    print(json.dumps({"kind": kind, **told}))

def why(error):
    lines = [line.strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not line.startswith(("<", "Error while", "View error context"))]
    return (said or lines or [""])[0][:300] or type(error).__name__

def undone(cr, work):
    """What a work answers whose changes are taken back."""
    answer = None
    try:
        with cr.savepoint():
            answer = work()
            raise Back
    except Back:
        return answer

def digests(record, names):
    record.invalidate_recordset()
    found = {}
    for name in names:
        value = record[name]
        if record._fields[name].relational:
            value = sorted(value.ids)
        found[name] = hashlib.sha256(repr(value).encode()).hexdigest()
    return found

class Files(xml_import):
    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        self._tags = {tag: how for tag, how in self._tags.items() if tag not in ("function", "delete", "menuitem")}

    def _tag_record(self, rec, extra_vals=None):
        # One in another is a line of it.
        if extra_vals is not None or not rec.get("id"):
            return None
        xid = self.make_xml_id(rec.get("id"))
        try:
            self.look(rec, xid)
        except Exception as error:
            tell("unknown", what=xid, why=why(error))

    def look(self, rec, xid):
        module, name = xid.split(".", 1)
        known = self.env["ir.model.data"].search([("module", "=", module), ("name", "=", name)], limit=1)
        record = known and self.env[known.model].browse(known.res_id).exists()
        if not record:
            return
        given = [field.get("name") for field in rec.iterchildren("field")]
        if known.noupdate:
            names = [one for one in given if one in record._fields and record._fields[one].type != "one2many"]
            before = digests(record, names)
            after = undone(self.env.cr, lambda: self.load(rec, record, names))
            for one in names:
                if before[one] != after[one]:
                    tell("kept", record=xid, model=record._name, field=one, file=after[one])
        elif record._name == "ir.cron" and "active" in given:
            if undone(self.env.cr, lambda: self.is_off(rec, record)):
                tell("off", cron=xid + "|" + record.cron_name)

    def load(self, rec, record, names):
        super()._tag_record(rec)
        self.env.flush_all()
        return digests(record, names)

    def is_off(self, rec, record):
        self.env.cr.execute("update ir_cron set active = true where id = %s", [record.id])
        record.invalidate_recordset()
        super()._tag_record(rec)
        return not record.active

def look_through(module):
    for name in get_manifest(module).get("data", []):
        if not name.endswith(".xml"):
            continue
        path = module + "/" + name
        try:
            with file_open(path, "rb") as file:
                root = etree.parse(file).getroot()
            Files(env(context={}), module, {}, "init", xml_filename=path).parse(root)
        except Exception as error:
            tell("unknown", what=path, why=why(error))

for module in json.loads(os.environ["MODULES"]):
    look_through(module)
for view in env["ir.ui.view"].search([], order="id"):
    try:
        undone(env.cr, view._check_xml)
    except Exception as error:
        tell("view", view=view.xml_id or "%s (%d)" % (view.name, view.id), model=view.model or "", why=why(error))
tell("done")
`;
