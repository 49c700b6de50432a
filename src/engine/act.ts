import { setTimeout as sleep } from "node:timers/promises";
import { toErrorRecord, toIpaiError } from "../errors/error.ts";
import { type ProbeAnswer, readOutput } from "../host/perform.ts";
import type { Probe } from "../runbook/action.ts";
import type { Act } from "../runbook/plan.ts";
import type { Json } from "../runbook/value.ts";
import { Cancelled, Interrupted, ProbeUnknown, toVerifyError } from "./errors.ts";
import { checkFence, finishStep, type StepKey, startStep } from "./journal.ts";
import { acquireLease } from "./lease.ts";
import { persist } from "./persist.ts";
import { keyOf, type Point, points, type Session, scopeOf } from "./session.ts";

/**
 * One act: probe → act → verify → record. The journal is written before and after, so whoever finds the run later knows that
 * the act may have happened (the row says `running`) or did (it says how it ended).
 */
export async function runAct(session: Session, act: Act, key: StepKey): Promise<void> {
  const before = session.journal.get(keyOf(key.path, key.phase));
  if (before?.outcome === "succeeded" || before?.outcome === "skipped") return;
  const wasInterrupted = before?.outcome === "running";
  if (act.effect !== "read" && session.plan.lease !== "none") await takeLease(session);
  await record(session, key, () => startStep(session.engine.control, session.claim, key, act));
  session.log.add("step.started", key.path, { phase: key.phase, title: act.title });
  try {
    const outputs = await attempt(session, act, key, wasInterrupted);
    publish(session, key, "verified");
    const outcome = outputs === undefined ? "skipped" : "succeeded";
    await record(session, key, () =>
      finishStep(session.engine.control, session.claim, key, { outcome, outputs: outputs ?? {} }),
    );
    session.log.add(`step.${outcome}`, key.path, { phase: key.phase });
    publish(session, key, "recorded");
  } catch (thrown) {
    const error = isCancelling(session, key) ? Cancelled({ by: await cancelledBy(session) }) : toIpaiError(thrown);
    await record(session, key, () =>
      finishStep(session.engine.control, session.claim, key, { outcome: "failed", error: toErrorRecord(error) }),
    );
    session.log.add("step.failed", key.path, { phase: key.phase, error: { ...toErrorRecord(error) } });
    throw error;
  }
}

/** Asks a probe with the step's own time limit. */
export function ask(session: Session, probe: Probe, timeoutSeconds: number, key: StepKey): Promise<ProbeAnswer> {
  return session.engine.performer.ask(probe, scopeOf(session), {
    signal: signalFor(session, key.phase),
    timeoutMs: timeoutSeconds * 1000,
  });
}

async function takeLease(session: Session): Promise<void> {
  const { plan, run, engine, root, claim } = session;
  const mode = plan.lease === "exclusive" ? "exclusive" : "shared";
  const request = { stack: run.stack, holder: root, mode, actor: run.actor } as const;
  for (;;) {
    try {
      return await persist(() => acquireLease(engine.control, claim, request));
    } catch (error) {
      if (engine.waitForLease !== true || toIpaiError(error).code !== "run.stack_busy") throw error;
      session.log.add("lease.waiting", null, toIpaiError(error).message);
      await sleep(1000, undefined, { signal: session.cancel.signal });
    }
  }
}

/** The act's outputs, or undefined when `when` says that it is not wanted. */
async function attempt(session: Session, act: Act, key: StepKey, wasInterrupted: boolean) {
  if (act.when !== undefined && scopeOf(session).output(act.when.step, act.when.name) !== true) return undefined;
  for (let count = 1; ; count++) {
    try {
      return await attemptOnce(session, act, key, wasInterrupted && count === 1);
    } catch (error) {
      if (count >= act.attempts || isCancelling(session, key) || toIpaiError(error).code === "run.interrupted")
        throw error;
      session.log.add("step.retry", key.path, { ...toErrorRecord(error) });
      await sleep(Math.min(count, 5) * 1000, undefined, { signal: signalFor(session, key.phase) });
    }
  }
}

async function attemptOnce(session: Session, act: Act, key: StepKey, wasInterrupted: boolean) {
  publish(session, key, "before");
  await persist(() => checkFence(session.engine.control.db, session.claim));
  if (act.done !== undefined && (await isDone(session, act, act.done, key))) {
    await verify(session, act, key, {});
    return {};
  }
  if (wasInterrupted && act.onInterrupt !== "again") throw Interrupted({ title: act.title });
  const outputs = await perform(session, act, key);
  publish(session, key, "performed");
  await verify(session, act, key, outputs);
  return outputs;
}

async function isDone(session: Session, act: Act, done: Probe, key: StepKey): Promise<boolean> {
  const answer = await ask(session, done, act.timeoutSeconds, key);
  // Acting although it may already have been done could do it twice.
  if (answer.answer === "unknown") throw ProbeUnknown({ title: done.title, reason: answer.error.message });
  return answer.answer === "yes";
}

async function perform(session: Session, act: Act, key: StepKey): Promise<Readonly<Record<string, Json>>> {
  const result = await session.engine.performer.perform(act.action, scopeOf(session), {
    signal: signalFor(session, key.phase),
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
      signal: signalFor(session, key.phase),
      timeoutMs: act.timeoutSeconds * 1000,
    });
    if (answer.answer === "unknown") throw ProbeUnknown({ title: probe.title, reason: answer.error.message });
    if (answer.answer === "no") throw toVerifyError(probe, answer.value);
  }
}

async function record(session: Session, key: StepKey, write: () => ReturnType<typeof startStep>): Promise<void> {
  session.journal.set(keyOf(key.path, key.phase), await persist(write));
}

/** Taking back is never cancelled: half undone is worse than either end. */
function signalFor(session: Session, phase: "do" | "undo"): AbortSignal {
  return phase === "do" ? session.cancel.signal : neverAborted;
}

const neverAborted = new AbortController().signal;

function isCancelling(session: Session, key: StepKey): boolean {
  return key.phase === "do" && session.cancel.signal.aborted;
}

async function cancelledBy(session: Session): Promise<string> {
  const run = await persist(() => checkFence(session.engine.control.db, session.claim));
  return run.cancel_requested_by ?? "its own process";
}

function publish(session: Session, key: StepKey, at: Point["at"]): void {
  if (points.hasSubscribers) points.publish({ at, run: session.run.id, ...key } satisfies Point);
}
