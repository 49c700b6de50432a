import { type Kysely, sql } from "kysely";

export async function up(db: Kysely<unknown>): Promise<void> {
  // A look that found what it should, every five minutes: kept for a while, but in nobody's way.
  await sql`
    alter table runs add column is_quiet boolean not null
      generated always as (plan ->> 'lease' = 'none' and outcome is not distinct from 'succeeded') stored`.execute(db);
  await sql`create index runs_not_quiet_newest_first on runs (created_at desc) where not is_quiet`.execute(db);
  await sql`create index runs_not_quiet_of_a_stack on runs (stack, created_at desc) where not is_quiet`.execute(db);
}
