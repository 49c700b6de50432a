import { type Kysely, sql } from "kysely";

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table runs (
      id text primary key,
      parent text references runs on delete cascade,
      procedure text not null,
      stack text not null,
      title text not null,
      plan jsonb not null,
      plan_hash text not null,
      undo_class text not null,
      actor text not null,
      status text not null check (status in ('planned', 'waiting', 'running', 'undoing', 'ended')),
      waiting_for text,
      decision text check (decision in ('again', 'done', 'undo', 'abandon')),
      outcome text check (outcome in ('succeeded', 'undone', 'failed', 'cancelled', 'unknown')),
      error jsonb,
      cancel_requested_by text,
      fence integer not null default 0,
      worker text,
      created_at timestamptz not null default now(),
      started_at timestamptz,
      finished_at timestamptz,
      constraint runs_end_with_an_outcome check ((status = 'ended') = (outcome is not null))
    )`.execute(db);
  await sql`create index runs_newest_first on runs (created_at desc)`.execute(db);
  await sql`
    create table steps (
      run text not null references runs on delete cascade,
      path text not null,
      phase text not null check (phase in ('do', 'undo')),
      step text not null,
      title text not null,
      outcome text not null check (outcome in ('running', 'succeeded', 'skipped', 'failed')),
      attempts integer not null,
      outputs jsonb,
      error jsonb,
      started_at timestamptz not null default now(),
      finished_at timestamptz,
      constraint steps_one_outcome_per_path primary key (run, path, phase)
    )`.execute(db);
  await sql`
    create table events (
      id bigserial primary key,
      run text not null references runs on delete cascade,
      at timestamptz not null default now(),
      kind text not null,
      path text,
      data jsonb
    )`.execute(db);
  await sql`create index events_of_a_run on events (run, id)`.execute(db);
  await sql`
    create table leases (
      stack text not null,
      run text not null references runs on delete cascade,
      mode text not null check (mode in ('shared', 'exclusive')),
      actor text not null,
      since timestamptz not null default now(),
      primary key (stack, run)
    )`.execute(db);
  await sql`
    create table approvals (
      run text not null references runs on delete cascade,
      plan_hash text not null,
      actor text not null,
      at timestamptz not null default now(),
      primary key (run, plan_hash, actor)
    )`.execute(db);
  await sql`
    create table records (
      kind text not null,
      id text not null,
      stack text not null,
      run text,
      at timestamptz not null default now(),
      data jsonb not null,
      primary key (kind, id)
    )`.execute(db);
  await sql`create index records_newest_first on records (stack, kind, at desc)`.execute(db);
}
