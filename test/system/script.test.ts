import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createApp } from "../../src/cli/app.ts";
import { parseConfig } from "../../src/config/load.ts";
import { renderScript } from "../../src/runbook/script.ts";
import type { Json } from "../../src/runbook/value.ts";
import {
  type Ended,
  environment,
  folder,
  home,
  ipai,
  leftovers,
  parsed,
  type RunJson,
  root,
  run,
  serves,
  sql,
  urls,
} from "../harness/sandbox.ts";

/** What a person does with an exported script, on the real stack: the same as the tool, without the tool. */
const file = join(home, "exported.sh");
afterAll(() => rm(file, { force: true }));

async function exportScript(procedure: string, input: Json): Promise<void> {
  const path = join(folder, "ipai.yaml");
  await using app = await createApp(parseConfig(await readFile(path, "utf8"), path, environment), environment);
  await writeFile(file, renderScript(await app.plan(procedure, "sandbox", input)));
}

function runByHand(runId: string): Promise<Ended> {
  return run("bash", [file], { env: { run_id: runId } });
}

/** Modules, their versions, and every column: enough to tell whether an update left something behind. */
const state = `
select md5(string_agg(line, ';' order by line)) from (
  select name || state || coalesce(latest_version, '') as line from ir_module_module
  union all select table_name || column_name || data_type from information_schema.columns where table_schema = 'public') lines;`;

describe("the exported script", () => {
  it("of a backup makes one that the tool proves", async () => {
    await exportScript("backup", {});
    const ended = await runByHand("made_by_hand");
    expect([ended.exitCode, ended.stderr]).toEqual([0, expect.stringContaining("✓ succeeded")]);
    expect(await leftovers()).toEqual([]);
    const proof = parsed<RunJson>(await ipai(["backup", "verify", "made_by_hand", "--yes", "--json"]));
    expect(proof.outcome).toBe("succeeded");
  });

  it("of an upgrade that fails puts code, database and services back", async () => {
    const before = await sql(state);
    await cp(join(root, "sandbox/releases/broken"), join(folder, "addons"), { recursive: true });
    await exportScript("upgrade", { modules: [], acceptLostCrons: false });
    const ended = await runByHand("upgraded_by_hand");
    expect([ended.exitCode, ended.stderr]).toEqual([3, expect.stringContaining("and everything was taken back")]);
    expect(ended.stderr).toContain("✗ Update ipai_demo_ledger, ipai_demo_report: it ended with exit code 255");
    expect(await sql(state)).toBe(before);
    expect(await leftovers()).toEqual([]);
    const changed = await run("diff", [
      "-r",
      "-x",
      "*.pyc",
      "-x",
      "__pycache__",
      join(root, "sandbox/addons"),
      join(folder, "addons"),
    ]);
    expect(changed.stdout).toBe("");
    for (const url of [urls.public, ...urls.odoo]) expect([url, await serves(url)]).toEqual([url, true]);
  });
});
