import { inTransaction, record } from "./audit.ts";
import type { Control } from "./control.ts";
import { toJsonb } from "./json.ts";
import type { OneOff } from "./one-offs.ts";

/**
 * Something that shall happen once, as soon as it can, asked for by a run: asked again by the same run it is the same. Of one name there is one at a
 * time, in the order in which they were asked for.
 */
export async function addOnceFor(
  control: Control,
  given: Omit<OneOff, "graceSeconds"> & { readonly name: string },
  now: Date,
): Promise<void> {
  const { stack, procedure, input, actor, at, name } = given;
  await inTransaction(control.db, async (tx) => {
    const added = await tx
      .insertInto("occurrences")
      .values({
        ...{ stack, procedure, actor, at, starts_at: now, state: "due" },
        schedule: `once-${name}`,
        input: toJsonb(input),
        give_up_at: new Date(now.getTime() + onceGraceSeconds * 1000),
      })
      .onConflict((conflict) => conflict.doNothing())
      .returning("schedule")
      .executeTakeFirst();
    if (added === undefined) return;
    await record(
      tx,
      { actor, action: "once.added", stack, subject: added.schedule, detail: { procedure, input } },
      now,
    );
  });
}

/** A night and a day: whoever starts the worker in the morning still has it. */
const onceGraceSeconds = 24 * 3600;
