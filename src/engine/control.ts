import { Kysely, PostgresDialect, sql } from "kysely";
import pg from "pg";
import { defineError } from "../errors/error.ts";
import { SessionLocks } from "./locks.ts";
import { migrations } from "./migrations.ts";
import { persist } from "./persist.ts";
import type { ControlSchema } from "./schema.ts";
import { type ControlOptions, openServer } from "./server.ts";

/** The control database: where runs, their steps, leases, approvals and records live. */
export interface Control {
  readonly db: Kysely<ControlSchema>;
  /** Locks that live as long as this process. */
  readonly locks: SessionLocks;
  close(): Promise<void>;
}

export const ControlTooNew = defineError<{ reason: string }>("control.too_new", {
  exitCode: 63,
  message: (d) => `The control database was written by a newer version of ipai: ${d.reason}`,
  hint: () => "Use the newer version on this machine too. An older one could not read its own runs.",
});

/** Connects, starting the embedded server if need be, and brings the schema up to date. */
export async function openControl(options: ControlOptions): Promise<Control> {
  const connection = (await openServer(options)).clientConfig();
  const db = openDatabase(connection);
  try {
    // A server that another process has just started may not take connections yet.
    await persist(() => migrate(db));
  } catch (error) {
    await db.destroy();
    throw error;
  }
  const locks = new SessionLocks(async () => {
    const client = new pg.Client({ ...connection, application_name: "ipai run" });
    client.on("error", () => undefined);
    await client.connect();
    return client;
  });
  return {
    db,
    locks,
    close: async () => {
      await locks.close();
      await db.destroy();
    },
  };
}

/** A database of the control server, through a pool. */
export function openDatabase(connection: pg.ClientConfig): Kysely<ControlSchema> {
  const pool = new pg.Pool({ ...connection, max: 8 });
  // A connection that the server drops is replaced at its next use. Without a listener it would end the process: on the pool for
  // idle ones, on the client for one that is between two statements of a transaction.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => client.on("error", () => undefined));
  return new Kysely<ControlSchema>({ dialect: new PostgresDialect({ pool }) });
}

/** Most commands find the schema as it should be: one small query tells, without loading the migrator's lock. */
export async function migrate(db: Kysely<ControlSchema>): Promise<void> {
  const newest = Object.keys(migrations).sort().at(-1) ?? "";
  const applied = await sql<{ name: string }>`select max(name) as name from kysely_migration`
    .execute(db)
    .then(({ rows }) => rows[0]?.name)
    .catch(() => undefined);
  if (applied === newest) return;
  const { Migrator } = await import("kysely/migration");
  const migrator = new Migrator({ db, provider: { getMigrations: async () => ({ ...migrations }) } });
  const { error } = await migrator.migrateToLatest();
  if (error === undefined) return;
  // The migrator's word for steps in the database that this version does not have.
  if (error instanceof Error && error.message.startsWith("corrupted migrations"))
    throw ControlTooNew({ reason: error.message }, { cause: error });
  throw error;
}
