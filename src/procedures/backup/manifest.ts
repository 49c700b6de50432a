/**
 * What a backup says about itself. The same SQL is run in the dump's own snapshot and later on the restored copy; when both texts
 * are equal, every row and every column came back.
 */

/**
 * One JSON line per table (rows and a checksum over every row's text), one for the structure, in a fixed order. The checksum is a
 * sum of 64-bit hashes, so it does not depend on the order in which rows lie on disk; a row's text depends on the settings that
 * are fixed first. Sequences are left out: they move outside of transactions.
 */
export const manifestSql = `
\\if :{?snapshot}
begin isolation level repeatable read read only;
set transaction snapshot :'snapshot';
\\else
begin isolation level repeatable read read only;
\\endif
set local datestyle to 'ISO, YMD';
set local intervalstyle to 'postgres';
set local timezone to 'UTC';
set local bytea_output to 'hex';
set local extra_float_digits to 1;
set local lc_monetary to 'C';
select format('select json_build_object(%L, %L, %L, count(*), %L, coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text) from %s t',
    'table', c.oid::regclass::text, 'rows', 'checksum', c.oid::regclass)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_%'
  order by c.oid::regclass::text collate "C" \\gexec
select json_build_object('structure', md5(string_agg(line, E'\\n' order by line collate "C")), 'objects', count(*)) from (
  select 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) as line
    from pg_constraint where conrelid <> 0 and connamespace::regnamespace::text not in ('pg_catalog', 'information_schema')
  union all select 'index ' || indexdef from pg_indexes where schemaname not in ('pg_catalog', 'information_schema')
  union all select 'column ' || attrelid::regclass || '.' || attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull
      || ' ' || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
    from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where attnum > 0 and not attisdropped and c.relkind in ('r', 'v', 'm', 'p')
      and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_%'
  union all select 'sequence ' || schemaname || '.' || sequencename || ' ' || data_type || ' ' || increment_by from pg_sequences
  union all select 'trigger ' || tgrelid::regclass || ' ' || pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
) lines;
commit;
`;

/** Every attachment kept in the filestore, as `sha1sum --check` reads it: Odoo names the file by the SHA-1 of its content. */
export const attachmentsSql = `
\\if :{?snapshot}
begin isolation level repeatable read read only;
set transaction snapshot :'snapshot';
\\else
begin isolation level repeatable read read only;
\\endif
select line from (
  select distinct checksum || '  ' || store_fname as line from ir_attachment
    where store_fname is not null and checksum is not null
) lines order by line collate "C";
commit;
`;

/** Versions and modules: what a person needs to know before choosing where to restore. */
export const aboutSql = `
select json_build_object(
  'database', current_database(),
  'databaseBytes', pg_database_size(current_database()),
  'takenAt', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
  'server', current_setting('server_version'),
  'files', (select count(distinct store_fname) from ir_attachment where store_fname is not null),
  'collate', (select datcollate from pg_database where datname = current_database()),
  'encoding', pg_encoding_to_char((select encoding from pg_database where datname = current_database())),
  'modules', (select json_object_agg(name, latest_version order by name) from ir_module_module where state = 'installed'));
`;
