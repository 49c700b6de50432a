import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { type Auth, type AuthSettings, createAuth } from "../../src/access/sign-in/auth.ts";
import { authPath } from "../../src/access/sign-in/door.ts";
import type { AuthSecrets } from "../../src/access/sign-in/secrets.ts";
import { Secret } from "../../src/config/secret.ts";
import type { Control } from "../../src/engine/control.ts";

/** A real server on the loopback that mounts the handler, and visitors of it who keep their cookies as a browser does. */
export interface AuthServer extends AsyncDisposable {
  readonly url: string;
  readonly auth: Auth;
}

export const testSecrets: AuthSecrets = [{ version: 1, value: new Secret("of-the-tests-".repeat(4)) }];

export interface ServerOptions {
  readonly settings?: Partial<AuthSettings>;
  readonly secrets?: AuthSecrets;
  readonly now?: () => Date;
  readonly fault?: (error: unknown) => void;
}

export async function startAuthServer(control: Control, options: ServerOptions = {}): Promise<AuthServer> {
  let auth: Auth | undefined;
  const handle = async (request: Request, address: string) => {
    if (auth === undefined) throw new Error("not ready");
    if (new URL(request.url).pathname !== "/who") return await auth.handler(request, address);
    return Response.json((await auth.sessionOf(request.headers)) ?? null);
  };
  const server = serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, env) => handle(request, "incoming" in env ? (env.incoming.socket.remoteAddress ?? "") : ""),
  });
  await new Promise((resolve) => server.once("listening", resolve));
  const url = options.settings?.url ?? `http://localhost:${(server.address() as AddressInfo).port}`;
  auth = createAuth({
    control,
    secrets: options.secrets ?? testSecrets,
    settings: { secondFactor: "optional", oidc: {}, ...options.settings, url },
    ...(options.now === undefined ? {} : { now: options.now }),
    ...(options.fault === undefined ? {} : { fault: options.fault }),
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    auth,
    [Symbol.asyncDispose]: async () => {
      "closeAllConnections" in server && server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what a test asks for it compares.
  readonly body: any;
  readonly headers: Headers;
  readonly cookies: readonly string[];
}

let visitors = 0;

/** Each comes from an address of its own, so that one test's tries do not count against another's. */
export class Visitor {
  readonly cookies = new Map<string, string>();
  readonly source: string;
  readonly #server: Pick<AuthServer, "url">;
  readonly #origin: string;

  constructor(server: Pick<AuthServer, "url">, origin?: string, source?: string) {
    this.#server = server;
    this.#origin = origin ?? `http://localhost:${new URL(server.url).port}`;
    visitors += 1;
    this.source = source ?? `10.${process.pid % 250}.${Math.floor(visitors / 250)}.${(visitors % 250) + 1}`;
  }

  post(path: string, body?: object, headers: Record<string, string> = {}): Promise<Answer> {
    return this.request(`${authPath}${path}`, {
      method: "POST",
      body: JSON.stringify(body ?? {}),
      headers: { "content-type": "application/json", origin: this.#origin, ...headers },
    });
  }

  get(path: string): Promise<Answer> {
    return this.request(`${authPath}${path}`, { method: "GET" });
  }

  /** Who the server takes her for. */
  async who(): Promise<Answer["body"]> {
    return (await this.request("/who", { method: "GET" })).body;
  }

  async request(path: string, init: RequestInit): Promise<Answer> {
    const headers = new Headers(init.headers);
    headers.set("x-forwarded-for", this.source);
    if (this.cookies.size > 0)
      headers.set("cookie", [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; "));
    const response = await fetch(new URL(path, this.#server.url), { ...init, headers, redirect: "manual" });
    const cookies = response.headers.getSetCookie();
    for (const cookie of cookies) this.#keep(cookie);
    const text = await response.text();
    const isJson = text !== "" && /\bjson\b/.test(response.headers.get("content-type") ?? "");
    return { status: response.status, body: isJson ? JSON.parse(text) : text, headers: response.headers, cookies };
  }

  #keep(cookie: string): void {
    const [, name = "", value = "", attributes = ""] = /^([^=]+)=([^;]*)(.*)$/.exec(cookie) ?? [];
    if (/max-age=0/i.test(attributes)) this.cookies.delete(name);
    else this.cookies.set(name, value);
  }
}
