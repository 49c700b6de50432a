import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { actOf, bracketOf, planOf, samplePlan, waitOf } from "./fixtures/plans.ts";
import { canonicalJson, hashPlan } from "./hash.ts";
import type { Plan, Step } from "./plan.ts";

describe("canonical JSON", () => {
  it.each<[unknown, string]>([
    [{ b: 1, a: 2 }, '{"a":2,"b":1}'],
    [{ b: { d: 1, c: [{ f: 1, e: 2 }] }, a: null }, '{"a":null,"b":{"c":[{"e":2,"f":1}],"d":1}}'],
    [[3, 1, 2], "[3,1,2]"],
    [{ a: undefined, b: [undefined] }, '{"b":[null]}'],
    [{ B: 1, a: 1, é: 1, "10": 1, "9": 1 }, '{"9":1,"10":1,"B":1,"a":1,"é":1}'],
    ["x\n", '"x\\n"'],
    [null, "null"],
    [JSON.parse('{"__proto__": 1}'), '{"__proto__":1}'],
  ])("of %j is %s", (value, text) => {
    expect(canonicalJson(value)).toBe(text);
  });

  it("is one for equal data, whatever the order of keys", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.integer(), (value, seed) => {
        expect(canonicalJson(shuffleKeys(value, seed))).toBe(canonicalJson(value));
        expect(canonicalJson(JSON.parse(canonicalJson(value)))).toBe(canonicalJson(value));
      }),
    );
  });
});

describe("the hash of a plan", () => {
  it("is the SHA-256 of its canonical JSON", () => {
    const plan = planOf([actOf("a")]);
    expect(hashPlan(plan)).toBe(createHash("sha256").update(canonicalJson(plan)).digest("hex"));
  });

  it("stays when keys change places", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        expect(hashPlan(shuffleKeys(samplePlan, seed) as Plan)).toBe(hashPlan(samplePlan));
      }),
      { numRuns: 20 },
    );
  });

  it("stays when a plan is stored and read", () => {
    expect(hashPlan(JSON.parse(JSON.stringify(samplePlan)))).toBe(hashPlan(samplePlan));
  });

  it("changes with every single value of the plan", () => {
    const original = hashPlan(samplePlan);
    const leaves = leavesOf(samplePlan).filter(
      (path) => path.at(-1) !== "forecastSeconds" || path[0] === "input" || path[0] === "facts",
    );
    expect(leaves.length).toBeGreaterThan(200);
    const unnoticed = leaves.filter((path) => hashPlan(changeLeaf(samplePlan, path) as Plan) === original);
    expect(unnoticed).toEqual([]);
  });

  it("changes when a member is added or the steps change places", () => {
    const original = hashPlan(samplePlan);
    expect(hashPlan({ ...samplePlan, steps: samplePlan.steps.toReversed() })).not.toBe(original);
    expect(hashPlan({ ...samplePlan, extra: 1 } as Plan)).not.toBe(original);
  });

  it("does not depend on any forecast", () => {
    const steps = (forecastSeconds: number): Step[] => [
      actOf("a", { forecastSeconds, undo: [actOf("b", { forecastSeconds })] }),
      waitOf("c", { forecastSeconds }),
      bracketOf("d", [bracketOf("e", [actOf("f", { forecastSeconds })])], {
        open: [actOf("g", { forecastSeconds })],
        close: [actOf("h", { forecastSeconds })],
      }),
      { kind: "parallel", id: "i", title: "i", acts: [actOf("j", { forecastSeconds })] },
    ];
    expect(hashPlan(planOf(steps(2)))).toBe(hashPlan(planOf(steps(1))));
  });

  it("depends on data that happens to be named like a forecast", () => {
    const plan = (forecastSeconds: number) =>
      planOf([actOf("a", { action: { kind: "call", name: "x", version: 1, input: { forecastSeconds } } })]);
    expect(hashPlan(plan(2))).not.toBe(hashPlan(plan(1)));
  });
});

function shuffleKeys(value: unknown, seed: number): unknown {
  if (Array.isArray(value)) return value.map((item) => shuffleKeys(item, seed));
  if (value === null || typeof value !== "object") return value;
  const keyOf = (key: string) => createHash("sha256").update(`${seed} ${key}`).digest("hex");
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (keyOf(a) < keyOf(b) ? -1 : 1))
      .map(([key, member]) => [key, shuffleKeys(member, seed)]),
  );
}

type Path = readonly string[];

function leavesOf(value: unknown, path: Path = []): readonly Path[] {
  if (value === null || typeof value !== "object") return [path];
  return Object.entries(value).flatMap(([key, member]) => leavesOf(member, [...path, key]));
}

/** The same data with another value at one place. */
function changeLeaf(value: unknown, path: Path): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return typeof value === "number" ? value + 1 : `${value}!`;
  const changed = changeLeaf((value as Record<string, unknown>)[key], rest);
  if (Array.isArray(value)) return value.map((item, index) => (String(index) === key ? changed : item));
  return { ...(value as object), [key]: changed };
}
