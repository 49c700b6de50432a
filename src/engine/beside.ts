import { basename } from "node:path";
import { type Kysely, sql } from "kysely";
import pg from "pg";
import { defineError } from "../errors/error.ts";
import type { ResolvedCommand } from "../host/executor.ts";
import { findDumpPrograms } from "./programs.ts";
import type { ControlSchema } from "./schema.ts";
import { type ControlOptions, type ControlServer, openServer } from "./server.ts";

/**
 * Databases beside the control database, on the same server: copies that are proven or restored, and what a restore replaced. Whoever
 * makes, swaps or removes one holds a lock, so nobody finds another's half-made one.
 */

export const ControlBusy = defineError<{ where: string }>("control.copy_under_way", {
  exitCode: 79,
  retryable: true,
  message: (d) =>
    `The control database (${d.where}) is being backed up or restored by another process. Nothing was changed.`,
  hint: () => "Wait until that has ended, and try again: it takes seconds.",
});

export const RightMissing = defineError<{ where: string; role: string; right: string; grant: string }>(
  "control.right_missing",
  {
    exitCode: 77,
    message: (d) => `The role ${d.role} may not ${d.right} on ${d.where}. Nothing was changed.`,
    hint: (d) => `An administrator of that server can allow it: ${d.grant}`,
  },
);

export const CopyFailed = defineError<{ what: string; output: string }>("control.copy_failed", {
  exitCode: 74,
  message: (d) => `${d.what} failed: ${d.output}. The control database, and every earlier backup, are as they were.`,
  hint: () => "Is a disk full, of the folder of the backups or of the server? The last line says what was wrong.",
});

/** The server while this process has the lock. */
export interface Workshop extends AsyncDisposable {
  readonly server: ControlServer;
  /** Version of the server. */
  readonly version: number;
  /** A connection to another database of the server than the control database. */
  readonly client: pg.Client;
  /** Name of the control database, quoted. */
  readonly live: string;
  /** Runs pg_dump or pg_restore. Throws what it said when it fails. */
  run(database: string, argv: readonly [string, ...string[]], input?: readonly [string, ...string[]]): Promise<void>;
  /** An empty database of the same kind. Its name. */
  create(purpose: Purpose): Promise<string>;
  drop(database: string): Promise<void>;
}

type Purpose = "proof" | "restore";

/** Long enough for a journal of years. */
const programTimeoutMs = 6 * 3_600_000;

export async function openWorkshop(options: ControlOptions): Promise<Workshop> {
  const server = await openServer(options);
  const client = await connectElsewhere(server);
  try {
    await lock(client, server);
    await requireRights(client, server);
    const { rows } = await client.query<{ version: number }>(
      "select current_setting('server_version_num')::integer as version",
    );
    const version = Math.floor((rows[0]?.version ?? 0) / 10_000);
    const programs = await findDumpPrograms(version);
    const workshop = {
      ...{ server, version, client, live: pg.escapeIdentifier(server.database) },
      run: (database: string, argv: Argv, input?: Argv) =>
        runProgram(options, [`${programs}/${argv[0]}`, ...argv.slice(1)], server.programEnvironment(database), input),
      create: (purpose: Purpose) => create(client, server, purpose),
      drop: (database: string) => drop(client, database),
      [Symbol.asyncDispose]: () => client.end(),
    };
    await sweep(workshop);
    return workshop;
  } catch (error) {
    await client.end();
    throw error;
  }
}

type Argv = readonly [string, ...string[]];

/** A database cannot be renamed by who is connected to it. */
async function connectElsewhere(server: ControlServer): Promise<pg.Client> {
  const others = ["postgres", "template1"].filter((name) => name !== server.database);
  let refused = "";
  for (const name of others) {
    const client = new pg.Client(server.clientConfig(name));
    client.on("error", () => undefined);
    const failure = await client.connect().then(
      () => undefined,
      (error: Error) => error.message,
    );
    if (failure === undefined) return client;
    refused = failure;
  }
  const role = server.clientConfig().user ?? refused;
  const grant = `grant connect on database ${others[0]} to …`;
  throw RightMissing({ where: server.where, role, right: `connect to ${others.join(" or ")}`, grant });
}

async function lock(client: pg.Client, server: ControlServer): Promise<void> {
  const { rows } = await client.query<{ locked: boolean }>(
    "select pg_try_advisory_lock(hashtextextended($1, 6)) as locked",
    [server.database],
  );
  if (rows[0]?.locked !== true) throw ControlBusy({ where: server.where });
}

async function requireRights(client: pg.Client, server: ControlServer): Promise<void> {
  const { rows } = await client.query<{ role: string; creates: boolean; owns: boolean; owner: string }>(
    `select current_user as role, rolsuper or rolcreatedb as creates, pg_has_role(datdba, 'usage') as owns,
       pg_get_userbyid(datdba) as owner
     from pg_roles, pg_database where rolname = current_user and datname = $1`,
    [server.database],
  );
  const { role = "", creates, owns, owner = "" } = rows[0] ?? {};
  const quoted = pg.escapeIdentifier(role);
  const { where, database } = server;
  if (creates !== true)
    throw RightMissing({ where, role, right: "create databases", grant: `alter role ${quoted} createdb` });
  if (owns === true) return;
  const grant = `grant ${pg.escapeIdentifier(owner)} to ${quoted}`;
  throw RightMissing({ where, role, right: `do what the owner of ${database} may`, grant });
}

async function runProgram(
  { executor }: ControlOptions,
  argv: Argv,
  env: ResolvedCommand["env"],
  input: Argv | undefined,
): Promise<void> {
  const program = { argv, env, mergeStderr: false };
  const ended = await executor.run(
    input === undefined ? [program] : [{ argv: input, env: {}, mergeStderr: false }, program],
    { signal: new AbortController().signal, timeoutMs: programTimeoutMs },
  );
  if (ended.exitCode === 0) return;
  const output = ended.stderr.trim().split("\n").slice(-3).join(" ") || `exit code ${ended.exitCode}`;
  throw CopyFailed({ what: basename(argv[0]), output });
}

/** PostgreSQL cuts names off after 63 characters. */
const stem = (server: ControlServer) => server.database.slice(0, 40);

async function create(client: pg.Client, server: ControlServer, purpose: Purpose): Promise<string> {
  const name = `${stem(server)}_${purpose}_${process.pid}`;
  const { rows } = await client.query<{ encoding: string; collate: string; ctype: string }>(
    `select pg_encoding_to_char(encoding) as encoding, datcollate as collate, datctype as ctype
     from pg_database where datname = $1`,
    [server.database],
  );
  const { encoding = "UTF8", collate = "C", ctype = "C" } = rows[0] ?? {};
  const [a, b, c] = [encoding, collate, ctype].map((text) => pg.escapeLiteral(text));
  await client
    .query(
      `create database ${pg.escapeIdentifier(name)} template template0 encoding ${a} lc_collate ${b} lc_ctype ${c}`,
    )
    .catch((error: Error) => {
      throw CopyFailed({ what: "Making a database beside it", output: error.message }, { cause: error });
    });
  return name;
}

async function drop(client: pg.Client, database: string): Promise<void> {
  await client.query(`drop database if exists ${pg.escapeIdentifier(database)} with (force)`);
}

/** Half-made ones of processes that were killed: nobody else has the lock, so nobody works on them. */
async function sweep({ client, server }: Pick<Workshop, "client" | "server">): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    "select datname as name from pg_database where datname ~ ('^' || regexp_replace($1, '(\\W)', '\\\\\\1', 'g') || '_(proof|restore)_\\d+$')",
    [stem(server)],
  );
  for (const { name } of rows) await drop(client, name);
}

/** What a restore replaced is called so, with its instant. */
export function replacedName(server: ControlServer, now: Date): string {
  return `${stem(server)}_was_${now
    .toISOString()
    .replaceAll(/[-:.Z]/g, "")
    .toLowerCase()}`;
}

export interface Replaced {
  readonly name: string;
  readonly at: Date;
  readonly bytes: number;
}

export async function listReplaced(db: Kysely<ControlSchema>, server: ControlServer): Promise<readonly Replaced[]> {
  const prefix = `${stem(server)}_was_`;
  const { rows } = await sql<{ name: string; bytes: string }>`
    select datname as name, pg_database_size(datname) as bytes from pg_database
    where starts_with(datname, ${prefix}) and substr(datname, ${prefix.length + 1}) ~ '^\\d{8}t\\d{9}$'
    order by datname desc`.execute(db);
  return rows.map(({ name, bytes }) => {
    const [, day = "", time = "", milliseconds = ""] = /(\d{8})t(\d{6})(\d{3})$/.exec(name) ?? [];
    const date = day.replace(/(....)(..)(..)/, "$1-$2-$3");
    const at = new Date(`${date}T${time.replace(/(..)(..)(..)/, "$1:$2:$3")}.${milliseconds}Z`);
    return { name, bytes: Number(bytes), at };
  });
}
