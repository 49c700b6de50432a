import type { StackConfig } from "../config/schema.ts";
import { type CommandAction, command, type Probe, type SqlAction } from "../runbook/action.ts";
import { prefixed, suffixed, type Text } from "../runbook/value.ts";
import { explained, gently } from "./restic.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { watching } from "./watched.ts";

/**
 * The stack's PostgreSQL, administered by its superuser through the cluster's own socket, so that no password is needed. All SQL
 * against a stack is made here or goes through `query`; answers are JSON, one object per line.
 */
export interface Postgres {
  /** Argv of a client program (psql, pg_dump, pg_restore) as the cluster's user, with its connection. */
  client(program: string, ...args: Text[]): readonly [Text, ...Text[]];
  query(database: Text, text: string, values?: Readonly<Record<string, Text>>): SqlAction;
  /** The operating-system user that owns the cluster. */
  readonly user: string;
  /** A dump in directory format, as of an exported snapshot if one is given, in a folder that the cluster's user may write. */
  dump(database: string, options: { snapshot?: Text; folder: Text; jobs: number }): CommandAction;
  /**
   * A folder with such a dump and, as of the same instant, the answers to questions about it: the name of each is a variable in capitals
   * and, in small letters, its file. There only when all of it is.
   */
  dumpDescribed(database: Text, options: { folder: Text; jobs: number; questions: Questions }): CommandAction;
  /** The table of contents of such a dump. */
  listDump(folder: Text): CommandAction;
  /**
   * Makes a database of a dump, under a name of its own and hidden from Odoo, with the properties that it had; what lies there under
   * that name is dropped first. Any error ends it.
   */
  load(database: Text, dump: Dump): CommandAction;
  /**
   * Copies a database whole, beside it and hidden from Odoo; what lies there under that name is dropped first. Nobody may be connected to
   * the source.
   */
  copyHidden(source: Text, copy: Text): SqlAction;
  /** The last that `load` and `copyHidden` do to it: a copy that was cut off is not. */
  isHidden(database: Text): Probe;
  databaseExists(database: Text): Probe;
  databaseIsAbsent(database: Text): Probe;
}

/** SQL by the name of a variable. It may use the snapshot whose name is in `snapshot`. */
export type Questions = Readonly<Record<string, string>>;

export interface Dump {
  /** Folder of a dump in directory format. */
  readonly dump: Text;
  /** Name of the database that it was made of. */
  readonly source: Text;
  /** A psql script that makes the roles that it names, where they are missing. */
  readonly roles: Text;
  readonly jobs: number;
}

/** psql ends with 2 when it gets no connection; with 3 when SQL fails. */
const psqlExitCodes = { 2: "postgres.unreachable" };

export function createPostgres(stack: StackConfig, runtime: Runtime): Postgres {
  const { database } = stack.services;
  const { tools } = runtime;
  const { user, program: own } = runtime.postgres;
  const connection = ["-h", database.host, "-p", String(database.port), "-U", database.superuser];
  const client: Postgres["client"] = (program, ...args) => runtime.as(user, [own(program), ...connection, ...args]);
  const query: Postgres["query"] = (name, text, values) => ({
    kind: "sql",
    host: tools,
    client: client("psql"),
    database: name,
    text: `${text.trim()}\n`,
    exitCodes: psqlExitCodes,
    ...(values === undefined ? {} : { values }),
  });
  const exists = (name: Text, count: 0 | 1): Probe => ({
    title: `database ${typeof name === "string" ? name : "copy"} ${count === 1 ? "exists" : "does not exist"}`,
    action: query("postgres", "select count(*) from pg_database where datname = :'name';", { name }),
    output: { from: "stdout", as: "number" },
    compare: "eq",
    with: count,
  });
  return {
    client,
    query,
    user,
    dump: (name, { snapshot, folder, jobs }) =>
      dumpCommand(tools, folder, [
        ...client("pg_dump", "--format=directory", "--compress=0", "--verbose", `--jobs=${jobs}`),
        ...(snapshot === undefined ? [] : [prefixed("--snapshot=", snapshot)]),
        prefixed("--file=", folder),
        name,
      ]),
    dumpDescribed: (name, { folder, jobs, questions }) => {
      const words = [folder, name, String(jobs), own("psql"), own("pg_dump"), database.host, String(database.port)];
      const names = Object.keys(questions);
      const script = ["sh", "-c", describedScript, "dump", ...words, database.superuser, ...names] as const;
      const argv = [...gently, ...watching(suffixed(folder, ".partial")), ...runtime.as(user, script)];
      return explained(
        command(tools, argv as unknown as readonly [Text, ...Text[]], {
          env: { ...questions, DUMP: heldScript },
          exitCodes: { ...psqlExitCodes, 1: "backup.dump_failed", 28: "backup.disk_full" },
        }),
      );
    },
    listDump: (folder) =>
      command(tools, [own("pg_restore"), "--list", folder], { exitCodes: { 1: "backup.dump_damaged" } }),
    load: (name, { dump, source, roles, jobs }) => {
      const words = [name, source, roles, dump, String(jobs), own("psql"), own("pg_restore"), ...connection];
      return explained(
        command(tools, runtime.as(user, ["sh", "-c", loadScript, "load", ...words]), {
          exitCodes: { 1: "restore.carry_failed", 28: "restore.server_full" },
        }),
      );
    },
    copyHidden: (source, copy) => query("postgres", copyHiddenSql, { name: copy, source, copy }),
    isHidden: (name) => ({
      title: "it is there, and hidden from Odoo",
      action: query("postgres", "select count(*) from pg_database where datname = :'name' and datistemplate;", {
        name,
      }),
      output: { from: "stdout", as: "number" },
      compare: "eq",
      with: 1,
    }),
    databaseExists: (name) => exists(name, 1),
    databaseIsAbsent: (name) => exists(name, 0),
  };
}

/**
 * Uncompressed: the repository compresses, and finds the unchanged parts of a table again only in plain text. The folder is
 * removed first, because pg_dump refuses one that a killed attempt left.
 */
function dumpCommand(host: string, folder: Text, program: readonly Text[]): CommandAction {
  const fresh = ["sh", "-c", 'rm -rf -- "$1" && shift && exec "$@"', "dump", folder];
  const argv = [...gently, ...fresh, ...watching(folder), ...program] as unknown as readonly [Text, ...Text[]];
  return command(host, argv, { exitCodes: { 1: "backup.dump_failed" } });
}

/** A database or a role may have limits that are meant for users. Not every server has all of these. */
export const withoutLimits = `select count(set_config(name, '0', false)) as lifted from pg_settings
  where name in ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout') \\gset
`;

/**
 * One session holds the snapshot while programs that it starts itself look at it: it ends with them, and they with it. psql does not say
 * how what it starts has ended (before 16), so a file does.
 */
const describedScript = `
set -eu
export FOLDER="$1" NAME="$2" JOBS="$3" PSQL="$4" PG_DUMP="$5" PGHOST="$6" PGPORT="$7" PGUSER="$8"
shift 8
export QUESTIONS="$*"
trap 'rm -rf -- "$FOLDER.partial"' EXIT
trap 'exit 1' HUP INT TERM
rm -rf -- "$FOLDER" "$FOLDER.partial"
mkdir -p -m 0750 -- "$FOLDER.partial"
"$PSQL" -X -q -v ON_ERROR_STOP=1 -d "$NAME" <<'END'
begin isolation level repeatable read read only;
${withoutLimits}select pg_export_snapshot() as snapshot \\gset
\\setenv SNAPSHOT :snapshot
\\! exec sh -c "$DUMP"
END
rm -- "$FOLDER.partial/whole"
mv -T -- "$FOLDER.partial" "$FOLDER"
`;

/** What a full disk keeps from being written is missed: an answer counts when psql and dd both say so. */
const heldScript = `
set -eu
cd -- "$FOLDER.partial"
for name in $QUESTIONS; do
  file=$(printf %s "$name" | tr A-Z a-z)
  { printenv "$name" | "$PSQL" -X -A -t -q -v ON_ERROR_STOP=1 -v snapshot="$SNAPSHOT" -d "$NAME" && : > asked; } | dd of="$file" conv=fsync status=none
  rm -- asked
done
"$PG_DUMP" --format=directory --compress=0 --verbose --jobs="$JOBS" --snapshot="$SNAPSHOT" --file=dump "$NAME"
: > whole
`;

/**
 * A dump makes its database under the name that it had, which the one that serves has now. So the few statements about the database as
 * such are printed first and given the new name: encoding, locale, owner, settings, grants, comment. Whatever else is in them stays as
 * it is, also what stands in a comment of several lines, and the manifest shows whether it came over. A tablespace is a place on another disk, and a subscription would call out.
 *
 * A dump is some thousand transactions, and none waits for the disk: whatever puts the database in place commits after them, and does wait.
 *
 * Of a template Odoo does not know: it is not in its list of databases, so no schedulers of a server whose configuration names no
 * database begin on it.
 */
const loadScript = `
set -eu
name=$1 source=$2 roles=$3 dump=$4 jobs=$5 psql=$6 restore=$7
shift 7
ask() { "$psql" "$@" -X -q -v ON_ERROR_STOP=1 -v name="$name" -d postgres; }
ask "$@" <<'END'
select format('alter database %I is_template false', :'name') from pg_database where datname = :'name' \\gexec
drop database if exists :"name" with (force);
END
ask "$@" < "$roles"
"$restore" --create --list "$dump" | grep -E '^[0-9]+; [0-9]+ [0-9]+ (ACL|COMMENT|SECURITY LABEL) - DATABASE ' > "$dump.parts" || :
"$restore" --create --no-tablespaces --use-list="$dump.parts" --file="$dump.made" "$dump"
quoted=$(ask "$@" -At <<'END'
select quote_ident(:'name');
END
)
SOURCE=$source NAME=$quoted awk '
  BEGIN { plain = "DATABASE " ENVIRON["SOURCE"] " "; quoted = "DATABASE \\"" ENVIRON["SOURCE"] "\\" " }
  /^.connect / && !within { next }
  !within && /^(CREATE|ALTER|COMMENT ON|GRANT|REVOKE|SECURITY LABEL) / {
    at = index($0, plain); size = length(plain)
    if (!at) { at = index($0, quoted); size = length(quoted) }
    if (at) $0 = substr($0, 1, at - 1) "DATABASE " ENVIRON["NAME"] " " substr($0, at + size)
    if (/^CREATE DATABASE /) sub(/ TABLESPACE = [^ ;]+/, "")
  }
  { print; within = (within + gsub(/\\047/, "")) % 2 }' "$dump.made" > "$dump.named"
ask "$@" < "$dump.named"
ask "$@" <<'END'
alter database :"name" is_template true;
END
PGOPTIONS='-c synchronous_commit=off' "$restore" "$@" --exit-on-error --no-tablespaces --no-subscriptions --jobs="$jobs" --dbname="$name" --verbose "$dump"
`;

/**
 * Copies a database whole, with what `CREATE DATABASE … TEMPLATE` leaves behind and `pg_dump --create` would write: settings, also those of
 * single roles in it, grants, limit of connections and comment. Whoever granted, the owner grants now. Nobody may be connected to the source.
 */
export const copyDatabaseSql = `
select format('create database %I with template %I owner %I', :'copy', :'source', pg_get_userbyid(datdba))
  from pg_database where datname = :'source' \\gexec
select format('alter %s set %I to %s', case when s.setrole = 0 then format('database %I', :'copy')
      else format('role %I in database %I', pg_get_userbyid(s.setrole), :'copy') end, split_part(setting, '=', 1),
    case when split_part(setting, '=', 1) in ('search_path', 'temp_tablespaces', 'session_preload_libraries', 'local_preload_libraries')
      then substr(setting, strpos(setting, '=') + 1)
      else quote_literal(substr(setting, strpos(setting, '=') + 1)) end)
  from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase, unnest(s.setconfig) setting
  where d.datname = :'source' \\gexec
select format('alter database %I connection limit %s', :'copy', datconnlimit)
  from pg_database where datname = :'source' and datconnlimit >= 0 \\gexec
select format('comment on database %I is %L', :'copy', said)
  from pg_database d, shobj_description(d.oid, 'pg_database') said where d.datname = :'source' and said is not null \\gexec
select format('revoke all on database %I from public, %I', :'copy', pg_get_userbyid(datdba))
  from pg_database where datname = :'source' and datacl is not null \\gexec
select format('grant %s on database %I to %s%s', privilege_type, :'copy',
    case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end,
    case when is_grantable then ' with grant option' else '' end)
  from pg_database d, aclexplode(d.datacl) where d.datname = :'source' order by is_grantable \\gexec
`;

/**
 * Puts `copy` in the place of `live` and keeps the one that was there as `aside`, hidden from Odoo as a template: all of it or
 * nothing.
 */
export const swapDatabasesSql = `
select count(pg_terminate_backend(pid)) from pg_stat_activity where datname in (:'live', :'copy') and pid <> pg_backend_pid();
begin;
select format('alter database %I rename to %I', :'live', :'aside')
  where exists (select from pg_database where datname = :'live') \\gexec
alter database :"copy" rename to :"live";
alter database :"live" is_template false;
select format('alter database %I is_template true', :'aside') from pg_database where datname = :'aside' \\gexec
commit;
`;

/** Gives a database another name, under which Odoo does not know of it. */
export const hideDatabaseSql = `
select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = :'live' and pid <> pg_backend_pid();
begin;
alter database :"live" rename to :"hidden";
alter database :"hidden" is_template true;
commit;
`;

/**
 * Gives a database, and whatever its owner has in it, to another role. Not by REASSIGN OWNED: that would give away the other databases of
 * the same owner too. A column's sequence goes with its table.
 */
export const giveDatabaseSql = `
with owned as (
  select d.classid, d.objid, i.type, i.identity from pg_shdepend d, pg_identify_object(d.classid, d.objid, 0) i, pg_database b
    where b.datname = current_database() and d.dbid = b.oid and d.deptype = 'o' and d.refclassid = 'pg_authid'::regclass
      and d.refobjid = b.datdba)
select format('alter %s %s owner to %I', type, identity, :'user') from owned
  where type in ('table', 'view', 'materialized view', 'foreign table', 'sequence', 'function', 'procedure', 'aggregate', 'schema', 'type',
      'large object')
    and not (type = 'sequence' and exists (select from pg_depend e where e.classid = owned.classid and e.objid = owned.objid
      and e.deptype in ('a', 'i') and e.refclassid = 'pg_class'::regclass)) \\gexec
select format('alter database %I owner to %I', current_database(), :'user') \\gexec
`;

/** Drops a database if it is there, ending who is still connected to it. */
export const dropDatabaseSql = `
select format('alter database %I is_template false', :'name') from pg_database where datname = :'name' and datistemplate \\gexec
drop database if exists :"name" with (force);
`;

/** A template, so that no Odoo whose configuration names no database lists it, or begins to work on it. */
const copyHiddenSql = `${dropDatabaseSql}${copyDatabaseSql}alter database :"copy" is_template true;\n`;

/** Sessions on a database that are not ours, in words; empty when there is none. */
export const otherSessionsSql = `
select coalesce(string_agg(format('%s (%s, pid %s, since %s)', coalesce(nullif(application_name, ''), 'unnamed'), usename, pid,
    to_char(backend_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')), '; ' order by backend_start), '')
  from pg_stat_activity
  where datname = :'name' and backend_type = 'client backend' and pid <> pg_backend_pid();
`;
