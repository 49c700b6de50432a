/**
 * Reads records of an opened past into a folder. `records.json` has each with its values, the lines that belong to it (one2many), the ids
 * of what it is linked with (many2many) and its attachments; each model's values stand in a CSV beside. `attachments` lists the files, as
 * `sha1sum --check` reads them. Ends with 3 when not every record is there, and with 4 when there is no such model.
 */
export const extractScript = String.raw`
import csv, json, os, subprocess, sys
folder, database, model, ids = sys.argv[1], sys.argv[2], sys.argv[3], [int(one) for one in sys.argv[4].split(",")]
client = sys.argv[5:] + ["-X", "-Atq", "-w", "-v", "ON_ERROR_STOP=1", "-d", database]

def stop(code, words):
    print(words, file=sys.stderr)
    sys.exit(code)

def ask(sql, **values):
    argv = client + [word for name, value in values.items() for word in ("-v", "%s=%s" % (name, value))]
    done = subprocess.run(argv, input="set client_encoding to 'UTF8'; set timezone to 'UTC'; set search_path to public;\n" + sql,
        stdout=subprocess.PIPE, encoding="utf-8", cwd="/", check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line]

special = {"ir.actions.actions": "ir_actions", "ir.actions.act_window": "ir_act_window", "ir.actions.act_window.view": "ir_act_window_view",
  "ir.actions.act_url": "ir_act_url", "ir.actions.server": "ir_act_server", "ir.actions.client": "ir_act_client",
  "ir.actions.report": "ir_act_report_xml", "ir.actions.todo": "ir_actions_todo"}

def table_of(name): return special.get(name, name.replace(".", "_"))

def columns_of(table):
    return [one for one in ask("select to_json(attname) from pg_attribute where attrelid = to_regclass(quote_ident(:'table')) "
        "and attnum > 0 and not attisdropped order by attname;", table=table)]

def rows(table, column, wanted, where=""):
    if not wanted: return []
    wanted = "{" + ",".join(map(str, sorted(wanted))) + "}"
    return ask('select to_json(t) from only :"table" t where t.:"column" = any (' + ":'wanted') " + where + " order by t.id;",
        table=table, column=column, wanted=wanted)

table = table_of(model)
if "id" not in columns_of(table): stop(4, model)
records = rows(table, "id", ids)
missing = sorted(set(ids) - {one["id"] for one in records})
if missing: stop(3, model + " " + ", ".join(map(str, missing)))

fields = ask("select json_build_object('name', name, 'type', ttype, 'model', relation, 'inverse', relation_field, 'table', relation_table, "
  "'one', column1, 'other', column2) from ir_model_fields where model = :'model' and ttype in ('one2many', 'many2many') order by name;", model=model)
children, owned = {}, {model: set(ids)}
for record in records: record["_lines"], record["_links"], record["_attachments"] = {}, {}, []
by_id = {one["id"]: one for one in records}
for field in fields:
    if field["type"] == "one2many" and field["inverse"]:
        child = table_of(field["model"])
        columns = columns_of(child)
        if field["inverse"] not in columns: continue
        # Messages, activities and attachments name their owner by its model and its id.
        owner = next((name for name in ("res_model", "model") if field["inverse"] == "res_id" and name in columns), None)
        where = "and t." + owner + " = '" + model + "'" if owner else ""
        for one in rows(child, field["inverse"], ids, where):
            by_id[one[field["inverse"]]]["_lines"].setdefault(field["name"], []).append(one)
            children.setdefault(field["model"], {})[one["id"]] = one
            owned.setdefault(field["model"], set()).add(one["id"])
    elif field["type"] == "many2many" and field["table"] and field["one"] in columns_of(field["table"]):
        found = ask('select json_build_array(:"one", :"other") from :"table" where :"one" = any (' + ":'wanted') order by :\"other\";",
            one=field["one"], other=field["other"], table=field["table"], wanted="{" + ",".join(map(str, ids)) + "}")
        for one, other in found: by_id[one]["_links"].setdefault(field["name"], []).append(other)

attachments = {}
for owner, wanted in owned.items():
    for one in rows("ir_attachment", "res_id", wanted, "and t.res_model = '" + owner + "'"):
        attachments[one["id"]] = one
        one["file"] = "files/" + one["store_fname"] if one.get("store_fname") else None
        if owner == model: by_id[one["res_id"]]["_attachments"].append(one)

def write(name, lines):
    with open(os.path.join(folder, name), "w", encoding="utf-8", newline="") as file: file.writelines(lines)

def write_csv(name, found):
    with open(os.path.join(folder, name + ".csv"), "w", encoding="utf-8", newline="") as file:
        columns = sorted({key for one in found for key in one if not key.startswith("_")}, key=lambda key: (key != "id", key))
        writer = csv.writer(file)
        writer.writerow(columns)
        for one in found: writer.writerow(["" if one.get(key) is None else json.dumps(one[key]) if isinstance(one[key], (dict, list)) else one[key] for key in columns])

write_csv(model, records)
for name, found in children.items():
    if name != model: write_csv(name, list(found.values()))
files = sorted({(one["checksum"], one["store_fname"]) for one in attachments.values() if one.get("store_fname") and one.get("checksum")})
write("attachments", ["%s  %s\n" % one for one in files])
write("records.json", [json.dumps({"model": model, "records": records, "attachments": list(attachments.values())}, indent=1, ensure_ascii=False)])
print(json.dumps({"records": len(records), "children": {name: len(found) for name, found in children.items()}, "attachments": len(attachments)}))
`;
