import { chmod, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startControl, type TestControl } from "../../harness/control.ts";
import { NodeProcess } from "../../harness/process.ts";
import { type Ended, ipai, parsed, type RunJson, until } from "../../harness/sandbox.ts";

/**
 * Two people, a token, a hook and a rota, by the command line and by `ipai serve` as it is started: the program itself, on a stack that
 * has one procedure of the user's own.
 */
let test: TestControl;
let folder: string;
let port: number;
let server: NodeProcess;

beforeAll(async () => {
  test = await startControl();
  folder = await mkdtemp(join(test.home, "consent-"));
  await chmod(folder, 0o755);
  await mkdir(join(folder, "procedures"));
  port = await freePort();
  await writeFile(join(folder, "procedures/touch.yaml"), touch());
  await writeFile(join(folder, "ipai.yaml"), configuration());
}, 60_000);
afterAll(async () => {
  server?.kill("SIGKILL");
  await test[Symbol.asyncDispose]();
});

function touch(): string {
  return `name: touch
title: Touch \${input.name}
summary: Makes a file.
chapter: maintenance
lease: exclusive
input: { name: { pattern: "[a-z]+" } }
steps:
  - id: file
    title: Make the file
    write: { path: "${folder}/\${input.name}", content: made }
    verify: [{ title: the file is there, command: [test, -e, "${folder}/\${input.name}"] }]
    undo: [{ id: no-file, title: Remove it, command: [rm, -f, "${folder}/\${input.name}"], verify: [{ title: it is gone, command: [test, "!", -e, "${folder}/\${input.name}"] }] }]
`;
}

function configuration(): string {
  return `procedures: [procedures]
serve: { listen: "127.0.0.1:${port}" }
hooks: { knock: { stack: shop, procedure: touch, input: { name: hooked }, secret: "\${KNOCK}" } }
oncall: { night: { people: [anna, berta], from: "2026-01-01", days: 1, timezone: UTC } }
stacks:
  shop:
    timezone: UTC
    workDirectory: ${folder}/work
    consent: { second: change }
    runtime: { native: { services: { database: { cluster: 15/control }, web: { command: [sleep, "60"], user: root, pidFile: ${folder}/web.pid, log: ${folder}/web.log } } } }
    services: { odoo: [{ name: web, url: "http://127.0.0.1:9" }] }
    odoo: { command: [odoo] }
    urls: { public: "http://127.0.0.1:9" }
    schedules: { health: off, database: off }
`;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => probe.once("listening", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

const environment = (who?: string) => ({
  ...{ IPAI_HOME: test.home, KNOCK: "a-secret-for-the-hook" },
  ...(who === undefined ? {} : { SUDO_USER: who }),
});
const as = (who: string | undefined, ...args: readonly string[]) =>
  ipai(args, { directory: folder, env: environment(who) });
const codeOf = (ended: Ended) => parsed<{ error: { code: string } }>(ended).error.code;
const auditOf = async (subject: string) =>
  parsed<{ subject: string; action: string; actor: string }[]>(await as("anna", "audit", "--json", "-n", "200"))
    .filter((link) => link.subject === subject)
    .map(({ action, actor }) =>
      `${action} ${actor.startsWith("worker") || actor.startsWith("ipai") ? "" : actor}`.trim(),
    );
let token: string;
const call = (path: string, body?: object) =>
  fetch(`http://127.0.0.1:${port}${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

it("nobody who is not known consents where two people are needed", async () => {
  const refused = await as("stranger", "run", "touch", "name=one", "--yes", "--json");
  expect([codeOf(refused), refused.exitCode]).toEqual(["access.unknown_person", 24]);
});

it("people are added with a role, and a link that is shown once", async () => {
  for (const [handle, role, shell] of [
    ["anna", "operator", "anna@laptop"],
    ["berta", "approver", "bert"],
    ["carla", "viewer", "carla"],
  ] as const) {
    const address = `${handle}@example.com`;
    const added = await as(
      undefined,
      ...["people", "add", handle, "--name", handle, "--email", address, "--role", role, "--shell", shell, "--json"],
    );
    expect(parsed<{ link: string }>(added).link).toMatch(new RegExp(`^http://127.0.0.1:${port}/set-up#[\\w-]{43}$`));
  }
  const grants = parsed<{ handle: string; role: string }[]>(await as(undefined, "people", "grants", "--json"));
  expect(grants.map(({ handle, role }) => `${handle} ${role}`)).toEqual([
    "anna operator",
    "berta approver",
    "carla viewer",
  ]);
  const odd = await as(undefined, "people", "grant", "anna", "king");
  expect(odd.exitCode).toBe(14);
  expect((await as(undefined, "people", "grant", "anna", "admin", "--stacks", "shopp")).exitCode).toBe(12);
});

it("a plan of one person waits for another, and is not begun by the same, by whatever name", async () => {
  const started = await as("anna@laptop", "run", "touch", "name=two", "--yes", "--json");
  const run = parsed<RunJson & { actor: string }>(started);
  expect([started.exitCode, run.outcome, run.actor]).toEqual([7, "waiting", "anna"]);
  const again = await as("anna", "approve", run.run, "--yes", "--json");
  expect(codeOf(again)).toBe("approval.needs_other");
  expect(codeOf(await as("carla", "approve", run.run, "--yes", "--json"))).toBe("access.forbidden");
  const shown = (await as("carla", "runs", "show", run.run)).stdout;
  expect(shown).toContain("anna, 1 more needed");
  const approved = parsed<RunJson>(await as("bert", "approve", run.run, "--yes", "--json"));
  expect(approved.outcome).toBe("succeeded");
  expect(await auditOf(run.run)).toEqual([
    ...["run.planned anna", "run.approved anna", "run.approval_refused anna", "access.refused carla"],
    ...["run.approved berta", "run.began", "run.ended"],
  ]);
});

it("who is away is represented by her deputy, and not on call", async () => {
  const until = new Date(Date.now() + 3 * 86_400_000).toISOString();
  expect((await as("berta", "oncall", "away", "berta", "--until", until, "--deputy", "carla")).exitCode).toBe(0);
  const turns = parsed<{ turns: { handle: string }[] }[]>(await as(undefined, "oncall", "--days", "2", "--json"));
  expect(new Set(turns[0]?.turns.map(({ handle }) => handle))).toEqual(new Set(["anna"]));
  const run = parsed<RunJson>(await as("anna", "run", "touch", "name=three", "--yes", "--json"));
  expect(parsed<RunJson>(await as("carla", "approve", run.run, "--yes", "--json")).outcome).toBe("succeeded");
  expect((await as("anna", "runs", "show", run.run)).stdout).toContain("carla for berta");
});

it("serve answers tokens, carries out what it is asked for, and hooks count as one person", async () => {
  const made = await as(undefined, "tokens", "create", "laptop", "--for", "anna", "--role", "operator", "--json");
  token = parsed<{ token: string }>(made).token;
  server = new NodeProcess("src/cli/main.ts", ["--config", join(folder, "ipai.yaml"), "serve", "--json"], {
    env: environment(),
  });
  await until("it answers", () =>
    call("/api/live").then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  const started = await call("/api/runs", { stack: "shop", procedure: "touch", input: { name: "four" } });
  const run = (await started.json()) as RunJson;
  expect([started.status, run.outcome]).toEqual([201, expect.stringMatching(/planned|waiting/)]);
  // The second person comes by the shell, and does not wait for it: whoever is first carries it out.
  await as("berta", "approve", run.run, "--yes", "--json");
  await until(
    "it has ended",
    async () => ((await (await call(`/api/runs/${run.run}`)).json()) as RunJson).outcome === "succeeded",
  );

  const knocked = await fetch(`http://127.0.0.1:${port}/api/hooks/knock`, {
    method: "POST",
    headers: { authorization: "Bearer a-secret-for-the-hook" },
  });
  const hooked = (await knocked.json()) as RunJson;
  expect([knocked.status, hooked.outcome]).toEqual([202, expect.stringMatching(/planned|waiting/)]);
  expect((await as("anna", "approve", hooked.run, "--yes", "--json")).exitCode).toBe(0);
  expect((await auditOf(hooked.run)).slice(0, 3)).toEqual([
    ...["run.planned hook knock", "run.approved hook knock", "run.approved anna"],
  ]);
}, 90_000);

it("the chain is whole, and says who came by which way", async () => {
  expect((await as("anna", "audit", "verify")).exitCode).toBe(0);
  const links = parsed<{ action: string; detail: { via?: string } }[]>(
    await as("anna", "audit", "--json", "-n", "200"),
  );
  const ways = links.filter(({ action }) => action === "run.approved").map(({ detail }) => detail.via);
  expect(new Set(ways)).toEqual(new Set(["shell", "token laptop", "hook"]));
});

it("serve ends when it is told to, and a second one on the same port says why it cannot", async () => {
  const second = await as(undefined, "serve", "--json");
  expect([codeOf(second), second.exitCode]).toEqual(["serve.cannot_listen", 17]);
  server.kill("SIGTERM");
  expect(await server.ended).toMatchObject({ code: 0 });
}, 60_000);
