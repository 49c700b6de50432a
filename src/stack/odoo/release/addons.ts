/** An addon in two commits, in Python: what Odoo has to do so that the second becomes true, and why. */
export const addonsScript = String.raw`
KINDS = ["none", "code", "data", "schema"]
# Shown in the list of apps, and read again from the disk.
PRESENTATION = {"name", "summary", "description", "author", "authors", "website", "category", "maintainer", "maintainers", "contributors",
    "images", "images_preview_theme", "price", "currency", "license", "support", "live_test_url", "development_status", "sequence", "application",
    "icon", "cloc_exclude", "demo_url", "url", "test"}
HOOKS = {"pre_init_hook", "post_init_hook", "uninstall_hook", "post_load"}
DATA_KEYS = ("data", "demo", "init_xml", "update_xml", "demo_xml", "qweb")
USUAL = {"version": "1.0", "depends": [], "data": [], "demo": [], "assets": {}, "external_dependencies": {}, "installable": True,
    "auto_install": False, "countries": []}
TEXTS = re.compile(r"(readme|license|licence|copying|copyright|authors|contributors|changelog|changes|history|install|news|todo)\b.*", re.I)
TEXT_ENDS = (".md", ".rst", ".pot", ".pyc", ".pyo", "~", ".orig", ".rej", ".swp")
TEXT_FOLDERS = {"readme", "doc", "docs", ".github", "__pycache__", ".git"}
PACKAGING = {"pyproject.toml", "setup.py", "setup.cfg", "MANIFEST.in", ".gitignore", ".gitattributes", ".editorconfig", ".gitkeep",
    ".pylintrc", ".eslintrc", ".eslintrc.json", ".pre-commit-config.yaml", "package.json", "package-lock.json", "CODEOWNERS"}

class Addon:
    """An addon in one commit."""
    def __init__(self, tree, folder, name):
        self.tree, self.name, self.path = tree, name, posixpath.join(folder, name)
        self.files = tree.files(self.path)
        self.broken = []
        self.manifest = self.read_manifest()
        self.loads = [path for key in DATA_KEYS for path in listed(self.manifest.get(key))]

    def content(self, path):
        mode, name = self.files.get(path, (None, None))
        return None if mode in (None, LINK, SUBMODULE) else objects.content(name)

    def read_manifest(self):
        try:
            found = ast.literal_eval(self.content("__manifest__.py").decode())
            if not isinstance(found, dict):
                raise ValueError("it is no dictionary")
            return found
        except Exception as error:
            self.blame("__manifest__.py", error)
            return {}

    def blame(self, path, error):
        line = getattr(error, "lineno", None)
        message = getattr(error, "msg", None) or str(error) or type(error).__name__
        self.broken.append({"addon": self.name, "file": shown(self.path + "/" + path), "line": line, "message": message})

    def source(self, path):
        """Raises when Python cannot read it."""
        content = self.content(path)
        if content is None:
            raise ValueError("its content cannot be read")
        return Source(path, ast.parse(content))

    def hash(self):
        return self.tree.hash(self.path)

def listed(value):
    return [one for one in value if isinstance(one, str)] if isinstance(value, (list, tuple)) else []

class Findings:
    """Reasons why an addon is of its kind."""
    def __init__(self, addon):
        self.addon, self.reasons = addon, []

    def add(self, path, kind, why):
        self.reasons.append({"file": shown(self.addon.path + "/" + path), "kind": kind, "why": why})

    def kind(self):
        return max((reason["kind"] for reason in self.reasons), key=KINDS.index, default="none")

def compare(old, new, others):
    """others: what other addons use of this one."""
    found = Findings(new)
    changed = sorted(path for path in set(old.files) | set(new.files) if old.files.get(path) != new.files.get(path)
        and (old.files.get(path) or ("", ""))[1] != (new.files.get(path) or ("", ""))[1])
    python = [path for path in changed if is_python(path)]
    judged = compare_python(old, new, python, found, others) if python else set()
    for path in changed:
        if path == "__manifest__.py":
            compare_manifest(old, new, found)
        elif path not in judged:
            kind, why = kind_of(path, old, new)
            found.add(path, kind, why)
        check_data(path, new)
    return found

def is_python(path):
    return path.endswith(".py") and path != "__manifest__.py" and path.split("/")[0] not in ("migrations", "upgrades", "static")

def kind_of(path, old, new):
    """Of anything but the manifest and loaded Python. Raises the doubt to what would be needed at worst."""
    *folders, name = path.split("/")
    top = folders[0] if folders else ""
    mode = (new.files.get(path) or old.files.get(path))[0]
    if top in ("migrations", "upgrades"):
        return "schema", "a migration script" if name.endswith(".py") else "belongs to a migration script"
    if mode == SUBMODULE:
        return "schema", "a repository of its own, whose content is not looked into"
    if mode == LINK:
        return "schema", "a link that leads out of the repository, so that its content is not known"
    for side in (new, old):
        if path in side.loads:
            if same_lines(path, old, new):
                return "none", "only its line ends changed"
            is_demo = path in listed(side.manifest.get("demo"))
            return "data", "demo data" if is_demo else "a data file that is loaded by an update"
    if "tests" in folders and top != "static":
        return "none", "a test"
    if top == "static":
        return kind_of_static(path, name, folders, old, new)
    if TEXTS.fullmatch(name) or name.endswith(TEXT_ENDS) or top in TEXT_FOLDERS or name in PACKAGING:
        return ("data", "its content is kept in the database") if is_kept(path, old, new) else ("none", "nothing that Odoo loads")
    if path == "data/neutralize.sql":
        return "code", "read when a copy is neutralized"
    if top in ("i18n", "i18n_extra") and name.endswith(".po"):
        return ("none", "only its line ends changed") if same_lines(path, old, new) else ("data", "a translation")
    return "data", "may be loaded by an update"

def kind_of_static(path, name, folders, old, new):
    if is_kept(path, old, new):
        return "data", "its content is kept in the database: a data file names it"
    if folders[1:2] == ["description"]:
        return "none", "shown in the list of apps"
    return "code", "sent to browsers as it is"

def same_lines(path, old, new):
    before, after = old.content(path), new.content(path)
    return (before is not None and after is not None and path.endswith((".xml", ".po"))
        and before.replace(b"\r\n", b"\n") == after.replace(b"\r\n", b"\n"))

def is_kept(path, old, new):
    """A data file of any addon may take a file's content into the database (an image, the icon of a menu)."""
    word = re.escape(os.fsencode(path))
    pattern = re.compile(rb"[\"']" + re.escape(os.fsencode(new.name)) + rb"[/,]" + word + rb"[\"']|(^|[,\"])" + re.escape(os.fsencode(new.name)) + rb"/" + word, re.M)
    return any(pattern.search(text) for side in (old, new) for text in data_texts(side.tree))

def check_data(path, new):
    """A data file that cannot be parsed ends the update."""
    if path not in new.loads or not path.endswith(".xml"):
        return
    content = new.content(path)
    try:
        if content is not None:
            ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        # Odoo's parser forgives a prefix that is not declared.
        if error.code != 27:
            error.lineno, error.msg = error.position[0], str(error)
            new.blame(path, error)
    except (ValueError, LookupError):
        pass

def compare_manifest(old, new, found):
    if new.broken:
        found.add("__manifest__.py", "schema", "the manifest cannot be read")
        return
    keys = sorted(set(old.manifest) | set(new.manifest))
    before, after = ({key: side.manifest.get(key, USUAL.get(key)) for key in keys} for side in (old, new))
    differing = [key for key in keys if before[key] != after[key] or type(before[key]) is not type(after[key])]
    if not differing:
        found.add("__manifest__.py", "code", "only comments or layout")
    for key in differing:
        kind, why = kind_of_key(key, before[key], after[key])
        found.add("__manifest__.py", kind, why)

def kind_of_key(key, before, after):
    if key in PRESENTATION:
        return "none", "only " + key + ", which is shown in the list of apps"
    if key == "assets":
        return "code", "assets are put together when they are asked for"
    if key == "version":
        return "data", "the version goes from " + str(before) + " to " + str(after)
    if key == "depends":
        return "schema", "depends: " + difference(before, after)
    if key in HOOKS:
        return "schema", key + " goes from " + str(before or "none") + " to " + str(after or "none")
    if key == "installable":
        return "schema", "can be installed from now on" if after else "cannot be installed any more: Odoo does not load it"
    if key in DATA_KEYS:
        return "data", key + ": " + difference(before, after)
    return "data", key + " of the manifest changed"

def difference(before, after):
    old, new = listed(before), listed(after)
    gone, come = [one for one in old if one not in new], [one for one in new if one not in old]
    words = ["without " + one for one in gone] + ["with " + one for one in come]
    return ", ".join(words) or "another order"

def compare_python(old, new, changed, found, others):
    """The changed files that were judged."""
    before, after = python_of(old, others), python_of(new, others)
    for path in set(changed) & after.loaded & set(after.unreadable):
        new.blame(path, after.unreadable[path])
    notes = called_by_data(new), {**before.stored(), **after.stored()}
    for path in sorted({*old.files, *new.files}):
        was, is_now = path in before.loaded, path in after.loaded
        if not is_python(path) or is_test(path) and not was and not is_now:
            continue
        if path not in changed:
            if was != is_now and (before if was else after).counted.get(path):
                found.add(path, "schema", "is loaded from now on" if is_now else "is not loaded any more: what it defines is gone")
        elif not was and not is_now:
            found.add(path, "code", "a file that the addon does not load")
        elif path in before.unreadable or path in after.unreadable:
            found.add(path, "schema", "Python " + version + " cannot read it")
        else:
            compare_source(path, before, after, found, notes)
    return {path for path in changed if not is_test(path) or path in before.loaded | after.loaded}

def is_test(path):
    return "tests" in path.split("/")[:-1]

def compare_source(path, before, after, found, notes):
    differing = differing_parts(path, before, after)
    for why in differing:
        found.add(path, "schema", why)
    if not differing:
        compare_bodies(path, before, after, found, notes)

def differing_parts(path, before, after):
    """What a file that is loaded on one side only defines is new, or gone, like the file itself."""
    old, new = (side.counted.get(path, {}) if path in side.loaded else {} for side in (before, after))
    words = []
    for key in sorted(set(old) | set(new), key=str):
        if key not in new:
            words.append(old[key].label + " is gone" if is_defined(key, before, after) else None)
        elif key not in old:
            words.append(new[key].label + " is new" if is_defined(key, after, before) else None)
        elif said(old[key]) != said(new[key]):
            words.append(new[key].label + " changed")
    return list(dict.fromkeys(word for word in words if word))

def is_defined(key, here, there):
    """Counts on one side only. That a function or value is named there and here not is told where it is named."""
    source = there.sources.get(key[1])
    mine = here.counted[key[1]][key]
    if source is None or key[0] != "import" and key[3] not in ("named", "class"):
        return True
    if key[0] == "import":
        return origin_of(source, key[2]) != mine.origin
    candidates = [part for parts in list(source.known_as.values()) + list(source.methods.values()) for part in parts if part.key == key]
    return not any(said(part) == said(mine) for part in candidates)

def compare_bodies(path, before, after, found, notes):
    calls, stored = notes
    old, new = (side.sources[path].functions if path in side.sources else {} for side in (before, after))
    differing = [name for name in sorted(set(old) | set(new)) if dump(old.get(name, [])) != dump(new.get(name, []))]
    for name in differing:
        simple = name.split("/")[-1].split(".")[-1]
        fields = stored.get(simple, [])
        depends = any(last_name(one) == "depends" for node in old.get(name, []) + new.get(name, []) for one in node.decorator_list)
        if simple in calls:
            found.add(path, "data", name + "() is called by a data file at each update")
        elif fields:
            found.add(path, "code", name + "() computes " + ", ".join(sorted(set(fields))) + ": what is stored already is not computed again")
        elif depends:
            found.add(path, "code", name + "() computes a field: if that is stored, what is stored already is not computed again")
        else:
            found.add(path, "code", name + "() " + ("is new" if name not in old else "is gone" if name not in new else "changed inside"))
    if not differing:
        found.add(path, "code", "nothing that reaches the database: imports, comments, values that no field uses")

def python_of(addon, others):
    sources, unreadable = {}, {}
    for path in addon.files:
        if is_python(path):
            try:
                sources[path] = addon.source(path)
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                unreadable[path] = error
    hooks = [addon.manifest[key] for key in HOOKS if isinstance(addon.manifest.get(key), str)]
    names, roots = others
    return Code(addon.name, sources, unreadable, [*hooks, *names], roots)

def called_by_data(addon):
    """Methods that data files call while they are loaded."""
    found = set()
    for path in addon.loads:
        content = addon.content(path) if path.endswith(".xml") else None
        text = (content or b"").decode("utf-8", "replace")
        for tag in re.findall(r"<function\b[^>]*>", text):
            found.update(re.findall(r"name=[\"'](\w+)[\"']", tag))
        for value in re.findall(r"\b(?:eval|search)\s*=\s*(\"[^\"]*\"|'[^']*')", text):
            found.update(re.findall(r"\.(\w+)\(", value))
    return found
`;
