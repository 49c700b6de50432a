import { createHmac, timingSafeEqual } from "node:crypto";
import type { Secret } from "../config/secret.ts";
import type { Json } from "../runbook/value.ts";

/** A door for other programs: whoever knows its secret has one procedure carried out, with one input. */
export interface Hook {
  readonly stack: string;
  readonly procedure: string;
  readonly input: Json;
  readonly secret: Secret;
}

/** How far the clock of a sender may be off, seconds; an older request may have been overheard. */
const skewSeconds = 300;

/**
 * Whether a request knows the secret: as a bearer token; signed as our own webhooks are (`x-ipai-signature` over time and body); or
 * signed as GitHub and Gitea do (`x-hub-signature-256` over the body). Pure.
 */
export function knowsSecret({ secret }: Pick<Hook, "secret">, headers: Headers, body: string, now: Date): boolean {
  const key = secret.reveal();
  // Without a value everybody would know it.
  if (key === "") return false;
  const bearer = headers.get("authorization");
  if (bearer !== null) return isSame(bearer, `Bearer ${key}`);
  const time = headers.get("x-ipai-timestamp");
  const signature = headers.get("x-ipai-signature");
  if (time !== null && signature !== null) {
    const isFresh = Math.abs(now.getTime() / 1000 - Number(time)) <= skewSeconds;
    return isFresh && isSame(signature, `sha256=${sign(key, `${time}.${body}`)}`);
  }
  const hub = headers.get("x-hub-signature-256");
  return hub !== null && isSame(hub, `sha256=${sign(key, body)}`);
}

function sign(key: string, text: string): string {
  return createHmac("sha256", key).update(text).digest("hex");
}

/** In a time that does not tell how much of it is right. */
function isSame(given: string, wanted: string): boolean {
  const [one, other] = [sign("compare", given), sign("compare", wanted)];
  return timingSafeEqual(Buffer.from(one), Buffer.from(other));
}

/**
 * What tells a repetition from a new request. Of a request that is signed with its time, the signature: nobody can give it another
 * one. Else the sender's own key, if it has one.
 */
export function deliveryOf(headers: Headers): string | undefined {
  const own = headers.get("idempotency-key") ?? headers.get("x-github-delivery") ?? undefined;
  return headers.get("authorization") === null ? (headers.get("x-ipai-signature") ?? own) : own;
}
