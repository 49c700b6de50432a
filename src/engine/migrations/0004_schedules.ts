import { type Kysely, sql } from "kysely";

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table schedules (
      stack text not null,
      name text not null,
      rule text not null,
      since timestamptz not null,
      paused_by text,
      paused_at timestamptz,
      primary key (stack, name),
      check ((paused_by is null) = (paused_at is null))
    )`.execute(db);
  await sql`
    create table occurrences (
      stack text not null,
      schedule text not null,
      at timestamptz not null,
      starts_at timestamptz not null,
      give_up_at timestamptz not null,
      procedure text not null,
      input jsonb not null,
      actor text not null,
      state text not null check (state in ('due', 'started', 'missed', 'failed')),
      run text references runs on delete set null,
      error jsonb,
      settled_at timestamptz,
      constraint occurrences_happen_once primary key (stack, schedule, at),
      check ((state = 'due') = (settled_at is null))
    )`.execute(db);
  await sql`create index occurrences_due on occurrences (starts_at) where state = 'due'`.execute(db);
  await sql`
    create table workers (
      name text primary key,
      host text not null,
      process jsonb not null,
      started_at timestamptz not null default now(),
      seen_at timestamptz not null default now()
    )`.execute(db);
}
