import { sql } from "kysely";
import type { Json } from "../runbook/value.ts";
import type { Control } from "./control.ts";
import { toJsonb } from "./json.ts";

/** What procedures keep beyond their runs, such as backups and proofs. Writing the same record again replaces it. */
export interface Records {
  put(record: { kind: string; id: string; stack: string; run: string | null; data: Json }): Promise<void>;
  find(kind: string, id: string): Promise<Json | undefined>;
  /** Removes what was kept of that kind for the stack. */
  forget(kind: string, stack: string): Promise<void>;
  /** Removes the oldest of that kind, until so many are left for the stack. */
  trim(kind: string, stack: string, left: number): Promise<void>;
  /** Newest first. */
  list(kind: string, stack: string, limit: number): Promise<readonly { id: string; at: Date; data: Json }[]>;
}

export function createRecords(control: Control): Records {
  return {
    put: async ({ data, ...key }) => {
      const text = toJsonb(data);
      await control.db
        .insertInto("records")
        .values({ ...key, data: text })
        .onConflict((conflict) =>
          conflict.columns(["kind", "id"]).doUpdateSet({ data: text, at: sql`now()`, run: key.run }),
        )
        .execute();
    },
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
