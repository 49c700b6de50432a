import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { filingsToIcs } from "../../src/finance/export.ts";
import { listFilings } from "../../src/finance/filings.ts";
import { filerSchema } from "../../src/finance/schema.ts";
import { shippedRules } from "../../src/finance/shipped.ts";
import { makeDatabase, removeDatabase, runOdoo, serve, typeIntoShell } from "../harness/addon.ts";
import { askAtOnce } from "../harness/ask-at-once.ts";
import { Browser, hasChromium, type Page } from "../harness/browser.ts";
import { workAtTheDesk } from "../harness/finance-desk.ts";
import { oweADay } from "../harness/owed-day.ts";
import { isCompose, root, sql } from "../harness/sandbox.ts";

/** The module ipai_finance_ppm on the practice stack's Odoo: its own tests, the commands of the runbook, and that it goes without a trace. */

const database = "finance_addon";
const left = `
  select count(*) from pg_class where relname like '%ipai_finance%'
  union all select count(*) from pg_namespace where nspname = 'finance_ppm'
  union all select count(*) from information_schema.columns where table_name = 'ir_cron' and column_name in ('name', 'model', 'numbercall')
  union all select count(*) from ir_model_data where module = 'ipai_finance_ppm'`;
const path = "/ipai/finance/ppm";
const pictures = process.env["IPAI_PICTURES"];
const windows = [
  ["light", 1280, "light"],
  ["dark", 1280, "dark"],
  ["phone", 390, "light"],
] as const;
const drawn = `[...document.querySelectorAll("canvas")].every((one) => Math.abs(one.clientWidth - one.parentElement.clientWidth) < 2)`;
/** What lies beside the window, so that one had to scroll sideways. */
const beside = `document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll("main *")]
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.outerHTML.slice(0, 80))`;
/** Texts with less contrast than WCAG AA asks for. Every ground of the page is of one colour, so the nearest one counts. */
const faint = `(() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const shade = (colour) => [0.2126, 0.7152, 0.0722].reduce((sum, share, at) => {
    const one = parts(colour)[at] / 255;
    return sum + share * (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
  }, 0);
  const ground = (one) => {
    const back = getComputedStyle(one).backgroundColor;
    return parts(back)[3] === 0 ? ground(one.parentElement) : back;
  };
  return [...document.querySelectorAll("body *")].filter((one) =>
    one.offsetParent && [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())
  ).flatMap((one) => {
    const [light, dark] = [shade(getComputedStyle(one).color), shade(ground(one))].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05) < 4.5 ? [one.textContent.slice(0, 40)] : [];
  });
})()`;
const count = () => sql("SELECT COUNT(*) FROM ipai_finance_bir_schedule;", database).then(Number);

describe.skipIf(isCompose)("the module ipai_finance_ppm", () => {
  beforeAll(() => makeDatabase(database));
  afterAll(() => removeDatabase(database));

  it("is installed without a complaint, with the filings of a year", async () => {
    const { exitCode, complaints } = await runOdoo(database, ["-i", "ipai_finance_ppm"]);
    expect([exitCode, complaints]).toEqual([0, []]);
    expect(await count()).toBeGreaterThanOrEqual(8);
  });

  it("is updated without a complaint, and passes its own tests", async () => {
    const words = ["-u", "ipai_finance_ppm", "--test-tags=/ipai_finance_ppm"];
    const { exitCode, tests, complaints } = await runOdoo(database, words);
    expect([exitCode, tests]).toEqual([0, expect.stringMatching(/0 failed, 0 error\(s\) of [1-9]\d* tests/)]);
    expect(complaints).toEqual([]);
  });

  it("makes filings again when the cron is triggered as the runbook types it", async () => {
    const made = await count();
    await sql("delete from ipai_finance_bir_schedule", database);
    await typeIntoShell(
      database,
      `env['ir.cron'].search([('model', '=', 'ipai.finance.bir_schedule')]).method_direct_trigger()\nenv.cr.commit()\n`,
    );
    expect(await count()).toBe(made);
  });

  describe("its dashboard", () => {
    let url: string;
    let stop: () => Promise<void>;
    let browser: Browser;
    beforeAll(async () => {
      await typeIntoShell(database, await readFile(join(root, "test/harness/finance-volume.py"), "utf8"));
      ({ url, stop } = await serve(database));
      if (hasChromium) browser = await Browser.start();
    });
    afterAll(async () => {
      await browser?.[Symbol.asyncDispose]();
      await stop?.();
    });

    it("is shown to the runbook's curl, holds nothing, and runs only its own files", async () => {
      const page = await fetch(`${url}${path}`, { redirect: "manual" });
      const text = await page.text();
      expect([page.status, text.includes("<title>TBWA Finance PPM Dashboard</title>")]).toEqual([200, true]);
      expect(text).not.toMatch(/1601-C|Example|<style|style=|onclick|https?:/);
      const policy = page.headers.get("content-security-policy") ?? "";
      expect([policy.includes("script-src 'self';"), policy.includes("unsafe")]).toEqual([true, false]);
      const files = [...text.matchAll(/(?:href|src)="(\/ipai_finance_ppm\/static\/[^"]*\?v=\w+)"/g)];
      expect(files).toHaveLength(3);
      for (const [, file = ""] of files) expect((await fetch(`${url}${file}`)).status).toBe(200);
    });

    it("shows a title that is a parameter as text", async () => {
      const admin = await Visitor.enter(url, "admin", "admin");
      const set = (title: string) =>
        admin.call("ir.config_parameter", "set_param", ["ipai_finance_ppm.dashboard_title", title]);
      await set("<script>x</script> & Co");
      const text = await (await fetch(`${url}${path}`)).text();
      expect(text).toContain("<h1>&lt;script&gt;x&lt;/script&gt; &amp; Co</h1>");
      await set("TBWA Finance PPM Dashboard");
    });

    it("shows filings to whoever has a part in it, of the user's companies", async () => {
      expect((await fetch(`${url}${path}/api/bir`)).status).toBe(401);
      expect((await Visitor.enter(url, "board-olga").then((olga) => olga.read())).status).toBe(403);
      const [vera, luz] = [await Visitor.enter(url, "board-vera"), await Visitor.enter(url, "board-luz")];
      const all = await luz.read();
      const names = [...new Set(all.filings.map(({ company }) => company))].sort();
      expect(names).toEqual(["Example Holdings", "Example Services", "Example Trading"]);
      expect(all.filings.length).toBeGreaterThan(30);
      const [own] = (await vera.read()).companies;
      expect(new Set((await vera.read()).filings.map(({ company }) => company))).toEqual(new Set([own?.name]));
      const other = all.companies.find(({ name }) => name === "Example Trading");
      expect((await luz.read(`company=${other?.id}`)).filings.every(({ company }) => company === other?.name)).toBe(
        true,
      );
      const refused = [`company=${other?.id}`, "company=x", "company=1%20or%201"].map((asked) => vera.read(asked));
      expect((await Promise.all(refused)).map(({ status }) => status)).toEqual([403, 403, 403]);
    });

    it("acknowledges by the user's own rights, and only what the user's page asks for", async () => {
      const [vera, luz] = [await Visitor.enter(url, "board-vera"), await Visitor.enter(url, "board-luz")];
      const { csrf, alerts } = await luz.read();
      const ids = String(alerts.rows[0]?.ids);
      const state = () =>
        sql(`select string_agg(distinct state, ' ') from ipai_finance_alert where id in (${ids})`, database);
      const looking = await vera.read();
      expect(looking.mayAck).toBe(false);
      expect((await vera.post("alerts/ack", { ids, csrf_token: looking.csrf })).status).toBe(403);
      expect((await luz.post("alerts/ack", { ids })).status).toBe(400);
      expect((await luz.post("alerts/ack", { ids, csrf_token: looking.csrf })).status).toBe(400);
      expect(await state()).toBe("queued");
      const done = await luz.post("alerts/ack", { ids: `${ids},999999999,x`, csrf_token: csrf });
      expect([done.status, await done.json()]).toEqual([200, { acknowledged: ids.split(",").length }]);
      expect(await state()).toBe("acked");
    });

    it("gives an address of a calendar with the same events as the command's, until another is made", async () => {
      const vera = await Visitor.enter(url, "board-vera");
      const { csrf } = await vera.read();
      const make = async () =>
        ((await (await vera.post("calendar", { csrf_token: csrf })).json()) as { url: string }).url;
      const address = await make();
      const feed = await fetch(address);
      const ics = await feed.text();
      expect([feed.status, feed.headers.get("content-type"), feed.headers.get("set-cookie")]).toEqual([
        200,
        "text/calendar; charset=utf-8",
        null,
      ]);
      expect(ics).toContain("BEGIN:VALARM");
      // Whoever has both sees each once.
      const known = namesOfCommand();
      expect(namesOf(ics).filter((name) => !known.has(name))).toEqual([]);
      await make();
      const wrong = [address, `${url}${path}/calendar.ics`, `${url}${path}/calendar.ics?token=00000000`];
      expect(await Promise.all(wrong.map(async (one) => (await fetch(one)).status))).toEqual([404, 404, 404]);
    });

    describe.skipIf(!hasChromium)("in a browser (skipped where Debian's chromium is not installed)", () => {
      it("asks a stranger to log in", async () => {
        const page = await browser.open();
        await page.go(`${url}${path}`);
        await page.until(`document.querySelector("[data-state=session]:not([hidden]) a")`);
        expect(await page.value("document.getElementById('main').hidden")).toBe(true);
        // That it is 401, the console says by itself.
        expect(page.complaints.filter((one) => !one.includes("401"))).toEqual([]);
      });

      it("shows three companies in light, dark and on a telephone, with nothing faint, beside the window or from elsewhere", async () => {
        const page = await enter(browser, url);
        await page.go(`${url}${path}`);
        await page.until(`document.querySelectorAll("#filings tbody tr").length > 20`);
        for (const [kind, width, scheme] of windows) {
          await page.size(width, scheme);
          await page.until(drawn);
          expect([kind, await page.value(beside), await page.value(faint)]).toEqual([kind, [], []]);
          if (pictures !== undefined) await page.picture(`${pictures}/finance-${kind}.png`, width, scheme, 1150);
        }
        const elsewhere = `performance.getEntriesByType("resource").filter(({ name }) => new URL(name).origin !== location.origin)`;
        expect([await page.value(elsewhere), page.complaints]).toEqual([[], []]);
      });

      it("acknowledges, chooses a company, says what there is not, and gives an address for the calendar", async () => {
        const page = await enter(browser, url);
        await page.go(`${url}${path}`);
        const waiting = `select count(*) from ipai_finance_alert where state not in ('acked', 'cancelled')`;
        await page.until(`document.querySelector("#alerts li")`);
        const before = Number(await sql(waiting, database));
        await page.value(`document.activeElement.blur()`);
        await page.click("Acknowledge");
        await page.until(`document.activeElement.textContent === "Acknowledge"`);
        expect(Number(await sql(waiting, database))).toBeLessThan(before);
        const companies = `[...new Set([...document.querySelectorAll("#filings td.company")].map((one) => one.textContent))]`;
        expect(await page.value(companies)).toHaveLength(3);
        const choose = `document.getElementById("company")`;
        await page.value(`${choose}.selectedIndex = 2, ${choose}.dispatchEvent(new Event("change"))`);
        await page.until(`${companies}.length === 1 && location.search.includes("company=")`);
        await page.click("Calendar…");
        await page.click("Make a new address");
        await page.until(`document.getElementById("address").value.includes("calendar.ics?token=")`);
        expect(page.complaints).toEqual([]);
      });

      it("shows the plan of a close, which is chosen by keyboard, and says what is silent", async () => {
        await sql(
          "update ir_cron set nextcall = nextcall - interval '1 day' where cron_name like 'Finance tasks%'",
          database,
        );
        const page = await enter(browser, url);
        const shown = `[...document.querySelectorAll("#plan td.task")].map((one) => one.textContent)`;
        await page.until(`${shown}.length === 12`);
        if (pictures !== undefined) {
          await page.size(1280, "light", 1150);
          await page.until(drawn);
          await page.value(`document.getElementById("plan").scrollIntoView()`);
          await page.picture(`${pictures}/finance-close.png`, 1280, "light", 1150);
        }
        const said = () => page.value<string>(`document.getElementById("plan-said").textContent`);
        const before = await said();
        await page.value(`document.getElementById("close").focus()`);
        for (const type of ["keyDown", "keyUp"])
          await page.send("Input.dispatchKeyEvent", {
            type,
            key: "ArrowDown",
            code: "ArrowDown",
            windowsVirtualKeyCode: 40,
          });
        await page.until(`document.getElementById("plan-said").textContent !== ${JSON.stringify(before)}`);
        expect(await page.value(`location.search`)).toMatch(/close=\d+/);
        expect(await page.value(`document.querySelector("#raci tbody").textContent`)).toMatch(
          /Staff: .*Supervisor: Tomas Example/,
        );
        // Nothing runs by itself here, and this was due yesterday.
        expect(await page.value(`document.querySelector("#heartbeats tbody").textContent`)).toContain("silent");
        expect(await page.value(`document.getElementById("set-up").textContent`)).toContain("RDO code");
        expect(page.complaints).toEqual([]);
      });

      it("has views of filings, tasks and closes in Odoo that open without a complaint", async () => {
        const page = await enter(browser, url);
        for (const action of ["action_bir_schedule", "action_finance_task", "action_close"]) {
          await page.go(`${url}/odoo/action-ipai_finance_ppm.${action}`);
          await openViews(page, action);
        }
        // Debian's package has not got this file of Odoo's own.
        expect(page.complaints.filter((one) => !one.includes("selfie_segmentation"))).toEqual([]);
      });
    });
  });

  it("is worked with from a shell: each command, by a key, with the chain", () => workAtTheDesk(database));

  it("answers programs that have a key, refuses as JSON, and hands out each thing once to those who ask at once", () =>
    askAtOnce(database));

  it("does what a run of the day owes, by Odoo's own runner: one bad filing keeps nobody else from being told", () =>
    oweADay(database));

  it("is uninstalled without a complaint, and leaves nothing", async () => {
    await typeIntoShell(
      database,
      "env['ir.module.module'].search([('name', '=', 'ipai_finance_ppm')]).button_immediate_uninstall()\nenv.cr.commit()\n",
    );
    expect(await sql(left, database)).toBe("0\n0\n0\n0");
  });
});

interface Answer {
  readonly status: number;
  readonly csrf: string;
  readonly mayAck: boolean;
  readonly filings: readonly { readonly company: string }[];
  readonly companies: readonly { readonly id: number; readonly name: string }[];
  readonly alerts: { readonly rows: readonly { readonly ids: readonly number[] }[] };
}

/** Somebody with a session: one of those whom finance-volume.py has made, or the administrator. */
class Visitor {
  readonly #url: string;
  readonly #headers: { readonly cookie: string };

  private constructor(url: string, cookie: string) {
    this.#url = url;
    this.#headers = { cookie };
  }

  static async enter(url: string, login: string, password = login): Promise<Visitor> {
    const params = { db: database, login, password };
    const entered = await fetch(`${url}/web/session/authenticate`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ params }),
    });
    const cookies = entered.headers.getSetCookie().map((one) => one.split(";")[0]);
    return new Visitor(url, cookies.join("; "));
  }

  async read(asked = ""): Promise<Answer> {
    const answer = await fetch(`${this.#url}${path}/api/bir?${asked}`, { headers: this.#headers });
    return { ...((await answer.json()) as Answer), status: answer.status };
  }

  async call(model: string, method: string, args: readonly unknown[]): Promise<void> {
    const answer = await fetch(`${this.#url}/web/dataset/call_kw`, {
      method: "POST",
      headers: { ...this.#headers, "Content-Type": "application/json" },
      body: JSON.stringify({ params: { model, method, args, kwargs: {} } }),
    });
    expect(await answer.json()).not.toHaveProperty("error");
  }

  post(what: string, values: Readonly<Record<string, string>>): Promise<Response> {
    const body = new URLSearchParams(values);
    return fetch(`${this.#url}${path}/api/${what}`, { method: "POST", headers: this.#headers, body });
  }
}

/** The manager's browser, by Odoo's own form. */
async function enter(browser: Browser, url: string): Promise<Page> {
  const page = await browser.open();
  await page.go(`${url}/web/login?redirect=${path}`);
  await page.fill("login", "board-luz");
  await page.fill("password", "board-luz");
  await page.value(`document.getElementById("password").form.submit()`);
  await page.until(`location.pathname === ${JSON.stringify(path)} && !document.getElementById("main").hidden`);
  return page;
}

/** Each view of an action, and the form of its first record. */
async function openViews(page: Page, action: string): Promise<void> {
  const look = async (view: string) => {
    if (pictures !== undefined) await page.picture(`${pictures}/${action}-${view}.png`, 1280, "light");
  };
  for (const view of ["kanban", "calendar", "pivot", "list"]) {
    const button = `document.querySelector(".o_switch_view.o_${view}")`;
    await page.until(button);
    await page.value(`${button}.click()`);
    await page.until(
      `document.querySelector(".o_${view}_view .o_content :is(.o_${view}_renderer, .o_pivot, .o_calendar_wrapper)")`,
    );
    await look(view);
  }
  // Odoo's own list of tasks is in groups of stages.
  await page.until(`document.querySelector(".o_data_row, .o_group_header")`);
  await page.value(`document.querySelector(".o_group_header")?.click()`);
  const first = `document.querySelector(".o_data_row .o_data_cell")`;
  await page.until(first);
  await page.value(`${first}.click()`);
  await page.until(`document.querySelector(".o_form_view .o_form_sheet")`);
  await look("form");
}

function namesOf(ics: string): readonly string[] {
  return [...ics.replaceAll("\r\n ", "").matchAll(/^UID:(.*)\r$/gm)].map(([, name = ""]) => name);
}

/** What `ipai finance calendar` calls the filings of a filer as finance-volume.py has one, last year, this year and the next. */
function namesOfCommand(): ReadonlySet<string> {
  const applies = [...new Set(shippedRules.catalogue.forms.map((form) => form.applies))];
  const filer = filerSchema.parse({ kind: "ebirforms", applies });
  const now = new Date();
  const years = [-1, 0, 1].map((more) => now.getUTCFullYear() + more);
  return new Set(years.flatMap((year) => namesOf(filingsToIcs(listFilings(shippedRules, filer, year), filer, now))));
}
