import { inTransaction, record } from "../engine/audit.ts";
import type { Control } from "../engine/control.ts";
import type { Tables } from "../engine/journal.ts";
import { type Grant, type Role, roles } from "./rights.ts";

/** Which roles people have, on which stacks and for which procedures. What is taken away stays to be read. */

export interface GrantRow extends Grant {
  readonly id: number;
  readonly givenBy: string;
  readonly givenAt: Date;
}

interface Person {
  readonly id: string;
  readonly handle: string;
}

/** The grants that people have now, by their ids. */
export async function listGrants({ db }: Tables, people: readonly string[]): Promise<ReadonlyMap<string, GrantRow[]>> {
  if (people.length === 0) return new Map();
  const rows = await db
    .selectFrom("grants")
    .selectAll()
    .where("person", "in", people)
    .where("taken_at", "is", null)
    .orderBy("id")
    .execute();
  const grants = rows.map(({ id, person, role, stacks, procedures, given_by: givenBy, given_at: givenAt }) => ({
    ...{ id, person, role: toRole(role), stacks, procedures, givenBy, givenAt },
  }));
  return Map.groupBy(grants, ({ person }) => person);
}

function toRole(role: string): Role {
  return roles.find((known) => known === role) ?? "viewer";
}

/** False: she has it already. */
export async function giveGrant(
  { db }: Tables,
  { id: person, handle }: Person,
  { role, stacks, procedures }: Grant,
  actor: string,
  now: Date,
): Promise<boolean> {
  const lists = { stacks: stacks.toSorted(), procedures: procedures.toSorted() };
  return inTransaction(db, async (tx) => {
    const given = await tx
      .insertInto("grants")
      .values({ person, role, ...lists, given_by: actor, given_at: now, taken_at: null })
      .onConflict((conflict) => conflict.doNothing())
      .returning("id")
      .executeTakeFirst();
    if (given === undefined) return false;
    await record(tx, { actor, action: "grant.given", stack: null, subject: handle, detail: { role, ...lists } }, now);
    return true;
  });
}

/** Undefined: there is no such grant of hers. */
export async function takeGrant(
  control: Control,
  { id: person, handle }: Person,
  grant: number,
  actor: string,
  now: Date,
): Promise<Grant | undefined> {
  return inTransaction(control.db, async (tx) => {
    const taken = await tx
      .updateTable("grants")
      .set({ taken_at: now })
      .where("id", "=", grant)
      .where("person", "=", person)
      .where("taken_at", "is", null)
      .returning(["role", "stacks", "procedures"])
      .executeTakeFirst();
    if (taken === undefined) return undefined;
    const { role, stacks, procedures } = taken;
    const detail = { role, stacks, procedures };
    await record(tx, { actor, action: "grant.taken", stack: null, subject: handle, detail }, now);
    return { role: toRole(role), stacks, procedures };
  });
}
