import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { StackConfig } from "../../../src/config/schema.ts";
import { Secret } from "../../../src/config/secret.ts";
import { listSteps, type Run } from "../../../src/engine/journal.ts";
import { proveAutomation } from "../../../src/procedures/backup/automation/prove.ts";
import { takeAutomation } from "../../../src/procedures/backup/automation/take.ts";
import { automationTold } from "../../../src/procedures/backup/automation/told.ts";
import { rolesSql } from "../../../src/procedures/backup/manifest.ts";
import { bringAutomation } from "../../../src/procedures/backup/restore/automation.ts";
import { withScratch } from "../../../src/procedures/backup/set.ts";
import type { Plan, Step } from "../../../src/runbook/plan.ts";
import { createScratchCluster, type ScratchCluster } from "../../../src/stack/scratch.ts";
import { createStack, type Stack } from "../../../src/stack/stack.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { N8nApi } from "../../harness/n8n-api.ts";
import { perform, practiceStack } from "../../harness/perform.ts";
import { planOf, runPlan } from "../../harness/plans.ts";
import { until } from "../../harness/sandbox.ts";
import "../../../src/procedures/registry.ts";

/** n8n's part of a set: a real PostgreSQL with n8n's tables, and a server that holds its documented API. */
let test: TestControl;
let server: ScratchCluster;
let api: N8nApi;
let folder: string;
let set: string;

beforeAll(async () => {
  test = await startControl();
  server = createScratchCluster(
    practiceStack(test.home),
    createStack(practiceStack(test.home)).runtime,
    join(test.home, "server"),
  );
  mkdirSync(join(test.home, "server"));
  execFileSync("chown", ["postgres", join(test.home, "server")]);
  await perform(server.start);
});
afterAll(async () => {
  await perform(server.stop);
  await test[Symbol.asyncDispose]();
});

let tests = 0;
beforeEach(async () => {
  tests += 1;
  folder = join(test.home, `backup-${tests}`);
  set = join(folder, "set");
  for (const path of [folder, set]) mkdirSync(path);
  chmodSync(folder, 0o755);
  execFileSync("chown", ["postgres", set]);
  await sql('drop database if exists "n8n" with (force)');
  await sql("drop role if exists n8n");
  await sql("create role n8n login");
  await sql('create database "n8n" owner n8n');
  await sql(tables, "n8n");
  api = await new N8nApi().listen();
  api.workflows = Array.from({ length: 230 }, (_, index) => workflow(index));
  return () => api[Symbol.asyncDispose]();
});

/** With a prefix, as n8n can be told to use one. */
const tables = `
create table app_workflow_entity (id varchar(36) primary key, name text, nodes json, active boolean);
create table app_credentials_entity (id varchar(36) primary key, name text, data text);
create table app_execution_entity (id serial primary key, "workflowId" text, "startedAt" timestamptz default now());
insert into app_workflow_entity select 'w' || n, 'Flow ' || n, '[]', true from generate_series(1, 230) n;
insert into app_credentials_entity values ('c1', 'Odoo', 'U2FsdGVkX1+abc');
insert into app_execution_entity ("workflowId") select 'w1' from generate_series(1, 40);
`;

const workflow = (index: number) => ({ name: `Flow ñ ${index}`, id: `w${index}`, nodes: [], active: index % 2 === 0 });

async function sql(text: string, database = "postgres"): Promise<string> {
  return (await perform(server.query(database, text))).stdout.trim();
}

function stackWith(more: Partial<NonNullable<StackConfig["services"]["automation"]>> = {}): Stack {
  const config = practiceStack(test.home);
  const automation = {
    ...{ name: undefined, url: api.url, apiKey: new Secret(api.key), database: "n8n", keyFile: undefined },
    ...more,
  };
  const database = { ...config.services.database, host: join(test.home, "server/socket"), port: 5432 };
  return createStack({ ...config, services: { ...config.services, database, automation } });
}

async function runSteps(steps: readonly Step[], options: Partial<Plan> = {}): Promise<Run> {
  const calls = { "resource.open": async () => null, "resource.close": async () => null };
  return runPlan(test.control, planOf(steps, options), { secrets: { "services.automation.apiKey": "the-key" }, calls });
}

async function take(stack = stackWith()) {
  const run = await runSteps(takeAutomation(stack, folder, 2));
  const steps = await listSteps(test.control, run.id);
  const told = automationTold.parse(steps.find(({ path }) => path === "automation")?.outputs?.["told"]);
  const failed = steps.filter(({ outcome }) => outcome === "failed");
  return { run, told, codes: failed.map(({ error }) => error?.code) };
}

const files = () => readdirSync(join(set, "automation/workflows")).sort();

describe("n8n in a backup", () => {
  it("is its database with a manifest of one instant, and every workflow as readable JSON", async () => {
    const { run, told, codes } = await take();
    expect([run.outcome, codes]).toEqual(["succeeded", []]);
    expect(told).toEqual({ isDumped: true, workflows: 230, credentials: 1, exported: 230 });
    expect(api.asked.length).toBe(3);
    expect(files().length).toBe(230);
    const text = readFileSync(join(set, "automation/workflows/w7.json"), "utf8");
    expect(text).toBe('{\n  "active": false,\n  "id": "w7",\n  "name": "Flow ñ 7",\n  "nodes": []\n}\n');
    expect(readFileSync(join(set, "automation/database/manifest"), "utf8")).toContain(
      '{"table" : "public.app_workflow_entity", "rows" : 230,',
    );
    expect(JSON.parse(readFileSync(join(set, "automation/database/about"), "utf8"))).toMatchObject({ database: "n8n" });
    expect(readdirSync(join(set, "automation")).sort()).toEqual(["database", "workflows"]);
  });

  it("is the same files again when nothing has changed, however n8n orders what it answers", async () => {
    await take();
    const before = files().map((name) => readFileSync(join(set, "automation/workflows", name), "utf8"));
    api.workflows = api.workflows.toReversed().map((one) => Object.fromEntries(Object.entries(one).toReversed()));
    await take();
    expect(files().map((name) => readFileSync(join(set, "automation/workflows", name), "utf8"))).toEqual(before);
  });

  it("sees one instant though n8n goes on writing", async () => {
    const writing = setInterval(
      () => void sql('insert into app_execution_entity ("workflowId") values (1)', "n8n"),
      20,
    );
    const { told, codes } = await take();
    clearInterval(writing);
    expect([told.isDumped, codes]).toEqual([true, []]);
    expect((await prove()).outcome).toBe("succeeded");
  });

  it.each<[what: string, code: string, prepare: () => Stack | Promise<Stack>]>([
    [
      "is away",
      "automation.unreachable",
      async () => {
        const stack = stackWith();
        await api[Symbol.asyncDispose]();
        return stack;
      },
    ],
    [
      "is starting",
      "automation.unreachable",
      () => {
        api.instead = (response) => void response.writeHead(503).end();
        return stackWith();
      },
    ],
    [
      "refuses the key",
      "automation.key_refused",
      () => {
        api.key = "another";
        return stackWith();
      },
    ],
    [
      "leads elsewhere, where the key would go too",
      "automation.export_failed",
      () => {
        api.instead = (response) => void response.writeHead(302, { Location: "http://127.0.0.1:1/" }).end();
        return stackWith();
      },
    ],
    [
      "answers something else",
      "automation.export_failed",
      () => {
        api.instead = (response) => void response.end('{"data": 5}');
        return stackWith();
      },
    ],
    [
      "names a page for ever",
      "automation.export_failed",
      () => {
        api.instead = (response) => void response.end('{"data": [], "nextCursor": "again"}');
        return stackWith();
      },
    ],
    [
      "has an id that leads out of the set",
      "automation.export_failed",
      () => {
        api.workflows = [{ id: "../../roles", name: "bad" }];
        return stackWith();
      },
    ],
  ])("that %s leaves a set that says so, with its database", async (_, code, prepare) => {
    const { run, told, codes } = await take(await prepare());
    expect([run.outcome, codes]).toEqual(["succeeded", [code]]);
    expect(told).toEqual({ isDumped: true, workflows: 230, credentials: 1, exported: null });
    expect(readdirSync(join(set, "automation"))).toEqual(["database"]);
  });

  it("whose database is missing, or another one, leaves a set that says so, with its workflows", async () => {
    const none = await take(stackWith({ database: "n8n_gone" }));
    expect(none.codes).toEqual(["postgres.unreachable"]);
    expect(none.told).toEqual({ isDumped: false, workflows: null, credentials: null, exported: 230 });
    expect(readdirSync(join(set, "automation"))).toEqual(["workflows"]);
    const other = await take(stackWith({ database: "postgres" }));
    expect(other.codes).toEqual(["automation.no_workflows"]);
  });

  it("shows its key to nobody: neither in arguments nor in what the run keeps", async () => {
    const shown: string[] = [];
    const looking = setInterval(() => {
      shown.push(
        execFileSync("sh", ["-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '; true"], { encoding: "utf8" }),
      );
    }, 5);
    const { run } = await take();
    clearInterval(looking);
    const asked = await perform(stackWith().automation?.askWithKey(5) ?? server.start, {
      secrets: { "services.automation.apiKey": new Secret("the-key") },
    });
    expect(asked.status).toBe(200);
    expect(shown.join("")).not.toContain("the-key");
    expect(JSON.stringify(await listSteps(test.control, run.id))).not.toContain("the-key");
  });
});

/** As a verification does, on a throw-away server, with the roles that a backup notes. */
async function prove(): Promise<Run> {
  await noteRoles();
  const stack = stackWith();
  const cluster = createScratchCluster(stack.config, stack.runtime, folder);
  execFileSync("chown", ["-R", "postgres", folder]);
  return runSteps([withScratch(cluster, proveAutomation(stack, cluster, folder, 2))]);
}

async function noteRoles(): Promise<void> {
  writeFileSync(join(set, "roles"), `${await sql(rolesSql)}\n`);
}

describe("a proof of n8n's part", () => {
  it("restores it and compares every row; of a set without it nothing is asked", async () => {
    await take();
    expect((await prove()).outcome).toBe("succeeded");
    execFileSync("rm", ["-r", join(set, "automation/database")]);
    expect((await prove()).outcome).toBe("succeeded");
  });

  it.each([
    ["a workflow fewer than the manifest says", (manifest: string) => manifest.replace('"rows" : 230', '"rows" : 231')],
    [
      "another content",
      (manifest: string) => manifest.replace(/("public.app_credentials_entity".*"checksum" : ")/, "$11"),
    ],
  ])("is refused for %s", async (_, change) => {
    await take();
    const file = join(set, "automation/database/manifest");
    const text = readFileSync(file, "utf8");
    expect(change(text)).not.toBe(text);
    writeFileSync(file, change(text));
    const run = await prove();
    expect([run.outcome, run.error?.code]).toEqual(["undone", "backup.manifest_mismatch"]);
  });

  it("is refused for a dump that is cut", async () => {
    await take();
    const dump = join(set, "automation/database/dump");
    const [largest = ""] = readdirSync(dump)
      .filter((name) => name.endsWith(".dat") && name !== "toc.dat")
      .sort((a, b) => statSync(join(dump, b)).size - statSync(join(dump, a)).size);
    execFileSync("truncate", ["--size=-20", join(dump, largest)]);
    const run = await prove();
    expect([run.outcome, run.error?.code]).toEqual(["undone", "backup.dump_damaged"]);
  });
});

describe("a restore of n8n's database", () => {
  const bring = async (stack: Stack, isThere = true) => {
    await noteRoles();
    execFileSync("chown", ["-R", "postgres", set]);
    return runSteps(bringAutomation(stack, { present: { database: isThere }, jobs: 2 }, folder));
  };
  const databases = async () =>
    (await sql("select datname from pg_database where datname like 'n8n%' order by 1")).split("\n");
  const workflows = (database = "n8n") => sql("select count(*) from app_workflow_entity", database);

  it("brings back what was damaged, for its own role, and keeps what was there", async () => {
    await take();
    await sql("delete from app_workflow_entity", "n8n");
    const run = await bring(stackWith());
    expect(run.outcome).toBe("succeeded");
    expect(await databases()).toEqual(["n8n", `n8n_before_${run.id}`]);
    expect([await workflows(), await workflows(`n8n_before_${run.id}`)]).toEqual(["230", "0"]);
    expect(await sql("select pg_get_userbyid(datdba) from pg_database where datname = 'n8n'")).toBe("n8n");
    await sql(`alter database "n8n_before_${run.id}" is_template false`);
    await sql(`drop database "n8n_before_${run.id}"`);
  });

  it("brings it back where there is none any more", async () => {
    await take();
    await sql("drop database n8n with (force)");
    expect((await bring(stackWith(), false)).outcome).toBe("succeeded");
    expect([await databases(), await workflows()]).toEqual([["n8n"], "230"]);
  });

  it.each<[what: string, code: string, prepare: () => Stack | Promise<Stack>]>([
    [
      "a set that has none",
      "restore.no_automation_in_set",
      () => {
        execFileSync("rm", ["-r", join(set, "automation")]);
        return stackWith();
      },
    ],
    [
      "a set that does not hold what it says",
      "backup.manifest_mismatch",
      () => {
        const file = join(set, "automation/database/manifest");
        writeFileSync(file, readFileSync(file, "utf8").replace('"rows" : 230', '"rows" : 229'));
        return stackWith();
      },
    ],
    [
      "an n8n that has another key now",
      "restore.automation_key",
      () => {
        const keyFile = join(test.home, "config");
        writeFileSync(keyFile, '{"encryptionKey": "new"}');
        mkdirSync(join(set, "configuration/automation"), { recursive: true });
        writeFileSync(join(set, "configuration/automation/config"), '{"encryptionKey": "old"}');
        return stackWith({ keyFile });
      },
    ],
  ])("leaves everything as it is for %s", async (_, code, prepare) => {
    await take();
    await sql("delete from app_workflow_entity where id = 'w1'", "n8n");
    const run = await bring(await prepare());
    expect([run.outcome, run.error?.code]).toEqual([code === "backup.manifest_mismatch" ? "undone" : "failed", code]);
    expect([await databases(), await workflows()]).toEqual([["n8n"], "229"]);
  });

  it("waits for an n8n that still works in it, and then gives up", async () => {
    await take();
    const busy = sql("select pg_sleep(30)", "n8n").catch(() => "ended");
    const sleeping = "select count(*) from pg_stat_activity where query like '%pg_sleep(30)%' and datname = 'n8n'";
    await until("n8n is busy", async () => (await sql(sleeping)) === "1");
    const run = await bring(stackWith());
    expect([run.outcome, run.error?.code]).toEqual(["undone", "restore.database_busy"]);
    expect(await databases()).toEqual(["n8n"]);
    await sql("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'n8n'");
    expect(await busy).toBe("ended");
  });
});
