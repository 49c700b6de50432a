import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { advance } from "../../../src/engine/advance.ts";
import { claimRun } from "../../../src/engine/claim.ts";
import { approveRun } from "../../../src/engine/consent.ts";
import { sendSignal } from "../../../src/engine/events.ts";
import { createRun, finishStep, getRun, requestCancel, startStep, updateRun } from "../../../src/engine/journal.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import {
  approvedRun,
  createEngine,
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

describe("a wait", () => {
  it("for the world ends when its probe says yes", async () => {
    const w = world();
    const events = new EventProbe();
    const running = runPlan(test.control, planOf([w.wait("file", { probe: w.exists("file") }), w.act("a")]), events);
    await events.when("step.started", "file");
    expect(w.effects()).toEqual([]);
    w.write("file");
    expect(await running).toMatchObject({ outcome: "succeeded" });
    expect(w.effects()).toEqual(["do a"]);
  });

  it("goes on while its probe cannot tell", async () => {
    const w = world();
    const events = new EventProbe();
    const running = runPlan(test.control, planOf([w.wait("file", { probe: w.unknownUntil("file") })]), events);
    await events.when("step.started", "file");
    w.write("file");
    expect(await running).toMatchObject({ outcome: "succeeded" });
  });

  it("for an instant ends then, and at once when it is past", async () => {
    const w = world();
    const instant = new Date(Date.now() + 600).toISOString();
    await runPlan(
      test.control,
      planOf([w.wait("past", { instant: "2020-01-01T00:00:00Z" }), w.wait("then", { instant })]),
    );
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(instant));
    expect(Date.now()).toBeLessThan(Date.parse(instant) + 5_000);
  });

  it("for a person's signal ends when it was sent to this run", async () => {
    const w = world();
    const events = new EventProbe();
    const other = await approvedRun(test.control, planOf([w.wait("there", { signal: "go" })]));
    const run = await approvedRun(test.control, planOf([w.wait("go", { signal: "go" })]));
    const running = resume(test.control, run, events);
    await events.when("step.started", "go");
    await sendSignal(test.control, other, "go", "berta");
    await expect(sendSignal(test.control, run, "stay", "berta")).rejects.toMatchObject({ code: "usage.no_signal" });
    expect((await getRun(test.control, run.id)).status).toBe("running");
    await sendSignal(test.control, run, "go", "berta");
    expect(await running).toMatchObject({ outcome: "succeeded" });
  });

  it("for a person's signal ends when its time is over, whoever carried it out meanwhile", async () => {
    const w = world();
    const plan = planOf([w.act("a"), w.wait("go", { signal: "go" }, { timeoutSeconds: 3 })]);
    const run = await approvedRun(test.control, plan);
    const claim = await claimRun(test.control, run.id, "a process that died");
    await updateRun(test.control, claim, { status: "running", started_at: new Date() });
    for (const [path, kind] of [
      ["a", "act"],
      ["go", "wait"],
    ] as const)
      await startStep(test.control, claim, { path, phase: "do" }, { id: path, title: path, kind });
    await finishStep(test.control, claim, { path: "a", phase: "do" }, { outcome: "succeeded" });
    await claim.release();
    await sleep(2000);
    const since = Date.now();
    expect(await resume(test.control, run)).toMatchObject({ outcome: "undone", error: { code: "run.wait_timed_out" } });
    expect(Date.now() - since).toBeLessThan(2500);
  });

  const endless = (w: World, onTimeout: "undo" | "continue" | "ask") =>
    w.wait("never", { probe: w.exists("never") }, { timeoutSeconds: 0.3, onTimeout });

  it("that takes too long makes the run take back", async () => {
    const w = world();
    const run = await runPlan(test.control, planOf([w.act("a"), endless(w, "undo"), w.act("b")]));
    expect(run).toMatchObject({ outcome: "undone", error: { code: "run.wait_timed_out" } });
    expect(w.effects()).toEqual(["do a", "undo a"]);
  });

  it("that takes too long may be passed over", async () => {
    const w = world();
    const run = await runPlan(test.control, planOf([w.act("a"), endless(w, "continue"), w.act("b")]));
    expect(run.outcome).toBe("succeeded");
    expect(await outcomes(test.control, run)).toEqual({ a: "succeeded", never: "failed", b: "succeeded" });
  });

  it("that takes too long may ask a person", async () => {
    const w = world();
    const run = await runPlan(test.control, planOf([w.act("a"), endless(w, "ask")]));
    expect(run).toMatchObject({ status: "waiting", waiting_for: "decision", error: { code: "run.wait_timed_out" } });
    expect(w.effects()).toEqual(["do a"]);
  });

  it("ends at once when the run is cancelled", async () => {
    const w = world();
    const events = new EventProbe();
    const run = await approvedRun(test.control, planOf([w.act("a"), w.wait("go", { signal: "go" })]));
    const running = resume(test.control, run, events);
    await events.when("step.started", "go");
    await requestCancel(test.control, run.id, "berta");
    expect(await running).toMatchObject({ outcome: "cancelled", error: { message: "Cancelled by berta." } });
    expect(w.effects()).toEqual(["do a", "undo a"]);
  });
});

describe("approval", () => {
  it("is needed before anything happens, and the run waits for it", async () => {
    const w = world();
    const plan = planOf([w.act("a")]);
    const run = await createRun(test.control, plan, "anna", new Date());
    const unapproved = { status: "waiting", waiting_for: "approval", started_at: null };
    expect(await resume(test.control, run)).toMatchObject(unapproved);
    expect(await resume(test.control, run)).toMatchObject(unapproved);
    expect(w.effects()).toEqual([]);
    await approveRun(test.control, run, "berta");
    expect(await resume(test.control, run)).toMatchObject({ outcome: "succeeded" });
  });

  it("is void when the stack would be planned differently now", async () => {
    const w = world();
    const plan = planOf([w.act("a")], { facts: { version: 1 } });
    const run = await approvedRun(test.control, plan);
    const drifted = { ...plan, facts: { version: 2 } };
    const ended = await advance(createEngine(test.control, { plans: { test: () => drifted } }), run.id);
    expect(ended).toMatchObject({ outcome: "failed", error: { code: "run.drift" }, started_at: null });
    expect(w.effects()).toEqual([]);
  });

  it("stays when only a forecast differs", async () => {
    const w = world();
    const plan = planOf([w.act("a", { forecastSeconds: 1 })]);
    const run = await approvedRun(test.control, plan);
    const later = { ...plan, steps: [w.act("a", { forecastSeconds: 60 })] };
    const ended = await advance(createEngine(test.control, { plans: { test: () => later } }), run.id);
    expect(ended.outcome).toBe("succeeded");
  });

  it("leaves the run as it is when the stack cannot be asked", async () => {
    const w = world();
    const run = await approvedRun(test.control, planOf([w.act("a")]));
    await expect(advance(createEngine(test.control), run.id)).rejects.toMatchObject({ code: "run.procedure_unknown" });
    expect(await getRun(test.control, run.id)).toMatchObject({ status: "planned" });
    expect(await resume(test.control, run)).toMatchObject({ outcome: "succeeded" });
  });
});

describe("a cancel", () => {
  it("before the beginning ends the run before anything happens, approved or not", async () => {
    const w = world();
    const run = await approvedRun(test.control, planOf([w.act("a")]));
    await requestCancel(test.control, run.id, "berta");
    const cancelled = { outcome: "cancelled", started_at: null, error: { code: "run.cancelled" } };
    expect(await resume(test.control, run)).toMatchObject(cancelled);
    const waiting = await resume(test.control, await createRun(test.control, planOf([w.act("b")]), "anna", new Date()));
    await requestCancel(test.control, waiting.id, "berta");
    expect(await resume(test.control, waiting)).toMatchObject(cancelled);
    expect(w.effects()).toEqual([]);
  });

  it("of a run that nobody carries out is heeded before its next step", async () => {
    const w = world();
    const run = await approvedRun(test.control, planOf([w.act("a"), w.act("b")]));
    await test.control.db
      .updateTable("runs")
      .set({ status: "running", started_at: new Date() })
      .where("id", "=", run.id)
      .execute();
    await requestCancel(test.control, run.id, "berta");
    expect(await resume(test.control, run)).toMatchObject({ outcome: "cancelled" });
    expect(w.effects()).toEqual([]);
  });

  it("of a run that has ended changes nothing", async () => {
    const run = await runPlan(test.control, planOf([world().act("a")]));
    await requestCancel(test.control, run.id, "berta");
    expect(await resume(test.control, run)).toMatchObject({ outcome: "succeeded", cancel_requested_by: null });
  });

  it("does not stop taking back", async () => {
    const w = world();
    const events = new EventProbe();
    const slow = w.undo("a", {
      action: w.shell(
        'until test -e "$1"; do sleep 0.02; done; echo "undo a" >> "$2"',
        w.path("go"),
        w.path("effects"),
      ),
    });
    const run = await approvedRun(test.control, planOf([w.act("a", { undo: [slow] }), w.failing("b")]));
    const running = resume(test.control, run, events);
    await events.when("step.started", "a~take back a");
    await requestCancel(test.control, run.id, "berta");
    w.write("go");
    expect(await running).toMatchObject({ outcome: "undone" });
    expect(w.effects()).toEqual(["do a", "do b", "undo b", "undo a"]);
  });
});
