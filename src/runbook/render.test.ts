import { describe, expect, it } from "vitest";
import { actOf, bracketOf, changeOf, planOf, samplePlan, waitOf } from "./fixtures/plans.ts";
import { hashPlan } from "./hash.ts";
import { forecastOf, planJson, renderPlan } from "./render.ts";

describe("a plan as text", () => {
  it("shows what will run, in order", async () => {
    await expect(`${renderPlan(samplePlan, { detail: false })}\n`).toMatchFileSnapshot("fixtures/sample.txt");
  });

  it("shows with detail how each step is verified and taken back", async () => {
    await expect(`${renderPlan(samplePlan, { detail: true })}\n`).toMatchFileSnapshot("fixtures/sample-detail.txt");
  });

  it("says what cannot be taken back", () => {
    const text = renderPlan(planOf([changeOf("a", { undo: "irreversible" })]), { detail: false });
    expect(text).toContain("Act a [change, cannot be taken back]");
    expect(text).toContain("undo: irreversible");
  });

  it("never shows a secret, only the variable that would hold it", () => {
    expect(renderPlan(samplePlan, { detail: true })).toContain('PGPASSWORD="${IPAI_SECRET_PASSWORD:?}" pg_dump');
  });
});

describe("the forecast of a plan", () => {
  it("adds up what is forecast, and half a second for every other step", () => {
    const steps = [
      actOf("a", { forecastSeconds: 10 }),
      actOf("b"),
      bracketOf("c", [waitOf("d", { forecastSeconds: 2 })]),
    ];
    expect(forecastOf(planOf(steps))).toBe(14);
    expect(forecastOf(planOf([]))).toBe(0);
  });
});

describe("a plan for machines", () => {
  it("is the plan with its identity and what follows from it", () => {
    const machine = JSON.parse(JSON.stringify(planJson(samplePlan)));
    expect(machine).toMatchObject({ risk: "change", undoClass: "restore", forecastSeconds: 21 });
    expect(machine.hash).toBe(hashPlan(samplePlan));
    expect(hashPlan(machine.plan)).toBe(machine.hash);
  });
});
