import { createHash } from "node:crypto";
import { type Kysely, sql } from "kysely";
import { inTransaction } from "./audit.ts";
import type { Control } from "./control.ts";
import { toJsonb } from "./json.ts";
import { channelsFor, type Message, type Route } from "./message.ts";
import type { ControlSchema, DeliveryState } from "./schema.ts";

/**
 * Messages that wait to be delivered, in the control database: what is written there is delivered at least once, however often the
 * program dies or the receiver is away, and with the same key each time.
 */

/** What became of an attempt to deliver. */
export type Answer =
  | { readonly kind: "delivered" }
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
  const channels = written === undefined ? [] : channelsFor(routes, message);
  if (channels.length === 0) return;
  const give_up_at = new Date(now.getTime() + giveUpSeconds * 1000);
  await db
    .insertInto("deliveries")
    .values(
      channels.map((channel) => ({ message: message.key, channel, state: "due" as const, next_at: now, give_up_at })),
    )
    .execute();
}

/** So long a receiver may be away. */
const giveUpSeconds = 24 * 3600;
/** What is due at once goes out together, so many at most. */
const batchMax = 20;

export interface Batch {
  readonly channel: string;
  /** The same whenever these messages are sent again. */
  readonly key: string;
  readonly messages: readonly Message[];
}

/**
 * Sends what is due on one channel. What goes out together is noted under its key, and taken for a while, before it is sent: whatever
 * happens then, it goes out again as it was, under the same key. False: nothing is due.
 */
export async function deliverNext(
  control: Control,
  channel: string,
  now: Date,
  deliver: (batch: Batch) => Promise<Answer>,
): Promise<boolean> {
  const taken = await control.db.transaction().execute((tx) => takeBatch(tx, channel, now));
  if (taken === undefined) return false;
  const { batch, attempts, giveUpAt } = taken;
  const answer = await deliver(batch);
  await control.db
    .updateTable("deliveries")
    .set(settle(answer, attempts, now, giveUpAt))
    .where("channel", "=", channel)
    .where("batch", "=", batch.key)
    .where("state", "=", "due")
    .execute();
  return true;
}

interface Taken {
  readonly batch: Batch;
  readonly attempts: number;
  readonly giveUpAt: Date;
}

/** Longer than sending takes; then whoever took it has died, seconds. */
const takenSeconds = 60;

async function takeBatch(tx: Kysely<ControlSchema>, channel: string, now: Date): Promise<Taken | undefined> {
  // One courier at a time for each channel, so that a batch is taken whole.
  await sql`select pg_advisory_xact_lock(hashtextextended(${channel}, 5))`.execute(tx);
  const due = tx
    .selectFrom("deliveries")
    .innerJoin("messages", "messages.key", "deliveries.message")
    .where("deliveries.channel", "=", channel)
    .where("deliveries.state", "=", "due")
    .where("deliveries.next_at", "<=", now);
  const first = await due.select("batch").orderBy("next_at").orderBy("place").limit(1).executeTakeFirst();
  if (first === undefined) return undefined;
  const rows = await due
    .selectAll()
    .where("deliveries.batch", first.batch === null ? "is" : "=", first.batch)
    .orderBy("place")
    .limit(batchMax)
    .execute();
  const messages = rows.map(({ key, stack, chapter, severity, title, lines }) => ({
    ...{ key, stack, chapter, severity, title, lines },
  }));
  const keys = messages.map(({ key }) => key);
  const key =
    first.batch ??
    createHash("sha256")
      .update([channel, ...keys].join("\0"))
      .digest("hex")
      .slice(0, 32);
  await tx
    .updateTable("deliveries")
    .set({ batch: key, attempts: sql`attempts + 1`, next_at: new Date(now.getTime() + takenSeconds * 1000) })
    .where("channel", "=", channel)
    .where("message", "in", keys)
    .execute();
  return {
    batch: { channel, key, messages },
    attempts: (rows[0]?.attempts ?? 0) + 1,
    giveUpAt: rows[0]?.give_up_at ?? now,
  };
}

interface Settlement {
  readonly state: DeliveryState;
  readonly error: string | null;
  readonly next_at?: Date;
  readonly settled_at: Date | null;
}

function settle(answer: Answer, attempts: number, now: Date, giveUpAt: Date): Settlement {
  if (answer.kind === "delivered") return { state: "delivered", error: null, settled_at: now };
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
  readonly stack: string;
  readonly severity: string;
  readonly title: string;
  readonly channel: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly error: string | null;
}

/** The newest first. */
export async function listDeliveries(control: Control, limit: number): Promise<readonly DeliveryRow[]> {
  return control.db
    .selectFrom("deliveries")
    .innerJoin("messages", "messages.key", "deliveries.message")
    .select(["at", "stack", "severity", "title", "channel", "state", "attempts", "error"])
    .orderBy("place", "desc")
    .limit(limit)
    .execute();
}
