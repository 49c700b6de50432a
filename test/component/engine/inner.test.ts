import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { advance } from "../../../src/engine/advance.ts";
import { getRun, listSteps, type Run, requestCancel } from "../../../src/engine/journal.ts";
import { listLeases } from "../../../src/engine/lease.ts";
import type { Plan } from "../../../src/runbook/plan.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import {
  approvedRun,
  createEngine,
  decide,
  EventProbe,
  outcomes,
  planOf,
  resume,
  runPlan,
  World,
} from "../../harness/plans.ts";

let test: TestControl;
beforeAll(async () => {
  test = await startControl();
});
afterAll(() => test[Symbol.asyncDispose]());

function world(): World {
  return World.create(test.home);
}

async function innerRuns(run: Run): Promise<readonly Run[]> {
  return test.control.db.selectFrom("runs").selectAll().where("parent", "=", run.id).orderBy("created_at").execute();
}

/** An outer plan with a step before and after the inner procedure, and the options that its engine needs. */
function nested(w: World, inner: Plan["steps"], after: Plan["steps"] = [w.act("z")], options: Partial<Plan> = {}) {
  const outer = planOf([w.act("a"), w.child("inside", "inner"), ...after]);
  const innerPlan = () => planOf(inner, { procedure: "inner", stack: outer.stack, ...options });
  return { outer, options: { plans: { test: () => outer, inner: innerPlan } } };
}

describe("a procedure inside a plan", () => {
  it("is planned when it is reached and carried out under the outer run's lease", async () => {
    const w = world();
    const outer = planOf([w.act("a"), w.child("inside", "inner"), w.act("z")]);
    let plannedAfter: readonly string[] = [];
    const inner = () => {
      plannedAfter = w.effects();
      return planOf([w.act("b")], { procedure: "inner", stack: outer.stack });
    };
    const run = await runPlan(test.control, outer, { plans: { test: () => outer, inner } });
    expect(run.outcome).toBe("succeeded");
    expect(w.effects()).toEqual(["do a", "do b", "do z"]);
    expect(plannedAfter).toEqual(["do a"]);
    expect(await innerRuns(run)).toMatchObject([
      { procedure: "inner", parent_step: "inside", outcome: "succeeded", actor: "anna" },
    ]);
    expect(await listLeases(test.control.db, outer.stack)).toEqual([]);
  });

  it("may not exceed its mandate, and then is not begun", async () => {
    const w = world();
    const { outer, options } = nested(w, [w.act("b", { effect: "destroy" })]);
    const run = await runPlan(test.control, outer, options);
    expect(run).toMatchObject({ outcome: "undone", error: { code: "run.mandate_exceeded" } });
    expect(w.effects()).toEqual(["do a", "undo a"]);
    expect(await innerRuns(run)).toEqual([]);
  });

  it("that fails takes itself back, and then the outer run does", async () => {
    const w = world();
    const { outer, options } = nested(w, [w.act("b"), w.failing("c")]);
    const run = await runPlan(test.control, outer, options);
    expect(run).toMatchObject({ outcome: "undone", error: { code: "run.inner_procedure_failed" } });
    expect(w.effects()).toEqual(["do a", "do b", "do c", "undo c", "undo b", "undo a"]);
    expect(await innerRuns(run)).toMatchObject([{ outcome: "undone" }]);
  });

  it("is taken back when the outer run fails later", async () => {
    const w = world();
    const { outer, options } = nested(w, [w.act("b"), w.act("c")], [w.failing("z")]);
    const run = await runPlan(test.control, outer, options);
    expect(run.outcome).toBe("undone");
    expect(w.effects()).toEqual(["do a", "do b", "do c", "do z", "undo z", "undo c", "undo b", "undo a"]);
    expect(await innerRuns(run)).toMatchObject([{ status: "ended", outcome: "undone" }]);
  });

  it("may occur twice, and is done twice", async () => {
    const w = world();
    let count = 0;
    const outer = planOf([w.child("first", "inner"), w.child("second", "inner")]);
    const inner = () => planOf([w.act(`b${Math.ceil(++count / 2)}`)], { procedure: "inner", stack: outer.stack });
    const run = await runPlan(test.control, outer, { plans: { test: () => outer, inner } });
    expect(run.outcome).toBe("succeeded");
    expect(w.effects()).toEqual(["do b1", "do b2"]);
    expect(await innerRuns(run)).toHaveLength(2);
  });

  it("stops with the outer run when that is cancelled", async () => {
    const w = world();
    const events = new EventProbe();
    const { outer, options } = nested(w, [w.act("b"), w.wait("go", { signal: "go" })]);
    const run = await approvedRun(test.control, outer);
    const running = resume(test.control, run, { ...options, ...events });
    await events.when("step.started", "go");
    await requestCancel(test.control, run.id, "berta");
    expect(await running).toMatchObject({ outcome: "cancelled", error: { message: "Cancelled by berta." } });
    expect(w.effects()).toEqual(["do a", "do b", "undo b", "undo a"]);
    expect(await innerRuns(run)).toMatchObject([{ outcome: "cancelled" }]);
  });

  it("goes on where it was when its process died, by its own id or the outer one", async () => {
    const w = world();
    const { outer, options } = nested(w, [w.act("b"), w.act("c")]);
    const run = await runPlan(test.control, outer, options);
    const [inner] = await innerRuns(run);
    if (inner === undefined) throw new Error("the inner run is there");
    // As if the process had died during the inner run's last step.
    const { db } = test.control;
    await db
      .updateTable("runs")
      .set({ status: "running", outcome: null })
      .where("id", "in", [run.id, inner.id])
      .execute();
    await db
      .updateTable("steps")
      .set({ outcome: "running" })
      .where("path", "in", ["inside", "c"])
      .where("run", "in", [run.id, inner.id])
      .execute();
    await db.deleteFrom("steps").where("path", "=", "z").where("run", "=", run.id).execute();
    w.write("effects", "do a\ndo b\n");
    const ended = await advance(createEngine(test.control, options), inner.id);
    expect(ended).toMatchObject({ id: run.id, outcome: "succeeded" });
    expect(w.effects()).toEqual(["do a", "do b", "do c", "do z"]);
    expect(await innerRuns(run)).toMatchObject([{ id: inner.id, outcome: "succeeded" }]);
  });

  describe("that waits for a person", () => {
    const stopped = async (w: World) => {
      const b = w.blind("b", { onFail: "ask", verify: [w.exists("fixed")] });
      const { outer, options } = nested(w, [b, w.act("c")]);
      return { run: await runPlan(test.control, outer, options), options };
    };

    it("makes the outer run wait", async () => {
      const w = world();
      const { run } = await stopped(w);
      expect(run).toMatchObject({
        status: "waiting",
        waiting_for: "decision",
        error: { code: "run.inner_procedure_waits" },
      });
      expect(w.effects()).toEqual(["do a", "do b"]);
      expect(await listLeases(test.control.db, run.stack)).toMatchObject([{ run: run.id }]);
    });

    it("is handed what the person decides about the outer run", async () => {
      const w = world();
      const { run, options } = await stopped(w);
      w.write("fixed");
      expect(await decide(test.control, run, "again", options)).toMatchObject({ outcome: "succeeded" });
      expect(w.effects()).toEqual(["do a", "do b", "do b", "do c", "do z"]);
      const other = world();
      const second = await stopped(other);
      expect(await decide(test.control, second.run, "done", second.options)).toMatchObject({ outcome: "succeeded" });
      expect(other.effects()).toEqual(["do a", "do b", "do c", "do z"]);
    });

    it("is taken back, or given up, with the outer run", async () => {
      const w = world();
      const { run, options } = await stopped(w);
      expect(await decide(test.control, run, "undo", options)).toMatchObject({ outcome: "undone" });
      expect(w.effects()).toEqual(["do a", "do b", "undo b", "undo a"]);
      expect(await innerRuns(run)).toMatchObject([{ status: "ended", outcome: "undone" }]);
      const second = await stopped(world());
      expect(await decide(test.control, second.run, "abandon", second.options)).toMatchObject({ outcome: "unknown" });
      expect(await innerRuns(second.run)).toMatchObject([{ status: "ended", outcome: "unknown" }]);
    });
  });

  it("that passed a pivot makes a later failure of the outer run a question", async () => {
    const w = world();
    const pivot = { kind: "pivot", id: "open", title: "Users are back" } as const;
    const { outer, options } = nested(w, [w.act("b"), pivot], [w.failing("z")]);
    const run = await runPlan(test.control, outer, options);
    expect(run).toMatchObject({ status: "waiting", waiting_for: "decision" });
    expect(w.effects()).toEqual(["do a", "do b", "do z"]);
  });

  it("whose undo fails leaves the outer run waiting, and is gone on with", async () => {
    const w = world();
    const undo = w.undo("b", { done: w.exists("fixed"), verify: [w.exists("fixed")] });
    const { outer, options } = nested(w, [w.act("b", { undo: [undo] })], [w.failing("z")]);
    const run = await runPlan(test.control, outer, options);
    expect(run).toMatchObject({ status: "waiting", waiting_for: "undo" });
    w.write("fixed");
    expect(await resume(test.control, run, options)).toMatchObject({ outcome: "undone" });
    expect(w.effects()).toEqual(["do a", "do b", "do z", "undo z", "undo b", "undo a"]);
  });

  it("is a step like others in the journal of the outer run", async () => {
    const w = world();
    const { outer, options } = nested(w, [w.act("b")]);
    const run = await runPlan(test.control, outer, options);
    expect(await outcomes(test.control, run)).toEqual({ a: "succeeded", inside: "succeeded", z: "succeeded" });
    const [inner] = await innerRuns(run);
    expect(await listSteps(test.control, inner?.id ?? "")).toMatchObject([{ path: "b", outcome: "succeeded" }]);
    expect((await getRun(test.control, inner?.id ?? "")).started_at).not.toBeNull();
  });
});
