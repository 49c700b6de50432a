import { type Kysely, sql } from "kysely";

export async function up(db: Kysely<unknown>): Promise<void> {
  // What was taken back stays to be read, and told of when it had been announced.
  await sql`alter table occurrences drop constraint occurrences_state_check`.execute(db);
  await sql`
    alter table occurrences add constraint occurrences_state_check
      check (state in ('due', 'started', 'missed', 'failed', 'dropped'))`.execute(db);
  // The nearest announcement that was made of it: seconds before its time.
  await sql`alter table occurrences add column announced integer`.execute(db);
  await sql`create index occurrences_of_runs on occurrences (run) where run is not null`.execute(db);
}
