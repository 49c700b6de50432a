import { randomBytes } from "node:crypto";
import { type Selectable, sql, type Transaction } from "kysely";
import type { ErrorRecord } from "../errors/error.ts";
import { hashPlan } from "../runbook/hash.ts";
import { type Plan, undoClassOf } from "../runbook/plan.ts";
import { type Json, listSecrets } from "../runbook/value.ts";
import { inTransaction, record } from "./audit.ts";
import type { Control } from "./control.ts";
import { NothingToDecide, RunFenced, RunNotFound } from "./errors.ts";
import { checkFence, type Fence, isHeld, requireHeld } from "./fence.ts";
import { toJsonb } from "./json.ts";
import type {
  ControlSchema,
  Decision,
  Outcome,
  RunStatus,
  RunsTable,
  StepOutcome,
  StepsTable,
  WaitingFor,
} from "./schema.ts";

/** The durable record of runs. Everything that a worker writes is fenced: a worker that was replaced changes nothing. */

export type Run = Selectable<RunsTable>;
/** A run without its plan, which is large: what a list shows. */
export type RunSummary = Omit<Run, "plan" | "is_told">;
export type StepRow = Selectable<StepsTable>;
/** A run's id: its second in UTC and four random letters. Sorts by time, can be typed, and is a legal file and database name. */
function newRunId(now: Date): string {
  const instant = now
    .toISOString()
    .replaceAll(/[-:]|\.\d+Z/g, "")
    .toLowerCase();
  return `${instant}_${randomBytes(2).toString("hex")}`;
}

/** The control database, or a transaction in it. */
export type Tables = Pick<Control, "db">;

/** Where a procedure inside another one belongs. */
export interface Place {
  readonly run: string;
  readonly step: string;
}

/** What a plan needs before it may begin. */
export interface ConsentRule {
  /** So many different people; whoever starts it counts when he consents. */
  readonly people: 1 | 2;
  /** How long it may wait for them, seconds. After that it is void. */
  readonly validSeconds: number;
}

const usualConsent: ConsentRule = { people: 1, validSeconds: 7 * 86_400 };

/** Records a plan that is about to be approved. For a procedure inside another one: the run that has this place already, if any. */
export async function createRun(
  control: Tables,
  plan: Plan,
  actor: string,
  now: Date,
  { place, consent = usualConsent }: { readonly place?: Place; readonly consent?: ConsentRule } = {},
): Promise<Run> {
  const values = {
    consents: consent.people,
    consent_until: new Date(now.getTime() + consent.validSeconds * 1000),
    parent: place?.run ?? null,
    parent_step: place?.step ?? null,
    procedure: plan.procedure,
    stack: plan.stack,
    title: plan.title,
    plan: toJsonb(plan),
    plan_hash: hashPlan(plan),
    undo_class: undoClassOf(plan),
    actor,
    status: "planned",
  } as const;
  for (;;) {
    const created = await inTransaction(control.db, async (tx) => {
      const run = await tx
        .insertInto("runs")
        .values({ id: newRunId(now), ...values })
        .onConflict((conflict) => conflict.doNothing())
        .returningAll()
        .executeTakeFirst();
      if (run !== undefined) await auditRun(tx, run, "run.planned", actor, { plan: run.plan_hash });
      return run;
    });
    const run = created ?? (place === undefined ? undefined : await findInnerRun(control, place));
    // Neither: two runs of one second drew the same letters. Draw again.
    if (run !== undefined) return run;
  }
}

/** What changes nothing is no matter for the audit: checks run every few minutes. */
export async function auditRun(
  tx: Control["db"],
  run: Pick<Run, "id" | "stack" | "procedure" | "plan">,
  action: string,
  actor: string,
  detail: Readonly<Record<string, Json>> = {},
): Promise<void> {
  if (run.plan.lease === "none") return;
  const { id: subject, stack, procedure, plan } = run;
  const override = plan.override === undefined ? {} : { override: { ...plan.override } };
  await record(tx, { actor, action, stack, subject, detail: { procedure, ...override, ...detail } }, new Date());
}

export async function findInnerRun(control: Tables, place: Place): Promise<Run | undefined> {
  return control.db
    .selectFrom("runs")
    .selectAll()
    .where("parent", "=", place.run)
    .where("parent_step", "=", place.step)
    .executeTakeFirst();
}

/** Finds a run by its id or by a part of it that only one run has. */
export async function getRun(control: Control, idOrPart: string): Promise<Run> {
  const whole = await control.db.selectFrom("runs").selectAll().where("id", "=", idOrPart).executeTakeFirst();
  if (whole !== undefined) return whole;
  const pattern = `%${idOrPart.replaceAll(/[%_\\]/g, "\\$&")}%`;
  const found = await control.db.selectFrom("runs").selectAll().where("id", "like", pattern).limit(2).execute();
  if (found[0] === undefined || found.length > 1) throw RunNotFound({ run: idOrPart });
  return found[0];
}

const summary = [
  ...(["id", "parent", "parent_step", "procedure", "stack", "title", "plan_hash", "undo_class", "actor"] as const),
  ...(["status", "waiting_for", "decision", "outcome", "error", "cancel_requested_by", "fence", "worker"] as const),
  ...(["created_at", "started_at", "finished_at", "is_quiet", "consents", "consent_until"] as const),
];

export interface RunFilter {
  /** Of these only. */
  readonly stacks?: readonly string[] | undefined;
  /** Also those that only looked, and found what they should. */
  readonly quiet?: boolean;
  /** Those that somebody has to do something about: consent, or decide. */
  readonly isWaiting?: boolean;
}

/** The newest runs first, without those inside other runs. */
export async function listRuns(
  control: Control,
  limit: number,
  { stacks, quiet = false, isWaiting = false }: RunFilter = {},
): Promise<readonly RunSummary[]> {
  let query = control.db
    .selectFrom("runs")
    .select(summary)
    .where("parent", "is", null)
    .orderBy("created_at", "desc")
    .limit(limit);
  if (stacks?.length === 0) return [];
  if (stacks !== undefined) query = query.where("stack", "in", stacks);
  if (!quiet) query = query.where("is_quiet", "=", false);
  if (isWaiting) query = query.where("status", "in", ["planned", "waiting"]);
  return query.execute();
}

/** Whether another run, which may have changed the stack, has ended on it since then. */
export async function hasEndedSince(
  { db }: Tables,
  { id, stack }: Pick<Run, "id" | "stack">,
  since: Date,
): Promise<boolean> {
  const found = await db
    .selectFrom("runs")
    .select("id")
    .where("stack", "=", stack)
    .where("id", "!=", id)
    .where("parent", "is", null)
    .where("is_quiet", "=", false)
    .where("finished_at", ">=", since)
    .limit(1)
    .executeTakeFirst();
  return found !== undefined;
}

/** The runs that somebody has begun on a stack and that have not ended, the oldest first. */
export async function listUnended({ db }: Tables, stack: string, actor: string): Promise<readonly string[]> {
  const rows = await db
    .selectFrom("runs")
    .select("id")
    .where("stack", "=", stack)
    .where("actor", "=", actor)
    .where("status", "!=", "ended")
    .orderBy("created_at")
    .execute();
  return rows.map(({ id }) => id);
}

export async function listSteps(control: Control, run: string): Promise<readonly StepRow[]> {
  return control.db.selectFrom("steps").selectAll().where("run", "=", run).orderBy("started_at").execute();
}

/** Asks whoever carries the run out to stop and take back. */
export async function requestCancel(control: Tables, run: string, actor: string): Promise<void> {
  await inTransaction(control.db, async (tx) => {
    const asked = await tx
      .updateTable("runs")
      .set({ cancel_requested_by: actor })
      .where("id", "=", run)
      .where("status", "!=", "ended")
      .returningAll()
      .executeTakeFirst();
    if (asked !== undefined) await auditRun(tx, asked, "run.cancel_requested", actor);
  });
}

/** Records what a person decided about a run that waits for it. Refused at any other time, when it could be meant for another step. */
export async function decideRun(
  control: Control,
  run: Pick<Run, "id">,
  decision: Decision,
  actor: string,
): Promise<void> {
  const decided = await inTransaction(control.db, async (tx) => {
    const found = await tx
      .updateTable("runs")
      .set({ decision })
      .where("id", "=", run.id)
      .where("status", "=", "waiting")
      .where("waiting_for", "in", ["decision", "undo"])
      .returningAll()
      .executeTakeFirst();
    if (found !== undefined) await auditRun(tx, found, "run.decided", actor, { decision });
    return found;
  });
  if (decided !== undefined) return;
  throw NothingToDecide({ run: run.id, status: describeStatus(await getRun(control, run.id)) });
}

export function describeStatus(run: Run): string {
  return run.outcome ?? (run.waiting_for === null ? run.status : `waiting for ${run.waiting_for}`);
}

export interface RunChange {
  readonly status?: RunStatus;
  readonly outcome?: Outcome;
  readonly waiting_for?: WaitingFor | null;
  readonly decision?: null;
  readonly cancel_requested_by?: null;
  readonly error?: ErrorRecord | null;
  readonly started_at?: Date;
  readonly finished_at?: Date;
}

export async function updateRun(control: Control, fence: Fence, change: RunChange): Promise<Run> {
  const { error, ...rest } = change;
  return control.db.transaction().execute(async (tx) => {
    const before = await tx
      .selectFrom("runs")
      .select(["started_at", "outcome"])
      .where("id", "=", fence.run)
      .where("fence", "=", fence.fence)
      .forUpdate()
      .executeTakeFirst();
    const updated = await tx
      .updateTable("runs")
      .set({ ...rest, ...(error === undefined ? {} : { error: error === null ? null : toJsonb(error) }) })
      .where("id", "=", fence.run)
      .where("fence", "=", fence.fence)
      .returningAll()
      .executeTakeFirst();
    if (updated === undefined) throw RunFenced({ run: fence.run });
    if (fence.outer !== undefined) await checkFence(tx, fence.outer);
    await settleChange(tx, updated, before);
    return updated;
  });
}

/**
 * What a change brings with it. Nothing when the same was written before, and only its acknowledgement was lost. (A run inside another
 * may be taken back after it had ended: that is a new end.)
 */
async function settleChange(
  tx: Transaction<ControlSchema>,
  run: Run,
  before: Pick<Run, "started_at" | "outcome"> | undefined,
): Promise<void> {
  const who = run.worker ?? run.actor;
  if (before?.started_at === null && run.started_at !== null)
    await auditRun(tx, run, "run.began", who, { secrets: listSecrets(run.plan) });
  if (run.status !== "ended" || before?.outcome === run.outcome) return;
  for (const inner of await endWhatBelongsTo(tx, run))
    await auditRun(tx, inner, "run.ended", who, { outcome: inner.outcome, with: run.id });
  await auditRun(tx, run, "run.ended", who, { outcome: run.outcome });
}

/**
 * The lease belongs to the run and ends with it, in the same instant; so does the time at which it was to begin, and so do inner runs
 * that nobody will go on with: those.
 */
async function endWhatBelongsTo(
  tx: Transaction<ControlSchema>,
  run: Run,
): Promise<readonly Pick<Run, "id" | "stack" | "procedure" | "plan" | "outcome">[]> {
  await tx.deleteFrom("leases").where("run", "=", run.id).execute();
  await tx
    .updateTable("occurrences")
    .set({ state: "dropped", settled_at: sql`now()`, is_told: true })
    .where("run", "=", run.id)
    .where("state", "=", "due")
    .execute();
  const { rows } = await sql<Pick<Run, "id" | "stack" | "procedure" | "plan" | "outcome">>`
    with recursive inner_runs as (
      select id from runs where parent = ${run.id}
      union all
      select runs.id from runs join inner_runs on runs.parent = inner_runs.id
    )
    update runs set status = 'ended', waiting_for = null, outcome = ${run.outcome}, finished_at = ${run.finished_at}
    where id in (select id from inner_runs) and status <> 'ended'
    returning id, stack, procedure, plan, outcome`.execute(tx);
  return rows;
}

export interface StepKey {
  readonly path: string;
  readonly phase: "do" | "undo";
}

/**
 * Writes that an attempt at a step begins; the row says `running` until the step is settled. A wait that was interrupted goes on: its time
 * began with its first process.
 */
export async function startStep(
  control: Control,
  fence: Fence,
  key: StepKey,
  step: { id: string; title: string; kind?: string },
): Promise<StepRow> {
  const row = await control.db
    .insertInto("steps")
    .columns(["run", "path", "phase", "step", "title", "outcome", "attempts"])
    .expression(
      control.db
        .selectNoFrom(({ val, lit }) => [
          val(fence.run).as("run"),
          val(key.path).as("path"),
          val(key.phase).as("phase"),
          val(step.id).as("step"),
          val(step.title).as("title"),
          val("running").as("outcome"),
          lit(1).as("attempts"),
        ])
        .where(isHeld(fence)),
    )
    .onConflict((conflict) =>
      conflict.columns(["run", "path", "phase"]).doUpdateSet({
        outcome: "running",
        attempts: sql`steps.attempts + 1`,
        error: null,
        started_at:
          step.kind === "wait"
            ? sql`case when steps.outcome = 'running' then steps.started_at else now() end`
            : sql`now()`,
        finished_at: null,
      }),
    )
    .returningAll()
    .executeTakeFirst();
  return requireHeld(row, fence);
}

export interface StepResult {
  readonly outcome: Exclude<StepOutcome, "running">;
  readonly outputs?: Readonly<Record<string, Json>>;
  readonly error?: ErrorRecord;
  /** Attempts after the first one since the step was started. */
  readonly retries?: number;
}

export async function finishStep(control: Control, fence: Fence, key: StepKey, result: StepResult): Promise<StepRow> {
  const row = await control.db
    .updateTable("steps")
    .set({
      outcome: result.outcome,
      outputs: result.outputs === undefined ? null : toJsonb(result.outputs),
      error: result.error === undefined ? null : toJsonb(result.error),
      attempts: sql`attempts + ${result.retries ?? 0}`,
      finished_at: sql`now()`,
    })
    .where("run", "=", fence.run)
    .where("path", "=", key.path)
    .where("phase", "=", key.phase)
    .where(isHeld(fence))
    .returningAll()
    .executeTakeFirst();
  return requireHeld(row, fence);
}
