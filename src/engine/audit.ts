import { createHash } from "node:crypto";
import { type Kysely, sql } from "kysely";
import { canonicalJson } from "../runbook/hash.ts";
import type { Json } from "../runbook/value.ts";
import type { Control } from "./control.ts";
import { toJsonb } from "./json.ts";
import type { ControlSchema } from "./schema.ts";

/**
 * Who did what, in a chain: every entry has the hash of the one before in its own. An entry that is changed, removed or slipped in
 * breaks it there. What is missing at the end shows to whoever has kept the head of the chain.
 */

export interface Entry {
  readonly actor: string;
  /** `run.approved`, `schedule.paused`. */
  readonly action: string;
  readonly stack: string | null;
  /** What it was done to: a run, a schedule. */
  readonly subject: string;
  readonly detail: Readonly<Record<string, Json>>;
}

/** An entry as it stands in the chain and in an export: one line of JSON. */
export interface Link extends Entry {
  readonly number: number;
  /** In UTC, to the millisecond. */
  readonly at: string;
  readonly previous: string;
  readonly hash: string;
}

/** What the first entry has for its predecessor. */
const beginning = "0".repeat(64);

type Connection = Kysely<ControlSchema>;

/**
 * Adds an entry, in the transaction of what it tells. One at a time: the chain has one end. It is asked for last in a transaction, so
 * that nobody waits for anything while he holds it.
 */
export async function record(tx: Connection, entry: Entry, now: Date): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended('audit', 4))`.execute(tx);
  const last = await tx
    .selectFrom("audit")
    .select(["number", "hash"])
    .orderBy("number", "desc")
    .limit(1)
    .executeTakeFirst();
  // As it comes back from the database, or the hash would be of something else.
  const detail = JSON.parse(toJsonb(entry.detail)) as Entry["detail"];
  const link = {
    ...entry,
    detail,
    number: (last?.number ?? 0) + 1,
    at: now.toISOString(),
    previous: last?.hash ?? beginning,
  };
  await tx
    .insertInto("audit")
    .values({ ...link, detail: JSON.stringify(detail), hash: hashOf(link) })
    .execute();
}

/** In the transaction that there is, or in one of its own. */
export function inTransaction<T>(db: Connection, work: (tx: Connection) => Promise<T>): Promise<T> {
  return db.isTransaction ? work(db) : db.transaction().execute(work);
}

function hashOf({ number, at, actor, action, stack, subject, detail, previous }: Omit<Link, "hash">): string {
  const told = canonicalJson({ number, at, actor, action, stack, subject, detail, previous });
  return createHash("sha256").update(told).digest("hex");
}

/** The chain from its beginning, or the latest entries of it, in their order. */
export async function listLinks(control: Pick<Control, "db">, latest?: number): Promise<readonly Link[]> {
  const query = control.db.selectFrom("audit").selectAll().orderBy("number", "desc");
  const rows = await (latest === undefined ? query : query.limit(latest)).execute();
  return rows.toReversed();
}

export interface ChainFault {
  readonly number: number;
  readonly reason: string;
}

/**
 * What is wrong with a chain, the first fault only: after it nothing can be told. Pure, so that an export is checked where no control
 * database is. `head`: the hash that the chain is known to have had; it must be in it.
 */
export function findFault(links: readonly Link[], head?: string): ChainFault | undefined {
  let previous = beginning;
  for (const [index, link] of links.entries()) {
    const number = index + 1;
    if (link.number !== number)
      return { number, reason: `entry ${number} is missing; entry ${link.number} stands there` };
    if (link.previous !== previous) return { number, reason: `entry ${number} does not follow on the one before` };
    if (hashOf(link) !== link.hash) return { number, reason: `entry ${number} was changed after it was written` };
    previous = link.hash;
  }
  if (head === undefined || head === beginning || links.some(({ hash }) => hash === head)) return undefined;
  return {
    number: links.length + 1,
    reason: "entries are missing at the end: the chain has had a head that it has no more",
  };
}

/** The whole chain, for whoever takes it away; that she did is told by the next export. */
export async function exportLinks(control: Control, actor: string, via: string, now: Date): Promise<readonly Link[]> {
  const links = await listLinks(control);
  const detail = { entries: links.length, via };
  const entry = { actor, action: "audit.exported", stack: null, subject: "audit", detail };
  await inTransaction(control.db, (tx) => record(tx, entry, now));
  return links;
}
