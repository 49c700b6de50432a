import { type Kysely, sql } from "kysely";

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table messages (
      key text primary key,
      place bigserial not null,
      at timestamptz not null,
      stack text not null,
      chapter text not null,
      severity text not null check (severity in ('info', 'warning', 'critical')),
      title text not null,
      lines jsonb not null
    )`.execute(db);
  await sql`create index messages_newest_first on messages (place desc)`.execute(db);
  await sql`
    create table deliveries (
      message text not null references messages on delete cascade,
      channel text not null,
      state text not null check (state in ('due', 'delivered', 'refused', 'given_up')),
      batch text,
      attempts integer not null default 0,
      next_at timestamptz not null,
      give_up_at timestamptz not null,
      error text,
      settled_at timestamptz,
      primary key (message, channel),
      check ((state = 'due') = (settled_at is null))
    )`.execute(db);
  await sql`create index deliveries_due on deliveries (next_at) where state = 'due'`.execute(db);
  await sql`alter table occurrences add column is_told boolean not null default true`.execute(db);
  await sql`alter table occurrences alter column is_told set default false`.execute(db);
  await sql`create index occurrences_not_told on occurrences (at) where state in ('failed', 'missed') and not is_told`.execute(
    db,
  );
  await sql`create index occurrences_of_a_run on occurrences (run)`.execute(db);
  await sql`create index runs_not_ended on runs (stack) where status <> 'ended'`.execute(db);
}
