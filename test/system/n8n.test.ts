import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebhookFailed } from "../../src/procedures/deployment/errors.ts";
import { fingerprint, makeDatabase, makeKey, removeDatabase, runOdoo, serve, typeIntoShell } from "../harness/addon.ts";
import { restic } from "../harness/backups.ts";
import { callingWorkflow, installN8n, N8n, testedWorkflow } from "../harness/n8n.ts";
import { keepFigures } from "../harness/n8n-figures.ts";
import { N8nStack } from "../harness/n8n-stack.ts";
import { perform } from "../harness/perform.ts";
import { Supabase } from "../harness/postgrest.ts";
import { Receiver } from "../harness/receiver.ts";
import { folder, ipai, isCompose, leftovers, sql, until } from "../harness/sandbox.ts";

/** A real n8n beside a real Odoo: in a backup, in its proof, and back again when its database was damaged. */

const lacking = isCompose ? "a practice stack without containers" : await installN8n();

const n8nStack = new N8nStack();
const { home, url, chat, ask, change, env } = n8nStack;
const power = (verb: "start" | "stop") => n8nStack.power(verb);
const isWell = () => n8nStack.isWell();
const workflows = 103;
let n8n: N8n;
let target: Receiver;
let supabase: Supabase;

/** Called until it is active; then the other end was told the password. */
async function callIt(): Promise<string | undefined> {
  const before = target.requests.length;
  await until("the workflow is called", async () => {
    await fetch(`${url}/webhook/call`);
    return target.requests.length > before;
  });
  return target.requests.at(-1)?.headers.authorization;
}
const password = `Basic ${Buffer.from("anna:sesame").toString("base64")}`;

describe.skipIf(lacking !== "")(`a real n8n${lacking === "" ? "" : `, of which there is no ${lacking}`}`, () => {
  beforeAll(async () => {
    supabase = await Supabase.start("supabase_figures");
    Object.assign(n8nStack.environment, { SUPABASE_URL: supabase.url, SUPABASE_SERVICE_KEY: supabase.key });
    target = await new Receiver().listen();
    target.behave = (_, response) => response.setHeader("Content-Type", "application/json").end('{"took": "it"}');
    await n8nStack.begin();
    n8n = new N8n(url, n8nStack.key);
    const credential = await n8n.create("credentials", {
      ...{ name: "Odoo", type: "httpBasicAuth", data: { user: "anna", password: "sesame" } },
    });
    await n8n.activate(await n8n.create("workflows", callingWorkflow(`http://127.0.0.1:${target.port}/`, credential)));
    for (let index = 1; index < workflows; index += 1)
      await n8n.create("workflows", { name: `Flow ${index}`, settings: {}, nodes: [], connections: {} });
    expect(await callIt()).toBe(password);
  });
  afterAll(async () => {
    await n8nStack.end();
    await Promise.all([target.close(), supabase.stop()]);
    expect(await leftovers()).toEqual([]);
  });

  let set: string;

  it("is well, and takes the key", async () => {
    const { checks } = await ask<{ checks: { code: string; status: string }[] }>("health");
    const found = checks.filter(({ code }) => code.startsWith("IPAI-AUTOMATION"));
    expect(found.map(({ code, status }) => `${code} ${status}`)).toEqual([
      "IPAI-AUTOMATION-001 ok",
      "IPAI-AUTOMATION-002 ok",
      "IPAI-AUTOMATION-004 ok",
    ]);
  });

  it("is in a backup: its database, every workflow as JSON without a password, the key of its credentials", async () => {
    const run = await change("backup");
    expect(run.outcome).toBe("succeeded");
    set = run.run;
    const listed = await restic(join(folder, "repository"), "ls", "latest", "--tag", `run=${set}`);
    expect(listed.match(/^\/automation\/workflows\/\w+\.json$/gm)?.length).toBe(workflows);
    expect(listed).toContain("/configuration/automation/config");
    expect(listed).toContain("/automation/database/dump/toc.dat");
    const [name = ""] = listed.match(/^\/automation\/workflows\/.*$/gm) ?? [];
    const text = await restic(join(folder, "repository"), "dump", set === "" ? "" : "latest", name);
    expect(JSON.parse(text)).toMatchObject({ nodes: expect.any(Array), connections: expect.any(Object) });
    expect(text).not.toContain("sesame");
  });

  it("is proven with it, and the certificate says so", async () => {
    expect((await change("backup", "verify", set)).outcome).toBe("succeeded");
    const { certificate } = await ask<{ certificate: { verdict: string; automation: object } }>(
      ...["backup", "certificate", set],
    );
    expect([certificate.verdict, certificate.automation]).toEqual([
      "proven",
      { isDumped: true, workflows, credentials: 1, exported: workflows },
    ]);
  });

  it("works again after its database was damaged: workflows, and a password that it keeps encrypted", async () => {
    await sql("delete from credentials_entity; delete from webhook_entity; delete from workflow_entity", "n8n");
    expect(await n8n.names()).toEqual([]);
    const run = await change("restore", set, "--only", "automation", "--no-backup");
    expect([run.outcome, run.error?.code]).toEqual(["succeeded", undefined]);
    await until("n8n answers everything", isWell, 240_000);
    expect((await n8n.names()).length).toBe(workflows);
    expect(await callIt()).toBe(password);
    expect(await sql("select count(*) from workflow_entity", `n8n_before_${run.run}`)).toBe("0");
    await change("run", "restore", "forget", `id=${run.run}`);
    expect(await sql("select datname from pg_database where datname like 'n8n%'", "postgres")).toBe("n8n");
  });

  it("that is away does not keep Odoo from its backup, and health says what that lacks", async () => {
    await power("stop");
    const run = await change("backup");
    expect(run.outcome).toBe("succeeded");
    const failed = run.steps.filter(({ outcome }) => outcome === "failed");
    expect(failed.map(({ error }) => error?.code)).toEqual(["automation.unreachable"]);
    const { checks } = await ask<{ checks: { code: string; status: string }[] }>("health");
    const found = checks.filter(({ code }) => code.startsWith("IPAI-AUTOMATION"));
    expect(found.map(({ code, status }) => `${code} ${status}`)).toEqual([
      "IPAI-AUTOMATION-001 fail",
      "IPAI-AUTOMATION-002 fail",
      "IPAI-AUTOMATION-004 ok",
    ]);
    const status = await ipai(["--config", n8nStack.config, "status"], { env: env() });
    expect(status.stdout).toContain(`${run.run} has n8n without its workflows as JSON.`);
    await power("start");
  });

  it("is left alone by a restore when it has lost its key, which would make its passwords unreadable", async () => {
    const file = join(home, ".n8n/config");
    const kept = await readFile(file, "utf8");
    await perform({ kind: "write", host: "local", path: file, content: '{"encryptionKey": "another"}', mode: "0644" });
    const run = await change("restore", set, "--only", "automation", "--no-backup");
    expect([run.outcome, run.error?.code]).toEqual(["failed-and-undone", "restore.automation_key"]);
    await perform({ kind: "write", host: "local", path: file, content: kept, mode: "0644" });
    expect([await isWell(), existsSync(file)]).toEqual([true, true]);
  });

  it("answers the test of a webhook once its workflow is active, and what it answers else is told", async () => {
    const action = (await n8nStack.stack()).automation?.callWebhook("/webhook/ipai-test", {
      test: true,
      stack: "sandbox",
    });
    if (action === undefined) throw new TypeError("the stack has no automation");
    const { code } = WebhookFailed;
    await expect(perform(action)).rejects.toMatchObject({ code, message: expect.stringContaining("answer is 404") });
    await n8n.activate(await n8n.create("workflows", testedWorkflow(`http://127.0.0.1:${target.port}/`)));
    // What it was told goes on to the other end.
    await until("the webhook is there", async () => (await perform(action).catch(() => undefined)) !== undefined);
    await until("its workflow has run", async () => target.requests.at(-1)?.body.includes("sandbox") === true);
    expect(JSON.parse(target.requests.at(-1)?.body ?? "")).toEqual({ test: true, stack: "sandbox" });
  });

  describe("with the shipped workflows, and an Odoo that decides", () => {
    const database = "n8n_flows";
    const alert = "Finance PPM: BIR deadline alert";
    let odoo: Awaited<ReturnType<typeof serve>>;
    const texts = () => n8nStack.texts();
    const status = () => ask<{ name: string; is: string }[]>("n8n", "status").then((all) => all.map(({ is }) => is));
    const call = (body: object, headers = {}) => n8nStack.call("bir-deadline-alert", body, headers);
    const digests = (state: string) =>
      sql(`select count(*) from ipai_finance_digest where state = '${state}'`, database).then(Number);
    /** A filing that is due today, and what is told about it by mail is sent. */
    const due = (reference: string) =>
      typeIntoShell(
        database,
        `day = env['ipai.finance.calendar']._today()
form = env['ipai.finance.bir_form'].search([('code', '=', '1601-C')])
company = env['res.company'].search([], limit=1)
env['ipai.finance.person'].search([('code', '=', 'D1')]) or env['ipai.finance.person'].create({'code': 'D1', 'name': 'Dora', 'role': 'director', 'email': 'dora@example.com', 'company_id': company.id})
env['ipai.finance.bir_schedule'].create({'company_id': company.id, 'form_id': form.id, 'period_covered': '2026-01', 'reference': ${JSON.stringify(reference)}, 'override_deadline': day, 'override_reason': 'test'})
env['ipai.finance.bir_schedule']._tell_deadlines()
env['ipai.finance.alert']._run_quarter_hour()
env.cr.commit()
`,
      );

    beforeAll(async () => {
      await makeDatabase(database);
      expect((await runOdoo(database, ["-i", "ipai_finance_ppm"])).exitCode).toBe(0);
      // The filings of the year, of which some are due on the day of the test, are not what is told here.
      await sql("update ipai_finance_bir_schedule set state = 'cancelled'", database);
      n8nStack.odooKey = await makeKey(database, "group_deliverer");
      odoo = await serve(database);
    });
    afterAll(async () => {
      await odoo.stop();
      await removeDatabase(database);
    });

    it("takes back all that it made, the credential too, when Odoo does not take the key", async () => {
      const right = n8nStack.odooKey;
      n8nStack.odooKey = "0".repeat(40);
      const run = await change("n8n", "sync");
      n8nStack.odooKey = right;
      expect([run.outcome, run.error?.code]).toEqual(["failed-and-undone", WebhookFailed.code]);
      expect(await status()).toEqual(Array(7).fill("missing"));
      expect(await sql("select count(*) from credentials_entity where name like 'Finance%'", "n8n")).toBe("0");
    });

    it("puts them there, active, with a credential of its own, and does nothing the second time", async () => {
      expect(await status()).toEqual(Array(7).fill("missing"));
      const planned = await ipai(["--config", n8nStack.config, "n8n", "sync", "--plan"], { env: env() });
      expect([planned.exitCode, planned.stdout.includes(`Add ${alert}`)]).toEqual([0, true]);
      expect(await status()).toEqual(Array(7).fill("missing"));
      const run = await change("n8n", "sync");
      expect([run.outcome, run.error]).toEqual(["succeeded", undefined]);
      expect(await status()).toEqual(Array(7).fill("as shipped"));
      await until("the chat has the test", async () => texts().some((text) => text.includes("TEST")));
      expect((await change("n8n", "sync")).steps.map(({ id }) => id)).toEqual(["test"]);
    });

    it("answers the runbook's call with a test in the chat, and writes nothing in Odoo", async () => {
      const before = await fingerprint(database);
      chat.requests.length = 0;
      const answer = await call({ test: true, form: "1601-C", days_until_deadline: 7 });
      const said = await answer.json();
      expect([answer.status, said]).toMatchObject([200, { test: true, form: "1601-C", days_until_deadline: 7 }]);
      await until("the chat has it", async () => texts().some((text) => text.includes("1601-C, 7 days")));
      expect((await call({ tset: true })).status).toBe(400);
      expect([await fingerprint(database), chat.requests.length]).toEqual([before, 1]);
    });

    it("tells what is due once in the chat and once by mail, whatever it is called, though the chat fails first", async () => {
      chat.requests.length = 0;
      const refusals = 2;
      chat.behave = (_, response) => {
        response.statusCode = chat.requests.length <= refusals ? 500 : 200;
        response.end("ok");
      };
      await due('"quoted"\n🎉 @all');
      const answers = await Promise.all([call({}), call({})]);
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      await until("it is delivered", async () => (await digests("delivered")) === 1, 60_000);
      expect([chat.requests.length, await digests("claimed"), await digests("failed")]).toEqual([refusals + 1, 0, 0]);
      const text = texts().at(-1) ?? "";
      expect([text.includes('"quoted" 🎉'), text.includes("@all")]).toEqual([true, false]);
      expect((await call({})).status).toBe(200);
      expect(await digests("delivered")).toBe(1);
      expect(await sql("select count(*) from mail_mail where email_to = 'dora@example.com'", database)).toBe("1");
    });

    it("asks for a secret when one is configured, which ipai sends, and is open again without", async () => {
      await n8nStack.configure((definition) => {
        definition.services["automation"] = Object.assign({}, definition.services["automation"], {
          webhookSecret: "${WEBHOOK_SECRET}",
        });
      });
      n8nStack.more["WEBHOOK_SECRET"] = "sesame-and-lily";
      const guarded = Array(3).fill("different");
      expect(await status()).toEqual(["as shipped", ...guarded, ...Array(3).fill("as shipped")]);
      const planned = await ipai(["--config", n8nStack.config, "n8n", "sync", "--plan", "--json"], { env: env() });
      expect([planned.exitCode, planned.stdout.includes("Change ")]).toEqual([0, true]);
      // What fails in the end is taken back, the credential too: here Odoo is away.
      await odoo.stop();
      const undone = await change("n8n", "sync");
      expect([undone.outcome, undone.error?.code]).toEqual(["failed-and-undone", WebhookFailed.code]);
      const failures = () => ask<{ workflow: string; node: string; message: string }[]>("n8n", "failures");
      const failed = async () => (await failures()).filter(({ workflow }) => workflow === alert);
      await until("what became of the call is told", async () => (await failed()).length > 0);
      const words = expect.stringContaining("Odoo did not say what is due");
      expect(await failed()).toMatchObject([{ node: "Digests", message: words }]);
      odoo = await serve(database);
      const guards = () => sql("select count(*) from credentials_entity where name = 'Finance PPM: webhooks'", "n8n");
      expect([await guards(), (await call({ test: true })).status]).toEqual(["0", 200]);
      const run = await change("n8n", "sync");
      expect([run.outcome, run.error, run.steps.at(-1)?.id]).toEqual(["succeeded", undefined, "refuse"]);
      expect([await status(), await guards()]).toEqual([Array(7).fill("as shipped"), "1"]);
      const answers = [
        await call({}),
        await call({ test: true }, { "X-Webhook-Secret": "sesame" }),
        await call({ test: true }, { "X-Webhook-Secret": "sesame-and-lily" }),
      ];
      expect(answers.map((one) => one.status)).toEqual([403, 403, 200]);
      const kept = await ipai(["runs", "show", run.run, "--json"]);
      expect([planned.stdout, JSON.stringify(run), kept.stdout].join().includes("sesame")).toBe(false);
      await n8nStack.configure();
      expect((await change("n8n", "sync")).outcome).toBe("succeeded");
      expect((await call({ test: true })).status).toBe(200);
    });

    it("is put back as it was when the test fails, and says what somebody has changed", async () => {
      const laidOut = { position: [70, 80], notes: "ask Dora, sesame-7" };
      await n8n.reschedule(alert, "0 6 * * *", laidOut);
      expect((await status())[1]).toBe("different");
      // What somebody wrote into n8n is nowhere but in a file of the run, which its owner alone reads.
      const planned = await ipai(["--config", n8nStack.config, "n8n", "sync", "--plan", "--json"], { env: env() });
      expect([planned.exitCode, planned.stdout.includes(alert), planned.stdout.includes("sesame-7")]).toEqual([
        0,
        true,
        false,
      ]);
      await odoo.stop();
      const run = await change("n8n", "sync");
      expect([run.outcome, run.error?.code]).toEqual(["failed-and-undone", WebhookFailed.code]);
      expect([(await status())[1], await n8n.schedule(alert)]).toEqual(["different", laidOut]);
      const file = join(folder, `work/runs/${run.run}/workflows/${encodeURIComponent(alert)}.json`);
      const [kept, { mode }] = [await readFile(file, "utf8"), await stat(file)];
      expect([kept.includes("sesame-7"), kept.includes("0 6 * * *"), mode & 0o777]).toEqual([true, true, 0o600]);
      odoo = await serve(database);
      expect((await change("n8n", "sync")).outcome).toBe("succeeded");
      expect([(await status())[1], await n8n.schedule(alert)]).toEqual(["as shipped", laidOut]);
    });

    it("keeps the reports and what Odoo takes to answer where SQL asks for them", () =>
      keepFigures(n8n, supabase, database));
  });
});
