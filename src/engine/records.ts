import { sql } from "kysely";
import type { Json } from "../runbook/value.ts";
import { type Entry, inTransaction, record } from "./audit.ts";
import type { Control } from "./control.ts";
import { toJsonb } from "./json.ts";

/** What procedures keep beyond their runs, such as backups and proofs. Writing the same record again replaces it. */
export interface Records {
  /** `told`: what a person did with it, which goes into the audit in the same transaction. */
  put(kept: KeptRecord, told?: Entry): Promise<void>;
  find(kind: string, id: string): Promise<Json | undefined>;
  /** Removes what was kept of that kind for the stack. */
  forget(kind: string, stack: string): Promise<void>;
  /** Removes the oldest of that kind, until so many are left for the stack. */
  trim(kind: string, stack: string, left: number): Promise<void>;
  /** Who began a run: the owner of what it leaves. */
  actorOf(run: string): Promise<string>;
  /** Newest first. */
  list(kind: string, stack: string, limit: number): Promise<readonly { id: string; at: Date; data: Json }[]>;
}

export interface KeptRecord {
  readonly kind: string;
  readonly id: string;
  readonly stack: string;
  readonly run: string | null;
  readonly data: Json;
}

export function createRecords(control: Control): Records {
  return {
    put: ({ data, ...key }, told) =>
      inTransaction(control.db, async (tx) => {
        const text = toJsonb(data);
        await tx
          .insertInto("records")
          .values({ ...key, data: text })
          .onConflict((conflict) =>
            conflict.columns(["kind", "id"]).doUpdateSet({ data: text, at: sql`now()`, run: key.run }),
          )
          .execute();
        if (told !== undefined) await record(tx, told, new Date());
      }),
    find: async (kind, id) => {
      const found = await control.db
        .selectFrom("records")
        .select("data")
        .where("kind", "=", kind)
        .where("id", "=", id)
        .executeTakeFirst();
      return found?.data;
    },
    forget: async (kind, stack) => {
      await control.db.deleteFrom("records").where("kind", "=", kind).where("stack", "=", stack).execute();
    },
    trim: async (kind, stack, left) => {
      await control.db
        .deleteFrom("records")
        .where("kind", "=", kind)
        .where("stack", "=", stack)
        .where("id", "in", (query) =>
          query
            .selectFrom("records")
            .select("id")
            .where("kind", "=", kind)
            .where("stack", "=", stack)
            .orderBy("at", "desc")
            .offset(left),
        )
        .execute();
    },
    actorOf: async (run) =>
      (await control.db.selectFrom("runs").select("actor").where("id", "=", run).executeTakeFirstOrThrow()).actor,
    list: (kind, stack, limit) =>
      control.db
        .selectFrom("records")
        .select(["id", "at", "data"])
        .where("kind", "=", kind)
        .where("stack", "=", stack)
        .orderBy("at", "desc")
        .limit(limit)
        .execute(),
  };
}
