import { randomUUID } from "node:crypto";
import { APIError, createAuthEndpoint } from "better-auth/api";
import { z } from "zod";
import { inTransaction, record } from "../../engine/audit.ts";
import { deleteSessions, hashOfToken, passwordProvider } from "../people.ts";
import { type Gate, requirePassword } from "./gates.ts";
import { noteRefusal } from "./refusals.ts";
import { findById, visitOf } from "./visit.ts";

/**
 * The one way to a first password, and to a new one when the old is lost: a link that somebody else gave. It signs nobody in, so a second
 * factor that there is stays needed.
 */
export function setUpEndpoint(gate: Gate) {
  const { control, now } = gate;
  const body = z.object({ token: z.string().min(1).max(200), password: z.string() });
  return createAuthEndpoint("/set-up", { method: "POST", body }, async (ctx) => {
    const visit = visitOf(ctx.context);
    const token = hashOfToken(ctx.body.token);
    const invited = await control.db
      .selectFrom("invitations")
      .select("person")
      .where("token_hash", "=", token)
      .where("expires_at", ">", now())
      .executeTakeFirst();
    const person = invited === undefined ? undefined : await findById(control, invited.person);
    if (person === undefined) return refuse(gate, visit.source);
    requirePassword(ctx.body.password, { ...visit, person });
    // Hashing takes a while, so it is done before; whether the link is still good is asked again with using it up.
    const password = await ctx.context.password.hash(ctx.body.password);
    const isUsed = await inTransaction(control.db, async (tx) => {
      const used = await tx
        .deleteFrom("invitations")
        .where("token_hash", "=", token)
        .where("expires_at", ">", now())
        .executeTakeFirst();
      if (used.numDeletedRows === 0n) return false;
      const { id, handle } = person;
      await tx
        .insertInto("accounts")
        .values({
          ...{ id: randomUUID(), person: id, provider: passwordProvider, account: id, password },
          ...{ created_at: now(), updated_at: now() },
        })
        .onConflict((own) => own.columns(["person", "provider"]).doUpdateSet({ password, updated_at: now() }))
        .execute();
      const sessionsEnded = await deleteSessions(tx, id);
      const detail = { by: "invitation", sessionsEnded };
      await record(tx, { actor: handle, action: "person.password_set", stack: null, subject: handle, detail }, now());
      return true;
    });
    return isUsed ? ctx.json({ handle: person.handle }) : refuse(gate, visit.source);
  });
}

async function refuse({ control, now }: Gate, source: string): Promise<never> {
  const reason = "link used, replaced, expired or never given";
  await noteRefusal(control.db, { source, handle: undefined, method: "invitation", reason }, now());
  throw APIError.from("FORBIDDEN", {
    code: "invitation_void",
    message: "This link is used up, replaced or too old. Ask for another one.",
  });
}
