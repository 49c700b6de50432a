import { describe, expect, it } from "vitest";
import { actOf, bracketOf, changeOf, planOf, samplePlan, waitOf } from "./fixtures/plans.ts";
import { type Effect, isWithin, type Plan, riskOf, type Step, type UndoClass, undoClassOf, walk } from "./plan.ts";

/** Paths of the walk, each with the acts that take it back. */
function shape(steps: readonly Step[]): readonly string[] {
  return walk({ steps }).map(({ path, undo }) => [path, ...undo.map((act) => act.id)].join(" ~ "));
}

describe("the walk", () => {
  it("goes through steps in order, each with its own undo", () => {
    const undo = [actOf("back 1"), actOf("back 2")];
    const pivot: Step = { kind: "pivot", id: "open", title: "Open" };
    expect(shape([changeOf("a", { undo }), waitOf("b"), pivot, changeOf("c", { undo: "irreversible" })])).toEqual([
      "a ~ back 1 ~ back 2",
      "b",
      "open",
      "c",
    ]);
  });

  it("takes an opening back by closing and a closing back by opening, in nested brackets too", () => {
    const inner = bracketOf("in", [changeOf("work", { undo: [actOf("undo work")] })]);
    const outer = bracketOf("out", [changeOf("first"), inner, changeOf("last")], {
      open: [changeOf("o1"), changeOf("o2")],
      close: [changeOf("c1"), changeOf("c2"), changeOf("c3")],
    });
    expect(shape([outer])).toEqual([
      "out/o1 ~ c1 ~ c2 ~ c3",
      "out/o2",
      "out/first",
      "out/in/open in ~ close in",
      "out/in/work ~ undo work",
      "out/in/close in ~ open in",
      "out/last",
      "out/c1 ~ o1 ~ o2",
      "out/c2",
      "out/c3",
    ]);
  });

  it.each([1, 2, 3])("undoes the body inside the bracket when closing fails at its act %i", (failing) => {
    const bracket = bracketOf("x", [changeOf("body", { undo: [actOf("undo body")] })], {
      open: [changeOf("open")],
      close: [changeOf("c1"), changeOf("c2"), changeOf("c3")],
    });
    const began = walk({ steps: [bracket] }).slice(0, 2 + failing);
    const back = began.toReversed().flatMap((entry) => entry.undo.map((act) => act.id));
    expect(back).toEqual(["open", "undo body", "c1", "c2", "c3"]);
  });

  it("marks what is done at the same time, and takes no read back", () => {
    const both: Step = { kind: "parallel", id: "both", title: "Both", acts: [actOf("a"), actOf("b")] };
    const entries = walk({ steps: [bracketOf("x", [both])] });
    expect(entries.slice(1, 3).map(({ path, parallel, undo }) => [path, parallel, undo])).toEqual([
      ["x/both/a", "x/both", []],
      ["x/both/b", "x/both", []],
    ]);
    expect(entries[0]?.parallel).toBeUndefined();
  });

  it("finds every leaf once, with a path of its own", () => {
    const paths = walk(samplePlan).map((entry) => entry.path);
    expect(paths).toEqual([...new Set(paths)]);
    expect(paths).toHaveLength(13);
  });
});

const procedureOf = (risk: Effect, undoClass: UndoClass): Step => ({
  kind: "procedure",
  id: "inner",
  title: "Inner",
  name: "backup",
  input: null,
  mandate: { risk, undoClass },
});

describe("the risk of a plan", () => {
  it.each<[Effect, readonly Step[]]>([
    ["read", []],
    ["read", [actOf("a"), waitOf("b")]],
    ["change", [actOf("a"), changeOf("b")]],
    ["destroy", [changeOf("a"), bracketOf("b", [changeOf("c", { effect: "destroy" })])]],
    ["change", [bracketOf("a", [actOf("b")])]],
    ["destroy", [actOf("a"), procedureOf("destroy", "instant")]],
  ])("is %s, the greatest effect of its steps", (risk, steps) => {
    expect(riskOf(planOf(steps))).toBe(risk);
  });
});

describe("the undo class of a plan", () => {
  it.each<[UndoClass, readonly Step[]]>([
    ["instant", []],
    ["instant", [changeOf("a"), waitOf("b")]],
    ["restore", [changeOf("a", { undoClass: "restore" }), changeOf("b", { undoClass: "instant" })]],
    ["irreversible", [changeOf("a", { undo: "irreversible", undoClass: "instant" })]],
    [
      "irreversible",
      [bracketOf("x", [changeOf("a", { undoClass: "restore" }), changeOf("b", { undo: "irreversible" })])],
    ],
    ["restore", [procedureOf("read", "restore")]],
  ])("is %s, the worst of its steps", (undoClass, steps) => {
    expect(undoClassOf(planOf(steps))).toBe(undoClass);
  });
});

describe("a mandate", () => {
  const plans: readonly (readonly [Effect, UndoClass, Plan])[] = (["read", "change", "destroy"] as const).flatMap(
    (risk) =>
      (["instant", "restore", "irreversible"] as const).map(
        (undoClass) => [risk, undoClass, planOf([actOf("a", { effect: risk, undoClass })])] as const,
      ),
  );
  const rank = { read: 0, change: 1, destroy: 2, instant: 0, restore: 1, irreversible: 2 } as const;

  it.each(plans)("of %s and %s holds whatever is not greater in either", (risk, undoClass) => {
    for (const [otherRisk, otherClass, plan] of plans)
      expect([otherRisk, otherClass, isWithin({ risk, undoClass }, plan)]).toEqual([
        otherRisk,
        otherClass,
        rank[otherRisk] <= rank[risk] && rank[otherClass] <= rank[undoClass],
      ]);
  });
});
