import { isIP } from "node:net";
import { sql } from "kysely";
import type { Control } from "../../engine/control.ts";
import { ControlUnreachable } from "../../engine/server.ts";
import { findRoute, type Route } from "./routes.ts";

/**
 * What stands before better-auth: it lets only through what is on the list, says where a request really came from, and turns every
 * failure into an answer that tells nothing of the inside.
 */

/** Where the handler is mounted. */
export const authPath = "/api/auth";

/** Only the door writes it: whatever a client sends under this name is thrown away. */
export const sourceHeader = "x-ipai-source";

const bodyBytesMax = 65_536;

/** An answer as RFC 9457 has it. */
export function problem(status: number, code: string, title: string, headers: Headers = new Headers()): Response {
  headers.set("content-type", "application/problem+json");
  headers.set("cache-control", "no-store");
  headers.delete("content-length");
  return new Response(JSON.stringify({ type: "about:blank", title, status, code }), { status, headers });
}

export interface DoorPorts {
  readonly control: Control;
  readonly fault?: (error: unknown) => void;
}

/** `address`: of whoever opened the connection. */
export async function passDoor(
  request: Request,
  address: string,
  inside: (request: Request) => Promise<Response>,
  ports: DoorPorts,
): Promise<Response> {
  const url = new URL(request.url);
  const route = url.pathname.startsWith(`${authPath}/`) ? findRoute(url.pathname.slice(authPath.length)) : undefined;
  if (route === undefined) return problem(404, "not_found", "There is nothing at this address.");
  if (request.method !== route.method)
    return problem(405, "method_not_allowed", "Not in this manner.", new Headers({ allow: route.method }));
  const body = await readBody(request, route);
  if (body instanceof Response) return body;
  const headers = new Headers(request.headers);
  headers.delete("content-length");
  headers.set(sourceHeader, sourceOf(request.headers, address));
  for (const name of [...url.searchParams.keys()]) if (!route.query?.includes(name)) url.searchParams.delete(name);
  return answer(() => inside(new Request(url, { method: request.method, headers, body })), ports);
}

async function readBody(request: Request, route: Route): Promise<string | null | Response> {
  if (route.body === undefined) return null;
  const text = await readText(request);
  if (text === undefined) return problem(413, "too_large", "That is too much.");
  const given = text === "" ? {} : parse(text);
  // A form, which any page may send, is not JSON.
  if (text !== "" && !/^application\/json\b/i.test(request.headers.get("content-type") ?? ""))
    return problem(415, "not_json", "The body must be application/json.");
  if (typeof given !== "object" || given === null || Array.isArray(given))
    return problem(400, "not_json", "The body must be a JSON object.");
  const strange = Object.keys(given).find((key) => !route.body?.includes(key));
  if (strange !== undefined) return problem(400, "unknown_member", "The body has a member that is not known here.");
  return JSON.stringify(given);
}

/** Up to the limit: what is longer is not taken into memory first. */
async function readText({ body }: Request): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body ?? []) {
    length += chunk.length;
    if (length > bodyBytesMax) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A proxy on this machine says for whom it asks; what anybody else says of himself counts for nothing. */
function sourceOf(headers: Headers, address: string): string {
  const isLocal = /^(?:127\.|::1$|::ffff:127\.)/.test(address);
  const forwarded = headers.get("x-forwarded-for")?.split(",").at(-1)?.trim();
  return isLocal && forwarded !== undefined && isIP(forwarded) !== 0 ? forwarded : address;
}

/** What went wrong inside is told as a problem; when the control database is away, as that. */
async function answer(work: () => Promise<Response>, { control, fault }: DoorPorts): Promise<Response> {
  const response = await work().catch((error: unknown) => {
    fault?.(error);
    return problem(500, "internal.bug", "The server met something unexpected.");
  });
  if (response.status >= 500 && !(await isControlThere(control)))
    return problem(503, ControlUnreachable.code, "The control database does not answer. Nothing was changed.");
  if (response.status < 400) return response;
  const said: unknown = await response.json().catch(() => undefined);
  const title = memberOf(said, "title") ?? memberOf(said, "message") ?? "Refused.";
  return problem(response.status, memberOf(said, "code")?.toLowerCase() ?? "refused", title, response.headers);
}

function memberOf(value: unknown, key: string): string | undefined {
  const member = typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
  return typeof member === "string" ? member : undefined;
}

export async function isControlThere(control: Control): Promise<boolean> {
  return sql`select 1`.execute(control.db).then(
    () => true,
    () => false,
  );
}
