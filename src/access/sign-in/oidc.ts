import type { BetterAuthPlugin } from "better-auth";
import { type GenericOAuthConfig, genericOAuth } from "better-auth/plugins";
import type { Secret } from "../../config/secret.ts";
import type { Control } from "../../engine/control.ts";

/** OpenID Connect: it says who somebody is, never that there is somebody. */

export interface OidcProvider {
  readonly issuer: string;
  readonly clientId: Secret;
  readonly clientSecret: Secret;
  readonly scopes: readonly string[];
  readonly match: "email" | { readonly handle: string };
  readonly secondFactor: boolean;
}

type Claims = Readonly<Record<string, unknown>> & { readonly sub?: string | undefined };

/**
 * As better-auth's plugin would have it after each discovery failed: a provider is looked up when somebody first wants to sign in with it.
 * By itself it would look all of them up at the start, and wait for one that does not answer for ever.
 */
export function oidcPlugin(control: Control, providers: Readonly<Record<string, OidcProvider>>): BetterAuthPlugin {
  const config = Object.entries(providers).map(([name, provider]) => toGenericOAuth(control, name, provider));
  const pending = new Map(config.map((one) => [one.providerId, one]));
  return { ...genericOAuth({ config }), init: () => ({ context: { genericOAuthPendingDiscovery: pending } }) };
}

function toGenericOAuth(control: Control, name: string, provider: OidcProvider): GenericOAuthConfig {
  return {
    providerId: name,
    discoveryUrl: `${provider.issuer}/.well-known/openid-configuration`,
    clientId: provider.clientId.reveal(),
    clientSecret: provider.clientSecret.reveal(),
    scopes: [...provider.scopes],
    pkce: true,
    requireIdTokenVerification: true,
    disableSignUp: true,
    disableProviderLogout: true,
    // By now better-auth has verified signature, issuer, audience and nonce. Without an id token nothing was.
    getUserInfo: async ({ idToken }) => {
      const claims = idToken === undefined ? undefined : readClaims(idToken);
      if (claims?.sub === undefined || !isIssuer(claims["iss"], provider.issuer)) return null;
      const email = await findAddress(control, name, provider.match, claims);
      return { id: claims.sub, sub: claims.sub, email, emailVerified: email !== undefined, name: "" };
    },
  };
}

/** A provider's own word for itself has to be the one that it is configured under. */
function isIssuer(said: unknown, configured: string): boolean {
  return typeof said === "string" && said.replace(/\/+$/, "") === configured;
}

function readClaims(idToken: string): Claims {
  return JSON.parse(Buffer.from(idToken.split(".")[1] ?? "", "base64url").toString("utf8")) as Claims;
}

/** The address of the person who is tied to that subject already, or who matches and is tied to none. */
async function findAddress(
  { db }: Control,
  provider: string,
  match: OidcProvider["match"],
  claims: Claims,
): Promise<string | undefined> {
  const tied = db.selectFrom("accounts").where("provider", "=", provider);
  const known = await db
    .selectFrom("people")
    .select("email")
    .where("id", "in", tied.select("person").where("account", "=", claims.sub ?? ""))
    .executeTakeFirst();
  if (known !== undefined) return known.email;
  const wanted = wantedBy(match, claims);
  if (wanted === undefined) return undefined;
  // Who has another subject there is not who now has her address: an address is given to somebody else sooner or later.
  const matching = await db
    .selectFrom("people")
    .select("email")
    .where(wanted.column, "=", wanted.value)
    .where("id", "not in", tied.select("person"))
    .executeTakeFirst();
  return matching?.email;
}

function wantedBy(match: OidcProvider["match"], claims: Claims) {
  if (match !== "email") {
    const handle = claims[match.handle];
    return typeof handle === "string" ? { column: "handle" as const, value: handle.toLowerCase() } : undefined;
  }
  const { email, email_verified: isVerified } = claims;
  if (typeof email !== "string" || (isVerified !== true && isVerified !== "true")) return undefined;
  return { column: "email" as const, value: email.toLowerCase() };
}
