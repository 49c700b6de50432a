import { setTimeout as sleep } from "node:timers/promises";
import { type ErrorRecord, type IpaiError, toErrorRecord, toIpaiError } from "../errors/error.ts";
import { type ProbeAnswer, readOutput } from "../host/perform.ts";
import type { Probe } from "../runbook/action.ts";
import type { Act } from "../runbook/plan.ts";
import type { Json } from "../runbook/value.ts";
import { HostAway, Interrupted, ProbeUnknown, StackBusy, StackBusyTooLong, toVerifyError } from "./errors.ts";
import { endsProcess, isHostAway } from "./failure.ts";
import { checkFence } from "./fence.ts";
import type { StepKey, StepResult } from "./journal.ts";
import { acquireLease, type LeaseRequest } from "./lease.ts";
import type { Occurrence } from "./occurrences.ts";
import { persist } from "./persist.ts";
import { keyOf, publish, type Session, scopeOf } from "./session.ts";
import { journaled } from "./step.ts";

/** One act: probe → act → verify → record. */
export async function runAct(session: Session, act: Act, key: StepKey): Promise<void> {
  const before = session.journal.get(keyOf(key.path, key.phase));
  if (before?.outcome === "succeeded" || before?.outcome === "skipped") return;
  if (act.effect !== "read") await takeLease(session, key.phase);
  const past = { wasInterrupted: before?.outcome === "running", mayHaveActed: before !== undefined };
  await journaled(session, key, act, () => attempt(session, act, key, past));
}

/** Asks a probe with the step's own time limit. */
export function ask(session: Session, probe: Probe, timeoutSeconds: number, key: StepKey): Promise<ProbeAnswer> {
  return session.engine.performer.ask(probe, scopeOf(session), {
    signal: session.stops.signals[key.phase],
    timeoutMs: timeoutSeconds * 1000,
  });
}

/** Waits for the stack if that is wanted, but not longer than what was chosen a time for may be late. Returns whether it had to. */
export async function takeLease(
  session: Session,
  phase: StepKey["phase"],
  time?: Pick<Occurrence, "at" | "give_up_at">,
): Promise<boolean> {
  if (session.plan.lease === "none" || session.hasLease) return false;
  let reported: string | undefined;
  for (;;) {
    const busy = await tryLease(session, session.plan.lease);
    if (busy === undefined) {
      session.hasLease = true;
      return reported !== undefined;
    }
    if (session.engine.waitForLease !== true) throw busy;
    if (time !== undefined && new Date() > time.give_up_at)
      throw StackBusyTooLong({ at: time.at.toISOString(), reason: busy.message });
    if (busy.message !== reported) session.log.add("lease.waiting", null, busy.message);
    reported = busy.message;
    await pauseForLease(session, phase);
  }
}

/** Who has the stack, if somebody has. */
async function tryLease(session: Session, mode: LeaseRequest["mode"]): Promise<IpaiError | undefined> {
  const { run, engine, root, claim } = session;
  try {
    await persist(() =>
      acquireLease(engine.control, claim, { stack: run.stack, holder: root, mode, actor: run.actor }),
    );
    return undefined;
  } catch (thrown) {
    const error = toIpaiError(thrown);
    if (error.code !== StackBusy.code) throw error;
    return error;
  }
}

async function pauseForLease({ stops }: Session, phase: StepKey["phase"]): Promise<void> {
  await sleep(leasePauseMs, undefined, { signal: stops.signals[phase] }).catch((aborted: unknown) => {
    throw stops.reason(phase) ?? aborted;
  });
}

/** What is known of this act from before: the program died while it was under way; something may have been done already. */
interface Past {
  wasInterrupted: boolean;
  mayHaveActed: boolean;
}

async function attempt(session: Session, act: Act, key: StepKey, past: Past): Promise<StepResult> {
  if (act.when !== undefined && scopeOf(session).output(act.when.step, act.when.name) !== true)
    return { outcome: "skipped" };
  const signal = session.stops.signals[key.phase];
  if (past.wasInterrupted && act.effect !== "read") await sleep(leftoversMs, undefined, { signal });
  for (let retries = 0; ; retries++) {
    try {
      return { ...(await whenReachable(session, key, past, () => attemptOnce(session, act, key, past))), retries };
    } catch (thrown) {
      const error = toIpaiError(thrown);
      const isFinal = retries + 1 >= act.attempts || error.code === Interrupted.code || endsProcess(error);
      if (isFinal || session.stops.reason(key.phase) !== undefined) throw error;
      session.log.add("step.retry", key.path, { ...toErrorRecord(error) });
      await sleep(Math.min(retries + 1, 5) * 1000, undefined, { signal });
    }
  }
}

/** A host that is away says nothing about the step: the step waits, and then goes on as if this program had died in between. */
async function whenReachable<T>(session: Session, key: StepKey, past: Past, work: () => Promise<T>): Promise<T> {
  let since: number | undefined;
  let reported: string | undefined;
  for (;;) {
    try {
      return await work();
    } catch (thrown) {
      const error = toIpaiError(thrown);
      if (!isHostAway(error) || session.stops.reason(key.phase) !== undefined) throw error;
      since ??= Date.now();
      if (Date.now() - since > hostPatienceMs) throw HostAway({ reason: error.message });
      past.wasInterrupted ||= past.mayHaveActed;
      if (error.message !== reported) session.log.add("step.host_away", key.path, { ...toErrorRecord(error) });
      reported = error.message;
      await sleep(hostPauseMs, undefined, { signal: session.stops.signals[key.phase] });
    }
  }
}

async function attemptOnce(session: Session, act: Act, key: StepKey, past: Past): Promise<StepResult> {
  if (act.done !== undefined && (await isDone(session, act, act.done, key))) {
    await verify(session, act, key, {});
    // Found done before this run did anything: it is not the run's to take back.
    return { outcome: past.mayHaveActed ? "succeeded" : "skipped" };
  }
  if (past.wasInterrupted && act.onInterrupt !== "again") throw Interrupted({ title: act.title });
  await persist(() => checkFence(session.engine.control.db, session.claim));
  past.wasInterrupted = false;
  past.mayHaveActed = true;
  const outputs = await perform(session, act, key);
  publish(session, key, "performed");
  await verify(session, act, key, outputs);
  return { outcome: "succeeded", outputs };
}

async function isDone(session: Session, act: Act, done: Probe, key: StepKey): Promise<boolean> {
  const answer = await ask(session, done, act.timeoutSeconds, key);
  // Acting although it may already have been done could do it twice.
  if (answer.answer === "unknown") throw unanswered(done, answer.error);
  return answer.answer === "yes";
}

async function perform(session: Session, act: Act, key: StepKey): Promise<Readonly<Record<string, Json>>> {
  const result = await session.engine.performer.perform(act.action, scopeOf(session), {
    signal: session.stops.signals[key.phase],
    timeoutMs: act.timeoutSeconds * 1000,
    onLine: (line, stream) => session.log.add("output", key.path, { line, stream }),
    onSpawn: () => publish(session, key, "spawned"),
  });
  return Object.fromEntries(Object.entries(act.outputs ?? {}).map(([name, from]) => [name, readOutput(result, from)]));
}

/** The step's own outputs are visible to its verification. */
async function verify(
  session: Session,
  act: Act,
  key: StepKey,
  outputs: Readonly<Record<string, Json>>,
): Promise<void> {
  const scope = scopeOf(session);
  const withOwn = {
    ...scope,
    output: (step: string, name: string) => (step === act.id ? outputs[name] : scope.output(step, name)),
  };
  for (const probe of act.verify) {
    const answer = await session.engine.performer.ask(probe, withOwn, {
      signal: session.stops.signals[key.phase],
      timeoutMs: act.timeoutSeconds * 1000,
    });
    if (answer.answer === "unknown") throw unanswered(probe, answer.error);
    if (answer.answer === "no") throw toVerifyError(probe, answer.value);
  }
}

/** A host that is away has not answered anything; it is asked again when it is there. */
function unanswered({ title }: Probe, error: ErrorRecord): Error {
  return isHostAway(error) ? HostAway({ reason: error.message }) : ProbeUnknown({ title, reason: error.message });
}

/** A cable, a reboot of a router; after that a person must look. */
const hostPatienceMs = 10 * 60_000;
const hostPauseMs = 1000;

/** How often a run that waits for a busy stack looks again. */
const leasePauseMs = 500;

/**
 * What a killed process had started is killed with it, but a moment later. Only then is the answer of a probe the last word about
 * an interrupted act.
 */
const leftoversMs = 500;
