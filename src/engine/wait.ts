import { setTimeout as sleep } from "node:timers/promises";
import type { Wait } from "../runbook/plan.ts";
import { ask } from "./act.ts";
import { WaitTimedOut } from "./errors.ts";
import { hasSignal, type StepResult } from "./journal.ts";
import { persist } from "./persist.ts";
import type { Session } from "./session.ts";
import { journaled } from "./step.ts";

/** Waits for the world, an instant or a person, and no longer than the plan allows. */
export async function runWait(session: Session, step: Wait, path: string): Promise<void> {
  await journaled(session, { path, phase: "do" }, step, () => untilOver(session, step, path));
}

async function untilOver(session: Session, step: Wait, path: string): Promise<StepResult> {
  const { signals } = session.stops;
  const deadline = Date.now() + step.timeoutSeconds * 1000;
  for (;;) {
    const last = await askWhetherOver(session, step, path);
    if (last === undefined) return { outcome: "succeeded" };
    if (Date.now() >= deadline) throw WaitTimedOut({ title: step.title, seconds: step.timeoutSeconds, last });
    await sleep(pauseMs, undefined, { signal: signals.do });
  }
}

/** Undefined when the wait is over, else the last answer in words. */
async function askWhetherOver(session: Session, step: Wait, path: string): Promise<string | undefined> {
  const { until } = step;
  if ("instant" in until) return Date.now() >= Date.parse(until.instant) ? undefined : until.instant;
  if ("signal" in until) {
    const hasCome = await persist(() => hasSignal(session.engine.control, session.run.id, until.signal));
    return hasCome ? undefined : `no signal ${until.signal}`;
  }
  const answer = await ask(session, until.probe, Math.min(step.timeoutSeconds, askSecondsMax), { path, phase: "do" });
  if (answer.answer === "yes") return undefined;
  return answer.answer === "no" ? JSON.stringify(answer.value).slice(0, 200) : answer.error.message;
}

/** One unanswered question must not use up the whole wait. */
const askSecondsMax = 15;
/** How often a waiting step asks again: what it waits for takes a second at best, so asking faster gains nothing. */
const pauseMs = 250;
