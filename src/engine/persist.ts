import { setTimeout as sleep } from "node:timers/promises";
import { defineError } from "../errors/error.ts";

export const ControlLost = defineError<{ reason: string }>("control.lost", {
  exitCode: 66,
  retryable: true,
  message: (d) =>
    `The control database went away and did not come back within ten minutes: ${d.reason}. The run stays as it is recorded.`,
  hint: () => "Start the control database; then `ipai runs resume` goes on with the run.",
});

/**
 * Repeats a question to the journal, or a write that may be repeated, while the control database is away. A restart of that
 * database must not undo a deployment: the step goes on, and what it did is written down when the database is back. After ten
 * minutes the process gives up; the run stays as it is recorded and can be resumed.
 */
export async function persist<T>(write: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + patienceMs;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, lastPauseMs)) {
    try {
      return await write();
    } catch (error) {
      if (!isConnectionLost(error)) throw error;
      if (Date.now() > deadline) throw ControlLost({ reason: error.message }, { cause: error });
      await sleep(pauseMs);
    }
  }
}

const patienceMs = 600_000;
/** Longer each time: a server that comes up again must not be drowned by those who wait for it. */
const firstPauseMs = 100;
const lastPauseMs = 2_000;

/** 08: connection; 57P0: the server ends or starts; 53300: no connection is free; 40001, 40P01: another transaction came first. */
const retryableStates = /^(08|57P0|53300|40001|40P01)/;
const socketErrors = /^(ECONN(REFUSED|RESET|ABORTED)|ENOENT|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN)$/;
/** What pg says without a code. */
const clientErrors = /^(Connection terminated|timeout exceeded when trying to connect)|is not queryable$/;

/** The database went away, or did not let this one through: nothing is known to be wrong with what was asked. */
export function isConnectionLost(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return retryableStates.test(code) || socketErrors.test(code) || clientErrors.test(error.message);
}
