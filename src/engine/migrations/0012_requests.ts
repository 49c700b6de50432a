import { type Kysely, sql } from "kysely";

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table requests (
      actor text not null,
      key text not null,
      fingerprint text not null,
      run text not null references runs on delete cascade,
      at timestamptz not null,
      primary key (actor, key)
    )`.execute(db);
}
