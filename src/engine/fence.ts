import { type Kysely, sql, type Transaction } from "kysely";
import { RunFenced } from "./errors.ts";
import type { ControlSchema } from "./schema.ts";

/** The right to write: of a process that carries a run out, as long as no other one does, and of those around an inner run. */
export interface Fence {
  readonly run: string;
  readonly fence: number;
  readonly outer?: Fence;
}

type Connection = Kysely<ControlSchema> | Transaction<ControlSchema>;

/**
 * Fails unless this process still has the run. Called before each action and inside each write, where the shared lock makes a
 * successor wait: it must not read the journal before this write is in it.
 */
export async function checkFence(
  db: Connection,
  fence: Fence,
): Promise<{ readonly cancel_requested_by: string | null }> {
  const run = await db
    .selectFrom("runs")
    .select("cancel_requested_by")
    .where("id", "=", fence.run)
    .where("fence", "=", fence.fence)
    .forShare()
    .executeTakeFirst();
  if (run === undefined) throw RunFenced({ run: fence.run });
  if (fence.outer !== undefined) await checkFence(db, fence.outer);
  return run;
}

/**
 * Part of a statement's condition: this process has the run, and a successor that raises the fence waits until the statement is
 * through, so that it reads what was written.
 */
export function isHeld(fence: Fence) {
  const fences = listFences(fence);
  const pairs = sql.join(fences.map((one) => sql`(${one.run}, ${one.fence}::integer)`));
  return sql<boolean>`
    ${fences.length} = (select count(*) from (select from runs where (id, fence) in (${pairs}) for share) as held)`;
}

function listFences(fence: Fence): readonly Fence[] {
  return [fence, ...(fence.outer === undefined ? [] : listFences(fence.outer))];
}

/** Nothing was written when the run was not held any more. */
export function requireHeld<Row>(row: Row | undefined, fence: Fence): Row {
  if (row === undefined) throw RunFenced({ run: fence.run });
  return row;
}
