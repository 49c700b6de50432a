import { type Kysely, sql } from "kysely";
import { defineError, toIpaiError } from "../errors/error.ts";
import { type Aftermath, type Loose, settleAftermath } from "./aftermath.ts";
import { listUnattended } from "./attended.ts";
import { inTransaction, type Link, listLinks, record } from "./audit.ts";
import { openWorkshop, RightMissing, replacedName, type Workshop } from "./beside.ts";
import { migrate, openDatabase } from "./control.ts";
import { load, prove, publishStage } from "./control-backup.ts";
import { BackupUnusable, type Manifest, requireWhole } from "./control-file.ts";
import type { Message } from "./message.ts";
import { migrations } from "./migrations.ts";
import { post } from "./outbox.ts";
import type { Route } from "./route.ts";
import type { ControlSchema } from "./schema.ts";
import type { ControlOptions } from "./server.ts";
import { listWorkers } from "./workers.ts";

/**
 * Puts a backup in the place of the control database. It is loaded beside it, proven, brought up to date, and told what has happened to
 * it; then two names are exchanged in one transaction. Until that instant nothing has changed, and what was replaced is kept.
 */

export const ControlInUse = defineError<{ where: string; who: string }>("control.in_use", {
  exitCode: 76,
  retryable: true,
  message: (d) => `The control database (${d.where}) is being worked with: ${d.who}. Nothing was changed.`,
  hint: () =>
    "Let that end, or end it (`ipai service` stops a worker that begins with the machine), and restore again: a journal must not be exchanged under somebody's hands.",
});

export const ControlMoved = defineError<{ where: string }>("control.moved", {
  exitCode: 76,
  retryable: true,
  message: (d) =>
    `Somebody did something that is in the audit of ${d.where} while this was prepared. Nothing was changed.`,
  hint: () => "Restore again: what would be lost is shown anew.",
});

export interface RestoreRequest extends ControlOptions {
  readonly actor: string;
  readonly file: string;
  readonly routes: readonly Route[];
  /** What is to be done about people's rights. `lost`: undefined when it is not known. Returns it in words. */
  readonly settleRights: (
    tx: Kysely<ControlSchema>,
    lost: readonly Link[] | undefined,
    now: Date,
  ) => Promise<readonly string[]>;
  /** Asked when everything is known and nothing is changed. */
  readonly consent: (plan: RestorePlan) => Promise<boolean>;
}

/** What a restore means. */
export interface RestorePlan {
  readonly file: string;
  readonly manifest: Manifest;
  readonly where: string;
  /** What is there now: absent when there is none, as on a new machine. */
  readonly live: Live | undefined;
  readonly lost: Lost;
  readonly aftermath: Aftermath;
  readonly rights: readonly string[];
}

interface Live {
  readonly entries: number;
  readonly head: string | null;
  /** Why it cannot be read. Then what is lost is not known. */
  readonly fault?: string;
}

export interface Lost {
  /** Entries of the audit chain after the one at which the backup ends. */
  readonly entries: readonly Link[];
  /** The chain that is there is not the one that the backup is a beginning of. */
  readonly isOtherChain: boolean;
  /** Runs that have not ended and are not in the backup. */
  readonly runs: readonly Loose[];
}

export interface Restored {
  readonly plan: RestorePlan;
  /** Name of the database that was replaced. */
  readonly kept: string;
  readonly seconds: number;
}

/** Undefined: there was no consent, and nothing was changed. */
export async function restoreControl(request: RestoreRequest): Promise<Restored | undefined> {
  const began = performance.now();
  const manifest = await requireWhole(request.file);
  if (!Object.hasOwn(migrations, manifest.schema))
    throw BackupUnusable({ file: request.file, reason: `a newer version of ipai wrote it (${manifest.schema})` });
  await using workshop = await openWorkshop(request);
  await requireNobody(workshop);
  const database = await workshop.create("restore");
  try {
    publishStage("created");
    await load(workshop, database, request.file, 2);
    publishStage("loaded");
    await prove(workshop, database, manifest.tables);
    const now = new Date();
    const kept = replacedName(workshop.server, now);
    const plan = await prepare(workshop, database, { ...request, manifest, kept, now });
    publishStage("prepared");
    if (!(await request.consent(plan))) return undefined;
    await requireUnmoved(workshop, plan);
    await exchange(workshop, database, kept);
    publishStage("exchanged");
    return { plan, kept, seconds: (performance.now() - began) / 1000 };
  } finally {
    // After the exchange nothing is called so any more.
    await workshop.drop(database);
  }
}

/** Who works with the control database, in words, or nobody. A worker that was killed does not count. */
async function requireNobody(workshop: Workshop): Promise<void> {
  const who = await withLive(workshop, findLiving);
  if (who.length > 0) throw ControlInUse({ where: workshop.server.where, who: who.join("; ") });
}

async function withLive<T>(workshop: Workshop, ask: (db: Kysely<ControlSchema>) => Promise<T>): Promise<T> {
  const db = openDatabase(workshop.server.clientConfig());
  try {
    return await ask(db);
  } finally {
    await db.destroy();
  }
}

async function findLiving(db: Kysely<ControlSchema>): Promise<readonly string[]> {
  if (await isEmpty(db)) return [];
  try {
    await migrate(db);
    const workers = (await listWorkers({ db })).filter(({ lives }) => lives);
    const unattended = await listUnattended({ db });
    const runs = await db
      .selectFrom("runs")
      .select(["id", "title", "worker"])
      .where("status", "in", ["running", "undoing"])
      .execute();
    return [
      ...workers.map(({ name }) => `${name} lives`),
      ...runs
        .filter(({ id }) => !unattended.has(id))
        .map(({ id, title, worker }) => `run ${id} (${title}) is carried out by ${worker}`),
    ];
  } catch (error) {
    if (!isDamage(error)) throw error;
    return listSessions(db);
  }
}

/** What cannot be read can still be replaced; then whoever is connected counts. */
async function listSessions(db: Kysely<ControlSchema>): Promise<readonly string[]> {
  const { rows } = await sql<{ name: string }>`
    select distinct application_name as name from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and application_name like 'ipai %'
      and application_name <> current_setting('application_name')`.execute(db);
  return rows.map(({ name }) => `${name} is connected`);
}

/** A new database, or one that was never used for this. */
async function isEmpty(db: Kysely<ControlSchema>): Promise<boolean> {
  const { rows } = await sql<{ found: string | null }>`select to_regclass('kysely_migration') as found`.execute(db);
  return rows[0]?.found === null;
}

/** Said by a server that answers: about its data (XX: corrupted; 58: a file is missing; 42P01: a table is). */
function isDamage(error: unknown): error is Error {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return /^(XX|58|42P01|42703)/.test(code);
}

interface Preparing extends RestoreRequest {
  readonly manifest: Manifest;
  readonly kept: string;
  readonly now: Date;
}

async function prepare(workshop: Workshop, database: string, given: Preparing): Promise<RestorePlan> {
  const { file, manifest, routes, settleRights, actor, kept, now } = given;
  const db = openDatabase(workshop.server.clientConfig(database));
  try {
    await migrate(db);
    const { live, lost } = await withLive(workshop, (there) => compare(db, there, manifest));
    return await inTransaction(db, async (tx) => {
      const aftermath = await settleAftermath(tx, manifest.takenAt, now);
      const isKnown = live !== undefined && live.fault === undefined && !lost.isOtherChain;
      const rights = await settleRights(tx, isKnown ? lost.entries : undefined, now);
      const plan = { file, manifest, where: workshop.server.where, live, lost, aftermath, rights };
      await post(tx, routes, [tell(plan, actor, now)], now);
      const replaced = live === undefined ? null : { ...live, database: kept, lost: lost.entries.length };
      const { takenAt, audit, dump } = manifest;
      const detail = { takenAt, head: audit.head, entries: audit.entries, sha256: dump.sha256, replaced };
      await record(tx, { actor, action: "control.restored", stack: null, subject: file, detail }, now);
      return plan;
    });
  } finally {
    await db.destroy();
  }
}

const nothing: Lost = { entries: [], isOtherChain: false, runs: [] };

/** What the control database has that the backup has not. */
async function compare(
  db: Kysely<ControlSchema>,
  there: Kysely<ControlSchema>,
  { audit }: Manifest,
): Promise<Pick<RestorePlan, "live" | "lost">> {
  if (await isEmpty(there)) return { live: undefined, lost: nothing };
  try {
    const links = await listLinks({ db: there });
    const head = links.at(-1)?.hash ?? null;
    const isOtherChain = audit.head !== null && links[audit.entries - 1]?.hash !== audit.head;
    const known = new Set((await db.selectFrom("runs").select("id").execute()).map(({ id }) => id));
    const open = await there
      .selectFrom("runs")
      .select(["id as run", "stack", "title", "status"])
      .where("parent", "is", null)
      .where("status", "!=", "ended")
      .execute();
    return {
      live: { entries: links.length, head },
      lost: {
        entries: isOtherChain ? links : links.slice(audit.entries),
        isOtherChain,
        runs: open.filter(({ run }) => !known.has(run)),
      },
    };
  } catch (error) {
    if (!isDamage(error)) throw error;
    return { live: { entries: 0, head: null, fault: error.message }, lost: nothing };
  }
}

/** Between the look that was consented to and now nothing was done, and nobody began to work. */
async function requireUnmoved(workshop: Workshop, { live, where }: RestorePlan): Promise<void> {
  await requireNobody(workshop);
  if (live === undefined || live.fault !== undefined) return;
  const head = await withLive(workshop, (db) =>
    db.selectFrom("audit").select("hash").orderBy("number", "desc").limit(1).executeTakeFirst(),
  );
  if ((head?.hash ?? null) !== live.head) throw ControlMoved({ where });
}

/** A name is free only when nobody is connected; whoever comes again in that instant is asked to leave again. */
const exchangeTries = 10;

async function exchange({ client, server, live }: Workshop, database: string, kept: string): Promise<void> {
  for (let tries = 1; ; tries++)
    try {
      await client.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = any($1)", [
        [server.database, database],
      ]);
      await client.query("begin");
      await client.query(`alter database ${live} rename to ${client.escapeIdentifier(kept)}`);
      await client.query(`alter database ${client.escapeIdentifier(database)} rename to ${live}`);
      await client.query("commit");
      return;
    } catch (error) {
      await client.query("rollback");
      if (hasCode(error, "42501"))
        throw RightMissing({ where: server.where, role: client.user ?? "", ...endingOthers });
      if (!hasCode(error, "55006")) throw error;
      if (tries === exchangeTries) throw ControlInUse({ where: server.where, who: toIpaiError(error).message });
    }
}

const endingOthers = { right: "end the connections of others", grant: "grant pg_signal_backend to …" };

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

/** So many of anything are named. */
const namedMax = 20;

function tell({ manifest, lost, aftermath, rights, file }: RestorePlan, actor: string, now: Date): Message {
  const list = (title: string, items: readonly string[]) =>
    items.length === 0 ? [] : [`${title}:`, ...items.slice(0, namedMax), ...(items.length > namedMax ? ["…"] : [])];
  const runs = (all: readonly Loose[]) => all.map(({ run, stack, title }) => `${stack}: ${title} (${run})`);
  return {
    ...{ key: `control:restored:${now.toISOString()}`, event: "control.restored", run: null },
    stack: controlStack,
    chapter: "recovery",
    severity: aftermath.runs.length + lost.runs.length > 0 ? "critical" : "warning",
    title: `restored to ${manifest.takenAt} by ${actor}`,
    lines: [
      `From ${file}. ${lost.entries.length} entries of the audit came after it.`,
      ...list("Waiting for a decision", runs(aftermath.runs)),
      ...list("Waiting for consent anew", runs(aftermath.consents)),
      ...list("Not ended, and not in the backup", runs(lost.runs)),
      ...list("Rights", rights),
      ...list("Passed, and not begun", aftermath.once),
      ...list("Messages that may not have arrived", aftermath.messages),
    ],
  };
}

/** Stands where messages name their stack. No stack can be called so. */
export const controlStack = "control database";
