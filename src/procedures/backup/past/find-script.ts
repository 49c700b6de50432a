/**
 * Finds the transactions that deleted or changed a record. The log names no record, only where on which page a row was written over: so
 * the committed deletions and updates of the record's table are read out of every archived segment, and the side cluster is then let
 * go forward to just before each that may be meant, where the row itself is asked for. `present` notes how the record is now, before
 * the segment is finished that everything until then lies in; `search` does the rest.
 *
 * Ends with 3 when the record is not as it must be now, 4 when there is no such model, 5 when no such transaction is there, 6 when there
 * are too many, 7 when a segment is missing.
 */
export const findScript = String.raw`
import datetime, json, os, re, subprocess, sys
mode, folder, database, model, record, what, host, port, superuser, psql, pg_ctl, pg_waldump, first, last = sys.argv[1:15]
archive_get = sys.argv[15:]
data, socket, wal = folder + "/cluster", folder + "/socket", folder + "/wal"
environment = {**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8"}
pauses_max, changes_max = 200, 10

def stop(code, words):
    print(words, file=sys.stderr)
    sys.exit(code)

def run(argv, **options):
    return subprocess.run(argv, stdout=subprocess.PIPE, encoding="utf-8", cwd="/", env=environment, **options)

def ask(side, sql, **values):
    place = ["-h", socket, "-p", "5432"] if side == "past" else ["-h", host, "-p", port]
    argv = [psql, *place, "-U", superuser, "-X", "-Atq", "-w", "-v", "ON_ERROR_STOP=1", "-d", database]
    argv += [word for name, value in values.items() for word in ("-v", "%s=%s" % (name, value))]
    opening = "set client_encoding to 'UTF8'; set timezone to 'UTC'; set search_path to public; set default_transaction_read_only = on; set statement_timeout = 0;\n"
    return [json.loads(line) for line in run(argv, input=opening + sql, check=True).stdout.splitlines() if line]

special = {"ir.actions.actions": "ir_actions", "ir.actions.act_window": "ir_act_window", "ir.actions.act_url": "ir_act_url",
  "ir.actions.server": "ir_act_server", "ir.actions.client": "ir_act_client", "ir.actions.report": "ir_act_report_xml"}
table = special.get(model, model.replace(".", "_"))

def columns(side):
    return dict(ask(side, "select json_build_array(attname, format_type(atttypid, null)) from pg_attribute "
        "where attrelid = to_regclass(quote_ident(:'table')) and attnum > 0 and not attisdropped;", table=table))

def relation(side):
    found = ask(side, "select json_build_array(coalesce(nullif(c.reltablespace, 0), d.dattablespace), d.oid, pg_relation_filenode(c.oid)) "
        "from pg_class c, pg_database d where c.oid = to_regclass(quote_ident(:'table')) and d.datname = current_database();", table=table)
    return "/".join(map(str, found[0]))

def rows(side):
    known = columns(side)
    if "id" not in known: stop(4, model)
    names = [name for name in ("name", "complete_name", "display_name", "ref", "login", "code", "number") if name in known]
    tests = [('%s->>' + "'en_US'" if known[name] == "jsonb" else "%s::text") % ("t." + name) + " = :'record'" for name in names]
    if record.isdigit(): tests = ["t.id = :'record'::bigint"]
    if not tests: stop(3, model + " has no name: write the record's id")
    found = ask(side, "select json_build_object('id', t.id, 'place', t.ctid::text, 'row', to_json(t)) from only :\"table\" t where " + " or ".join(tests) + " order by t.id;",
        table=table, record=record)
    return [{**one, "place": (relation(side), *map(int, re.findall(r"\d+", one["place"])))} for one in found]

if mode == "present":
    found = rows("present")
    if what == "deleted" and record.isdigit() and found: stop(3, "%s %s is there" % (model, record))
    if what == "changed" and len(found) != 1: stop(3, "%s %s is there %d times" % (model, record, len(found)))
    with open(folder + "/present.json", "w") as file: json.dump(found, file)
    sys.exit(0)

# The log: what was written over, and by which transaction that was committed.
size = ask("present", "select setting::bigint from pg_settings where name = 'wal_segment_size';")[0]
version = ask("present", "select current_setting('server_version_num')::int;")[0]
per = 0x100000000 // size

def number(name): return int(name[8:16], 16) * per + int(name[16:24], 16)
def name_of(n): return first[:8] + "%08X%08X" % (n // per, n % per)
def place(n): return "%X/%X" % (n // per, n % per * size)
def lsn(text):
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)

def fetch(n):
    file = wal + "/" + name_of(n)
    if os.path.exists(file): return
    done = run(archive_get + [name_of(n), file], stderr=subprocess.STDOUT)
    if done.returncode != 0: stop(7 if done.returncode == 1 else done.returncode, done.stdout + "\nsegment " + name_of(n) + " is not in the archive")

def log(begin, end):
    """The lines of the log; a record may end in the segment after the one that it begins in."""
    os.makedirs(wal, exist_ok=True)
    for n in range(begin, end + 1):
        if (n - begin) % 50 == 49: print("segment %d of %d" % (n - begin + 1, end - begin + 1), file=sys.stderr, flush=True)
        fetch(n)
        if n < end: fetch(n + 1)
        kinds = ["-r", "Heap", "-r", "Transaction"] if version >= 150000 else []
        argv = [pg_waldump, "-p", wal, "-t", str(int(first[:8], 16)), "-s", place(n), "-e", place(n + 1), *kinds]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE if n == end else None, encoding="utf-8", errors="replace", cwd="/", env=environment)
        for line in process.stdout:
            if line.startswith(("rmgr: Heap ", "rmgr: Transaction")): yield n, line
        # The last one is not followed by anything, which it calls an error.
        if process.wait() != 0 and n < end: stop(7, "segment " + name_of(n) + " cannot be read")
        os.unlink(wal + "/" + name_of(n))

head = re.compile(r"tx: +(\d+), lsn: ([0-9A-F]+/[0-9A-F]+),.*? desc: ([A-Z_+]+)")
block = re.compile(r"blkref #(\d+): rel (\d+/\d+/\d+)(?: fork \w+)? blk (\d+)")

def written(line):
    """Which row a record of the log is of: its place before and after; None for what writes none over."""
    tx, at, kind = head.search(line).groups()
    kind = kind.split("+")[0]
    if kind not in ("INSERT", "DELETE", "UPDATE", "HOT_UPDATE"): return None
    blocks = {int(number): (rel, int(blk)) for number, rel, blk in block.findall(line)}
    if 0 not in blocks: return None
    old = re.search(r"(?:\bold_|\b)off:? (\d+)", line)
    new = re.search(r"new[ _]off:? (\d+)", line)
    rel, blk = blocks[0]
    before = (*blocks.get(1, blocks[0]), int(old.group(1))) if kind != "INSERT" else None
    after = (rel, blk, int((new or old).group(1))) if kind != "DELETE" else None
    return {"xid": int(tx), "lsn": lsn(at), "before": before, "after": after}

def changes(relations):
    """Committed transactions that wrote rows of the table over, in the order of their commits."""
    pending, found = {}, []
    for n, line in log(number(first), number(last)):
        if line.startswith("rmgr: Heap"):
            if not any("rel " + one + " " in line for one in relations): continue
            one = written(line)
            if one: pending.setdefault(one["xid"], []).append({**one, "segment": n})
            continue
        tx, at, kind = head.search(line).groups()
        subs = re.search(r"subxacts: ([\d ]+)", line)
        all = [int(tx), *(map(int, subs.group(1).split()) if subs else [])]
        ops = sorted((op for xid in all for op in pending.pop(xid, [])), key=lambda op: op["lsn"])
        if kind != "COMMIT" or not ops: continue
        stamp = re.search(r"COMMIT (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+)", line).group(1)
        found.append({"xid": int(tx), "all": all, "stamp": datetime.datetime.fromisoformat(stamp), "lsn": lsn(at), "segment": n, "ops": ops})
    return found

# The side cluster: let go on until just before a transaction, or just after.
def pause(xid, inclusive):
    run([pg_ctl, "stop", "-s", "-m", "fast", "-w", "-D", data], check=True)
    with open(data + "/postgresql.auto.conf") as file: kept = [line for line in file if not line.startswith("recovery_target")]
    kept += ["recovery_target_xid = '%d'\n" % xid, "recovery_target_inclusive = %s\n" % ("on" if inclusive else "off"), "recovery_target_action = pause\n"]
    with open(data + "/postgresql.auto.conf", "w") as file: file.writelines(kept)
    started = run([pg_ctl, "start", "-w", "-s", "-t", "86400", "-D", data, "-l", data + "/log"])
    while started.returncode == 0:
        if run([pg_ctl, "status", "-D", data]).returncode != 0: break
        state = run([psql, "-h", socket, "-p", "5432", "-U", superuser, "-XAtq", "-d", "postgres", "-c", "select pg_get_wal_replay_pause_state()"], stderr=subprocess.DEVNULL)
        if state.stdout.strip() == "paused": return
        run(["sleep", "0.1"])
    with open(data + "/log") as file: stop(7, "".join([line for line in file if "FATAL" in line or "PANIC" in line][-3:]))

def traced(change):
    """Who the rows say wrote them that the transaction wrote: the one who deletes leaves no name on what is gone."""
    places = {}
    for n, line in log(change["ops"][0]["segment"], min(change["segment"] + 1, number(last))):
        if not line.startswith("rmgr: Heap"): continue
        one = written(line)
        if one and one["xid"] in change["all"] and one["after"]: places.setdefault(one["after"][0], []).append("(%d,%d)" % one["after"][1:])
    found = []
    for rel, written_to in places.items():
        named = ask("past", "select json_build_array(c.oid::regclass::text, (select array_agg(attname) from pg_attribute a where attrelid = c.oid and attname in ('write_uid', 'create_uid'))) "
            "from pg_class c where relfilenode = :filenode and relkind = 'r' and relpersistence = 'p';", filenode=rel.split("/")[2])
        for name, found_columns in named:
            if found_columns and "write_uid" in found_columns:
                found += ask("past", "select to_json(write_uid) from only " + name + " where ctid = any ('{" + ",".join('"%s"' % one for one in written_to) + "}'::tid[]) and write_uid is not null;")
    # One name is an answer; several are none.
    return found[0] if len(set(found)) == 1 else None

def person(uid):
    if uid is None: return {"uid": None, "login": None, "name": None}
    found = ask("present", "select json_build_array(u.login, p.name) from res_users u left join res_partner p on p.id = u.partner_id where u.id = :uid;", uid=uid)
    login, name = found[0] if found else (None, None)
    return {"uid": uid, "login": login, "name": name}

def instant(stamp): return stamp.isoformat(timespec="microseconds") + "Z"

def told(change, row, more):
    # The server counts microseconds: the one before is the last at which it was as it was.
    at = instant(change["stamp"] - datetime.timedelta(microseconds=1))
    name = row and next((row[key] for key in ("name", "display_name", "complete_name", "login") if row.get(key)), None)
    return {"at": at, "committedAt": instant(change["stamp"]), "xid": change["xid"], "id": row and row["id"], "name": name.get("en_US") if isinstance(name, dict) else name, **more}

def find_deleted():
    start = rows("past")
    since = lsn(ask("past", "select to_json(pg_last_wal_replay_lsn()::text);")[0])
    deleting = [one for one in changes({relation("past"), relation("present")}) if one["lsn"] >= since]
    every = sorted((op for one in deleting for op in one["ops"]), key=lambda op: op["lsn"])
    def ends(place):
        for op in every:
            if op["before"] != place: continue
            if op["after"] is None: return op["xid"]
            place = op["after"]
    candidates = [one for one in deleting if any(op["after"] is None for op in one["ops"])]
    # A row that is there at the beginning is followed from place to place: only one transaction can be meant.
    followed = [ends(one["place"]) for one in start]
    if record.isdigit() and start: candidates = [one for one in candidates if followed[0] in one["all"]]
    if len(candidates) > pauses_max: stop(6, "%d transactions deleted records of %s" % (len(candidates), model))
    found = []
    for change in candidates:
        pause(change["xid"], False)
        for one in rows("past"):
            if not is_deleted(change, one["place"]): continue
            pause(change["xid"], True)
            if any(other["id"] == one["id"] for other in rows("past")): continue
            found.append(told(change, one["row"], {"columns": [], "by": person(traced(change))}))
    return found

def is_deleted(change, place):
    """The transaction deleted the row, perhaps after it had changed it."""
    for op in change["ops"]:
        if op["before"] != place: continue
        if op["after"] is None: return True
        place = op["after"]
    return False

def find_changed():
    with open(folder + "/present.json") as file: now = json.load(file)[0]
    at, seen, ids = tuple(now["place"]), [], str(now["id"])
    # Back from where the row is now, from place to place.
    for change in reversed(changes({relation("past"), relation("present")})):
        for op in reversed(change["ops"]):
            if op["after"] != at: continue
            if op["before"] is None: at = None
            else:
                at = op["before"]
                if change not in seen: seen.append(change)
        if at is None or len(seen) == changes_max: break
    since = lsn(ask("past", "select to_json(pg_last_wal_replay_lsn()::text);")[0])
    seen = [change for change in reversed(seen) if change["lsn"] >= since]
    states = []
    for change in seen:
        pause(change["xid"], False)
        states.append(next(iter(ask("past", "select to_json(t) from only :\"table\" t where id = :id;", table=table, id=ids)), None))
    states.append(now["row"])
    found = []
    for change, before, after in zip(seen, states, states[1:]):
        # Made by the transaction itself: there was nothing that it changed.
        if before is None or after is None: continue
        def short(value): return value if len(json.dumps(value)) < 80 else json.dumps(value)[:76] + " ..."
        differs = [{"column": key, "before": short(before.get(key)), "after": short(after[key])} for key in after
            if key not in ("write_date", "write_uid") and before.get(key) != after[key]]
        found.append(told(change, before, {"columns": differs, "by": person(after.get("write_uid"))}))
    return found

found = find_deleted() if what == "deleted" else find_changed()
if not found: stop(5, "%s %s" % (model, record))
print(json.dumps({"candidates": found}))
`;
