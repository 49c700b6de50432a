import { type Kysely, sql } from "kysely";
import type { TableDigests } from "./control-file.ts";
import type { ControlSchema } from "./schema.ts";

/** What is in the tables of a database, in a form that can be compared: rows, and a digest of them in no order. */
export async function readDigests(db: Kysely<ControlSchema>): Promise<TableDigests> {
  // The same text for the same value, whatever the server or the role has for a default.
  await sql`select set_config('timezone', 'UTC', false), set_config('datestyle', 'ISO', false),
    set_config('intervalstyle', 'postgres', false), set_config('extra_float_digits', '1', false),
    set_config('bytea_output', 'hex', false)`.execute(db);
  const { rows: tables } = await sql<{ schema: string; name: string }>`
    select n.nspname as schema, c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' order by 1, 2`.execute(db);
  const digests: Record<string, TableDigests[string]> = {};
  for (const { schema, name } of tables) {
    const { rows } = await sql<{ rows: string; digest: string }>`
      select count(*) as rows, coalesce(sum(('x' || encode(substr(sha256(convert_to(t::text, 'UTF8')), 1, 8), 'hex'))::bit(64)::bigint), 0)
        as digest from ${sql.id(schema, name)} as t`.execute(db);
    digests[`${schema}.${name}`] = { rows: Number(rows[0]?.rows), digest: String(rows[0]?.digest) };
  }
  return digests;
}

/** The first difference in words, or undefined. */
export function findDifference(wanted: TableDigests, found: TableDigests): string | undefined {
  const names = [...new Set([...Object.keys(wanted), ...Object.keys(found)])].sort();
  for (const name of names) {
    const [a, b] = [wanted[name], found[name]];
    if (a === undefined) return `the table ${name} should not be there`;
    if (b === undefined) return `the table ${name} is missing`;
    if (a.rows !== b.rows) return `${name} has ${b.rows} rows instead of ${a.rows}`;
    if (a.digest !== b.digest) return `the rows of ${name} are not those that were there`;
  }
  return undefined;
}
