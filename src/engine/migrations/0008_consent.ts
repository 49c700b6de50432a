import { type Kysely, sql } from "kysely";

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table runs
      add column consents smallint not null default 1 check (consents between 1 and 2),
      add column consent_until timestamptz`.execute(db);
  await sql`
    alter table approvals
      add column via text not null default 'shell',
      add column on_behalf_of text`.execute(db);
}
