import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { removeCommitImage } from "../../src/stack/commit-images.ts";
import { prove } from "../harness/backups.ts";
import { type BuiltImage, builtContainers, createBuiltImage, docker } from "../harness/built-image.ts";
import { perform } from "../harness/perform.ts";
import { fingerprint, fingerprintAtRest } from "../harness/release.ts";
import { type Draft, deployed, push } from "../harness/repository.ts";
import { container, ipai, leftovers, parsed, type RunJson, serves, urls } from "../harness/sandbox.ts";
import { comeAndGo } from "../harness/users.ts";
import "../../src/stack/errors.ts";

/** Releases that change an image of the project: what natively is a package of the machine. */

const isLong = process.env["IPAI_TEST_LONG"] !== undefined;
let built: BuiltImage;
const words = (...args: readonly string[]) => ["--config", built.config, ...args, "--yes", "--json"];
const run = async (...args: readonly string[]) => parsed<RunJson>(await ipai(words(...args), { timeoutMs: 600_000 }));
const everywhere = (what: string) => builtContainers.map(() => what);
const everythingServes = async () => (await Promise.all([urls.public, ...urls.odoo].map(serves))).every(Boolean);
const started = () => docker("inspect", "--format", "{{.State.StartedAt}}", ...builtContainers.map(container));
const tagOf = (commit: string) => `${built.name}:ipai-${commit.slice(0, 12)}`;

beforeAll(async () => {
  built = await createBuiltImage();
});
afterAll(async () => {
  if (isLong) expect((await ipai(["demo", "reset"])).exitCode).toBe(0);
  await built[Symbol.asyncDispose]();
});

describe("images of past releases", () => {
  const holder = `ipai-test-holder-${process.pid}`;
  const prune = async () => (await ipai(["--config", built.config, "images", "prune", "--plan"])).stdout;

  it("go when none needs them; what is in use, what the source is at, and what is no commit's stays", async () => {
    const [present, stale, used] = [tagOf(await deployed()), tagOf("0".repeat(40)), tagOf("1".repeat(40))];
    const byHand = `${built.name}:ipai-by-hand`;
    for (const tag of [present, stale, used, byHand]) await built.make(tag);
    await docker("create", "--name", holder, used);
    const plan = await prune();
    expect(plan).toContain("Remove 1 image");
    expect(plan).toContain(`Kept: ${used}: ${holder} is made of it`);
    expect(plan).toContain(`Kept: ${present}: the source is at its commit`);
    expect(await run("images", "prune")).toMatchObject({ outcome: "succeeded" });
    expect((await built.tags()).toSorted()).toEqual([`${built.name}:1`, byHand, present, used].toSorted());
    // Whoever looked before somebody made a container of it does not take it away.
    await expect(perform(removeCommitImage("local", used))).rejects.toMatchObject({ code: "image.in_use" });
    expect(await prune()).toContain("Remove no image: every one is needed");
    await docker("rm", holder);
    expect(await run("images", "prune")).toMatchObject({ outcome: "succeeded" });
    expect(await built.tags()).not.toContain(used);
  });
});

describe.runIf(isLong)("a release that changes an image", () => {
  beforeAll(prove);

  it("builds it first, and is rolled: no request fails", async () => {
    const commit = await push("An image", built.says("one"));
    const users = await comeAndGo();
    const ended = await run("deploy");
    const answers = await users.stop();
    expect(ended).toMatchObject({ outcome: "succeeded" });
    expect(answers.failures).toEqual([]);
    expect([await deployed(), await built.seen(), await everythingServes()]).toEqual([commit, everywhere("one"), true]);
  });

  it("costs nothing when it cannot be built", async () => {
    const before = [await deployed(), await started()];
    const commit = await push("An image that cannot be built", built.write("RUN false"), "attempt");
    const ended = await run("deploy", "--to", commit);
    expect(ended.error?.code).toBe("image.not_built");
    expect([await deployed(), await started()]).toEqual(before);
  });

  it("is taken back with the database when the update fails", async () => {
    const [before, content] = [await deployed(), await fingerprintAtRest()];
    const work = async (draft: Draft) => {
      await built.says("two")(draft);
      await draft.lay("broken");
    };
    const commit = await push("An image, and a view that is wrong", work, "attempt");
    const ended = await run("deploy", "--to", commit, "--no-backup");
    expect(ended).toMatchObject({ outcome: "failed-and-undone", error: { code: "odoo.update_failed" } });
    expect([await fingerprint(), await built.seen()]).toEqual([content, everywhere("one")]);
    expect([await deployed(), await everythingServes(), await leftovers()]).toEqual([before, true, []]);
  });

  it("is rolled back to the one that ran before", async () => {
    expect(await run("rollback")).toMatchObject({ outcome: "succeeded" });
    expect([await built.seen(), await everythingServes()]).toEqual([everywhere(""), true]);
  });
});

describe("a release that needs another image", () => {
  /** A package that the image that serves has not, and a module that is not updated without. */
  const work = async (draft: Draft) => {
    const site = "/usr/lib/python3/dist-packages/ipai_test_package";
    await built.write(`RUN mkdir ${site} && touch ${site}/__init__.py && echo one > /etc/ipai-test`)(draft);
    await draft.edit("ipai_demo_ledger/models/entry.py", "note =", "remark = fields.Char()\n    note =");
    const needs = '"external_dependencies": {"python": ["ipai_test_package"]}, "application"';
    await draft.edit("ipai_demo_ledger/__manifest__.py", '"application"', needs);
  };

  it("is rehearsed in that image, beside what serves, and deployed with it", async () => {
    // What changes the database is deployed when there is a proof.
    if (isLong) await prove();
    else expect((await ipai(["backup", "--yes"])).exitCode).toBe(0);
    const [before, commit] = [await started(), await push("A package, and a field", work, "attempt")];
    expect(await run("rehearse", "--to", commit)).toMatchObject({ outcome: "succeeded" });
    expect([await started(), await built.seen(), await leftovers()]).toEqual([before, everywhere(""), []]);
    expect(await docker("ps", "--all", "--quiet", "--filter", `name=${container("odoo-tools")}-rehearsal`)).toBe("");
    const [rehearsal] = parsed<{ commit: string; found: { come: readonly string[] } }[]>(
      await ipai(["rehearsals", "--json"]),
    );
    expect([rehearsal?.commit, rehearsal?.found.come.join("\n")]).toEqual([commit, expect.stringContaining("remark")]);
    if (!isLong) return;
    const ended = await run("deploy", "--to", commit, "--no-backup");
    expect(ended).toMatchObject({ outcome: "succeeded" });
    expect(ended.steps.find(({ id }) => id === "build odoo-accounting")?.outcome).toBe("skipped");
    expect([await built.seen(), await everythingServes()]).toEqual([everywhere("one"), true]);
  });
});
