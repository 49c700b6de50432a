import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { advance } from "../../../src/engine/advance.ts";
import { listSteps } from "../../../src/engine/journal.ts";
import { defineError } from "../../../src/errors/error.ts";
import { output } from "../../../src/runbook/value.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { createEngine, outcomes, planOf, runPlan, World } from "../../harness/plans.ts";

const NotThere = defineError<{ title: string }>("test.not_there", {
  exitCode: 40,
  message: (d) => `It is not there: ${d.title}.`,
  hint: () => "Put it there.",
});

let test: TestControl;
beforeAll(async () => {
  test = await startControl();
});
afterAll(() => test[Symbol.asyncDispose]());

function world(): World {
  return World.create(test.home);
}

describe("a run", () => {
  it("does the steps of its plan in order and records each", async () => {
    const w = world();
    const run = await runPlan(test.control, planOf([w.act("a"), w.act("b"), w.act("c")]));
    expect(run).toMatchObject({ status: "ended", outcome: "succeeded", error: null, waiting_for: null });
    expect(run.finished_at?.getTime()).toBeGreaterThanOrEqual(run.started_at?.getTime() ?? Number.POSITIVE_INFINITY);
    expect(w.effects()).toEqual(["do a", "do b", "do c"]);
    const steps = await listSteps(test.control, run.id);
    expect(steps.map((step) => [step.path, step.phase, step.outcome, step.attempts])).toEqual([
      ["a", "do", "succeeded", 1],
      ["b", "do", "succeeded", 1],
      ["c", "do", "succeeded", 1],
    ]);
    expect(steps.every((step) => step.finished_at !== null && step.finished_at >= step.started_at)).toBe(true);
  });

  it("that has ended does nothing more", async () => {
    const w = world();
    const run = await runPlan(test.control, planOf([w.blind("a")]));
    const again = await advance(createEngine(test.control), run.id);
    expect(again.outcome).toBe("succeeded");
    expect(w.effects()).toEqual(["do a"]);
  });

  it("takes back in reverse order what it did when a step does not verify, that step first", async () => {
    const w = world();
    const plan = planOf([w.act("a"), w.act("b"), w.failing("c"), w.act("d")]);
    const run = await runPlan(test.control, plan);
    expect(run).toMatchObject({ outcome: "undone", error: { code: "run.verify_failed" } });
    expect(w.effects()).toEqual(["do a", "do b", "do c", "undo c", "undo b", "undo a"]);
    expect(await outcomes(test.control, run)).toEqual({
      a: "succeeded",
      b: "succeeded",
      c: "failed",
      "undo a~take back a": "succeeded",
      "undo b~take back b": "succeeded",
      "undo c~take back c": "succeeded",
    });
  });

  it("takes back a step whose command failed, since it may have done half", async () => {
    const w = world();
    const half = w.act("a", { action: w.shell('echo "do half" >> "$1"; exit 3', w.path("effects")) });
    const run = await runPlan(test.control, planOf([half]));
    expect(run).toMatchObject({ outcome: "undone", error: { code: "host.command_failed" } });
    expect(w.effects()).toEqual(["do half", "undo a"]);
  });

  it("has failed, not been undone, when nothing but reads had happened", async () => {
    const w = world();
    const bad = w.read("look", "", { action: w.shell("exit 1") });
    expect(await runPlan(test.control, planOf([w.read("first", "x"), bad]))).toMatchObject({ outcome: "failed" });
  });

  it("names the error that a verification's no means", async () => {
    const w = world();
    const coded = w.act("a", { verify: [{ ...w.exists("never"), code: NotThere.code }] });
    const run = await runPlan(test.control, planOf([coded]));
    expect(run.error?.code).toBe(NotThere.code);
  });

  it("hands what a step recorded to later steps and to its own verification", async () => {
    const w = world();
    const first = w.read("first", "42\n", {
      outputs: { text: { from: "stdout" }, number: { from: "stdout", as: "number" } },
    });
    const effects = w.path("effects");
    const second = w.change("second", {
      ...w.append("x"),
      pipeline: [{ argv: ["sh", "-c", 'echo "got $2" >> "$1"', "sh", effects, output("first", "text")] }],
    });
    const verified = w.read("third", "same", {
      verify: [
        {
          ...w.has("got 42"),
          action: w.shell('printf "%s" same'),
          output: { from: "stdout" },
          compare: "eq",
          with: output("third", "text"),
        },
      ],
    });
    const run = await runPlan(test.control, planOf([first, { ...second, verify: [w.has("got 42")] }, verified]));
    expect(run).toMatchObject({ outcome: "succeeded", error: null });
    expect(w.effects()).toEqual(["got 42"]);
    expect((await listSteps(test.control, run.id))[0]?.outputs).toEqual({ text: "42", number: 42 });
  });
});

describe("an act", () => {
  it("that is already done is not done again", async () => {
    const w = world();
    w.write("effects", "do a\n");
    const run = await runPlan(test.control, planOf([w.act("a"), w.act("b")]));
    expect(run.outcome).toBe("succeeded");
    expect(w.effects()).toEqual(["do a", "do b"]);
    expect(await outcomes(test.control, run)).toEqual({ a: "skipped", b: "succeeded" });
  });

  it("that was already done before the run is not taken back by it", async () => {
    const w = world();
    w.write("effects", "do a\n");
    const run = await runPlan(test.control, planOf([w.act("a"), w.failing("b")]));
    expect(run.outcome).toBe("undone");
    expect(w.effects()).toEqual(["do a", "do b", "undo b"]);
  });

  it("that was already done leaves the run failed, since nothing was changed", async () => {
    const w = world();
    w.write("effects", "do a\n");
    const run = await runPlan(test.control, planOf([w.act("a"), w.read("look", "", { action: w.shell("exit 1") })]));
    expect(run.outcome).toBe("failed");
    expect(w.effects()).toEqual(["do a"]);
  });

  it("is refused when its probe cannot tell whether it is done", async () => {
    const w = world();
    const run = await runPlan(test.control, planOf([w.act("a", { done: w.unknownUntil("answer") })]));
    expect(run).toMatchObject({ status: "ended", error: { code: "run.probe_unknown" } });
    expect(w.effects()).not.toContain("do a");
  });

  it("is tried again as often as it says, and its attempts are counted", async () => {
    const w = world();
    const twice = w.act("a", {
      attempts: 3,
      action: w.shell('echo try >> "$1"; test "$(grep -c try "$1")" -ge 2; echo "do a" >> "$1"', w.path("effects")),
    });
    const run = await runPlan(test.control, planOf([twice]));
    expect(run.outcome).toBe("succeeded");
    expect(w.effects()).toEqual(["try", "try", "do a"]);
    expect((await listSteps(test.control, run.id))[0]?.attempts).toBe(2);
  });

  it("fails after its last attempt", async () => {
    const w = world();
    const never = w.blind("a", { attempts: 2, action: w.shell('echo try >> "$1"; exit 1', w.path("effects")) });
    const run = await runPlan(test.control, planOf([never]));
    expect(run.outcome).toBe("undone");
    expect(w.effects()).toEqual(["try", "try", "undo a"]);
  });

  it("is stopped at its time limit, with what it started", async () => {
    const w = world();
    const slow = w.act("a", { timeoutSeconds: 0.3, action: w.shell('sleep 30; echo late >> "$1"', w.path("effects")) });
    const run = await runPlan(test.control, planOf([slow]));
    expect(run).toMatchObject({ outcome: "undone", error: { code: "host.timeout" } });
    expect(w.effects()).toEqual(["undo a"]);
  });

  it("is skipped, and not taken back, when what it depends on is not true", async () => {
    const w = world();
    const decide = (id: string, text: string) =>
      w.read(id, text, { outputs: { wanted: { from: "stdout", as: "json" } } });
    const run = await runPlan(
      test.control,
      planOf([
        decide("no", "false"),
        decide("yes", "true"),
        w.act("a", { when: output("no", "wanted") }),
        w.act("b", { when: output("yes", "wanted") }),
        w.failing("c"),
      ]),
    );
    expect(await outcomes(test.control, run)).toMatchObject({ a: "skipped", b: "succeeded", c: "failed" });
    expect(w.effects()).toEqual(["do b", "do c", "undo c", "undo b"]);
  });

  it("that may fail does not stop the run", async () => {
    const w = world();
    const run = await runPlan(test.control, planOf([w.failing("a", { onFail: "continue" }), w.act("b")]));
    expect(run).toMatchObject({ outcome: "succeeded", error: null });
    expect(await outcomes(test.control, run)).toEqual({ a: "failed", b: "succeeded" });
  });

  it("of a function of the program gets its input and records its result", async () => {
    const w = world();
    const sum = w.read("sum", "", {
      action: { kind: "call", name: "test.add", version: 1, input: { left: 2, right: output("first", "n") } },
      outputs: { n: { from: "result" } },
    });
    const first = w.read("first", "3", { outputs: { n: { from: "stdout", as: "number" } } });
    const run = await runPlan(test.control, planOf([first, sum]), {
      calls: { "test.add": async (input) => Number(input["left"]) + Number(input["right"]) },
    });
    expect((await listSteps(test.control, run.id))[1]?.outputs).toEqual({ n: 5 });
  });
});

describe("taking back", () => {
  it("passes over what may fail, and waits for what it brought about", async () => {
    const w = world();
    const undo = [
      w.undo("a1", { onFail: "continue", verify: [w.exists("never")], done: w.exists("never") }),
      w.wait("settled", { probe: w.has("undo a1") }),
      w.wait("patient", { probe: w.exists("never") }, { timeoutSeconds: 0.2, onTimeout: "continue" }),
      w.undo("a2"),
    ];
    const run = await runPlan(test.control, planOf([w.act("z"), w.act("a", { undo }), w.failing("b")]));
    expect(run.outcome).toBe("undone");
    expect(w.effects()).toEqual(["do z", "do a", "do b", "undo b", "undo a1", "undo a2", "undo z"]);
    expect(await outcomes(test.control, run)).toMatchObject({
      "undo a~take back a1": "failed",
      "undo a~settled": "succeeded",
      "undo a~patient": "failed",
      "undo a~take back a2": "succeeded",
    });
  });
});

describe("acts side by side", () => {
  it.each(["read", "change"] as const)("that %s are done at the same time", async (effect) => {
    const w = world();
    // Each waits for the other's file: one after the other would never end.
    const meet = (id: string, other: string) =>
      w.read(id, "", {
        effect,
        verify: [w.exists(id)],
        action: w.shell('touch "$1"; until test -e "$2"; do sleep 0.01; done', w.path(id), w.path(other)),
        outputs: {},
        timeoutSeconds: 10,
      });
    const both = { kind: "parallel", id: "both", title: "Both", acts: [meet("x", "y"), meet("y", "x")] } as const;
    const run = await runPlan(test.control, planOf([both, w.act("after")]));
    expect(run.outcome).toBe("succeeded");
    expect(await outcomes(test.control, run)).toEqual({
      "both/x": "succeeded",
      "both/y": "succeeded",
      after: "succeeded",
    });
  });

  it("stop the run when any of them fails, also behind one that may fail", async () => {
    const w = world();
    const bad = (id: string, onFail: "undo" | "continue") => w.read(id, "", { action: w.shell("exit 1"), onFail });
    const both = {
      kind: "parallel",
      id: "both",
      title: "Both",
      acts: [bad("x", "continue"), bad("y", "undo")],
    } as const;
    const run = await runPlan(test.control, planOf([both, w.act("after")]));
    expect(run.outcome).toBe("failed");
    expect(w.effects()).toEqual([]);
  });
});

describe("a bracket", () => {
  const bracket = (w: World, body: Parameters<typeof planOf>[0]) =>
    ({
      kind: "bracket",
      id: "closed",
      title: "Closed",
      open: [w.blind("open1", { undo: "nothing" }), w.blind("open2", { undo: "nothing" })],
      body,
      close: [w.blind("close1", { undo: "nothing" }), w.blind("close2", { undo: "nothing" })],
    }) as const;

  it("opens, does its body, and closes", async () => {
    const w = world();
    const run = await runPlan(test.control, planOf([bracket(w, [w.act("a")]), w.act("b")]));
    expect(run.outcome).toBe("succeeded");
    expect(w.effects()).toEqual(["do open1", "do open2", "do a", "do close1", "do close2", "do b"]);
  });

  it("closes when its body fails, after the body was taken back", async () => {
    const w = world();
    const run = await runPlan(test.control, planOf([bracket(w, [w.act("a"), w.failing("b")])]));
    expect(run.outcome).toBe("undone");
    expect(w.effects()).toEqual([
      ...["do open1", "do open2", "do a", "do b"],
      ...["undo b", "undo a", "do close1", "do close2"],
    ]);
  });

  it("closes when it was opened half", async () => {
    const w = world();
    const half = bracket(w, [w.act("a")]);
    const open2 = w.failing("open2", { undo: "nothing" });
    const run = await runPlan(test.control, planOf([{ ...half, open: [half.open[0], open2] }]));
    expect(run.outcome).toBe("undone");
    expect(w.effects()).toEqual(["do open1", "do open2", "do close1", "do close2"]);
  });

  it("is opened again to take back its body when something after it fails", async () => {
    const w = world();
    await runPlan(test.control, planOf([bracket(w, [w.act("a")]), w.failing("b")]));
    expect(w.effects()).toEqual([
      ...["do open1", "do open2", "do a", "do close1", "do close2", "do b"],
      ...["undo b", "do open1", "do open2", "undo a", "do close1", "do close2"],
    ]);
  });

  it("is opened again when it was closed half", async () => {
    const w = world();
    const half = bracket(w, [w.act("a")]);
    const close2 = w.blind("close2", { undo: "nothing", verify: [w.exists("never")] });
    const plan = planOf([{ ...half, close: [half.close[0], close2, w.blind("close3", { undo: "nothing" })] }]);
    // Closing cannot succeed here until the file appears; it does so when the bracket is opened again.
    const opening = w.blind("open1", {
      undo: "nothing",
      action: w.shell(
        'echo "do open1" >> "$1"; test ! -e "$2" || touch "$3"; touch "$2"',
        w.path("effects"),
        w.path("opened"),
        w.path("never"),
      ),
    });
    const first = plan.steps[0];
    if (first?.kind !== "bracket") throw new Error("the plan begins with the bracket");
    const run = await runPlan(test.control, planOf([{ ...first, open: [opening, half.open[1]] }]));
    expect(run.outcome).toBe("undone");
    expect(w.effects()).toEqual([
      ...["do open1", "do open2", "do a", "do close1", "do close2"],
      ...["do open1", "do open2", "undo a", "do close1", "do close2", "do close3"],
    ]);
  });

  it("closes on the way back although its opening found everything open already", async () => {
    const w = world();
    w.write("effects", "do open1\n");
    const plain = bracket(w, [w.failing("a")]);
    const run = await runPlan(
      test.control,
      planOf([{ ...plain, open: [w.act("open1", { undo: "nothing" }), plain.open[1]] }]),
    );
    expect(run.outcome).toBe("undone");
    expect(w.effects()).toEqual(["do open1", "do open2", "do a", "undo a", "do close1", "do close2"]);
  });
});
