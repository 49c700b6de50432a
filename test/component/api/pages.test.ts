import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { invitePerson } from "../../../src/access/people.ts";
import type { Role } from "../../../src/access/rights.ts";
import { createAuth } from "../../../src/access/sign-in/auth.ts";
import { approveRun } from "../../../src/engine/consent.ts";
import { createRun, getRun, requestCancel } from "../../../src/engine/journal.ts";
import type { Plan } from "../../../src/runbook/plan.ts";
import { grantTo, startApi, type TestApi } from "../../harness/api.ts";
import { Browser, hasChromium, type Page } from "../../harness/browser.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { addApp, addMember, addWithPassword, codeOf, goodPassword, signIn } from "../../harness/person.ts";
import { approvedRun, resume } from "../../harness/plans.ts";
import { testSecrets } from "../../harness/visitor.ts";

/** The pages over real HTTP, and in a real browser. */
let test: TestControl;
let api: TestApi;
/** Sign-in is bound to this address. */
let address: string;
beforeAll(async () => {
  test = await startControl();
  api = await startApi(test.control, test.home, { second: "change" });
  address = api.ports.url;
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await test[Symbol.asyncDispose]();
});

describe("the pages", () => {
  it("are there, each with a policy that lets nothing inline run, and nothing else is", async () => {
    for (const path of ["/", "/sign-in", "/set-up", "/second-factor", "/pages/style.css", "/pages/home.js"]) {
      const { status, headers } = await fetch(api.url + path);
      expect([path, status]).toEqual([path, 200]);
      expect(headers.get("content-security-policy")).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
      );
      expect(headers.get("content-type")).toMatch(/^text\/(html|css|javascript); charset=utf-8$/);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
    }
    for (const path of ["/pages/", "/pages/pages.ts", "/pages/..%2Fapp.ts", "/pages/../app.ts", "/pages/home.html"])
      expect((await fetch(api.url + path)).status).toBe(404);
  });

  it("have no script and no style in their markup", async () => {
    for (const path of ["/", "/sign-in", "/set-up", "/second-factor"]) {
      const text = await (await fetch(api.url + path)).text();
      expect(text).not.toMatch(/<style|<script(?![^>]* src=)| on\w+=| style=/);
    }
  });
});

const pictures = process.env["IPAI_PICTURES"];

async function look(page: Page, name: string): Promise<void> {
  if (pictures === undefined) return;
  for (const [what, width, scheme] of [
    ["light", 1100, "light"],
    ["dark", 1100, "dark"],
    ["phone", 390, "light"],
  ] as const)
    await page.picture(`${pictures}/${name}-${what}.png`, width, scheme);
}

describe.skipIf(!hasChromium)("in a browser (skipped where Debian's chromium is not installed)", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await Browser.start();
  });
  afterAll(() => browser?.[Symbol.asyncDispose]());

  it("a person sets her password by the link, signs in, and consents to the plan that she sees", async () => {
    await addMember(test.control, "berta");
    await grantTo(test.control, "berta", "approver");
    const plan = api.plans["change"]?.("erp");
    if (plan === undefined) throw new Error("no plan");
    const nasty = { ...plan, title: "<img src=x onerror=alert(1)>" };
    const consent = { people: 2 as const, validSeconds: 3600 };
    const run = await createRun(test.control, nasty, "anna", new Date(), { consent });
    await approveRun(test.control, run, "anna");
    expect(await resume(test.control, run)).toMatchObject({ waiting_for: "approval" });
    const { token } = await invitePerson(test.control.db, "berta", { actor: "root", now: new Date(), afresh: false });

    const page = await browser.open();
    await page.go(`${address}/set-up#${token}`);
    await page.fill("password", goodPassword);
    await page.fill("again", "something else");
    await page.click("Set password");
    await page.until(`document.getElementById("said").textContent === "The two are not the same."`);
    await look(page, "set-up");
    await page.fill("again", goodPassword);
    await page.click("Set password");
    await page.until(`location.pathname === "/sign-in" && document.readyState === "complete"`);
    await page.fill("name", "berta");
    await page.fill("password", "wrong wrong wrong");
    await page.click("Sign in");
    await page.until(`document.getElementById("said").className === "bad"`);
    await look(page, "sign-in");
    await page.fill("password", goodPassword);
    await page.click("Sign in");
    await page.until(`document.querySelector("article")`);
    expect(await page.value<string>(`document.querySelector("article").innerText`)).toContain(
      "started by anna. 1 of 2 consented: anna.",
    );
    // What a title says is text.
    expect(await page.value<number>(`document.images.length`)).toBe(0);
    await look(page, "home");
    await page.click("Consent to this plan");
    await page.until(`document.getElementById("waiting").textContent === "Nothing waits."`);
    const { consents } = await getRun(test.control, run.id);
    const approvals = await page.value<string[]>(
      `fetch("/api/runs/${run.id}").then((answer) => answer.json()).then(({ approvals }) => approvals.map(({ actor }) => actor))`,
    );
    expect([consents, approvals]).toEqual([2, ["anna", "berta"]]);

    const again = await browser.open();
    await again.go(`${address}/set-up#${token}`);
    await again.fill("password", goodPassword);
    await again.fill("again", goodPassword);
    await again.click("Set password");
    await again.until(`document.getElementById("said").className === "bad"`);
    expect(await again.value<string>(`document.getElementById("said").textContent`)).toMatch(/link/i);
  }, 90_000);

  it("a code of the authenticator app is asked for, and nobody sees anything without it", async () => {
    const visitor = await addWithPassword(test.control, { url: api.url } as never, "carla");
    await grantTo(test.control, "carla", "viewer");
    await signIn(visitor, "carla");
    const { uri } = await addApp(visitor);
    const page = await browser.open();
    await page.go(`${address}/`);
    await page.until(`location.pathname === "/sign-in" && document.readyState === "complete"`);
    await page.fill("name", "carla");
    await page.fill("password", goodPassword);
    await page.click("Sign in");
    await page.until(`!document.getElementById("code-form").hidden`);
    expect(await page.value<number>(`fetch("/api/me").then(({ status }) => status)`)).toBe(401);
    await look(page, "code");
    await page.fill("code", codeOf(uri, 1));
    await page.click("Go on");
    await page.until(`document.getElementById("who")?.textContent === "carla"`);
  }, 60_000);

  const open = async (handle: string): Promise<Page> => {
    const page = await browser.open();
    await page.go(`${address}/sign-in`);
    await page.until(`document.readyState === "complete" && document.getElementById("name")`);
    await page.fill("name", handle);
    await page.fill("password", goodPassword);
    await page.click("Sign in");
    return page;
  };
  const withRole = async (handle: string, role: Role) => {
    await addWithPassword(test.control, { url: api.url } as never, handle);
    await grantTo(test.control, handle, role);
  };

  it("a passkey signs in; its owner's password alone leads to where that is said", async () => {
    await withRole("pia", "viewer");
    const page = await open("pia");
    await page.until(`document.getElementById("who")?.textContent === "pia"`);
    await page.send("WebAuthn.enable");
    const options = { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true };
    await page.send("WebAuthn.addVirtualAuthenticator", { options: { ...options, isUserVerified: true } });
    const registered = await page.value<number>(`(async () => {
      const options = await (await fetch("/api/auth/passkey/generate-register-options")).json();
      const made = await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) });
      const headers = { "content-type": "application/json" };
      const body = JSON.stringify({ response: made.toJSON() });
      return (await fetch("/api/auth/passkey/verify-registration", { method: "POST", headers, body })).status;
    })()`);
    expect(registered).toBe(200);
    await page.click("Sign out");
    await page.until(`location.pathname === "/sign-in" && document.readyState === "complete"`);
    await page.click("Sign in with a passkey");
    await page.until(`document.getElementById("who")?.textContent === "pia"`);
    const other = await open("pia");
    await other.until(`location.pathname === "/second-factor" && document.readyState === "complete"`);
    await look(other, "second-factor");
  }, 60_000);

  it("who needs a second factor and has none sets one up, and goes on", async () => {
    const settings = { secondFactor: "required", oidc: {}, url: address } as const;
    const strict = createAuth({ control: test.control, secrets: testSecrets, settings });
    const usual = { auth: api.ports.auth, signedIn: api.ports.signedIn };
    Object.assign(api.ports, {
      auth: strict.handler,
      signedIn: async (headers: Headers) => {
        const found = await strict.sessionOf(headers);
        return found === undefined ? undefined : { person: found.person.id, isRestricted: found.isRestricted };
      },
    });
    await withRole("rita", "viewer");
    const page = await open("rita");
    await page.until(`location.pathname === "/second-factor" && document.readyState === "complete"`);
    await page.fill("password", goodPassword);
    await page.click("Set up an authenticator app");
    await page.until(`!document.getElementById("code-form").hidden`);
    await look(page, "enrol");
    await page.fill("code", codeOf(await page.value<string>(`document.getElementById("uri").href`)));
    await page.click("Go on");
    await page.until(`document.getElementById("who")?.textContent === "rita"`);
    Object.assign(api.ports, usual);
  }, 60_000);

  it("what waits is listed however much happened since, also what nobody has consented to yet", async () => {
    const plan = (title: string, stack: string) => ({ ...(api.plans["change"]?.(stack) as Plan), title });
    await createRun(test.control, plan("Long ago", "shop"), "anna", new Date(Date.now() - 60_000));
    for (let count = 0; count < 25; count++) {
      const run = await createRun(test.control, plan(`Later ${count}`, "shop"), "anna", new Date());
      await requestCancel(test.control, run.id, "anna");
      await resume(test.control, run);
    }
    await withRole("mara", "viewer");
    const page = await open("mara");
    await page.until(`document.querySelector("article")`);
    expect(await page.value<string>(`document.getElementById("waiting").innerText`)).toContain("Long ago");
    await page.click("Consent to this plan");
    await page.until(`document.getElementById("said").className === "bad"`);
    expect(await page.value<string>(`document.getElementById("said").textContent`)).toContain("mara may not do that");
  }, 60_000);

  it("a run that stopped is not given up by one click; what is not changed by an event stays in the hand", async () => {
    const run = await resume(test.control, await approvedRun(test.control, api.plans["fail"]?.("shop") as Plan));
    expect(run).toMatchObject({ waiting_for: "decision" });
    await withRole("dirk", "admin");
    const page = await open("dirk");
    await page.until(`[...document.querySelectorAll("button")].some((one) => one.textContent === "Give up")`);
    await look(page, "decide");
    await page.value(`window.confirm = () => false`);
    await page.click("Give up");
    await page.value(
      `window.mark = document.activeElement; document.querySelector("article button").focus(); window.mark = document.activeElement; true`,
    );
    const other = await createRun(
      test.control,
      { ...(api.plans["file"]?.("shop") as Plan), lease: "shared" },
      "anna",
      new Date(),
    );
    await approveRun(test.control, other, "anna");
    await resume(test.control, other);
    await page.until(`document.getElementById("runs").innerText.includes("${other.id}")`);
    await page.until(`window.mark.isConnected && document.activeElement === window.mark`);
    expect(await getRun(test.control, run.id)).toMatchObject({ status: "waiting" });
    await page.value(`window.confirm = () => true`);
    await page.click("Give up");
    await page.until(`!document.getElementById("waiting").innerText.includes("${run.id}")`);
    await api.settled();
    expect(await getRun(test.control, run.id)).toMatchObject({ outcome: "unknown" });
  }, 60_000);
});
