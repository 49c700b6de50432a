import type { Control } from "../engine/control.ts";
import { listRepresented } from "./absences.ts";
import { listGrants } from "./grants.ts";
import { findByActor } from "./people.ts";
import type { Principal } from "./principal.ts";
import type { Grant } from "./rights.ts";

/** Who somebody is and what she may do, from what the control database knows now. */

/** Undefined: there is no such person, or she has left. */
export async function principalOf(
  control: Control,
  person: string,
  via: string,
  now: Date,
  limits?: readonly Grant[],
): Promise<Principal | undefined> {
  const found = await control.db
    .selectFrom("people")
    .select(["id", "handle"])
    .where("id", "=", person)
    .where("left_at", "is", null)
    .executeTakeFirst();
  if (found === undefined) return undefined;
  const represented = await listRepresented(control, person, now);
  const grants = await listGrants(control, [person, ...represented.map(({ id }) => id)]);
  return {
    ...{ handle: found.handle, person, via, grants: grants.get(person) ?? [] },
    ...(limits === undefined ? {} : { limits }),
    deputyFor: represented.map(({ id, handle }) => ({ handle, grants: grants.get(id) ?? [] })),
  };
}

/** Who has a shell on this machine can do everything there; her own name says who it was. */
const everything: readonly Grant[] = [{ role: "admin", stacks: [], procedures: [] }];

/** The person behind a shell, by her handle or by a name that she has there. */
export async function principalOfShell(control: Control, name: string, now: Date): Promise<Principal> {
  const found = await findByActor(control.db, name);
  const known = found === undefined ? undefined : await principalOf(control, found.id, "shell", now);
  if (known !== undefined) return { ...known, grants: everything };
  return { handle: name, person: undefined, via: "shell", grants: everything, deputyFor: [] };
}
