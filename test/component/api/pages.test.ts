import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { invitePerson } from "../../../src/access/people.ts";
import { approveRun } from "../../../src/engine/consent.ts";
import { createRun, getRun } from "../../../src/engine/journal.ts";
import { grantTo, startApi, type TestApi } from "../../harness/api.ts";
import { Browser, hasChromium, type Page } from "../../harness/browser.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { addApp, addMember, addWithPassword, codeOf, goodPassword, signIn } from "../../harness/person.ts";
import { resume } from "../../harness/plans.ts";

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
    for (const path of ["/", "/sign-in", "/set-up", "/pages/style.css", "/pages/common.js", "/pages/home.js"]) {
      const { status, headers } = await fetch(api.url + path);
      expect([path, status]).toEqual([path, 200]);
      expect(headers.get("content-security-policy")).toContain("default-src 'none'; script-src 'self'");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
    }
    for (const path of ["/pages/", "/pages/pages.ts", "/pages/..%2Fapp.ts", "/pages/../app.ts", "/pages/home.html"])
      expect((await fetch(api.url + path)).status).toBe(404);
  });

  it("have no script and no style in their markup", async () => {
    for (const path of ["/", "/sign-in", "/set-up"]) {
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
    await page.until(`location.pathname === "/sign-in" && document.getElementById("name")`);
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
  }, 90_000);

  it("a code of the authenticator app is asked for, and nobody sees anything without it", async () => {
    const visitor = await addWithPassword(test.control, { url: api.url } as never, "carla");
    await grantTo(test.control, "carla", "viewer");
    await signIn(visitor, "carla");
    const { uri } = await addApp(visitor);
    const page = await browser.open();
    await page.go(`${address}/`);
    await page.until(`location.pathname === "/sign-in" && document.getElementById("name")`);
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
});
