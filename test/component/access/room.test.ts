import { getMigrations } from "better-auth/db/migration";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { authOptions } from "../../../src/access/sign-in/auth.ts";
import { findFault, listLinks } from "../../../src/engine/audit.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { addMember, addSignedIn, addWithPassword, signIn } from "../../harness/person.ts";
import { type AuthServer, startAuthServer, testSecrets, Visitor } from "../../harness/visitor.ts";

let test: TestControl;
let server: AuthServer;

beforeAll(async () => {
  test = await startControl();
  server = await startAuthServer(test.control);
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await test[Symbol.asyncDispose]();
});

describe("the tables", () => {
  const missing = async () => {
    const settings = { url: "http://localhost", secondFactor: "optional" as const, oidc: {} };
    const options = authOptions({ control: test.control, secrets: testSecrets, settings });
    const { toBeCreated, toBeAdded } = await getMigrations(options);
    return [...toBeCreated, ...toBeAdded].map(({ table, fields }) => [table, Object.keys(fields)]);
  };

  it("have every column that better-auth wants", async () => {
    await test.control.db.transaction().execute(async (tx) => {
      await sql`alter table people drop column image`.execute(tx);
      await sql`drop table rate_limits`.execute(tx);
    });
    expect(await missing()).toEqual([
      ["rate_limits", ["key", "count", "last_request"]],
      ["people", ["image"]],
    ]);
    await sql`alter table people add column image text`.execute(test.control.db);
    await sql`create table rate_limits (id text primary key, key text not null unique, count integer not null, last_request bigint not null)`.execute(
      test.control.db,
    );
    expect(await missing()).toEqual([]);
  });
});

describe("sign-ins that are refused", () => {
  const told = async (handle: string) => {
    const links = await listLinks(test.control);
    return links.filter(({ action, subject }) => action === "person.sign_in_refused" && subject === handle);
  };

  it("are told, but a flood of them only in part, and the rest is counted", async () => {
    let now = new Date("2026-11-25T10:00:10Z");
    await using clocked = await startAuthServer(test.control, { now: () => now });
    await addWithPassword(test.control, clocked, "anna");
    const visitor = new Visitor(clocked);
    for (let count = 0; count < 8; count += 1) await signIn(visitor, "anna", "wrong wrong wrong");
    expect((await told("anna")).map(({ actor, detail }) => [actor, detail])).toEqual(
      Array(3).fill(["(nobody)", { source: visitor.source, method: "password", reason: "invalid email or password" }]),
    );
    now = new Date("2026-11-25T10:01:10Z");
    await signIn(visitor, "anna");
    const last = (await listLinks(test.control)).at(-1);
    expect(last).toMatchObject({ action: "person.signed_in", detail: { refusalsNotTold: 5 } });
    await signIn(visitor, "anna", "wrong wrong wrong");
    expect((await told("anna")).at(-1)?.detail).not.toHaveProperty("notTold");
  });

  it("of a hundred sources in one minute fill no more than their share", async () => {
    const now = new Date("2026-11-25T11:00:00Z");
    await using clocked = await startAuthServer(test.control, { now: () => now });
    const before = (await listLinks(test.control)).length;
    for (let batch = 0; batch < 10; batch += 1)
      await Promise.all(
        Array.from({ length: 10 }, () => signIn(new Visitor(clocked), "no.such.person", "whatever it may be")),
      );
    expect((await listLinks(test.control)).length - before).toBe(30);
    expect(findFault(await listLinks(test.control))).toBeUndefined();
  });

  it("hold up guessing, from however many sources, and not the other ways in", async () => {
    await addWithPassword(test.control, server, "bella");
    for (let batch = 0; batch < 6; batch += 1)
      await Promise.all(Array.from({ length: 5 }, () => signIn(new Visitor(server), "bella", "wrong wrong wrong")));
    const right = await signIn(new Visitor(server), "bella");
    expect(right).toMatchObject({ status: 401, body: { code: "invalid_email_or_password" } });
    await test.control.db
      .updateTable("refusals")
      .set({ minute: new Date(Date.now() - 20 * 60_000) })
      .where("handle", "=", "bella")
      .execute();
    expect((await signIn(new Visitor(server), "bella")).status).toBe(200);
  });

  it("come from where the proxy says, and not from where a stranger says", async () => {
    await addMember(test.control, "carla");
    const request = (address: string) =>
      server.auth.handler(
        new Request("http://localhost/api/auth/sign-in/email", {
          method: "POST",
          headers: {
            ...{ "content-type": "application/json", "x-forwarded-for": "192.0.2.1, 192.0.2.2" },
            "x-ipai-source": "192.0.2.3",
          },
          body: JSON.stringify({ email: "carla", password: "whatever it may be" }),
        }),
        address,
      );
    await request("127.0.0.1");
    await request("198.51.100.7");
    expect((await told("carla")).map(({ detail }) => detail["source"])).toEqual(["192.0.2.2", "198.51.100.7"]);
  });

  it("from one source are limited, over all servers", async () => {
    await using other = await startAuthServer(await test.open());
    const statuses: number[] = [];
    for (let count = 0; count < 12; count += 1)
      for (const one of [server, other])
        statuses.push((await signIn(new Visitor(one, undefined, "203.0.113.9"), "nobody", "x")).status);
    expect(statuses.slice(0, 20)).toEqual(Array(20).fill(401));
    expect(statuses.slice(20)).toEqual(Array(4).fill(429));
  });
});

describe("the door", () => {
  it("opens for what is on the list only, and says problems as problems", async () => {
    const visitor = new Visitor(server);
    for (const path of ["/ok", "/error", "/get-session", "/delete-user", "/callback/../ok", "/reset-password/x"])
      expect(await visitor.get(path)).toMatchObject({ status: 404, body: { type: "about:blank", status: 404 } });
    const answers = [
      await visitor.get("/sign-out"),
      await visitor.post("/two-factor/verify-totp", { code: "123456", trustDevice: true }),
      await visitor.post("/sign-out", { everything: "x".repeat(70_000) }),
      await visitor.post("/change-password", { currentPassword: "a", newPassword: "b" }),
    ];
    expect(answers.map(({ status, body }) => [status, body.code])).toEqual([
      [405, "method_not_allowed"],
      [400, "unknown_member"],
      [413, "too_large"],
      [401, "not_signed_in"],
    ]);
    for (const { headers } of answers) expect(headers.get("content-type")).toBe("application/problem+json");
    const broken = { method: "POST", body: "{", headers: { "content-type": "application/json" } };
    expect((await visitor.request("/api/auth/sign-out", broken)).status).toBe(400);
  });

  it("tells of a fault inside to whoever runs it, and nothing of it to whoever asks", async () => {
    const faults: unknown[] = [];
    await using broken = await startAuthServer(test.control, { fault: (error) => faults.push(error) });
    await addWithPassword(test.control, server, "emma");
    await sql`alter table sessions rename to mislaid`.execute(test.control.db);
    const answer = await signIn(new Visitor(broken), "emma");
    await sql`alter table mislaid rename to sessions`.execute(test.control.db);
    expect(answer).toMatchObject({ status: 500, cookies: [] });
    expect(JSON.stringify(answer.body)).not.toMatch(/sessions|relation/);
    expect(faults.map(String)).toEqual([expect.stringContaining("sessions")]);
  });

  it("says that the control database is away, and lets in again when it is back", async () => {
    const visitor = await addSignedIn(test.control, server, "dora");
    await test.stop();
    await using begunMeanwhile = await startAuthServer(test.control);
    expect((await signIn(new Visitor(begunMeanwhile), "dora")).status).toBe(503);
    for (const answer of [
      await signIn(visitor, "dora"),
      await visitor.post("/sign-out"),
      await visitor.get("/passkey/generate-authenticate-options"),
      await visitor.post("/set-up", { token: "x", password: "whatever it may be" }),
    ]) {
      expect(answer).toMatchObject({ status: 503, body: { code: "control.unreachable", status: 503 } });
      expect(JSON.stringify(answer.body)).not.toMatch(/at .*\.[mc]?[jt]s|ECONN|ENOENT/);
      expect(answer.cookies).toEqual([]);
    }
    const headers = new Headers({ cookie: [...visitor.cookies].map(([name, value]) => `${name}=${value}`).join("; ") });
    await expect(server.auth.sessionOf(headers)).rejects.toMatchObject({ code: "control.unreachable" });
    await test.start();
    expect(await visitor.who()).toMatchObject({ person: { handle: "dora" } });
    expect((await signIn(new Visitor(begunMeanwhile), "dora")).status).toBe(200);
  });
});
