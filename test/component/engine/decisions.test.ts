import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decideRun, listSteps, requestCancel } from "../../../src/engine/journal.ts";
import { listLeases } from "../../../src/engine/lease.ts";
import type { Act, Wait } from "../../../src/runbook/plan.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { approvedRun, decide, interruptedRun, outcomes, planOf, resume, runPlan, World } from "../../harness/plans.ts";
import { until } from "../../harness/sandbox.ts";

let test: TestControl;
beforeAll(async () => {
  test = await startControl();
});
afterAll(() => test[Symbol.asyncDispose]());

function world(): World {
  return World.create(test.home);
}

const waiting = { status: "waiting", waiting_for: "decision", outcome: null };
const pivot = { kind: "pivot", id: "open", title: "Users are back" } as const;

describe("a step that asks when it fails", () => {
  /** The step b fails until the file `fixed` is there. */
  const stopped = async (w: World) => {
    const b = w.blind("b", { onFail: "ask", verify: [w.exists("fixed")] });
    return runPlan(test.control, planOf([w.act("a"), b, w.act("c")]));
  };

  it("leaves the run waiting for a person, with its lease", async () => {
    const w = world();
    const run = await stopped(w);
    expect(run).toMatchObject({ ...waiting, error: { code: "run.verify_failed" } });
    expect(w.effects()).toEqual(["do a", "do b"]);
    expect(await listLeases(test.control.db, run.stack)).toMatchObject([{ run: run.id, mode: "exclusive" }]);
    await expect(resume(test.control, run)).rejects.toMatchObject({ code: "run.nothing_to_decide" });
  });

  it("is done once more when the person says again", async () => {
    const w = world();
    const run = await stopped(w);
    expect(await decide(test.control, run, "again")).toMatchObject(waiting);
    w.write("fixed");
    expect(await decide(test.control, run, "again")).toMatchObject({ outcome: "succeeded", error: null });
    expect(w.effects()).toEqual(["do a", "do b", "do b", "do b", "do c"]);
    expect((await listSteps(test.control, run.id)).find((step) => step.path === "b")?.attempts).toBe(3);
  });

  it("counts as done when the person says done", async () => {
    const w = world();
    const run = await stopped(w);
    expect(await decide(test.control, run, "done")).toMatchObject({ outcome: "succeeded", error: null });
    expect(w.effects()).toEqual(["do a", "do b", "do c"]);
    expect(await outcomes(test.control, run)).toEqual({ a: "succeeded", b: "succeeded", c: "succeeded" });
  });

  it("is taken back with the rest when the person says undo", async () => {
    const w = world();
    const run = await stopped(w);
    expect(await decide(test.control, run, "undo")).toMatchObject({ outcome: "undone" });
    expect(w.effects()).toEqual(["do a", "do b", "undo b", "undo a"]);
  });

  it("is taken back with the rest when the person cancels instead", async () => {
    const w = world();
    const run = await stopped(w);
    await requestCancel(test.control, run.id, "berta");
    expect(await resume(test.control, run)).toMatchObject({ outcome: "undone" });
    expect(w.effects()).toEqual(["do a", "do b", "undo b", "undo a"]);
  });

  it("is left as it is when the person abandons the run, which frees the stack", async () => {
    const w = world();
    const run = await stopped(w);
    expect(await decide(test.control, run, "abandon")).toMatchObject({ outcome: "unknown" });
    expect(w.effects()).toEqual(["do a", "do b"]);
    expect(await listLeases(test.control.db, run.stack)).toEqual([]);
  });

  it("settles neither an earlier step that was allowed to fail, nor does it again", async () => {
    const w = world();
    const b = w.blind("b", { onFail: "ask", verify: [w.exists("fixed")] });
    const plan = planOf([w.failing("note", { onFail: "continue" }), b, w.act("c")]);
    const done = await decide(test.control, await runPlan(test.control, plan), "done");
    expect(await outcomes(test.control, done)).toEqual({ note: "failed", b: "succeeded", c: "succeeded" });
    expect(w.effects()).toEqual(["do note", "do b", "do c"]);
    const w2 = world();
    const b2 = w2.blind("b", { onFail: "ask", verify: [w2.exists("fixed")] });
    const run = await runPlan(test.control, planOf([w2.failing("note", { onFail: "continue" }), b2]));
    w2.write("fixed");
    expect(await decide(test.control, run, "again")).toMatchObject({ outcome: "succeeded" });
    expect(w2.effects()).toEqual(["do note", "do b", "do b"]);
  });
});

describe("a decision", () => {
  it("is refused while the run does not wait for one, so that it is never meant for a later step", async () => {
    const w = world();
    const plan = planOf([w.blind("a", { onFail: "ask", verify: [w.exists("fixed")] })]);
    const run = await interruptedRun(test.control, plan, "a");
    await expect(decideRun(test.control, run, "done", "anna")).rejects.toMatchObject({
      code: "run.nothing_to_decide",
      message: expect.stringContaining("it is running"),
    });
    expect(await resume(test.control, run)).toMatchObject(waiting);
  });
});

describe("an act that was under way when its process died", () => {
  it("is not done again when its probe says that it is done, and is the run's to take back", async () => {
    const w = world();
    w.write("effects", "do a\n");
    const run = await interruptedRun(test.control, planOf([w.act("a"), w.failing("b")]), "a");
    expect(await resume(test.control, run)).toMatchObject({ outcome: "undone" });
    expect(w.effects()).toEqual(["do a", "do b", "undo b", "undo a"]);
  });

  it("is done again when it may be", async () => {
    const w = world();
    const run = await interruptedRun(test.control, planOf([w.blind("a", { onInterrupt: "again" })]), "a");
    expect(await resume(test.control, run)).toMatchObject({ outcome: "succeeded" });
    expect(w.effects()).toEqual(["do a"]);
    expect((await listSteps(test.control, run.id))[0]?.attempts).toBe(2);
  });

  it("is taken back, not done again, when it says so, even if it may fail", async () => {
    const w = world();
    const act = w.blind("a", { onInterrupt: "undo", onFail: "continue" });
    const run = await interruptedRun(test.control, planOf([act]), "a");
    expect(await resume(test.control, run)).toMatchObject({ outcome: "undone", error: { code: "run.interrupted" } });
    expect(w.effects()).toEqual(["undo a"]);
  });

  it("waits for a person when it says so", async () => {
    const w = world();
    const act = w.blind("a", { onInterrupt: "ask" });
    const run = await interruptedRun(test.control, planOf([act]), "a");
    const stopped = await resume(test.control, run);
    expect(stopped).toMatchObject({ ...waiting, error: { code: "run.interrupted" } });
    expect(w.effects()).toEqual([]);
    expect(await decide(test.control, stopped, "again")).toMatchObject({ outcome: "succeeded" });
    expect(w.effects()).toEqual(["do a"]);
  });

  it("is not done by a second attempt after a first one that could not tell whether it was done", async () => {
    const w = world();
    // Unknown when asked first, no when asked again.
    const done = {
      ...w.exists("never"),
      action: w.shell('test -e "$1" || { touch "$1"; exit 2; }; exit 1', w.path("asked")),
    };
    const probe = { ...done, action: { ...done.action, okExitCodes: [0, 1] } };
    const act = w.act("a", { onInterrupt: "undo", attempts: 2, done: probe });
    const run = await interruptedRun(test.control, planOf([act]), "a");
    expect(await resume(test.control, run)).toMatchObject({ outcome: "undone", error: { code: "run.interrupted" } });
    expect(w.effects()).toEqual(["undo a"]);
  });
});

describe("a step that failed just before its process died", () => {
  it("is not done again: the run does what the failure means", async () => {
    const w = world();
    const failing = w.blind("b", { verify: [w.exists("fixed")], onFail: "ask" });
    const run = await runPlan(test.control, planOf([w.act("a"), failing]));
    // As if the process had died between writing the step's failure and the run's.
    await test.control.db
      .updateTable("runs")
      .set({ status: "running", waiting_for: null, error: null })
      .where("id", "=", run.id)
      .execute();
    w.write("fixed");
    expect(await resume(test.control, run)).toMatchObject({ ...waiting, error: { code: "run.verify_failed" } });
    expect(w.effects()).toEqual(["do a", "do b"]);
  });

  it("is not done again when it was allowed to fail", async () => {
    const w = world();
    const plan = planOf([w.failing("note", { onFail: "continue" }), w.blind("b", { onInterrupt: "again" })]);
    const run = await runPlan(test.control, plan);
    await test.control.db
      .updateTable("runs")
      .set({ status: "running", outcome: null })
      .where("id", "=", run.id)
      .execute();
    await test.control.db
      .updateTable("steps")
      .set({ outcome: "running" })
      .where("run", "=", run.id)
      .where("path", "=", "b")
      .execute();
    expect(await resume(test.control, run)).toMatchObject({ outcome: "succeeded" });
    expect(w.effects()).toEqual(["do note", "do b", "do b"]);
  });
});

describe("after the pivot", () => {
  it("a failure waits for a person, who may still take back", async () => {
    const w = world();
    const run = await runPlan(test.control, planOf([w.act("a"), pivot, w.failing("b")]));
    expect(run).toMatchObject(waiting);
    expect(w.effects()).toEqual(["do a", "do b"]);
    expect(await decide(test.control, run, "undo")).toMatchObject({ outcome: "undone" });
    expect(w.effects()).toEqual(["do a", "do b", "undo b", "undo a"]);
  });

  it("a cancel is a question, also in a process that resumes the run, and again goes on", async () => {
    const w = world();
    const run = await runPlan(
      test.control,
      planOf([w.act("a"), pivot, w.blind("b", { onFail: "ask", verify: [w.exists("fixed")] })]),
    );
    w.write("fixed");
    await decideRun(test.control, run, "again", "anna");
    // The cancel comes while the run goes on, and the process that carries it out dies.
    await test.control.db
      .updateTable("runs")
      .set({ status: "running", waiting_for: null, decision: null })
      .where("id", "=", run.id)
      .execute();
    await test.control.db
      .updateTable("steps")
      .set({ outcome: "running" })
      .where("run", "=", run.id)
      .where("path", "=", "b")
      .execute();
    await requestCancel(test.control, run.id, "berta");
    const asked = await resume(test.control, run);
    expect(asked).toMatchObject({ ...waiting, error: { code: "run.cancelled" } });
    expect(w.effects()).toEqual(["do a", "do b"]);
    expect(await decide(test.control, asked, "again")).toMatchObject({ outcome: "succeeded" });
    expect(w.effects()).toEqual(["do a", "do b", "do b"]);
  });

  /** Users are out in it; it ends when they are served. */
  const closed = (w: World, serve: Act | Wait) =>
    ({
      kind: "bracket",
      id: "closed",
      title: "Closed",
      open: [w.blind("close", { undo: "nothing" })],
      body: [w.act("a"), pivot],
      close: [w.blind("let in", { undo: "nothing" }), serve],
    }) as const;

  it("a failure in letting users in is a question, and an undo keeps them out again first", async () => {
    const w = world();
    const serve = w.blind("serve", { undo: "nothing", verify: [w.exists("fixed")] });
    const run = await runPlan(test.control, planOf([closed(w, serve)]));
    expect(run).toMatchObject(waiting);
    expect(w.effects()).toEqual(["do close", "do a", "do let in", "do serve"]);
    w.write("fixed");
    expect(await decide(test.control, run, "undo")).toMatchObject({ outcome: "undone" });
    expect(w.effects().slice(4)).toEqual(["do close", "undo a", "do let in", "do serve"]);
  });

  it("a cancel while users are let in is a question", async () => {
    const w = world();
    const plan = planOf([closed(w, w.wait("serve", { probe: w.exists("serves") }))]);
    const run = await approvedRun(test.control, plan);
    const running = resume(test.control, run);
    await until("they are let in", async () => w.effects().includes("do let in"));
    await requestCancel(test.control, run.id, "berta");
    const asked = await running;
    expect(asked).toMatchObject({ ...waiting, error: { code: "run.cancelled" } });
    w.write("serves");
    expect(await decide(test.control, asked, "again")).toMatchObject({ outcome: "succeeded" });
    expect(w.effects()).toEqual(["do close", "do a", "do let in"]);
  });

  it("a step that may fail still may", async () => {
    const w = world();
    const run = await runPlan(test.control, planOf([w.act("a"), pivot, w.failing("b", { onFail: "continue" })]));
    expect(run.outcome).toBe("succeeded");
  });
});

describe("after an irreversible step", () => {
  it("a failure waits for a person, and an undo does not claim that everything was taken back", async () => {
    const w = world();
    const plan = planOf([w.act("a"), w.act("gone", { undo: "irreversible", effect: "destroy" }), w.failing("b")]);
    const run = await runPlan(test.control, plan);
    expect(run).toMatchObject(waiting);
    expect(await decide(test.control, run, "undo")).toMatchObject({ outcome: "unknown" });
    expect(w.effects()).toEqual(["do a", "do gone", "do b", "undo b", "undo a"]);
  });
});

describe("an undo that fails", () => {
  const stuck = async (w: World) => {
    const a = w.act("a", {
      undo: [w.undo("a1"), w.undo("a2", { verify: [w.exists("fixed")], done: w.exists("fixed") }), w.undo("a3")],
    });
    return runPlan(test.control, planOf([w.act("z"), a, w.failing("b")]));
  };
  const soFar = ["do z", "do a", "do b", "undo b", "undo a1", "undo a2"];

  it("leaves the run waiting, its stack reserved, and the first error on record", async () => {
    const w = world();
    const run = await stuck(w);
    expect(run).toMatchObject({
      status: "waiting",
      waiting_for: "undo",
      error: { code: "run.verify_failed", message: expect.stringContaining("b worked") },
    });
    expect(w.effects()).toEqual(soFar);
    expect(await listLeases(test.control.db, run.stack)).toHaveLength(1);
  });

  it("goes on from there when its cause is gone", async () => {
    const w = world();
    const run = await stuck(w);
    w.write("fixed");
    expect(await resume(test.control, run)).toMatchObject({ outcome: "undone" });
    expect(w.effects()).toEqual([...soFar, "undo a3", "undo z"]);
    expect(await listLeases(test.control.db, run.stack)).toEqual([]);
  });

  it("goes on behind it when a person did it by hand", async () => {
    const w = world();
    const run = await stuck(w);
    expect(await decide(test.control, run, "done")).toMatchObject({ outcome: "undone" });
    expect(w.effects()).toEqual([...soFar, "undo a3", "undo z"]);
  });

  it("stops again while its cause is there, and can be abandoned", async () => {
    const w = world();
    const run = await stuck(w);
    expect(await resume(test.control, run)).toMatchObject({ status: "waiting", waiting_for: "undo" });
    expect(await decide(test.control, run, "abandon")).toMatchObject({ outcome: "unknown" });
    expect(w.effects()).toEqual([...soFar, "undo a2"]);
  });
});
