import { type Kysely, sql } from "kysely";

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create index runs_of_a_stack_newest_first on runs (stack, created_at desc)`.execute(db);
}
