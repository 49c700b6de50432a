import { noteForbidden } from "../access/forbidden.ts";
import { principalOf } from "../access/identify.ts";
import type { Principal } from "../access/principal.ts";
import { readToken } from "../access/tokens.ts";
import type { ApiPorts } from "./ports.ts";
import { ForeignOrigin, NotSignedIn, SecondFactorDue } from "./problem.ts";

/** Who asks: by a token, or by the cookie of a session. Throws for whoever cannot be told. */
export async function authenticate(ports: ApiPorts, request: Request): Promise<Principal> {
  const given = request.headers.get("authorization");
  if (given !== null) return byToken(ports, given, new URL(request.url).pathname);
  const signedIn = await ports.signedIn(request.headers);
  if (signedIn === undefined) throw NotSignedIn({ reason: "there is neither a token nor a session" });
  if (signedIn.isRestricted) throw SecondFactorDue({});
  requireOwnOrigin(ports, request);
  const principal = await principalOf(ports.control, signedIn.person, "session", ports.now());
  if (principal === undefined) throw NotSignedIn({ reason: "the person has left" });
  return principal;
}

/** A browser sends the cookie whichever page asks; only pages of our own may change something. */
function requireOwnOrigin(ports: ApiPorts, request: Request): void {
  if (request.method === "GET") return;
  const origin = request.headers.get("origin");
  if (origin !== new URL(ports.url).origin) throw ForeignOrigin({ origin: origin ?? "an unknown address" });
}

async function byToken(ports: ApiPorts, authorization: string, path: string): Promise<Principal> {
  const { control } = ports;
  const now = ports.now();
  const [, token = ""] = /^Bearer (\S+)$/.exec(authorization) ?? [];
  const shown = await readToken(control, token, now);
  if (shown.kind === "unknown") throw NotSignedIn({ reason: "the token is none of ours" });
  const via = `token ${shown.name}`;
  const principal = await principalOf(control, shown.person, via, now, shown.kind === "good" ? shown.limits : []);
  if (shown.kind === "good" && principal !== undefined) return principal;
  const reason = shown.kind === "good" ? "its person has left" : `it is ${shown.kind}`;
  // Whoever holds a token that was good once is worth knowing of.
  const who = { handle: principal?.handle ?? shown.name, via };
  if (ports.mayNote()) await noteForbidden(control, who, {}, reason, path, now);
  throw NotSignedIn({ reason: `the token ${shown.name} is good no more: ${reason}` });
}
