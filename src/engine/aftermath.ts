import { type Kysely, sql } from "kysely";
import { defineError, toErrorRecord } from "../errors/error.ts";
import { toJsonb } from "./json.ts";
import type { ControlSchema, WaitingFor } from "./schema.ts";

/**
 * What a journal means that is older than the world. What it calls under way may have ended long ago, what it calls consented may have
 * been done, what it calls due may have been sent: none of it goes on by itself. A person is asked.
 */

export const ControlRestored = defineError<{ takenAt: string }>("control.restored", {
  exitCode: 67,
  message: (d) =>
    `This run was under way when the backup of the control database was taken (${d.takenAt}) that was restored since. What became of it after that is not in the journal.`,
  hint: () =>
    "Look at the stack. Has the run ended: `ipai runs resume --decide abandon`. Does it stand where its steps say: again or undo.",
});

/** Something that a person has to look at. */
export interface Loose {
  readonly run: string;
  readonly stack: string;
  readonly title: string;
  readonly status: string;
}

export interface Aftermath {
  /** Runs that wait for a decision now. */
  readonly runs: readonly Loose[];
  /** Runs whose consent was to a stack of then. */
  readonly consents: readonly Loose[];
  /** What was to happen once, at a time that has passed. */
  readonly once: readonly string[];
  /** Messages that were on their way. They may have arrived: they are not sent again. */
  readonly messages: readonly string[];
}

type Transaction = Kysely<ControlSchema>;

export async function settleAftermath(tx: Transaction, takenAt: string, now: Date): Promise<Aftermath> {
  await tx.deleteFrom("workers").execute();
  // A process that still has a run of the journal that was replaced, here or elsewhere, must not be taken for a new one.
  await sql`update runs set fence = fence + 100000 where status <> 'ended'`.execute(tx);
  const error = toJsonb(toErrorRecord(ControlRestored({ takenAt })));
  const waiting = await unanswer(tx);
  const running = await stop(tx, "running", "decision", error);
  const undoing = await stop(tx, "undoing", "undo", error);
  const runs = [...running, ...undoing, ...waiting];
  const consents = await withdrawConsents(tx);
  await tell(tx, [...runs, ...consents], { takenAt }, now);
  await decideAnew(tx, now);
  const isOuter = ({ parent }: Stopped) => parent === null;
  const loose = (all: readonly Stopped[]) =>
    all.filter(isOuter).map(({ id, stack, title, was }) => ({ run: id, stack, title, status: was }));
  return {
    ...{ runs: loose(runs), consents: loose(consents) },
    once: await missOneOffs(tx, now),
    messages: await holdDeliveries(tx, now),
  };
}

interface Stopped {
  readonly id: string;
  readonly parent: string | null;
  readonly stack: string;
  readonly title: string;
  readonly was: string;
  readonly waitingFor: WaitingFor;
}

const told = ["id", "parent", "stack", "title"] as const;

/** Its stack stays reserved for it until somebody has decided. */
async function stop(
  tx: Transaction,
  was: "running" | "undoing",
  waitingFor: "decision" | "undo",
  error: string,
): Promise<readonly Stopped[]> {
  const rows = await tx
    .updateTable("runs")
    .set({ status: "waiting", waiting_for: waitingFor, decision: null, cancel_requested_by: null })
    // Why taking back began, and what it means for the outcome, is in the error that there is.
    .set({ error: sql`coalesce(error, ${error}::jsonb)` })
    .where("status", "=", was)
    .returning(told)
    .execute();
  return rows.map((row) => ({ ...row, was, waitingFor }));
}

/** Those that waited: what was decided about them was decided about a stack of then. */
async function unanswer(tx: Transaction): Promise<readonly Stopped[]> {
  const rows = await tx
    .updateTable("runs")
    .set({ decision: null, cancel_requested_by: null })
    .where("status", "=", "waiting")
    .where("waiting_for", "in", ["decision", "undo"])
    .returning([...told, "waiting_for"])
    .execute();
  return rows.map(({ waiting_for: waitingFor, ...row }) => ({
    ...row,
    ...{ was: "waiting", waitingFor: waitingFor ?? "decision" },
  }));
}

async function withdrawConsents(tx: Transaction): Promise<readonly Stopped[]> {
  const rows = await tx
    .updateTable("runs")
    .set({ status: "waiting", waiting_for: "approval", cancel_requested_by: null })
    .where("parent", "is", null)
    .where(({ or, eb }) => or([eb("status", "=", "planned"), eb("waiting_for", "=", "approval")]))
    .where(({ exists, selectFrom }) =>
      exists(selectFrom("approvals").select("approvals.run").whereRef("approvals.run", "=", "runs.id")),
    )
    .returning(told)
    .execute();
  const ids = rows.map(({ id }) => id);
  if (ids.length > 0) await tx.deleteFrom("approvals").where("run", "in", ids).execute();
  return rows.map((row) => ({ ...row, was: "approved", waitingFor: "approval" }));
}

/** In each run's own story; and as a new wait, so that it is told anew. */
async function tell(tx: Transaction, runs: readonly Stopped[], data: object, at: Date): Promise<void> {
  for (const { id, waitingFor } of runs) {
    const restored = { run: id, at, kind: "control.restored", path: null, data: toJsonb(data) };
    const waits = { run: id, at, kind: "run.waiting", path: null, data: toJsonb(waitingFor) };
    await tx.insertInto("events").values([restored, waits]).execute();
  }
}

/** Somebody chose the hour, and it has passed: it may have happened. */
async function missOneOffs(tx: Transaction, now: Date): Promise<readonly string[]> {
  const rows = await tx
    .updateTable("occurrences")
    .set({ state: "missed", settled_at: now })
    .where("schedule", "like", "once-%")
    .where("state", "=", "due")
    .where("at", "<=", now)
    .returning(["stack", "procedure", "at"])
    .execute();
  return rows.map(({ stack, procedure, at }) => `${procedure} of ${stack}, ${at.toISOString()}`);
}

/** Times of schedules that were due are noted once more, so that what becomes of those that were missed decides about them. */
async function decideAnew(tx: Transaction, now: Date): Promise<void> {
  await sql`
    with undone as (
      delete from occurrences o using schedules s
      where o.stack = s.stack and o.schedule = s.name and s.paused_at is null and o.state = 'due' and o.at <= ${now}
      returning o.stack, o.schedule, o.at
    )
    update schedules s set since = first.at - interval '1 millisecond'
    from (select stack, schedule, min(at) as at from undone group by 1, 2) as first
    where s.stack = first.stack and s.name = first.schedule and s.since >= first.at`.execute(tx);
}

async function holdDeliveries(tx: Transaction, now: Date): Promise<readonly string[]> {
  const held = await tx
    .updateTable("deliveries")
    .set({ state: "given_up", settled_at: now, error: "the control database was restored: it may have arrived before" })
    .where("state", "=", "due")
    .returning("message")
    .execute();
  const keys = [...new Set(held.map(({ message }) => message))];
  if (keys.length === 0) return [];
  const messages = await tx.selectFrom("messages").select(["stack", "title"]).where("key", "in", keys).execute();
  return messages.map(({ stack, title }) => `${stack}: ${title}`);
}
