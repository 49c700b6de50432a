import type { Tables } from "../engine/journal.ts";
import { defineError } from "../errors/error.ts";
import { listGrants } from "./grants.ts";
import { may, type Subject } from "./rights.ts";

/** A plan that two people have to consent to, where there may not be two. */

export const NobodyElse = defineError<{ count: number; stack: string }>("access.nobody_else", {
  exitCode: 24,
  message: (d) =>
    `Two people have to consent to this plan, and ipai knows ${d.count === 0 ? "nobody" : "only one person"} who may on ${d.stack}. Nothing was started.`,
  hint: () =>
    "Add them, each with the name under which she works in a shell: `ipai people add HANDLE --role approver --shell NAME`; the one who starts it needs the role operator.",
});

/** Of those who have not left; by their own right, since whose deputy somebody is changes with the days. */
export async function requireTwo({ db }: Tables, subject: Subject): Promise<void> {
  const people = await db.selectFrom("people").select("id").where("left_at", "is", null).execute();
  const grants = await listGrants(
    { db },
    people.map(({ id }) => id),
  );
  const count = [...grants.values()].filter((own) => may(own, "consent", subject)).length;
  if (count < 2) throw NobodyElse({ count, stack: subject.stack ?? "any stack" });
}
