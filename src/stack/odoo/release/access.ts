/** Who may do what after a release that could not do it before, in Python: access rows, groups and record rules of one addon. */
export const accessScript = String.raw`
RIGHTS = ("read", "write", "create", "unlink")
GUARDS = {"ir.rule", "res.groups", "res.groups.privilege", "ir.model.access"}

def compare_access(old, new):
    before, after = access_rows(old), access_rows(new)
    for row in sorted(set(before) | set(after)):
        was, will = before.get(row), after.get(row)
        if was == will:
            continue
        sides = [(was, will)] if not was or not will or was[1:3] == will[1:3] else [(was, None), (None, will)]
        for one, other in sides:
            path, model, group, _ = other or one
            had, has = (set(side[3]) if side else set() for side in (one, other))
            told = {"addon": new.name, "file": shown((new if other else old).path + "/" + path), "id": row, "model": model, "group": group,
                "gains": [right for right in RIGHTS if right in has - had], "loses": [right for right in RIGHTS if right in had - has]}
            if told["gains"] or told["loses"]:
                yield told

def access_rows(addon):
    """id: file, model, group ("" is everybody), rights. Only of files that an update loads."""
    found = {}
    for path in addon.loads:
        content = addon.content(path) if posixpath.basename(path) == "ir.model.access.csv" else None
        try:
            rows = list(csv.DictReader(io.StringIO((content or b"").decode("utf-8-sig"), newline="")))
        except (UnicodeDecodeError, csv.Error):
            continue
        for row in rows:
            values = {re.split("[:/]", key or "")[0].strip(): (value or "").strip() for key, value in row.items() if not isinstance(value, list)}
            rights = tuple(right for right in RIGHTS if values.get("perm_" + right, "").lower() not in ("", "0", "false"))
            found[values.get("id", "")] = (path, values.get("model_id", ""), values.get("group_id", ""), rights)
    return found

def compare_guards(old, new):
    before, after = guards(old), guards(new)
    for key in sorted(set(before) | set(after)):
        was, will = before.get(key), after.get(key)
        if (was or [None, None])[1] != (will or [None, None])[1]:
            change = "added" if not was else "removed" if not will else "changed"
            yield {"addon": new.name, "file": shown((new if will else old).path + "/" + (will or was)[0]), "id": key[1], "model": key[0], "change": change}

def guards(addon):
    """(model, id): file, and all that the record says. A record may be written more than once."""
    found = {}
    for path in addon.loads:
        content = addon.content(path) if path.endswith(".xml") else None
        if not content or not any(guard.encode() in content for guard in GUARDS):
            continue
        try:
            root = ElementTree.fromstring(content)
        except (ElementTree.ParseError, ValueError, LookupError):
            continue
        for node in root.iter():
            if node.tag in ("record", "delete") and node.get("model") in GUARDS:
                key = node.get("model"), node.get("id") or node.get("search") or ""
                text = re.sub(r"\s+", " ", ElementTree.tostring(node, encoding="unicode")).strip()
                found[key] = (path, found.get(key, ("", ""))[1] + text)
    return found
`;
