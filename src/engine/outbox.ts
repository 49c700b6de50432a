import { type Kysely, sql } from "kysely";
import { inTransaction } from "./audit.ts";
import { type Batch, type Carrier, type Taken, takeBatch } from "./batch.ts";
import type { Control } from "./control.ts";
import { toJsonb } from "./json.ts";
import type { Message } from "./message.ts";
import { dueAt } from "./pace.ts";
import { type Route, routesFor } from "./route.ts";
import type { ControlSchema, DeliveryState } from "./schema.ts";

/**
 * Messages that wait to be delivered, in the control database: what is written there is delivered at least once, however often the
 * program dies or the receiver is away, and with the same key each time.
 */

/** What became of an attempt to deliver. */
export type Answer =
  /** `root`: later messages about the same run answer to this post. `reason`: what was not well all the same. */
  | { readonly kind: "delivered"; readonly root?: string; readonly reason?: string }
  /** It may be delivered later. `afterSeconds`: the receiver said when. */
  | { readonly kind: "again"; readonly reason: string; readonly afterSeconds?: number }
  /** The receiver does not want it, now or later. */
  | { readonly kind: "refused"; readonly reason: string };

/** Writes messages for every channel that wants them. One whose key was there before is passed over. */
export async function post(
  db: Kysely<ControlSchema>,
  routes: readonly Route[],
  messages: readonly Message[],
  now: Date,
): Promise<void> {
  for (const message of messages) await inTransaction(db, (tx) => postOne(tx, routes, message, now));
}

/** A message and its deliveries are written together. */
async function postOne(
  db: Kysely<ControlSchema>,
  routes: readonly Route[],
  message: Message,
  now: Date,
): Promise<void> {
  const { lines, ...rest } = message;
  const written = await db
    .insertInto("messages")
    .values({ ...rest, lines: toJsonb(lines), at: now })
    .onConflict((conflict) => conflict.doNothing())
    .returning("key")
    .executeTakeFirst();
  const chosen = written === undefined ? [] : routesFor(routes, message);
  if (chosen.length === 0) return;
  const due = chosen.map(({ channel, pace }) => ({ channel, next_at: dueAt(pace, message.severity, now) }));
  await db
    .insertInto("deliveries")
    .values(
      due.map(({ channel, next_at }) => ({
        ...{ message: message.key, channel, state: "due" as const, next_at },
        give_up_at: new Date(next_at.getTime() + giveUpSeconds * 1000),
      })),
    )
    .execute();
}

/** So long a receiver may be away. */
const giveUpSeconds = 24 * 3600;

/**
 * Sends what is due on one channel: one post. What goes out together is noted under its key, and taken for a while, before it is sent:
 * whatever happens then, it goes out again as it was, under the same key. False: nothing is due.
 */
export async function deliverNext(
  control: Control,
  channel: string,
  now: Date,
  carrier: Carrier,
  deliver: (batch: Batch) => Promise<Answer>,
): Promise<boolean> {
  const taken = await control.db.transaction().execute((tx) => takeBatch(tx, channel, now, carrier));
  if (taken === undefined) return false;
  const answer = await deliver(taken.batch);
  await control.db.transaction().execute((tx) => settle(tx, taken, answer, now));
  return true;
}

async function settle(
  tx: Kysely<ControlSchema>,
  { batch, attempts, giveUpAt }: Taken,
  answer: Answer,
  now: Date,
): Promise<void> {
  await tx
    .updateTable("deliveries")
    .set(settlement(answer, attempts, now, giveUpAt))
    .where("channel", "=", batch.channel)
    .where("batch", "=", batch.key)
    .where("state", "=", "due")
    .execute();
  if (answer.kind !== "delivered" || answer.root === undefined || batch.run === undefined) return;
  const { root } = answer;
  await tx
    .insertInto("threads")
    .values({ channel: batch.channel, run: batch.run, root, at: now })
    .onConflict((conflict) => conflict.columns(["channel", "run"]).doUpdateSet({ root, at: now }))
    .execute();
}

interface Settlement {
  readonly state: DeliveryState;
  readonly error: string | null;
  readonly next_at?: Date;
  readonly settled_at: Date | null;
}

function settlement(answer: Answer, attempts: number, now: Date, giveUpAt: Date): Settlement {
  if (answer.kind === "delivered") return { state: "delivered", error: answer.reason ?? null, settled_at: now };
  if (answer.kind === "refused") return { state: "refused", error: answer.reason, settled_at: now };
  const next = new Date(now.getTime() + 1000 * Math.max(answer.afterSeconds ?? 0, pauseSeconds(attempts)));
  if (next >= giveUpAt) return { state: "given_up", error: answer.reason, settled_at: now };
  return { state: "due", error: answer.reason, next_at: next, settled_at: null };
}

/** 5 s, 10 s, 20 s, … and never more than a quarter of an hour. */
function pauseSeconds(attempts: number): number {
  return Math.min(900, 5 * 2 ** (attempts - 1));
}

export interface DeliveryRow {
  readonly at: Date;
  readonly event: string;
  readonly run: string | null;
  readonly stack: string;
  readonly severity: string;
  readonly title: string;
  readonly lines: readonly string[];
  readonly channel: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly error: string | null;
  /** When it goes out, as long as it is due. */
  readonly next_at: Date | null;
}

/** The newest first. */
export async function listDeliveries(control: Control, limit: number): Promise<readonly DeliveryRow[]> {
  return control.db
    .selectFrom("deliveries")
    .innerJoin("messages", "messages.key", "deliveries.message")
    .select(["at", "event", "run", "stack", "severity", "title", "lines", "channel", "state", "attempts", "error"])
    .select(sql<Date | null>`case when state = 'due' then next_at end`.as("next_at"))
    .orderBy("place", "desc")
    .limit(limit)
    .execute();
}
