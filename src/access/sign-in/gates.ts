import { APIError, createAuthMiddleware, getSessionFromCtx } from "better-auth/api";
import type { Control } from "../../engine/control.ts";
import { findPasswordFault } from "./passwords.ts";
import { countRefusals, noteRefusal } from "./refusals.ts";
import { findRoute, type Standing } from "./routes.ts";
import {
  beginVisit,
  type FactorPolicy,
  findByCredential,
  findById,
  findByName,
  hasFactor,
  sourceOf,
  type Visit,
  type VisitSession,
  visitOf,
} from "./visit.ts";

/**
 * What is decided before an endpoint of better-auth is asked, and when it makes a session: who may, how often it may be tried, and that a
 * code is good once.
 */

export interface Gate {
  readonly control: Control;
  readonly policy: FactorPolicy;
  readonly now: () => Date;
  /** Providers that ask for a second factor themselves. */
  readonly strongProviders: readonly string[];
}

type Context = Parameters<Parameters<typeof createAuthMiddleware>[0]>[0];

/** Refused tries of a person's password, and of her codes, in a quarter of an hour. Guessing goes no faster. */
const triesMax = { password: 30, code: 10 } as const;
const triesMinutes = 15;
/** Longer than a code of an authenticator app is good for. */
const codeMinutes = 3;
/** An address that nobody can have: for it, a password is hashed as for anybody, and refused. */
const nobodysAddress = "nobody@nowhere.invalid";

/** What comes back takes the place of members of the request. */
export function passGates(gate: Gate) {
  return createAuthMiddleware(async (ctx) => {
    const visit = beginVisit(ctx.context, await readVisit(gate, ctx));
    await requireStanding(gate, visit, findRoute(ctx.path)?.who ?? "whole");
    if (ctx.path === "/sign-in/email") return { context: { body: await nameOrNobody(gate, ctx, visit) } };
    if (asksAgain.includes(ctx.path)) await requireTriesLeft(gate, visit, "password");
    if (ctx.path === "/change-password") {
      requirePassword(ctx.body?.newPassword, visit);
      return { context: { body: { ...ctx.body, revokeOtherSessions: true } } };
    }
    if (ctx.path.startsWith("/two-factor/verify-")) await passCode(gate, ctx, visit);
    if (ctx.path === "/passkey/verify-authentication") {
      const person = await findByCredential(gate.control, String(ctx.body?.response?.id));
      if (person !== undefined) visit.person = person;
    }
    return undefined;
  });
}

/** Paths that sign somebody in whatever session there is. */
const beginnings = ["/sign-in/email", "/sign-in/social", "/callback/:id", "/passkey/verify-authentication", "/set-up"];

/** Paths that ask who is signed in for her password once more: whoever found her browser open guesses there. */
export const asksAgain = [
  ...["/change-password", "/two-factor/enable", "/two-factor/disable", "/two-factor/generate-backup-codes"],
];

async function readVisit({ control }: Gate, ctx: Context): Promise<Visit> {
  const source = sourceOf(ctx.headers);
  const found = beginnings.includes(ctx.path) ? null : await getSessionFromCtx(ctx);
  if (!found) return { source };
  const person = await findById(control, found.user.id);
  const { id, method, secondFactor } = found.session as typeof found.session & {
    method: string;
    secondFactor: boolean;
  };
  if (person === undefined || person.left_at !== null) return { source };
  return { source, session: { id, method, second_factor: secondFactor }, person };
}

async function requireStanding(gate: Gate, visit: Visit, who: Standing): Promise<void> {
  if (who === "anybody") return;
  const { session, person } = visit;
  if (session === undefined || person === undefined) throw refusal("UNAUTHORIZED", "not_signed_in", "Sign in first.");
  if (who === "session" || session.second_factor) return;
  const hasOne = await hasFactor(gate.control, person);
  if (who === "enrolling" ? hasOne : hasOne || gate.policy.secondFactor === "required")
    throw refusal("FORBIDDEN", "second_factor_required", "This needs a session with a second factor.");
}

function refusal(
  status: "UNAUTHORIZED" | "FORBIDDEN" | "BAD_REQUEST" | "TOO_MANY_REQUESTS",
  code: string,
  message: string,
) {
  return APIError.from(status, { code, message });
}

/** A name that there is not, and a person for whom it was tried too often, are answered like a wrong password, and as slowly. */
async function nameOrNobody(gate: Gate, ctx: Context, visit: Visit): Promise<object> {
  const person = await findByName(gate.control, String(ctx.body?.email ?? ""));
  if (person === undefined) visit.reason = "unknown name";
  else visit.person = person;
  const isTooOften = person !== undefined && (await wasTriedTooOften(gate, person.handle, "password"));
  if (isTooOften) visit.reason = "too many tries";
  return { ...ctx.body, email: person === undefined || isTooOften ? nobodysAddress : person.email };
}

async function wasTriedTooOften(gate: Gate, handle: string, method: "password" | "code"): Promise<boolean> {
  const since = new Date(gate.now().getTime() - triesMinutes * 60_000);
  return (await countRefusals(gate.control.db, handle, method, since)) >= triesMax[method];
}

/**
 * A code is taken down before it is looked at: of two requests with the same one, the database lets one through, and of many with
 * different ones as many as may be tried.
 */
async function passCode(gate: Gate, ctx: Context, visit: Visit): Promise<void> {
  const { person = await findChallenged(gate, ctx) } = visit;
  if (person === undefined) return;
  visit.person = person;
  await requireTriesLeft(gate, visit, "code");
  if (ctx.path === "/two-factor/verify-backup-code" && !person.two_factor_enabled)
    throw refusal("BAD_REQUEST", "no_second_factor", "There is no authenticator app yet.");
  const code = String(ctx.body?.code);
  // What else may have been typed here by mistake, a backup code, is not kept.
  if (ctx.path !== "/two-factor/verify-totp" || !/^\d{6}$/.test(code)) return;
  const taken = await takeCode(gate, person.id, code);
  if (taken === "too many") return await refuseTry(gate, visit, "code");
  if (taken === "used") {
    await note(gate, visit, "code", "used code");
    throw refusal("UNAUTHORIZED", "code_used", "This code was used before. Wait for the next one.");
  }
}

async function requireTriesLeft(gate: Gate, visit: Visit, method: keyof typeof triesMax): Promise<void> {
  const handle = visit.person?.handle;
  if (handle !== undefined && (await wasTriedTooOften(gate, handle, method))) await refuseTry(gate, visit, method);
}

async function refuseTry(gate: Gate, visit: Visit, method: keyof typeof triesMax): Promise<never> {
  await note(gate, visit, method, "too many tries");
  throw refusal("TOO_MANY_REQUESTS", "too_many_tries", "Too many were wrong. Wait a quarter of an hour.");
}

function note({ control, now }: Gate, { source, person }: Visit, method: string, reason: string): Promise<void> {
  return noteRefusal(control.db, { source, handle: person?.handle, method, reason }, now());
}

async function takeCode({ control: { db }, now }: Gate, person: string, code: string) {
  await db
    .deleteFrom("used_codes")
    .where("used_at", "<", new Date(now().getTime() - codeMinutes * 60_000))
    .execute();
  const taken = await db
    .insertInto("used_codes")
    .values({ person, code, used_at: now() })
    .onConflict((existing) => existing.doNothing())
    .executeTakeFirst();
  if (taken.numInsertedOrUpdatedRows !== 1n) return "used";
  const { count } = await db
    .selectFrom("used_codes")
    .select(({ fn }) => fn.countAll<string>().as("count"))
    .where("person", "=", person)
    .executeTakeFirstOrThrow();
  return Number(count) > triesMax.code ? "too many" : "new";
}

/** Who has shown her password, and is now asked for a code. */
async function findChallenged({ control }: Gate, ctx: Context) {
  const { name } = ctx.context.createAuthCookie("two_factor");
  const identifier = await ctx.getSignedCookie(name, ctx.context.secret);
  if (!identifier) return undefined;
  const challenge = await ctx.context.internalAdapter.findVerificationValue(identifier);
  return challenge ? await findById(control, challenge.value) : undefined;
}

export function requirePassword(given: unknown, { person }: Visit): void {
  const fault = findPasswordFault(String(given), person === undefined ? [] : [person.handle, person.email]);
  if (fault !== undefined) throw refusal("BAD_REQUEST", "weak_password", fault);
}

/** How a session came to be. It is the only way in: one that none of these made is not made. */
export async function describeSession(
  gate: Gate,
  personId: string,
  at: {
    readonly path?: string;
    readonly params?: Readonly<Record<string, string | undefined>> | undefined;
    readonly context: object;
  },
): Promise<Pick<VisitSession, "method"> & { readonly secondFactor: boolean }> {
  const visit = visitOf(at.context);
  const person = await findById(gate.control, personId);
  // As she was when the request came, where that is known: what it changes shows by the difference.
  if (person !== undefined) visit.person ??= person;
  if (person === undefined || person.left_at !== null) {
    visit.reason = "left";
    throw APIError.from("UNAUTHORIZED", { code: "INVALID_EMAIL_OR_PASSWORD", message: "Invalid email or password" });
  }
  const method = visit.session?.method;
  switch (at.path) {
    case "/sign-in/email":
      return { method: "password", secondFactor: false };
    case "/two-factor/verify-totp":
    case "/two-factor/verify-backup-code":
      return { method: method ?? "password", secondFactor: true };
    case "/passkey/verify-authentication":
      return { method: "passkey", secondFactor: true };
    case "/callback/:id": {
      const provider = at.params?.["id"] ?? "";
      return { method: `oidc ${provider}`, secondFactor: gate.strongProviders.includes(provider) };
    }
    case "/change-password":
    case "/two-factor/disable":
      if (method !== undefined) return { method, secondFactor: visit.session?.second_factor ?? false };
  }
  throw new TypeError(`A session cannot begin at ${at.path}`);
}
