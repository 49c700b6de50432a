/** All that a release changes, in Python: the addons, what lies beside them, and what their authors say of it. */
export const answerScript = String.raw`
version = "%d.%d" % sys.version_info[:2]
BREAKING = re.compile(r"(?<!non-)(?<!non )(?<!not )\bbreaking\b|\bincompatible\b", re.I)
BREAKING_SUBJECT = re.compile(r"^\w+(\([^)]*\))?!:|(?<!non-)\bbreaking\b", re.I)
BREAKING_FOOTER = re.compile(r"^BREAKING[ -]CHANGES?\b", re.M)
IMPORTS = re.compile(rb"\bodoo\.addons\b")
CHANGELOG = re.compile(r"(changelog|changes|history|news)(\.(md|rst|txt))?", re.I)
CONVERTS = re.compile(r"\s(filter=|eol=crlf|ident\b|working-tree-encoding=)")

def tell(kind, told):
    print(json.dumps({kind: told}))

def addons_of(tree, folders):
    """Of several with one name the first counts, as for Odoo."""
    found = {}
    for folder in folders:
        node = tree.find(folder)
        for name in sorted(node) if isinstance(node, dict) else []:
            if name not in found and isinstance(tree.find(posixpath.join(folder, name)), dict):
                manifest = tree.find(posixpath.join(folder, name, "__manifest__.py"))
                if isinstance(manifest, tuple):
                    found[name] = folder
    return found

texts_of = {}
def data_texts(tree):
    """Every data file of every addon of a commit; read once."""
    if tree not in texts_of:
        texts_of[tree] = [text for addon in sides[tree].values() for path in addon.files if path.endswith((".xml", ".csv")) and not path.startswith("static/")
            for text in [addon.content(path)] if text and (b"static/" in text or b"/" in text and b"file=" in text)]
    return texts_of[tree]

def use_of(name):
    """What other addons import of this one: the names that count there, and its modules."""
    names, roots = set(), set()
    word = re.compile(rb"\bodoo\.addons(\.|\s+import\s.*\b)" + name.encode() + rb"\b")
    for path, text in (entry for tree in trees for entry in imports_of(tree)):
        if not word.search(text) or path.split("/")[0] == name:
            continue
        try:
            source = Source(path, ast.parse(text))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        counted = [part for part in source.parts] + [part for parts in source.known_as.values() for part in parts if part.key[0] != "function"]
        names |= {name for part in counted for name in names_in(part.nodes) - set(part.bases)}
        for node in source.imports:
            steps_of = (node.module or "").split(".") if isinstance(node, ast.ImportFrom) else node.names[0].name.split(".")
            if steps_of[:3] == ["odoo", "addons", name]:
                roots |= {"/".join(steps_of[3:] + [last]) for last in [alias.name for alias in node.names]} | {"/".join(steps_of[3:])}
            elif steps_of == ["odoo", "addons"]:
                roots.add("")
    return names, roots

imports_read = {}
def imports_of(tree):
    """Python that imports from addons, by addon and path."""
    if tree not in imports_read:
        imports_read[tree] = [(addon.name + "/" + path, text) for addon in sides[tree].values() for path in addon.files if is_python(path)
            for text in [addon.content(path)] if text and IMPORTS.search(text)]
    return imports_read[tree]

def users_of(name, side):
    """Addons that import this one without depending on it: Odoo does not update them with it."""
    word = re.compile(rb"\bodoo\.addons(\.|\s+import\s.*\b)" + name.encode() + rb"\b")
    for path, text in imports_of(new_tree):
        other = path.split("/")[0]
        if other != name and word.search(text) and name not in depends_of(other, side):
            yield other, path

def depends_of(name, side):
    found, ahead = set(), [name]
    while ahead:
        addon = side.get(ahead.pop())
        for one in listed(addon.manifest.get("depends")) if addon else []:
            if one not in found:
                found.add(one)
                ahead.append(one)
    return found

def judge(old, new):
    """The reasons for one addon that is in both commits."""
    if old.files == new.files and old.path == new.path:
        return Findings(new)
    changed_python = any(is_python(path) and old.files.get(path) != new.files.get(path) for path in {*old.files, *new.files})
    found = compare(old, new, use_of(new.name) if changed_python else (set(), set()))
    return found

def removed_or_new(addon, is_new):
    found = Findings(addon)
    if is_new:
        found.add("__manifest__.py", "schema", "a new addon: to install it makes what it defines")
    else:
        found.add("__manifest__.py", "schema", "the addon is gone: where it is installed, Odoo cannot load it any more")
    return found

def renames(gone, come):
    """Pairs of a removed and a new addon of which most files are the same."""
    pairs, taken = {}, set()
    for old in gone:
        names = {name for _, name in old.files.values()}
        for new in come:
            same = len(names & {name for _, name in new.files.values()})
            if new.name not in taken and same * 2 > max(len(old.files), len(new.files)) and same > 0:
                pairs[old.name], pairs[new.name] = new.name, old.name
                taken.add(new.name)
                break
    return pairs

def external(addon):
    given = addon.manifest.get("external_dependencies") if addon else None
    given = given if isinstance(given, dict) else {}
    return {kind: listed(given.get(kind)) for kind in ("python", "bin")}

def tell_addons():
    old_side, new_side = sides[old_tree], sides[new_tree]
    gone = [old_side[name] for name in sorted(set(old_side) - set(new_side))]
    come = [new_side[name] for name in sorted(set(new_side) - set(old_side))]
    pairs, findings = renames(gone, come), {}
    for name in sorted({*old_side, *new_side}):
        old, new = old_side.get(name), new_side.get(name)
        findings[name] = judge(old, new) if old and new else removed_or_new(new or old, new is not None)
    for name, found in list(findings.items()):
        if any(one["kind"] in ("data", "schema") and one["file"].endswith(".py") for one in found.reasons) and name in new_side and name in old_side:
            for other, path in users_of(name, new_side):
                findings[other].reasons.append({"file": shown(posixpath.join(new_side[other].path, path.split("/", 1)[1])), "kind": found.kind(),
                    "why": "imports " + name + ", which changed, without depending on it"})
    for name, found in findings.items():
        tell_addon(name, old_side.get(name), new_side.get(name), found, pairs.get(name))

def tell_addon(name, old, new, found, pair):
    addon = new or old
    manifest = addon.manifest
    is_same = old and new and old.files == new.files and old.path == new.path
    hash_now = old.hash() if old else None
    tell("addon", {"name": name, "path": shown(addon.path), "change": "same" if is_same else "changed" if old and new else "new" if new else "removed",
        "version": str(manifest.get("version", "1.0")), "versionNow": str(old.manifest.get("version", "1.0")) if old else None,
        "depends": listed(manifest.get("depends")), "external": external(addon), "isInstallable": bool(manifest.get("installable", True)),
        "hash": hash_now if is_same else new.hash() if new else None, "hashNow": hash_now,
        "renamed": pair, "pathNow": shown(old.path) if old and new and old.path != new.path else None, "kind": found.kind(), "reasons": found.reasons})
    for broken in (new.broken if new else []):
        tell("broken", broken)
    if not is_same:
        empty = Empty(addon)
        for row in compare_access(old or empty, new or empty):
            tell("access", row)
        for guard in compare_guards(old or empty, new or empty):
            tell("guard", guard)
    for kind, names in external(new).items():
        for one in names:
            if one not in external(old)[kind]:
                what = "the Python package " if kind == "python" else "the program "
                tell("image", {"file": shown(new.path + "/__manifest__.py"), "why": name + " needs " + what + one})

class Empty:
    """An addon that is not there."""
    def __init__(self, addon):
        self.name, self.path, self.loads = addon.name, addon.path, []

def pattern_of(glob):
    """A pattern without a slash is a name anywhere, one that ends with a slash a folder; ** is any depth."""
    folder = glob.rstrip("/") + "/**" if glob.endswith("/") else glob
    words = re.split(r"(\*\*/|\*\*|\*|\?)", folder.lstrip("/"))
    steps_of = {"**/": "(.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    body = "".join(steps_of.get(word, re.escape(word)) for word in words)
    return re.compile(body if "/" in glob.rstrip("/") or glob.startswith("/") or glob.endswith("/") else "(.*/)?" + body)

def tell_files():
    images, configurations = ([(glob, pattern_of(glob)) for glob in given[kind]] for kind in ("image", "configuration"))
    inside = [addon.path + "/" for side in sides.values() for addon in side.values()]
    for path, modes, names in changed_files():
        entry = {"file": shown(path), "why": "is there from now on" if modes[0] == "000000" else "is gone" if modes[1] == "000000" else "changed"}
        fits = [kind for kind, patterns in (("image", images), ("configuration", configurations)) if any(one.fullmatch(path) for _, one in patterns)]
        for kind in fits:
            tell(kind, entry)
        if SUBMODULE in modes:
            tell("submodule", {"path": shown(path), "from": names[0] if modes[0] == SUBMODULE else None, "to": names[1] if modes[1] == SUBMODULE else None})
        elif LINK in modes and leads_to_code(path):
            tell("doubt", {"file": shown(path), "why": "a link among the folders of addons changed"})
        if CHANGELOG.fullmatch(path.rsplit("/", 1)[-1]):
            tell_changelog(path)
        elif not fits and SUBMODULE not in modes and not path.startswith(tuple(inside)):
            tell("other", shown(path))

def leads_to_code(path):
    return any((folder + "/").startswith(path + "/") or posixpath.dirname(path) == folder.strip("/") for folder in given["addons"])

def changed_files():
    fields = git("diff-tree", "-r", "-z", "--no-renames", "--raw", given["from"], given["to"]).split(b"\0")[:-1]
    for head, path in zip(fields[::2], fields[1::2]):
        before, after, was, will, _ = head.decode().lstrip(":").split(" ")
        yield os.fsdecode(path), (before, after), (was, will)

def tell_changelog(path):
    words = ["diff", "--no-ext-diff", "--no-textconv", "--no-color", "--text", "-U0", given["from"], given["to"], "--", path]
    for line in git("--literal-pathspecs", *words).decode("utf-8", "replace").split("\n"):
        if line.startswith("+") and not line.startswith("+++ ") and line[1:].strip():
            tell("changelog", {"file": shown(path), "line": line[1:].rstrip(), "isBreaking": bool(BREAKING.search(line))})

def tell_commits():
    words = ["log", "-z", "--no-show-signature", "--no-color", "--encoding=UTF-8", "--format=%H%x00%s%x00%B", given["from"] + ".." + given["to"], "--"]
    fields = [field.decode("utf-8", "replace") for field in git(*words).split(b"\0")]
    for commit, subject, body in zip(fields[::3], fields[1::3], fields[2::3]):
        if BREAKING_SUBJECT.search(subject) or BREAKING_FOOTER.search(body):
            tell("breaking", {"commit": commit, "subject": subject})

def tell_conversions():
    """Where git writes another content than it keeps, the hash that files will have is not known."""
    for tree in trees:
        for path, (_, name) in walk(tree.root, ""):
            if path.rsplit("/", 1)[-1] == ".gitattributes" and CONVERTS.search((objects.content(name) or b"").decode("utf-8", "replace")):
                return tell("converted", shown(path))
    if subprocess.run(["git", "config", "core.autocrlf"], stdout=subprocess.PIPE).stdout.strip() == b"true":
        tell("converted", "core.autocrlf")

def walk(folder, below):
    for name, entry in folder.items():
        if isinstance(entry, dict):
            yield from walk(entry, below + name + "/")
        elif entry[0] not in (LINK, SUBMODULE):
            yield below + name, entry

given = {**json.loads(sys.argv[3]), "from": sys.argv[1], "to": sys.argv[2]}
sys.setrecursionlimit(5000)
old_tree, new_tree = trees = [Tree(given[key]) for key in ("from", "to")]
sides = {tree: {name: Addon(tree, folder, name) for name, folder in addons_of(tree, given["addons"]).items()} for tree in trees}
is_shallow = git("rev-parse", "--is-shallow-repository").strip() == b"true"
tell("release", {"from": given["from"], "to": given["to"], "python": version, "isShallow": is_shallow})
for folder in given["addons"]:
    if not isinstance(new_tree.find(folder), dict):
        tell("missing", folder)
tell_addons()
tell_files()
tell_commits()
tell_conversions()
`;
