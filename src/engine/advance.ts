import { setTimeout as sleep } from "node:timers/promises";
import { type ErrorRecord, type IpaiError, toErrorRecord, toIpaiError } from "../errors/error.ts";
import { listDifferences } from "../runbook/differences.ts";
import { hashPlan } from "../runbook/hash.ts";
import type { Entry } from "../runbook/plan.ts";
import { runAct, takeLease } from "./act.ts";
import { claimRun } from "./claim.ts";
import { ApprovalExpired, isApproved, isExpired } from "./consent.ts";
import { heedDecision } from "./decide.ts";
import { Cancelled, PlanDrifted, RunFenced, TimePassed } from "./errors.ts";
import { endsProcess, hasBegun, isIrreversible, isPointOfNoReturn, policyOf } from "./failure.ts";
import { checkFence } from "./fence.ts";
import { runInner, undoInner } from "./inner.ts";
import { getRun, hasEndedSince, type Run, type RunChange, updateRun } from "./journal.ts";
import { findOneOff } from "./one-offs.ts";
import { persist } from "./persist.ts";
import type { Outcome } from "./schema.ts";
import { type Engine, keyOf, openSession, type Session } from "./session.ts";
import { journaled } from "./step.ts";
import { undoAll } from "./undo.ts";
import { runWait } from "./wait.ts";

/**
 * Carries a run as far as it can go: to its end, or to a place where it waits for a person. Re-entrant: called again, by this
 * process or another one, it goes on from what the journal says. A run inside another one goes on with the one around it.
 */
export async function advance(engine: Engine, runId: string): Promise<Run> {
  const run = await persist(() => getRun(engine.control, runId));
  return run.parent === null ? carry(engine, run.id) : advance(engine, run.parent);
}

async function carry(engine: Engine, run: string, outer?: Session): Promise<Run> {
  const claim = await claimRun(engine.control, run, engine.worker, outer?.claim);
  try {
    const session = await persist(() => openSession(engine, claim, outer));
    // What went wrong in the walk is what the caller must hear, not that its story could not be written.
    await carryOut(session).catch(async (error: unknown) => {
      await session.log.flush().catch(() => undefined);
      throw error;
    });
    await persist(() => session.log.flush());
    return session.run;
  } finally {
    await claim.release();
  }
}

/** The states of a run, in order: not begun → forwards → (when a step fails) backwards → ended. */
async function carryOut(session: Session): Promise<void> {
  const { status, waiting_for: waitingFor } = session.run;
  if (status === "planned" || waitingFor === "approval") await begin(session);
  else if (status === "waiting") await change(session, await heedDecision(session));
  const stopWatching = watch(session);
  try {
    if (session.run.status === "running") await forwards(session);
    if (session.run.status === "undoing") await backwards(session);
  } finally {
    stopWatching();
  }
}

/** A plan begins when somebody approved it, its time has come, and the stack is still as it was when it was made. */
async function begin(session: Session): Promise<void> {
  const { engine, run } = session;
  if (run.cancel_requested_by !== null) return end(session, "cancelled", Cancelled({ by: run.cancel_requested_by }));
  const time = await persist(() => findOneOff(engine.control, run.id));
  if (time !== undefined && !["due", "started"].includes(time.state))
    return end(session, "failed", time.error ?? TimePassed({ run: run.id, at: time.at.toISOString() }));
  if (isExpired(run, new Date()))
    return end(session, "cancelled", ApprovalExpired({ run: run.id, until: run.consent_until?.toISOString() ?? "" }));
  if (!(await persist(() => isApproved(engine.control, run)))) {
    if (run.status === "planned") await change(session, { status: "waiting", waiting_for: "approval" });
    return;
  }
  if (time?.state === "due") {
    // Whoever looks for what is due begins it.
    if (run.status === "waiting") await change(session, { status: "planned", waiting_for: null });
    return;
  }
  const readAt = new Date();
  const drift = await findDrift(session);
  if (drift !== undefined) return end(session, "failed", drift);
  session.readAt = readAt;
  await change(session, { status: "running", started_at: new Date(), waiting_for: null });
}

/** How the plan that would be made now differs from the one that was consented to. */
async function findDrift({ engine, run, plan }: Session): Promise<IpaiError | undefined> {
  const fresh = await engine.plan(plan.procedure, plan.version, plan.stack, plan.input);
  const [approved, now] = [run.plan_hash, hashPlan(fresh)];
  if (now === approved) return undefined;
  return PlanDrifted({ run: run.id, approved, now, differs: listDifferences(plan, fresh).join(", ") });
}

async function forwards(session: Session): Promise<void> {
  if (session.journal.size === 0 && !(await holdStack(session))) return;
  for (const group of groupParallel(session.entries))
    for (const failure of await runGroup(session, group)) if (!(await settleFailure(session, failure))) return;
  await end(session, "succeeded", undefined);
}

/**
 * What changes a stack holds it before its first step, and what the plan was made of still holds then: who waited for the stack, or began
 * while another run was ending, would otherwise go on with what that run has changed. False: the run has ended.
 */
async function holdStack(session: Session): Promise<boolean> {
  const { engine, run, entries } = session;
  if (!changesAtOnce(entries)) return true;
  try {
    const time = await persist(() => findOneOff(engine.control, run.id));
    const hasWaited = await takeLease(session, "do", time);
    // What only shares the stack changes nothing that serves: it does its work on what it finds.
    const mustHold = session.plan.lease === "exclusive" && (hasWaited || (await isOutdated(session)));
    const drift = mustHold ? await findDrift(session) : undefined;
    if (drift !== undefined) throw drift;
    return true;
  } catch (thrown) {
    const error = toIpaiError(thrown);
    if (endsProcess(error)) throw error;
    await end(session, error.code === Cancelled.code ? "cancelled" : "failed", error);
    return false;
  }
}

async function isOutdated({ engine, run, readAt }: Session): Promise<boolean> {
  return readAt === undefined || (await persist(() => hasEndedSince(engine.control, run, readAt)));
}

/** Whether it changes something before it waits for anything; only then it may hold the stack from its beginning. */
function changesAtOnce(entries: readonly Entry[]): boolean {
  const first = entries.find(({ step }) => step.kind !== "act" || step.effect !== "read");
  return first !== undefined && first.step.kind !== "wait";
}

interface Failure {
  readonly entry: Entry;
  readonly error: ErrorRecord;
}

/** Runs entries that stand side by side, waits for all of them, and says which of them failed. */
async function runGroup(session: Session, group: readonly Entry[]): Promise<readonly Failure[]> {
  const results = await Promise.allSettled(group.map((entry) => tryEntry(session, entry)));
  return results.flatMap((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value === undefined ? [] : [result.value];
  });
}

async function tryEntry(session: Session, entry: Entry): Promise<Failure | undefined> {
  const row = session.journal.get(keyOf(entry.path, "do"));
  // It failed in another process, which could not say any more what that means. Doing it again would be a person's decision.
  if (row?.outcome === "failed" && row.error !== null && !session.again.has(entry.path))
    return { entry, error: row.error };
  try {
    await runEntry(session, entry);
    return undefined;
  } catch (thrown) {
    const error = toIpaiError(thrown);
    if (endsProcess(error)) throw error;
    return { entry, error: toErrorRecord(error) };
  }
}

/** What a failed step means for the run. True: the walk goes on. */
async function settleFailure(session: Session, { entry, error }: Failure): Promise<boolean> {
  const policy = policyOf(entry.step, error);
  if (policy === "continue") return true;
  const { control } = session.engine;
  const wantsPerson = policy === "ask" || (await persist(() => hasBegun(control, session.run, isPointOfNoReturn)));
  // A request to cancel that became a question has been answered with it.
  const asked = { waiting_for: "decision", decision: null, cancel_requested_by: null } as const;
  await change(session, wantsPerson ? { status: "waiting", ...asked, error } : { status: "undoing", error });
  return false;
}

async function backwards(session: Session): Promise<void> {
  let changed: boolean;
  try {
    changed = await undoAll(session, (entry) => undoInner(session, entry));
  } catch (thrown) {
    const cause = toIpaiError(thrown);
    if (endsProcess(cause)) throw cause;
    // The run keeps the error that began the undo; why the undo stopped is recorded at its own step.
    session.log.add("undo.stopped", null, { error: { ...toErrorRecord(cause) } });
    return change(session, { status: "waiting", waiting_for: "undo", decision: null });
  }
  await end(session, await outcomeOfUndo(session, changed), undefined);
}

async function outcomeOfUndo(session: Session, changed: boolean): Promise<Outcome> {
  const { engine, run } = session;
  // A person asked for it knowing this; the program does not say that everything was taken back.
  if (await persist(() => hasBegun(engine.control, run, isIrreversible))) return "unknown";
  if (run.error?.code === Cancelled.code) return "cancelled";
  return changed ? "undone" : "failed";
}

async function runEntry(session: Session, entry: Entry): Promise<void> {
  const { step, path } = entry;
  const row = session.journal.get(keyOf(path, "do"));
  if (row?.outcome === "succeeded" || row?.outcome === "skipped") return;
  const stop = session.stops.reason("do");
  if (stop !== undefined) throw stop;
  const key = { path, phase: "do" } as const;
  switch (step.kind) {
    case "act":
      return runAct(session, step, key);
    case "wait":
      return runWait(session, step, { path, phase: "do" });
    case "procedure":
      return runInner(session, entry, (run, outer) => carry(session.engine, run, outer));
    case "pivot":
      return journaled(session, key, step, async () => ({ outcome: "succeeded" }));
  }
}

async function change(session: Session, update: RunChange): Promise<void> {
  session.run = await persist(() => updateRun(session.engine.control, session.claim, update));
  const { status, outcome, waiting_for: waitingFor } = session.run;
  session.log.add(`run.${status}`, null, outcome ?? waitingFor);
}

async function end(session: Session, outcome: Outcome, error: IpaiError | ErrorRecord | undefined): Promise<void> {
  const ended = { status: "ended", outcome, waiting_for: null, finished_at: new Date() } as const;
  const known = error instanceof Error ? toErrorRecord(error) : error;
  await change(session, { ...ended, ...(known === undefined ? {} : { error: known }) });
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

/** Looks for a request to cancel, or a successor, twice a second; either ends the action that is under way. */
function watch(session: Session): () => void {
  const stop = new AbortController();
  const heed = (by: string | null) => {
    if (by !== null) session.stops.cancel(by);
  };
  heed(session.run.cancel_requested_by);
  const look = async () => {
    while (!stop.signal.aborted) {
      await sleep(watchPauseMs, undefined, { signal: stop.signal, ref: false }).catch(() => undefined);
      if (stop.signal.aborted) return;
      await checkFence(session.engine.control.db, session.claim).then(
        (run) => heed(run.cancel_requested_by),
        // Only the loss of the run ends the action; while the database is away it goes on.
        (error: unknown) => {
          if (toIpaiError(error).code === RunFenced.code) session.stops.lose(session.run.id);
        },
      );
    }
  };
  void look();
  return () => stop.abort();
}

const watchPauseMs = 500;
