import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { configWith, restic, testFolder } from "../harness/backups.ts";
import { bring, edit, fingerprint, fingerprintAtRest, installedCode } from "../harness/release.ts";
import {
  type Ended,
  folder,
  ipai,
  isCompose,
  leftovers,
  parsed,
  type RunJson,
  run,
  serves,
  sql,
  urls,
} from "../harness/sandbox.ts";

/** A plan exported as a script and run by plain bash, without ipai, does what the tool does. */

async function byHand(args: readonly string[], id: string): Promise<Ended> {
  const script = await ipai([...args, "--script"]);
  expect(script.exitCode).toBe(0);
  return run("bash", ["-c", script.stdout], { env: { run_id: id } });
}

async function everythingServes(): Promise<boolean> {
  return (await Promise.all([urls.public, ...urls.odoo].map(serves))).every(Boolean);
}

beforeAll(installedCode);
afterAll(async () => {
  expect((await ipai(["demo", "reset"])).exitCode).toBe(0);
});

describe("by hand", () => {
  const backup = "20260101t000000_byhand";

  it("a backup is made that the tool can prove", async () => {
    const ended = await byHand(["backup"], backup);
    expect([ended.exitCode, ended.stderr]).toEqual([0, expect.any(String)]);
    expect(await leftovers()).toEqual([]);
    const proven = parsed<RunJson>(await ipai(["backup", "verify", backup, "--yes", "--json"]));
    expect(proven.outcome).toBe("succeeded");
  });

  it("a backup is proven", async () => {
    const ended = await byHand(["backup", "verify", backup], "20260101t000001_byhand");
    expect([ended.exitCode, ended.stderr]).toEqual([0, expect.any(String)]);
    expect(await leftovers()).toEqual([]);
  });

  it("a set is restored, and what is kept of the present removed", async () => {
    const id = "20260101t000010_byhand";
    await sql("insert into ir_config_parameter (key, value) values ('restore.later', 'x')");
    const later = (database = "odoo") =>
      sql("select count(*) from ir_config_parameter where key = 'restore.later'", database);
    const ended = await byHand(["restore", backup, "--no-backup"], id);
    expect([ended.exitCode, ended.stderr]).toEqual([0, expect.any(String)]);
    expect([await later(), await later(`odoo_before_${id}`)]).toEqual(["0", "1"]);
    expect(await everythingServes()).toBe(true);
    const forgotten = await byHand(["run", "restore", "forget", `id=${id}`], "20260101t000011_byhand");
    expect([forgotten.exitCode, forgotten.stderr]).toEqual([0, expect.any(String)]);
    expect(await leftovers()).toEqual([]);
  });

  it.skipIf(isCompose)("backups are copied, checked and pruned", async () => {
    const desk = await testFolder();
    const copy = { repository: join(desk, "copy"), passwordFile: join(folder, "repository-password") };
    const config = await configWith(join(desk, "ipai.yaml"), (stack) => {
      stack.backup["copies"] = { nearby: copy };
      stack.backup["keep"] = { daily: 1, weekly: 0, monthly: 0, byHand: "0s" };
    });
    const held = async (repository: string) =>
      (JSON.parse(await restic(repository, "snapshots", "--json", "--no-lock", "--host", "sandbox")) as unknown[])
        .length;
    for (let index = 0; index < 2; index++) expect((await ipai(["backup", "--yes"])).exitCode).toBe(0);
    const before = await held(join(folder, "repository"));
    for (const [index, words] of [["copy"], ["check"], ["prune"], ["prune", "nearby"]].entries()) {
      const ended = await byHand(["--config", config, "backup", ...words], `2026010${index + 1}t000009_byhand`);
      expect([ended.exitCode, ended.stderr]).toEqual([0, expect.any(String)]);
      if (words[0] === "copy") expect(await held(copy.repository)).toBe(before);
    }
    // The newest, and the last that the tool itself has proven.
    expect(before).toBeGreaterThan(2);
    expect(await held(join(folder, "repository"))).toBe(2);
    expect(await held(copy.repository)).toBe(2);
    await rm(desk, { recursive: true });
  });

  it("an upgrade that fails is taken back", async () => {
    const before = await fingerprintAtRest();
    await bring("broken");
    const ended = await byHand(["upgrade"], "20260101t000002_byhand");
    expect([ended.exitCode, ended.stdout]).toEqual([3, expect.stringContaining("quarter_label")]);
    expect(await fingerprint()).toBe(before);
    expect(await everythingServes()).toBe(true);
    expect(await leftovers()).toEqual([]);
  });

  it("an upgrade that works ends as it would with the tool", async () => {
    await bring("good");
    const ended = await byHand(["upgrade"], "20260101t000003_byhand");
    expect([ended.exitCode, ended.stderr]).toEqual([0, expect.any(String)]);
    expect(await sql("select latest_version from ir_module_module where name = 'ipai_demo_report'")).toMatch(
      /1\.1\.0$/,
    );
    expect(await everythingServes()).toBe(true);
    expect(await leftovers()).toEqual([]);
    // The record in the database is the tool's own: it finds nothing more to do, and finds the next change.
    expect((await ipai(["upgrade", "--plan"])).stderr).toContain("upgrade.nothing_to_do");
    await edit("ipai_demo_ledger/models/entry.py", "note = fields.Text()", "note = fields.Text(help='changed')");
    expect((await ipai(["upgrade", "--plan"])).stdout).toContain(" -u ipai_demo_ledger ");
  });

  it("the stack is asked what `ipai health` asks", async () => {
    const printed = await ipai(["health", "--plan"]);
    const ended = await run("bash", ["-c", `set -euo pipefail\n${printed.stdout}`]);
    expect(ended.exitCode).toBe(0);
    expect(ended.stdout).toContain("PONG");
    expect(ended.stdout).toContain('name="login"');
  });
});
