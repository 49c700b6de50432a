import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { folder, home, ipai, parsed, root, run, serves, sql, until, urls } from "../harness/sandbox.ts";

/** Each of the seven checks is shown red by breaking its object from outside, one at a time, and green again afterwards. */

interface Finding {
  readonly code: string;
  readonly status: "ok" | "warn" | "fail" | "unknown";
  readonly value: unknown;
  readonly unit: string;
  readonly threshold: unknown;
  readonly milliseconds: number;
  readonly hint?: string;
}

interface Report {
  readonly status: Finding["status"];
  readonly checks: readonly Finding[];
}

const exitCodes = { ok: 0, warn: 1, fail: 2, unknown: 3 } as const;

async function ask(...options: readonly string[]): Promise<Readonly<Record<string, Finding>>> {
  const ended = await ipai(["health", "--json", ...options], { timeoutMs: 30_000 });
  const report = parsed<Report>(ended);
  expect(ended.exitCode).toBe(exitCodes[report.status]);
  expect(report.checks).toHaveLength(7);
  return Object.fromEntries(report.checks.map((check) => [check.code, check]));
}

async function expectGreen(): Promise<void> {
  const checks = await ask();
  expect(Object.values(checks).filter((check) => check.status !== "ok")).toEqual([]);
}

const pidOf = async (service: string) => Number(await readFile(join(folder, `run/${service}.pid`), "utf8"));
const up = async () => expect((await ipai(["demo", "up"])).exitCode).toBe(0);
const cluster = (verb: string, ...args: string[]) =>
  run("pg_ctlcluster", ["15", "sandbox", verb, ...args], { env: { PG_CLUSTER_CONF_ROOT: join(folder, "postgresql") } });

beforeAll(expectGreen);
afterAll(expectGreen);

describe("health is green, and", () => {
  it("is told within 1.5 s from a cold start", async () => {
    const seconds: number[] = [];
    for (let count = 0; count < 5; count++) seconds.push((await ipai(["health", "--json"])).seconds);
    expect(Math.min(...seconds)).toBeLessThanOrEqual(1.5);
  });

  it("needs no control database", async () => {
    expect((await ipai(["control", "stop"])).exitCode).toBe(0);
    await expectGreen();
  });
});

describe("health turns red when", () => {
  it("a process was killed", async () => {
    process.kill(await pidOf("odoo-core"), "SIGKILL");
    await until("it is gone", async () => !(await serves(urls.odoo[1] ?? "")));
    const checks = await ask();
    expect(checks["IPAI-ODOO-001"]).toMatchObject({
      status: "fail",
      value: 2,
      hint: expect.stringContaining("odoo-core"),
    });
    expect(checks["IPAI-HTTP-001"]).toMatchObject({ status: "fail", hint: expect.stringContaining("odoo-core") });
    await up();
    await expectGreen();
  });

  it("a process hangs", async () => {
    const pid = await pidOf("odoo-marketing");
    process.kill(pid, "SIGSTOP");
    const checks = await ask();
    process.kill(pid, "SIGCONT");
    expect(checks["IPAI-HTTP-001"]).toMatchObject({ status: "fail", hint: expect.stringContaining("odoo-marketing") });
    await expectGreen();
  });

  it("a disk is full", async () => {
    const mount = join(home, "small");
    await mkdir(mount, { recursive: true });
    expect((await run("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", mount])).exitCode).toBe(0);
    try {
      await writeFile(join(mount, "filled"), Buffer.alloc(1000 * 1024));
      const checks = await ask("--config", await configWith({ paths: [mount] }));
      expect(checks["IPAI-DISK-001"]).toMatchObject({ status: "fail", hint: expect.stringContaining(mount) });
      expect(checks["IPAI-DISK-001"]?.value).toBeGreaterThanOrEqual(95);
    } finally {
      await run("umount", [mount]);
      await rm(mount, { recursive: true });
    }
  });

  it("the memory of a process is used up to its limit", async ({ skip }) => {
    const group = await makeControlGroup();
    if (group === undefined) return skip("no control group with a memory limit can be made on this machine");
    process.kill(await pidOf("odoo-core"), "SIGKILL");
    // What starts in the group is charged to it: only the missing service does.
    const script = 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"';
    const started = await run("sh", ["-c", script, "enter", group.path, join(root, "bin/ipai"), "demo", "up"]);
    expect(started.exitCode).toBe(0);
    await until(
      "the commands have left the group",
      async () => (await readFile(join(group.path, "cgroup.procs"), "utf8")).trim().split("\n").length <= 2,
    );
    expect((await ask())["IPAI-MEM-001"]?.status).toBe("ok");
    const used = Number(await readFile(join(group.path, group.usage), "utf8"));
    await writeFile(join(group.path, group.limit), String(Math.ceil(used * 1.03)));
    const checks = await ask();
    expect(checks["IPAI-MEM-001"]).toMatchObject({ status: "fail", hint: expect.stringContaining("control group") });
    process.kill(await pidOf("odoo-core"), "SIGKILL");
    await until(
      "the group is empty",
      async () => (await readFile(join(group.path, "cgroup.procs"), "utf8")).trim() === "",
    );
    await run("rmdir", [group.path]);
    await up();
    await expectGreen();
  });

  it("a view is broken, although every process answers /web/health", async () => {
    await sql("create table ipai_test_view as select id, arch_db from ir_ui_view where key = 'web.login'");
    const broken = `<t t-name="web.login"><t t-call="web.nowhere_to_be_found"/></t>`;
    await sql(`update ir_ui_view set arch_db = jsonb_build_object('en_US', '${broken}') where key = 'web.login'`);
    await sql(clearCaches);
    const health = await fetch(`${urls.public}/web/health`);
    const checks = await ask();
    await sql(
      "update ir_ui_view v set arch_db = t.arch_db from ipai_test_view t where t.id = v.id; drop table ipai_test_view",
    );
    await sql(clearCaches);
    expect(health.status).toBe(200);
    expect(checks["IPAI-HTTP-001"]).toMatchObject({ status: "fail", hint: expect.stringContaining("500") });
    await expectGreen();
  });

  it("the cache is stopped", async () => {
    process.kill(await pidOf("redis"), "SIGKILL");
    const checks = await ask();
    expect(checks["IPAI-CACHE-001"]).toMatchObject({ status: "fail", hint: expect.stringContaining("Redis") });
    await up();
    await expectGreen();
  });

  it("a scheduled action fails", async () => {
    const cron = "(select ir_actions_server_id from ir_cron where cron_name like 'Demo Ledger%')";
    const code = await sql(`select code from ir_act_server where id = ${cron}`);
    await sql(`update ir_act_server set code = 'raise ValueError("broken on purpose")' where id = ${cron}`);
    await sql("update ir_cron set nextcall = now() at time zone 'UTC' where cron_name like 'Demo Ledger%'");
    await sql("select pg_notify('cron_trigger', 'odoo')", "postgres");
    const failures = "select failure_count from ir_cron where cron_name like 'Demo Ledger%'";
    await until("Odoo has tried", async () => Number(await sql(failures)) > 0, 150_000);
    const checks = await ask();
    await sql(`update ir_act_server set code = '${code.replaceAll("'", "''")}' where id = ${cron}`);
    await sql("update ir_cron set failure_count = 0, first_failure_date = null where cron_name like 'Demo Ledger%'");
    expect(checks["IPAI-CRON-001"]).toMatchObject({
      status: "fail",
      hint: expect.stringContaining("post due entries"),
    });
    await expectGreen();
  });

  it("PostgreSQL is stopped, and still when it is back but no scheduler is", async () => {
    await cluster("stop", "-m", "fast");
    const down = await ask();
    expect(down["IPAI-DB-001"]).toMatchObject({ status: "fail", hint: expect.stringContaining("does not answer") });
    expect(down["IPAI-HTTP-001"]?.status).toBe("fail");
    await cluster("start");
    await until("Odoo serves again", () => serves(urls.public));
    // With `workers = 0` the threads that run scheduled actions do not survive a restart of PostgreSQL; everything else does.
    const back = await ask();
    expect(back["IPAI-DB-001"]?.status).toBe("ok");
    expect(back["IPAI-CRON-001"]).toMatchObject({ status: "fail", hint: expect.stringContaining("No scheduler") });
    for (const service of ["odoo-accounting", "odoo-core", "odoo-marketing"])
      process.kill(await pidOf(service), "SIGKILL");
    await up();
    await until("the schedulers listen", async () => (await ask())["IPAI-CRON-001"]?.status === "ok");
  });
});

describe("a missing tool is unknown, never ok:", () => {
  it.each([
    ["redis-cli", "IPAI-CACHE-001"],
    ["df", "IPAI-DISK-001"],
    ["curl", "IPAI-HTTP-001"],
    ["psql", "IPAI-DB-001"],
  ])("%s", async (tool, code) => {
    const path = (await run("sh", ["-c", `readlink -f "$(command -v ${tool})"`])).stdout.trim();
    // In a mount namespace of its own, where a file that cannot be executed lies over the program.
    const script = 'mount --bind /dev/null "$1" && shift && exec "$@"';
    const ended = await run("unshare", [
      "-m",
      "sh",
      "-c",
      script,
      "hide",
      path,
      join(root, "bin/ipai"),
      "health",
      "--json",
    ]);
    const report = parsed<Report>(ended);
    const found = report.checks.find((check) => check.code === code);
    expect(found).toMatchObject({ status: "unknown", value: null, hint: expect.stringContaining(tool) });
    expect(ended.exitCode).toBe(3);
  });
});

/** Odoo 18 signals by sequences, Odoo 19 by tables. */
const clearCaches = `
do $$ begin
  if to_regclass('orm_signaling_templates') is not null then
    insert into orm_signaling_templates default values;
    insert into orm_signaling_default default values;
  else
    perform nextval('base_cache_signaling_templates');
    perform nextval('base_cache_signaling_default');
  end if;
end $$;
`;

async function configWith(health: object): Promise<string> {
  const config = JSON.parse((await readFile(join(folder, "ipai.yaml"), "utf8")).replace(/^#.*$/m, ""));
  config.stacks.sandbox.health = health;
  const file = join(folder, "changed.yaml");
  await writeFile(file, JSON.stringify(config));
  return file;
}

interface ControlGroup {
  readonly path: string;
  readonly limit: string;
  readonly usage: string;
}

async function makeControlGroup(): Promise<ControlGroup | undefined> {
  const kinds = [
    { path: "/sys/fs/cgroup/ipai-test", limit: "memory.max", usage: "memory.current" },
    { path: "/sys/fs/cgroup/memory/ipai-test", limit: "memory.limit_in_bytes", usage: "memory.usage_in_bytes" },
  ];
  for (const kind of kinds) {
    if ((await run("mkdir", [kind.path])).exitCode !== 0) continue;
    if ((await run("test", ["-w", join(kind.path, kind.limit)])).exitCode === 0) return kind;
    await run("rmdir", [kind.path]);
  }
  return undefined;
}
