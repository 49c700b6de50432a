import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Control } from "./control.ts";
import { RunBeingAdvanced } from "./errors.ts";
import type { Fence } from "./fence.ts";
import { persist } from "./persist.ts";

/** The right of one process to carry out one run. */
export interface Claim extends Fence {
  release(): Promise<void>;
}

/**
 * Takes the run for this worker, or refuses when another process has it. Three things say who has it:
 *
 * - a name in this machine's kernel, which is free again in the instant in which its holder dies, and not a moment earlier: also
 *   while the control database restarts, and while the holder is frozen with its command still running;
 * - a session lock in the control database, which says the same of processes on other machines as long as they are connected;
 * - the fence, which says who came last: a process on another machine that lost its connection and its run can no longer write,
 *   and begins no other action. What it was doing in that moment cannot be reached from here.
 */
export async function claimRun(control: Control, run: string, worker: string, outer?: Fence): Promise<Claim> {
  const name = await takeName(run);
  let isLocked = false;
  try {
    if (name !== undefined) isLocked = await lockSoon(control, run);
    if (name === undefined || !isLocked) throw await persist(() => refusal(control, run));
    const fence = await persist(() => raiseFence(control, run, worker));
    return {
      run,
      fence,
      ...(outer === undefined ? {} : { outer }),
      release: async () => {
        await control.locks.release(run);
        await dropName(name);
      },
    };
  } catch (error) {
    if (isLocked) await control.locks.release(run);
    if (name !== undefined) await dropName(name);
    throw error;
  }
}

async function refusal(control: Control, run: string): Promise<Error> {
  const holder = await control.db.selectFrom("runs").select("worker").where("id", "=", run).executeTakeFirst();
  return RunBeingAdvanced({ run, worker: holder?.worker ?? "another process" });
}

async function raiseFence(control: Control, run: string, worker: string): Promise<number> {
  const { fence } = await control.db
    .updateTable("runs")
    .set((set) => ({ fence: set("fence", "+", 1), worker }))
    .where("id", "=", run)
    .returning("fence")
    .executeTakeFirstOrThrow();
  return fence;
}

/** Linux keeps names of sockets that are in no folder: exclusive, without a file that could stay behind. Nobody connects to it. */
async function takeName(run: string): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy()).unref();
  server.listen({ path: `\0ipai-run-${run}` });
  try {
    await once(server, "listening");
    return server;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EADDRINUSE") return undefined;
    throw error;
  }
}

async function dropName(server: Server): Promise<void> {
  const closed = once(server, "close");
  server.close();
  await closed;
}

/** The name is free, so no process of this machine has the run; PostgreSQL may not have noticed yet that the last one died. */
async function lockSoon({ locks }: Control, run: string): Promise<boolean> {
  const deadline = performance.now() + noticeMs;
  while (!(await persist(() => locks.take(run)))) {
    if (performance.now() > deadline) return false;
    await sleep(takeAgainMs);
  }
  return true;
}

const takeAgainMs = 100;
const noticeMs = 1000;
