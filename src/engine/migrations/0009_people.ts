import { type Kysely, sql } from "kysely";

export async function up(db: Kysely<unknown>): Promise<void> {
  // People, and what better-auth keeps of them: its tables under our names. A test compares with what it asks for.
  await sql`
    create table people (
      id text primary key,
      handle text not null unique check (handle ~ '^[a-z][a-z0-9._-]*$'),
      name text not null,
      email text not null unique check (email = lower(email)),
      email_verified boolean not null default false,
      image text,
      two_factor_enabled boolean default false,
      shell_names text[] not null default '{}',
      former_handles text[] not null default '{}',
      left_at timestamptz,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    )`.execute(db);
  await sql`
    create table sessions (
      id text primary key,
      person text not null references people,
      token text not null unique,
      method text not null,
      second_factor boolean not null,
      ip_address text,
      user_agent text,
      expires_at timestamptz not null,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null
    )`.execute(db);
  await sql`create index sessions_of_a_person on sessions (person)`.execute(db);
  await sql`
    create table accounts (
      id text primary key,
      person text not null references people,
      provider text not null,
      account text not null,
      access_token text,
      refresh_token text,
      id_token text,
      access_token_expires_at timestamptz,
      refresh_token_expires_at timestamptz,
      scope text,
      password text,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null,
      constraint accounts_are_of_one_person unique (provider, account),
      constraint accounts_one_per_provider unique (person, provider)
    )`.execute(db);
  await sql`
    create table verifications (
      id text primary key,
      identifier text not null,
      value text not null,
      expires_at timestamptz not null,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    )`.execute(db);
  await sql`create index verifications_by_identifier on verifications (identifier)`.execute(db);
  await sql`
    create table second_factors (
      id text primary key,
      person text not null references people,
      secret text not null,
      backup_codes text not null,
      verified boolean default true,
      failed_count integer default 0,
      locked_until timestamptz
    )`.execute(db);
  await sql`create index second_factors_of_a_person on second_factors (person)`.execute(db);
  await sql`
    create table passkeys (
      id text primary key,
      person text not null references people,
      name text,
      public_key text not null,
      credential text not null,
      counter integer not null,
      device_type text not null,
      backed_up boolean not null,
      transports text,
      aaguid text,
      created_at timestamptz
    )`.execute(db);
  await sql`create index passkeys_of_a_person on passkeys (person)`.execute(db);
  await sql`create index passkeys_by_credential on passkeys (credential)`.execute(db);
  await sql`
    create table rate_limits (
      id text primary key,
      key text not null unique,
      count integer not null,
      last_request bigint not null
    )`.execute(db);
  await sql`
    create table invitations (
      person text primary key references people,
      token_hash text not null unique,
      invited_by text not null,
      created_at timestamptz not null,
      expires_at timestamptz not null
    )`.execute(db);
  // Codes that were good once are good no more, for as long as they would be.
  await sql`
    create table used_codes (
      person text not null references people,
      code text not null,
      used_at timestamptz not null,
      primary key (person, code)
    )`.execute(db);
  await sql`
    create table refusals (
      minute timestamptz not null,
      source text not null,
      handle text not null,
      method text not null,
      count integer not null,
      told integer not null,
      primary key (minute, source, handle, method)
    )`.execute(db);
  await sql`create index refusals_of_a_handle on refusals (handle, method, minute)`.execute(db);
}
