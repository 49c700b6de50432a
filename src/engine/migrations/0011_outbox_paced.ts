import { type Kysely, sql } from "kysely";

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table messages add column event text not null default 'told'`.execute(db);
  await sql`alter table messages alter column event drop default`.execute(db);
  await sql`alter table messages add column run text`.execute(db);
  await sql`alter table deliveries add column taken_at timestamptz`.execute(db);
  await sql`create index deliveries_taken on deliveries (channel, taken_at) where taken_at is not null`.execute(db);
  await sql`
    create table threads (
      channel text not null,
      run text not null,
      root text not null,
      at timestamptz not null,
      primary key (channel, run)
    )`.execute(db);
  // Whoever writes a run's state need not know that somebody is told of it.
  await sql`alter table runs add column is_told boolean not null default true`.execute(db);
  await sql`
    update runs set is_told = false
      where status = 'waiting' or finished_at > now() - interval '1 day'`.execute(db);
  await sql`
    create function is_news() returns trigger language plpgsql as $$
      begin new.is_told := false; return new; end $$`.execute(db);
  await sql`
    create trigger runs_are_news before update of status on runs
      for each row when (old.status is distinct from new.status) execute function is_news()`.execute(db);
  await sql`create index runs_not_told on runs (id) where not is_told`.execute(db);
}
