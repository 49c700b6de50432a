import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { advance } from "../../../src/engine/advance.ts";
import { claimRun } from "../../../src/engine/claim.ts";
import { approveRun } from "../../../src/engine/consent.ts";
import { sendSignal } from "../../../src/engine/events.ts";
import { createRun, requestCancel, updateRun } from "../../../src/engine/journal.ts";
import { findObstacle, listLeases } from "../../../src/engine/lease.ts";
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

let stacks = 0;
function newStack(): string {
  stacks += 1;
  return `shared-${stacks}`;
}

/** A run that has done its step a and stays in its lease, waiting for a person. */
async function holder(stack: string, lease: Plan["lease"]) {
  const w = world();
  const ask = w.read("stop", "", { action: w.shell("exit 1"), onFail: "ask" });
  return runPlan(test.control, planOf([w.act("a"), ask], { stack, lease, title: "The holder" }));
}

const leases = (stack: string) => listLeases(test.control.db, stack);

describe("the lease of a stack", () => {
  it("may be shared, and each run gives its part back", async () => {
    const stack = newStack();
    const first = await holder(stack, "shared");
    const second = await holder(stack, "shared");
    expect(await leases(stack)).toMatchObject([
      { run: first.id, mode: "shared" },
      { run: second.id, mode: "shared" },
    ]);
    await decide(test.control, first, "undo");
    expect(await leases(stack)).toMatchObject([{ run: second.id }]);
    await decide(test.control, second, "undo");
    expect(await leases(stack)).toEqual([]);
  });

  it.each([
    ["exclusive", "exclusive"],
    ["exclusive", "shared"],
    ["shared", "exclusive"],
  ] as const)("held %s refuses one that wants it %s, and says who holds it since when", async (held, wanted) => {
    const stack = newStack();
    const first = await holder(stack, held);
    const w = world();
    const second = await runPlan(test.control, planOf([w.act("b")], { stack, lease: wanted }));
    const since = (await leases(stack))[0]?.since.toISOString();
    expect(second).toMatchObject({
      outcome: "failed",
      error: {
        code: "run.stack_busy",
        message: `The stack ${stack} is held by run ${first.id} (test, started by anna) since ${since}. Nothing was changed.`,
      },
    });
    expect(w.effects()).toEqual([]);
    expect(await leases(stack)).toMatchObject([{ run: first.id }]);
    expect((await findObstacle(test.control, { stack }, wanted))?.message).toBe(second.error?.message);
  });

  it("of a run that nobody carries out any more is refused with the way to go on with that run", async () => {
    const stack = newStack();
    const first = await holder(stack, "exclusive");
    const whenWaiting = await findObstacle(test.control, { stack }, "shared");
    // As its journal stands when its program is killed.
    await test.control.db.updateTable("runs").set({ status: "running" }).where("id", "=", first.id).execute();
    const whenLeft = await findObstacle(test.control, { stack }, "shared");
    expect(whenWaiting?.hint).toContain("--wait");
    expect(whenLeft?.message).toContain("nobody carries that run out any more");
    expect(whenLeft?.hint).toContain(`ipai runs resume ${first.id}`);
    expect(whenLeft?.hint).not.toContain("--wait");
  });

  it("that is refused ends the run, whatever its first step says about failing", async () => {
    const stack = newStack();
    await holder(stack, "exclusive");
    const w = world();
    const plan = planOf([w.act("b", { onFail: "continue" }), w.act("c", { onFail: "ask" })], { stack });
    expect(await runPlan(test.control, plan)).toMatchObject({ outcome: "failed", error: { code: "run.stack_busy" } });
    expect(w.effects()).toEqual([]);
  });

  it("is not needed to read", async () => {
    const stack = newStack();
    await holder(stack, "exclusive");
    const w = world();
    const looking = planOf([w.read("look", "x")], { stack });
    expect(await runPlan(test.control, looking)).toMatchObject({ outcome: "succeeded" });
    const none = planOf([w.read("look", "x")], { stack, lease: "none" });
    expect(await runPlan(test.control, none)).toMatchObject({ outcome: "succeeded" });
    expect(await findObstacle(test.control, { stack: newStack() }, "exclusive")).toBeUndefined();
    expect(await leases(stack)).toHaveLength(1);
  });

  it("is taken once the run may begin and before its first step, so not while it waits for its approval", async () => {
    const stack = newStack();
    const w = world();
    const plan = planOf([w.read("look", "", { action: w.shell("exit 1"), onFail: "ask" }), w.act("a")], { stack });
    const run = await createRun(test.control, plan, "anna", new Date());
    expect(await resume(test.control, run)).toMatchObject({ waiting_for: "approval" });
    expect(await leases(stack)).toEqual([]);
    await approveRun(test.control, run, "anna");
    const asked = await resume(test.control, run);
    expect(asked).toMatchObject({ waiting_for: "decision" });
    expect(await leases(stack)).toMatchObject([{ run: run.id }]);
    await decide(test.control, asked, "done");
    expect(await outcomes(test.control, run)).toMatchObject({ a: "succeeded" });
    expect(await leases(stack)).toEqual([]);
  });

  it("is taken by the first step that changes something where the plan waits before it", async () => {
    const stack = newStack();
    const w = world();
    const plan = planOf([w.wait("go", { signal: "go" }), w.act("a")], { stack });
    const run = await approvedRun(test.control, plan);
    const events = new EventProbe();
    const running = resume(test.control, run, events);
    await events.when("step.started", "go");
    expect(await leases(stack)).toEqual([]);
    await sendSignal(test.control, run, "go", "berta");
    expect(await running).toMatchObject({ outcome: "succeeded" });
  });

  it("lets nobody go on with what the run before has changed", async () => {
    const stack = newStack();
    const first = await holder(stack, "exclusive");
    const w = world();
    const plan = planOf([w.read("look", "x"), w.act("b")], { stack, facts: { commit: "base" } });
    let now = plan;
    const run = await approvedRun(test.control, plan);
    const events = new EventProbe();
    const second = resume(test.control, run, { ...events, waitForLease: true, plans: { test: () => now } });
    await events.when("lease.waiting");
    now = { ...plan, facts: { commit: "what the first one brought" } };
    await decide(test.control, first, "undo");
    expect(await second).toMatchObject({ outcome: "failed", error: { code: "run.drift" } });
    expect([w.effects(), await outcomes(test.control, run), await leases(stack)]).toEqual([[], {}, []]);
  });

  it("lets go on who only shares the stack, as a backup does that has waited for a deployment", async () => {
    const stack = newStack();
    const first = await holder(stack, "exclusive");
    const w = world();
    const plan = planOf([w.act("b")], { stack, lease: "shared", facts: { newest: "one" } });
    let now = plan;
    const events = new EventProbe();
    const run = await approvedRun(test.control, plan);
    const second = resume(test.control, run, { ...events, waitForLease: true, plans: { test: () => now } });
    await events.when("lease.waiting");
    now = { ...plan, facts: { newest: "two" } };
    await decide(test.control, first, "undo");
    expect(await second).toMatchObject({ outcome: "succeeded" });
  });

  it("lets nobody go on who read the stack while another run was ending, nor one that a killed process had begun", async () => {
    const stack = newStack();
    const first = await holder(stack, "exclusive");
    const w = world();
    const plan = planOf([w.act("b")], { stack, facts: { commit: "base" } });
    const changed = { ...plan, facts: { commit: "what the first one brought" } };
    // It ends between what the second one reads and its lease.
    let asked = 0;
    const whileRead = async () => {
      if (++asked > 1) return changed;
      await decide(test.control, first, "undo");
      return plan;
    };
    const second = await approvedRun(test.control, plan);
    expect(await advance({ ...createEngine(test.control), plan: whileRead }, second.id)).toMatchObject({
      outcome: "failed",
      error: { code: "run.drift" },
    });
    const third = await approvedRun(test.control, plan);
    const claim = await claimRun(test.control, third.id, "a process that died");
    await updateRun(test.control, claim, { status: "running", started_at: new Date() });
    await claim.release();
    const gone = await resume(test.control, third, { plans: { test: () => changed } });
    expect(gone).toMatchObject({ outcome: "failed", error: { code: "run.drift" } });
    expect([w.effects(), await leases(stack)]).toEqual([[], []]);
  });

  it("given back by its holder goes to a run that waits for it", async () => {
    const stack = newStack();
    const first = await holder(stack, "exclusive");
    const w = world();
    const events = new EventProbe();
    const second = runPlan(test.control, planOf([w.act("b")], { stack }), { ...events, waitForLease: true });
    expect((await events.when("lease.waiting")).data).toContain(`held by run ${first.id}`);
    expect(w.effects()).toEqual([]);
    await decide(test.control, first, "undo");
    expect(await second).toMatchObject({ outcome: "succeeded" });
    expect(w.effects()).toEqual(["do b"]);
    expect(events.events.filter(({ kind }) => kind === "lease.waiting")).toHaveLength(1);
  });

  it("need not be waited for by a run that is cancelled meanwhile", async () => {
    const stack = newStack();
    const first = await holder(stack, "exclusive");
    const w = world();
    const events = new EventProbe();
    const run = await approvedRun(test.control, planOf([w.read("look", "x"), w.act("b")], { stack }));
    const waiting = resume(test.control, run, { ...events, waitForLease: true });
    await events.when("lease.waiting");
    await requestCancel(test.control, run.id, "berta");
    expect(await waiting).toMatchObject({ outcome: "cancelled", error: { message: "Cancelled by berta." } });
    expect(w.effects()).toEqual([]);
    expect(await leases(stack)).toMatchObject([{ run: first.id }]);
  });

  it("goes to one of many who want it at the same moment", async () => {
    const stack = newStack();
    const worlds = Array.from({ length: 4 }, world);
    const meet = (w: World) => w.act("b", { action: w.shell('sleep 0.5; echo "do b" >> "$1"', w.path("effects")) });
    const runs = await Promise.all(worlds.map((w) => runPlan(test.control, planOf([meet(w)], { stack }))));
    const succeeded = runs.filter((run) => run.outcome === "succeeded");
    // The first may be over before the last one asks; two at the same time may not be.
    expect(succeeded.length).toBeGreaterThanOrEqual(1);
    expect(runs.filter((run) => run.error?.code === "run.stack_busy")).toHaveLength(4 - succeeded.length);
    expect(worlds.flatMap((w) => w.effects())).toHaveLength(succeeded.length);
    const intervals = succeeded.map(
      (run) => [run.started_at?.getTime() ?? 0, run.finished_at?.getTime() ?? 0] as const,
    );
    const waited = intervals.toSorted((a, b) => a[1] - b[1]);
    for (const [index, [, end]] of waited.entries()) {
      const next = waited[index + 1];
      if (next !== undefined) expect(next[1] - end).toBeGreaterThanOrEqual(500);
    }
    expect(await leases(stack)).toEqual([]);
  });

  it("is given back however the run ends", async () => {
    const stack = newStack();
    const w = world();
    await runPlan(test.control, planOf([w.act("a")], { stack }));
    expect(await leases(stack)).toEqual([]);
    await runPlan(test.control, planOf([w.act("b"), w.failing("c")], { stack }));
    expect(await leases(stack)).toEqual([]);
    const events = new EventProbe();
    const run = await approvedRun(test.control, planOf([w.act("d"), w.wait("go", { signal: "go" })], { stack }));
    const running = resume(test.control, run, events);
    await events.when("step.started", "go");
    expect(await leases(stack)).toMatchObject([{ run: run.id, mode: "exclusive" }]);
    await requestCancel(test.control, run.id, "anna");
    expect(await running).toMatchObject({ outcome: "cancelled" });
    expect(await leases(stack)).toEqual([]);
  });
});
