import { setTimeout as sleep } from "node:timers/promises";

/**
 * Repeats a write of the journal while the control database is away. A restart of that database must not undo a deployment: the
 * step goes on, and what it did is written down when the database is back. After ten minutes the process gives up; the run stays
 * as it is recorded and can be resumed.
 */
export async function persist<T>(write: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    try {
      return await write();
    } catch (error) {
      if (!isConnectionLost(error) || Date.now() > deadline) throw error;
      await sleep(pauseMs);
    }
  }
}

const patienceMs = 600_000;
const pauseMs = 500;

/** Classes 08 (connection), 57P0x (server shuts down or starts), and the socket's own errors. */
function isConnectionLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (/^08|^57P0/.test(code)) return true;
  if (["ECONNREFUSED", "ECONNRESET", "ENOENT", "EPIPE"].includes(code)) return "syscall" in error;
  return error.message.startsWith("Connection terminated");
}
