import { z } from "zod";
import { command } from "../../../runbook/action.ts";
import type { Act } from "../../../runbook/plan.ts";
import { suffixed, type Text } from "../../../runbook/value.ts";
import { pathExists } from "../../../stack/files.ts";
import { withoutLimits } from "../../../stack/postgres.ts";
import type { SideCluster } from "../../../stack/side.ts";
import type { Stack } from "../../../stack/stack.ts";
import { change } from "../../steps.ts";
import { fixedText } from "../manifest.ts";
import { noise } from "./noise.ts";

/**
 * What would be lost by going back: every row of every table, in the past and in the present, by its id and a checksum of its columns.
 * A date of last change is not asked: what writes past the ORM does not set it. Both databases are read at one instant each.
 */

const who = { uid: z.number().nullable(), login: z.string().nullable(), name: z.string().nullable() };
const counts = { created: z.number(), changed: z.number(), deleted: z.number() };
export const kindOfDifference = z.enum(["created", "changed", "deleted"]);

/** What `compare` notes in summary.json. */
export const differences = z.object({
  comparedAt: z.string(),
  ...counts,
  /** Of all three, in what changes by itself. */
  noise: z.number(),
  models: z.array(
    z.object({
      model: z.string(),
      label: z.string(),
      table: z.string(),
      kind: z.enum(["records", "links"]),
      /** Why nobody misses it; null for what somebody may. */
      noise: z.string().nullable(),
      ...counts,
      by: z.array(z.object({ ...who, ...counts })),
      /** The first 200 of each kind. */
      records: z.array(z.object({ id: z.number(), what: kindOfDifference, ...who, record: z.string().nullable() })),
    }),
  ),
});
export type Differences = z.infer<typeof differences>;

/** Where the comparison of a past is kept: a summary, and for each model a file with every record that differs. */
export function differencesOf(folder: Text): Text {
  return suffixed(folder, "/differences");
}

export function compareWithPresent(stack: Stack, side: SideCluster, folder: Text): Act {
  const { tools: host, postgres, config } = stack;
  const into = differencesOf(folder);
  const past = side.client("psql");
  const argv = [
    ...["/usr/bin/python3", "-c", compareScript],
    ...[into, config.odoo.database, JSON.stringify(noise), opening, String(past.length)],
    ...past,
    ...postgres.client("psql"),
  ] as unknown as readonly [Text, ...Text[]];
  const total = { from: "stdout", as: "json" } as const;
  return change(
    {
      id: "compare",
      title: "Compare every row with the present",
      action: command(host, argv, { exitCodes: { 1: "past.not_compared" } }),
    },
    {
      outputs: {
        created: { ...total, pick: ["created"] },
        changed: { ...total, pick: ["changed"] },
        deleted: { ...total, pick: ["deleted"] },
        noise: { ...total, pick: ["noise"] },
      },
      verify: [pathExists(host, suffixed(into, "/summary.json"), "what differs is noted")],
      timeoutSeconds: 6 * 3600,
    },
  );
}

/** The text of a value must not depend on settings that may have been changed between then and now. */
const opening = `begin isolation level repeatable read read only;
set local client_encoding to 'UTF8';
${withoutLimits}${fixedText}`;

/**
 * Two streams in the same order, merged: memory holds a line of each, and what differs. Tables of actions inherit from each other, so
 * `only`; tables without an id, which link records, are compared as bags of rows. What a table has on one side alone, such as a column
 * that an update added, is not compared.
 */
const compareScript = String.raw`
import json, os, subprocess, sys, tempfile
folder, database, noise, opening, count = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), sys.argv[4], int(sys.argv[5])
clients = {"past": sys.argv[6:6 + count], "present": sys.argv[6 + count:]}
listed, named = 200, ("complete_name", "name", "display_name", "subject", "login", "key", "code")

def start(side, sql):
    script = tempfile.TemporaryFile()
    script.write((opening + sql + "\ncommit;\n").encode())
    script.seek(0)
    argv = clients[side] + ["-X", "-Atq", "-w", "-v", "ON_ERROR_STOP=1", "-d", database]
    return subprocess.Popen(argv, stdin=script, stdout=subprocess.PIPE, cwd="/")

def lines(process, side):
    for line in process.stdout: yield line.decode().rstrip("\n")
    if process.wait() != 0: sys.exit("the " + side + " could not be read to its end")

def ask(side, sql): return list(lines(start(side, sql), side))

catalogue_sql = """
select json_build_object(
  'now', to_char(transaction_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
  'tables', (select json_object_agg(case when nspname = 'public' then '' else nspname || '.' end || relname, json_build_object(
      'from', format('%I.%I', nspname, relname),
      'columns', (select json_object_agg(attname, format_type(atttypid, null)) from pg_attribute
        where attrelid = c.oid and attnum > 0 and not attisdropped)))
    from pg_class c join pg_namespace n on n.oid = relnamespace
    where relkind = 'r' and relpersistence = 'p' and nspname <> 'information_schema' and nspname !~ '^pg_'),
  'users', (select json_object_agg(u.id, json_build_array(u.login, p.name)) from public.res_users u left join public.res_partner p on p.id = u.partner_id),
  'models', (select json_object_agg(model, to_jsonb(name)) from public.ir_model),
  'wizards', (select json_object_agg(model, true) from public.ir_model m where to_jsonb(m)->>'transient' = 'true'),
  'links', (select json_object_agg(relation_table, json_build_array(to_jsonb(field_description), model)) from public.ir_model_fields
    where ttype = 'many2many' and relation_table is not null));
"""
found = {side: json.loads(ask(side, catalogue_sql)[-1]) for side in clients}
tables = sorted(set(found["past"]["tables"]) | set(found["present"]["tables"]))

def known(key): return {**(found["past"][key] or {}), **(found["present"][key] or {})}
users, models, links, wizards = known("users"), known("models"), known("links"), known("wizards")
# Models whose table is named otherwise.
special = {"ir_actions": "ir.actions.actions", "ir_act_window": "ir.actions.act_window", "ir_act_window_view": "ir.actions.act_window.view",
  "ir_act_url": "ir.actions.act_url", "ir_act_server": "ir.actions.server", "ir_act_client": "ir.actions.client",
  "ir_act_report_xml": "ir.actions.report", "ir_actions_todo": "ir.actions.todo"}
model_of = {**{model.replace(".", "_"): model for model in models}, **special}

def text(label): return label if isinstance(label, str) else next(iter([label.get("en_US")] if label.get("en_US") else label.values()), "")

def quoted(name): return '"' + name.replace('"', '""') + '"'

def columns(table):
    both = [found[side]["tables"][table]["columns"] for side in clients if table in found[side]["tables"]]
    return sorted(set.intersection(*(set(one) for one in both)))

def has_id(table): return all(found[side]["tables"][table]["columns"].get("id") in ("integer", "bigint")
    for side in clients if table in found[side]["tables"])

def column_or_null(table, name): return quoted(name) if name in columns(table) else "null"

def query(side):
    parts = []
    for index, table in enumerate(tables):
        known = found[side]["tables"].get(table)
        if known is None: continue
        row = "md5(row(%s)::text)" % ",".join(map(quoted, columns(table)))
        asset = "url like '/web/assets/%'" if table == "ir_attachment" else "false"
        if has_id(table): inner = "select %d, id, %s, %s, %s, coalesce(%s, false) from only %s order by id" % (index, row,
            column_or_null(table, "create_uid"), column_or_null(table, "write_uid"), asset, known["from"])
        else: inner = 'select %d, h, h, null, null, false from (select %s as h from only %s) rows order by h collate "C"' % (index, row, known["from"])
        parts.append("copy (" + inner + ") to stdout;\n")
    return "".join(parts)

def rows(side):
    for line in lines(start(side, query(side)), side):
        index, key, checksum, created, written, asset = line.split("\t")
        place = int(index)
        yield (place, int(key) if ids[place] else key), checksum, created, written, asset == "t"

ids = [has_id(table) for table in tables]

class Group:
    def __init__(self, index, asset):
        table = tables[index]
        self.table, self.has_ids, self.model = table, ids[index], model_of.get(table)
        self.name = (self.model or table) + ("/assets" if asset else "")
        self.counts, self.by, self.first = {"created": 0, "changed": 0, "deleted": 0}, {}, {"created": [], "changed": [], "deleted": []}
        self.file = open(os.path.join(folder + ".partial", self.name.replace("/", "-") + ".jsonl"), "w")

    def add(self, what, key, uid):
        uid = None if uid in (None, "\\N") else int(uid)
        self.counts[what] += 1
        who = self.by.setdefault(uid, {"created": 0, "changed": 0, "deleted": 0})
        who[what] += 1
        if not self.has_ids: return
        self.file.write(json.dumps({"id": key, "what": what, "uid": uid}) + "\n")
        if len(self.first[what]) < listed: self.first[what].append((key, uid))

groups = {}
def note(what, row, uid):
    (index, key), _, _, _, asset = row
    if (index, asset) not in groups: groups[index, asset] = Group(index, asset)
    groups[index, asset].add(what, key, uid)

subprocess.run(["rm", "-rf", folder + ".partial"], check=True)
os.makedirs(folder + ".partial", mode=0o700)
old, new = rows("past"), rows("present")
a, b = next(old, None), next(new, None)
while a is not None or b is not None:
    if b is None or (a is not None and a[0] < b[0]):
        # Whoever deleted it left no trace in the database.
        note("deleted", a, None)
        a = next(old, None)
    elif a is None or b[0] < a[0]:
        note("created", b, b[2])
        b = next(new, None)
    else:
        if a[1] != b[1]: note("changed", b, b[3])
        a, b = next(old, None), next(new, None)

def names(side, kinds):
    parts, told = [], {}
    for at, group in groups.items():
        known = found[side]["tables"].get(group.table)
        wanted = [key for what in kinds for key, _ in group.first[what]]
        column = next((name for name in named if known and name in known["columns"]), None)
        if not wanted or column is None: continue
        value = quoted(column) + ("::text" if known["columns"][column] != "jsonb" else "->>'en_US'")
        parts.append("copy (select %d, id, replace(left(%s, 120), e'\\n', ' ') from only %s where id = any ('{%s}')) to stdout;\n"
            % (at[0], value, known["from"], ",".join(map(str, wanted))))
    for line in ask(side, "".join(parts)) if parts else []:
        index, key, name = line.split("\t", 2)
        if name != "\\N": told[int(index), int(key)] = name
    return told

def who(uid):
    login, name = users.get(str(uid), [None, None])
    return {"uid": uid, "login": login, "name": name}

def reason(group):
    if group.model in wizards: return noise["wizards"]
    return noise.get(group.name) or next((why for prefix, why in noise.items() if prefix.endswith("_") and group.table.startswith(prefix)), None)

def rank(one):
    # What people work on, then what they said, then what links and describes records, then what nobody misses.
    technical = one["kind"] != "records" or one["model"].split(".")[0] in ("ir", "base", "res.config", "report")
    place = 3 if one["noise"] else 2 if technical else 1 if one["model"].split(".")[0] == "mail" else 0
    return place, -one["deleted"] - one["created"] - one["changed"], one["model"]

told = {**names("past", ["deleted"]), **names("present", ["created", "changed"])}
summary = []
for (index, asset), group in groups.items():
    group.file.close()
    field, owner = links.get(group.table, (None, None))
    label = text(models[group.model]) if group.model in models else "%s of %s" % (text(field), owner) if field else group.table
    summary.append({"model": group.name, "label": label, "table": group.table, "noise": reason(group),
        "kind": "records" if ids[index] else "links", **group.counts,
        "by": sorted(({**who(uid), **counts} for uid, counts in group.by.items()), key=lambda one: -one["created"] - one["changed"]),
        "records": [{"id": key, "what": what, **who(uid), "record": told.get((index, key))} for what in group.first for key, uid in group.first[what]]})
total = {what: sum(one[what] for one in summary if not one["noise"]) for what in ("created", "changed", "deleted")}
total["noise"] = sum(one[what] for one in summary if one["noise"] for what in ("created", "changed", "deleted"))
with open(os.path.join(folder + ".partial", "summary.json"), "w") as file:
    json.dump({"comparedAt": found["present"]["now"], **total, "models": sorted(summary, key=rank)}, file)
subprocess.run(["rm", "-rf", folder], check=True)
os.rename(folder + ".partial", folder)
print(json.dumps(total))
`;
