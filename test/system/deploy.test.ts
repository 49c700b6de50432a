import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fingerprint, fingerprintAtRest } from "../harness/release.ts";
import { deployed, push } from "../harness/repository.ts";
import { ipai, leftovers, parsed, type RunJson, serves, sql, urls } from "../harness/sandbox.ts";
import { comeAndGo } from "../harness/users.ts";

/** Releases out of a git repository, brought into a stack that people use. */

const run = async (...args: readonly string[]) => parsed<RunJson>(await ipai([...args, "--yes", "--json"]));
const version = () => sql("select latest_version from ir_module_module where name = 'ipai_demo_report'");
const everythingServes = async () => (await Promise.all([urls.public, ...urls.odoo].map(serves))).every(Boolean);

beforeAll(async () => {
  expect((await ipai(["demo", "up"])).exitCode).toBe(0);
});
afterAll(async () => {
  expect((await ipai(["demo", "reset"])).exitCode).toBe(0);
});

describe("code alone", () => {
  it("is rolled, and no request fails", async () => {
    const commit = await push("Say it more clearly", ({ edit }) =>
      edit("ipai_demo_ledger/models/entry.py", "class ", "# Read by nobody but people.\nclass "),
    );
    const users = await comeAndGo();
    const ended = await run("deploy");
    const answers = await users.stop();
    expect(ended).toMatchObject({ outcome: "succeeded" });
    expect(answers.failures).toEqual([]);
    expect(answers.requests).toBeGreaterThan(200);
    expect([await deployed(), await everythingServes()]).toEqual([commit, true]);
    expect((await run("deploy")) as unknown).toMatchObject({ error: { code: "deploy.nothing_to_do" } });
  });
});

describe("a release that changes the database", () => {
  it("is taken back whole when its update fails", async () => {
    const before = await deployed();
    await push("A release with a view that is wrong", ({ lay }) => lay("broken"));
    const content = await fingerprintAtRest();
    const ended = await run("deploy");
    expect(ended).toMatchObject({ outcome: "failed-and-undone", error: { code: "odoo.update_failed" } });
    expect(await fingerprint()).toBe(content);
    expect([await deployed(), await everythingServes(), await leftovers()]).toEqual([before, true, []]);
  });

  it("is brought when it is right", async () => {
    const commit = await push("The release, put right", ({ lay }) => lay("good"));
    const ended = await run("deploy");
    expect(ended).toMatchObject({ outcome: "succeeded" });
    expect([await deployed(), await everythingServes()]).toEqual([commit, true]);
    expect(await version()).toMatch(/1\.1\.0$/);
  });
});
