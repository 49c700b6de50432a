import { createHash } from "node:crypto";
import { sql } from "kysely";
import { defineError } from "../errors/error.ts";
import { canonicalJson } from "../runbook/hash.ts";
import type { Json } from "../runbook/value.ts";
import type { Control } from "./control.ts";
import { listUnended, type Tables } from "./journal.ts";

/** Requests that a sender may repeat because an answer was lost: under the same key the same run is begun once. */
export interface Request {
  readonly actor: string;
  readonly key: string;
  readonly content: Json;
}

export const RequestKeyReused = defineError<{ key: string }>("run.request_key_reused", {
  exitCode: 14,
  message: (d) => `The idempotency key ${d.key} was used for another request. Nothing was changed.`,
  hint: () => "A key belongs to one request and its repetitions. Take a new one.",
});

/** The run that was begun under the key, if any. */
export async function findBegun({ db }: Tables, { actor, key, content }: Request): Promise<string | undefined> {
  const row = await db
    .selectFrom("requests")
    .select(["run", "fingerprint"])
    .where("actor", "=", actor)
    .where("key", "=", key)
    .executeTakeFirst();
  if (row !== undefined && row.fingerprint !== fingerprintOf(content)) throw RequestKeyReused({ key });
  return row?.run;
}

/** What a request begins, and beside what. */
export interface Beginning {
  /** Absent: every request is a new one. */
  readonly request: Request | undefined;
  /** Not beside another run of the same actor on this stack: that one is found instead. */
  readonly aloneOn?: { readonly stack: string; readonly actor: string };
  readonly begin: (tables: Tables) => Promise<{ readonly id: string }>;
}

/** Begins a run, or finds the one that was begun already: under the key, or by the same actor. */
export async function beginOnce(control: Control, beginning: Beginning, now: Date): Promise<string> {
  const { request } = beginning;
  try {
    return await control.db.transaction().execute((tx) => beginIn({ db: tx }, beginning, now));
  } catch (error) {
    const before = error instanceof Repeated && request !== undefined ? await findBegun(control, request) : undefined;
    if (before === undefined) throw error;
    return before;
  }
}

async function beginIn(tables: Tables, { request, aloneOn, begin }: Beginning, now: Date): Promise<string> {
  if (aloneOn !== undefined) {
    const { stack, actor } = aloneOn;
    await sql`select pg_advisory_xact_lock(hashtextextended(${`${stack} ${actor}`}, 6))`.execute(tables.db);
    const [underWay] = await listUnended(tables, stack, actor);
    if (underWay !== undefined) return underWay;
  }
  const { id } = await begin(tables);
  if (request === undefined) return id;
  const { actor, key, content } = request;
  const added = await tables.db
    .insertInto("requests")
    .values({ actor, key, fingerprint: fingerprintOf(content), run: id, at: now })
    .onConflict((conflict) => conflict.doNothing())
    .returning("run")
    .executeTakeFirst();
  if (added === undefined) throw new Repeated();
  return id;
}

/** Takes back what was begun a second time. */
class Repeated extends Error {}

function fingerprintOf(content: Json): string {
  return createHash("sha256").update(canonicalJson(content)).digest("hex");
}
