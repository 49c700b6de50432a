import { createHash } from "node:crypto";
import { defineError } from "../errors/error.ts";
import { canonicalJson } from "../runbook/hash.ts";
import type { Json } from "../runbook/value.ts";
import type { Control } from "./control.ts";
import type { Tables } from "./journal.ts";

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

/** Begins a run under a key, or finds the one that a repetition of the same moment has begun. */
export async function beginOnce(
  control: Control,
  request: Request | undefined,
  begin: (tables: Tables) => Promise<{ readonly id: string }>,
  now: Date,
): Promise<string> {
  return control.db
    .transaction()
    .execute(async (tx) => {
      const { id } = await begin({ db: tx });
      if (request === undefined) return id;
      const { actor, key, content } = request;
      const row = { actor, key, fingerprint: fingerprintOf(content), run: id, at: now };
      const added = await tx
        .insertInto("requests")
        .values(row)
        .onConflict((conflict) => conflict.doNothing())
        .returning("run")
        .executeTakeFirst();
      if (added === undefined) throw new Repeated();
      return id;
    })
    .catch(async (error: unknown) => {
      const before = error instanceof Repeated && request !== undefined ? await findBegun(control, request) : undefined;
      if (before === undefined) throw error;
      return before;
    });
}

/** Takes back what was begun a second time. */
class Repeated extends Error {}

function fingerprintOf(content: Json): string {
  return createHash("sha256").update(canonicalJson(content)).digest("hex");
}
