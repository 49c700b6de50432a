import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { backups } from "../harness/backups.ts";
import { folder, ipai, leftovers, parsed, type RunJson, root, serves, sql, urls } from "../harness/sandbox.ts";

/** The procedures that docs/examples has, on a real Odoo. */
let own: string;

beforeAll(async () => {
  own = await mkdtemp(join(tmpdir(), "ipai-own-"));
  await cp(join(root, "docs/examples/procedures"), join(own, "procedures"), { recursive: true });
  const config = parse(await readFile(join(folder, "ipai.yaml"), "utf8")) as object;
  await writeFile(join(own, "ipai.yaml"), stringify({ ...config, procedures: ["procedures/*.yaml"] }));
});
afterAll(() => rm(own, { recursive: true }));

async function runOwn(...words: readonly string[]): Promise<RunJson> {
  return parsed(await ipai(["run", ...words, "--yes", "--json"], { directory: own }));
}

const bundles = () => sql("select count(*) from ir_attachment where url like '/web/assets/%'");

async function everythingServes(): Promise<boolean> {
  return (await Promise.all([urls.public, ...urls.odoo].map(serves))).every(Boolean);
}

describe("an example", () => {
  it("vacuums a table, after a backup", async () => {
    const before = await backups();
    const ended = await runOwn("vacuum", "table", "table=res_partner", "backup=true");
    expect(ended.outcome).toBe("succeeded");
    expect(ended.steps.map(({ id }) => id)).toEqual(["is-table", "before", "backup", "vacuum"]);
    expect(await backups()).toHaveLength(before.length + 1);
    expect(await leftovers()).toEqual([]);
  });

  it("refuses what is no table", async () => {
    const ended = await runOwn("vacuum", "table", "table=no_such_table");
    expect([ended.outcome, ended.error?.code]).toEqual(["failed", "run.verify_failed"]);
  });

  it("clears the asset bundles, which Odoo builds anew", async () => {
    await sql(
      "insert into ir_attachment (name, type, url, res_model, public, create_date) values ('old', 'binary', '/web/assets/1/old.js', 'ir.ui.view', true, now() - interval '1 day')",
    );
    expect(Number(await bundles())).toBeGreaterThan(0);
    expect((await runOwn("clear", "assets")).outcome).toBe("succeeded");
    expect(await sql("select count(*) from ir_attachment where url = '/web/assets/1/old.js'")).toBe("0");
    expect(await everythingServes()).toBe(true);
  });

  it("ends every session", async () => {
    const session = async (cookie = "") => {
      const given = cookie === "" ? {} : { headers: { cookie } };
      const response = await fetch(`${urls.public}/web/login`, { redirect: "manual", ...given });
      return response.headers.get("set-cookie")?.split(";")[0] ?? "";
    };
    const before = await session();
    expect(before).toMatch(/^session_id=/);
    const ended = await runOwn("end", "sessions");
    expect([ended.outcome, ended.undoClass]).toEqual(["succeeded", "irreversible"]);
    expect(await session(before)).not.toBe(before);
    expect(await everythingServes()).toBe(true);
    expect(await leftovers()).toEqual([]);
  });
});
