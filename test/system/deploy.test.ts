import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { configWith, prove, refusal } from "../harness/backups.ts";
import { Later, noSchedules } from "../harness/later.ts";
import { call, listDatabases, logIn } from "../harness/odoo.ts";
import { Receiver } from "../harness/receiver.ts";
import { fingerprint, fingerprintAtRest } from "../harness/release.ts";
import { type Draft, deployed, developer, giveTo, ownerOf, push } from "../harness/repository.ts";
import {
  folder,
  ipai,
  isCompose,
  leftovers,
  parsed,
  type RunJson,
  serves,
  sql,
  until,
  urls,
} from "../harness/sandbox.ts";
import { comeAndGo, whileWatched } from "../harness/users.ts";

/** Releases out of a git repository, brought into a stack that people use. */

interface ReleaseJson {
  readonly id: string;
  readonly kind: string;
  readonly commit: string;
  readonly downtimeSeconds: number;
}

interface RehearsalJson {
  readonly commit: string;
  readonly from: string;
  readonly updateSeconds: number;
  readonly found: Readonly<
    Record<"come" | "invalidViews" | "kept" | "keptBefore" | "cronsLost" | "cronsNew" | "notAsked", readonly string[]>
  >;
}

const run = async (...args: readonly string[]) => parsed<RunJson>(await ipai([...args, "--yes", "--json"]));
const version = (module: string) => sql(`select latest_version from ir_module_module where name = '${module}'`);
const hashes = () => sql("select value from ir_config_parameter where key = 'ipai.module_hashes'");
const crons = () => sql("select string_agg(id || cron_name || active, ',' order by id) from ir_cron");
const everythingServes = async () => (await Promise.all([urls.public, ...urls.odoo].map(serves))).every(Boolean);
const deployments = async () => parsed<readonly ReleaseJson[]>(await ipai(["deployments", "--json"]));

const entry = "ipai_demo_ledger/models/entry.py";
/** Code alone: what the ledger's scheduled action does. */
const say = (what: string) => (draft: Draft) =>
  draft.edit(entry, 'due.write({"state": "posted"})', `due.write({"state": "posted"})  # ${what}`);

/** The database changes with it. */
const addField = ({ edit }: Draft) => edit(entry, "note =", "remark = fields.Char()\n    note =");

const password = "Sesame-7731";
/** What the automation is asked, and what people are told. */
let [n8n, chat]: Receiver[] = [];
let config: string;
const env = (given: Readonly<Record<string, string>> = {}) => ({
  ...{ SMOKE_PASSWORD: password, N8N_API_KEY: "none", CHAT_URL: `http://127.0.0.1:${chat?.port}/`, ...given },
});
const runAs = async (given: Readonly<Record<string, string>>, ...args: readonly string[]) =>
  parsed<RunJson>(await ipai(["--config", config, ...args, "--yes", "--json"], { env: env(given) }));

/** Somebody logs in after each deployment; an automation is tested, which no container would reach; a chat is told. */
async function configured(required: boolean): Promise<string> {
  const change = (schedules: object) =>
    configWith(join(folder, "smoke-login.yaml"), (stack, _, all) => {
      all["notify"] = { chat: { kind: "webhook", url: "${CHAT_URL}", severity: "info" } };
      Object.assign(stack["urls"] as object, { login: { user: "smoke", password: "${SMOKE_PASSWORD}" } });
      const smoke = { path: "/webhook/ipai-test", required };
      const automation = { url: `http://127.0.0.1:${n8n?.port}`, apiKey: "${N8N_API_KEY}", smoke };
      if (!isCompose) Object.assign(stack["services"] as object, { automation });
      Object.assign(stack, { schedules });
    });
  config = await change({});
  return change(await noSchedules(config, env()));
}

beforeAll(async () => {
  expect((await ipai(["demo", "up"])).exitCode).toBe(0);
  await giveTo(developer);
  await call("res.users", "create", { name: "Smoke", login: "smoke", password });
  [n8n, chat] = await Promise.all([new Receiver().listen(), new Receiver().listen()]);
  await configured(true);
});
afterAll(async () => {
  await Promise.all([n8n?.close(), chat?.close()]);
  expect((await ipai(["demo", "reset"])).exitCode).toBe(0);
});

describe("code alone", () => {
  it("is rolled at the time that somebody chose, and no request fails", async () => {
    const commit = await push("Say it more clearly", say("clearly"));
    const planned = await runAs({}, "deploy", "--at", "in 10s");
    expect(planned).toMatchObject({ outcome: "planned", at: expect.any(String) });
    expect((await ipai(["deployments"])).stdout).toContain(planned.run);
    const users = await comeAndGo();
    await using later = new Later(config, env());
    const ended = await later.ended<RunJson & { startedAt: string }>(planned.run);
    const answers = await users.stop();
    expect(ended).toMatchObject({ outcome: "succeeded" });
    expect(Date.parse(ended.startedAt)).toBeGreaterThanOrEqual(Date.parse((planned as unknown as { at: string }).at));
    const told = () => (chat?.titles() ?? []).filter((title) => title.includes("Say it more clearly"));
    await until("its end is told", async () => told().length === 3);
    expect(told()).toEqual([
      expect.stringMatching(/^Deploy .* \(Say it more clearly\): begins /),
      expect.stringMatching(/^Deploy .*: started$/),
      expect.stringMatching(/^Deployment complete in \d.*: Deploy /),
    ]);
    if (!isCompose) {
      expect(n8n?.requests.map(({ body }) => JSON.parse(body))).toMatchObject([{ test: true, stack: "sandbox" }]);
    }
    expect(ended.steps.filter(({ id }) => id.endsWith(" login"))).toHaveLength(3);
    const said = await Promise.all(
      [
        ["runs", "logs", ended.run, "--json"],
        ["runs", "show", ended.run],
        ["audit", "export"],
      ].map((args) => ipai(args)),
    );
    expect(said.map(({ stdout }) => stdout.includes(password))).toEqual([false, false, false]);
    expect(answers.failures).toEqual([]);
    expect(answers.requests).toBeGreaterThan(200);
    expect([await deployed(), await everythingServes()]).toEqual([commit, true]);
    expect(await ownerOf(entry)).toBe(developer);
    expect(refusal(await ipai(["deploy", "--yes", "--json"])).code).toBe("deploy.nothing_to_do");
  });

  it("of a hot-fix that its own check does not see, or that lets nobody in, is taken back, and no request fails", async () => {
    const [before, known] = [await deployed(), await hashes()];
    await push("A fix that fixes nothing", say("nothing"));
    const users = await comeAndGo();
    const ended = await run("hotfix", "--verify", `test -e ${join(folder, "nothing")}`);
    expect(ended).toMatchObject({ outcome: "failed-and-undone", error: { code: "deploy.fix_not_seen" } });
    const shut = await runAs({ SMOKE_PASSWORD: "not-his" }, "hotfix");
    expect(shut).toMatchObject({ outcome: "failed-and-undone", error: { code: "deploy.login_refused" } });
    expect(shut.error?.message).toMatch(/refuses the name or the password of the user smoke/);
    expect(JSON.stringify(shut)).not.toContain("not-his");
    const answers = await users.stop();
    expect(answers.failures).toEqual([]);
    expect([await deployed(), await hashes(), await everythingServes()]).toEqual([before, known, true]);
  });

  it("of a hot-fix that is seen stays", async () => {
    const commit = await push("A fix", say("fixed"));
    const check = `${urls.public}/web/login 'name="login"'`;
    await configured(false);
    if (n8n !== undefined) n8n.behave = (_, response) => response.writeHead(404).end();
    const ended = await runAs({}, "hotfix", "--verify", check);
    expect(ended).toMatchObject({ outcome: "succeeded" });
    // An automation that nobody asked to be there is told of, and stops nothing.
    if (!isCompose)
      expect(ended.steps).toContainEqual(
        expect.objectContaining({
          id: "smoke automation",
          error: expect.objectContaining({ code: "deploy.webhook_failed" }),
        }),
      );
    expect(await deployed()).toBe(commit);
  });

  it("that nothing can be started with is taken back when it has had its time, and no request fails", async () => {
    const before = await deployed();
    const impatient = await configWith(join(folder, "impatient.yaml"), (stack) => {
      Object.assign(stack["odoo"] as object, { startSeconds: 20 });
    });
    await push("Import what is not there", ({ edit }) => edit(entry, "from odoo", "import nobody_has_this\nfrom odoo"));
    const users = await comeAndGo();
    const ended = await run("--config", impatient, "deploy");
    const answers = await users.stop();
    expect(ended).toMatchObject({ outcome: "failed-and-undone", error: { code: "odoo.not_serving" } });
    expect(answers.failures).toEqual([]);
    expect([await deployed(), await everythingServes()]).toEqual([before, true]);
    await push("Take it out again", ({ edit }) => edit(entry, "import nobody_has_this\n", ""));
  });
});

interface ChecklistJson {
  readonly status: string;
  readonly ticks: readonly { readonly code: string; readonly status: string; readonly text: string }[];
}

describe("the checklist", () => {
  let frozen = "";
  const dayIn = (days: number) =>
    new Intl.DateTimeFormat("sv-SE", { timeZone: "Asia/Manila" }).format(Date.now() + days * 86_400_000);
  const as = (who: string) => ({ env: { SUDO_USER: who } });
  const ticksOf = async (...args: readonly string[]) => {
    const { ticks } = parsed<ChecklistJson>(await ipai([...args, "--checklist", "--json"], { env: env() }));
    return new Map(ticks.map(({ code, status, text }) => [code, { status, text }]));
  };

  beforeAll(async () => {
    frozen = await configWith(join(folder, "frozen.yaml"), (stack) => {
      stack["deployments"] = {
        freeze: [
          { from: dayIn(0), until: dayIn(0), why: "Annual income tax" },
          { from: dayIn(3), until: dayIn(3), why: "Inventory" },
        ],
      };
    });
  });

  it("is ticked from what there is, also of a release that is refused", async () => {
    await logIn();
    const commit = await push("A new field", addField, "attempt");
    const ticks = await ticksOf("--config", config, "deploy", "--to", commit);
    expect([...ticks].map(([code, { status }]) => `${code.slice(-3)} ${status}`)).toEqual([
      "001 ok",
      "002 ok",
      "003 ok",
      "004 ok",
      "005 ok",
      "006 warn",
      "007 fail",
      "008 ok",
      "009 warn",
      "010 ok",
    ]);
    expect(ticks.get("IPAI-DEPLOY-009")?.text).toMatch(/^1 in the last hour: admin\.$/);
    const broken = await push("A mistake", ({ edit }) => edit(entry, "class Entry", "class Entry("), "attempt");
    const refused = await ticksOf("--config", frozen, "deploy", "--to", broken);
    expect([refused.get("IPAI-DEPLOY-002")?.status, refused.get("IPAI-DEPLOY-010")?.status]).toEqual(["fail", "fail"]);
  });

  it("holds up a release that changes the database until a backup is proven", async () => {
    const commit = await push("A new field", addField, "attempt");
    const refused = refusal(await ipai(["deploy", "--to", commit, "--yes", "--json"]));
    expect(refused).toMatchObject({
      code: "deploy.checklist_red",
      message: expect.stringMatching(/Proven backup \(IPAI-DEPLOY-007\).*ipai backup verify/),
    });
    await prove();
    expect((await ticksOf("deploy", "--to", commit)).get("IPAI-DEPLOY-007")?.status).toBe("ok");
  });

  it("of a freeze is overridden by two people, and by nobody alone", async () => {
    const before = await deployed();
    const commit = await push("In the week of the tax", say("in the week of the tax"));
    const plan = await ipai(["--config", frozen, "hotfix", "--plan"]);
    expect(plan.stdout).toMatch(/warn: Freeze \(IPAI-DEPLOY-010\)\. Annual income tax/);
    const deploy = ["--config", frozen, "deploy", "--yes", "--json"];
    expect(refusal(await ipai(deploy)).code).toBe("deploy.checklist_red");
    // Of what is planned for a time, that time counts.
    expect(refusal(await ipai([...deploy, "--at", `${dayIn(3)} 12:00`])).message).toMatch(/Inventory/);
    const override = [...deploy, "--override", "The bank changes its format tonight"];
    expect(refusal(await ipai(override)).code).toBe("access.nobody_else");
    for (const [handle, role] of [
      ["anna", "operator"],
      ["berta", "approver"],
    ] as const) {
      const added = ["--name", handle, "--email", `${handle}@example.com`, "--role", role, "--shell", handle];
      expect((await ipai(["people", "add", handle, ...added, "--json"])).exitCode).toBe(0);
    }
    const waiting = parsed<RunJson>(await ipai(override, as("anna")));
    expect([waiting.outcome, await deployed()]).toEqual(["waiting", before]);
    const again = await ipai(["--config", frozen, "approve", waiting.run, "--yes", "--json"], as("anna"));
    expect(refusal(again).code).toBe("approval.needs_other");
    const ended = await ipai(["--config", frozen, "approve", waiting.run, "--yes", "--json"], as("berta"));
    expect(parsed<RunJson>(ended).outcome).toBe("succeeded");
    expect([await deployed(), await everythingServes()]).toEqual([commit, true]);
    const chain = parsed<readonly { subject: string; action: string; detail: object }[]>(
      await ipai(["audit", "--json", "-n", "50"]),
    );
    const planned = chain.find(({ subject, action }) => subject === waiting.run && action === "run.planned");
    expect(planned?.detail).toMatchObject({
      override: { reason: "The bank changes its format tonight", findings: ["IPAI-DEPLOY-010"] },
    });
  });

  it("cannot be overridden where a release is refused", async () => {
    const broken = await push("A mistake", ({ edit }) => edit(entry, "class Entry", "class Entry("), "attempt");
    const refused = await ipai(["deploy", "--to", broken, "--override", "It has to be", "--yes", "--json"]);
    expect(refusal(refused).code).toBe("deploy.code_broken");
  });
});

describe("a release that is refused", () => {
  const cases: readonly [string, (draft: Draft) => Promise<void>, string][] = [
    ["with a mistake in its Python", ({ edit }) => edit(entry, "class Entry", "class Entry("), "deploy.code_broken"],
    [
      "that depends on a module that nobody has",
      ({ edit }) => edit("ipai_demo_ledger/__manifest__.py", '"base"', '"base", "nobody_has_this"'),
      "deploy.dependency_missing",
    ],
    [
      "that needs a Python package that nobody has",
      ({ edit }) =>
        edit(
          "ipai_demo_ledger/__manifest__.py",
          '"application"',
          '"external_dependencies": {"python": ["nobody_has_this"]}, "application"',
        ),
      "deploy.dependency_missing",
    ],
    [
      "that has no code for an installed module",
      async ({ folder: clone }) => {
        const { rm } = await import("node:fs/promises");
        await rm(join(clone, "ipai_demo_report"), { recursive: true });
      },
      "deploy.modules_lost",
    ],
  ];

  it.each(cases)("%s changes nothing", async (what, work, code) => {
    const before = await deployed();
    const commit = await push(what, work, "attempt");
    expect(refusal(await ipai(["deploy", "--to", commit, "--yes", "--json"])).code).toBe(code);
    expect([await deployed(), await everythingServes()]).toEqual([before, true]);
  });

  it("that was planned for a time by which the stack is another one, and who was told is told that", async () => {
    const before = await deployed();
    const commit = await push("Planned, and overtaken", say("later"), "attempt");
    const planned = await runAs({}, "deploy", "--to", commit, "--at", "in 8s");
    const change = (key: string) =>
      sql(`update ir_config_parameter set value = ${key} where key = 'ipai.module_hashes' returning value`);
    await change(`(value::jsonb || '{"by_hand": "x"}')::text`);
    await using later = new Later(config, env());
    const ended = await later.ended<RunJson>(planned.run);
    await change(`(value::jsonb - 'by_hand')::text`);
    expect(ended).toMatchObject({ outcome: "failed", error: { code: "run.drift" } });
    expect([await deployed(), await everythingServes()]).toEqual([before, true]);
    await until(
      "it is told",
      async () => chat?.titles().some((title) => title.endsWith("does not take place")) === true,
    );
  });

  it("as a hot-fix, because the database has to change with it", async () => {
    const commit = await push("A new field", addField, "attempt");
    expect(refusal(await ipai(["hotfix", "--to", commit, "--yes", "--json"])).code).toBe("deploy.not_code_only");
  });

  it("while somebody has changed the tree by hand", async () => {
    const { writeFile, rm } = await import("node:fs/promises");
    const stray = join(folder, "addons/ipai_demo_ledger/models/by_hand.py");
    await writeFile(stray, "# by hand\n");
    expect(refusal(await ipai(["deploy", "--yes", "--json"])).code).toBe("deploy.tree_not_clean");
    await rm(stray);
  });
});

describe("a release that changes the database", () => {
  const script = (name: string, text: string) => async (draft: Draft) => {
    await draft.put(`ipai_demo_ledger/migrations/1.0.1/${name}`, `def migrate(cr, version):\n    ${text}\n`);
    await draft.edit("ipai_demo_ledger/__manifest__.py", '"1.0.0"', '"1.0.1"');
  };
  const failing: readonly [string, (draft: Draft) => Promise<void>, string][] = [
    ["a view that is wrong", ({ lay }) => lay("broken"), "odoo.update_failed"],
    ["a migration script that fails", script("pre-fail.py", 'raise ValueError("no")'), "odoo.update_failed"],
    [
      "a module that is left between two states",
      script("end-stuck.py", `cr.execute("update ir_module_module set state = 'to upgrade' where name = 'web'")`),
      // Odoo itself says so first.
      "upgrade.log_errors",
    ],
  ];

  it.each(failing)("with %s is taken back whole", async (what, work, code) => {
    const before = await deployed();
    const commit = await push(`A release with ${what}`, work, "attempt");
    const [content, active] = [await fingerprintAtRest(), await crons()];
    const ended = await whileWatched(what, () => run("deploy", "--to", commit, "--no-backup"));
    expect(ended).toMatchObject({ outcome: "failed-and-undone", error: { code } });
    expect([await fingerprint(), await crons()]).toEqual([content, active]);
    expect([await deployed(), await everythingServes(), await leftovers()]).toEqual([before, true, []]);
  });

  it("and does not answer as it should is taken back whole", async () => {
    const before = await deployed();
    const commit = await push("The release", ({ lay }) => lay("good"), "attempt");
    const config = await configWith(join(folder, "smoke.yaml"), (stack) => {
      Object.assign(stack["urls"] as object, { smoke: [{ path: "/ipai/nothing" }] });
    });
    const content = await fingerprintAtRest();
    const args = ["--config", config, "deploy", "--to", commit, "--no-backup"];
    const ended = await whileWatched("a smoke test that is red", () => run(...args));
    expect(ended).toMatchObject({ outcome: "failed-and-undone", error: { code: "deploy.smoke_failed" } });
    expect(await fingerprint()).toBe(content);
    expect([await deployed(), await everythingServes(), await leftovers()]).toEqual([before, true, []]);
  });
});

describe("a rehearsal", () => {
  /** People changed a record that updates leave alone, and made a view of their own. */
  const byHand = async () => {
    const id = (name: string) =>
      sql(`select res_id from ir_model_data where module = 'ipai_demo_ledger' and name = '${name}'`);
    await call("ipai.demo.entry", "write", [Number(await id("entry_licence"))], { name: "Licence, as agreed" });
    return call<number>("ir.ui.view", "create", {
      ...{ name: "By hand", model: "ipai.demo.entry", inherit_id: Number(await id("entry_view_form")) },
      arch: `<xpath expr="//field[@filename='document_name']" position="attributes"><attribute name="class">big</attribute></xpath>`,
    });
  };
  /** The release, and what its update does that no log says. */
  const eventful = async ({ lay, edit, put }: Draft) => {
    await lay("good");
    await edit("ipai_demo_ledger/data/entries.xml", "215000.00", "216000.00");
    await edit("ipai_demo_ledger/views/entry_views.xml", ' filename="document_name"', "");
    await edit(
      "ipai_demo_ledger/views/entry_views.xml",
      "</odoo>",
      `<record id="cron_more" model="ir.cron"><field name="name">More</field><field name="model_id" ref="model_ipai_demo_entry"/>
<field name="state">code</field><field name="code">pass</field></record></odoo>`,
    );
    const gone = "select res_id from ir_model_data where name = 'cron_post_due_entries'";
    await put(
      "ipai_demo_ledger/migrations/1.1.0/post-forget.py",
      `def migrate(cr, version):\n    cr.execute("delete from ir_cron where id in (${gone})")\n`,
    );
  };

  it("does the update beside the serving stack, and says what a deployment then takes", async () => {
    const own = await byHand();
    const [before, content] = [await deployed(), await fingerprintAtRest()];
    expect(await run("backup")).toMatchObject({ outcome: "succeeded" });
    const broken = await push("A release with a view that is wrong", ({ lay }) => lay("broken"), "attempt");
    expect(await run("rehearse", "--to", broken)).toMatchObject({ error: { code: "odoo.update_failed" } });
    const commit = await push("The release, rehearsed", eventful, "attempt");
    expect(await run("rehearse", "--to", commit)).toMatchObject({ outcome: "succeeded" });
    expect([await deployed(), await fingerprint(), await everythingServes()]).toEqual([before, content, true]);
    expect(await leftovers()).toEqual([]);
    const [found] = parsed<readonly RehearsalJson[]>(await ipai(["rehearsals", "--json"]));
    expect(found).toMatchObject({ commit, from: before });
    expect(found?.updateSeconds).toBeGreaterThan(0.5);
    expect(found?.found.come).toContainEqual(expect.stringMatching(/^column ipai_demo_entry\./));
    expect(found?.found).toMatchObject({
      // The view that it was put into shows it too, and so does whatever else is.
      invalidViews: expect.arrayContaining([
        expect.stringMatching(`^By hand \\(${own}\\) ipai.demo.entry: .*filename=.*document_name.* cannot be located`),
      ]),
      kept: ["ipai.demo.entry ipai_demo_ledger.entry_campaign: amount"],
      keptBefore: ["ipai.demo.entry ipai_demo_ledger.entry_licence: name"],
      cronsLost: ["ipai_demo_ledger.cron_post_due_entries|Demo Ledger: post due entries"],
      cronsNew: ["ipai_demo_ledger.cron_more|More"],
      notAsked: [],
    });
    const plan = await ipai(["deploy", "--to", commit, "--plan"]);
    expect(plan.stdout).toMatch(/Users are out for about \d+ s/);
    await call("ir.ui.view", "unlink", [own]);
  });
});

describe("two releases", () => {
  it("go forward, and both are taken back at once", async () => {
    const [first] = await deployments();
    const [commit, content] = [await deployed(), await fingerprintAtRest()];
    await push("The release", ({ lay }) => lay("good"));
    expect(await run("deploy")).toMatchObject({ outcome: "succeeded" });
    expect(await version("ipai_demo_report")).toMatch(/1\.1\.0$/);
    await push("A new field", addField);
    expect(await run("deploy", "--no-backup")).toMatchObject({ outcome: "succeeded" });
    await call("res.partner", "create", { name: "Written since" });
    const listed = await deployments();
    expect(listed.slice(0, 2).map(({ kind }) => kind)).toEqual(["database", "database"]);
    expect(listed[0]?.downtimeSeconds).toBeGreaterThan(0);
    // What is kept is not worked on by an Odoo whose configuration names no database.
    const kept = await sql(
      "select string_agg(datname, ' ' order by datname) from pg_database where datname ~ '_before_'",
    );
    expect(kept.split(" ")).toHaveLength(2);
    expect(await listDatabases()).toEqual(isCompose ? ["n8n", "odoo"] : ["odoo"]);

    const plan = await ipai(["rollback", first?.id ?? "", "--plan"]);
    expect(plan.stderr).toMatch(/res\.partner \+1/);
    expect(await run("rollback", first?.id ?? "")).toMatchObject({ outcome: "succeeded" });
    expect([await deployed(), await fingerprint(), await everythingServes()]).toEqual([commit, content, true]);
    expect((await deployments())[0]?.kind).toBe("rollback");
    expect(await sql("select count(*) from pg_database where datname like 'odoo_before_%'")).toBe("2");
    expect(refusal(await ipai(["rollback", listed[0]?.id ?? "", "--yes", "--json"])).code).toBe(
      "rollback.unknown_release",
    );
  });
});
