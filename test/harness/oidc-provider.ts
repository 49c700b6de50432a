import { createHash, createSign, generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * An OpenID Connect provider on the loopback: discovery, authorization code with PKCE, client authentication, signed id tokens, keys. Its
 * user is always signed in and consents to everything. `lies`: what it says wrongly, to see that it is noticed.
 */
export interface OidcProvider extends AsyncDisposable {
  readonly issuer: string;
  /** Who is signed in there: the claims of the id token. */
  user: Readonly<Record<string, unknown>>;
  lies: Lies;
  stop(): Promise<void>;
}

interface Lies {
  readonly nonce?: string;
  readonly audience?: string;
  readonly issuer?: string;
  readonly isExpired?: boolean;
  /** Signed with a key that is not published. */
  readonly isForged?: boolean;
  readonly hasNoIdToken?: boolean;
}

export const oidcClient = { id: "ipai", secret: "a client's secret" };

interface Grant {
  readonly challenge: string;
  readonly nonce: string;
  readonly redirect: string;
}

const newKey = () => generateKeyPairSync("rsa", { modulusLength: 2048 });

export async function startOidcProvider(port = 0): Promise<OidcProvider> {
  const key = newKey();
  const grants = new Map<string, Grant>();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", provider.issuer);
    const routes: Record<string, () => unknown> = {
      "/.well-known/openid-configuration": () => send(response, 200, discovery(provider.issuer)),
      "/keys": () => {
        const jwk = key.publicKey.export({ format: "jwk" });
        send(response, 200, { keys: [{ ...jwk, kid: "1", alg: "RS256", use: "sig" }] });
      },
      "/authorize": () => authorize(url.searchParams, grants, response),
      "/token": () => token(request, response),
    };
    (routes[url.pathname] ?? (() => send(response, 404, {})))();
  });
  const token = async (request: IncomingMessage, response: ServerResponse) => {
    const form = new URLSearchParams(Buffer.concat(await request.toArray()).toString());
    const grant = grants.get(form.get("code") ?? "");
    grants.delete(form.get("code") ?? "");
    const verifier = form.get("code_verifier") ?? "";
    const isGood =
      grant?.challenge === createHash("sha256").update(verifier).digest("base64url") &&
      grant.redirect === form.get("redirect_uri") &&
      isClient(request, form);
    if (!isGood || grant === undefined) return send(response, 400, { error: "invalid_grant" });
    const idToken = sign(claimsFor(provider, grant), provider.lies.isForged === true ? newKey() : key);
    send(response, 200, {
      ...{ access_token: randomBytes(16).toString("hex"), token_type: "Bearer", expires_in: 300 },
      ...(provider.lies.hasNoIdToken === true ? {} : { id_token: idToken }),
    });
  };
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  const provider: OidcProvider = {
    issuer: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ...{ user: {}, lies: {}, stop, [Symbol.asyncDispose]: stop },
  };
  return provider;
}

function discovery(issuer: string): object {
  return {
    ...{ issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token` },
    ...{ jwks_uri: `${issuer}/keys`, response_types_supported: ["code"], subject_types_supported: ["public"] },
    ...{ id_token_signing_alg_values_supported: ["RS256"], code_challenge_methods_supported: ["S256"] },
  };
}

function authorize(query: URLSearchParams, grants: Map<string, Grant>, response: ServerResponse): void {
  if (query.get("code_challenge_method") !== "S256" || query.get("client_id") !== oidcClient.id) {
    send(response, 400, { error: "invalid_request" });
    return;
  }
  const code = randomBytes(16).toString("hex");
  const redirect = query.get("redirect_uri") ?? "";
  grants.set(code, { challenge: query.get("code_challenge") ?? "", nonce: query.get("nonce") ?? "", redirect });
  const target = new URL(redirect);
  target.searchParams.set("code", code);
  target.searchParams.set("state", query.get("state") ?? "");
  response.writeHead(302, { location: target.href }).end();
}

function isClient(request: IncomingMessage, form: URLSearchParams): boolean {
  const basic = Buffer.from((request.headers.authorization ?? "").replace(/^Basic /, ""), "base64").toString();
  const [id = "", secret = ""] = basic === "" ? [form.get("client_id"), form.get("client_secret")] : basic.split(":");
  return decodeURIComponent(id ?? "") === oidcClient.id && decodeURIComponent(secret ?? "") === oidcClient.secret;
}

function claimsFor({ issuer, user, lies }: OidcProvider, { nonce }: Grant): object {
  const now = Math.floor(Date.now() / 1000) - (lies.isExpired === true ? 3600 : 0);
  return {
    ...{ iss: lies.issuer ?? issuer, aud: lies.audience ?? oidcClient.id, nonce: lies.nonce ?? nonce },
    ...{ iat: now, exp: now + 300, ...user },
  };
}

function sign(claims: object, { privateKey }: ReturnType<typeof newKey>): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${encode({ alg: "RS256", kid: "1", typ: "JWT" })}.${encode(claims)}`;
  return `${text}.${createSign("RSA-SHA256").update(text).sign(privateKey).toString("base64url")}`;
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
