import { createAuthMiddleware, isAPIError } from "better-auth/api";
import { inTransaction, record } from "../../engine/audit.ts";
import type { Control } from "../../engine/control.ts";
import type { Json } from "../../runbook/value.ts";
import { asksAgain, type Gate } from "./gates.ts";
import { minuteOf, noteRefusal, takeNotTold } from "./refusals.ts";
import { findById, type Visit, visitOf } from "./visit.ts";

/** What came of a request, told in the audit chain. A sign-in that cannot be told is none: the answer with its cookie is not sent then. */

type Context = Parameters<Parameters<typeof createAuthMiddleware>[0]>[0];

export function tellOutcome(gate: Gate) {
  return createAuthMiddleware(async (ctx) => {
    const visit = visitOf(ctx.context);
    const way = ways[ctx.path];
    if (way !== undefined) await tellSignIn(gate, ctx, visit, way);
    else if (!isAPIError(ctx.context.returned)) await tellChange(gate, ctx.path, visit);
    else if (asksAgain.includes(ctx.path)) await tellWrongPassword(gate, ctx.context.returned, visit);
  });
}

/** Endpoints that end in a session, and what is tried at them. */
const ways: Readonly<Record<string, "password" | "code" | "passkey" | "oidc">> = {
  "/sign-in/email": "password",
  "/two-factor/verify-totp": "code",
  "/two-factor/verify-backup-code": "code",
  "/passkey/verify-authentication": "passkey",
  "/callback/:id": "oidc",
};

async function tellSignIn(gate: Gate, ctx: Context, visit: Visit, way: string): Promise<void> {
  const { control, now } = gate;
  const made = ctx.context.newSession;
  const failure = failureOf(ctx.context.returned);
  if (made === null && failure === undefined && visit.session === undefined) return; // The second factor is asked for next.
  if (made === null && failure !== undefined) {
    const reason = visit.reason ?? failure.toLowerCase().replaceAll("_", " ");
    const method = way === "oidc" ? `oidc ${ctx.params?.["id"]}` : way;
    return noteRefusal(control.db, { source: visit.source, handle: visit.person?.handle, method, reason }, now());
  }
  if (visit.session !== undefined && visit.person !== undefined && made !== null)
    return tell(gate, visit.person.handle, "factor_added", { kind: "authenticator app" });
  if (visit.session !== undefined) await confirm(control, visit.session.id);
  const person = made === null ? visit.person : await findById(control, made.user.id);
  if (person === undefined) throw new TypeError("A session of nobody");
  const method = made === null ? visit.session?.method : String(made.session["method"]);
  const secondFactor = made === null || made.session["secondFactor"] === true;
  await tell(gate, person.handle, "signed_in", { method: method ?? way, secondFactor, source: visit.source });
}

/** In a session that there is: somebody else may sit before it. */
async function tellWrongPassword({ control, now }: Gate, returned: unknown, visit: Visit): Promise<void> {
  const reason = failureOf(returned);
  if (reason !== "INVALID_PASSWORD") return;
  const handle = visit.person?.handle;
  await noteRefusal(control.db, { source: visit.source, handle, method: "password", reason: "asked again" }, now());
}

/** An endpoint's code, or the one that it sends the browser away with. */
function failureOf(returned: unknown): string | undefined {
  if (!isAPIError(returned)) return undefined;
  const code = returned.body?.code ?? returned.body?.message;
  if (returned.status !== "FOUND") return code ?? String(returned.status);
  const target = new Headers(returned.headers).get("location") ?? "";
  return new URL(target, "http://nowhere.invalid").searchParams.get("error") ?? undefined;
}

/** A session that gets its second factor later. */
async function confirm({ db }: Control, session: string): Promise<void> {
  await db.updateTable("sessions").set({ second_factor: true }).where("id", "=", session).execute();
}

async function tellChange(gate: Gate, path: string, { person, session }: Visit): Promise<void> {
  if (person === undefined) return;
  const change = changes[path];
  if (path === "/passkey/verify-registration" && session !== undefined) await confirm(gate.control, session.id);
  if (change !== undefined) await tell(gate, person.handle, change.action, change.detail);
}

const changes: Readonly<Record<string, { action: string; detail: Readonly<Record<string, Json>> }>> = {
  "/change-password": { action: "password_set", detail: { by: "old password" } },
  "/two-factor/disable": { action: "factor_removed", detail: { kind: "authenticator app" } },
  "/two-factor/generate-backup-codes": { action: "factor_added", detail: { kind: "backup codes" } },
  "/passkey/verify-registration": { action: "factor_added", detail: { kind: "passkey" } },
  "/passkey/delete-passkey": { action: "factor_removed", detail: { kind: "passkey" } },
};

/** A person's own act; with it, how many refusals of the minutes before stand in no entry. */
export function tell(
  { control, now }: Pick<Gate, "control" | "now">,
  handle: string,
  action: string,
  detail: Readonly<Record<string, Json>>,
): Promise<void> {
  return inTransaction(control.db, async (tx) => {
    const notTold = action === "signed_in" ? await takeNotTold(tx, minuteOf(now())) : 0;
    // Nobody asks for a session that ended by itself, so it is cleared away with the next one that begins.
    if (action === "signed_in") await tx.deleteFrom("sessions").where("expires_at", "<", now()).execute();
    const all = notTold === 0 ? detail : { ...detail, refusalsNotTold: notTold };
    await record(tx, { actor: handle, action: `person.${action}`, stack: null, subject: handle, detail: all }, now());
  });
}

/** Somebody signs out, here or with another of her sessions. */
export async function tellSignOut(gate: Gate, personId: string, at: { readonly path?: string } | null): Promise<void> {
  if (at?.path === undefined || !["/sign-out", "/revoke-session", "/revoke-other-sessions"].includes(at.path)) return;
  const person = await findById(gate.control, personId);
  if (person !== undefined) await tell(gate, person.handle, "signed_out", {});
}
