import type { Selectable } from "kysely";
import type { Control } from "../../engine/control.ts";
import type { PeopleTable, SessionsTable } from "../../engine/schema.ts";
import { sourceHeader } from "./door.ts";

/**
 * What is known of the request that is being answered: better-auth's hooks before and after an endpoint, and at its tables, see one
 * context and no more, so it is kept by that.
 */
export interface Visit {
  readonly source: string;
  /** The session that the request came with. */
  readonly session?: VisitSession;
  /** Who is meant, whether or not she is it. */
  person?: VisitPerson;
  /** Why it is refused, where the answer does not say so. */
  reason?: string;
}

export type VisitPerson = Pick<Selectable<PeopleTable>, "id" | "handle" | "email" | "left_at" | "two_factor_enabled">;
export type VisitSession = Pick<Selectable<SessionsTable>, "id" | "method" | "second_factor">;

const visits = new WeakMap<object, Visit>();

export function beginVisit(context: object, visit: Visit): Visit {
  visits.set(context, visit);
  return visit;
}

export function visitOf(context: object): Visit {
  return visits.get(context) ?? { source: "" };
}

export function sourceOf(headers: Headers | undefined): string {
  return headers?.get(sourceHeader) ?? "";
}

const columns = ["id", "handle", "email", "left_at", "two_factor_enabled"] as const;

export function findById({ db }: Control, id: string): Promise<VisitPerson | undefined> {
  return db.selectFrom("people").select(columns).where("id", "=", id).executeTakeFirst();
}

/** By what people type when they are asked who they are: a handle or an address. */
export function findByName({ db }: Control, given: string): Promise<VisitPerson | undefined> {
  const name = given.trim().toLowerCase();
  return db
    .selectFrom("people")
    .select(columns)
    .where((is) => is.or([is("handle", "=", name), is("email", "=", name)]))
    .executeTakeFirst();
}

/** By the passkey that is shown. */
export function findByCredential({ db }: Control, credential: string): Promise<VisitPerson | undefined> {
  return db
    .selectFrom("people")
    .select(columns)
    .where("id", "in", (of) => of.selectFrom("passkeys").select("person").where("credential", "=", credential))
    .executeTakeFirst();
}

/** Who has a second factor always needs it; where the installation wants one, everybody does. */
export interface FactorPolicy {
  readonly secondFactor: "required" | "optional";
}

export async function hasFactor(
  { db }: Control,
  person: Pick<VisitPerson, "id" | "two_factor_enabled">,
): Promise<boolean> {
  if (person.two_factor_enabled) return true;
  const key = await db.selectFrom("passkeys").select("id").where("person", "=", person.id).executeTakeFirst();
  return key !== undefined;
}
