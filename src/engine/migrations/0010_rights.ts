import { type Kysely, sql } from "kysely";

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table grants (
      id integer primary key generated always as identity,
      person text not null references people,
      role text not null check (role in ('viewer', 'operator', 'approver', 'finance', 'admin')),
      stacks text[] not null default '{}',
      procedures text[] not null default '{}',
      given_by text not null,
      given_at timestamptz not null,
      taken_at timestamptz
    )`.execute(db);
  await sql`
    create unique index grants_are_given_once on grants (person, role, stacks, procedures) where taken_at is null`.execute(
    db,
  );
  await sql`
    create table tokens (
      id text primary key,
      person text not null references people,
      name text not null,
      secret_hash text not null,
      limits jsonb not null,
      created_at timestamptz not null,
      expires_at timestamptz not null,
      used_at timestamptz,
      revoked_at timestamptz
    )`.execute(db);
  await sql`
    create unique index tokens_by_name on tokens (person, name) where revoked_at is null`.execute(db);
  await sql`
    create table absences (
      id integer primary key generated always as identity,
      person text not null references people,
      from_at timestamptz not null,
      until_at timestamptz not null check (until_at > from_at),
      deputy text references people check (deputy <> person),
      noted_by text not null,
      noted_at timestamptz not null,
      ended_at timestamptz
    )`.execute(db);
  await sql`create index absences_by_end on absences (until_at) where ended_at is null`.execute(db);
  await sql`
    create table covers (
      id integer primary key generated always as identity,
      rota text not null,
      person text not null references people,
      from_at timestamptz not null,
      until_at timestamptz not null check (until_at > from_at),
      noted_by text not null,
      noted_at timestamptz not null,
      ended_at timestamptz
    )`.execute(db);
  await sql`create index covers_by_end on covers (rota, until_at) where ended_at is null`.execute(db);
}
