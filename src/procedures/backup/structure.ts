/**
 * What a database is made of besides its rows, as one line of text per object. Objects of extensions are left out: an extension
 * brings them along itself, in the version that the server has.
 */

/** A line of text as an SQL expression: words and their values. A null value is left out with its word. */
function line(...pairs: readonly (readonly [word: string, expression: string])[]): string {
  return `concat_ws(' ', ${pairs.map(([word, expression]) => `'${word}' || ' ' || (${expression})`).join(", ")})`;
}

const name = `(?:"[^"]+"|[a-z_][a-z0-9_]*)`;
const cast = `::(?:${name}\\.)?${name}(?: varying| precision)?(?:\\(\\d+(?:,\\d+)?\\))?(?: with(?:out)? time zone)?(?:\\[\\])*`;

/**
 * PostgreSQL prints an expression, reads it back and prints it a little differently (`IN` on a varchar gets other casts), so casts,
 * parentheses and white space do not count. Both sides are treated alike.
 */
function plain(expression: string): string {
  return `regexp_replace(regexp_replace(${expression}, '${cast}', '', 'g'), '[()\\s]+', '', 'g')`;
}

/** A list in one order. */
function sorted(list: string): string {
  return `(select string_agg(item, ' ' order by item collate "C") from unnest(${list}) item)`;
}

/** Privileges; what nobody has granted or revoked reads as if it had been written down. */
function privileges(list: string, kind: string, owner: string): string {
  return sorted(`coalesce(${list}, acldefault(${kind}, ${owner}))::text[]`);
}

/** Does not belong to an extension. `catalogue` and `object` are SQL expressions. */
function isOwn(catalogue: string, object: string): string {
  return `not exists (select from pg_depend e where e.deptype = 'e' and e.classid = ${catalogue} and e.objid = ${object})`;
}

const isPlaced = "not relhassubclass and not exists (select from pg_inherits where inhrelid = r.oid)";

/** Tables, views, sequences, and what hangs on them. An invalid index is not dumped, so it is not listed either. */
const ofRelations = [
  `select ${line(
    ["relation", "r.oid::regclass::text"],
    ["kind", "relkind::text"],
    ["owner", "relowner::regrole::text"],
    ["privileges", privileges("relacl", `case relkind when 'S' then 's'::"char" else 'r'::"char" end`, "relowner")],
    ["persistence", "nullif(relpersistence, 'p')::text"],
    ["options", sorted("reloptions")],
    ["row security", "nullif(format('%s%s', relrowsecurity, relforcerowsecurity), 'ff')"],
    [
      "replica identity",
      "nullif(relreplident, case when relkind in ('r', 'm', 'p') then 'd'::\"char\" else 'n' end)::text",
    ],
    ["partitioned by", "pg_get_partkeydef(r.oid)"],
    ["partition", "pg_get_expr(relpartbound, r.oid)"],
    [
      "inherits",
      "(select string_agg(inhparent::regclass::text, ' ' order by inhseqno) from pg_inherits where inhrelid = r.oid)",
    ],
    ["is", `case when relkind in ('v', 'm') then md5(${plain("pg_get_viewdef(r.oid)")}) end`],
    ["filled", "case when relkind = 'm' then relispopulated::text end"],
  )} as line from relations r`,
  // Columns of a table that inherits others may come back in another place.
  `select ${line(
    ["column", "format('%s.%I', r.oid::regclass, attname)"],
    ["place", `case when ${isPlaced} then (row_number() over (partition by r.oid order by attnum))::text end`],
    ["type", "format_type(atttypid, atttypmod)"],
    ["collation", "nullif(nullif(attcollation::regcollation::text, '-'), '\"default\"')"],
    ["not null", "nullif(attnotnull, false)::text"],
    ["default", plain("pg_get_expr(adbin, adrelid)")],
    ["identity", "nullif(attidentity::text, '')"],
    ["generated", "nullif(attgenerated::text, '')"],
    ["privileges", sorted("attacl::text[]")],
  )} from relations r join pg_attribute on attrelid = r.oid
     left join pg_attrdef on adrelid = attrelid and adnum = attnum
     where attnum > 0 and not attisdropped and relkind <> 'S'`,
  `select ${line(
    ["sequence", "r.oid::regclass::text"],
    ["type", "format_type(seqtypid, null)"],
    ["range", "format('%s to %s from %s by %s', seqmin, seqmax, seqstart, seqincrement)"],
    ["cycles", "nullif(seqcycle, false)::text"],
    [
      "belongs to",
      `(select string_agg(format('%s.%I', refobjid::regclass, attname), ' ') from pg_depend
         join pg_attribute on attrelid = refobjid and attnum = refobjsubid
         where classid = 'pg_class'::regclass and objid = r.oid and deptype in ('a', 'i') and refclassid = 'pg_class'::regclass)`,
    ],
  )} from relations r join pg_sequence on seqrelid = r.oid`,
  `select ${line(
    ["constraint", "format('%I on %s', conname, r.oid::regclass)"],
    ["is", plain("pg_get_constraintdef(c.oid)")],
  )} from relations r join pg_constraint c on conrelid = r.oid where contype <> 't'`,
  `select ${line(["index", "indexrelid::regclass::text"], ["is", plain("pg_get_indexdef(indexrelid)")])}
     from relations r join pg_index on indrelid = r.oid where indisready and (indisvalid or relkind = 'p')`,
  `select ${line(
    ["trigger", "format('%I on %s', tgname, r.oid::regclass)"],
    ["enabled", "tgenabled::text"],
    ["is", plain("pg_get_triggerdef(t.oid)")],
  )} from relations r join pg_trigger t on tgrelid = r.oid where not tgisinternal`,
  `select ${line(
    ["rule", "format('%I on %s', rulename, r.oid::regclass)"],
    ["enabled", "ev_enabled::text"],
    ["is", plain("pg_get_ruledef(w.oid)")],
  )} from relations r join pg_rewrite w on ev_class = r.oid where rulename <> '_RETURN'`,
  `select ${line(
    ["policy", "format('%I on %s', polname, r.oid::regclass)"],
    ["for", "polcmd::text"],
    ["to", sorted("polroles::regrole[]::text[]")],
    ["using", plain("pg_get_expr(polqual, polrelid)")],
    ["check", plain("pg_get_expr(polwithcheck, polrelid)")],
  )} from relations r join pg_policy on polrelid = r.oid`,
];

/** What stands by itself, in a schema or in the database. */
const ofSchemas = [
  `select ${line(
    ["schema", "quote_ident(nspname)"],
    ["owner", "nspowner::regrole::text"],
    ["privileges", privileges("nspacl", `'n'`, "nspowner")],
  )} from schemas`,
  `select ${line(["extension", "quote_ident(extname)"], ["in", "extnamespace::regnamespace::text"])} from pg_extension`,
  `select ${line(
    ["function", "p.oid::regprocedure::text"],
    ["owner", "proowner::regrole::text"],
    ["privileges", privileges("proacl", `'f'`, "proowner")],
    ["is", `case when prokind <> 'a' then md5(${plain("pg_get_functiondef(p.oid)")}) end`],
  )} from pg_proc p join schemas on schemas.oid = pronamespace where ${isOwn("'pg_proc'::regclass", "p.oid")}`,
  `select ${line(
    ["type", "t.oid::regtype::text"],
    ["owner", "typowner::regrole::text"],
    ["of", "nullif(typbasetype, 0)::regtype::text"],
    ["not null", "nullif(typnotnull, false)::text"],
    ["default", plain("typdefault")],
    [
      "labels",
      "(select string_agg(quote_literal(enumlabel), ' ' order by enumsortorder) from pg_enum where enumtypid = t.oid)",
    ],
  )} from pg_type t join schemas on schemas.oid = typnamespace
     where typtype in ('d', 'e', 'r') and ${isOwn("'pg_type'::regclass", "t.oid")}`,
  `select ${line(
    ["constraint", "format('%I on type %s', conname, contypid::regtype)"],
    ["is", plain("pg_get_constraintdef(c.oid)")],
  )} from pg_constraint c join pg_type t on t.oid = contypid join schemas on schemas.oid = typnamespace
     where ${isOwn("'pg_type'::regclass", "t.oid")}`,
  `select ${line(["comment on", "pg_describe_object(classoid, objoid, objsubid)"], ["is", "md5(description)"])}
     from pg_description d where objoid >= 16384 and ${isOwn("d.classoid", "d.objoid")}`,
  `select ${line(
    ["database", "pg_encoding_to_char(encoding)"],
    ["collate", "datcollate::text"],
    ["ctype", "datctype::text"],
    ["owner", "datdba::regrole::text"],
  )} from pg_database where datname = current_database()`,
  `select ${line(["setting", "setting"], ["for", "nullif(setrole, 0)::regrole::text"])}
     from pg_db_role_setting join pg_database d on d.oid = setdatabase, unnest(setconfig) setting
     where datname = current_database()`,
];

/** One JSON line per object, in a fixed order. Every name is printed with its schema when the search path has none. */
export const structureSql = `
with schemas as materialized (
  select * from pg_namespace where nspname <> 'information_schema' and nspname !~ '^pg_'),
relations as materialized (
  select pg_class.* from pg_class join schemas on schemas.oid = relnamespace
    where relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'c') and ${isOwn("'pg_class'::regclass", "pg_class.oid")})
select json_build_object('object', line) from (
${[...ofRelations, ...ofSchemas].join("\nunion all ")}
) lines order by line collate "C";
`;
