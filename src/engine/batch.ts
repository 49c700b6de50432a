import { createHash } from "node:crypto";
import { type Kysely, sql } from "kysely";
import type { Message } from "./message.ts";
import type { ControlSchema } from "./schema.ts";

/** What goes out together: one post, noted under its key before it is sent. */

export interface Batch {
  readonly channel: string;
  /** The same whenever these messages are sent again. */
  readonly key: string;
  readonly messages: readonly Message[];
  /** Since when it may have arrived already; undefined when it goes out for the first time. */
  readonly firstSentAt: Date | undefined;
  /** What all of it is about, when it is one run. */
  readonly run: string | undefined;
  /** The post that opened this run's thread. */
  readonly root: string | undefined;
}

/** What a channel can carry. */
export interface Carrier {
  /** So many posts in so many seconds at most. What is critical goes out all the same. */
  readonly limit: { readonly posts: number; readonly perSeconds: number } | undefined;
  /** Of what is due, in order, what goes into one post: at least the first. */
  readonly choose: (due: readonly Message[]) => readonly Message[];
}

export interface Taken {
  readonly batch: Batch;
  readonly attempts: number;
  readonly giveUpAt: Date;
}

/** Longer than sending takes; then whoever took it has died, seconds. */
const takenSeconds = 60;
/** More than any post has room for. */
const dueMax = 500;

export async function takeBatch(
  tx: Kysely<ControlSchema>,
  channel: string,
  now: Date,
  carrier: Carrier,
): Promise<Taken | undefined> {
  // One courier at a time for each channel, so that a batch is taken whole.
  await sql`select pg_advisory_xact_lock(hashtextextended(${channel}, 5))`.execute(tx);
  const rows = await listDue(tx, channel, now, await isFull(tx, channel, now, carrier));
  const [first] = rows;
  if (first === undefined) return undefined;
  const due = rows.map(({ key, event, run, stack, chapter, severity, title, lines }) => ({
    ...{ key, event, run, stack, chapter, severity, title, lines },
  }));
  const messages = first.batch === null ? carrier.choose(due) : due;
  const keys = messages.map(({ key }) => key);
  const key = first.batch ?? keyOf(channel, keys);
  await tx
    .updateTable("deliveries")
    .set({ batch: key, attempts: sql`attempts + 1`, taken_at: sql`coalesce(taken_at, ${now})` })
    .set({ next_at: new Date(now.getTime() + takenSeconds * 1000) })
    .where("channel", "=", channel)
    .where("message", "in", keys)
    .execute();
  const run = commonRun(messages);
  const root = run === undefined ? undefined : await findRoot(tx, channel, run);
  return {
    batch: { channel, key, messages, firstSentAt: first.taken_at ?? undefined, run, root },
    attempts: first.attempts + 1,
    giveUpAt: first.give_up_at,
  };
}

/** Either what was sent together before, or everything that was not sent yet; what is critical first. */
async function listDue(tx: Kysely<ControlSchema>, channel: string, now: Date, isFull: boolean) {
  const isCritical = sql<boolean>`severity = 'critical'`;
  const due = tx
    .selectFrom("deliveries")
    .innerJoin("messages", "messages.key", "deliveries.message")
    .where("deliveries.channel", "=", channel)
    .where("deliveries.state", "=", "due")
    .where("deliveries.next_at", "<=", now)
    .$if(isFull, (query) => query.where(({ or, eb }) => or([eb("batch", "is not", null), isCritical])))
    .orderBy(isCritical, "desc");
  const first = await due.select("batch").orderBy("next_at").orderBy("place").limit(1).executeTakeFirst();
  if (first === undefined) return [];
  return due
    .selectAll()
    .where("batch", first.batch === null ? "is" : "=", first.batch)
    .orderBy("place")
    .limit(dueMax)
    .execute();
}

async function isFull(tx: Kysely<ControlSchema>, channel: string, now: Date, { limit }: Carrier): Promise<boolean> {
  if (limit === undefined) return false;
  const sent = await tx
    .selectFrom("deliveries")
    .select(({ fn }) => fn.count<string>("batch").distinct().as("count"))
    .where("channel", "=", channel)
    .where("taken_at", ">", new Date(now.getTime() - limit.perSeconds * 1000))
    .executeTakeFirstOrThrow();
  return Number(sent.count) >= limit.posts;
}

function commonRun(messages: readonly Message[]): string | undefined {
  const [run, ...others] = new Set(messages.map((message) => message.run));
  return others.length === 0 ? (run ?? undefined) : undefined;
}

async function findRoot(tx: Kysely<ControlSchema>, channel: string, run: string): Promise<string | undefined> {
  const thread = await tx
    .selectFrom("threads")
    .select("root")
    .where("channel", "=", channel)
    .where("run", "=", run)
    .executeTakeFirst();
  return thread?.root;
}

function keyOf(channel: string, keys: readonly string[]): string {
  return createHash("sha256")
    .update([channel, ...keys].join("\0"))
    .digest("hex")
    .slice(0, 32);
}
