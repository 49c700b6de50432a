import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { strike } from "../harness/kill.ts";
import { bring, installedCode } from "../harness/release.ts";
import {
  checks,
  container,
  environment,
  folder,
  ipai,
  isCompose,
  leftovers,
  parsed,
  type RunJson,
  run,
  serves,
  services,
  sql,
  stopServices,
  until,
  urls,
} from "../harness/sandbox.ts";

/** Maintenance mode of a real nginx in front of a real Odoo: what users and programs are answered, and that it ends. */

const directory = join(folder, "maintenance");
const flag = join(directory, "on");

interface Answer {
  readonly status: number;
  readonly headers: string;
  readonly body: string;
}

/** What a client is answered at the public address. */
async function ask(path: string, ...options: readonly string[]): Promise<Answer> {
  const trust = isCompose ? ["--cacert", join(folder, "secrets/tls.crt")] : [];
  const asked = [
    "--silent",
    "--include",
    "--http1.1",
    "--max-time",
    "20",
    ...trust,
    ...options,
    `${urls.public}${path}`,
  ];
  const { stdout } = await run("curl", asked);
  const end = stdout.search(/\r?\n\r?\n/);
  const headers = stdout.slice(0, end);
  return { status: Number(/^HTTP\S+ (\d+)/.exec(headers)?.[1]), headers, body: stdout.slice(end).trim() };
}

async function change(...words: readonly string[]): Promise<RunJson> {
  return parsed<RunJson>(await ipai([...words, "--yes", "--json"]));
}

interface StatusJson {
  readonly maintenance: { readonly isOn: boolean; readonly by: string | null; readonly reason: string };
  readonly health: {
    readonly checks: readonly { readonly code: string; readonly status: string; readonly value: unknown }[];
  };
}
const status = async () => parsed<StatusJson>(await ipai(["status", "--json"]));
const resources = async () => parsed<{ id: string; kind: string }[]>(await ipai(["resources", "--json"]));
/** What is found of a maintenance, by its code. */
async function findings(): Promise<readonly (readonly [code: string, status: string])[]> {
  const { health } = await status();
  return health.checks.filter(({ code }) => code.startsWith("IPAI-MAINTENANCE")).map((one) => [one.code, one.status]);
}

let own: string;
beforeAll(async () => {
  await installedCode();
  own = await mkdtemp(join(tmpdir(), "ipai-own-"));
});
/** Nobody is kept out, and nothing is left. */
async function isAsBefore(): Promise<void> {
  expect(await serves(urls.public)).toBe(true);
  expect(await leftovers()).toEqual([]);
}
afterAll(() => rm(own, { recursive: true }));

/** The stack's configuration with another maintenance mode. */
async function configure(maintenance: object): Promise<string> {
  const config = parse(await readFile(join(folder, "ipai.yaml"), "utf8"));
  config.stacks.sandbox.services.proxy.maintenance = { directory, ...maintenance };
  await writeFile(join(own, "ipai.yaml"), stringify(config));
  return own;
}

describe("maintenance that somebody switches on", () => {
  afterAll(isAsBefore);
  const on = ["maintenance", "on", "--reason", "The <b>year</b> is closed", "--for", "30m"];

  it("keeps users and programs out, each in words that they understand, and lets operators pass", async () => {
    const { plan } = parsed<{ plan: { notes: string[] } }>(await ipai([...on, "--plan", "--json"]));
    expect(plan.notes.join(" ")).toContain(urls.odoo.map((url, index) => `${services[index]} at ${url}`).join(", "));
    const switched = await change(...on);
    expect(switched.outcome).toBe("succeeded");

    const page = await ask("/web/login", "--header", "accept: text/html");
    expect([page.status, page.headers]).toEqual([503, expect.stringMatching(/^retry-after: 120\r?$/im)]);
    expect(page.headers).toMatch(/^content-type: text\/html; charset=utf-8\r?$/im);
    expect(page.body).toContain("<p>The &#60;b&#62;year&#60;/b&#62; is closed</p>");
    expect(page.body).toMatch(/We expect to be back by \d\d:\d\d on \d+ \w+ \(Asia\/Manila\)/);
    const posted = await ask("/web/login", "--data", "login=admin");
    expect([posted.status, posted.body]).toEqual([503, page.body]);
    const json = ["--header", "content-type: application/json", "--data", "{}"];
    for (const program of [
      await ask("/jsonrpc", ...json),
      await ask("/web/dataset/call_kw", ...json),
      await ask("/odoo", "--header", "x-requested-with: XMLHttpRequest"),
      await ask("/websocket", "--header", "connection: upgrade", "--header", "upgrade: websocket"),
    ]) {
      expect([program.status, program.headers]).toEqual([503, expect.stringMatching(/^retry-after: 120\r?$/im)]);
      expect(JSON.parse(program.body)).toMatchObject({ error: { code: 503, data: { name: "ipai-maintenance" } } });
    }
    expect(await ask("/web/health")).toMatchObject({ status: 200, body: expect.stringContaining("pass") });
    expect(await Promise.all(urls.odoo.map(serves))).toEqual([true, true, true]);

    expect(await status()).toMatchObject({ maintenance: { isOn: true, by: switched.actor, publicStatus: 503 } });
    expect((await ipai(["status"])).stdout.replaceAll(/\s+/g, " ")).toMatch(
      /Maintenance: on since .*, until .* \(The <b>year<\/b> is closed\)\./,
    );
    const health = await ipai(["health", "--json"]);
    expect([health.exitCode, parsed<{ checks: unknown[] }>(health).checks.length]).toEqual([0, checks]);
    expect(await resources()).toMatchObject([{ kind: "maintenance", run: switched.run, by: switched.actor }]);
  });

  it("has a key for those who may pass, which stands in no plan, log or record", async () => {
    const shown = parsed<{ url: string; key: string }>(await ipai(["maintenance", "bypass", "--json"]));
    expect(shown.url).toBe(`${urls.public}/web/login#ipai=${shown.key}`);
    for (const option of [
      ["--cookie", `ipai_bypass=${shown.key}`],
      ["--header", `x-ipai-bypass: ${shown.key}`],
    ])
      expect((await ask("/web/login", ...option)).body).toContain('name="login"');
    for (const guess of ["", "../on", "0".repeat(48)])
      expect((await ask("/web/login", "--cookie", `ipai_bypass=${guess}`)).status).toBe(503);
    const { run: id } = parsed<RunJson[]>(await ipai(["runs", "--json"]))[0] ?? { run: "" };
    const nginx = isCompose
      ? (await run("docker", ["logs", container("nginx")])).stdout
      : await readFile(join(folder, "log/nginx-access.log"), "utf8");
    expect(nginx).toContain("/web/login");
    const told = [
      nginx,
      ...(await Promise.all(
        [
          ["runs", "show", id],
          ["runs", "logs", id],
          ["audit", "export"],
        ].map(printed),
      )),
    ];
    for (const text of told) expect(text).not.toContain(shown.key);
    expect(told.at(-1)).toContain("maintenance.bypass_shown");
  });

  it("says something else when it is switched on once more, and the key stays", async () => {
    const key = (await ipai(["maintenance", "bypass"])).stdout;
    expect((await change("maintenance", "on", "--reason", "Books", "--for", "2h")).outcome).toBe("succeeded");
    expect((await ask("/web/login")).body).toContain("<p>Books</p>");
    expect((await ipai(["maintenance", "bypass"])).stdout).toBe(key);
    expect(await resources()).toHaveLength(1);
    expect(await findings()).toEqual([["IPAI-MAINTENANCE-001", "ok"]]);
    expect((await ipai(["maintenance", "on", "--for", "soon", "--yes"])).stderr).toContain("usage.maintenance_length");
  });

  it("stays on during an upgrade, which begins and ends behind it", async () => {
    await bring("good");
    const upgraded = await change("upgrade");
    expect([upgraded.outcome, upgraded.steps.some(({ id }) => id === "maintenance on")]).toEqual(["succeeded", false]);
    expect((await ask("/web/login")).body).toContain("<p>Books</p>");
  });

  it("ends with the login page", async () => {
    expect((await change("maintenance", "off")).outcome).toBe("succeeded");
    expect(await ask("/web/login")).toMatchObject({ status: 200, body: expect.stringContaining('name="login"') });
    expect([await resources(), await findings()]).toEqual([[], [["IPAI-MAINTENANCE-001", "ok"]]]);
    for (const what of ["off", "bypass"]) {
      const again = await ipai(["maintenance", what, ...(what === "off" ? ["--yes"] : [])]);
      expect([again.exitCode, again.stderr]).toEqual([26, expect.stringContaining("maintenance.is_off")]);
    }
  });
});

const printed = async (words: readonly string[]) => (await ipai(words)).stdout;

describe("a maintenance", () => {
  afterEach(isAsBefore);

  it("that nginx does not know of is taken back at once", async () => {
    const elsewhere = join(own, "elsewhere");
    const given = { directory: await configure({ directory: elsewhere }) };
    const ended = parsed<RunJson>(await ipai(["maintenance", "on", "--yes", "--json"], given));
    expect([ended.outcome, ended.error?.code]).toEqual(["failed-and-undone", "maintenance.not_closed"]);
    const left = await run("ls", [elsewhere]);
    expect(left.stdout.split("\n").sort()).toEqual(["", "answer.json", "page.html"]);
    expect(await resources()).toEqual([]);
  });

  it("that outlives its time is told of, and ended when its grace is over too", async () => {
    const given = { directory: await configure({ grace: "1s" }) };
    const end = new Date(Date.now() + 4000).toISOString();
    const ended = parsed<RunJson>(await ipai(["maintenance", "on", "--until", end, "--yes", "--json"], given));
    expect([ended.outcome, (await ask("/web/login")).status]).toEqual(["succeeded", 503]);
    await until("it is over", async () => Date.now() > Date.parse(end) + 1000);
    const late = await ipai(["health"], given);
    expect([late.exitCode, late.stdout]).toEqual([
      1,
      expect.stringMatching(/IPAI-MAINTENANCE-001\s+Users are kept out \d+ minutes? longer than they were told/),
    ]);
    const closed = parsed<RunJson>(await ipai(["run", "resources", "expire", "--yes", "--json"], given));
    expect([closed.outcome, closed.steps.map(({ id }) => id.replace(/ maintenance_.*/, ""))]).toEqual([
      "succeeded",
      ["count", "close"],
    ]);
    expect([await resources(), await findings()]).toEqual([[], [["IPAI-MAINTENANCE-001", "ok"]]]);
  });

  it("that is only to be told of is not ended by itself", async () => {
    const given = { directory: await configure({ over: "tell", grace: "0s" }) };
    const end = new Date(Date.now() + 3000).toISOString();
    expect((await ipai(["maintenance", "on", "--until", end, "--yes", "--json"], given)).exitCode).toBe(0);
    await until("it is over", async () => Date.now() > Date.parse(end) + 500);
    const nothing = parsed<RunJson>(await ipai(["run", "resources", "expire", "--yes", "--json"], given));
    expect([nothing.steps, (await ask("/web/login")).status]).toEqual([[], 503]);
    expect((await change("maintenance", "off")).outcome).toBe("succeeded");
  });

  it.each([
    ["by hand", "closed by Ana\n", ["IPAI-MAINTENANCE-001", "warn"]],
    ["by a run that is over", "run 20260101t000000_abcd\n", ["IPAI-MAINTENANCE-002", "warn"]],
    [
      "by somebody whom no record knows",
      "person 20260101t000000_abcd 2099-01-01T00:00:00.000Z\n",
      ["IPAI-MAINTENANCE-002", "warn"],
    ],
  ])("whose flag was put there %s is found, and ended", async (_, text, found) => {
    await writeFile(flag, text);
    expect((await ask("/web/login")).status).toBe(503);
    expect(await findings()).toContainEqual(found);
    expect((await change("maintenance", "off")).outcome).toBe("succeeded");
  });

  it("whose flag somebody removed is put right", async () => {
    expect((await change("maintenance", "on")).outcome).toBe("succeeded");
    await rm(flag);
    expect(await findings()).toContainEqual(["IPAI-MAINTENANCE-002", "warn"]);
    expect((await change("maintenance", "off")).outcome).toBe("succeeded");
    expect(await findings()).toEqual([["IPAI-MAINTENANCE-001", "ok"]]);
  });

  it("behind which no Odoo serves is not lifted, unless somebody insists", async () => {
    expect((await change("maintenance", "on")).outcome).toBe("succeeded");
    await stopServices();
    const refused = await ipai(["maintenance", "off", "--yes"]);
    expect([refused.exitCode, refused.stderr]).toEqual([43, expect.stringContaining("maintenance.serves_nobody")]);
    expect((await ask("/web/login")).status).toBe(503);
    expect((await change("maintenance", "off", "--although")).outcome).toBe("succeeded");
    expect((await ask("/web/login")).status).toBe(502);
    expect((await ipai(["demo", "up"])).exitCode).toBe(0);
    await until("the public address serves", () => serves(urls.public));
  });
});

describe("an upgrade that is killed while users are kept out", () => {
  afterEach(isAsBefore);

  it.each([
    ["do:closed/maintenance on:performed", 0, "good", "succeeded"],
    // An update outlives the program that began it, so what becomes of it must not hang on how fast it is.
    ["do:closed/stopped/update:spawned", 1000, "broken", "failed-and-undone"],
  ] as const)("at %s tells them so until whoever resumes it has ended it", async (point, afterMs, release, outcome) => {
    await installedCode();
    await sql("delete from ir_config_parameter where key = 'ipai.module_hashes'");
    await bring(release);
    const program = { program: "src/cli/main.ts", args: ["upgrade", "--yes"], env: environment };
    await strike(program, point, afterMs === 0 ? {} : { afterMs });
    const page = await ask("/web/login");
    expect([page.status, page.body]).toEqual([503, expect.stringContaining("New versions of its modules")]);
    // It holds the stack, so its flag is explained.
    expect(await findings()).toEqual([["IPAI-MAINTENANCE-001", "ok"]]);
    expect((await ipai(["maintenance", "off", "--although", "--yes"])).stderr).toContain("run.stack_busy");
    const [struck] = parsed<RunJson[]>(await ipai(["runs", "--json"])).filter(({ outcome: one }) => one === "running");
    const ended = parsed<RunJson>(await ipai(["runs", "resume", struck?.run ?? "", "--json"]));
    expect([ended.run, ended.outcome]).toEqual([struck?.run, outcome]);
    expect((await ask("/web/login")).status).toBe(200);
  });
});
