import { type Kysely, sql } from "kysely";

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table audit (
      number integer primary key,
      at text not null,
      actor text not null,
      action text not null,
      stack text,
      subject text not null,
      detail jsonb not null,
      previous text not null,
      hash text not null unique
    )`.execute(db);
  // Nothing of this program changes an entry. Whoever owns the table can take this away; the chain shows what he did then.
  await sql`
    create function refuse_change() returns trigger language plpgsql as $$
      begin raise exception 'entries of the audit chain are neither changed nor removed'; end $$`.execute(db);
  await sql`
    create trigger audit_only_grows before update or delete or truncate on audit
      for each statement execute function refuse_change()`.execute(db);
}
