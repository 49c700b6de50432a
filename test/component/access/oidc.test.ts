import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { leavePerson } from "../../../src/access/people.ts";
import type { OidcProvider as Settings } from "../../../src/access/sign-in/oidc.ts";
import { Secret } from "../../../src/config/secret.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { type OidcProvider, oidcClient, startOidcProvider } from "../../harness/oidc-provider.ts";
import { actionsOf, addApp, addMember, addWithPassword, codeOf, signIn } from "../../harness/person.ts";
import { type AuthServer, startAuthServer, Visitor } from "../../harness/visitor.ts";

let test: TestControl;
let provider: OidcProvider;
let server: AuthServer;

const settings = (otherwise: Partial<Settings> = {}): Settings => ({
  ...{ issuer: provider.issuer, clientId: new Secret(oidcClient.id), clientSecret: new Secret(oidcClient.secret) },
  ...{ scopes: ["openid", "email"], match: "email", secondFactor: false, ...otherwise },
});

beforeAll(async () => {
  test = await startControl();
  provider = await startOidcProvider();
  const oidc = {
    company: settings(),
    "by-handle": settings({ match: { handle: "preferred_username" }, secondFactor: true }),
  };
  server = await startAuthServer(test.control, { settings: { oidc } });
});

beforeEach(() => {
  provider.lies = {};
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await provider[Symbol.asyncDispose]();
  await test[Symbol.asyncDispose]();
});

/** From the button to the provider and back; where the browser ends up. */
async function signInThere(visitor: Visitor, name = "company"): Promise<string> {
  const begun = await visitor.post("/sign-in/social", { provider: name, callbackURL: "/home" });
  if (begun.status !== 200) throw new Error(JSON.stringify(begun.body));
  const there = await fetch(begun.body.url, { redirect: "manual" });
  const back = new URL(there.headers.get("location") ?? "");
  const answer = await visitor.request(`${back.pathname}${back.search}`, { method: "GET" });
  return answer.headers.get("location") ?? "";
}

const user = (sub: string, otherwise: object = {}) => ({
  ...{ sub, email: `${sub}@example.com`, email_verified: true, ...otherwise },
});

describe("a provider", () => {
  it("signs in who is there, by her verified address, and keeps no tokens", async () => {
    await addMember(test.control, "anna");
    provider.user = user("anna", { email: "Anna@Example.com" });
    for (const _ of ["the first time, tied to her", "and known by that"]) {
      const visitor = new Visitor(server);
      expect(await signInThere(visitor)).toBe("/home");
      expect(await visitor.who()).toMatchObject({
        person: { handle: "anna" },
        session: { method: "oidc company", secondFactor: false },
        isRestricted: false,
      });
      provider.user = user("anna", { email: "another@example.com", email_verified: false });
    }
    const accounts = await test.control.db.selectFrom("accounts").selectAll().execute();
    expect(accounts).toMatchObject([
      { provider: "company", account: "anna", access_token: null, refresh_token: null, id_token: null },
    ]);
    expect(await actionsOf(test.control, "anna")).toEqual(["added", "signed_in", "signed_in"]);
  });

  it("signs in by a claim that holds the handle, with its own second factor", async () => {
    await addMember(test.control, "bella");
    provider.user = { sub: "4711", preferred_username: "Bella", email: "elsewhere@example.net" };
    const visitor = new Visitor(server);
    expect(await signInThere(visitor, "by-handle")).toBe("/home");
    expect(await visitor.who()).toMatchObject({ person: { handle: "bella" }, session: { secondFactor: true } });
  });

  it("makes nobody, and lets in nobody with an address that it has not verified", async () => {
    await addMember(test.control, "carla");
    for (const claims of [user("stranger"), user("carla", { email_verified: false }), { sub: "carla" }]) {
      provider.user = claims;
      const visitor = new Visitor(server);
      expect(await signInThere(visitor)).toMatch(/^http:\/\/localhost:\d+\/sign-in\?error=\w+$/);
      expect(await visitor.who()).toBeNull();
    }
    expect(
      await test.control.db.selectFrom("people").select("handle").where("email", "like", "stranger%").execute(),
    ).toEqual([]);
    const refused = await test.control.db
      .selectFrom("audit")
      .select("detail")
      .where("action", "=", "person.sign_in_refused")
      .execute();
    expect(refused.map(({ detail }) => detail["method"])).toContain("oidc company");
  });

  it("lets in nobody by a token that is not for this sign-in, or not its own", async () => {
    await addMember(test.control, "dora");
    provider.user = user("dora");
    for (const lies of [
      { nonce: "another" },
      { audience: "another client" },
      { issuer: "https://another.example.net" },
      { isExpired: true },
      { isForged: true },
      { hasNoIdToken: true },
    ]) {
      provider.lies = lies;
      const visitor = new Visitor(server);
      expect([lies, await signInThere(visitor)]).toEqual([lies, expect.stringContaining("/sign-in?error=")]);
      expect(await visitor.who()).toBeNull();
    }
    provider.lies = {};
    expect(await signInThere(new Visitor(server))).toBe("/home");
  });

  it("is answered only in the browser that asked, and once", async () => {
    await addMember(test.control, "emma");
    provider.user = user("emma");
    const visitor = new Visitor(server);
    const { body } = await visitor.post("/sign-in/social", { provider: "company", callbackURL: "/home" });
    const there = await fetch(body.url, { redirect: "manual" });
    const back = new URL(there.headers.get("location") ?? "");
    const thief = new Visitor(server);
    await thief.request(`${back.pathname}${back.search}`, { method: "GET" });
    expect(await thief.who()).toBeNull();
    const fresh = await signInThere(visitor);
    expect(fresh).toBe("/home");
    const again = await visitor.request(`${back.pathname}${back.search}`, { method: "GET" });
    expect(again.headers.get("location")).toContain("error=");
  });

  it("does not give one person's ties to another who has her address now", async () => {
    await addMember(test.control, "freya");
    provider.user = user("freya");
    expect(await signInThere(new Visitor(server))).toBe("/home");
    provider.user = user("somebody-else", { email: "freya@example.com" });
    const visitor = new Visitor(server);
    expect(await signInThere(visitor)).toContain("error=");
    expect(await visitor.who()).toBeNull();
  });

  it("lets in nobody who left", async () => {
    await addMember(test.control, "gina");
    provider.user = user("gina");
    expect(await signInThere(new Visitor(server))).toBe("/home");
    await leavePerson(test.control.db, "gina", { actor: "root", now: new Date() });
    const visitor = new Visitor(server);
    expect(await signInThere(visitor)).toContain("error=");
    expect(await visitor.who()).toBeNull();
  });

  it("does not stand for a second factor that its user has here", async () => {
    const visitor = await addWithPassword(test.control, server, "hanna");
    await signIn(visitor, "hanna");
    const { uri } = await addApp(visitor);
    await test.control.db.deleteFrom("used_codes").execute();
    provider.user = user("hanna");
    const there = new Visitor(server);
    expect(await signInThere(there)).toBe("/home");
    expect(await there.who()).toMatchObject({ isRestricted: true });
    expect((await there.post("/two-factor/verify-totp", { code: codeOf(uri) })).status).toBe(200);
    expect(await there.who()).toMatchObject({ session: { method: "oidc company" }, isRestricted: false });
    const guesser = new Visitor(server);
    await signInThere(guesser);
    await test.control.db.deleteFrom("used_codes").execute();
    const guesses: number[] = [];
    for (let code = 100_000; code < 100_012; code += 1)
      guesses.push((await guesser.post("/two-factor/verify-totp", { code: String(code) })).status);
    expect(guesses).toEqual([...Array(10).fill(401), 429, 429]);
  });

  it("sends nobody to another site", async () => {
    const visitor = new Visitor(server);
    const elsewhere = { provider: "company", callbackURL: "https://evil.example.net/" };
    expect((await visitor.post("/sign-in/social", elsewhere)).status).toBe(403);
    expect((await visitor.post("/sign-in/social", { ...elsewhere, idToken: { token: "x" } })).status).toBe(400);
  });

  it("that is away when the server begins is found when it is back", async () => {
    const late = await startOidcProvider();
    await late.stop();
    const oidc = { late: settings({ issuer: late.issuer }) };
    await using other = await startAuthServer(test.control, { settings: { oidc } });
    const visitor = new Visitor(other);
    expect((await visitor.post("/sign-in/social", { provider: "late", callbackURL: "/home" })).status).toBe(404);
    await using back = await startOidcProvider(Number(new URL(late.issuer).port));
    await addMember(test.control, "ines");
    back.user = user("ines");
    expect(await signInThere(visitor, "late")).toBe("/home");
    expect(await visitor.who()).toMatchObject({ person: { handle: "ines" } });
  });
});
