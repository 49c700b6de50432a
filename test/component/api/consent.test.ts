import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { noteAbsence } from "../../../src/access/absences.ts";
import { findPerson, leavePerson } from "../../../src/access/people.ts";
import type { Grant } from "../../../src/access/rights.ts";
import { revokeToken } from "../../../src/access/tokens.ts";
import { listLinks } from "../../../src/engine/audit.ts";
import { getRun } from "../../../src/engine/journal.ts";
import { grantTo, startApi, type TestApi, tokenOf } from "../../harness/api.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { addMember, addSignedIn } from "../../harness/person.ts";

/** Consent, tokens and what is refused of them, over real HTTP. Plans of this stack need two people. */
let test: TestControl;
let api: TestApi;
beforeAll(async () => {
  test = await startControl();
  api = await startApi(test.control, test.home, { second: "change" });
  for (const handle of ["anna", "berta", "carla", "dora"]) await addMember(test.control, handle);
  await grantTo(test.control, "anna", "operator");
  await grantTo(test.control, "berta", "approver");
  await grantTo(test.control, "carla", "viewer");
  await grantTo(test.control, "dora", "admin");
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await test[Symbol.asyncDispose]();
});

interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what a test asks for it compares.
  readonly body: any;
}

async function call(token: string, method: string, path: string, body?: object, headers = {}): Promise<Answer> {
  const response = await fetch(new URL(path, api.url), {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
}

const start = async (token: string, over: object = {}, headers = {}) =>
  call(token, "POST", "/api/runs", { stack: "erp", procedure: "change", ...over }, headers);
const approve = (token: string, run: string, planHash: string) =>
  call(token, "POST", `/api/runs/${run}/approvals`, { planHash });

async function lastRefusal() {
  return (await listLinks(test.control)).findLast(({ action }) => action.endsWith("refused"));
}

describe("a plan that needs two people", () => {
  it("is begun by one, waits, and is carried out with the consent of another", async () => {
    const [anna, berta] = [await tokenOf(test.control, "anna"), await tokenOf(test.control, "berta")];
    const { body: run, status } = await start(anna);
    expect([status, run]).toMatchObject([201, { consentsNeeded: 2, actor: "anna", approvals: [{ actor: "anna" }] }]);
    const effects = api.world.effects().length;
    const approved = await approve(berta, run.run, run.planHash);
    expect(approved).toMatchObject({ status: 200, body: { approvals: [{ actor: "anna" }, { actor: "berta" }] } });
    await api.settled();
    expect(await call(anna, "GET", `/api/runs/${run.run}`)).toMatchObject({ body: { outcome: "succeeded" } });
    expect(api.world.effects()).toHaveLength(effects + 1);
  });

  it("takes no second consent of whoever began it, also not with another token", async () => {
    const { body: run } = await start(await tokenOf(test.control, "dora"));
    const again = await approve(await tokenOf(test.control, "dora"), run.run, run.planHash);
    expect(again).toMatchObject({ status: 409, body: { code: "approval.needs_other" } });
    expect(await lastRefusal()).toMatchObject({ actor: "dora", action: "run.approval_refused", subject: run.run });
    await api.settled();
    // Whoever could consent is told that it waits.
    expect(await getRun(test.control, run.run)).toMatchObject({ started_at: null, waiting_for: "approval" });
  });

  it("takes no consent to another plan", async () => {
    const { body: run } = await start(await tokenOf(test.control, "anna"));
    const other = await approve(await tokenOf(test.control, "berta"), run.run, "f".repeat(64));
    expect(other).toMatchObject({ status: 409, body: { code: "approval.other_plan" } });
    expect(await lastRefusal()).toMatchObject({ actor: "berta", detail: { reason: "approval.other_plan" } });
  });

  it("is void when the stack has changed since", async () => {
    const anna = await tokenOf(test.control, "anna");
    const { body: run } = await start(anna);
    const before = api.plans["change"];
    const changed = before?.("erp");
    if (changed === undefined) throw new Error("no plan");
    api.plans["change"] = () => ({ ...changed, facts: { version: 2 } });
    await approve(await tokenOf(test.control, "berta"), run.run, run.planHash);
    await api.settled();
    if (before !== undefined) api.plans["change"] = before;
    expect(await getRun(test.control, run.run)).toMatchObject({ outcome: "failed", error: { code: "run.drift" } });
  });

  it("takes no consent twice, and none after its end", async () => {
    const [anna, berta] = [await tokenOf(test.control, "anna"), await tokenOf(test.control, "berta")];
    const { body: run } = await start(anna);
    await approve(berta, run.run, run.planHash);
    await api.settled();
    const effects = api.world.effects().length;
    expect(await approve(berta, run.run, run.planHash)).toMatchObject({ body: { code: "approval.too_late" } });
    await api.settled();
    expect(api.world.effects()).toHaveLength(effects);
  });

  it("is consented to by a deputy, for whoever is away and as long as she is", async () => {
    const carla = await tokenOf(test.control, "carla");
    const { body: run } = await start(await tokenOf(test.control, "anna"));
    expect(await approve(carla, run.run, run.planHash)).toMatchObject({ status: 403 });
    const [berta, deputy] = [await findPerson(test.control.db, "berta"), await findPerson(test.control.db, "carla")];
    if (berta === undefined || deputy === undefined) throw new Error("nobody");
    const [from, until] = [new Date(Date.now() - 1000), new Date(Date.now() + 3_600_000)];
    await noteAbsence(test.control, berta, { from, until, deputy }, "berta", new Date());
    const approved = await approve(carla, run.run, run.planHash);
    expect(approved.body.approvals[1]).toMatchObject({ actor: "carla", onBehalfOf: "berta" });
    const link = (await listLinks(test.control)).findLast(({ action }) => action === "run.approved");
    expect(link).toMatchObject({ actor: "carla", detail: { onBehalfOf: "berta" } });
    await api.settled();
  });
});

describe("what is to run once", () => {
  it("is no way around the right to start: what cannot be taken back is refused", async () => {
    const at = new Date(Date.now() + 3_600_000).toISOString();
    const anna = await tokenOf(test.control, "anna");
    const once = (procedure: string) => call(anna, "POST", "/api/stacks/erp/once", { procedure, at });
    expect(await once("wipe")).toMatchObject({ status: 403, body: { code: "access.forbidden" } });
    expect(await once("change")).toMatchObject({ status: 201 });
  });
});

describe("a token", () => {
  const onShop: readonly Grant[] = [{ role: "admin", stacks: ["shop"], procedures: [] }];

  it("for another stack sees nothing of this one, and starts nothing on it", async () => {
    const { body: run } = await start(await tokenOf(test.control, "anna"));
    const shop = await tokenOf(test.control, "dora", onShop);
    expect(await call(shop, "GET", `/api/runs/${run.run}`)).toMatchObject({ status: 404 });
    expect(await approve(shop, run.run, run.planHash)).toMatchObject({ status: 404 });
    expect(await lastRefusal()).toMatchObject({ actor: "dora", action: "access.refused" });
    expect(await start(shop)).toMatchObject({ status: 404 });
    expect(await start(shop, { stack: "shop" })).toMatchObject({ status: 201 });
    expect((await call(shop, "GET", "/api/runs")).body.map(({ stack }: { stack: string }) => stack)).toEqual(["shop"]);
  });

  it("that has expired, was revoked, or whose person has left, is refused and kept", async () => {
    const expired = await tokenOf(test.control, "anna", undefined, new Date(Date.now() - 1000));
    expect(await call(expired, "GET", "/api/me")).toMatchObject({ status: 401, body: { code: "api.not_signed_in" } });
    expect(await lastRefusal()).toMatchObject({ actor: "anna", detail: { reason: "it is expired" } });

    await addMember(test.control, "eva");
    const eva = await findPerson(test.control.db, "eva");
    if (eva === undefined) throw new Error("nobody");
    const first = await tokenOf(test.control, "eva");
    const second = await tokenOf(test.control, "eva");
    const names = (await call(first, "GET", "/api/tokens")).body.map(({ name }: { name: string }) => name);
    await revokeToken(test.control, eva, names[0], "eva", new Date());
    expect(await call(first, "GET", "/api/me")).toMatchObject({ status: 401 });
    expect(await call(second, "GET", "/api/me")).toMatchObject({ status: 200 });
    await leavePerson(test.control.db, "eva", { actor: "root", now: new Date() });
    expect(await call(second, "GET", "/api/me")).toMatchObject({ status: 401 });
  });

  it("that is none, or has one letter wrong, is refused, and nothing is kept of it", async () => {
    const good = await tokenOf(test.control, "anna");
    const before = (await listLinks(test.control)).length;
    const wrong = good.slice(0, -1) + (good.endsWith("A") ? "B" : "A");
    for (const token of ["", "ipai_", "x".repeat(3000), wrong, good.toUpperCase()])
      expect(await call(token, "GET", "/api/me")).toMatchObject({ status: 401 });
    expect((await listLinks(test.control)).length).toBe(before);
  });

  it("makes no tokens, and grants nothing that it does not have", async () => {
    const dora = await tokenOf(test.control, "dora", onShop);
    expect(await call(dora, "POST", "/api/tokens", { name: "other", limits: [{ role: "admin" }] })).toMatchObject({
      status: 403,
    });
    const all = await tokenOf(test.control, "dora");
    expect(await call(all, "POST", "/api/people/dora/invitation", {})).toMatchObject({ status: 403 });
    expect(await call(dora, "POST", "/api/people/carla/grants", { role: "admin" })).toMatchObject({ status: 403 });
    expect(await call(dora, "POST", "/api/people/carla/grants", { role: "viewer", stacks: ["shop"] })).toMatchObject({
      status: 201,
    });
  });
});

describe("a request", () => {
  it("that is repeated under its key begins one run, also at the same moment", async () => {
    const anna = await tokenOf(test.control, "anna");
    const key = { "idempotency-key": "k-1" };
    const answers = await Promise.all(Array.from({ length: 8 }, () => start(anna, { consent: false }, key)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(answers.map(({ body }) => body.run)).size).toBe(1);
    const other = await start(anna, { consent: false, stack: "shop" }, key);
    expect(other).toMatchObject({ status: 422, body: { code: "run.request_key_reused" } });
  });

  it("that is not understood says why", async () => {
    const anna = await tokenOf(test.control, "anna");
    const missing = await call(anna, "POST", "/api/runs", { stack: "erp" });
    expect(missing).toMatchObject({ status: 400, body: { code: "api.bad_request" } });
    expect(missing.body.title).toContain("procedure");
    expect(await call(anna, "POST", "/api/runs", { stack: "erp", procedure: "change", extra: 1 })).toMatchObject({
      status: 400,
    });
    expect(await call(anna, "GET", "/api/runs?limit=0")).toMatchObject({ status: 400 });
    expect(await call(anna, "GET", "/api/runs/none-such")).toMatchObject({ status: 404 });
    expect(await call(anna, "GET", "/api/nowhere")).toMatchObject({ status: 404 });
    const large = await start(anna, { input: { text: "x".repeat(300_000) } });
    expect(large).toMatchObject({ status: 400 });
  });

  it("with a session of a page that is not ours changes nothing", async () => {
    const visitor = await addSignedIn(test.control, { url: api.url } as never, "fanny");
    await grantTo(test.control, "fanny", "admin");
    const init = { method: "POST", body: JSON.stringify({ stack: "erp", procedure: "change", consent: false }) };
    for (const origin of ["http://evil.example", "null"])
      expect(await visitor.request("/api/runs", { ...init, headers: { origin } })).toMatchObject({ status: 403 });
    expect(await visitor.request("/api/runs", init)).toMatchObject({ status: 403 });
    expect(await visitor.request("/api/runs", { ...init, headers: { origin: api.ports.url } })).toMatchObject({
      status: 201,
    });
  });
});
