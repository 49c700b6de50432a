import { createHash } from "node:crypto";
import { type Kysely, sql } from "kysely";
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
  for (const message of messages) {
    const { lines, ...rest } = message;
    const written = await db
      .insertInto("messages")
      .values({ ...rest, lines: toJsonb(lines), at: now })
      .onConflict((conflict) => conflict.doNothing())
      .returning("key")
      .executeTakeFirst();
    const channels = written === undefined ? [] : channelsFor(routes, message);
    if (channels.length === 0) continue;
    const give_up_at = new Date(now.getTime() + giveUpSeconds * 1000);
    await db
      .insertInto("deliveries")
      .values(
        channels.map((channel) => ({ message: message.key, channel, state: "due" as const, next_at: now, give_up_at })),
      )
      .execute();
  }
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
 * Sends what is due on one channel, held meanwhile so that no other worker sends the same. What was sent together once and came back
 * goes out together again, under the same key. False: nothing is due.
 */
export async function deliverNext(
  control: Control,
  channels: readonly string[],
  now: Date,
  deliver: (batch: Batch) => Promise<Answer>,
): Promise<boolean> {
  if (channels.length === 0) return false;
  return control.db.transaction().execute(async (tx) => {
    const first = await tx
      .selectFrom("deliveries")
      .select(["channel", "batch"])
      .where("state", "=", "due")
      .where("next_at", "<=", now)
      .where("channel", "in", channels)
      .orderBy("next_at")
      .orderBy("message")
      .limit(1)
      .forUpdate()
      .skipLocked()
      .executeTakeFirst();
    if (first === undefined) return false;
    const rows = await tx
      .selectFrom("deliveries")
      .innerJoin("messages", "messages.key", "deliveries.message")
      .selectAll()
      .where("deliveries.channel", "=", first.channel)
      .where("deliveries.state", "=", "due")
      .where("deliveries.next_at", "<=", now)
      .where("deliveries.batch", first.batch === null ? "is" : "=", first.batch)
      .orderBy("messages.place")
      .limit(batchMax)
      .forUpdate("deliveries")
      .skipLocked()
      .execute();
    const messages = rows.map(({ key, stack, chapter, severity, title, lines }) => ({
      key,
      stack,
      chapter,
      severity,
      title,
      lines,
    }));
    const keys = messages.map(({ key }) => key);
    const key =
      first.batch ??
      createHash("sha256")
        .update([first.channel, ...keys].join("\0"))
        .digest("hex")
        .slice(0, 32);
    const answer = await deliver({ channel: first.channel, key, messages });
    const attempts = (rows[0]?.attempts ?? 0) + 1;
    await tx
      .updateTable("deliveries")
      .set({ attempts: sql`attempts + 1`, batch: key, ...settle(answer, attempts, now, rows[0]?.give_up_at ?? now) })
      .where("channel", "=", first.channel)
      .where("message", "in", keys)
      .execute();
    return true;
  });
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
  const next = new Date(now.getTime() + 1000 * (answer.afterSeconds ?? pauseSeconds(attempts)));
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
