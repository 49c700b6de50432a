import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { sql } from "kysely";
import type { Control } from "./control.ts";
import { toJsonb } from "./json.ts";
import type { ProcessMark } from "./schema.ts";
import { connectionName } from "./server.ts";

/** Who works, and what becomes of those that gave no sign of life. */

/** How often a worker says that it lives, and after what silence it counts as frozen, seconds. */
export const aliveSeconds = 5;
export const frozenSeconds = 60;

export async function enterWorker(control: Control, name: string): Promise<void> {
  const row = { name, host: hostname(), process: toJsonb(await markOf(process.pid)), seen_at: sql<Date>`now()` };
  await control.db
    .insertInto("workers")
    .values(row)
    .onConflict((conflict) => conflict.column("name").doUpdateSet(row))
    .execute();
}

/** False: others have given this worker up meanwhile, because it was silent for too long. */
export async function sayAlive(control: Control, name: string): Promise<boolean> {
  const row = await control.db
    .updateTable("workers")
    .set({ seen_at: sql`now()` })
    .where("name", "=", name)
    .returning("name")
    .executeTakeFirst();
  return row !== undefined;
}

export async function leaveWorker(control: Control, name: string): Promise<void> {
  await control.db.deleteFrom("workers").where("name", "=", name).execute();
}

export interface WorkerRow {
  readonly name: string;
  readonly host: string;
  readonly startedAt: Date;
  readonly seenAt: Date;
  /** Neither silent for too long nor, on this machine, gone. */
  readonly lives: boolean;
}

export async function listWorkers(control: Pick<Control, "db">): Promise<readonly WorkerRow[]> {
  const rows = await control.db
    .selectFrom("workers")
    .select(["name", "host", "process", "started_at", "seen_at", isFrozen.as("isFrozen")])
    .orderBy("started_at")
    .execute();
  return Promise.all(
    rows.map(async ({ name, host, process, started_at: startedAt, seen_at: seenAt, isFrozen: silent }) => {
      const lives = !silent && (host !== hostname() || (await isRunning(process)));
      return { name, host, startedAt, seenAt, lives };
    }),
  );
}

const isFrozen = sql<boolean>`seen_at < now() - make_interval(secs => ${frozenSeconds})`;

/**
 * Gives up the workers that have been silent for too long. One of this machine is ended, with what it had started: then its runs are
 * free. One of another machine loses its connections: should it wake up, its fence is gone, and it writes nothing and begins nothing.
 */
export async function giveUpFrozen(control: Control, own: string): Promise<readonly string[]> {
  const frozen = await control.db
    .selectFrom("workers")
    .select(["name", "host", "process"])
    .where(isFrozen)
    .where("name", "!=", own)
    .execute();
  for (const worker of frozen) {
    if (worker.host === hostname()) await endProcess(worker.process);
    else await endConnections(control, worker);
    // Last: one that was not ended is found again.
    await control.db.deleteFrom("workers").where("name", "=", worker.name).where(isFrozen).execute();
  }
  return frozen.map(({ name }) => name);
}

async function endProcess(mark: ProcessMark): Promise<void> {
  if (await isRunning(mark)) process.kill(mark.pid, "SIGKILL");
}

async function isRunning(mark: ProcessMark): Promise<boolean> {
  return (await markOf(mark.pid).catch(() => undefined))?.began === mark.began;
}

/** With them go its locks on runs, and whatever its open transactions hold: times that it plans, messages, the end of the audit. */
async function endConnections(
  control: Control,
  { host, process }: { host: string; process: ProcessMark },
): Promise<void> {
  await sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and usename = current_user and application_name = ${connectionName(process.pid, host)}`.execute(
    control.db,
  );
}

async function markOf(pid: number): Promise<ProcessMark> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  // The name in parentheses may hold anything; what follows it does not.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { pid, began: fields[19] ?? "" };
}
