import { existsSync } from "node:fs";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { claimRun } from "../../../src/engine/claim.ts";
import { listEvents } from "../../../src/engine/events.ts";
import { finishStep, getRun, listSteps, requestCancel, startStep, updateRun } from "../../../src/engine/journal.ts";
import { acquireLease, listLeases } from "../../../src/engine/lease.ts";
import type { Act } from "../../../src/runbook/plan.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { approvedRun, EventProbe, outcomes, planOf, resume, World } from "../../harness/plans.ts";
import { carryOut } from "../../harness/process.ts";

let test: TestControl;
beforeAll(async () => {
  test = await startControl();
});
afterAll(() => test[Symbol.asyncDispose]());

function world(): World {
  return World.create(test.home);
}

/** An act that says when it runs, and writes its effect when the file `go` appears. */
function held(w: World, id: string, options: Partial<Act> = {}): Act {
  const script = 'touch "$1"; until test -e "$2"; do sleep 0.02; done; echo "do $4" >> "$3"';
  const files = [w.path(`${id} runs`), w.path("go"), w.path("effects"), id];
  return w.act(id, { action: w.shell(script, ...files), timeoutSeconds: 60, ...options });
}

function isRunning(w: World, id: string): Promise<void> {
  return vi.waitFor(() => expect(existsSync(w.path(`${id} runs`))).toBe(true), { timeout: 20_000, interval: 20 });
}

/** What a process on another machine does that takes the run over after this one lost its connection. */
async function takeOver(run: string): Promise<void> {
  await test.control.db
    .updateTable("runs")
    .set((set) => ({ fence: set("fence", "+", 1), worker: "another machine" }))
    .where("id", "=", run)
    .execute();
}

async function isLocked(run: string): Promise<boolean> {
  const { rows } = await sql<{ locked: boolean }>`
    select exists (
      select from pg_locks, hashtextextended(${run}, 1) as key
      where locktype = 'advisory' and classid = (key >> 32 & 4294967295)::oid and objid = (key & 4294967295)::oid
    ) as locked`.execute(test.control.db);
  return rows[0]?.locked === true;
}

async function dropConnections(): Promise<void> {
  await sql`select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and usename = 'ipai'`.execute(
    test.control.db,
  );
}

describe("one run and two processes", () => {
  it("the second is refused, and told who carries it out", async () => {
    const w = world();
    const run = await approvedRun(test.control, planOf([held(w, "a")]));
    const first = carryOut(test.home, run.id);
    await first.when("step.started", "a");
    await expect(resume(test.control, run)).rejects.toMatchObject({
      code: "run.being_advanced",
      message: `Run ${run.id} is being carried out by test (process ${first.pid}).`,
    });
    w.write("go");
    await first.ended;
    expect(first.last?.data).toMatchObject({ outcome: "succeeded" });
    expect(w.effects()).toEqual(["do a"]);
  });

  it("the second goes on at once after the first was killed, whose command is gone", async () => {
    const w = world();
    const run = await approvedRun(test.control, planOf([w.act("a"), held(w, "b"), w.act("c")]));
    const first = carryOut(test.home, run.id);
    await isRunning(w, "b");
    first.kill("SIGKILL");
    await first.ended;
    expect(await listLeases(test.control.db, run.stack)).toMatchObject([{ run: run.id }]);
    const second = resume(test.control, run);
    await vi.waitFor(async () => expect((await listSteps(test.control, run.id))[1]?.attempts).toBe(2));
    w.write("go");
    expect(await second).toMatchObject({ outcome: "succeeded" });
    expect(w.effects()).toEqual(["do a", "do b", "do c"]);
  });

  it("a request to cancel from the second ends the command of the first, which takes back", async () => {
    const w = world();
    const run = await approvedRun(test.control, planOf([w.act("a"), held(w, "b")]));
    const first = carryOut(test.home, run.id);
    await isRunning(w, "b");
    await requestCancel(test.control, run.id, "berta");
    await first.ended;
    expect(await getRun(test.control, run.id)).toMatchObject({
      outcome: "cancelled",
      error: { message: "Cancelled by berta." },
    });
    w.write("go");
    expect(w.effects()).toEqual(["do a", "undo b", "undo a"]);
    expect(await listLeases(test.control.db, run.stack)).toEqual([]);
  });

  it("the second is refused while the first is frozen, also when that lost its connections", async () => {
    const w = world();
    const run = await approvedRun(test.control, planOf([held(w, "a"), w.act("b")]));
    const first = carryOut(test.home, run.id);
    await isRunning(w, "a");
    first.kill("SIGSTOP");
    await dropConnections();
    await expect(resume(test.control, run)).rejects.toMatchObject({ code: "run.being_advanced" });
    w.write("go");
    first.kill("SIGCONT");
    await first.ended;
    expect(first.last?.data).toMatchObject({ outcome: "succeeded" });
    expect(w.effects()).toEqual(["do a", "do b"]);
  });

  it("in one program are two processes all the same", async () => {
    const w = world();
    const events = new EventProbe();
    const run = await approvedRun(test.control, planOf([held(w, "a")]));
    const first = resume(test.control, run, events);
    await events.when("step.started", "a");
    await expect(resume(test.control, run)).rejects.toMatchObject({ code: "run.being_advanced" });
    w.write("go");
    expect(await first).toMatchObject({ outcome: "succeeded" });
  });
});

describe("a process that was replaced", () => {
  it("ends its command, writes nothing and begins no other step", async () => {
    const w = world();
    const events = new EventProbe();
    const run = await approvedRun(test.control, planOf([held(w, "a"), w.act("b")]));
    const running = resume(test.control, run, events);
    const fenced = expect(running).rejects.toMatchObject({ code: "run.fenced" });
    await isRunning(w, "a");
    await takeOver(run.id);
    await fenced;
    w.write("go");
    expect(w.effects()).toEqual([]);
    expect(await outcomes(test.control, run)).toEqual({ a: "running" });
    expect(await getRun(test.control, run.id)).toMatchObject({ status: "running", worker: "another machine" });
  });

  it("ends the taking back that is under way, too", async () => {
    const w = world();
    const undo = held(w, "undo a", { done: w.has("do undo a"), verify: [] });
    const run = await approvedRun(test.control, planOf([w.act("a", { undo: [undo] }), w.failing("b")]));
    const fenced = expect(resume(test.control, run)).rejects.toMatchObject({ code: "run.fenced" });
    await isRunning(w, "undo a");
    await takeOver(run.id);
    await fenced;
    w.write("go");
    expect(w.effects()).toEqual(["do a", "do b", "undo b"]);
    expect(await getRun(test.control, run.id)).toMatchObject({ status: "undoing" });
  });

  it("does not begin an act when it was replaced while its probe was asked", async () => {
    const w = world();
    const slow = {
      ...w.exists("never"),
      action: w.shell('touch "$1"; until test -e "$2"; do sleep 0.02; done; exit 1', w.path("a runs"), w.path("go")),
    };
    const done = { ...slow, action: { ...slow.action, okExitCodes: [0, 1] } };
    const run = await approvedRun(test.control, planOf([w.act("a", { done })]));
    const fenced = expect(resume(test.control, run)).rejects.toMatchObject({ code: "run.fenced" });
    await isRunning(w, "a");
    await takeOver(run.id);
    w.write("go");
    await fenced;
    expect(w.effects()).toEqual([]);
  });

  it("changes nothing by any write, nor for the procedure inside", async () => {
    const outer = await approvedRun(test.control, planOf([world().act("a")]));
    const inner = await approvedRun(test.control, planOf([world().act("b")]));
    const claim = await claimRun(test.control, outer.id, "first");
    const innerClaim = await claimRun(test.control, inner.id, "first", claim);
    await startStep(test.control, claim, { path: "a", phase: "do" }, { id: "a", title: "a" });
    await takeOver(outer.id);
    const fenced = { code: "run.fenced" };
    const key = { path: "a", phase: "do" } as const;
    const lease = { stack: outer.stack, holder: outer.id, mode: "exclusive", actor: "anna" } as const;
    for (const each of [claim, innerClaim]) {
      await expect(updateRun(test.control, each, { status: "undoing" })).rejects.toMatchObject(fenced);
      await expect(startStep(test.control, each, key, { id: "a", title: "a" })).rejects.toMatchObject(fenced);
      await expect(finishStep(test.control, each, key, { outcome: "succeeded" })).rejects.toMatchObject(fenced);
      await expect(acquireLease(test.control, each, lease)).rejects.toMatchObject(fenced);
    }
    expect(await outcomes(test.control, outer)).toEqual({ a: "running" });
    expect(await getRun(test.control, inner.id)).toMatchObject({ status: "planned" });
    expect(await listLeases(test.control.db, outer.stack)).toEqual([]);
    await innerClaim.release();
    await claim.release();
  });
});

describe("the control database", () => {
  it("may drop its connections: the run goes on, and its lock is taken again", async () => {
    const w = world();
    const run = await approvedRun(test.control, planOf([held(w, "a"), w.act("b")]));
    const running = resume(test.control, run);
    await isRunning(w, "a");
    expect(await isLocked(run.id)).toBe(true);
    await dropConnections();
    await vi.waitFor(async () => expect(await isLocked(run.id)).toBe(true), { timeout: 10_000, interval: 50 });
    w.write("go");
    expect(await running).toMatchObject({ outcome: "succeeded" });
    expect(await isLocked(run.id)).toBe(false);
    expect(w.effects()).toEqual(["do a", "do b"]);
  });

  it("may be restarted in the middle of a step", async () => {
    const w = world();
    const run = await approvedRun(test.control, planOf([held(w, "a"), w.act("b")]));
    const running = resume(test.control, run);
    await isRunning(w, "a");
    await test.restart();
    w.write("go");
    expect(await running).toMatchObject({ outcome: "succeeded", error: null });
    expect(w.effects()).toEqual(["do a", "do b"]);
  });

  it("may be away when a step ends: what it did is written down, and told, when it is back", async () => {
    const w = world();
    const events = new EventProbe();
    const loud = 'touch "$1"; until test -e "$2"; do sleep 0.02; done; seq 500; echo "do a" >> "$3"; touch "$4"';
    const a = w.act("a", {
      action: w.shell(loud, w.path("a runs"), w.path("go"), w.path("effects"), w.path("a over")),
    });
    const run = await approvedRun(test.control, planOf([a, w.failing("b")]));
    const running = resume(test.control, run, events);
    await isRunning(w, "a");
    await test.stop();
    w.write("go");
    await vi.waitFor(() => expect(existsSync(w.path("a over"))).toBe(true), { timeout: 20_000 });
    await test.start();
    expect(await running).toMatchObject({ outcome: "undone" });
    expect(w.effects()).toEqual(["do a", "do b", "undo b", "undo a"]);
    const told = events.events.map(({ kind, path, data }) => ({ kind, path, data }));
    const written = (await listEvents(test.control, run.id)).map(({ kind, path, data }) => ({ kind, path, data }));
    expect(written).toEqual(told);
    expect(written.filter(({ kind }) => kind === "output")).toHaveLength(500);
  });
});
