import { type Kysely, sql } from "kysely";
import { inTransaction, record } from "../../engine/audit.ts";
import type { ControlSchema } from "../../engine/schema.ts";

/**
 * Sign-ins that were refused. All are counted, by minute; of what a machine can produce by the thousand, only so many stand in the audit
 * chain, and how many do not is told with the next entry.
 */

type Connection = Kysely<ControlSchema>;

export interface Refusal {
  /** Where the request came from. */
  readonly source: string;
  /** Of a person that there is. What else was typed is not kept: it may be a password. */
  readonly handle: string | undefined;
  readonly method: string;
  readonly reason: string;
}

/** Neither can be a handle. */
const nobody = "(nobody)";
const unknown = "(unknown)";

/** Entries in the chain, a minute: from one source for one handle; and in all, of people, and as many of names that there are not. */
const toldMax = 3;
const toldInAllMax = 30;
/** How long the counts are kept. */
const keptHours = 24;

export function noteRefusal(db: Connection, refusal: Refusal, now: Date): Promise<void> {
  const { source, method, reason } = refusal;
  const handle = refusal.handle ?? unknown;
  const minute = minuteOf(now);
  return inTransaction(db, async (tx) => {
    await awaitTurn(tx);
    const { told } = await tx
      .selectFrom("refusals")
      .select(sql<number>`coalesce(sum(told), 0)::integer`.as("told"))
      .where("minute", "=", minute)
      .where("handle", handle === unknown ? "=" : "!=", unknown)
      .executeTakeFirstOrThrow();
    const isRoom = told < toldInAllMax;
    const row = await tx
      .insertInto("refusals")
      .values({ minute, source, handle, method, count: 1, told: isRoom ? 1 : 0 })
      .onConflict((existing) =>
        existing.columns(["minute", "source", "handle", "method"]).doUpdateSet({
          count: sql`refusals.count + 1`,
          told: sql`least(refusals.told + ${isRoom ? 1 : 0}, ${toldMax})`,
        }),
      )
      .returning(["count", "told"])
      .executeTakeFirstOrThrow();
    await tx
      .deleteFrom("refusals")
      .where("minute", "<", new Date(now.getTime() - keptHours * 3_600_000))
      .execute();
    if (!isRoom || row.count > toldMax) return;
    const notTold = await takeNotTold(tx, minute);
    const detail = { source, method, reason, ...(notTold === 0 ? {} : { notTold }) };
    const entry = { actor: nobody, action: "person.sign_in_refused", stack: null, subject: handle, detail };
    await record(tx, entry, now);
  });
}

/** How many of the minutes before are in no entry. From now on they are in one. */
export async function takeNotTold(tx: Connection, minute: Date): Promise<number> {
  await awaitTurn(tx);
  const rows = await tx
    .selectFrom("refusals")
    .select(sql<number>`coalesce(sum(count - told), 0)::integer`.as("missing"))
    .where("minute", "<", minute)
    .executeTakeFirstOrThrow();
  if (rows.missing > 0)
    await tx.updateTable("refusals").set({ told: sql`count` }).where("minute", "<", minute).execute();
  return rows.missing;
}

/** Counts are compared with each other, so they are made one after the other. */
async function awaitTurn(tx: Connection): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended('refusals', 4))`.execute(tx);
}

export function minuteOf(now: Date): Date {
  return new Date(Math.floor(now.getTime() / 60_000) * 60_000);
}

/** How often a handle was refused lately, from wherever. */
export async function countRefusals(db: Connection, handle: string, method: string, since: Date): Promise<number> {
  const row = await db
    .selectFrom("refusals")
    .select(sql<number>`coalesce(sum(count), 0)::integer`.as("count"))
    .where("handle", "=", handle)
    .where("method", "=", method)
    .where("minute", ">=", since)
    .executeTakeFirstOrThrow();
  return row.count;
}
