import type { Control } from "./control.ts";
import { RunBeingAdvanced } from "./errors.ts";
import type { Fence } from "./journal.ts";

/** The right of one process to carry out one run. */
export interface Claim extends Fence {
  release(): Promise<void>;
}

/**
 * Takes the run for this worker. A session lock says whether another process still lives: PostgreSQL drops it in the instant in
 * which that process dies, so a run can be resumed at once after `kill -9`. The fence says who came last: a frozen process that
 * wakes up after its connection was lost can no longer write.
 */
export async function claimRun(control: Control, run: string, worker: string): Promise<Claim> {
  const client = await control.connect();
  const { rows } = await client.query<{ locked: boolean }>(
    "select pg_try_advisory_lock(hashtextextended($1, 1)) as locked",
    [run],
  );
  if (rows[0]?.locked !== true) {
    await client.end();
    const holder = await control.db.selectFrom("runs").select("worker").where("id", "=", run).executeTakeFirst();
    throw RunBeingAdvanced({ run, worker: holder?.worker ?? "another process" });
  }
  const { fence } = await control.db
    .updateTable("runs")
    .set((set) => ({ fence: set("fence", "+", 1), worker }))
    .where("id", "=", run)
    .returning("fence")
    .executeTakeFirstOrThrow();
  return { run, fence, release: () => client.end() };
}
