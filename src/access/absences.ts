import { inTransaction, record } from "../engine/audit.ts";
import type { Control } from "../engine/control.ts";
import type { Tables } from "../engine/journal.ts";
import type { Span } from "./rota.ts";

/** Who is away and who consents meanwhile; who takes whose turn on call. What is over stays to be read. */

export interface Absence extends Span {
  readonly id: number;
  readonly deputy: string | null;
  readonly notedBy: string;
}

interface Person {
  readonly id: string;
  readonly handle: string;
}

export interface NewAbsence {
  readonly from: Date;
  readonly until: Date;
  readonly deputy: Person | undefined;
}

export async function noteAbsence(
  control: Control,
  { id: person, handle }: Person,
  { from, until, deputy }: NewAbsence,
  actor: string,
  now: Date,
): Promise<number> {
  return inTransaction(control.db, async (tx) => {
    const { id } = await tx
      .insertInto("absences")
      .values({
        ...{ person, from_at: from, until_at: until, deputy: deputy?.id ?? null },
        ...{ noted_by: actor, noted_at: now },
      })
      .returning("id")
      .executeTakeFirstOrThrow();
    const detail = { from: from.toISOString(), until: until.toISOString(), deputy: deputy?.handle ?? null };
    await record(tx, { actor, action: "absence.noted", stack: null, subject: handle, detail }, now);
    return id;
  });
}

/** She is back, or will not go. False: there is no such absence any more. */
export async function endAbsence(control: Control, id: number, actor: string, now: Date): Promise<boolean> {
  return inTransaction(control.db, async (tx) => {
    const ended = await tx
      .updateTable("absences")
      .from("people")
      .whereRef("people.id", "=", "absences.person")
      .set({ ended_at: now })
      .where("absences.id", "=", id)
      .where("ended_at", "is", null)
      .returning("handle")
      .executeTakeFirst();
    if (ended === undefined) return false;
    const detail = { absence: id };
    await record(tx, { actor, action: "absence.ended", stack: null, subject: ended.handle, detail }, now);
    return true;
  });
}

/** Those that are not over, in their order. */
export async function listAbsences({ db }: Tables, now: Date): Promise<readonly Absence[]> {
  const rows = await db
    .selectFrom("absences")
    .innerJoin("people", "people.id", "absences.person")
    .leftJoin("people as deputies", "deputies.id", "absences.deputy")
    .select(["absences.id", "people.handle", "from_at", "until_at", "noted_by", "deputies.handle as deputy"])
    .where("ended_at", "is", null)
    .where("until_at", ">", now)
    .orderBy("from_at")
    .execute();
  return rows.map(({ id, handle, from_at: from, until_at: until, noted_by: notedBy, deputy }) => ({
    ...{ id, handle, from, until, notedBy, deputy },
  }));
}

/** Whose deputy a person is at an instant: their ids and handles. */
export async function listRepresented(
  { db }: Tables,
  deputy: string,
  now: Date,
): Promise<readonly { readonly id: string; readonly handle: string }[]> {
  return (
    db
      .selectFrom("absences")
      .innerJoin("people", "people.id", "absences.person")
      .select(["people.id", "people.handle"])
      .distinct()
      .where("deputy", "=", deputy)
      .where("ended_at", "is", null)
      .where("from_at", "<=", now)
      .where("until_at", ">", now)
      // Who has left is not away: her rights are gone.
      .where("left_at", "is", null)
      .orderBy("people.handle")
      .execute()
  );
}

export async function noteCover(
  control: Control,
  { id: person, handle }: Person,
  { rota, from, until }: { readonly rota: string; readonly from: Date; readonly until: Date },
  actor: string,
  now: Date,
): Promise<void> {
  await inTransaction(control.db, async (tx) => {
    await tx
      .insertInto("covers")
      .values({ rota, person, from_at: from, until_at: until, noted_by: actor, noted_at: now })
      .execute();
    const detail = { rota, from: from.toISOString(), until: until.toISOString() };
    await record(tx, { actor, action: "oncall.cover_noted", stack: null, subject: handle, detail }, now);
  });
}

/** Those of a rota that are not over, in the order in which they were agreed: the last one counts. */
export async function listCovers({ db }: Tables, rota: string, now: Date): Promise<readonly Span[]> {
  const rows = await db
    .selectFrom("covers")
    .innerJoin("people", "people.id", "covers.person")
    .select(["handle", "from_at", "until_at"])
    .where("rota", "=", rota)
    .where("ended_at", "is", null)
    .where("until_at", ">", now)
    .orderBy("covers.id")
    .execute();
  return rows.map(({ handle, from_at: from, until_at: until }) => ({ handle, from, until }));
}
