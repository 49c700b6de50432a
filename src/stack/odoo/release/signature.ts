/**
 * What of an addon's Python reaches the database or the registry's structure, in Python. Everything that is run when the code is
 * imported counts: classes, fields and every other assignment, and the body of each function that any of it names, wherever in the
 * addon it is defined. What only runs when users work is the rest: it becomes true by a restart.
 */
export const signatureScript = String.raw`
# Methods that the registry calls when it is built or when tables are made.
HOOK = re.compile(r"init|_auto_\w+|_setup_\w+|_init_\w+|_reflect\w*|_build_model\w*|_(un)?register_hook|_prepare_setup|"
    r"_add_\w*field\w*|_add_sql_constraints|_check_removed_columns|_parent_store_\w+|_valid_field_parameter|"
    r"_module_data_uninstall|__init_subclass__|__set_name__|__class_getitem__|__prepare__")
# Decorators that leave their function for later.
QUIET_ROOTS = {"api", "http", "tools", "functools", "contextlib", "abc", "typing", "classmethod", "staticmethod", "property"}
QUIET_DECORATORS = {"setter", "getter", "deleter", "contextmanager", "abstractmethod", "overload", "override", "wraps", "lru_cache",
    "cache", "cached_property", "lazy_property", "route", "ormcache", "ormcache_context", "tagged", "lazy", "singledispatchmethod"}
# Calls that only make a value.
QUIET_CALLS = {"getLogger", "compile", "frozenset", "set", "dict", "list", "tuple", "sorted", "range", "len", "str", "int", "float", "bool",
    "namedtuple", "timedelta", "date", "datetime", "time", "relativedelta", "Decimal", "OrderedDict", "defaultdict", "_", "_lt",
    "LazyTranslate", "LazyGettext", "TypeVar", "NewType", "join", "Path", "partial", "format", "getenv", "get", "keys", "values", "items",
    "timezone", "abspath", "dirname", "escape", "Markup", "object", "dedent", "split", "strip"}
PLAIN_BASES = {"object", "Controller", "Enum", "IntEnum", "StrEnum", "Flag", "NamedTuple", "TypedDict", "Protocol", "ABC", "Generic",
    "dict", "list", "str", "int", "float", "tuple", "set", "Thread", "BaseException", "TestCase", "HTMLParser", "JSONEncoder"}
# Of a field, what is asked each time: the function may change without the column.
ASKED_LATER = {"compute", "inverse", "search", "default", "group_expand", "domain", "related"}
BY_NAME = {"getattr", "setattr", "globals", "locals", "vars", "eval", "exec", "import_module", "__import__"}
DDL = re.compile(r"\b(ALTER|CREATE|DROP|RENAME|TRUNCATE)\s+(OR\s+REPLACE\s+)?(UNIQUE\s+|TEMP\w*\s+|MATERIALIZED\s+)*"
    r"(TABLE|VIEW|INDEX|SEQUENCE|EXTENSION|FUNCTION|TRIGGER|TYPE|COLUMN|CONSTRAINT|SCHEMA)\b|\bADD\s+(COLUMN|CONSTRAINT)\b", re.I)
DDL_CALLS = {"create_model_table", "create_column", "create_index", "create_unique_index", "add_index", "drop_index", "add_constraint",
    "drop_constraint", "add_foreign_key", "convert_column", "rename_column", "set_not_null", "drop_not_null", "drop_view_if_exists",
    "create_relational_model", "_add_field", "_pop_field", "_build_model", "add_to_registry", "_add_manual_fields"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

def last_name(node):
    """compile of re.compile(...), setter of x.setter."""
    while isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""

def first_name(node):
    while isinstance(node, (ast.Call, ast.Attribute, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""

def is_field(node):
    return isinstance(node, ast.Call) and first_name(node) == "fields" and last_name(node)[:1].isupper()

def is_docstring(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)

def is_quiet(node):
    """Nothing else happens when it is evaluated."""
    return all(last_name(call) in QUIET_CALLS for call in ast.walk(node) if isinstance(call, ast.Call)) and not any(
        isinstance(one, (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)) for one in ast.walk(node))

def names_in(nodes):
    """Every name that is used there: of a variable, an attribute; where names are looked up as text, also every word in quotes."""
    found, texts, later = set(), set(), set()
    def visit(node):
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 200:
            texts.update(re.findall(r"\w+", node.value))
        elif isinstance(node, ast.keyword) and node.arg in ASKED_LATER and id(node) in later:
            return
        if is_field(node):
            later.update(id(keyword) for keyword in node.keywords)
        for child in ast.iter_child_nodes(node):
            visit(child)
    for node in nodes:
        visit(node)
    return found | texts if found & BY_NAME else found

def dump(nodes):
    """Equal when the code is, whatever its layout, comments and docstrings."""
    def bare(node):
        for one in ast.walk(node):
            if isinstance(one, FUNCTIONS + (ast.ClassDef,)) and one.body and is_docstring(one.body[0]) and len(one.body) > 1:
                one.body = one.body[1:]
        return node
    return "\n".join(ast.dump(bare(node)) for node in nodes)

def text_of(node):
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None

class Part:
    """A piece of what counts. bases: names that it only inherits from."""
    def __init__(self, key, label, nodes, bases=()):
        self.key, self.label, self.nodes, self.bases = key, label, nodes, bases

class Source:
    """One Python file."""
    def __init__(self, path, module):
        self.path, self.body = path, module.body
        self.parts = []        # what always counts
        self.functions = {}    # by qualified name: their nodes
        self.known_as = {}     # by simple name: parts that count when somebody names them
        self.methods = {}      # by class: parts that count when somebody names the class to call it
        self.bindings = {}     # imported names: where they come from
        self.imports = []      # import statements, with how deep their file lies
        self.stored = {}       # methods that compute stored fields: the fields
        self.is_dynamic = False
        for node in ast.walk(module):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self.imports.append(node)
            elif isinstance(node, ast.Call) and (last_name(node) in {"import_module", "__import__"} or first_name(node) == "pkgutil"):
                self.is_dynamic = True
        self.plain_names = set()
        self.statements(module.body, "")

    def add(self, kind, name, label, nodes, bases=()):
        count = sum(1 for part in self.parts if part.key[:3] == (kind, self.path, name))
        self.parts.append(Part((kind, self.path, name, count), label, nodes, bases))

    def may_count(self, simple, kind, name, label, nodes):
        same = self.known_as.setdefault(simple, [])
        same.append(Part((kind, self.path, name, "named", len(same)), label, nodes))

    def bind(self, node, where):
        for alias in node.names:
            origin = (("." * node.level) + (node.module or "") + ":" if isinstance(node, ast.ImportFrom) else "") + alias.name
            if alias.name == "*":
                self.add("star", where + origin, "everything that is imported from " + origin[:-2], [])
            else:
                bound = alias.asname or (alias.name if isinstance(node, ast.ImportFrom) else alias.name.split(".")[0])
                self.bindings.setdefault(bound, []).append(where + origin)

    def statements(self, body, where):
        for node in body:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self.bind(node, where)
            elif isinstance(node, FUNCTIONS):
                self.function(node, "", where)
            elif isinstance(node, ast.ClassDef):
                self.type(node, where)
            elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
                self.assignment(node, where)
            elif isinstance(node, ast.If):
                self.condition(node, where)
            elif isinstance(node, ast.Try) or type(node).__name__ == "TryStar":
                for name in ("body", "orelse", "finalbody"):
                    self.statements(getattr(node, name), where + "try " + name + "/")
                for handler in node.handlers:
                    self.statements(handler.body, where + "except " + (ast.dump(handler.type) if handler.type else "") + "/")
            elif not is_docstring(node) and not isinstance(node, ast.Pass):
                self.add("statement", where, "a statement that is run when the file is loaded", [node])

    def condition(self, node, where):
        test = ast.dump(node.test)
        if "TYPE_CHECKING" in test or "'__main__'" in test:
            self.statements(node.orelse, where)
            return
        if not is_quiet(node.test):
            self.add("statement", where, "a condition that is asked when the file is loaded", [node.test])
        self.statements(node.body, where + "if " + test + "/")
        self.statements(node.orelse, where + "else " + test + "/")

    def assignment(self, node, where):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if isinstance(node, ast.AnnAssign) and node.value is None:
            return
        names = [one.id for target in targets for one in (target.elts if isinstance(target, ast.Tuple) else [target]) if isinstance(one, ast.Name)]
        label = "the value " + ", ".join(names) if names else "what an assignment sets when the file is loaded"
        whole = len(names) == sum(len(target.elts) if isinstance(target, ast.Tuple) else 1 for target in targets)
        if whole and is_quiet(node.value):
            for name in names:
                self.may_count(name, "name", where + name, "the value " + name, [node])
        else:
            self.add("value", where + ",".join(names), label, [node])

    def function(self, node, inside, where):
        """Its body counts when it runs at import, when the registry calls it, or when it makes tables; otherwise when somebody names it."""
        name = inside + node.name
        self.functions.setdefault(where + name, []).append(node)
        label = "what " + name + "() does"
        loud = [one for one in node.decorator_list
            if first_name(one) not in QUIET_ROOTS and last_name(one) not in QUIET_DECORATORS and last_name(one) not in QUIET_ROOTS]
        makes = any(is_field(one) or isinstance(one, ast.Call) and last_name(one) in DDL_CALLS
            or isinstance(one, ast.Constant) and isinstance(one.value, str) and DDL.search(one.value)
            or isinstance(one, ast.ClassDef) for one in ast.walk(node))
        if loud or makes or inside and HOOK.fullmatch(node.name):
            self.add("function", where + name, label, [node])
        else:
            self.may_count(node.name, "function", where + name, label, [node])

    def method(self, node, owner, where):
        self.function(node, owner + ".", where)
        same = self.methods.setdefault(owner, [])
        same.append(Part(("function", self.path, where + owner + "." + node.name, "class", len(same)), "what " + owner + "." + node.name + "() does", [node]))

    def type(self, node, where):
        names = [last_name(base.value if isinstance(base, ast.Subscript) else base) for base in node.bases]
        assigned = {target.id for one in node.body if isinstance(one, ast.Assign) for target in one.targets if isinstance(target, ast.Name)}
        declares = assigned & {"_name", "_inherit", "_inherits", "_abstract", "_auto", "_register", "_table"}
        routes = any(last_name(one) == "route" for method in node.body if isinstance(method, FUNCTIONS) for one in method.decorator_list)
        origins = " ".join(origin for base in node.bases for origin in self.bindings.get(first_name(base), []))
        if not declares and (routes or "controllers" in origins or all(name in PLAIN_BASES or name in self.plain_names
                or name.endswith(("Error", "Exception", "Warning")) for name in names)):
            self.plain_names.add(node.name)
            self.plain_type(node, where)
        else:
            self.model(node, where)

    def plain_type(self, node, where):
        """A class that is no model: counts as far as what counts names it, as a base (its values) or to call it (all of it)."""
        head = ast.Expr(ast.Tuple(node.bases + [one.value for one in node.keywords] + node.decorator_list, ast.Load()))
        if node.decorator_list and not is_quiet_class(node):
            self.add("class", where + node.name, "the class " + node.name, [head], names_in(node.bases))
        self.may_count(node.name, "class", where + node.name, "the class " + node.name, [head])
        for one in node.body:
            if isinstance(one, FUNCTIONS):
                self.method(one, node.name, where)
            elif isinstance(one, (ast.Import, ast.ImportFrom)):
                self.bind(one, where + node.name + "/")
            elif not is_docstring(one) and not isinstance(one, ast.Pass):
                label = "a value of the class " + node.name
                if any(is_field(call) or isinstance(call, ast.Attribute) and first_name(call) == "models" for call in ast.walk(one)) or not is_quiet(one):
                    self.add("attribute", where + node.name, label, [one])
                else:
                    self.may_count(node.name, "attribute", where + node.name, label, [one])

    def model(self, node, where):
        named = {target.id: one.value for one in node.body if isinstance(one, ast.Assign) for target in one.targets if isinstance(target, ast.Name)}
        model = next((name for name in map(first_text, (named.get("_name"), named.get("_inherit"))) if name), node.name)
        head = ast.Expr(ast.Tuple(node.bases + [one.value for one in node.keywords] + node.decorator_list, ast.Load()))
        bases = {name for base in node.bases for name in names_in([base])}
        self.add("class", where + node.name, "the model " + model, [head], bases)
        for one in node.body:
            if isinstance(one, FUNCTIONS):
                self.method(one, node.name, where)
            elif isinstance(one, (ast.Import, ast.ImportFrom)):
                self.bind(one, where + node.name + "/")
            elif isinstance(one, (ast.Assign, ast.AnnAssign)):
                self.attribute(one, node.name, model, where)
            elif not is_docstring(one) and not isinstance(one, ast.Pass):
                self.add("attribute", where + node.name, "what the class of " + model + " does when it is loaded", [one])

    def attribute(self, node, name, model, where):
        if node.value is None:
            return
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = ", ".join(ast.unparse(target) for target in targets)
        what = "the field " if is_field(node.value) else "the setting " if names.startswith("_") else "the value "
        self.add("attribute", where + name + "." + names, what + names + " of " + model, [node])
        if is_field(node.value):
            given = {keyword.arg: keyword.value for keyword in node.value.keywords}
            compute = given.get("compute")
            method = text_of(compute) or (compute.id if isinstance(compute, ast.Name) else None)
            if method and isinstance(given.get("store"), ast.Constant) and given["store"].value:
                self.stored.setdefault(method, []).append(names)

def is_quiet_class(node):
    return all(last_name(one) in {"dataclass", "unique", "total_ordering", "final", "runtime_checkable"} for one in node.decorator_list)

def first_text(node):
    if isinstance(node, (ast.List, ast.Tuple)) and node.elts:
        node = node.elts[0]
    return text_of(node)

class Code:
    """All Python of an addon, or none of it."""
    def __init__(self, name, sources, unreadable, named, roots):
        """named: names that the manifest and other addons use of it; roots: modules that others import of it."""
        self.name, self.sources, self.unreadable = name, sources, unreadable
        self.loaded = self.reach(roots)
        self.counted = {path: {part.key: part for part in source.parts} for path, source in sources.items()}
        self.close(set(named))

    def reach(self, roots):
        """The files that Odoo loads when it loads the addon."""
        if any(source.is_dynamic for source in self.sources.values()):
            return {*self.sources, *self.unreadable}
        found, ahead = set(), ["", *roots]
        while ahead:
            module = ahead.pop()
            for path in ((module + "/" if module else "") + "__init__.py", module + ".py"):
                if path in found or path not in self.sources and path not in self.unreadable:
                    continue
                found.add(path)
                ahead.extend(self.targets(self.sources[path]) if path in self.sources else [])
                ahead.extend("/".join(path.split("/")[:end]) for end in range(1, path.count("/") + 1))
        return found

    def targets(self, source):
        package = source.path.split("/")[:-1]
        for node in source.imports:
            if isinstance(node, ast.Import):
                origins = [(alias.name.split("."), None) for alias in node.names]
            else:
                level = node.level
                start = package[:len(package) - level + 1] if level else []
                if level:
                    origins = [((["odoo", "addons", self.name] + start + (node.module or "").split(".")), alias.name) for alias in node.names]
                else:
                    origins = [((node.module or "").split("."), alias.name) for alias in node.names]
            for steps_of, name in origins:
                steps_of = [step for step in steps_of if step]
                if steps_of[:3] == ["odoo", "addons", self.name]:
                    module = "/".join(steps_of[3:])
                    yield module
                    if name:
                        yield (module + "/" if module else "") + name

    def close(self, names):
        """Adds whatever what counts names, until nothing new is named."""
        seen, ahead, as_base = set(), set(names), set()
        for parts in self.counted.values():
            for part in parts.values():
                ahead |= names_in(part.nodes) - set(part.bases)
                as_base |= set(part.bases)
        while ahead:
            name = ahead.pop()
            if name in seen:
                continue
            seen.add(name)
            for source in self.sources.values():
                for part in source.known_as.get(name, []) + source.methods.get(name, []):
                    if part.key not in self.counted[source.path]:
                        self.counted[source.path][part.key] = part
                        ahead |= names_in(part.nodes) - seen
                        as_base |= set(part.bases)
        for name in as_base - seen:
            for source in self.sources.values():
                for part in source.known_as.get(name, []):
                    self.counted[source.path].setdefault(part.key, part)
        for source in self.sources.values():
            for name in (seen | as_base) & set(source.bindings):
                part = Part(("import", source.path, name), "where " + name + " is imported from", [])
                part.origin = origin_of(source, name)
                self.counted[source.path][part.key] = part

    def stored(self):
        found = {}
        for source in self.sources.values():
            for method, names in source.stored.items():
                found.setdefault(method, []).extend(names)
        return found

def origin_of(source, name):
    return " ".join(sorted(source.bindings.get(name, [])))

def said(part):
    return getattr(part, "origin", None) or dump(part.nodes)
`;
