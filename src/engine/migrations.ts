import { sql } from "kysely";
import type { Migration } from "kysely/migration";

/**
 * The control database's schema, in numbered steps that are never edited once released. Kysely's migrator runs them under a lock
 * and refuses a database that knows steps which this version does not.
 */
export const migrations: Readonly<Record<string, Migration>> = {
  "0001_runs": {
    async up(db) {
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
    },
  },
  "0002_inner_runs": {
    async up(db) {
      await sql`alter table runs add column parent_step text`.execute(db);
      // Two processes that both take themselves for the one to plan an inner procedure must not begin it twice.
      await sql`create unique index runs_one_per_step_of_a_parent on runs (parent, parent_step)`.execute(db);
    },
  },
  "0003_runs_of_a_stack": {
    async up(db) {
      await sql`create index runs_of_a_stack_newest_first on runs (stack, created_at desc)`.execute(db);
    },
  },
  "0004_schedules": {
    async up(db) {
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
    },
  },
  "0005_quiet_runs": {
    async up(db) {
      // A look that found what it should, every five minutes: kept for a while, but in nobody's way.
      await sql`
        alter table runs add column is_quiet boolean not null
          generated always as (plan ->> 'lease' = 'none' and outcome is not distinct from 'succeeded') stored`.execute(
        db,
      );
      await sql`create index runs_not_quiet_newest_first on runs (created_at desc) where not is_quiet`.execute(db);
      await sql`create index runs_not_quiet_of_a_stack on runs (stack, created_at desc) where not is_quiet`.execute(db);
    },
  },
  "0006_outbox": {
    async up(db) {
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
    },
  },
  "0007_audit": {
    async up(db) {
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
    },
  },
  "0008_consent": {
    async up(db) {
      await sql`
        alter table runs
          add column consents smallint not null default 1 check (consents between 1 and 2),
          add column consent_until timestamptz`.execute(db);
      await sql`
        alter table approvals
          add column via text not null default 'shell',
          add column on_behalf_of text`.execute(db);
    },
  },
};
