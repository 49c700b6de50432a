import { sql } from "kysely";
import { defineError } from "../errors/error.ts";
import { walk } from "../runbook/plan.ts";
import type { Json } from "../runbook/value.ts";
import { inTransaction } from "./audit.ts";
import type { Control } from "./control.ts";
import { type Fence, isHeld, requireHeld } from "./fence.ts";
import { auditRun, type Run, type Tables } from "./journal.ts";
import { toJsonb } from "./json.ts";

/** What is told of a run while it goes on: every step, every line of output, what people signal. */

export interface RunEvent {
  readonly run: string;
  readonly at: Date;
  readonly kind: string;
  readonly path: string | null;
  readonly data: Json;
}

export async function listEvents(
  control: Control,
  run: string,
  after = "0",
): Promise<readonly (RunEvent & { id: string })[]> {
  return control.db
    .selectFrom("events")
    .selectAll()
    .where("run", "=", run)
    .where("id", ">", after)
    .orderBy("id")
    .execute();
}

/** An event of any run, with what says who may see it. */
export type ListedEvent = RunEvent & { readonly id: string } & Pick<Run, "stack" | "procedure" | "undo_class">;

/**
 * How runs went on, of all stacks, after an event. Transactions end in another order than that of their numbers, so some before it
 * come again: whoever follows leaves out what he has.
 */
export async function listRunEvents({ db }: Tables, after: string): Promise<readonly ListedEvent[]> {
  return db
    .selectFrom("events")
    .innerJoin("runs", "runs.id", "events.run")
    .selectAll("events")
    .select(["stack", "procedure", "undo_class"])
    .where("kind", "like", "run.%")
    .where("events.id", ">", String(Math.max(0, Number(after) - overlap)))
    .orderBy("events.id")
    .limit(10 * overlap)
    .execute();
}

/** The number of the newest event. */
export async function lastEvent({ db }: Tables): Promise<string> {
  const row = await db.selectFrom("events").select("id").orderBy("id", "desc").limit(1).executeTakeFirst();
  return row?.id ?? "0";
}

const overlap = 500;

export const NoSuchSignal = defineError<{ run: string; signal: string; known: string }>("usage.no_signal", {
  exitCode: 14,
  message: (d) => `Run ${d.run} waits for no signal ${d.signal} anywhere in its plan.`,
  hint: (d) => `Its plan has ${d.known}.`,
});

/** Tells a run that waits for a person's signal that it has come. Throws `usage.no_signal` for one that its plan does not have. */
export async function sendSignal(control: Control, run: Run, signal: string, actor: string): Promise<void> {
  const signals = walk(run.plan).flatMap(({ step, undo }) =>
    [step, ...undo].flatMap((one) => (one.kind === "wait" && "signal" in one.until ? [one.until.signal] : [])),
  );
  if (!signals.includes(signal))
    throw NoSuchSignal({ run: run.id, signal, known: signals.length === 0 ? "none" : signals.join(", ") });
  await inTransaction(control.db, async (tx) => {
    const event = { run: run.id, kind: "signal", path: signal, data: toJsonb({ actor }) };
    await tx.insertInto("events").values(event).execute();
    await auditRun(tx, run, "run.signalled", actor, { signal });
  });
}

export async function hasSignal(control: Control, run: string, signal: string): Promise<boolean> {
  const found = await control.db
    .selectFrom("events")
    .select("id")
    .where("run", "=", run)
    .where("kind", "=", "signal")
    .where("path", "=", signal)
    .executeTakeFirst();
  return found !== undefined;
}

export async function addEvents(control: Control, fence: Fence, events: readonly RunEvent[]): Promise<void> {
  if (events.length === 0) return;
  const { rows } = await sql`
    insert into events (run, at, kind, path, data)
    select run, at, kind, path, data
    from rows from (
      jsonb_to_recordset(${toJsonb(events)}::jsonb) as (run text, at timestamptz, kind text, path text, data jsonb)
    ) with ordinality as given (run, at, kind, path, data, place)
    where ${isHeld(fence)}
    order by place
    returning id`.execute(control.db);
  requireHeld(rows[0], fence);
}
