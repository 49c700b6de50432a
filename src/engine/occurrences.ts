import type { Selectable } from "kysely";
import { toErrorRecord, toIpaiError } from "../errors/error.ts";
import type { Plan } from "../runbook/plan.ts";
import { type Entry, inTransaction, record } from "./audit.ts";
import { giveConsent, isApproved } from "./consent.ts";
import type { Control } from "./control.ts";
import { NotConsentedInTime, ScheduleUnderWay } from "./errors.ts";
import { type ConsentRule, createRun, type Tables } from "./journal.ts";
import { toJsonb } from "./json.ts";
import { listDue, type Schedule } from "./schedule.ts";
import type { OccurrencesTable } from "./schema.ts";

/**
 * Times that have come, each a row that exists once: whichever worker notes it first, and however many look at the same time. A row
 * and the run that it begins are written together, so a worker that dies in between leaves neither.
 */

export type Occurrence = Selectable<OccurrencesTable>;

/** Notes every time that has come. A schedule that is seen for the first time begins now: nothing before is made up for. */
export async function noteTimes(
  control: Control,
  stacks: readonly string[],
  schedules: readonly Schedule[],
  now: Date,
): Promise<void> {
  const rows = await control.db.selectFrom("schedules").selectAll().execute();
  const wanted = new Set(schedules.map(({ stack, name }) => keyOf(stack, name)));
  for (const row of rows)
    if (stacks.includes(row.stack) && !wanted.has(keyOf(row.stack, row.name))) await forget(control, row);
  const known = new Map(rows.map((row) => [keyOf(row.stack, row.name), row]));
  for (const schedule of schedules) {
    const row = known.get(keyOf(schedule.stack, schedule.name));
    // Other times than before: what they would have been until now was never meant.
    if (row === undefined || row.rule !== ruleOf(schedule)) await begin(control, schedule, now);
    else if (row.paused_at === null && listDue(schedule, row.since, now).length > 0)
      await noteDue(control, schedule, now);
  }
}

const keyOf = (stack: string, name: string) => `${stack}\0${name}`;

const ruleOf = ({ cron, timezone }: Schedule) => `${cron} ${timezone}`;

async function begin(control: Control, schedule: Schedule, now: Date): Promise<void> {
  const { stack, name } = schedule;
  const rule = ruleOf(schedule);
  await control.db
    .insertInto("schedules")
    .values({ stack, name, rule, since: now, paused_by: null, paused_at: null })
    .onConflict((conflict) =>
      conflict.columns(["stack", "name"]).doUpdateSet({ rule, since: now }).where("schedules.rule", "!=", rule),
    )
    .execute();
}

/** One that is taken away and put back begins anew. A pause stays: a person has to end it. */
async function forget(control: Control, { stack, name }: { stack: string; name: string }): Promise<void> {
  await control.db
    .deleteFrom("schedules")
    .where("stack", "=", stack)
    .where("name", "=", name)
    .where("paused_at", "is", null)
    .execute();
}

/** One worker at a time for each schedule: what is due is asked again when the row is held. */
async function noteDue(control: Control, schedule: Schedule, now: Date): Promise<void> {
  const { stack, name } = schedule;
  await control.db.transaction().execute(async (tx) => {
    const row = await tx
      .selectFrom("schedules")
      .select("since")
      .where("stack", "=", stack)
      .where("name", "=", name)
      .where("paused_at", "is", null)
      .forUpdate()
      .executeTakeFirst();
    if (row === undefined) return;
    const due = listDue(schedule, row.since, now);
    if (due.length === 0) return;
    await tx
      .insertInto("occurrences")
      .values(
        due.map(({ at, startsAt, decision }) => ({
          ...{ stack, schedule: name, at, starts_at: startsAt, procedure: schedule.procedure },
          input: toJsonb(schedule.input),
          actor: `schedule ${name}`,
          give_up_at: new Date(startsAt.getTime() + schedule.graceSeconds * 1000),
          ...(decision === "start" ? { state: "due" as const } : { state: "missed" as const, settled_at: now }),
        })),
      )
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    await tx.updateTable("schedules").set({ since: now }).where("stack", "=", stack).where("name", "=", name).execute();
  });
}

/** What became of an occurrence that was taken up. */
export interface Settled {
  readonly occurrence: Occurrence;
  /** The run that it began; absent when it could not be planned, now or at all. */
  readonly run?: string;
}

/**
 * Takes up the next occurrence that may begin: plans it, and writes its run with the consent that its schedule stands for. It is held
 * meanwhile, so that no other worker plans the same. What cannot be planned now is tried again until it is given up. Undefined: there
 * is none.
 */
export async function takeUpNext(
  control: Control,
  stacks: readonly string[],
  now: Date,
  plan: (occurrence: Occurrence) => Promise<Plan>,
  consentFor?: (plan: Plan) => ConsentRule,
): Promise<Settled | undefined> {
  if (stacks.length === 0) return undefined;
  return control.db.transaction().execute(async (tx) => {
    const occurrence = await tx
      .selectFrom("occurrences")
      .selectAll()
      .where("stack", "in", stacks)
      .where("state", "=", "due")
      .where("starts_at", "<=", now)
      // Of one schedule only the first that is due: while it is planned, nobody takes the next.
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom("occurrences as earlier")
              .select("earlier.at")
              .whereRef("earlier.stack", "=", "occurrences.stack")
              .whereRef("earlier.schedule", "=", "occurrences.schedule")
              .whereRef("earlier.at", "<", "occurrences.at")
              .where("earlier.state", "=", "due"),
          ),
        ),
      )
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom("schedules")
              .select("schedules.name")
              .whereRef("schedules.stack", "=", "occurrences.stack")
              .whereRef("schedules.name", "=", "occurrences.schedule")
              .where("schedules.paused_at", "is not", null),
          ),
        ),
      )
      .orderBy("starts_at")
      .limit(1)
      .forUpdate()
      .skipLocked()
      .executeTakeFirst();
    if (occurrence === undefined) return undefined;
    if (now > occurrence.give_up_at) {
      await settle({ db: tx }, occurrence, { state: "missed", settled_at: now });
      return { occurrence };
    }
    const began = performance.now();
    const planned = await planAlone({ db: tx }, occurrence, plan).catch((thrown: unknown) => ({ thrown }));
    const later = new Date(now.getTime() + performance.now() - began);
    if (!("thrown" in planned)) return start({ db: tx }, occurrence, planned, consentFor?.(planned), later);
    await putOff({ db: tx }, occurrence, planned.thrown, later);
    return { occurrence };
  });
}

/**
 * A schedule has one run at a time: what the last one waits for, the next would wait for too. One whose plan was made beforehand needs
 * its consent by now; that the plan is still the same is seen where it begins.
 */
async function planAlone(
  { db }: Tables,
  occurrence: Occurrence,
  plan: (occurrence: Occurrence) => Promise<Plan>,
): Promise<Plan> {
  const { stack, schedule, run, at } = occurrence;
  if (run !== null) {
    if (await isApproved({ db }, { id: run })) return plan(occurrence);
    throw NotConsentedInTime({ run, at: at.toISOString() });
  }
  const before = await db
    .selectFrom("occurrences")
    .innerJoin("runs", "runs.id", "occurrences.run")
    .select("runs.id")
    .where("occurrences.stack", "=", stack)
    .where("occurrences.schedule", "=", schedule)
    .where("runs.status", "!=", "ended")
    .executeTakeFirst();
  if (before !== undefined) throw ScheduleUnderWay({ schedule, run: before.id });
  return plan(occurrence);
}

async function start(
  tables: Tables,
  occurrence: Occurrence,
  plan: Plan,
  consent: ConsentRule | undefined,
  now: Date,
): Promise<Settled> {
  if (occurrence.run !== null) {
    await settle(tables, occurrence, { state: "started", settled_at: now });
    return { occurrence, run: occurrence.run };
  }
  const run = await createRun(tables, plan, occurrence.actor, now, consent === undefined ? {} : { consent });
  await giveConsent(tables, run, occurrence.actor, { via: "schedule" });
  await settle(tables, occurrence, { state: "started", run: run.id, settled_at: now });
  return { occurrence, run: run.id };
}

/** Seconds until something that could not be planned is tried again. */
const tryAgainSeconds = 60;

async function putOff(tables: Tables, occurrence: Occurrence, thrown: unknown, now: Date): Promise<void> {
  const error = toIpaiError(thrown);
  const next = new Date(now.getTime() + tryAgainSeconds * 1000);
  const record = toJsonb(toErrorRecord(error));
  const again = error.retryable && next < occurrence.give_up_at;
  await settle(
    tables,
    occurrence,
    again ? { starts_at: next, error: record } : { state: "failed", error: record, settled_at: now },
  );
}

async function settle(
  { db }: Tables,
  { stack, schedule, at }: Occurrence,
  change: {
    readonly state?: "started" | "failed" | "missed";
    readonly run?: string;
    readonly error?: string;
    readonly settled_at?: Date;
    readonly starts_at?: Date;
  },
): Promise<void> {
  await db
    .updateTable("occurrences")
    .set(change)
    .where("stack", "=", stack)
    .where("schedule", "=", schedule)
    .where("at", "=", at)
    .execute();
}

/** The newest first; of one schedule or of all. */
export async function listOccurrences(
  control: Control,
  stack: string,
  limit: number,
  schedule?: string,
): Promise<readonly Occurrence[]> {
  const query = control.db
    .selectFrom("occurrences")
    .selectAll()
    .where("stack", "=", stack)
    .orderBy("at", "desc")
    .limit(limit);
  return (schedule === undefined ? query : query.where("schedule", "=", schedule)).execute();
}

/** Whether something should have begun minutes ago that no worker has even tried. */
export async function isBehind(control: Control, now: Date): Promise<boolean> {
  const late = await control.db
    .selectFrom("occurrences")
    .select("at")
    .where("state", "=", "due")
    .where("starts_at", "<", new Date(now.getTime() - behindSeconds * 1000))
    .executeTakeFirst();
  return late !== undefined;
}

/** Planning may take two minutes. */
const behindSeconds = 300;

/** How many times of a stack failed, or were missed, since an instant. */
export async function countLost(control: Control, stack: string, since: Date): Promise<number> {
  const { count } = await control.db
    .selectFrom("occurrences")
    .select(({ fn }) => fn.countAll<string>().as("count"))
    .where("stack", "=", stack)
    .where("state", "in", ["failed", "missed"])
    .where("at", ">=", since)
    .executeTakeFirstOrThrow();
  return Number(count);
}

export interface Pause {
  readonly by: string;
  readonly at: Date;
}

/** The schedules of a stack that are paused, by their names. */
export async function listPauses(control: Control, stack: string): Promise<ReadonlyMap<string, Pause>> {
  const rows = await control.db
    .selectFrom("schedules")
    .select(["name", "paused_by", "paused_at"])
    .where("stack", "=", stack)
    .execute();
  return new Map(
    rows.flatMap((row) =>
      row.paused_by === null || row.paused_at === null
        ? []
        : [[row.name, { by: row.paused_by, at: row.paused_at }] as const],
    ),
  );
}

/** Until it is let go on, nothing of it happens, and nothing is made up for afterwards. */
export async function pauseSchedule(control: Control, schedule: Schedule, actor: string, now: Date): Promise<void> {
  await begin(control, schedule, now);
  await inTransaction(control.db, async (tx) => {
    const paused = await tx
      .updateTable("schedules")
      .set({ paused_by: actor, paused_at: now })
      .where("stack", "=", schedule.stack)
      .where("name", "=", schedule.name)
      .where("paused_at", "is", null)
      .returning("name")
      .executeTakeFirst();
    if (paused !== undefined) await record(tx, aboutSchedule(schedule, "schedule.paused", actor), now);
  });
}

export async function unpauseSchedule(control: Control, schedule: Schedule, actor: string, now: Date): Promise<void> {
  await inTransaction(control.db, async (tx) => {
    const resumed = await tx
      .updateTable("schedules")
      .set({ paused_by: null, paused_at: null, since: now })
      .where("stack", "=", schedule.stack)
      .where("name", "=", schedule.name)
      .where("paused_at", "is not", null)
      .returning("name")
      .executeTakeFirst();
    if (resumed !== undefined) await record(tx, aboutSchedule(schedule, "schedule.resumed", actor), now);
  });
}

function aboutSchedule({ stack, name: subject, procedure }: Schedule, action: string, actor: string): Entry {
  return { actor, action, stack, subject, detail: { procedure } };
}
