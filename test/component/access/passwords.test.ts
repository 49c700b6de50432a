import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addPerson, endSessions, invitePerson, leavePerson } from "../../../src/access/people.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { actionsOf, addMember, addSignedIn, addWithPassword, goodPassword, signIn } from "../../harness/person.ts";
import { type AuthServer, startAuthServer, Visitor } from "../../harness/visitor.ts";

let test: TestControl;
let server: AuthServer;
const change = () => ({ actor: "root", now: new Date() });

beforeAll(async () => {
  test = await startControl();
  server = await startAuthServer(test.control);
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await test[Symbol.asyncDispose]();
});

const invite = (handle: string, now = new Date()) =>
  invitePerson(test.control.db, handle, { actor: "root", now, afresh: false });

describe("a link to set a password", () => {
  it("works once", async () => {
    await addMember(test.control, "anna");
    const { token, expiresAt } = await invite("anna");
    expect(expiresAt.getTime() - Date.now()).toBeGreaterThan(23.9 * 3_600_000);
    const visitor = new Visitor(server);
    expect(await visitor.post("/set-up", { token, password: goodPassword })).toMatchObject({
      status: 200,
      body: { handle: "anna" },
    });
    expect(visitor.cookies.size).toBe(0);
    expect(await visitor.post("/set-up", { token, password: "another long one 9" })).toMatchObject({
      status: 403,
      body: { code: "invitation_void", status: 403 },
    });
    expect((await signIn(visitor, "anna")).status).toBe(200);
    expect(await actionsOf(test.control, "anna")).toEqual(["added", "invited", "password_set", "signed_in"]);
  });

  it("is used by one of two who have it", async () => {
    await addMember(test.control, "bella");
    const { token } = await invite("bella");
    const answers = await Promise.all(
      [1, 2, 3, 4].map((number) =>
        new Visitor(server).post("/set-up", { token, password: `${goodPassword} ${number}` }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 403, 403, 403]);
  });

  it("is void after a day, and when there is a newer one", async () => {
    await addMember(test.control, "carla");
    const visitor = new Visitor(server);
    const old = await invite("carla", new Date(Date.now() - 24 * 3_600_000 - 1000));
    expect((await visitor.post("/set-up", { token: old.token, password: goodPassword })).status).toBe(403);
    const first = await invite("carla");
    const second = await invite("carla");
    expect((await visitor.post("/set-up", { token: first.token, password: goodPassword })).status).toBe(403);
    expect((await visitor.post("/set-up", { token: second.token, password: goodPassword })).status).toBe(200);
  });

  it("survives a password that is refused", async () => {
    await addMember(test.control, "dora.reyes");
    const { token } = await invite("dora.reyes");
    const visitor = new Visitor(server);
    for (const password of ["short", "aaaaaaaaaaaaaaaaa", "my dora.reyes password", "x".repeat(200)])
      expect(await visitor.post("/set-up", { token, password })).toMatchObject({
        status: 400,
        body: { code: "weak_password" },
      });
    expect((await visitor.post("/set-up", { token, password: goodPassword })).status).toBe(200);
  });

  it("is kept as a hash, and a password too", async () => {
    await addWithPassword(test.control, server, "emma");
    const { token } = await invite("emma");
    const rows = [
      ...(await test.control.db.selectFrom("invitations").selectAll().execute()),
      ...(await test.control.db.selectFrom("accounts").selectAll().execute()),
      ...(await test.control.db.selectFrom("audit").selectAll().execute()),
    ];
    expect(rows.length).toBeGreaterThan(5);
    expect(JSON.stringify(rows)).not.toContain(token);
    expect(JSON.stringify(rows)).not.toContain(goodPassword);
  });

  it("ends every session and lets the new password in only", async () => {
    const visitor = await addSignedIn(test.control, server, "freya");
    const { token } = await invite("freya");
    expect(await visitor.who()).not.toBeNull();
    const password = "entirely different 5";
    expect((await new Visitor(server).post("/set-up", { token, password })).status).toBe(200);
    expect(await visitor.who()).toBeNull();
    expect((await signIn(visitor, "freya")).status).toBe(401);
    expect((await signIn(visitor, "freya", password)).status).toBe(200);
  });
});

describe("signing in with a password", () => {
  it("takes a handle or an address", async () => {
    const visitor = await addWithPassword(test.control, server, "gina");
    for (const name of ["gina", " Gina ", "GINA@example.com"]) {
      expect((await signIn(visitor, name)).status).toBe(200);
      expect(await visitor.who()).toMatchObject({
        person: { handle: "gina" },
        session: { method: "password", secondFactor: false },
        isRestricted: false,
      });
      await visitor.post("/sign-out");
      expect(await visitor.who()).toBeNull();
    }
    expect(await actionsOf(test.control, "gina")).toEqual(
      expect.arrayContaining(["signed_in", "signed_out", "signed_in", "signed_out"]),
    );
  });

  it("says the same of a wrong password, a name that there is not, one without a password and one who left", async () => {
    await addWithPassword(test.control, server, "hanna");
    await addWithPassword(test.control, server, "ines");
    await addMember(test.control, "jana");
    await leavePerson(test.control.db, "ines", change());
    const timed = async (name: string, password: string) => {
      const began = performance.now();
      const { status, body } = await signIn(new Visitor(server), name, password);
      return { status, body, took: performance.now() - began };
    };
    const tries = [
      ["hanna", "wrong"],
      ["nobody.here", goodPassword],
      ["jana", goodPassword],
      ["ines", goodPassword],
    ] as const;
    const took: Record<string, number[]> = {};
    for (let round = 0; round < 4; round += 1)
      for (const [name, password] of tries) {
        const answer = await timed(name, password);
        expect({ status: answer.status, body: answer.body }).toEqual({
          status: 401,
          body: {
            type: "about:blank",
            title: "Invalid email or password",
            status: 401,
            code: "invalid_email_or_password",
          },
        });
        took[name] = [...(took[name] ?? []), answer.took];
      }
    // A password is hashed for each. Of a busy machine the best times are compared; without hashing they would differ tenfold.
    const best = Object.values(took).map((times) => Math.min(...times));
    expect(Math.max(...best) / Math.min(...best)).toBeLessThan(3);
    const reasons = await test.control.db
      .selectFrom("audit")
      .select("detail")
      .where("action", "=", "person.sign_in_refused")
      .execute();
    expect(JSON.stringify(reasons)).not.toContain("nobody.here");
  });

  it("sets a cookie that scripts cannot read, and of https only there", async () => {
    const visitor = await addWithPassword(test.control, server, "karla");
    const [cookie = ""] = (await signIn(visitor, "karla")).cookies;
    expect(cookie).toMatch(/^ipai\.session_token=[^;]+; Max-Age=43200; Path=\/; HttpOnly; SameSite=Lax$/i);
    await using secure = await startAuthServer(test.control, { settings: { url: "https://ops.example.com" } });
    const there = new Visitor(secure, "https://ops.example.com");
    expect((await signIn(there, "karla")).cookies[0]).toMatch(
      /^__Secure-ipai\.session_token=[^;]+; Max-Age=43200; Path=\/; HttpOnly; Secure; SameSite=Lax$/i,
    );
  });

  it("makes a session of its own, whatever cookie was planted", async () => {
    const planted = await addSignedIn(test.control, server, "lara");
    const victim = await addWithPassword(test.control, server, "mona");
    for (const [name, value] of planted.cookies) victim.cookies.set(name, value);
    expect((await signIn(victim, "mona")).status).toBe(200);
    expect(await victim.who()).toMatchObject({ person: { handle: "mona" } });
    expect(await planted.who()).toMatchObject({ person: { handle: "lara" } });
    expect([...victim.cookies.values()]).not.toEqual([...planted.cookies.values()]);
    const forged = new Visitor(server);
    const [name = "", value = ""] = [...victim.cookies][0] ?? [];
    forged.cookies.set(name, value.replace(/.$/, (last) => (last === "A" ? "B" : "A")).replace(/^../, "zz"));
    expect(await forged.who()).toBeNull();
  });

  it("is for pages of its own only", async () => {
    const visitor = await addSignedIn(test.control, server, "nora");
    for (const headers of [{ origin: "https://evil.example.net" }, { origin: "null" }])
      expect((await visitor.post("/sign-out", {}, headers)).status).toBe(403);
    expect((await visitor.post("/sign-out", {}, { "content-type": "text/plain" })).status).toBe(415);
    expect(await visitor.who()).not.toBeNull();
  });

  it("ends for who left, with the next request, and for whoever is told to", async () => {
    const visitor = await addSignedIn(test.control, server, "olga");
    expect(await endSessions(test.control.db, "olga", change())).toBe(1);
    expect(await visitor.who()).toBeNull();
    await signIn(visitor, "olga");
    expect(await visitor.who()).not.toBeNull();
    await leavePerson(test.control.db, "olga", change());
    expect(await visitor.who()).toBeNull();
    expect((await signIn(visitor, "olga")).status).toBe(401);
  });

  it("ends after twelve hours", async () => {
    const visitor = await addSignedIn(test.control, server, "petra");
    const { expires_at: until } = await test.control.db
      .selectFrom("sessions")
      .innerJoin("people", "people.id", "person")
      .select("expires_at")
      .where("handle", "=", "petra")
      .executeTakeFirstOrThrow();
    expect(until.getTime() - Date.now()).toBeLessThanOrEqual(12 * 3_600_000);
    await test.control.db
      .updateTable("sessions")
      .set({ expires_at: new Date() })
      .where("expires_at", "=", until)
      .execute();
    expect(await visitor.who()).toBeNull();
  });

  it("lets nobody make an account", async () => {
    const visitor = new Visitor(server);
    const account = { email: "eve@example.com", password: goodPassword, name: "Eve" };
    expect((await visitor.post("/sign-up/email", account)).status).toBe(404);
    expect(
      (await visitor.post("/sign-in/email", { email: "eve", password: goodPassword, rememberMe: false })).status,
    ).toBe(400);
    expect((await visitor.post("/update-user", { name: "x" })).status).toBe(404);
    expect(
      await test.control.db.selectFrom("people").select("id").where("email", "=", account.email).execute(),
    ).toEqual([]);
  });
});

describe("a new password", () => {
  it("wants the old one, ends other sessions, and tells", async () => {
    const here = await addSignedIn(test.control, server, "rosa");
    const elsewhere = new Visitor(server);
    await signIn(elsewhere, "rosa");
    const newPassword = "a second good one 3";
    expect((await here.post("/change-password", { currentPassword: "wrong wrong 12", newPassword })).status).toBe(400);
    expect((await here.post("/change-password", { currentPassword: goodPassword, newPassword: "short" })).status).toBe(
      400,
    );
    expect(await here.post("/change-password", { currentPassword: goodPassword, newPassword })).toMatchObject({
      status: 200,
    });
    expect(await here.who()).toMatchObject({ person: { handle: "rosa" }, session: { method: "password" } });
    expect(await elsewhere.who()).toBeNull();
    expect((await signIn(elsewhere, "rosa")).status).toBe(401);
    expect((await actionsOf(test.control, "rosa")).filter((one) => one === "password_set")).toHaveLength(2);
  });
});

describe("a session that somebody found open", () => {
  it("does not let him guess its password", async () => {
    const visitor = await addSignedIn(test.control, server, "vera");
    const found = () => {
      const thief = new Visitor(server);
      for (const [name, value] of visitor.cookies) thief.cookies.set(name, value);
      return thief;
    };
    const guess = { currentPassword: "wrong wrong wrong", newPassword: "one of his own 8" };
    for (let count = 0; count < 15; count += 1) {
      expect((await found().post("/change-password", guess)).body.code).toBe("invalid_password");
      expect((await found().post("/two-factor/enable", { password: guess.currentPassword })).status).toBe(400);
    }
    expect((await found().post("/change-password", { ...guess, currentPassword: goodPassword })).status).toBe(429);
    expect(await actionsOf(test.control, "vera")).toContain("sign_in_refused");
  });
});

describe("a session elsewhere", () => {
  it("is seen and ended by its person, and by nobody else", async () => {
    const here = await addSignedIn(test.control, server, "tanya");
    const [first, second] = [new Visitor(server), new Visitor(server)];
    for (const visitor of [first, second]) await signIn(visitor, "tanya");
    const { body: all } = await here.get("/list-sessions");
    expect(all).toHaveLength(3);
    const stranger = await addSignedIn(test.control, server, "ulla");
    for (const { token } of all) await stranger.post("/revoke-session", { token });
    expect(await first.who()).toMatchObject({ person: { handle: "tanya" } });
    const { session } = await first.who();
    const { token } = all.find(({ id }: { id: string }) => id === session.id);
    expect((await here.post("/revoke-session", { token })).status).toBe(200);
    expect([await first.who(), await second.who()]).toEqual([null, expect.anything()]);
    expect((await here.post("/revoke-other-sessions")).status).toBe(200);
    expect([await second.who(), await here.who()]).toEqual([null, expect.anything()]);
    expect((await actionsOf(test.control, "tanya")).filter((one) => one === "signed_out")).toHaveLength(2);
  });
});

describe("several servers", () => {
  it("of one database know each other's sessions, and end them", async () => {
    const visitor = await addSignedIn(test.control, server, "sara");
    await using other = await startAuthServer(await test.open());
    const there = new Visitor(other);
    for (const [name, value] of visitor.cookies) there.cookies.set(name, value);
    expect(await there.who()).toMatchObject({ person: { handle: "sara" } });
    expect((await there.post("/sign-out")).status).toBe(200);
    expect(await visitor.who()).toBeNull();
  });
});

it("adds nobody twice", async () => {
  const anna = { handle: "anna", name: "A", email: "other@example.com" };
  await expect(addPerson(test.control.db, anna, change())).rejects.toMatchObject({ code: "people.name_taken" });
});
