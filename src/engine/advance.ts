import { setTimeout as sleep } from "node:timers/promises";
import { Bug, type IpaiError, toErrorRecord, toIpaiError } from "../errors/error.ts";
import { hashPlan } from "../runbook/hash.ts";
import { type Entry, isWithin, type Wait } from "../runbook/plan.ts";
import { ask, runAct } from "./act.ts";
import { claimRun } from "./claim.ts";
import {
  Cancelled,
  InnerProcedureFailed,
  MandateExceeded,
  NothingToDecide,
  PlanDrifted,
  WaitTimedOut,
} from "./errors.ts";
import {
  approveRun,
  checkFence,
  createRun,
  finishStep,
  getRun,
  isApproved,
  type Run,
  type RunChange,
  startStep,
  updateRun,
} from "./journal.ts";
import { persist } from "./persist.ts";
import type { Outcome } from "./schema.ts";
import { type Engine, keyOf, openSession, type Session } from "./session.ts";
import { undoAll } from "./undo.ts";

/**
 * Carries a run as far as it can go: to its end, or to a place where it waits for a person. Re-entrant: called again, by this
 * process or another one, it goes on from what the journal says.
 */
export async function advance(engine: Engine, runId: string, root = runId): Promise<Run> {
  const claim = await claimRun(engine.control, runId, engine.worker);
  const session = await openSession(engine, claim, await getRun(engine.control, runId), root);
  const stopWatching = watchForCancel(session);
  try {
    await carryOut(session);
    return session.run;
  } finally {
    stopWatching();
    await persist(() => session.log.flush());
    await claim.release();
  }
}

/** The states of a run, in order: not begun → forwards → (when a step fails) backwards → ended. */
async function carryOut(session: Session): Promise<void> {
  if (session.run.status === "waiting") await leaveWaiting(session);
  if (session.run.status === "planned") await begin(session);
  if (session.run.status === "running") await forwards(session);
  if (session.run.status === "undoing") await backwards(session);
}

/** A plan begins when somebody approved it and the stack is still as it was when it was made. */
async function begin(session: Session): Promise<void> {
  const { engine, run, plan } = session;
  if (!(await isApproved(engine.control, run))) return change(session, { status: "waiting", waiting_for: "approval" });
  const now = hashPlan(await engine.plan(plan.procedure, plan.version, plan.stack, plan.input));
  if (now !== run.plan_hash) return end(session, "failed", PlanDrifted({ run: run.id, approved: run.plan_hash, now }));
  await change(session, { status: "running", started_at: new Date(), waiting_for: null });
}

async function leaveWaiting(session: Session): Promise<void> {
  const { run } = session;
  if (run.cancel_requested_by !== null && run.started_at === null)
    return end(session, "cancelled", Cancelled({ by: run.cancel_requested_by }));
  if (run.waiting_for === "approval") return change(session, { status: "planned" });
  if (run.decision === "abandon") return end(session, "unknown", undefined);
  if (run.waiting_for === "undo" || run.decision === "undo" || run.cancel_requested_by !== null)
    return change(session, { status: "undoing", waiting_for: null, decision: null });
  if (run.decision === null) throw NothingToDecide({ run: run.id, status: `waiting for ${run.waiting_for}` });
  if (run.decision === "done") await settleByPerson(session);
  await change(session, { status: "running", waiting_for: null, decision: null, error: null });
}

/** A person says that the step which failed or stayed unknown is done. */
async function settleByPerson(session: Session): Promise<void> {
  for (const row of session.journal.values()) {
    if (row.phase !== "do" || (row.outcome !== "failed" && row.outcome !== "running")) continue;
    const settled = await persist(() =>
      finishStep(
        session.engine.control,
        session.claim,
        { path: row.path, phase: "do" },
        { outcome: "succeeded", outputs: {} },
      ),
    );
    session.journal.set(keyOf(row.path, "do"), settled);
  }
}

async function forwards(session: Session): Promise<void> {
  for (const group of groupParallel(session.entries)) {
    const results = await Promise.allSettled(group.map((entry) => runEntry(session, entry)));
    const failed = results.findIndex((result) => result.status === "rejected");
    const entry = group[failed];
    const result = results[failed];
    if (entry === undefined || result?.status !== "rejected") continue;
    const error = toIpaiError(result.reason);
    // A worker that was replaced, or that met a fault of its own, writes nothing more: the run can be resumed.
    if (error.code === "run.fenced" || error.code === Bug.code) throw error;
    if (await settleFailure(session, entry, error)) continue;
    return;
  }
  await end(session, "succeeded", undefined);
}

/** What a failed step means for the run. True: the walk goes on. */
async function settleFailure(session: Session, entry: Entry, error: IpaiError): Promise<boolean> {
  const { step } = entry;
  const policy = step.kind === "act" ? step.onFail : step.kind === "wait" ? step.onTimeout : "undo";
  const isCancel = error.code === Cancelled.code;
  if (policy === "continue" && !isCancel) return true;
  // After the pivot users have written: swapping back would lose their work, so a person decides.
  const wantsPerson = (policy === "ask" && !isCancel) || isPastPivot(session, entry);
  if (wantsPerson) await change(session, { status: "waiting", waiting_for: "decision", error: toErrorRecord(error) });
  else await change(session, { status: "undoing", error: toErrorRecord(error) });
  return false;
}

function isPastPivot(session: Session, entry: Entry): boolean {
  const pivot = session.entries.findIndex((other) => other.step.kind === "pivot");
  return pivot >= 0 && session.entries.indexOf(entry) > pivot;
}

async function backwards(session: Session): Promise<void> {
  let changed: boolean;
  try {
    changed = await undoAll(session, (child) => undoChild(session, child));
  } catch (thrown) {
    const cause = toIpaiError(thrown);
    if (cause.code === "run.fenced" || cause.code === Bug.code) throw cause;
    // The run keeps the error that began the undo; why the undo stopped is recorded at its own step.
    return change(session, { status: "waiting", waiting_for: "undo" });
  }
  const isCancel = session.run.error?.code === Cancelled.code;
  await end(session, isCancel ? "cancelled" : changed ? "undone" : "failed", undefined);
}

async function runEntry(session: Session, entry: Entry): Promise<void> {
  if (session.cancel.signal.aborted) throw Cancelled({ by: session.run.cancel_requested_by ?? "its own process" });
  const { step, path } = entry;
  switch (step.kind) {
    case "act":
      return runAct(session, step, { path, phase: "do" });
    case "wait":
      return runWait(session, step, path);
    case "procedure":
      return runChild(session, entry);
    case "pivot":
      return settle(session, entry, async () => undefined);
  }
}

/** Journals a step that is not an act. */
async function settle(session: Session, entry: Pick<Entry, "path" | "step">, work: () => Promise<void>): Promise<void> {
  const key = { path: entry.path, phase: "do" } as const;
  if (session.journal.get(keyOf(entry.path, "do"))?.outcome === "succeeded") return;
  const { control } = session.engine;
  session.journal.set(keyOf(entry.path, "do"), await persist(() => startStep(control, session.claim, key, entry.step)));
  session.log.add("step.started", entry.path, { phase: "do", title: entry.step.title });
  try {
    await work();
  } catch (thrown) {
    const error = toErrorRecord(thrown);
    await persist(() => finishStep(control, session.claim, key, { outcome: "failed", error }));
    session.log.add("step.failed", entry.path, { phase: "do", error: { ...error } });
    throw thrown;
  }
  const row = await persist(() => finishStep(control, session.claim, key, { outcome: "succeeded", outputs: {} }));
  session.journal.set(keyOf(entry.path, "do"), row);
  session.log.add("step.succeeded", entry.path, { phase: "do" });
}

async function runWait(session: Session, step: Wait, path: string): Promise<void> {
  await settle(session, { path, step }, async () => {
    const deadline = Date.now() + step.timeoutSeconds * 1000;
    for (;;) {
      const last = await askWhetherOver(session, step, path);
      if (last === undefined) return;
      if (session.cancel.signal.aborted) throw Cancelled({ by: session.run.cancel_requested_by ?? "its own process" });
      if (Date.now() >= deadline) throw WaitTimedOut({ title: step.title, seconds: step.timeoutSeconds, last });
      await sleep(waitPauseMs, undefined, { signal: session.cancel.signal }).catch(() => undefined);
    }
  });
}

/** Undefined when the wait is over, else the last answer in words. */
async function askWhetherOver(session: Session, step: Wait, path: string): Promise<string | undefined> {
  const { until } = step;
  if ("instant" in until) return Date.now() >= Date.parse(until.instant) ? undefined : until.instant;
  if ("signal" in until) return (await hasSignal(session, until.signal)) ? undefined : `no signal ${until.signal}`;
  const answer = await ask(session, until.probe, Math.min(step.timeoutSeconds, maxAskSeconds), { path, phase: "do" });
  if (answer.answer === "yes") return undefined;
  return answer.answer === "no" ? JSON.stringify(answer.value).slice(0, 200) : answer.error.message;
}

async function hasSignal(session: Session, signal: string): Promise<boolean> {
  const { control } = session.engine;
  const found = await persist(() =>
    control.db
      .selectFrom("events")
      .select("id")
      .where("run", "=", session.run.id)
      .where("kind", "=", "signal")
      .where("path", "=", signal)
      .executeTakeFirst(),
  );
  return found !== undefined;
}

/** One unanswered question must not use up the whole wait. */
const maxAskSeconds = 15;
/** How often a waiting step asks again. Odoo is ready in 1.4 s at best: asking faster gains nothing. */
const waitPauseMs = 250;

/** A procedure inside a plan: planned now, held to its mandate, carried out under this run's lease. */
async function runChild(session: Session, entry: Entry): Promise<void> {
  const { step } = entry;
  if (step.kind !== "procedure") return;
  const { engine, run } = session;
  await settle(session, entry, async () => {
    let child = await findChild(session, step.name);
    if (child === undefined) {
      const plan = await engine.plan(step.name, undefined, run.stack, step.input);
      if (!isWithin(step.mandate, plan)) throw MandateExceeded({ name: step.name });
      child = await createRun(engine.control, plan, run.actor, new Date(), run.id);
      await approveRun(engine.control, child, run.actor);
    }
    const ended = child.status === "ended" ? child : await advance(engine, child.id, session.root);
    if (ended.outcome !== "succeeded")
      throw InnerProcedureFailed({
        run: ended.id,
        title: step.title,
        reason: ended.error?.message ?? `it is ${ended.status}.`,
      });
  });
}

async function undoChild(session: Session, name: string): Promise<void> {
  const child = await findChild(session, name);
  if (child === undefined) return;
  const claim = await claimRun(session.engine.control, child.id, session.engine.worker);
  try {
    const inner = await openSession(session.engine, claim, child, session.root);
    await undoAll(inner, (deeper) => undoChild(inner, deeper));
    await inner.log.flush();
  } finally {
    await claim.release();
  }
}

async function findChild(session: Session, procedure: string): Promise<Run | undefined> {
  return session.engine.control.db
    .selectFrom("runs")
    .selectAll()
    .where("parent", "=", session.run.id)
    .where("procedure", "=", procedure)
    .executeTakeFirst();
}

async function change(session: Session, update: RunChange): Promise<void> {
  session.run = await persist(() => updateRun(session.engine.control, session.claim, update));
  session.log.add(`run.${session.run.status}`, null, session.run.waiting_for);
}

async function end(session: Session, outcome: Outcome, error: IpaiError | undefined): Promise<void> {
  await change(session, {
    status: "ended",
    outcome,
    waiting_for: null,
    finished_at: new Date(),
    ...(error === undefined ? {} : { error: toErrorRecord(error) }),
  });
}

function groupParallel(entries: readonly Entry[]): readonly (readonly Entry[])[] {
  const groups: Entry[][] = [];
  for (const entry of entries) {
    const last = groups.at(-1);
    if (last !== undefined && entry.parallel !== undefined && last[0]?.parallel === entry.parallel) last.push(entry);
    else groups.push([entry]);
  }
  return groups;
}

/** Looks for a cancel request, or a successor, twice a second; either ends the action that is under way. */
function watchForCancel(session: Session): () => void {
  const timer = setInterval(() => {
    checkFence(session.engine.control.db, session.claim).then(
      (run) => {
        if (run.cancel_requested_by === null) return;
        session.run = { ...session.run, cancel_requested_by: run.cancel_requested_by };
        session.cancel.abort();
      },
      (error) => {
        // Only the loss of the run ends the action; while the database is away it goes on.
        if (toIpaiError(error).code === "run.fenced") session.cancel.abort();
      },
    );
  }, 500);
  timer.unref();
  return () => clearInterval(timer);
}
