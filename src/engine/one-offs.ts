import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import type { Plan } from "../runbook/plan.ts";
import type { Json } from "../runbook/value.ts";
import { inTransaction, record } from "./audit.ts";
import { type ConsentRule, createRun, type Run, requestCancel, type Tables } from "./journal.ts";
import { toJsonb } from "./json.ts";
import type { Occurrence } from "./occurrences.ts";

/**
 * What somebody has chosen a time for: an occurrence of no schedule. It plans when its time has come; or a plan was made, and a run
 * recorded, beforehand: then it is bound to that run, which does not begin as long as the occurrence is due.
 */

export interface OneOff {
  readonly stack: string;
  readonly procedure: string;
  readonly input: Json;
  readonly actor: string;
  readonly at: Date;
  readonly graceSeconds: number;
  /** The run whose plan was made already: it begins then, if its plan is still the same. */
  readonly run?: string;
}

/** Something that shall happen once, at an instant. */
export async function addOneOff(control: Tables, given: OneOff, now: Date): Promise<Occurrence> {
  const { stack, procedure, input, actor, at, graceSeconds, run } = given;
  return inTransaction(control.db, async (tx) => {
    const added = await tx
      .insertInto("occurrences")
      .values({
        ...{ stack, procedure, actor, at, starts_at: at, state: "due" },
        schedule: `once-${randomBytes(3).toString("hex")}`,
        input: toJsonb(input),
        give_up_at: new Date(at.getTime() + graceSeconds * 1000),
        run: run ?? null,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    const detail = { procedure, input, at: at.toISOString(), ...(run === undefined ? {} : { run }) };
    await record(tx, { actor, action: "once.added", stack, subject: added.schedule, detail }, now);
    return added;
  });
}

export interface PlannedOneOff extends Pick<OneOff, "at" | "graceSeconds" | "actor"> {
  /** How many people have to consent; they may until its time. */
  readonly people: ConsentRule["people"];
}

/**
 * A plan that was made now and begins at an instant. Its run is there to be consented to, and holds nothing until then; it begins if
 * the plan would still be the same.
 */
export async function addPlanned(
  control: Tables,
  plan: Plan,
  { at, graceSeconds, actor, people }: PlannedOneOff,
  now: Date,
): Promise<Run> {
  return inTransaction(control.db, async (tx) => {
    const validSeconds = (at.getTime() - now.getTime()) / 1000 + graceSeconds;
    const run = await createRun({ db: tx }, plan, actor, now, { consent: { people, validSeconds } });
    const { stack, procedure, input } = plan;
    await addOneOff({ db: tx }, { stack, procedure, input, actor, at, graceSeconds, run: run.id }, now);
    return run;
  });
}

/** The one-off that begins a run, or did, or was to. */
export async function findOneOff({ db }: Tables, run: string): Promise<Occurrence | undefined> {
  return db
    .selectFrom("occurrences")
    .selectAll()
    .where("run", "=", run)
    .where("schedule", "like", "once-%")
    .executeTakeFirst();
}

/** What is to happen once on a stack and has not begun, the next first. */
export async function listDueOneOffs({ db }: Tables, stack: string): Promise<readonly Occurrence[]> {
  return db
    .selectFrom("occurrences")
    .selectAll()
    .where("stack", "=", stack)
    .where("schedule", "like", "once-%")
    .where("state", "=", "due")
    .orderBy("at")
    .execute();
}

/** Takes back something that has not begun, and cancels the run that it was to begin. Undefined: there is no such thing any more. */
export async function removeOneOff(
  control: Tables,
  stack: string,
  name: string,
  actor: string,
  now: Date,
): Promise<Pick<Occurrence, "run"> | undefined> {
  return inTransaction(control.db, async (tx) => {
    const removed = await tx
      .updateTable("occurrences")
      // Who was told that it comes is told that it does not; of a run, by the run's own end.
      .set({ state: "dropped", settled_at: now, is_told: sql`announced is null or run is not null` })
      .where("stack", "=", stack)
      .where("schedule", "=", name)
      .where("schedule", "like", "once-%")
      .where("state", "=", "due")
      .returning(["procedure", "run"])
      .executeTakeFirst();
    if (removed === undefined) return undefined;
    const { procedure, run } = removed;
    await record(tx, { actor, action: "once.dropped", stack, subject: name, detail: { procedure } }, now);
    if (run !== null) await requestCancel({ db: tx }, run, actor);
    return { run };
  });
}
