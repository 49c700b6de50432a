import { withoutLimits } from "../../stack/postgres.ts";
import { structureSql } from "./structure.ts";

/**
 * What a backup says about itself. The same SQL is run in the dump's own snapshot and later on the restored copy; when both texts
 * are equal, every row and every column came back.
 */

/** A transaction that sees one instant: the dump's own snapshot if its name is given. */
function atOneInstant(sql: string): string {
  return `
\\if :{?snapshot}
begin isolation level repeatable read read only;
set transaction snapshot :'snapshot';
\\else
begin isolation level repeatable read read only;
\\endif
${withoutLimits}${sql.trim()}
commit;
`;
}

/** Under these a row's text is the same on every server. */
export const fixedText = `set local search_path to pg_catalog;
set local datestyle to 'ISO, YMD';
set local intervalstyle to 'postgres';
set local timezone to 'UTC';
set local bytea_output to 'hex';
set local extra_float_digits to 1;
set local lc_monetary to 'C';
`;

/**
 * One JSON line per table (rows, and a checksum over every row's text), one for the large objects, then one per object of the
 * structure, in a fixed order. The checksum is a sum of 64-bit hashes: it does not depend on the order in which rows lie on disk, and
 * a row that is there twice counts twice. A row's text tells null from empty, 1.0 from 1.00 and every bit of a float apart, under
 * the settings that are fixed first; its columns are in the order of their names. Materialized views are only listed, since a
 * restore fills them anew. Zeros at the end of a large object's page do not count: a hole comes back as zeros.
 */
export const manifestSql = atOneInstant(`
${fixedText}select format('select json_build_object(%L, %L, %L, count(*), %L, coalesce(sum(hashtextextended(row(%s)::text collate "C", 0)), 0)::text) from only %s',
    'table', c.oid::regclass, 'rows', 'checksum',
    (select string_agg(quote_ident(attname), ',' order by attname) from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped),
    c.oid::regclass)
  from pg_class c join pg_namespace n on n.oid = relnamespace
  where relkind = 'r' and nspname <> 'information_schema' and nspname !~ '^pg_'
  order by c.oid::regclass::text collate "C" \\gexec
select json_build_object('large objects', (select count(*) from pg_largeobject_metadata), 'checksum',
  coalesce(sum(hashtextextended(format('%s %s %s', loid, pageno, content), 0)) filter (where content <> ''), 0)::text)
  from pg_largeobject, regexp_replace(encode(data, 'hex'), '(00)+$', '') content;
${structureSql}
`);

/**
 * Where every sequence stands, as \`name TAB value\`. Sequences move outside of transactions, so they cannot be compared for equality:
 * read before the dump is made, this is the least that must come back. It is at least what any row of the snapshot was given. One
 * that counts down has its value negated; one that begins again at its end says nothing.
 */
export const sequencesSql = atOneInstant(`
set local search_path to pg_catalog;
select line from (
  select concat(format('%I.%I', schemaname, sequencename), E'\\t', sign(increment_by) * coalesce(last_value, start_value - increment_by)) as line
    from pg_sequences where not cycle
) lines order by line collate "C";
`);

/** Every attachment kept in the filestore, as \`sha1sum --check\` reads it: Odoo names the file by the SHA-1 of its content. */
export const attachmentsSql = atOneInstant(`
select line from (
  select distinct checksum || '  ' || store_fname as line from ir_attachment
    where store_fname is not null and checksum is not null
) lines order by line collate "C";
`);

/** Versions and modules: what a person needs to know before choosing where to restore. \`takenAt\` is the snapshot's instant. */
export const aboutSql = atOneInstant(`
select json_build_object(
  'database', current_database(),
  'databaseBytes', pg_database_size(current_database()),
  'takenAt', :'takenAt',
  'server', current_setting('server_version'),
  'systemIdentifier', (select system_identifier::text from pg_control_system()),
  'files', (select count(distinct store_fname) from ir_attachment where store_fname is not null),
  'cluster', (select json_build_object(
    'version', current_setting('server_version_num')::int / 10000 || '',
    'dataDirectory', current_setting('data_directory'),
    'encoding', pg_encoding_to_char(encoding), 'collate', datcollate, 'ctype', datctype,
    'icu', coalesce(to_jsonb(d) ->> 'daticulocale', case to_jsonb(d) ->> 'datlocprovider' when 'i' then to_jsonb(d) ->> 'datlocale' end),
    'checksums', current_setting('data_checksums') = 'on',
    'segmentBytes', (select setting::bigint from pg_settings where name = 'wal_segment_size'),
    'settings', (select coalesce(json_object_agg(name, setting), '{}') from pg_file_settings
      where sourcefile like '%/postgresql.auto.conf' and name !~ '^(recovery_|restore_command|primary_)'),
    'archiveMode', current_setting('archive_mode'),
    'archiveCommand', case when current_setting('archive_command') = '(disabled)' then '' else current_setting('archive_command') end)
    from pg_database d where datname = 'template0'),
  'modules', (select json_object_agg(name, latest_version order by name) from ir_module_module where state = 'installed'));
`);

/** Of a database that is no Odoo's. */
export const aboutOtherSql = atOneInstant(`
select json_build_object('database', current_database(), 'databaseBytes', pg_database_size(current_database()),
  'takenAt', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'server', current_setting('server_version'));
`);

/**
 * A psql script that makes every role as it was, with its rights, its password as the server keeps it, its memberships and settings: a
 * server that has none of them yet needs them before Odoo can log in. Safe to repeat. Passwords are in it, as in odoo.conf: the
 * repository is encrypted.
 */
export const globalsSql = `
select format('select %L where to_regrole(%L) is null \\gexec', format('create role %I', rolname), quote_ident(rolname))
  from pg_roles where rolname !~ '^pg_' order by rolname collate "C";
select format('alter role %I with %s;', rolname, concat_ws(' ',
    case when rolsuper then 'superuser' else 'nosuperuser' end, case when rolinherit then 'inherit' else 'noinherit' end,
    case when rolcreaterole then 'createrole' else 'nocreaterole' end, case when rolcreatedb then 'createdb' else 'nocreatedb' end,
    case when rolcanlogin then 'login' else 'nologin' end, case when rolreplication then 'replication' else 'noreplication' end,
    case when rolbypassrls then 'bypassrls' else 'nobypassrls' end, format('connection limit %s', rolconnlimit),
    case when rolpassword is not null then format('password %L', rolpassword) end,
    case when rolvaliduntil is not null then format('valid until %L', rolvaliduntil) end))
  from pg_authid where rolname !~ '^pg_' order by rolname collate "C";
select line from (
  select format('grant %I to %I%s;', pg_get_userbyid(roleid), pg_get_userbyid(member), case when admin_option then ' with admin option' else '' end) as line
    from pg_auth_members where pg_get_userbyid(member) !~ '^pg_') lines order by line collate "C";
select line from (select format('alter role %I set %I to %s;', pg_get_userbyid(setrole), split_part(setting, '=', 1),
    case when split_part(setting, '=', 1) in ('search_path', 'temp_tablespaces', 'session_preload_libraries')
      then substr(setting, strpos(setting, '=') + 1)
      else quote_literal(substr(setting, strpos(setting, '=') + 1)) end) as line
  from pg_db_role_setting, unnest(setconfig) setting where setdatabase = 0 and setrole <> 0) lines order by line collate "C";
`;

/** A psql script that makes every role of the server: a dump names roles as owners and in grants, and does not bring them. */
export const rolesSql = `
select format('select %L where to_regrole(%L) is null \\gexec', format('create role %I', rolname), quote_ident(rolname))
  from pg_roles where rolname !~ '^pg_' order by rolname collate "C";
`;
