import { Kysely, PostgresDialect, sql } from "kysely";
import pg from "pg";
import { defineError } from "../errors/error.ts";
import type { Executor } from "../host/executor.ts";
import { embeddedAddress, startEmbedded } from "./embedded.ts";
import { SessionLocks } from "./locks.ts";
import { migrations } from "./migrations.ts";
import { persist } from "./persist.ts";
import type { ControlSchema } from "./schema.ts";

/** The control database: where runs, their steps, leases, approvals and records live. */
export interface Control {
  readonly db: Kysely<ControlSchema>;
  /** Locks that live as long as this process. */
  readonly locks: SessionLocks;
  close(): Promise<void>;
}

export const ControlUnreachable = defineError<{ where: string; reason: string }>("control.unreachable", {
  exitCode: 62,
  retryable: true,
  message: (d) => `The control database (${d.where}) does not answer: ${d.reason}. Nothing was changed.`,
  hint: () => "Does IPAI_DATABASE_URL (or control.database) name a running PostgreSQL, and is the password right?",
});

export const ControlTooNew = defineError<{ reason: string }>("control.too_new", {
  exitCode: 63,
  message: (d) => `The control database was written by a newer version of ipai: ${d.reason}`,
  hint: () => "Use the newer version on this machine too. An older one could not read its own runs.",
});

export interface ControlOptions {
  /** The tool's own directory on this machine; the embedded server lives below it. */
  readonly home: string;
  /** A PostgreSQL URL, or undefined for the embedded server. */
  readonly url?: string | undefined;
  readonly executor: Executor;
}

/** Connects, starting the embedded server if need be, and brings the schema up to date. */
export async function openControl(options: ControlOptions): Promise<Control> {
  const connection = await findConnection(options);
  const pool = new pg.Pool({ ...connection, max: 8, application_name: "ipai" });
  // A connection that the server drops is replaced at its next use. Without a listener it would end the process: on the pool for
  // idle ones, on the client for one that is between two statements of a transaction.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => client.on("error", () => undefined));
  const db = new Kysely<ControlSchema>({ dialect: new PostgresDialect({ pool }) });
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

async function findConnection(options: ControlOptions): Promise<pg.ClientConfig> {
  if (options.url !== undefined) {
    const connection = { connectionString: options.url, connectionTimeoutMillis: 5_000 };
    await tryConnection(connection).catch((error: Error) => {
      throw ControlUnreachable({ where: new URL(options.url ?? "").host, reason: error.message }, { cause: error });
    });
    return connection;
  }
  const connection = toClientConfig(embeddedAddress(options.home));
  const answers = await tryConnection(connection).then(
    () => true,
    () => false,
  );
  return answers ? connection : toClientConfig(await startEmbedded(options.home, options.executor));
}

function toClientConfig(address: ReturnType<typeof embeddedAddress>): pg.ClientConfig {
  return { host: address.socket, database: address.database, user: address.user };
}

async function tryConnection(config: pg.ClientConfig): Promise<void> {
  const client = new pg.Client(config);
  client.on("error", () => undefined);
  await client.connect();
  await client.end();
}

/** Most commands find the schema as it should be: one small query tells, without loading the migrator's lock. */
async function migrate(db: Kysely<ControlSchema>): Promise<void> {
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
