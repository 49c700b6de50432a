import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../config/load.ts";
import { riskOf, undoClassOf } from "../../../runbook/plan.ts";
import { renderPlan } from "../../../runbook/render.ts";
import { renderScript } from "../../../runbook/script.ts";
import { validatePlan } from "../../../runbook/validate.ts";
import { createStack } from "../../../stack/stack.ts";
import type { Resource } from "../../resources.ts";
import { sandboxConfig } from "../../sandbox/definition.ts";
import { expireResources } from "../expire.ts";
import { targetOf } from "../restore/side.ts";
import { closePast } from "./close.ts";
import { extractFromPast } from "./extract.ts";
import { findInPast } from "./find.ts";
import { lookAtPast } from "./look.ts";
import { openPast } from "./open.ts";

/** The plans of an opened past as text, word for word, and what they may do. */

const odoo = {
  command: ["/usr/bin/odoo"],
  addons: ["/usr/lib/odoo/addons"],
  environment: { HOME: "/srv/sandbox/odoo" },
};
const text = sandboxConfig({ folder: "/srv/sandbox", basePort: 18_080, odoo }).replace(
  '"backup": {',
  '"backup": { "wal": { "repository": "/srv/archive", "passwordFile": "/srv/archive-password" },',
);
const { sandbox } = parseConfig(text, "ipai.yaml", {}).stacks;
if (sandbox === undefined) throw new TypeError("The configuration of the practice stack has no stack");
const stack = createStack(sandbox);

const base = { backup: "20260101-010000F", limits: { max_connections: "100" }, databaseBytes: 500_000_000 };
const id = "20260101t020000_abcd";
const opened: Resource = {
  ...{ id, stack: "sandbox", kind: "past", title: "odoo as it was at 2026-01-01 02:00:00.000+00", by: "anna", run: id },
  ...{
    openedAt: "2026-01-01T03:00:00.000Z",
    expires: "2026-01-01T11:00:00.000Z",
    attempts: 0,
    graceHours: 0,
    closed: null,
  },
  ...{ close: { procedure: "past close", input: { id } }, about: { at: "2026-01-01T02:00:00Z" } },
};
const kept: Resource = { ...opened, id: "odoo_before_x", kind: "kept", close: { procedure: "kept drop", input: {} } };

const plans = [
  ["past-open", openPast.plan(stack, { at: "2026-01-01T02:00:00.123456Z", hours: 8 }, base)],
  ["past-look", lookAtPast.plan(stack, { id }, opened)],
  ["past-extract", extractFromPast.plan(stack, { id, model: "account.move", ids: [7, 9] }, opened)],
  [
    "past-find",
    findInPast.plan(
      stack,
      { model: "account.move", record: "INV/2026/00042", what: "deleted" },
      { ...base, segment: "000000010000000000000004" },
    ),
  ],
  ["past-close", closePast.plan(stack, { id }, opened)],
  ["resources-expire", expireResources.plan(stack, {}, { expired: [opened, kept] })],
] as const;

describe("the plan of", () => {
  it.each(plans)("%s is what it was", async (name, plan) => {
    expect(validatePlan(plan)).toBe(plan);
    await expect(`${renderPlan(plan, { detail: true })}\n`).toMatchFileSnapshot(`../../golden/${name}.txt`);
    expect(renderScript(plan)).toContain("#!/usr/bin/env bash");
  });

  it("whatever has to do with a past shares the stack, and can be taken back at once", () => {
    const about = plans
      .filter(([name]) => name.startsWith("past-"))
      .map(([, plan]) => [plan.lease, riskOf(plan), undoClassOf(plan)]);
    expect(about).toEqual(Array(5).fill(["shared", "change", "instant"]));
  });

  it("closing what expired asks for no more than that needs", () => {
    const of = (expired: readonly Resource[]) => {
      const plan = expireResources.plan(stack, {}, { expired });
      return [plan.lease, riskOf(plan), undoClassOf(plan)];
    };
    expect([of([]), of([opened]), of([opened, kept])]).toEqual([
      ["none", "read", "instant"],
      ["shared", "change", "instant"],
      ["exclusive", "destroy", "irreversible"],
    ]);
  });
});

describe("an instant", () => {
  it("is told the server to the microsecond, in UTC", () => {
    expect(targetOf("2026-11-23T10:00:00.123456+08:00")).toBe("2026-11-23 02:00:00.123456+00");
    expect(targetOf("2026-11-23T02:00:00Z")).toBe("2026-11-23 02:00:00.000+00");
    expect(targetOf("2026-11-23T02:00:00.5Z")).toBe("2026-11-23 02:00:00.500+00");
  });
});
