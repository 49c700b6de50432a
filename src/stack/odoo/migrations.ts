import { createHash } from "node:crypto";
import { z } from "zod";
import { type CommandAction, command, type Probe, type SqlAction } from "../../runbook/action.ts";
import { runId, type Text } from "../../runbook/value.ts";
import type { Git } from "../git.ts";
import { withoutLimits } from "../postgres.ts";
import type { Odoo } from "./odoo.ts";
import "../errors.ts";

/**
 * Scripts that bring a database from one series towards the next, before Odoo's own update. Each is one transaction together with its
 * record, which lies in the database itself: a copy of it knows what it has had.
 */

export interface MigrationScript {
  /** With its folder: `18_to_19/01_menu_names.sql`. */
  readonly name: string;
  readonly language: "sql" | "python";
  /** SHA-256 of its text. */
  readonly checksum: string;
  readonly text: string;
}

/** Where scripts are run: a database, and how it is reached. */
export interface MigrationGround {
  readonly database: Text;
  /** As the server's superuser. */
  query(database: Text, text: string, values?: Readonly<Record<string, Text>>): SqlAction;
  /** Options of Odoo's command line that lead there; with none, those of its configuration count. */
  readonly odooOptions: readonly Text[];
}

const file = z.object({ name: z.string(), text: z.string().nullable() });
export type MigrationFile = z.infer<typeof file>;

/** JSON lines for `parseMigrationFiles`: whatever lies in a folder of a commit. Nothing is run and nothing is checked out. */
export function listMigrationFiles(git: Git, commit: string, folder: string): CommandAction {
  return git.as(["/usr/bin/python3", "-c", listScript, commit, folder], { exitCodes: { 128: "git.unreadable" } });
}

export function parseMigrationFiles(lines: unknown): readonly MigrationFile[] {
  return z.array(file).parse(lines);
}

/** What is no text in UTF-8, or no file, has none. */
const listScript = `import json, subprocess, sys
commit, folder = sys.argv[1:]
def git(*words):
    ended = subprocess.run(["git", *words], stdout=subprocess.PIPE)
    if ended.returncode:
        sys.exit(ended.returncode)
    return ended.stdout
for entry in git("ls-tree", "-z", commit, "--", folder + "/").split(b"\\0")[:-1]:
    about, path = entry.split(b"\\t", 1)
    mode, kind, name = about.split()
    try:
        text = git("cat-file", "blob", name.decode()).decode() if mode in (b"100644", b"100755") else None
    except UnicodeDecodeError:
        text = None
    print(json.dumps({"name": path.decode("utf-8", "backslashreplace").rsplit("/", 1)[-1], "text": text}))
`;

export function toScript(name: string, text: string): MigrationScript {
  const checksum = createHash("sha256").update(text).digest("hex");
  return { name, language: name.endsWith(".py") ? "python" : "sql", checksum, text };
}

/** A script that a database has had, as its record says. */
const recorded = z.object({ name: z.string(), checksum: z.string(), run: z.string(), at: z.string() });
export type RecordedMigration = z.infer<typeof recorded>;

export function parseRecordedMigrations(lines: unknown): readonly RecordedMigration[] {
  return z.array(recorded).parse(lines);
}

/** JSON lines; none where nothing was ever run. */
export const recordedMigrationsSql = `
select $$select json_build_object('name', name, 'checksum', checksum, 'run', run, 'at', to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
    from ipai.migrations order by at, name$$
  where to_regclass('ipai.migrations') is not null \\gexec
`;

/** From here on everything is done with the rights of whoever owns the database, as Odoo would: what a script makes must be Odoo's to change. */
const asOwner = `select format('set role %I', pg_get_userbyid(datdba)) from pg_database where datname = current_database() \\gexec
`;

/** In a schema of its own, which Odoo knows nothing of and a dump takes along. */
export function prepareMigrations({ query, database }: MigrationGround): SqlAction {
  return query(
    database,
    `${asOwner}set client_min_messages to warning;
create schema if not exists ipai;
create table if not exists ipai.migrations (
  name text primary key, checksum text not null, run text not null, at timestamptz not null default now());
`,
  );
}

export function canRecordMigrations({ query, database }: MigrationGround): Probe {
  return {
    title: "the database has a place for their records",
    action: query(database, "select to_regclass('ipai.migrations') is not null;"),
    output: { from: "stdout" },
    compare: "eq",
    with: "t",
  };
}

export function isMigrated(
  { query, database }: MigrationGround,
  { name, checksum }: Pick<MigrationScript, "name" | "checksum">,
): Probe {
  return {
    title: `the database says that it has had ${name}`,
    action: query(database, "select count(*) from ipai.migrations where name = :'name' and checksum = :'checksum';", {
      name,
      checksum,
    }),
    output: { from: "stdout", as: "number" },
    compare: "eq",
    with: 1,
    code: "upgrade.migration_not_recorded",
  };
}

export function runMigration(
  odoo: Odoo,
  config: string,
  ground: MigrationGround,
  script: MigrationScript,
): SqlAction | CommandAction {
  return script.language === "sql" ? runSql(ground, script) : runPython(odoo, config, ground, script);
}

/**
 * The script is run by the server, within one statement: it cannot end the transaction that it shares with its record, since the server
 * refuses it. Whoever comes second (a run that was killed and resumed while the server still works for the first) waits for the first
 * one's record, and does nothing.
 */
function runSql({ query, database }: MigrationGround, { name, checksum, text }: MigrationScript): SqlAction {
  const quote = `$m${checksum}$`;
  const action = query(
    database,
    `${withoutLimits}${asOwner}select count(set_config('ipai.name', :'name', false)) + count(set_config('ipai.checksum', :'checksum', false))
  + count(set_config('ipai.run', :'run', false)) + count(set_config('ipai.script', ${quote}${text}${quote}, false)) as given \\gset
do $ipai$
begin
  insert into ipai.migrations (name, checksum, run)
    values (current_setting('ipai.name'), current_setting('ipai.checksum'), current_setting('ipai.run')) on conflict do nothing;
  if found then execute current_setting('ipai.script'); end if;
end
$ipai$;
`,
    { name, checksum, run: runId },
  );
  return { ...action, exitCodes: { ...action.exitCodes, 3: "upgrade.migration_failed" } };
}

/** As Odoo's user, by its own Python, with the function that Odoo's own migration scripts have: `migrate(cr, version)`. */
function runPython(
  odoo: Odoo,
  config: string,
  { database, odooOptions }: MigrationGround,
  { name, checksum, text }: MigrationScript,
): CommandAction {
  const words = [config, database, name, checksum, runId, ...odooOptions];
  return command(odoo.place, odoo.as(["/usr/bin/env", "python3", "-c", pythonScript, ...words]), {
    stdin: text,
    exitCodes: { 1: "upgrade.migration_failed", 2: "postgres.unreachable" },
  });
}

/** A script that ends the transaction by a statement of its own is found by the transaction's number, and fails. */
const pythonScript = `import configparser, sys
import psycopg2, psycopg2.extensions, psycopg2.extras
config, database, name, checksum, run, *options = sys.argv[1:]
parser = configparser.RawConfigParser()
parser.read(config)
given = dict(parser["options"]) if parser.has_section("options") else {}
given.update(option[2:].split("=", 1) for option in options)
names = {"db_host": "host", "db_port": "port", "db_user": "user", "db_password": "password", "db_sslmode": "sslmode"}
known = {key: given[name] for name, key in names.items() if given.get(name) not in (None, "", "False", "false", "None")}

class Connection(psycopg2.extensions.connection):
    def commit(self):
        raise RuntimeError("a migration script is one transaction with its record: it does not commit")
    def rollback(self):
        raise RuntimeError("a migration script is one transaction with its record: it does not roll back")

class Cursor(psycopg2.extensions.cursor):
    def dictfetchall(self):
        names = [column.name for column in self.description]
        return [dict(zip(names, row)) for row in self.fetchall()]
    def dictfetchone(self):
        row = self.fetchone()
        return None if row is None else dict(zip([column.name for column in self.description], row))

try:
    connection = psycopg2.connect(dbname=database, application_name="ipai migration", connection_factory=Connection, cursor_factory=Cursor, **known)
except psycopg2.OperationalError as error:
    print(error, file=sys.stderr)
    sys.exit(2)
cr = connection.cursor()
cr.execute("select quote_ident(pg_get_userbyid(datdba)) from pg_database where datname = current_database()")
cr.execute("set role " + cr.fetchone()[0])
cr.execute("select set_config(name, '0', false) from pg_settings where name in ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout')")
cr.execute("insert into ipai.migrations (name, checksum, run) values (%s, %s, %s) on conflict do nothing", (name, checksum, run))
if cr.rowcount:
    cr.execute("select txid_current(), (select latest_version from ir_module_module where name = 'base')")
    transaction, version = cr.fetchone()
    scope = {"__name__": "migration", "__file__": name}
    exec(compile(sys.stdin.read(), name, "exec"), scope)
    scope["migrate"](cr, version)
    cr.execute("select txid_current()")
    if cr.fetchone()[0] != transaction:
        sys.exit(name + " ended the transaction that it shares with its record")
    psycopg2.extensions.connection.commit(connection)
`;
