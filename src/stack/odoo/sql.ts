/** Questions to an Odoo database. Every answer is one JSON value; every order is fixed, so that equal data gives equal text. */

/** `{initialised, series}`: is this an Odoo database, and of which series is its base module? */
export const seriesSql = `
select json_build_object(
  'initialised', to_regclass('public.ir_module_module') is not null,
  'size', pg_database_size(current_database()),
  'server', current_setting('server_version_num')::int);
`;

/** One JSON object per installed or changing module. */
export const modulesSql = `
select json_build_object('name', name, 'state', state, 'version', latest_version)
  from ir_module_module where state not in ('uninstalled', 'uninstallable') order by name;
`;

/** The content hashes that the last successful update recorded, as a JSON text; empty when none was. */
export const recordedHashesSql = `
select coalesce((select value from ir_config_parameter where key = 'ipai.module_hashes'), '');
`;

/**
 * Records content hashes in the database itself, so that they travel with every copy of it. Only run while Odoo is stopped: a
 * running one would keep its cached parameters.
 */
export const recordHashesSql = `
insert into ir_config_parameter (key, value, create_uid, create_date, write_uid, write_date)
  values ('ipai.module_hashes', :'hashes', 1, now() at time zone 'UTC', 1, now() at time zone 'UTC')
  on conflict (key) do update set value = excluded.value, write_date = excluded.write_date;
`;

/** All crons with their identity and whether they are active: `xmlid or id|name|active`, one per line. */
const cronLines = `
select coalesce(d.module || '.' || d.name, 'cron ' || c.id) || '|' || c.cron_name || '|' || c.active as line
  from ir_cron c left join ir_model_data d on d.model = 'ir.cron' and d.res_id = c.id`;

/** The set of active crons as a sorted JSON list of `xmlid|name`. */
export const activeCronsSql = `
select coalesce(json_agg(substring(line from '^(.*)\\|true$') order by line), '[]')
  from (${cronLines}) crons where line like '%|true';
`;

/** All of them, active or not, as a sorted JSON list of `xmlid|name`: in a copy that was silenced none is active. */
export const cronsSql = `
select coalesce(json_agg(substring(line from '^(.*)\\|') order by line), '[]') from (${cronLines}) crons;
`;

/** Crons that were active in the given JSON list and are not any more; empty text when there is none. */
export const lostCronsSql = `
select coalesce(string_agg(was, '; ' order by was), '') from json_array_elements_text(:'before'::json) was
  where was not in (select substring(line from '^(.*)\\|true$') from (${cronLines}) crons where line like '%|true');
`;

/** Crons that are active now and were not in the given JSON list: what an update switched on or brought. */
export const newCronsSql = `
select coalesce(string_agg(substring(line from '^(.*)\\|true$'), '; ' order by line), 'none')
  from (${cronLines}) crons
  where line like '%|true'
    and substring(line from '^(.*)\\|true$') not in (select json_array_elements_text(:'before'::json));
`;

/** What belongs to the database as such, and not to what is in it: who may do what, settings, limit, comment. */
const databaseLines = `
select format('owner %s, limit %s, %s', pg_get_userbyid(datdba), datconnlimit, shobj_description(oid, 'pg_database')) as line
    from pg_database where datname = current_database()
  union all select format('%s to %s%s', privilege_type, case grantee when 0 then 'everybody' else pg_get_userbyid(grantee) end,
      case when is_grantable then ', to be granted' else '' end)
    from pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) where datname = current_database()
  union all select format('%s for %s', setting, case setrole when 0 then 'everybody' else pg_get_userbyid(setrole) end)
    from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase, unnest(s.setconfig) setting
    where d.datname = current_database()`;

const structureLines = `  select 'module ' || name || ' ' || state || ' ' || coalesce(latest_version, '') as line from ir_module_module
  union all (select 'cron ' || line from (${cronLines}) crons)
  union all select 'column ' || attrelid::regclass || '.' || attname || ' ' || format_type(atttypid, atttypmod) || attnotnull
    from pg_attribute join pg_class c on c.oid = attrelid join pg_namespace n on n.oid = c.relnamespace
    where attnum > 0 and not attisdropped and n.nspname = 'public' and c.relkind in ('r', 'v', 'm', 'p')
  union all select 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
    from pg_constraint where connamespace = 'public'::regnamespace
  union all select 'index ' || indexdef from pg_indexes where schemaname = 'public'
  union all select 'view ' || viewname || md5(definition) from pg_views where schemaname = 'public'
  union all (select 'database ' || line from (${databaseLines}) as_such)
`;

/**
 * What makes two states of a database the same for Odoo: modules with states and versions, crons, every column, constraint,
 * index and view, and what belongs to the database as such. Cheap enough for a downtime window; the full content is compared by the manifest of a backup.
 */
export const structureSql = `
select to_json(md5(string_agg(line, E'\\n' order by line))) from (
${structureLines}) lines;
`;

/** The same, a line each, sorted by their bytes. */
export const structureLinesSql = `
select replace(line, E'\\n', ' ') from (
${structureLines}) lines order by line collate "C";
`;

/** Modules between two states (`to upgrade` and the like): while there is one, Odoo skips every cron of the database. */
export const pendingModulesSql = `
select coalesce(string_agg(name || ' (' || state || ')', ', ' order by name), '') from ir_module_module where state like 'to %';
`;

/**
 * Requested modules whose installed version is not the one of their code, given as JSON `{name: version}`; empty when all fit.
 */
export const versionMismatchSql = `
select coalesce(string_agg(format('%s is %s at %s, wanted installed at %s', wanted.key, coalesce(m.state, 'absent'),
    coalesce(m.latest_version, 'no version'), wanted.value), '; ' order by wanted.key), '')
  from json_each_text(:'versions'::json) wanted left join ir_module_module m on m.name = wanted.key
  where m.state is distinct from 'installed' or m.latest_version is distinct from wanted.value;
`;
