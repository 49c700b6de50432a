import type { Control } from "./control.ts";

/** How long is kept what nobody will ask for: looks that found what they should; times and messages, whose runs tell their story. Days. */
const quietRunDays = 7;
const otherDays = 35;
/** A sender that had no answer repeats a request within hours. */
const requestDays = 2;

/** Removes what is older. Runs that changed something, or that did not end well, are kept. */
export async function forgetOld(control: Control, now: Date): Promise<void> {
  const before = (days: number) => new Date(now.getTime() - days * 86_400_000);
  await control.db
    .deleteFrom("runs")
    .where("is_quiet", "=", true)
    .where("created_at", "<", before(quietRunDays))
    .execute();
  await control.db.deleteFrom("occurrences").where("state", "!=", "due").where("at", "<", before(otherDays)).execute();
  await control.db.deleteFrom("requests").where("at", "<", before(requestDays)).execute();
  await control.db.deleteFrom("threads").where("at", "<", before(otherDays)).execute();
  await control.db.deleteFrom("messages").where("at", "<", before(otherDays)).execute();
}
