import { type Kysely, sql } from "kysely";

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table runs add column parent_step text`.execute(db);
  // Two processes that both take themselves for the one to plan an inner procedure must not begin it twice.
  await sql`create unique index runs_one_per_step_of_a_parent on runs (parent, parent_step)`.execute(db);
}
