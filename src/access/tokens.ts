import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { inTransaction, record } from "../engine/audit.ts";
import type { Control } from "../engine/control.ts";
import { defineError } from "../errors/error.ts";
import { type Grant, roles } from "./rights.ts";

/**
 * What a program shows to act for a person: `ipai_ID_SECRET`. The secret has 256 random bits, so a plain hash of it is enough; it is
 * shown once. A token never may more than its person, and always ends.
 */

export const TokenExists = defineError<{ name: string }>("access.token_exists", {
  exitCode: 14,
  message: (d) => `There is a token ${d.name} already. No other one was made.`,
  hint: (d) => `Revoke it first, or give the new one another name: ipai tokens revoke ${d.name}`,
});

export interface TokenRow {
  readonly id: string;
  readonly name: string;
  readonly limits: readonly Grant[];
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly usedAt: Date | null;
}

interface Owner {
  readonly id: string;
  readonly handle: string;
}

export interface NewToken {
  readonly name: string;
  readonly limits: readonly Grant[];
  readonly expiresAt: Date;
}

/** Returns the token itself, which is kept nowhere. */
export async function createToken(
  control: Control,
  owner: Owner,
  { name, limits, expiresAt }: NewToken,
  actor: string,
  now: Date,
): Promise<string> {
  const id = randomBytes(6).toString("hex");
  const secret = randomBytes(32).toString("base64url");
  await inTransaction(control.db, async (tx) => {
    const created = await tx
      .insertInto("tokens")
      .values({
        ...{ id, name, person: owner.id, secret_hash: hash(secret), limits: JSON.stringify(limits) },
        ...{ created_at: now, expires_at: expiresAt },
      })
      .onConflict((conflict) => conflict.doNothing())
      .returning("id")
      .executeTakeFirst();
    if (created === undefined) throw TokenExists({ name });
    const detail = { name, limits: limits.map((limit) => ({ ...limit })), expires: expiresAt.toISOString() };
    await record(tx, { actor, action: "token.created", stack: null, subject: owner.handle, detail }, now);
  });
  return `ipai_${id}_${secret}`;
}

export type Shown =
  | { readonly kind: "good"; readonly person: string; readonly name: string; readonly limits: readonly Grant[] }
  /** It was good once: whose it was can be told, and is worth being kept. */
  | { readonly kind: "expired" | "revoked"; readonly person: string; readonly name: string }
  | { readonly kind: "unknown" };

/** What a token that somebody shows is worth. */
export async function readToken({ db }: Control, token: string, now: Date): Promise<Shown> {
  const [, id, secret] = /^ipai_([0-9a-f]{12})_([\w-]{43})$/.exec(token) ?? [];
  if (id === undefined || secret === undefined) return { kind: "unknown" };
  const row = await db.selectFrom("tokens").selectAll().where("id", "=", id).executeTakeFirst();
  if (row === undefined || !timingSafeEqual(Buffer.from(hash(secret)), Buffer.from(row.secret_hash)))
    return { kind: "unknown" };
  const { person, name } = row;
  if (row.revoked_at !== null) return { kind: "revoked", person, name };
  if (row.expires_at <= now) return { kind: "expired", person, name };
  // Once a minute is enough to see whether it is still used.
  if (row.used_at === null || now.getTime() - row.used_at.getTime() > 60_000)
    await db.updateTable("tokens").set({ used_at: now }).where("id", "=", id).execute();
  return { kind: "good", person, name, limits: limitsOf(row.limits) };
}

const limit = z.object({ role: z.enum(roles), stacks: z.array(z.string()), procedures: z.array(z.string()) });

function limitsOf(stored: unknown): readonly Grant[] {
  return z.array(limit).parse(stored);
}

function hash(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

export async function listTokens({ db }: Control, person: string): Promise<readonly TokenRow[]> {
  const rows = await db
    .selectFrom("tokens")
    .selectAll()
    .where("person", "=", person)
    .where("revoked_at", "is", null)
    .orderBy("created_at")
    .execute();
  return rows.map(({ id, name, limits, created_at: createdAt, expires_at: expiresAt, used_at: usedAt }) => ({
    ...{ id, name, limits: limitsOf(limits), createdAt, expiresAt, usedAt },
  }));
}

/** False: she has no such token. */
export async function revokeToken(
  control: Control,
  owner: Owner,
  name: string,
  actor: string,
  now: Date,
): Promise<boolean> {
  return inTransaction(control.db, async (tx) => {
    const revoked = await tx
      .updateTable("tokens")
      .set({ revoked_at: now })
      .where("person", "=", owner.id)
      .where("name", "=", name)
      .where("revoked_at", "is", null)
      .returning("id")
      .executeTakeFirst();
    if (revoked === undefined) return false;
    await record(tx, { actor, action: "token.revoked", stack: null, subject: owner.handle, detail: { name } }, now);
    return true;
  });
}
