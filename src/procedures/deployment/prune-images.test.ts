import { describe, expect, it } from "vitest";
import { parseConfig } from "../../config/load.ts";
import { undoClassOf } from "../../runbook/plan.ts";
import { renderPlan } from "../../runbook/render.ts";
import { validatePlan } from "../../runbook/validate.ts";
import { createStack } from "../../stack/stack.ts";
import { composeConfig } from "../sandbox/compose.ts";
import { judgeImages, type Known, pruneImages } from "./prune-images.ts";

/** Which images of past releases are needed, and by what. */

const commits = { now: "a", before: "b", kept: "c", old: "d", rehearsed: "e", built: "f" };
const full = (one: keyof typeof commits) => commits[one].repeat(40);
const tag = (one: keyof typeof commits) => `company/odoo:ipai-${commits[one].repeat(12)}`;
const there = (containers: Partial<Record<keyof typeof commits, readonly string[]>> = {}) =>
  (Object.keys(commits) as (keyof typeof commits)[]).map((one) => ({
    tag: tag(one),
    containers: containers[one] ?? [],
  }));

const now = new Date("2026-11-30T04:00:00Z");
const [long, lately] = ["2026-10-01T04:00:00Z", "2026-11-29T04:00:00Z"];
const release = (id: string, from: keyof typeof commits, at = long, undone: readonly string[] = []) =>
  ({ id, from: full(from), at, undone, kind: undone.length === 0 ? "code" : "rollback" }) as const;
const known: Known = {
  present: full("now"),
  releases: [release("third", "before"), release("second", "kept"), release("first", "old")],
  rehearsals: [],
  open: [],
};
/** The names of those that would be removed. */
const removed = (given: Partial<Known> = {}, containers: Parameters<typeof there>[0] = {}) =>
  judgeImages(there(containers), { ...known, ...given }, now).flatMap(({ tag: name, grounds }) =>
    grounds.length > 0 ? [] : (Object.keys(commits) as (keyof typeof commits)[]).filter((one) => tag(one) === name),
  );

describe("an image of a commit", () => {
  it("goes when nothing needs it, and stays where the source is, and what a rollback goes to", () => {
    expect(removed()).toEqual(["kept", "old", "rehearsed", "built"]);
  });

  it("stays while a container is made of it, of whatever project", () => {
    expect(removed({}, { old: ["another-odoo-1"] })).toEqual(["kept", "rehearsed", "built"]);
  });

  it("stays while the database of before its release is kept", () => {
    expect(removed({ open: [{ id: "second" }] })).toEqual(["old", "rehearsed", "built"]);
  });

  it("stays for three days after what came from it, or was rehearsed", () => {
    const releases = [...known.releases.slice(0, 2), release("first", "old", lately)];
    const rehearsals = [{ id: "r", commit: full("rehearsed"), at: lately }];
    expect(removed({ releases, rehearsals })).toEqual(["kept", "built"]);
    expect(removed({ rehearsals: rehearsals.map((one) => ({ ...one, at: long })) })).toContain("rehearsed");
  });

  it("is what a rollback goes to of the last release that stands", () => {
    const releases = [release("back", "before", long, ["third"]), ...known.releases];
    expect(removed({ releases })).toEqual(["before", "old", "rehearsed", "built"]);
  });

  it("says why it is kept", () => {
    const [first] = judgeImages(there({ now: ["odoo-core-1", "odoo-tools-1"] }), known, now);
    expect(first?.grounds).toEqual([
      "odoo-core-1 is made of it",
      "odoo-tools-1 is made of it",
      "the source is at its commit",
    ]);
  });
});

describe("the plan of images prune", () => {
  const definition = composeConfig({ folder: "/srv/sandbox", basePort: 18_080, images: {} });
  const { sandbox } = parseConfig(definition, "ipai.yaml", {}).stacks;
  if (sandbox === undefined) throw new TypeError("the practice project has no definition");
  const stack = createStack(sandbox);
  const plan = (facts: Parameters<typeof pruneImages.plan>[2]) => validatePlan(pruneImages.plan(stack, {}, facts));

  it("is what it was: each image that goes, and why each other one stays", async () => {
    const pruned = plan({ images: judgeImages(there({ now: ["odoo-core-1"] }).slice(0, 3), known, now) });
    expect([undoClassOf(pruned), pruned.lease]).toEqual(["irreversible", "exclusive"]);
    await expect(`${renderPlan(pruned, { detail: true })}\n`).toMatchFileSnapshot("../golden/images-prune.txt");
  });

  it.each([
    ["all are needed", [{ tag: tag("now"), grounds: ["the source is at its commit"] }], "every one is needed"],
    ["no release built any", [], "there is none of a release"],
    ["there is only version 1 of Compose", undefined, "Compose cannot say which the project builds"],
  ])("is to do nothing where %s, and holds up nobody", (_, images, why) => {
    const { steps, lease, title } = plan({ images });
    expect([steps, lease, title]).toEqual([[], "none", `Remove no image: ${why}`]);
  });
});
