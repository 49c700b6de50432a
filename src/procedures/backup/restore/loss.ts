import { z } from "zod";
import type { FactReader } from "../../procedure.ts";
import { listBackups } from "../calls.ts";
import { readArchive } from "../wal/facts.ts";

/** What a restore of a set would lose, as far as it can be told quickly; only for people, nothing depends on it. */

export interface Loss {
  readonly ageSeconds: number;
  /** Sets that are nearer to now. */
  readonly newerSets: number;
  /** Base backups of the archive that are nearer; undefined without an archive. */
  readonly newerBases: number | undefined;
  /** Any instant from here on can be restored instead; undefined when none can. */
  readonly reachableFrom: string | undefined;
  /** Per model, what was created and what was changed since; those with most first. Undefined when it could not be asked. */
  readonly rows: readonly ChangedRows[] | undefined;
}

const changed = z.object({ model: z.string(), created: z.number(), changed: z.number() });
type ChangedRows = z.infer<typeof changed>;

export async function readLoss(
  reader: FactReader,
  { set, takenAt, now }: { readonly set: string; readonly takenAt: string; readonly now: Date },
): Promise<Loss> {
  const { stack, records } = reader;
  const archive = stack.pgbackrest === undefined ? undefined : await reader.maybe(readArchive(reader));
  const bases = archive?.backups.map(({ stoppedAt }) => stoppedAt * 1000);
  const rows = await reader.maybe(readChanges(reader, takenAt));
  const first = bases?.[0];
  return {
    ageSeconds: Math.round((now.getTime() - Date.parse(takenAt)) / 1000),
    newerSets: (await listBackups(records, stack.name)).filter((one) => one.id !== set && one.takenAt > takenAt).length,
    newerBases: bases?.filter((at) => at > Date.parse(takenAt)).length,
    reachableFrom: first === undefined ? undefined : new Date(first).toISOString(),
    rows,
  };
}

/** Per model, what was created and what was changed since an instant; those with most first. */
export async function readChanges({ stack, jsonLines }: FactReader, at: string): Promise<readonly ChangedRows[]> {
  return z.array(changed).parse(await jsonLines(stack.postgres.query(stack.config.odoo.database, changedSql, { at })));
}

/**
 * Tables of Odoo's models with what is written down of every row: when it was created and last changed. Those of more than a gigabyte
 * would take too long here, and what Odoo itself notes in the background is nobody's work.
 */
const changedSql = `
set statement_timeout to '20s';
select format('select json_build_object(''model'', %L, ''created'', count(*) filter (where create_date > %L), ''changed'',
    count(*) filter (where create_date <= %2$L)) from %s where create_date > %2$L or write_date > %2$L having count(*) > 0',
    m.model, (:'at'::timestamptz at time zone 'UTC')::text, c.oid::regclass)
  from ir_model m join pg_class c on c.relname = replace(m.model, '.', '_') and c.relnamespace = 'public'::regnamespace
  where c.relkind = 'r' and c.relpages < 131072 and m.model !~ '^(ir|bus|base|digest)[.]' and not m.transient
    and 2 = (select count(*) from pg_attribute where attrelid = c.oid and attname in ('create_date', 'write_date') and not attisdropped)
  order by m.model \\gexec
`;
