import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { invitePerson } from "../../../src/access/people.ts";
import { Secret } from "../../../src/config/secret.ts";
import { Authenticator } from "../../harness/authenticator.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { actionsOf, addApp, addSignedIn, codeOf, goodPassword, signIn } from "../../harness/person.ts";
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

const origin = () => `http://localhost:${new URL(server.url).port}`;

/** A code that was good is good no more; that it was used is forgotten here, so that a test need not wait for the next one. */
const forgetCodes = () => test.control.db.deleteFrom("used_codes").execute();

describe("an authenticator app", () => {
  it("is asked for once it is set up", async () => {
    const visitor = await addSignedIn(test.control, server, "anna");
    expect((await visitor.post("/two-factor/enable", { password: "wrong wrong wrong" })).status).toBe(400);
    const { uri } = await addApp(visitor);
    expect(await visitor.who()).toMatchObject({
      session: { method: "password", secondFactor: true },
      isRestricted: false,
    });
    await forgetCodes();
    const there = new Visitor(server);
    expect(await signIn(there, "anna")).toMatchObject({ status: 200, body: { twoFactorRedirect: true } });
    expect(await there.who()).toBeNull();
    expect((await there.post("/two-factor/verify-totp", { code: "000000" })).status).toBe(401);
    expect(await there.who()).toBeNull();
    expect((await there.post("/two-factor/verify-totp", { code: codeOf(uri) })).status).toBe(200);
    expect(await there.who()).toMatchObject({ person: { handle: "anna" }, session: { secondFactor: true } });
    expect(await actionsOf(test.control, "anna")).toEqual([
      ...[
        "added",
        "invited",
        "password_set",
        "signed_in",
        "sign_in_refused",
        "factor_added",
        "sign_in_refused",
        "signed_in",
      ],
    ]);
  });

  it("has each of its codes taken once, also of several at the same time", async () => {
    const { uri } = await addApp(await addSignedIn(test.control, server, "bella"));
    await forgetCodes();
    const visitors = await Promise.all(
      [1, 2, 3].map(async () => {
        const visitor = new Visitor(server);
        await signIn(visitor, "bella");
        return visitor;
      }),
    );
    const code = codeOf(uri);
    const answers = await Promise.all(visitors.map((one) => one.post("/two-factor/verify-totp", { code })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401]);
    expect(answers.filter(({ status }) => status === 401).map(({ body }) => body.code)).toEqual([
      "code_used",
      "code_used",
    ]);
    const late = new Visitor(server);
    await signIn(late, "bella");
    expect((await late.post("/two-factor/verify-totp", { code })).body).toMatchObject({ code: "code_used" });
  });

  it("is replaced by a backup code, once each", async () => {
    const { backupCodes } = await addApp(await addSignedIn(test.control, server, "carla"));
    const [code = ""] = backupCodes;
    const visitor = new Visitor(server);
    await signIn(visitor, "carla");
    expect((await visitor.post("/two-factor/verify-backup-code", { code })).status).toBe(200);
    expect(await visitor.who()).toMatchObject({ session: { secondFactor: true } });
    const again = new Visitor(server);
    await signIn(again, "carla");
    expect((await again.post("/two-factor/verify-backup-code", { code })).status).toBe(401);
    expect(await again.who()).toBeNull();
  });

  it("cannot be guessed", async () => {
    const { uri } = await addApp(await addSignedIn(test.control, server, "dora"));
    await forgetCodes();
    const codes = Array.from({ length: 12 }, (_, index) => String(100_000 + index));
    const statuses: number[] = [];
    for (const [index, code] of codes.entries()) {
      const visitor = new Visitor(server);
      await signIn(visitor, "dora");
      statuses.push((await visitor.post("/two-factor/verify-totp", { code })).status);
      if (index === 11) expect((await visitor.post("/two-factor/verify-totp", { code: codeOf(uri) })).status).toBe(429);
    }
    expect(statuses).toEqual([...Array(10).fill(401), 429, 429]);
  });

  it("is not there before it was shown to work: its backup codes are none yet", async () => {
    const visitor = await addSignedIn(test.control, server, "petra");
    const { body } = await visitor.post("/two-factor/enable", { password: goodPassword });
    const answer = await visitor.post("/two-factor/verify-backup-code", { code: body.backupCodes[0] });
    expect(answer).toMatchObject({ status: 400, body: { code: "no_second_factor" } });
    expect(await visitor.who()).toMatchObject({ session: { secondFactor: false } });
  });

  it("survives that the secret is changed, which ends every session", async () => {
    const visitor = await addSignedIn(test.control, server, "emma");
    const { uri } = await addApp(visitor);
    await forgetCodes();
    const secrets = [{ version: 2, value: new Secret("another-secret-".repeat(3)) }, ...testSecrets];
    await using renewed = await startAuthServer(test.control, { secrets });
    const there = new Visitor(renewed);
    for (const [name, value] of visitor.cookies) there.cookies.set(name, value);
    expect(await there.who()).toBeNull();
    await signIn(there, "emma");
    expect((await there.post("/two-factor/verify-totp", { code: codeOf(uri) })).status).toBe(200);
  });

  it("is kept encrypted", async () => {
    const { uri, backupCodes } = await addApp(await addSignedIn(test.control, server, "freya"));
    const rows = await test.control.db.selectFrom("second_factors").selectAll().execute();
    expect(rows.length).toBeGreaterThan(3);
    const kept = JSON.stringify(rows);
    expect(kept).not.toContain(backupCodes[0]);
    expect(kept).not.toContain(Buffer.from(new URL(uri).searchParams.get("secret") ?? "").toString());
  });

  it("is taken off with the password, or by a link that begins afresh", async () => {
    const visitor = await addSignedIn(test.control, server, "gina");
    await addApp(visitor);
    expect((await visitor.post("/two-factor/disable", { password: "wrong wrong wrong" })).status).toBe(400);
    expect((await visitor.post("/two-factor/disable", { password: goodPassword })).status).toBe(200);
    expect((await signIn(new Visitor(server), "gina")).body).not.toHaveProperty("twoFactorRedirect");
    await forgetCodes();
    const again = new Visitor(server);
    await signIn(again, "gina");
    await addApp(again);
    const change = { actor: "root", now: new Date(), afresh: true };
    const { token } = await invitePerson(test.control.db, "gina", change);
    expect(await again.who()).toBeNull();
    await again.post("/set-up", { token, password: goodPassword });
    expect((await signIn(again, "gina")).body).not.toHaveProperty("twoFactorRedirect");
    expect(await again.who()).toMatchObject({ isRestricted: false });
    expect((await actionsOf(test.control, "gina")).filter((one) => one === "factor_removed")).toHaveLength(2);
  });
});

/** Registers a passkey in a session. */
async function addPasskey(visitor: Visitor, key: Authenticator) {
  const { body: options } = await visitor.get("/passkey/generate-register-options");
  const ceremony = { origin: origin(), challenge: options.challenge, rpId: "localhost" };
  return await visitor.post("/passkey/verify-registration", { response: key.register(ceremony), name: "the laptop" });
}

async function showPasskey(visitor: Visitor, key: Authenticator, otherwise: object = {}) {
  const { body: options } = await visitor.get("/passkey/generate-authenticate-options");
  const ceremony = { origin: origin(), challenge: options.challenge, rpId: "localhost", ...otherwise };
  return await visitor.post("/passkey/verify-authentication", { response: key.authenticate(ceremony) });
}

describe("a passkey", () => {
  it("signs in alone, with both factors", async () => {
    const visitor = await addSignedIn(test.control, server, "hanna");
    const key = new Authenticator();
    expect((await addPasskey(visitor, key)).status).toBe(200);
    expect(await visitor.who()).toMatchObject({ session: { secondFactor: true } });
    const there = new Visitor(server);
    expect((await showPasskey(there, key)).status).toBe(200);
    expect(await there.who()).toMatchObject({
      person: { handle: "hanna" },
      session: { method: "passkey", secondFactor: true },
      isRestricted: false,
    });
    expect(await actionsOf(test.control, "hanna")).toEqual(expect.arrayContaining(["factor_added", "signed_in"]));
  });

  it("is refused for another origin, another site, another challenge, and without its owner", async () => {
    const visitor = await addSignedIn(test.control, server, "ines");
    const key = new Authenticator();
    await addPasskey(visitor, key);
    const other = Buffer.alloc(32, 7).toString("base64url");
    for (const wrong of [
      { origin: "https://evil.example.net" },
      { rpId: "evil.example.net" },
      { challenge: other },
      { isVerified: false },
    ]) {
      const there = new Visitor(server);
      expect((await showPasskey(there, key, wrong)).status).toBeGreaterThanOrEqual(400);
      expect(await there.who()).toBeNull();
    }
    expect((await showPasskey(new Visitor(server), key)).status).toBe(200);
    const { body: options } = await visitor.get("/passkey/generate-register-options");
    const ceremony = { origin: "https://evil.example.net", challenge: options.challenge, rpId: "localhost" };
    const response = new Authenticator().register(ceremony);
    expect((await visitor.post("/passkey/verify-registration", { response })).status).toBeGreaterThanOrEqual(400);
  });

  it("cannot be shown again with what was said before", async () => {
    const visitor = await addSignedIn(test.control, server, "jana");
    const key = new Authenticator();
    await addPasskey(visitor, key);
    const there = new Visitor(server);
    const { body: options } = await there.get("/passkey/generate-authenticate-options");
    const response = key.authenticate({ origin: origin(), challenge: options.challenge, rpId: "localhost" });
    const cookies = new Map(there.cookies);
    expect((await there.post("/passkey/verify-authentication", { response })).status).toBe(200);
    const replayed = new Visitor(server);
    for (const [name, value] of cookies) replayed.cookies.set(name, value);
    expect((await replayed.post("/passkey/verify-authentication", { response })).status).toBe(400);
    expect(await replayed.who()).toBeNull();
    await replayed.get("/passkey/generate-authenticate-options");
    expect((await replayed.post("/passkey/verify-authentication", { response })).status).toBe(400);
  });

  it("is added only soon after the sign-in, so not by whoever finds a browser open", async () => {
    const visitor = await addSignedIn(test.control, server, "nora");
    const { session } = await visitor.who();
    const earlier = new Date(Date.now() - 61 * 60_000);
    await test.control.db.updateTable("sessions").set({ created_at: earlier }).where("id", "=", session.id).execute();
    expect((await visitor.get("/passkey/generate-register-options")).status).toBe(403);
    await signIn(visitor, "nora");
    expect((await addPasskey(visitor, new Authenticator())).status).toBe(200);
  });

  it("that nobody registered, or that another key forges, lets nobody in", async () => {
    const visitor = await addSignedIn(test.control, server, "karla");
    const key = new Authenticator();
    await addPasskey(visitor, key);
    expect((await showPasskey(new Visitor(server), new Authenticator())).status).toBe(401);
    const thief = Object.assign(new Authenticator(), { id: key.id });
    const there = new Visitor(server);
    expect((await showPasskey(there, thief)).status).toBeGreaterThanOrEqual(400);
    expect(await there.who()).toBeNull();
    expect(await actionsOf(test.control, "karla")).toContain("sign_in_refused");
  });
});

describe("a second factor", () => {
  it("once there, is needed: a password alone neither gets in nor adds or takes away another", async () => {
    const visitor = await addSignedIn(test.control, server, "lara");
    await addPasskey(visitor, new Authenticator());
    const thief = new Visitor(server);
    expect((await signIn(thief, "lara")).status).toBe(200);
    expect(await thief.who()).toMatchObject({ session: { secondFactor: false }, isRestricted: true });
    const { body: keys } = await thief.get("/passkey/list-user-passkeys");
    const refused = [
      await thief.post("/two-factor/enable", { password: goodPassword }),
      await thief.get("/passkey/generate-register-options"),
      await thief.post("/passkey/delete-passkey", { id: keys[0].id }),
      await thief.post("/change-password", { currentPassword: goodPassword, newPassword: "the thief's own 9" }),
      await thief.get("/list-sessions"),
    ];
    expect(refused.map(({ status, body }) => [status, body.code])).toEqual(
      Array(5).fill([403, "second_factor_required"]),
    );
    expect((await visitor.post("/passkey/delete-passkey", { id: keys[0].id })).status).toBe(200);
    expect(await thief.who()).toMatchObject({ isRestricted: false });
  });

  it("where it is required, is all that a session without one may set up", async () => {
    await using strict = await startAuthServer(test.control, { settings: { secondFactor: "required", url: origin() } });
    await addSignedIn(test.control, server, "mona");
    const visitor = new Visitor(strict, origin());
    expect((await signIn(visitor, "mona")).status).toBe(200);
    expect(await visitor.who()).toMatchObject({ isRestricted: true });
    expect((await visitor.get("/list-sessions")).body).toMatchObject({ code: "second_factor_required" });
    await addApp(visitor);
    expect(await visitor.who()).toMatchObject({ isRestricted: false });
    expect((await visitor.get("/list-sessions")).status).toBe(200);
  });
});

describe("codes", () => {
  it("cannot be guessed by many requests at once, in a session that lacks a second factor", async () => {
    const visitor = await addSignedIn(test.control, server, "olga");
    await addPasskey(visitor, new Authenticator());
    await addApp(visitor);
    await test.control.db.updateTable("sessions").set({ second_factor: false }).execute();
    await forgetCodes();
    const guesses = Array.from({ length: 40 }, async (_, index) => {
      const thief = new Visitor(server);
      for (const [name, value] of visitor.cookies) thief.cookies.set(name, value);
      return (await thief.post("/two-factor/verify-totp", { code: String(200_000 + index) })).status;
    });
    const statuses = await Promise.all(guesses);
    expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(10);
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(30);
    expect(await visitor.who()).toMatchObject({ isRestricted: true });
  });
});
