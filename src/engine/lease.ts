import { sql } from "kysely";
import { listUnattended } from "./attended.ts";
import type { Control } from "./control.ts";
import { StackBusy } from "./errors.ts";
import { checkFence, type Fence } from "./fence.ts";
import type { Run } from "./journal.ts";

/** The right of a run to touch one stack. Kept by the run, through crashes and waits, until it ends. */

export interface LeaseRequest {
  readonly stack: string;
  /** The run that shall hold it: for a procedure inside another one, the outermost run. */
  readonly holder: string;
  readonly mode: "shared" | "exclusive";
  readonly actor: string;
}

export interface LeaseHolder {
  readonly run: string;
  readonly procedure: string;
  readonly actor: string;
  readonly mode: "shared" | "exclusive";
  readonly since: Date;
}

/** Takes the lease or throws `run.stack_busy`, naming the holder. Taking it again, or a stronger one alone, is fine. */
export async function acquireLease(control: Control, fence: Fence, request: LeaseRequest): Promise<void> {
  await control.db.transaction().execute(async (tx) => {
    // One at a time per stack: two requests could otherwise both see a free stack.
    await sql`select pg_advisory_xact_lock(hashtextextended(${request.stack}, 2))`.execute(tx);
    await checkFence(tx, fence);
    const held = await listLeases(tx, request.stack);
    const inTheWay = held.find(
      (lease) => lease.run !== request.holder && (request.mode === "exclusive" || lease.mode === "exclusive"),
    );
    if (inTheWay !== undefined) throw await toBusy(tx, request.stack, inTheWay);
    await tx
      .insertInto("leases")
      .values({ stack: request.stack, run: request.holder, mode: request.mode, actor: request.actor })
      .onConflict((conflict) =>
        conflict
          .columns(["stack", "run"])
          .doUpdateSet({ mode: sql`case when leases.mode = 'exclusive' then 'exclusive' else excluded.mode end` }),
      )
      .execute();
  });
}

/** Who holds a stack now. */
export async function listLeases(db: Control["db"], stack: string): Promise<readonly LeaseHolder[]> {
  return db
    .selectFrom("leases")
    .innerJoin("runs", "runs.id", "leases.run")
    .select(["leases.run", "leases.mode", "leases.actor", "leases.since", "runs.procedure"])
    .where("leases.stack", "=", stack)
    .orderBy("leases.since")
    .execute();
}

/** Why a run of this mode could not start now; undefined when it could. */
export async function findObstacle(control: Control, run: Pick<Run, "stack">, mode: "shared" | "exclusive") {
  const held = await listLeases(control.db, run.stack);
  const holder = held.find((lease) => mode === "exclusive" || lease.mode === "exclusive");
  return holder === undefined ? undefined : await toBusy(control.db, run.stack, holder);
}

async function toBusy(db: Control["db"], stack: string, lease: LeaseHolder) {
  const unattended = await listUnattended({ db }, [stack]);
  return StackBusy({
    stack,
    holder: lease.run,
    procedure: lease.procedure,
    actor: lease.actor,
    since: lease.since.toISOString(),
    isUnattended: unattended.has(lease.run),
  });
}
