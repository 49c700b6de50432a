import { afterAll, beforeAll, expect, it } from "vitest";
import { prove } from "../harness/backups.ts";
import { type Program, strike } from "../harness/kill.ts";
import { fingerprint, fingerprintAtRest } from "../harness/release.ts";
import { type Draft, deployed, push } from "../harness/repository.ts";
import { environment, ipai, leftovers, parsed, type RunJson, serves, sql, urls } from "../harness/sandbox.ts";
import { whileWatched } from "../harness/users.ts";

/** Deployments that are killed: resumed, they end as they would have ended, with one release in place and everything serving. */

const entry = "ipai_demo_ledger/models/entry.py";
let count = 0;
/** Code alone. */
const say = ({ edit }: Draft) => edit(entry, "class Entry", `# ${++count}\nclass Entry`);

function program(...args: readonly string[]): Program {
  return { program: "src/cli/main.ts", args: [...args, "--yes"], env: environment };
}

/** Strikes, resumes until the run has ended, and tells how. */
async function survive(point: string, afterMs: number | undefined, ...args: readonly string[]): Promise<RunJson> {
  await strike(program(...args), point, afterMs === undefined ? {} : { afterMs });
  const [struck] = parsed<RunJson[]>(await ipai(["runs", "--json"]));
  return parsed<RunJson>(await ipai(["runs", "resume", struck?.run ?? "", "--json"]));
}

const everythingServes = async () => (await Promise.all([urls.public, ...urls.odoo].map(serves))).every(Boolean);
const releases = async () => parsed<{ id: string }[]>(await ipai(["deployments", "--json"])).length;

beforeAll(prove);
afterAll(async () => {
  expect((await ipai(["demo", "reset"])).exitCode).toBe(0);
});

it.each<[string, number?]>([["do:checkout:spawned"], ["do:stop odoo-core:performed"], ["do:release:performed"]])(
  "code alone that is killed at %s is brought by whoever resumes it",
  async (point, afterMs) => {
    const [commit, before] = [await push("Say something", say), await releases()];
    expect((await survive(point, afterMs, "deploy")).outcome).toBe("succeeded");
    expect([await deployed(), await releases(), await everythingServes(), await leftovers()]).toEqual([
      commit,
      before + 1,
      true,
      [],
    ]);
  },
);

it.each([["undo:checkout~check out before:spawned"], ["undo:tree~start odoo-core again:spawned"]])(
  "a hot-fix that is taken back and killed at %s is taken back by whoever resumes it",
  async (point) => {
    const before = await deployed();
    const commit = await push("Say something wrong", say, "attempt");
    const ended = await survive(point, undefined, "hotfix", "--to", commit, "--verify", "false");
    expect([ended.outcome, ended.error?.code]).toEqual(["failed-and-undone", "deploy.fix_not_seen"]);
    expect([await deployed(), await everythingServes(), await leftovers()]).toEqual([before, true, []]);
  },
);

it.each<[string, number?]>([
  ["do:closed/stopped/update:spawned", 2500],
  ["undo:closed/stopped/checkout~check out before:spawned"],
])("a release that fails and is killed at %s is taken back by whoever resumes it", async (point, afterMs) => {
  const before = await deployed();
  const commit = await push("A release with a view that is wrong", ({ lay }) => lay("broken"), "attempt");
  const content = await fingerprintAtRest();
  const ended = await whileWatched(`kill -9 at ${point}, resumed at once`, () =>
    survive(point, afterMs, "deploy", "--to", commit, "--no-backup"),
  );
  expect(ended.outcome).toBe("failed-and-undone");
  expect(await fingerprint()).toBe(content);
  expect([await deployed(), await everythingServes(), await leftovers()]).toEqual([before, true, []]);
});

it.each([["do:closed/stopped/swap:performed"]])(
  "a rollback that is killed at %s is finished by whoever resumes it",
  async (point) => {
    const [before, content] = [await deployed(), await fingerprintAtRest()];
    const commit = await push("The release", ({ lay }) => lay("good"), "attempt");
    expect(parsed<RunJson>(await ipai(["deploy", "--to", commit, "--no-backup", "--yes", "--json"])).outcome).toBe(
      "succeeded",
    );
    expect((await survive(point, undefined, "rollback")).outcome).toBe("succeeded");
    expect([await deployed(), await fingerprint(), await everythingServes()]).toEqual([before, content, true]);
    expect(await sql("select count(*) from ir_module_module where state like 'to %'")).toBe("0");
    for (const { id } of parsed<{ id: string }[]>(await ipai(["resources", "--json"])))
      await ipai(["resources", "close", id, "--yes"]);
    expect(await leftovers()).toEqual([]);
  },
);
