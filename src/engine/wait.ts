import { setTimeout as sleep } from "node:timers/promises";
import type { IpaiError } from "../errors/error.ts";
import type { Wait } from "../runbook/plan.ts";
import { ask } from "./act.ts";
import { toVerifyError, WaitTimedOut } from "./errors.ts";
import { hasSignal } from "./events.ts";
import type { StepKey, StepResult } from "./journal.ts";
import { persist } from "./persist.ts";
import { keyOf, type Session } from "./session.ts";
import { journaled } from "./step.ts";

/** Waits for the world, an instant or a person, and no longer than the plan allows. */
export async function runWait(session: Session, step: Wait, key: StepKey): Promise<void> {
  const before = session.journal.get(keyOf(key.path, key.phase));
  if (before?.outcome === "succeeded") return;
  await journaled(session, key, step, () => untilOver(session, step, key));
}

async function untilOver(session: Session, step: Wait, key: StepKey): Promise<StepResult> {
  const signal = session.stops.signals[key.phase];
  const deadline = beginOf(session, step, key) + step.timeoutSeconds * 1000;
  for (;;) {
    const last = await askWhetherOver(session, step, key);
    if (last === undefined) return { outcome: "succeeded" };
    if (Date.now() >= deadline) throw timedOut(step, last);
    await sleep(pauseMs, undefined, { signal });
  }
}

/**
 * People have the time that they were told, whoever carries the run out meanwhile. What the world has to become was perhaps not even
 * looked at while nobody did: it has the whole time again.
 */
function beginOf(session: Session, { until }: Wait, key: StepKey): number {
  const row = session.journal.get(keyOf(key.path, key.phase));
  return "signal" in until && row !== undefined ? row.started_at.getTime() : Date.now();
}

/** The error that the probe names, as when it verifies a step; else the general one. */
function timedOut(step: Wait, last: string): IpaiError {
  const { until, title, timeoutSeconds } = step;
  if ("probe" in until && until.probe.code !== undefined) return toVerifyError(until.probe, last);
  return WaitTimedOut({ title, seconds: timeoutSeconds, last });
}

/** Undefined when the wait is over, else the last answer in words. */
async function askWhetherOver(session: Session, step: Wait, key: StepKey): Promise<string | undefined> {
  const { until } = step;
  if ("instant" in until) return Date.now() >= Date.parse(until.instant) ? undefined : until.instant;
  if ("signal" in until) {
    const hasCome = await persist(() => hasSignal(session.engine.control, session.run.id, until.signal));
    return hasCome ? undefined : `no signal ${until.signal}`;
  }
  const answer = await ask(session, until.probe, Math.min(step.timeoutSeconds, askSecondsMax), key);
  if (answer.answer === "yes") return undefined;
  return answer.answer === "no" ? JSON.stringify(answer.value).slice(0, 200) : answer.error.message;
}

/** One unanswered question must not use up the whole wait. */
const askSecondsMax = 15;
/** How often a waiting step asks again: what it waits for takes a second at best, so asking faster gains nothing. */
const pauseMs = 250;
