import { type Kysely, sql } from "kysely";
import type { Link } from "../engine/audit.ts";
import type { ControlSchema } from "../engine/schema.ts";
import { deleteSessions, findPerson, type Person } from "./people.ts";

/**
 * Rights after the control database was put back: what was taken away since the backup must not come back with it. Everybody signs in
 * anew; what the lost entries of the audit chain say was revoked is revoked again.
 */

type Connection = Kysely<ControlSchema>;

/** `lost`: undefined when what came after the backup is not known. Returns what was done, and what somebody has to look at. */
export async function settleRights(
  tx: Connection,
  lost: readonly Link[] | undefined,
  now: Date,
): Promise<readonly string[]> {
  const people = await tx.selectFrom("people").select("id").execute();
  for (const { id } of people) await deleteSessions(tx, id);
  await tx.deleteFrom("invitations").execute();
  if (people.length === 0) return [];
  if (lost === undefined)
    return ["People, roles and tokens are as they were then: what was taken away since is not known, look at them"];
  const done: string[] = [];
  // Who was renamed since then is known here by the handle of then.
  const handles = new Map<string, string>();
  for (const link of lost) {
    const { from } = link.detail;
    if (link.action === "person.changed" && typeof from === "string")
      handles.set(link.subject, handles.get(from) ?? from);
    const person = await findPerson(tx, handles.get(link.subject) ?? link.subject);
    const said = person === undefined ? undefined : await repeat(tx, person, link, now);
    if (said !== undefined) done.push(said);
  }
  return done;
}

async function repeat(tx: Connection, person: Person, link: Link, now: Date): Promise<string | undefined> {
  const { id, handle } = person;
  switch (link.action) {
    case "token.revoked": {
      const name = String(link.detail["name"]);
      await tx
        .updateTable("tokens")
        .set({ revoked_at: now })
        .where("person", "=", id)
        .where("name", "=", name)
        .execute();
      return `The token ${name} of ${handle} is revoked again`;
    }
    case "grant.taken": {
      const { role, stacks, procedures } = link.detail;
      await tx
        .updateTable("grants")
        .set({ taken_at: now })
        .where("person", "=", id)
        .where("role", "=", String(role))
        .where(sql<boolean>`stacks = ${stacks}::text[]`)
        .where(sql<boolean>`procedures = ${procedures}::text[]`)
        .where("taken_at", "is", null)
        .execute();
      return `${handle} is no longer ${String(role)}, again`;
    }
    case "absence.ended":
      await tx
        .updateTable("absences")
        .set({ ended_at: now })
        .where("id", "=", Number(link.detail["absence"]))
        .execute();
      return `An absence of ${handle} is over, again`;
    case "person.left":
      await tx.updateTable("people").set({ left_at: now }).where("id", "=", id).where("left_at", "is", null).execute();
      return `${handle} has left, again`;
    case "person.password_set":
      return `${handle} signs in with the password of then`;
    default:
      return undefined;
  }
}
