import { once } from "node:events";
import { join } from "node:path";
import { serve as listen, type ServerType } from "@hono/node-server";
import { z } from "zod";
import { type Auth, createAuth } from "../../access/sign-in/auth.ts";
import { loadAuthSecrets } from "../../access/sign-in/secrets.ts";
import { createApi } from "../../api/app.ts";
import type { ApiPorts, Certificates } from "../../api/ports.ts";
import { ipaiHome } from "../../config/home.ts";
import type { Records } from "../../engine/records.ts";
import type { Worker } from "../../engine/worker.ts";
import { defineError } from "../../errors/error.ts";
import { findCertificate, listCertificates } from "../../procedures/backup/certificate/calls.ts";
import { exposureJson } from "../../procedures/backup/exposure/say.ts";
import { readChecklist } from "../../procedures/deployment/checklist-facts.ts";
import { createDesk } from "../../procedures/finance/desk.ts";
import { createFactReader } from "../../procedures/procedure.ts";
import type { Procedures } from "../../procedures/registry.ts";
import { schedulesOf } from "../../procedures/schedules.ts";
import type { Json } from "../../runbook/value.ts";
import type { App } from "../app.ts";
import type { Context } from "../context.ts";
import { channelsOf, testBatch } from "../notify.ts";
import { getProcedure, listRunnable, requireInput } from "../procedures.ts";
import { stay } from "./worker.ts";

/** The API, and a worker in the same process: what somebody starts there begins at once. */

export const CannotListen = defineError<{ listen: string; reason: string }>("serve.cannot_listen", {
  exitCode: 17,
  message: (d) => `Nothing can listen on ${d.listen}: ${d.reason}. Nothing was started.`,
  hint: () => "Does another ipai serve run already? serve.listen in ipai.yaml says where it listens.",
});

export async function serve(context: Context, options: { json?: boolean }): Promise<number> {
  await using app = await context.openApp();
  const { config, control } = app;
  const auth = createAuth({
    control,
    settings: config.serve,
    secrets: await loadAuthSecrets({ file: secretFile(context.environment), given: config.serve.secret }),
    fault: (error) => context.terminal.err(`${new Date().toISOString()} sign-in: ${String(error)}`),
  });
  const procedures = await app.procedures();
  requireHooks(app, procedures);
  let api: ReturnType<typeof createApi> | undefined;
  // Listening comes first: who cannot listen does not begin to work.
  const server = await bind(config.serve.listen, (request, env) => api?.fetch(request, env) ?? notReady());
  context.terminal.err(`API on http://${config.serve.listen}/api (its description: /api/openapi.json)`);
  return await stay(context, app, options, async (worker, stop) => {
    api = createApi(apiPorts(context, app, { auth, worker, procedures }));
    if (!stop.aborted) await once(stop, "abort");
    await close(server);
  });
}

/** Beside the control database, not in it. */
function secretFile(environment: NodeJS.ProcessEnv): string {
  return join(ipaiHome(environment), "serve.secret");
}

type Fetch = Parameters<typeof listen>[0]["fetch"];

async function bind(address: string, fetch: Fetch): Promise<ServerType> {
  const { hostname, port } = new URL(`http://${address}`);
  const server = listen({ fetch, hostname: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 80) });
  await once(server, "listening").catch((error: Error) => {
    throw CannotListen({ listen: address, reason: error.message }, { cause: error });
  });
  return server;
}

function notReady(): Response {
  return new Response(null, { status: 503, headers: { "retry-after": "1" } });
}

async function close(server: ServerType): Promise<void> {
  const closed = once(server, "close");
  server.close();
  // Streams of events would never end by themselves.
  if ("closeAllConnections" in server) server.closeAllConnections();
  await closed;
}

/** A hook that could do nothing is told at the start, not when somebody knocks. */
function requireHooks({ config }: App, procedures: Procedures): void {
  for (const { procedure, input } of Object.values(config.hooks))
    requireInput(getProcedure(procedures, procedure), input);
}

interface Parts {
  readonly auth: Auth;
  readonly worker: Worker;
  readonly procedures: Procedures;
}

function apiPorts(context: Context, app: App, { auth, worker, procedures }: Parts): ApiPorts {
  const { config, control, records } = app;
  return {
    ...{ control, records, now: () => new Date(), url: config.serve.url },
    stacks: Object.fromEntries(
      Object.values(config.stacks).map((stack) => [
        stack.name,
        {
          ...{
            name: stack.name,
            timezone: stack.timezone,
            url: stack.urls.public,
            schedules: schedulesOf(stack, procedures),
          },
          health: async () => (await app.inspect(app.stack(stack.name))).health as unknown as Json,
          exposure: async () => {
            const { exposure } = await app.inspect(app.stack(stack.name));
            return exposureJson(exposure, stack) as unknown as Json;
          },
          checklist: async (to) => {
            const reader = createFactReader(app.stack(stack.name), app.performer, records);
            return (await readChecklist(reader, { to, install: [] })) as unknown as Json;
          },
          certificates: certificatesOf(records, stack.name),
          finance: () => createDesk(app.stack(stack.name), app.performer),
        },
      ]),
    ),
    procedures: async () =>
      listRunnable(await app.procedures()).map(({ name, chapter, title, summary, input }) => ({
        ...{ name, chapter, title, summary },
        input: z.toJSONSchema(input, { io: "input", unrepresentable: "any" }) as Json,
      })),
    rotas: Object.entries(config.oncall).map(([name, rota]) => ({ name, ...rota })),
    hooks: Object.fromEntries(
      Object.entries(config.hooks).map(([name, { input, ...hook }]) => [name, { ...hook, input: input as Json }]),
    ),
    channels: Object.fromEntries(
      Object.entries(channelsOf(config)).map(([name, channel]) => [
        name,
        (actor: string) => channel.send(testBatch(name, actor), () => new Date()),
      ]),
    ),
    signedIn: async (headers) => {
      const found = await auth.sessionOf(headers);
      return found === undefined ? undefined : { person: found.person.id, isRestricted: found.isRestricted };
    },
    auth: auth.handler,
    plan: app.plan,
    checkInput: async (name, input) => void requireInput(getProcedure(await app.procedures(), name), input),
    record: (tables, plan, actor) => app.record(plan, { as: { tables, actor } }),
    carryOut: (run) => worker.take(run),
    subjectOf: app.subjectOf,
    mayNote: atMost(60),
    log: (line) => context.terminal.err(`${new Date().toISOString()} ${line}`),
  };
}

/** Pages are made when they are asked for: that takes libraries of its own. */
function certificatesOf(records: Records, stack: string): Certificates {
  return {
    list: (limit) => listCertificates(records, stack, limit),
    find: async (set) => {
      const document = await findCertificate(records, stack, set);
      if (document === undefined) return undefined;
      const pdf = async () =>
        new Uint8Array(await (await import("../render/certificate-pdf.ts")).renderCertificate(document));
      return { document, pdf };
    },
  };
}

/** So often a minute. */
function atMost(count: number): () => boolean {
  let minute = 0;
  let used = 0;
  return () => {
    const now = Math.floor(Date.now() / 60_000);
    used = now === minute ? used + 1 : 1;
    minute = now;
    return used <= count;
  };
}
