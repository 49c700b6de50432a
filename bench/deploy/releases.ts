import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Draft } from "../../test/harness/repository.ts";

/** Releases of the practice modules as developers make them, each on top of the one before. */

const ledger = "ipai_demo_ledger";
const label = "ipai_demo_label";
const entry = `${ledger}/models/entry.py`;
const views = `${ledger}/views/entry_views.xml`;

/** Two modules: a new field that is shown, and another look. */
export async function ordinary(draft: Draft, number: number): Promise<void> {
  await addField(draft, `remark_${number} = fields.Char()`);
  await draft.edit(views, '<field name="state"/>', `<field name="state"/>\n<field name="remark_${number}"/>`);
  await bump(draft, ledger, number);
  await bump(draft, "ipai_demo_report", number);
}

/** Code alone: what the ledger's scheduled action does. */
export function codeAlone(draft: Draft, number: number): Promise<void> {
  return replace(draft, entry, /due\.write\(\{"state": "posted"\}\).*/, `due.write({"state": "posted"})  # ${number}`);
}

/** What an upgrade may be, from what costs least to what costs most. */
export interface Upgrade {
  readonly name: string;
  readonly install?: string;
  make(draft: Draft): Promise<void>;
}

export const upgrades: readonly Upgrade[] = [
  {
    name: "a view",
    make: async (draft) => {
      await draft.edit(views, 'sum="Total"', 'sum="Sum"');
      await bump(draft, ledger, 101);
    },
  },
  {
    name: "a stored computed field",
    make: async (draft) => {
      const compute = 'compute="_compute_weight", store=True';
      await addField(draft, `weight = fields.Float(${compute})`);
      await draft.edit(
        entry,
        "    @api.model\n",
        `    @api.depends("amount", "note")\n    def _compute_weight(self):\n        for one in self:\n            one.weight = one.amount * len(one.note or "")\n\n    @api.model\n`,
      );
      await bump(draft, ledger, 102);
    },
  },
  { name: "a new module with a model and its data", install: label, make: addLabels },
  {
    name: "a migration script that writes every row",
    make: async (draft) => {
      const script = "update ipai_demo_entry set note = coalesce(note, '') || ' (looked through)'";
      await draft.put(
        `${ledger}/migrations/1.104.0/post-look.py`,
        `def migrate(cr, version):\n    cr.execute("${script}")\n`,
      );
      await bump(draft, ledger, 104);
    },
  },
  {
    name: "three modules",
    make: async (draft) => {
      await ordinary(draft, 105);
      await bump(draft, label, 105);
    },
  },
];

async function addLabels(draft: Draft): Promise<void> {
  const files = {
    "__init__.py": "from . import models\n",
    "__manifest__.py": `{\n    "name": "IPAI Demo Label",\n    "version": "1.0.0",\n    "license": "LGPL-3",\n    "depends": ["ipai_demo_ledger"],\n    "data": ["security/ir.model.access.csv", "data/labels.xml"],\n}\n`,
    "models/__init__.py": "from . import label\n",
    "models/label.py": `from odoo import fields, models\n\n\nclass Label(models.Model):\n    _name = "ipai.demo.label"\n    _description = "Demo Label"\n\n    name = fields.Char(required=True)\n`,
    "security/ir.model.access.csv":
      "id,name,model_id:id,group_id:id,perm_read,perm_write,perm_create,perm_unlink\nlabel,label,model_ipai_demo_label,base.group_user,1,1,1,1\n",
    "data/labels.xml": `<odoo>\n${Array.from({ length: 500 }, (_, index) => `<record id="label_${index}" model="ipai.demo.label"><field name="name">Label ${index}</field></record>`).join("\n")}\n</odoo>\n`,
  };
  for (const [path, text] of Object.entries(files)) await draft.put(`${label}/${path}`, text);
}

function addField(draft: Draft, field: string): Promise<void> {
  return draft.edit(entry, "    note =", `    ${field}\n    note =`);
}

function bump(draft: Draft, module: string, number: number): Promise<void> {
  return replace(draft, `${module}/__manifest__.py`, /"version": "[^"]*"/, `"version": "1.${number}.0"`);
}

async function replace(draft: Draft, path: string, what: RegExp, by: string): Promise<void> {
  const text = await readFile(join(draft.folder, path), "utf8");
  if (!what.test(text)) throw new Error(`${path} has nothing like ${what}`);
  await draft.put(path, text.replace(what, by));
}
