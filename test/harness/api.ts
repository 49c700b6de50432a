import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { giveGrant } from "../../src/access/grants.ts";
import { findPerson } from "../../src/access/people.ts";
import { type Grant, peopleFor, type Role } from "../../src/access/rights.ts";
import { type AuthSettings, createAuth } from "../../src/access/sign-in/auth.ts";
import { createToken } from "../../src/access/tokens.ts";
import { createApi } from "../../src/api/app.ts";
import type { ApiPorts } from "../../src/api/ports.ts";
import { renderCertificate } from "../../src/cli/render/certificate-pdf.ts";
import { Secret } from "../../src/config/secret.ts";
import { advance } from "../../src/engine/advance.ts";
import type { Control } from "../../src/engine/control.ts";
import { createRun } from "../../src/engine/journal.ts";
import { createRecords } from "../../src/engine/records.ts";
import { type Plan, undoClassOf } from "../../src/runbook/plan.ts";
import { certificateOf } from "./certificate.ts";
import { heldFinance } from "./finance.ts";
import { createEngine, type EngineOptions, planOf, World } from "./plans.ts";
import { testSecrets } from "./visitor.ts";

/** The API on a real server and a real control database, with plans of the tests for procedures; their steps are real processes. */
export interface TestApi extends AsyncDisposable {
  readonly url: string;
  readonly ports: ApiPorts;
  readonly control: Control;
  /** What the procedure `change` would do now; set it to make a plan drift. */
  readonly plans: Record<string, (stack: string) => Plan>;
  readonly world: World;
  /** Runs that were handed over, until they have ended or wait. */
  settled(): Promise<void>;
}

export const hookSecret = "of-the-hook-of-the-tests";

export interface ApiOptions {
  readonly second?: "never" | "irreversible" | "change";
  readonly engine?: EngineOptions;
}

export async function startApi(control: Control, home: string, options: ApiOptions = {}): Promise<TestApi> {
  const world = World.create(home);
  const instant = (procedure: string) => (stack: string) => planOf([world.act("a")], { stack, procedure });
  const plans: TestApi["plans"] = {
    change: instant("change"),
    file: instant("file"),
    sign: (stack) => planOf([world.wait("go", { signal: "go" })], { stack, procedure: "sign", lease: "shared" }),
    wipe: (stack) => planOf([world.act("a", { undo: "irreversible" })], { stack, procedure: "wipe" }),
    fail: (stack) => planOf([world.failing("a", { onFail: "ask" })], { stack, procedure: "fail", lease: "shared" }),
  };
  const chapters: Readonly<Record<string, string>> = { file: "finance" };
  const carried = new Set<Promise<unknown>>();
  const last = new Map<string, Promise<unknown>>();
  const planFor = async (procedure: string, stack: string) => {
    const plan = plans[procedure]?.(stack);
    if (plan === undefined) throw new Error(`no plan of ${procedure}`);
    return plan;
  };
  const engine = {
    ...createEngine(control, options.engine),
    plan: (name: string, _: unknown, stack: string) => planFor(name, stack),
  };
  const schedule = {
    ...{ name: "nightly", procedure: "change", input: {}, cron: "0 2 * * *", timezone: "Asia/Manila" },
    ...{ missed: "latest" as const, graceSeconds: 3600, jitterSeconds: 0 },
  };
  const stackOf = (name: string) => ({
    ...{ name, timezone: "Asia/Manila", url: "http://127.0.0.1:8069", schedules: [{ ...schedule, stack: name }] },
    health: async () => ({
      status: "ok",
      checks: [{ code: "IPAI-T-001", title: "One", status: "ok", value: 1, unit: "" }],
    }),
    certificates: {
      list: async () => [certificateOf(name)],
      find: async (set: string) =>
        set === "latest"
          ? {
              document: certificateOf(name),
              pdf: async () => new Uint8Array(await renderCertificate(certificateOf(name))),
            }
          : undefined,
    },
    finance: () => heldFinance,
    checklist: async () => [
      { code: "IPAI-DEPLOY-010", title: "Freeze", status: "ok", text: "None is declared.", next: null },
    ],
    exposure: async () => ({ text: "All is well.", rpoSeconds: 1, rtoSeconds: 1, exposure: null }),
  });
  const server = serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, env) => app?.fetch(request, env) ?? new Response(),
  });
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://localhost:${port}`;
  const settings: AuthSettings = { secondFactor: "optional", oidc: {}, url };
  const auth = createAuth({ control, secrets: testSecrets, settings });
  const ports: ApiPorts = {
    ...{ control, records: createRecords(control), now: () => new Date(), url },
    stacks: { erp: stackOf("erp"), shop: stackOf("shop") },
    procedures: async () =>
      Object.keys(plans).map((name) => ({
        ...{ name, chapter: chapters[name] ?? "maintenance", title: name, summary: name, input: { type: "object" } },
      })),
    rotas: [
      {
        ...{ name: "night", people: ["viewer", "admin"], from: "2026-01-01", days: 7, at: "08:00" },
        ...{ timezone: "Asia/Manila", stacks: [] },
      },
    ],
    hooks: { knock: { stack: "erp", procedure: "change", input: {}, secret: new Secret(hookSecret) } },
    channels: { chat: async () => ({ kind: "delivered" }) },
    signedIn: async (headers) => {
      const found = await auth.sessionOf(headers);
      return found === undefined ? undefined : { person: found.person.id, isRestricted: found.isRestricted };
    },
    auth: auth.handler,
    plan: (procedure, stack) => planFor(procedure, stack),
    checkInput: async () => undefined,
    record: (tables, plan, actor) => {
      const people = peopleFor(options.second ?? "never", plan, undoClassOf(plan));
      return createRun(tables, plan, actor, new Date(), { consent: { people, validSeconds: 3600 } });
    },
    carryOut: (run) => {
      // One after the other, as a worker does it.
      const before = last.get(run) ?? Promise.resolve();
      const done: Promise<unknown> = before
        .then(() => advance(engine, run))
        .catch(() => undefined)
        .finally(() => carried.delete(done));
      carried.add(done);
      last.set(run, done);
    },
    subjectOf: ({ stack, procedure, undo_class: undoClass }) => ({
      stack,
      procedure: {
        name: procedure,
        chapter: chapters[procedure] ?? "maintenance",
        ...(undoClass === undefined ? {} : { undoClass: undoClass as "instant" }),
      },
    }),
    mayNote: () => true,
    log: (line) => process.stderr.write(`${line}\n`),
  };
  const app = createApi(ports);
  return {
    ...{ url: `http://127.0.0.1:${port}`, ports, control, plans, world },
    settled: async () => {
      while (carried.size > 0) await Promise.all(carried);
    },
    [Symbol.asyncDispose]: async () => {
      while (carried.size > 0) await Promise.all(carried);
      if ("closeAllConnections" in server) server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export async function grantTo(control: Control, handle: string, role: Role, over: Partial<Grant> = {}): Promise<void> {
  const person = await findPerson(control.db, handle);
  if (person === undefined) throw new Error(`nobody is ${handle}`);
  await giveGrant(control, person, { role, stacks: [], procedures: [], ...over }, "root", new Date());
}

const everything: readonly Grant[] = [{ role: "admin", stacks: [], procedures: [] }];

export async function tokenOf(
  control: Control,
  handle: string,
  limits: readonly Grant[] = everything,
  expiresAt = new Date(Date.now() + 3_600_000),
): Promise<string> {
  const person = await findPerson(control.db, handle);
  if (person === undefined) throw new Error(`nobody is ${handle}`);
  const name = `t-${Math.random().toString(36).slice(2)}`;
  return createToken(control, person, { name, limits, expiresAt }, handle, new Date());
}
