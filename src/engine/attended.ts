import { sql } from "kysely";
import type { Control } from "./control.ts";

/**
 * The runs that are under way by their journal but that no process carries out: it was killed, or its machine is gone. They can be
 * resumed. Who carries a run out holds a session lock (see `claim.ts`), and PostgreSQL lists those.
 */
export async function listUnattended(
  control: Pick<Control, "db">,
  stacks?: readonly string[],
): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ id: string }>`
    select id from runs
      where status in ('running', 'undoing') and (${stacks === undefined} or stack = any(${stacks ?? []})) and not exists (
        select from pg_locks
          where locktype = 'advisory' and granted and objsubid = 1
            and database = (select oid from pg_database where datname = current_database())
            and (classid::bigint << 32 | objid::bigint) = hashtextextended(runs.id, 1))`.execute(control.db);
  return new Set(rows.map((row) => row.id));
}
