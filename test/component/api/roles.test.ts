import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { noteAbsence } from "../../../src/access/absences.ts";
import { giveGrant, listGrants } from "../../../src/access/grants.ts";
import { addPerson, findPerson } from "../../../src/access/people.ts";
import type { Role } from "../../../src/access/rights.ts";
import { createToken } from "../../../src/access/tokens.ts";
import { endpoints } from "../../../src/api/app.ts";
import type { Endpoint } from "../../../src/api/endpoint.ts";
import { createRun, getRun, type Run } from "../../../src/engine/journal.ts";
import { addOneOff } from "../../../src/engine/one-offs.ts";
import { openResource } from "../../../src/procedures/resources.ts";
import { grantTo, startApi, type TestApi } from "../../harness/api.ts";
import { scopeOf } from "../../harness/backup-app.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { addSignedIn } from "../../harness/person.ts";
import { approvedRun, resume } from "../../harness/plans.ts";
import type { Visitor } from "../../harness/visitor.ts";

/** Every endpoint of the API against every role, over real HTTP with real sessions. */

const askers = ["nobody", "viewer", "operator", "approver", "finance", "admin", "shop only", "no role"] as const;
type Asker = (typeof askers)[number];
const roleOf: Readonly<Partial<Record<Asker, Role>>> = {
  ...{ viewer: "viewer", operator: "operator", approver: "approver", finance: "finance", admin: "admin" },
  "shop only": "admin",
};
const handleOf = (asker: Asker) => asker.replace(" ", "-");

let test: TestControl;
let api: TestApi;
const visitors = new Map<Asker, Visitor>();

beforeAll(async () => {
  test = await startControl();
  api = await startApi(test.control, test.home);
  for (const asker of askers) {
    if (asker === "nobody") continue;
    visitors.set(asker, await addSignedIn(test.control, { url: api.url } as never, handleOf(asker)));
    const role = roleOf[asker];
    if (role !== undefined)
      await grantTo(test.control, handleOf(asker), role, asker === "shop only" ? { stacks: ["shop"] } : {});
  }
}, 60_000);
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await test[Symbol.asyncDispose]();
});

interface Given {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: string;
  readonly body?: object;
}

let count = 0;
const fresh = (prefix: string) => {
  count += 1;
  return `${prefix}${count}`;
};
const planned = (procedure: string): Promise<Run> => {
  const plan = api.plans[procedure]?.("erp");
  if (plan === undefined) throw new Error(procedure);
  return createRun(test.control, plan, "somebody", new Date());
};
const ofRun = async (procedure = "change"): Promise<Given> => ({ params: { run: (await planned(procedure)).id } });
const stopped = async (): Promise<Run> => {
  const plan = api.plans["fail"]?.("erp");
  if (plan === undefined) throw new Error("fail");
  return resume(test.control, await approvedRun(test.control, plan));
};
const newPerson = async () => {
  const handle = fresh("person-");
  const person = { handle, name: "A Person", email: `${handle}@example.com` };
  return addPerson(test.control.db, person, { actor: "root", now: new Date() });
};
const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();
const erp = { stack: "erp" };

/** What is asked for, made anew for each who asks: a run that one has approved another cannot. */
const given: Readonly<Record<string, (asker: Asker) => Promise<Given>>> = {
  "get /api/stacks": async () => ({}),
  "get /api/procedures": async () => ({}),
  "get /api/stacks/{stack}/health": async () => ({ params: erp, query: "now=true" }),
  "get /api/stacks/{stack}/certificates": async () => ({ params: erp }),
  "get /api/stacks/{stack}/resources": async () => {
    const { id } = await planned("change");
    const opened = { ...erp, id, kind: "past", title: "the past of ten", hours: 8, procedure: "past close", input: {} };
    await openResource(api.ports.records)({ ...opened, about: {} }, scopeOf(id));
    return { params: erp };
  },
  "get /api/stacks/{stack}/backups/{backup}/certificate": async () => ({ params: { ...erp, backup: "latest" } }),
  "get /api/stacks/{stack}/backups/{backup}/certificate/pdf": async () => ({ params: { ...erp, backup: "latest" } }),
  "get /api/stacks/{stack}/exposure": async () => ({ params: erp }),
  "get /api/stacks/{stack}/checklist": async () => ({ params: erp }),
  "get /api/stacks/{stack}/finance/filings": async () => ({ params: erp, query: "all=true&year=2026" }),
  "get /api/stacks/{stack}/finance/alerts": async () => ({ params: erp }),
  "get /api/stacks/{stack}/finance/holidays": async () => ({ params: erp, query: "year=2026" }),
  "get /api/stacks/{stack}/finance/extensions": async () => ({ params: erp }),
  "get /api/stacks/{stack}/finance/closes": async () => ({ params: erp, query: "period=2026-09" }),
  "get /api/stacks/{stack}/finance/heartbeats": async () => ({ params: erp }),
  "get /api/stacks/{stack}/finance/reports": async () => ({ params: erp, query: "period=2026-02" }),
  "get /api/runs": async () => ({ query: "stack=erp" }),
  "get /api/runs/{run}": () => ofRun(),
  "get /api/runs/{run}/plan": () => ofRun(),
  "get /api/runs/{run}/events": async () => {
    const run = await approvedRun(test.control, api.plans["change"]?.("erp") as never);
    return { params: { run: (await resume(test.control, run)).id } };
  },
  "get /api/events": async () => ({}),
  "post /api/plans": async () => ({ body: { ...erp, procedure: "change" } }),
  "post /api/runs": async () => ({ body: { ...erp, procedure: "change", consent: false } }),
  "post /api/runs/{run}/approvals": async () => {
    const run = await planned("change");
    return { params: { run: run.id }, body: { planHash: run.plan_hash } };
  },
  "post /api/runs/{run}/cancel": () => ofRun(),
  "post /api/runs/{run}/decision": async () => ({
    params: { run: (await stopped()).id },
    body: { decision: "abandon" },
  }),
  "post /api/runs/{run}/signals": async () => ({ ...(await ofRun("sign")), body: { signal: "go" } }),
  "get /api/stacks/{stack}/schedules": async () => ({ params: erp }),
  "get /api/stacks/{stack}/occurrences": async () => ({ params: erp }),
  "post /api/stacks/{stack}/schedules/{name}/pause": async () => ({ params: { ...erp, name: "nightly" } }),
  "post /api/stacks/{stack}/schedules/{name}/resume": async () => ({ params: { ...erp, name: "nightly" } }),
  "post /api/stacks/{stack}/once": async () => ({ params: erp, body: { procedure: "change", at: inDays(1) } }),
  "delete /api/stacks/{stack}/once/{name}": async () => {
    const one = { ...erp, procedure: "change", input: {}, actor: "root", at: new Date(inDays(1)), graceSeconds: 60 };
    return { params: { ...erp, name: (await addOneOff(test.control, one, new Date())).schedule } };
  },
  "get /api/notifications": async () => ({}),
  "post /api/channels/{channel}/test": async () => ({ params: { channel: "chat" } }),
  "get /api/me": async () => ({}),
  "get /api/people": async () => ({}),
  "post /api/people": async () => {
    const handle = fresh("new-");
    return { body: { handle, name: "Somebody New", email: `${handle}@example.com` } };
  },
  "post /api/people/{handle}/invitation": async () => ({ params: { handle: (await newPerson()).handle } }),
  "post /api/people/{handle}/leave": async () => ({ params: { handle: (await newPerson()).handle } }),
  "post /api/people/{handle}/grants": async () => ({
    params: { handle: (await newPerson()).handle },
    body: { role: "operator", stacks: ["erp"] },
  }),
  "delete /api/people/{handle}/grants/{grant}": async () => {
    const person = await newPerson();
    await giveGrant(test.control, person, { role: "viewer", stacks: [], procedures: [] }, "root", new Date());
    const id = (await listGrants(test.control, [person.id])).get(person.id)?.[0]?.id;
    return { params: { handle: person.handle, grant: String(id) } };
  },
  "get /api/tokens": async () => ({}),
  "post /api/tokens": async () => ({ body: { name: fresh("t"), limits: [{ role: "viewer" }] } }),
  "delete /api/tokens/{name}": async (asker) => {
    const name = fresh("d");
    const owner = await findPerson(test.control.db, handleOf(asker));
    const wanted = { name, limits: [], expiresAt: new Date(inDays(1)) };
    if (owner !== undefined) await createToken(test.control, owner, wanted, owner.handle, new Date());
    return { params: { name } };
  },
  "get /api/absences": async () => ({}),
  "post /api/absences": async () => ({
    body: { handle: (await newPerson()).handle, from: inDays(1), until: inDays(2) },
  }),
  "delete /api/absences/{absence}": async () => {
    const span = { from: new Date(inDays(1)), until: new Date(inDays(2)), deputy: undefined };
    return {
      params: { absence: String(await noteAbsence(test.control, await newPerson(), span, "root", new Date())) },
    };
  },
  "get /api/oncall": async () => ({}),
  "post /api/oncall/{rota}/covers": async () => ({
    params: { rota: "night" },
    body: { handle: (await newPerson()).handle, from: inDays(1), until: inDays(2) },
  }),
  "get /api/audit": async () => ({}),
  "get /api/audit/export": async () => ({}),
};

const keyOf = ({ method, path }: Endpoint) => `${method} ${path}`;

async function ask(endpoint: Endpoint, asker: Asker): Promise<{ status: number; body: unknown }> {
  const make = given[keyOf(endpoint)];
  if (make === undefined) throw new Error(`nothing is asked of ${keyOf(endpoint)}`);
  const { params = {}, query, body } = await make(asker);
  const path = endpoint.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => params[name] ?? "");
  const init = {
    method: endpoint.method.toUpperCase(),
    headers: { origin: api.ports.url, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  };
  const address = query === undefined ? path : `${path}?${query}`;
  if (endpoint.path === "/api/events") return { status: await statusOfStream(address, asker), body: undefined };
  const visitor = visitors.get(asker);
  if (visitor === undefined) return fetch(new URL(address, api.url), init);
  return visitor.request(address, init);
}

/** It does not end by itself. */
async function statusOfStream(address: string, asker: Asker): Promise<number> {
  const stop = new AbortController();
  const cookies = [...(visitors.get(asker)?.cookies ?? [])].map(([name, value]) => `${name}=${value}`).join("; ");
  const response = await fetch(new URL(address, api.url), { headers: { cookie: cookies }, signal: stop.signal });
  stop.abort();
  return response.status;
}

describe("every endpoint against every role", () => {
  it("answers as the table says", async () => {
    const rows: string[] = [];
    for (const endpoint of endpoints) {
      const statuses: string[] = [];
      for (const asker of askers) statuses.push(`${(await ask(endpoint, asker)).status}`);
      rows.push(`${statuses.join(" ")}  ${keyOf(endpoint)}`);
    }
    await api.settled();
    await expect(`${askers.map(handleOf).join(" ")}\n${rows.join("\n")}\n`).toMatchFileSnapshot("golden/roles.txt");
  }, 120_000);

  it("answers what its contract says, and the contract describes every one", async () => {
    for (const endpoint of endpoints) {
      if (endpoint.stream !== undefined || endpoint.status === 204) continue;
      const { body, status } = await ask(endpoint, "admin");
      expect(`${status} ${keyOf(endpoint)}`).toBe(`${endpoint.status} ${keyOf(endpoint)}`);
      const parsed = endpoint.answer.safeParse(body);
      expect(parsed.success ? [] : [keyOf(endpoint), ...parsed.error.issues]).toEqual([]);
    }
    const document = (await (await fetch(`${api.url}/api/openapi.json`)).json()) as { paths: Record<string, object> };
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    expect(described.toSorted()).toEqual(endpoints.map(keyOf).toSorted());
    await api.settled();
  }, 60_000);

  it("keeps every change that was refused, and no look", async () => {
    const run = await planned("change");
    const refused = await visitors.get("viewer")?.request(`/api/runs/${run.id}/cancel`, {
      method: "POST",
      headers: { origin: api.ports.url },
    });
    expect(refused?.status).toBe(403);
    expect(await getRun(test.control, run.id)).toMatchObject({ cancel_requested_by: null });
    const audit = await visitors.get("admin")?.request("/api/audit?limit=5", { method: "GET" });
    expect(audit?.body.at(-1)).toMatchObject({
      ...{ actor: "viewer", action: "access.refused", subject: `POST /api/runs/${run.id}/cancel` },
      detail: { reason: "access.forbidden", via: "session" },
    });
  });
});
