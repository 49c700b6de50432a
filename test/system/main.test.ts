import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { refusal } from "../harness/backups.ts";
import { bring, edit, fingerprint, fingerprintAtRest, installedCode } from "../harness/release.ts";
import { checks, home, ipai, leftovers, parsed, type RunJson, serves, sql, until, urls } from "../harness/sandbox.ts";

/** The main job on the practice stack: what `ipai demo` shows, looked at from outside. */

interface HealthJson {
  readonly status: string;
  readonly checks: readonly { readonly code: string; readonly status: string; readonly value: unknown }[];
}

const activeCrons = () => sql("select string_agg(cron_name, ', ' order by id) from ir_cron where active");
const versions = () =>
  sql(
    "select string_agg(name || ' ' || latest_version, ', ' order by name) from ir_module_module where name like 'ipai%'",
  );

async function everythingServes(): Promise<boolean> {
  return (await Promise.all([urls.public, ...urls.odoo].map(serves))).every(Boolean);
}

beforeAll(installedCode);

describe("the main job", () => {
  it("begins with a healthy stack", async () => {
    const ended = await ipai(["health", "--json"]);
    const report = parsed<HealthJson>(ended);
    expect([report.status, ended.exitCode, report.checks.length]).toEqual(["ok", 0, checks]);
    expect(report.checks.map((check) => check.status)).toEqual(Array(checks).fill("ok"));
  });

  it("makes a backup and proves it", async () => {
    const made = parsed<RunJson>(await ipai(["backup", "--yes", "--json"]));
    expect([made.outcome, made.undoClass]).toEqual(["succeeded", "instant"]);
    const proven = parsed<RunJson>(await ipai(["backup", "verify", "--yes", "--json"]));
    expect(proven.outcome).toBe("succeeded");
    const [entry] = parsed<Backup[]>(await ipai(["backup", "list", "--json"]));
    const tables = Number(
      await sql("select count(*) from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"),
    );
    const files = Number(
      await sql("select count(distinct store_fname) from ir_attachment where store_fname is not null"),
    );
    expect(entry).toMatchObject({ id: made.run, files, proof: { tables, attachments: files, mismatches: 0 } });
    expect(entry?.storedBytes).toBeGreaterThan(1_000_000);
    expect(await leftovers()).toEqual([]);
  });

  it("undoes an upgrade that fails half-way, and tells its story", async () => {
    await bring("broken");
    const before = { data: await fingerprintAtRest(), crons: await activeCrons(), versions: await versions() };
    const ended = await ipai(["upgrade", "--yes", "--json"]);
    const run = parsed<RunJson>(ended);
    expect([run.outcome, run.error?.code, ended.exitCode]).toEqual(["failed-and-undone", "odoo.update_failed", 3]);
    expect(await everythingServes()).toBe(true);
    expect({ data: await fingerprint(), crons: await activeCrons(), versions: await versions() }).toEqual(before);
    expect(await leftovers()).toEqual([]);
    const story = (await ipai(["runs", "show", run.run])).stdout;
    expect(story).toMatch(/✗ +Update ipai_demo_ledger, ipai_demo_report .*odoo\.update_failed/);
    expect(story).toMatch(/✓ +↶ Put the copy of the database in its place/);
    expect(story).toMatch(/quarter_label/);
    const kept = await ipai(["upgrade", "--plan"]);
    expect([kept.exitCode, kept.stderr]).toEqual([24, expect.stringContaining("upgrade.nothing_to_do")]);
  });

  it("refuses a second changing run, and names who holds the stack since when", async () => {
    await bring("good");
    const first = ipai(["upgrade", "--yes", "--json"]);
    await until("the first run holds the stack", async () => {
      const { leases } = parsed<{ leases: unknown[] }>(await ipai(["status", "--json"]));
      return leases.length === 1;
    });
    const second = await ipai(["upgrade", "--yes", "--json"]);
    const { error } = parsed<{ error: { code: string; message: string } }>(second);
    const run = parsed<RunJson>(await first);
    expect([second.exitCode, error.code]).toEqual([20, "run.stack_busy"]);
    expect(error.message).toMatch(
      new RegExp(`held by run ${run.run} \\(upgrade, started by \\w+\\) since \\d{4}-\\d\\d-\\d\\dT`),
    );
    expect(run.outcome).toBe("succeeded");
  });

  it("ends with the new version serving and nothing left behind", async () => {
    expect(await versions()).toMatch(/ipai_demo_ledger \d+\.0\.1\.1\.0, ipai_demo_report \d+\.0\.1\.1\.0/);
    expect(await sql("select count(*) from ipai_demo_entry where reference is null")).toBe("0");
    expect(await everythingServes()).toBe(true);
    expect(parsed<HealthJson>(await ipai(["health", "--json"])).status).toBe("ok");
    expect(await leftovers()).toEqual([]);
    const after = await ipai(["upgrade", "--plan"]);
    expect(after.stderr).toContain("upgrade.nothing_to_do");
  });

  it("tells an auditor who did what, and shows it when somebody has changed that", async () => {
    expect((await ipai(["audit", "verify"])).exitCode).toBe(0);
    const exported = (await ipai(["audit", "export"])).stdout;
    const [first] = exported.split("\n").map((line) => JSON.parse(line || "{}") as { actor?: string; action?: string });
    expect(first).toMatchObject({ action: "run.planned", actor: expect.any(String) });
    const file = join(home, "audit.jsonl");
    await writeFile(file, exported);
    expect((await ipai(["audit", "verify", file])).exitCode).toBe(0);
    await writeFile(file, exported.replace('"action":"run.approved"', '"action":"run.declined"'));
    const broken = await ipai(["audit", "verify", file, "--json"]);
    expect([refusal(broken).code, broken.exitCode]).toEqual(["audit.broken", 24]);
    await rm(file);
  });

  it("finds a change without a new version, and updates only what changed", async () => {
    await edit("ipai_demo_report/views/entry_views.xml", "</odoo>", "<!-- changed --></odoo>");
    const plan = (await ipai(["upgrade", "--plan"])).stdout;
    expect(plan).toContain(" -u ipai_demo_report --stop-after-init");
    expect(plan).not.toContain("-u ipai_demo_ledger");
  });
});

interface Backup {
  readonly id: string;
  readonly storedBytes: number;
}

// The next file expects the code and the database of a fresh practice stack.
afterAll(async () => {
  const reset = await ipai(["demo", "reset"]);
  expect([reset.exitCode, reset.stderr]).toEqual([0, expect.any(String)]);
});
