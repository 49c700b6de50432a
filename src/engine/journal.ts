import { randomBytes } from "node:crypto";
import { type Kysely, type Selectable, sql, type Transaction } from "kysely";
import type { ErrorRecord } from "../errors/error.ts";
import { hashPlan } from "../runbook/hash.ts";
import { type Plan, undoClassOf } from "../runbook/plan.ts";
import type { Json } from "../runbook/value.ts";
import type { Control } from "./control.ts";
import { RunFenced, RunNotFound } from "./errors.ts";
import type { ControlSchema, Outcome, RunStatus, RunsTable, StepOutcome, StepsTable } from "./schema.ts";

/** The durable record of runs. Everything that a worker writes is fenced: a worker that was replaced changes nothing. */

export type Run = Selectable<RunsTable>;
export type StepRow = Selectable<StepsTable>;
export interface RunEvent {
  readonly run: string;
  readonly at: Date;
  readonly kind: string;
  readonly path: string | null;
  readonly data: Json;
}

/** A run's id: its instant in UTC and four random letters. Sorts by time, can be typed, and is a legal file and database name. */
export function newRunId(now: Date): string {
  const instant = now
    .toISOString()
    .replaceAll(/[-:]|\.\d+Z/g, "")
    .toLowerCase();
  return `${instant}_${randomBytes(2).toString("hex")}`;
}

export async function createRun(control: Control, plan: Plan, actor: string, now: Date, parent?: string): Promise<Run> {
  const id = newRunId(now);
  return control.db
    .insertInto("runs")
    .values({
      id,
      parent: parent ?? null,
      procedure: plan.procedure,
      stack: plan.stack,
      title: plan.title,
      plan: JSON.stringify(plan),
      plan_hash: hashPlan(plan),
      undo_class: undoClassOf(plan),
      actor,
      status: "planned",
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** Finds a run by its id or by a part of it that only one run has. */
export async function getRun(control: Control, idOrPart: string): Promise<Run> {
  const pattern = `%${idOrPart.replaceAll(/[%_\\]/g, "\\$&")}%`;
  const found = await control.db.selectFrom("runs").selectAll().where("id", "like", pattern).limit(2).execute();
  const exact = found.find((run) => run.id === idOrPart) ?? (found.length === 1 ? found[0] : undefined);
  if (exact === undefined) throw RunNotFound({ run: idOrPart });
  return exact;
}

export async function listRuns(control: Control, limit: number, stack?: string): Promise<readonly Run[]> {
  const query = control.db
    .selectFrom("runs")
    .selectAll()
    .where("parent", "is", null)
    .orderBy("created_at", "desc")
    .limit(limit);
  return (stack === undefined ? query : query.where("stack", "=", stack)).execute();
}

export async function listSteps(control: Control, run: string): Promise<readonly StepRow[]> {
  return control.db.selectFrom("steps").selectAll().where("run", "=", run).orderBy("started_at").execute();
}

export async function listEvents(
  control: Control,
  run: string,
  after = "0",
): Promise<readonly (RunEvent & { id: string })[]> {
  return control.db
    .selectFrom("events")
    .selectAll()
    .where("run", "=", run)
    .where("id", ">", after)
    .orderBy("id")
    .execute();
}

/** Records a person's consent to exactly this plan. */
export async function approveRun(control: Control, run: Run, actor: string): Promise<void> {
  await control.db
    .insertInto("approvals")
    .values({ run: run.id, plan_hash: run.plan_hash, actor })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

export async function isApproved(control: Control, run: Run): Promise<boolean> {
  const found = await control.db
    .selectFrom("approvals")
    .select("actor")
    .where("run", "=", run.id)
    .where("plan_hash", "=", run.plan_hash)
    .executeTakeFirst();
  return found !== undefined;
}

/** Asks whoever carries the run out to stop and take back. */
export async function requestCancel(control: Control, run: string, actor: string): Promise<void> {
  await control.db
    .updateTable("runs")
    .set({ cancel_requested_by: actor })
    .where("id", "=", run)
    .where("status", "!=", "ended")
    .execute();
}

export interface Fence {
  readonly run: string;
  readonly fence: number;
}

type Connection = Kysely<ControlSchema> | Transaction<ControlSchema>;

/** Fails unless this worker still has the run. Called before each action and inside each write. */
export async function checkFence(db: Connection, fence: Fence): Promise<Run> {
  const run = await db
    .selectFrom("runs")
    .selectAll()
    .where("id", "=", fence.run)
    .where("fence", "=", fence.fence)
    .executeTakeFirst();
  if (run === undefined) throw RunFenced({ run: fence.run });
  return run;
}

export interface RunChange {
  readonly status?: RunStatus;
  readonly outcome?: Outcome;
  readonly waiting_for?: string | null;
  readonly decision?: null;
  readonly error?: ErrorRecord | null;
  readonly started_at?: Date;
  readonly finished_at?: Date;
}

export async function updateRun(control: Control, fence: Fence, change: RunChange): Promise<Run> {
  const { error, ...rest } = change;
  return control.db.transaction().execute(async (tx) => {
    const updated = await tx
      .updateTable("runs")
      .set({ ...rest, ...(error === undefined ? {} : { error: error === null ? null : JSON.stringify(error) }) })
      .where("id", "=", fence.run)
      .where("fence", "=", fence.fence)
      .returningAll()
      .executeTakeFirst();
    if (updated === undefined) throw RunFenced({ run: fence.run });
    // The lease belongs to the run and ends with it, in the same instant.
    if (change.status === "ended") await tx.deleteFrom("leases").where("run", "=", fence.run).execute();
    return updated;
  });
}

export interface StepKey {
  readonly path: string;
  readonly phase: "do" | "undo";
}

/** Writes that an attempt at a step begins; the row says `running` until the step is settled. */
export async function startStep(
  control: Control,
  fence: Fence,
  key: StepKey,
  step: { id: string; title: string },
): Promise<StepRow> {
  return fenced(control, fence, (tx) =>
    tx
      .insertInto("steps")
      .values({ run: fence.run, ...key, step: step.id, title: step.title, outcome: "running", attempts: 1 })
      .onConflict((conflict) =>
        conflict
          .columns(["run", "path", "phase"])
          .doUpdateSet({ outcome: "running", attempts: sql`steps.attempts + 1`, error: null, finished_at: null }),
      )
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
}

export interface StepResult {
  readonly outcome: Exclude<StepOutcome, "running">;
  readonly outputs?: Readonly<Record<string, Json>>;
  readonly error?: ErrorRecord;
}

export async function finishStep(control: Control, fence: Fence, key: StepKey, result: StepResult): Promise<StepRow> {
  return fenced(control, fence, (tx) =>
    tx
      .updateTable("steps")
      .set({
        outcome: result.outcome,
        outputs: result.outputs === undefined ? null : JSON.stringify(result.outputs),
        error: result.error === undefined ? null : JSON.stringify(result.error),
        finished_at: new Date(),
      })
      .where("run", "=", fence.run)
      .where("path", "=", key.path)
      .where("phase", "=", key.phase)
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
}

export async function addEvents(control: Control, events: readonly RunEvent[]): Promise<void> {
  if (events.length === 0) return;
  await control.db
    .insertInto("events")
    .values(events.map((event) => ({ ...event, data: event.data === null ? null : JSON.stringify(event.data) })))
    .execute();
}

async function fenced<T>(
  control: Control,
  fence: Fence,
  write: (tx: Transaction<ControlSchema>) => Promise<T>,
): Promise<T> {
  return control.db.transaction().execute(async (tx) => {
    await checkFence(tx, fence);
    return write(tx);
  });
}
