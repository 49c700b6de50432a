import { type IpaiError, toErrorRecord, toIpaiError } from "../errors/error.ts";
import { endsProcess } from "./failure.ts";
import { finishStep, type StepKey, type StepResult, type StepRow, startStep } from "./journal.ts";
import { persist } from "./persist.ts";
import { keyOf, publish, type Session } from "./session.ts";

/**
 * Writes a step down around its work. The journal is written before and after, so whoever finds the run later knows that the step
 * may have happened (the row says `running`) or did (it says how it ended).
 */
export async function journaled(
  session: Session,
  key: StepKey,
  step: { readonly id: string; readonly title: string; readonly kind?: string },
  work: () => Promise<StepResult>,
): Promise<void> {
  await record(session, key, () => startStep(session.engine.control, session.claim, key, step));
  session.log.add("step.started", key.path, { phase: key.phase, title: step.title });
  publish(session, key, "before");
  try {
    await finish(session, key, await work());
  } catch (thrown) {
    const error = session.stops.reason(key.phase) ?? toIpaiError(thrown);
    // Left as `running`: the next process asks the world what became of it.
    if (!endsProcess(error)) await recordFailure(session, key, error);
    throw error;
  }
}

async function finish(session: Session, key: StepKey, result: StepResult): Promise<void> {
  publish(session, key, "verified");
  await record(session, key, () => finishStep(session.engine.control, session.claim, key, { outputs: {}, ...result }));
  session.log.add(`step.${result.outcome}`, key.path, { phase: key.phase });
  publish(session, key, "recorded");
}

async function recordFailure(session: Session, key: StepKey, error: IpaiError): Promise<void> {
  const result = { outcome: "failed", error: toErrorRecord(error) } as const;
  await record(session, key, () => finishStep(session.engine.control, session.claim, key, result));
  session.log.add("step.failed", key.path, { phase: key.phase, error: { ...result.error } });
  publish(session, key, "recorded");
}

async function record(session: Session, key: StepKey, write: () => Promise<StepRow>): Promise<void> {
  session.journal.set(keyOf(key.path, key.phase), await persist(write));
}
