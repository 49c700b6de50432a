import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import { secureHeaders } from "hono/secure-headers";
import { z } from "zod";
import { noteForbidden } from "../access/forbidden.ts";
import type { Principal } from "../access/principal.ts";
import { toIpaiError } from "../errors/error.ts";
import { authenticate } from "./authenticate.ts";
import { problemSchema } from "./contract.ts";
import { type AnyAsked, type Endpoint, Guard } from "./endpoint.ts";
import { mountPages } from "./pages.ts";
import type { ApiPorts } from "./ports.ts";
import { BadRequest, NotFound, problemResponse, toProblem } from "./problem.ts";
import * as audit from "./routes/audit.ts";
import * as certificates from "./routes/certificates.ts";
import * as events from "./routes/events.ts";
import * as finance from "./routes/finance.ts";
import { openHook } from "./routes/hooks.ts";
import * as messages from "./routes/messages.ts";
import * as people from "./routes/people.ts";
import * as runs from "./routes/runs.ts";
import * as schedules from "./routes/schedules.ts";
import * as stacks from "./routes/stacks.ts";

/** The API put together: every endpoint behind the same door, and the page that says what there is. */

export const endpoints: readonly Endpoint[] = [
  stacks,
  certificates,
  finance,
  runs,
  events,
  schedules,
  messages,
  people,
  audit,
].flatMap((routes) => Object.values(routes).filter((one) => typeof one === "object"));

const bodyBytesMax = 256 * 1024;

export function createApi(ports: ApiPorts): OpenAPIHono {
  const app = new OpenAPIHono();
  app.use(secureHeaders());
  app.use(
    bodyLimit({
      maxSize: bodyBytesMax,
      onError: refuseTooLarge,
    }),
  );
  app.onError((error) => answerError(ports, error));
  app.notFound(() => problemResponse(toProblem(NotFound({ what: "such address" }))));
  app.get("/api/live", (context) => context.json({ live: true }));
  app.all("/api/auth/*", (context) => ports.auth(context.req.raw, addressOf(context)));
  app.post("/api/hooks/:hook", (context) => openHook(ports, context.req.param("hook"), context.req.raw));
  mountPages(app);
  for (const endpoint of endpoints) mount(app, endpoint, ports);
  app.doc31("/api/openapi.json", {
    openapi: "3.1.0",
    info: { title: "IPAI Ops", version: "1", description: "Operations of self-hosted Odoo suites." },
    servers: [{ url: ports.url }],
  });
  app.openAPIRegistry.registerComponent("securitySchemes", "token", { type: "http", scheme: "bearer" });
  return app;
}

/** The rest of the body is not read, so nothing more can be asked on this connection. */
function refuseTooLarge(): Response {
  const response = problemResponse(toProblem(BadRequest({ reason: "it is too large" })));
  response.headers.set("connection", "close");
  return response;
}

/** Of whoever opened the connection. */
function addressOf(context: Context): string {
  const { incoming } = context.env as { readonly incoming?: { readonly socket: { readonly remoteAddress?: string } } };
  return incoming?.socket.remoteAddress ?? "";
}

function answerError(ports: ApiPorts, thrown: unknown): Response {
  const problem = toProblem(thrown);
  if (problem.status >= 500) ports.log(`${problem.code}: ${toIpaiError(thrown).stack ?? ""}`);
  return problemResponse(problem);
}

function mount(app: OpenAPIHono, endpoint: Endpoint, ports: ApiPorts): void {
  describe(app, endpoint);
  const path = endpoint.path.replaceAll(/\{(\w+)\}/g, ":$1");
  app.on(endpoint.method.toUpperCase(), path, async (context) => {
    const principal = await authenticate(ports, context.req.raw);
    const guard = new Guard(principal);
    const params = parse(endpoint.params, context.req.param());
    try {
      const asked = {
        ...{ params, query: parse(endpoint.query, context.req.query()) },
        ...{ body: parse(endpoint.body, await readBody(endpoint, context.req.raw)) },
        ...{ headers: context.req.raw.headers, signal: context.req.raw.signal, ports, guard },
      };
      return toResponse(endpoint, await endpoint.handle(asked as AnyAsked), guard);
    } catch (error) {
      await noteWhatWasRefused(ports, principal, endpoint, params, error);
      throw error;
    }
  });
}

async function readBody(endpoint: Endpoint, request: Request): Promise<unknown> {
  if (endpoint.body === undefined) return undefined;
  try {
    return JSON.parse(await request.text());
  } catch {
    throw BadRequest({ reason: "its body is no JSON" });
  }
}

function parse(schema: z.ZodType | undefined, given: unknown): unknown {
  if (schema === undefined) return undefined;
  const parsed = (schema instanceof z.ZodObject ? schema.strict() : schema).safeParse(given);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => [...path.map(String), message].join(": "));
  throw BadRequest({ reason: faults.join("; ") });
}

function toResponse({ status, stream }: Endpoint, answer: unknown, guard: Guard): Response {
  guard.check();
  if (answer instanceof Response) return answer;
  const headers = { "cache-control": "no-store", "content-type": stream ?? "application/json" };
  if (status === 204) return new Response(null, { status, headers });
  return new Response(typeof answer === "string" ? answer : JSON.stringify(answer), { status, headers });
}

/** A change that somebody tried who may not; a look that was refused is nothing to keep. */
async function noteWhatWasRefused(
  ports: ApiPorts,
  principal: Principal,
  { method, path }: Endpoint,
  params: unknown,
  thrown: unknown,
): Promise<void> {
  const { code } = toIpaiError(thrown);
  const isRefused = code === "access.forbidden" || (code === NotFound.code && method !== "get");
  if (!isRefused || method === "get" || !ports.mayNote()) return;
  const values = Object.entries((params ?? {}) as Record<string, unknown>);
  const subject = values.reduce((text, [name, value]) => text.replace(`{${name}}`, String(value)), path);
  await noteForbidden(ports.control, principal, {}, code, `${method.toUpperCase()} ${subject}`, ports.now());
}

function describe(
  app: OpenAPIHono,
  { method, path, tag, summary, params, query, body, answer, status, stream }: Endpoint,
): void {
  const content = { [stream ?? "application/json"]: { schema: answer } };
  const problem = { description: "A problem", content: { "application/problem+json": { schema: problemSchema } } };
  app.openAPIRegistry.registerPath({
    ...{ method, path, tags: [tag], summary, security: [{ token: [] }] },
    request: {
      ...(params === undefined ? {} : { params }),
      ...(query === undefined ? {} : { query }),
      ...(body === undefined ? {} : { body: { required: true, content: { "application/json": { schema: body } } } }),
    },
    responses: {
      [status]: status === 204 ? { description: "Done" } : { description: "The answer", content },
      default: problem,
    },
  });
}
