import { z } from "zod";
import { type CommandAction, command } from "../../runbook/action.ts";
import { type Container, type Project, withoutWrappers } from "./containers.ts";

/**
 * What is asked of a compose project of which nothing is known yet: by Docker's own client and what the services' images have,
 * since there may be no container for tools. Nothing is changed.
 */

/** The machine's clock, seconds since 1970, and whether it is kept right (`yes`, `no`, or nothing where nobody knows). */
export function askClock(host: string): CommandAction {
  const script = "date +%s.%N; timedatectl show --property=NTPSynchronized --value 2>/dev/null || true";
  return command(host, ["sh", "-c", script]);
}

export function parseClock(text: string): { readonly seconds: number; readonly synchronized: boolean | undefined } {
  const [seconds, kept] = text.trim().split("\n");
  return { seconds: Number(seconds), synchronized: kept === undefined ? undefined : kept === "yes" };
}

/** Whether Docker has Compose's own command, or there is the program of its first version. */
export function askCompose(host: string): CommandAction {
  const script =
    "docker compose version >/dev/null 2>&1 && { echo docker compose; exit; }; command -v docker-compose >/dev/null && echo docker-compose; true";
  return command(host, ["sh", "-c", script]);
}

/** One line for the server, then one for each of its databases that has an Odoo. */
export function askDatabases(host: string, database: Container): CommandAction {
  const superuser = database.environment["POSTGRES_USER"] ?? "postgres";
  const argv = [...within(database, "postgres"), "sh", "-c", databasesScript, "ask", superuser, ...queries] as const;
  return command(host, argv, { exitCodes: { 2: "init.database_refused" } });
}

const databasesScript = `
ask() { psql --no-psqlrc --no-password --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --username "$1" --dbname "$2"; }
user=$1
printf '%s' "$2" | ask "$user" postgres || exit
printf '%s' "$3" | ask "$user" postgres | while IFS= read -r name; do
  printf '%s' "$4" | ask "$user" "$name" || exit
done
`;

const queries = [
  `select json_build_object('superuser', current_user, 'version', current_setting('server_version_num')::int,
    'sockets', current_setting('unix_socket_directories'), 'port', current_setting('port')::int,
    'data', current_setting('data_directory'));
`,
  `select datname from pg_database where datallowconn and not datistemplate order by datname;
`,
  // Databases without Odoo have no such table; the second query is made only where it is there.
  `select $q$select json_build_object('name', current_database(),
      'version', (select latest_version from ir_module_module where name = 'base'),
      'baseUrl', (select value from ir_config_parameter where key = 'web.base.url'),
      'zone', (select tz from res_partner p join res_users u on u.partner_id = p.id where u.id = 2),
      'admin', (select login from res_users where id = 2 and active),
      'hash', (select password from res_users where id = 2 and active),
      'owner', (select json_build_object('name', rolname, 'isSuperuser', rolsuper, 'createsDatabases', rolcreatedb)
        from pg_database join pg_roles r on r.oid = datdba where datname = current_database()));$q$
  where to_regclass('public.ir_module_module') is not null and to_regclass('public.ir_config_parameter') is not null \\gexec
`,
] as const;

const serverAnswer = z.object({
  superuser: z.string(),
  version: z.number(),
  sockets: z.string(),
  port: z.number(),
  data: z.string(),
});
const databaseAnswer = z.object({
  name: z.string(),
  version: z.string().nullable(),
  baseUrl: z.string().nullable(),
  zone: z.string().nullable(),
  admin: z.string().nullable(),
  hash: z.string().nullable(),
  owner: z.object({ name: z.string(), isSuperuser: z.boolean(), createsDatabases: z.boolean() }),
});
export type ServerAnswer = z.infer<typeof serverAnswer>;
export type DatabaseAnswer = z.infer<typeof databaseAnswer>;

export function parseDatabases(lines: readonly unknown[]): {
  readonly server: ServerAnswer;
  readonly databases: readonly DatabaseAnswer[];
} {
  const [server, ...databases] = lines;
  return { server: serverAnswer.parse(server), databases: z.array(databaseAnswer).parse(databases) };
}

/**
 * Odoo as it runs in its container: its version, what its configuration says, and whether the well-known passwords still work. No
 * password leaves the container; its arguments, which may hold one, and the hash that is compared go in through standard input.
 */
export function askOdoo(host: string, odoo: Container, hash: string): CommandAction {
  const given = { arguments: argumentsOf(odoo), file: fileOf(odoo), hash };
  return command(host, [...within(odoo), "python3", "-c", odooScript], { stdin: JSON.stringify(given) });
}

/** Its program without options, as its container is told to start it; undefined when that is a script of its owner's. */
export function programOf({ command: words }: Pick<Container, "command">): readonly string[] | undefined {
  const own = withoutWrappers(words);
  const end = own.findIndex((word) => word.startsWith("-"));
  const program = own.slice(0, end === -1 ? undefined : end).filter((word) => word !== "server");
  // The image's own entrypoint takes options alone for Odoo's.
  if (program.length === 0) return ["odoo"];
  return /^(\S*\/)?(odoo(-bin|\.py)?|python[\d.]*)$/.test(program[0] ?? "") ? program : undefined;
}

function argumentsOf({ command: words }: Container): readonly string[] {
  const own = withoutWrappers(words);
  if (programOf({ command: words }) === undefined) return [];
  const first = own.findIndex((word) => word.startsWith("-"));
  return first === -1 ? [] : own.slice(first);
}

/** Where Odoo reads its configuration: what it is told, else its image's usual place. */
export function fileOf(odoo: Container): string {
  const words = argumentsOf(odoo);
  const at = words.findIndex((word) => word === "-c" || word === "--config");
  const joined = words.find((word) => word.startsWith("--config="))?.slice("--config=".length);
  return (at === -1 ? undefined : words[at + 1]) ?? joined ?? odoo.environment["ODOO_RC"] ?? "/etc/odoo/odoo.conf";
}

/** Argv of a program in a container, as its own user or another one, that needs nothing but Docker's client. */
function within({ name }: Container, user?: string): readonly [string, ...string[]] {
  return ["docker", "exec", "--interactive", ...(user === undefined ? [] : ["--user", user]), name];
}

/**
 * Takes the interpreter and the paths of the Odoo that runs, so that the same code answers; reads the configuration as text, so that
 * what Odoo does not know is seen. Options of the command line win over the file, as they do in Odoo.
 */
const odooScript = `
import configparser, json, os, sys

if "IPAI_GIVEN" not in os.environ:
    os.environ["IPAI_GIVEN"] = sys.stdin.read()
given = json.loads(os.environ["IPAI_GIVEN"])


def running():
    for pid in sorted((name for name in os.listdir("/proc") if name.isdigit()), key=int):
        try:
            words = open("/proc/%s/cmdline" % pid, "rb").read().decode().split("\\0")
            if "python" in os.path.basename(words[0]) and "odoo" in " ".join(words[1:]) and int(pid) != os.getpid():
                variables = open("/proc/%s/environ" % pid, "rb").read().decode().split("\\0")
                return words, dict(each.split("=", 1) for each in variables if "=" in each)
        except OSError:
            pass
    return [], {}


words, variables = running()
path = variables.get("PYTHONPATH")
if path and path != os.environ.get("PYTHONPATH"):
    interpreter = words[0] if "/" in words[0] else sys.executable
    os.environ["PYTHONPATH"] = path
    os.execvp(interpreter, [interpreter, *sys.orig_argv[1:]])

del os.environ["IPAI_GIVEN"]
answer = {"program": words[:2], "path": path, "user": None, "file": None, "known": None, "values": {}, "passwords": {}}
try:
    import pwd
    answer["user"] = pwd.getpwuid(os.getuid()).pw_name
    answer["uid"], answer["gid"] = os.getuid(), os.getgid()
except KeyError:
    pass

parser = configparser.RawConfigParser(strict=False)
try:
    with open(given["file"]) as file:
        parser.read_file(file)
    answer["file"] = given["file"]
except OSError:
    pass
values = dict(parser["options"]) if parser.has_section("options") else {}

# Not the files that Odoo would find by itself.
os.environ["ODOO_RC"] = os.environ["OPENERP_SERVER"] = os.devnull
for word in words[1:2]:
    sys.path.insert(0, os.path.dirname(os.path.abspath(word)))
try:
    import odoo
    from odoo import release, tools
    config = tools.config
    answer["version"] = release.version
    answer["core"] = [os.path.join(each, "addons") for each in odoo.__path__] + [
        os.path.join(os.path.dirname(each), "addons") for each in odoo.__path__]
    # A name of files alone, which the newest versions turn into another option.
    names = set(config.options) | {"without_demo"}
    for source in ("options_index", "aliases", "_default_options"):
        names |= set(getattr(config, source, None) or ())
    answer["known"] = sorted(names | {each.dest for each in config.parser._get_all_options() if each.dest})
    defaults = config.parser.get_default_values()
    told, _rest = config.parser.parse_args(given["arguments"])
    for name, value in vars(told).items():
        if value is not None and value != getattr(defaults, name, None):
            values[name] = str(value)
except BaseException as error:
    answer["fault"] = "%s: %s" % (type(error).__name__, error)

master = values.get("admin_passwd", "admin")
answer["passwords"]["master"] = master == "admin"
answer["passwords"]["admin"] = None
try:
    from passlib.context import CryptContext
    context = CryptContext(["pbkdf2_sha512", "plaintext"], deprecated=["plaintext"])
    if master.startswith("$pbkdf2"):
        answer["passwords"]["master"] = context.verify("admin", master)
    if given["hash"]:
        answer["passwords"]["admin"] = context.verify("admin", given["hash"])
except Exception:
    pass
answer["names"] = sorted(values)
public = ("addons_path", "data_dir", "db_host", "db_port", "db_user", "db_name", "dbfilter", "list_db", "proxy_mode", "workers",
    "http_port", "gevent_port", "logfile", "limit_time_real")
answer["values"] = {name: values[name] for name in public if name in values}
roots = [each.strip() for each in values.get("addons_path", "").split(",") if each.strip()]
answer["modules"] = {root: sorted(name for name in os.listdir(root) if os.path.exists(os.path.join(root, name, "__manifest__.py")))
    for root in roots if os.path.isdir(root) and root not in answer.get("core", ())}
print(json.dumps(answer))
`;

const odooAnswer = z.object({
  /** Interpreter and program of the process that runs, and its PYTHONPATH. */
  program: z.array(z.string()),
  path: z.string().nullable(),
  user: z.string().nullable(),
  uid: z.number().optional(),
  gid: z.number().optional(),
  /** The configuration file, if it could be read. */
  file: z.string().nullable(),
  version: z.string().optional(),
  /** Every option that this Odoo knows; absent when it could not be asked. */
  known: z.array(z.string()).nullable(),
  names: z.array(z.string()),
  values: z.record(z.string(), z.string()),
  passwords: z.object({ master: z.boolean(), admin: z.boolean().nullable() }),
  /** The modules of each folder that is not Odoo's own. */
  modules: z.record(z.string(), z.array(z.string())),
  fault: z.string().optional(),
});
export type OdooAnswer = z.infer<typeof odooAnswer>;

export function parseOdoo(answer: unknown): OdooAnswer {
  return odooAnswer.parse(answer);
}

/** A git work tree on the machine that releases can be fetched into, and which of the folders that were asked about lie in it. */
export interface WorkTree {
  readonly repository: string;
  readonly remote: string;
  /** Undefined where a commit is checked out, and no branch. */
  readonly branch: string | undefined;
  /** As containers see them, by where they lie in the repository; `.` is its top. */
  readonly folders: Readonly<Record<string, string>>;
}

/** Folders that containers see, by where they lie on the machine. What is in an image or a volume has no work tree. */
export function boundFolders({ mounts }: Container, folders: readonly string[]): Readonly<Record<string, string>> {
  const binds = mounts
    .filter(({ type }) => type === "bind")
    .toSorted((a, b) => b.destination.length - a.destination.length);
  const pairs = folders.flatMap((folder): readonly (readonly [string, string])[] => {
    const mount = binds.find(({ destination }) => `${folder}/`.startsWith(`${destination}/`));
    return mount === undefined ? [] : [[folder, mount.source + folder.slice(mount.destination.length)]];
  });
  return Object.fromEntries(pairs);
}

/** For each folder of the machine a line of JSON: its work tree, what that follows, and where in it the folder lies. */
export function askWorkTrees(host: string, folders: readonly string[]): CommandAction {
  return command(host, ["sh", "-c", workTreeScript, "ask", ...folders]);
}

/** Whoever owns the tree may have put programs into its configuration: none of these questions runs one. */
const workTreeScript = `
quoted() { printf '%s' "$1" | tr '\\n' ' ' | sed 's/[\\\\"]/\\\\&/g'; }
for folder; do
  ask() { git -c 'safe.directory=*' -c core.fsmonitor=false -C "$folder" "$@" 2>/dev/null; }
  if top=$(ask rev-parse --show-toplevel); then
    below=$(ask rev-parse --show-prefix) branch=$(ask symbolic-ref --quiet --short HEAD)
    remote=$(ask config --get "branch.$branch.remote") || remote=$(ask remote | head -n 1)
    env printf '{"folder": "%s", "top": "%s", "below": "%s", "branch": "%s", "remote": "%s"}\\n' "$(quoted "$folder")" "$(quoted "$top")" "$(quoted "\${below%/}")" "$(quoted "$branch")" "$(quoted "$remote")"
  fi
done
`;

const treeAnswer = z.object({
  folder: z.string(),
  top: z.string(),
  below: z.string(),
  branch: z.string(),
  remote: z.string(),
});

/** The work tree that most of the folders lie in. One without a remote has nothing to deploy from. */
export function parseWorkTree(
  lines: readonly unknown[],
  bound: Readonly<Record<string, string>>,
): WorkTree | undefined {
  const answers = z
    .array(treeAnswer)
    .parse(lines)
    .filter(({ remote }) => remote !== "");
  const inTree = (top: string) => answers.filter((answer) => answer.top === top);
  const [best] = answers.toSorted((a, b) => inTree(b.top).length - inTree(a.top).length);
  if (best === undefined) return undefined;
  const below = new Map(inTree(best.top).map((answer) => [answer.folder, answer.below || "."]));
  const folders = Object.entries(bound).flatMap(([seen, folder]) => {
    const where = below.get(folder);
    return where === undefined ? [] : [[seen, where] as const];
  });
  return {
    repository: best.top,
    remote: best.remote,
    branch: best.branch || undefined,
    folders: Object.fromEntries(folders),
  };
}

/** Where users may come in, best first: what Odoo has been told, then what the proxy and Odoo itself publish. */
export function publicAddresses(project: Project, baseUrl: string | null, hostName: string): readonly string[] {
  const published = [project.proxy, ...project.odoo].flatMap((container) => container?.published ?? []);
  const shown = published.filter(({ port }) => [80, 443, 8069, 8443, 8080].includes(port));
  const secure = (port: number) => port === 443 || port === 8443;
  const urls = shown
    .toSorted((a, b) => Number(secure(b.port)) - Number(secure(a.port)))
    .map(({ port, address, hostPort }) => {
      const scheme = secure(port) ? "https" : "http";
      const name = ["0.0.0.0", "::", ""].includes(address) ? hostName : address;
      const usual = hostPort === (scheme === "https" ? 443 : 80);
      return `${scheme}://${name.includes(":") ? `[${name}]` : name}${usual ? "" : `:${hostPort}`}`;
    });
  const isUsable = (url: string) => URL.parse(url) !== null && !/:8069$/.test(url);
  return [...new Set([...(baseUrl !== null && isUsable(baseUrl) ? [baseUrl] : []), ...urls])];
}

/** Files on the machine that may hold the certificate of a private authority: what the proxy has mounted as a file. */
export function certificates({ proxy }: Project): readonly string[] {
  const files = (proxy?.mounts ?? []).map(({ source }) => source);
  return files.filter((source) => /\.(crt|pem|cer)$/.test(source));
}
