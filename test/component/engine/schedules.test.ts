import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { sql } from "kysely";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { advance } from "../../../src/engine/advance.ts";
import { createRun, decideRun, getRun, listRuns } from "../../../src/engine/journal.ts";
import {
  listOccurrences,
  noteTimes,
  pauseSchedule,
  takeUpNext,
  unpauseSchedule,
} from "../../../src/engine/occurrences.ts";
import { addOneOff, removeOneOff } from "../../../src/engine/one-offs.ts";
import { post } from "../../../src/engine/outbox.ts";
import { forgetOld } from "../../../src/engine/retention.ts";
import type { Schedule } from "../../../src/engine/schedule.ts";
import { connectionName } from "../../../src/engine/server.ts";
import { Worker, type WorkerEvent, type WorkerPorts, work } from "../../../src/engine/worker.ts";
import { enterWorker, listWorkers } from "../../../src/engine/workers.ts";
import { HostUnreachable } from "../../../src/host/errors.ts";
import type { Plan } from "../../../src/runbook/plan.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { approvedRun, createEngine, interruptedRun, planOf, World } from "../../harness/plans.ts";

let test: TestControl;
beforeAll(async () => {
  test = await startControl();
});
afterAll(() => test[Symbol.asyncDispose]());

const connectionOf = ({ home }: TestControl) => ({
  host: `${home}/control/socket`,
  user: "ipai",
  database: "postgres",
});

let count = 0;
/** Of a stack of its own: tests of this file share a database. */
function scheduleOf(options: Partial<Schedule> = {}): Schedule {
  count += 1;
  return {
    ...{ stack: `clock-${count}`, name: "nightly", procedure: "test", input: {}, cron: "0 2 * * *" },
    ...{ timezone: "Asia/Manila", missed: "latest", graceSeconds: 8 * 3600, jitterSeconds: 0 },
    ...options,
  };
}

/** Ends at once, without any program. */
function nothingMuch(stack: string): Plan {
  const past = { instant: "2020-01-01T00:00:00Z" };
  const step = { kind: "wait", id: "past", title: "Wait", until: past, timeoutSeconds: 5, onTimeout: "undo" } as const;
  return planOf([step], { stack, lease: "none" });
}

interface Told {
  readonly ports: WorkerPorts;
  readonly events: WorkerEvent[];
}

function portsOf(options: Partial<WorkerPorts> = {}): Told {
  const events: WorkerEvent[] = [];
  const { control } = test;
  const engine = createEngine(control, { plan: async (_, __, stack) => nothingMuch(stack) });
  return {
    events,
    ports: {
      ...{
        control,
        name: "worker of the tests",
        schedules: [],
        stacks: options.schedules?.map(({ stack }) => stack) ?? [],
      },
      now: () => new Date(),
      pause: (milliseconds) => new Promise((resolve) => setTimeout(resolve, Math.min(milliseconds, 20))),
      plan: async ({ stack }) => nothingMuch(stack),
      // Some of these plans are made in a past that the engine's own clock does not share.
      consentFor: () => ({ people: 1, validSeconds: 10 * 365 * 86_400 }),
      carryOut: (run) => advance(engine, run),
      tell: (event) => events.push(event),
      ...options,
    },
  };
}

const timesOf = async (stack: string, state: string) =>
  (await listOccurrences(test.control, stack, 10_000))
    .filter((one) => one.state === state)
    .map(({ at }) => at.toISOString())
    .sort();

describe("ten days, with two workers that were both down for a night", () => {
  const [begin, end] = [Date.parse("2026-10-20T00:00:00Z"), Date.parse("2026-10-30T00:00:00Z")];
  const [downFrom, downTo] = [Date.parse("2026-10-23T17:10:00Z"), Date.parse("2026-10-24T01:00:00Z")];
  const stack = "ten-days";
  const given = { stack, graceSeconds: 8 * 3600 };
  const backup = scheduleOf({ ...given, name: "backup" });
  const often = scheduleOf({
    ...given,
    name: "often",
    cron: "*/30 * * * *",
    timezone: "Europe/Berlin",
    missed: "none",
  });
  const berlin = scheduleOf({ ...given, name: "berlin", cron: "30 2 * * *", timezone: "Europe/Berlin", missed: "all" });
  const stepMs = 10 * 60_000;

  beforeAll(async () => {
    let now = begin;
    const schedules = [backup, often, berlin];
    const workers = ["a", "b"].map((name) => new Worker(portsOf({ name, schedules, now: () => new Date(now) }).ports));
    for (; now <= end; now += stepMs) {
      if (now > downFrom && now < downTo) continue;
      await Promise.all(workers.map((worker) => worker.look()));
      // More than one worker takes up at once is begun with the next look.
      await Promise.all(workers.map((worker) => worker.drain()));
    }
  }, 240_000);

  const happened = async (name: string, state: string) =>
    (await listOccurrences(test.control, stack, 10_000, name)).filter((one) => one.state === state);

  it("every backup ran, at two in Manila; that of the night as soon as somebody worked again", async () => {
    const started = await happened("backup", "started");
    expect(started.map(({ at }) => at.toISOString().slice(11)).every((time) => time === "18:00:00.000Z")).toBe(true);
    expect(started).toHaveLength(10);
    const late = started.find(({ at }) => at.getTime() > downFrom && at.getTime() < downTo);
    // When planning it was over, by the real clock.
    expect(late?.settled_at?.toISOString().slice(0, 18)).toBe("2026-10-24T01:00:0");
  });

  it("what is not made up for was missed, and is told as that", async () => {
    const all: string[] = [];
    for (let at = begin + 30 * 60_000; at <= end; at += 30 * 60_000) all.push(new Date(at).toISOString());
    const isMissed = (at: string) => Date.parse(at) > downFrom && Date.parse(at) < downTo;
    const told = async (state: string) => (await happened("often", state)).map(({ at }) => at.toISOString()).sort();
    expect(await told("missed")).toEqual(all.filter(isMissed));
    expect(await told("started")).toEqual(all.filter((at) => !isMissed(at)));
  });

  it("the hour that Berlin has twice does not make it happen twice", async () => {
    const started = (await happened("berlin", "started")).map(({ at }) => at.toISOString().slice(5, 16)).sort();
    expect(started).toContain("10-25T00:30");
    expect(started.filter((at) => at.startsWith("10-25"))).toHaveLength(1);
    expect(started).toHaveLength(10);
  });

  it("every time that began has one run, which ended", async () => {
    const started = (await listOccurrences(test.control, stack, 10_000)).filter((one) => one.state === "started");
    const runs = await listRuns(test.control, 10_000, { stacks: [stack], quiet: true });
    expect(runs.map(({ id }) => id).sort()).toEqual(started.map(({ run }) => run ?? "none").sort());
    expect(new Set(runs.map(({ outcome }) => outcome))).toEqual(new Set(["succeeded"]));
  });
});

describe("a time that has come", () => {
  it("begins one run, however many workers look at once", async () => {
    const schedule = scheduleOf({ cron: "* * * * *" });
    const at = new Date("2026-11-25T10:00:30Z");
    await noteTimes(test.control, [schedule.stack], [schedule], at);
    const later = new Date(at.getTime() + 60_000);
    const controls = await Promise.all([test.open(), test.open(), test.open()]);
    const took = await Promise.all(
      controls.map(async (control) => {
        await noteTimes(control, [schedule.stack], [schedule], later);
        return takeUpNext(control, [schedule.stack], later, async ({ stack }) => nothingMuch(stack));
      }),
    );
    expect(took.filter((one) => one !== undefined)).toHaveLength(1);
    expect(await listRuns(test.control, 10, { stacks: [schedule.stack], quiet: true })).toHaveLength(1);
  });

  it("that cannot be planned is tried again while that makes sense, and then has failed", async () => {
    const schedule = scheduleOf({ cron: "0 * * * *", graceSeconds: 150 });
    let now = new Date("2026-11-25T10:59:30Z");
    await noteTimes(test.control, [schedule.stack], [schedule], now);
    const away = async () => {
      throw HostUnreachable({ host: "erp", reason: "no route" });
    };
    const states: unknown[] = [];
    for (const second of ["11:00:00", "11:00:50", "11:01:05", "11:02:10", "11:03:15"]) {
      now = new Date(`2026-11-25T${second}Z`);
      await noteTimes(test.control, [schedule.stack], [schedule], now);
      await takeUpNext(test.control, [schedule.stack], now, away);
      const [one] = await listOccurrences(test.control, schedule.stack, 1);
      states.push([one?.state, one?.starts_at.toISOString().slice(11, 16)]);
    }
    expect(states).toEqual([
      ["due", "11:01"],
      ["due", "11:01"],
      ["due", "11:02"],
      ["failed", "11:02"],
      ["failed", "11:02"],
    ]);
    expect((await listOccurrences(test.control, schedule.stack, 1))[0]?.error?.code).toBe("host.unreachable");
  });

  it("does not begin while what its schedule began last has not ended", async () => {
    const schedule = scheduleOf({ cron: "* * * * *", graceSeconds: 300 });
    const look = async (second: string) => {
      const now = new Date(`2026-11-25T${second}Z`);
      await noteTimes(test.control, [schedule.stack], [schedule], now);
      return (await takeUpNext(test.control, [schedule.stack], now, async ({ stack }) => nothingMuch(stack)))?.run;
    };
    await look("09:59:30");
    const first = await look("10:00:00");
    expect(await look("10:01:00")).toBeUndefined();
    expect((await listOccurrences(test.control, schedule.stack, 1))[0]?.error?.code).toBe("schedule.under_way");
    await advance(createEngine(test.control, { plan: async (_, __, stack) => nothingMuch(stack) }), first ?? "");
    expect(await look("10:02:30")).toBeTruthy();
    // One of the two is still due: other tests' turns are not for it.
    await test.control.db.deleteFrom("occurrences").where("stack", "=", schedule.stack).execute();
  });

  it("does not begin before its jitter is over", async () => {
    const schedule = scheduleOf({ cron: "0 * * * *", jitterSeconds: 600 });
    await noteTimes(test.control, [schedule.stack], [schedule], new Date("2026-11-25T10:59:30Z"));
    await noteTimes(test.control, [schedule.stack], [schedule], new Date("2026-11-25T11:00:00Z"));
    const [one] = await listOccurrences(test.control, schedule.stack, 1);
    const startsAt = one?.starts_at ?? new Date(0);
    const take = (now: Date) =>
      takeUpNext(test.control, [schedule.stack], now, async ({ stack }) => nothingMuch(stack));
    expect(await take(new Date(startsAt.getTime() - 1))).toBeUndefined();
    expect((await take(startsAt))?.run).toBeTruthy();
  });

  it("does not come while its schedule is paused, and is not made up for", async () => {
    const schedule = scheduleOf({ cron: "0 * * * *", missed: "all" });
    const hour = (text: string) => new Date(`2026-11-25T${text}:30Z`);
    await noteTimes(test.control, [schedule.stack], [schedule], hour("09:59"));
    await pauseSchedule(test.control, schedule, "anna", hour("10:30"));
    await noteTimes(test.control, [schedule.stack], [schedule], hour("12:00"));
    await unpauseSchedule(test.control, schedule, "anna", hour("12:30"));
    await noteTimes(test.control, [schedule.stack], [schedule], hour("13:00"));
    expect(await timesOf(schedule.stack, "due")).toEqual(["2026-11-25T13:00:00.000Z"]);
    await takeUpNext(test.control, [schedule.stack], hour("13:00"), async ({ stack }) => nothingMuch(stack));
  });
});

describe("a plan that takes long to make", () => {
  it("keeps no other stack waiting", async () => {
    const slow = Promise.withResolvers<void>();
    const { ports } = portsOf({
      stacks: ["slow", "quick"],
      plan: async ({ stack }) => {
        if (stack === "slow") await slow.promise;
        return nothingMuch(stack);
      },
    });
    const worker = new Worker(ports);
    const soon = { ...scheduleOf(), actor: "anna", at: new Date(Date.now() - 2000) };
    await addOneOff(test.control, { ...soon, stack: "slow" }, new Date());
    await worker.look();
    await addOneOff(test.control, { ...soon, stack: "quick" }, new Date());
    await worker.look();
    await vi.waitFor(async () => expect(await timesOf("quick", "started")).toHaveLength(1), { timeout: 5000 });
    expect(await timesOf("slow", "started")).toEqual([]);
    slow.resolve();
    await worker.drain();
    expect(await timesOf("slow", "started")).toHaveLength(1);
  });
});

describe("a schedule whose rule changes", () => {
  it("begins anew: times that were never meant are not made up for", async () => {
    const schedule = scheduleOf({ cron: "0 22 * * *", timezone: "UTC" });
    const at = (hour: string) => new Date(`2026-11-25T${hour}:00Z`);
    await noteTimes(test.control, [schedule.stack], [schedule], at("09:00"));
    await noteTimes(test.control, [schedule.stack], [{ ...schedule, cron: "0 12 * * *" }], at("15:00"));
    await noteTimes(test.control, [schedule.stack], [{ ...schedule, cron: "0 12 * * *" }], at("16:00"));
    expect(await listOccurrences(test.control, schedule.stack, 10)).toEqual([]);
  });

  it("and one that was off for a while", async () => {
    const schedule = scheduleOf({ cron: "0 * * * *", timezone: "UTC" });
    const at = (hour: string) => new Date(`2026-11-25T${hour}:30Z`);
    await noteTimes(test.control, [schedule.stack], [schedule], at("09:00"));
    await noteTimes(test.control, [schedule.stack], [], at("09:30"));
    await noteTimes(test.control, [schedule.stack], [schedule], at("13:30"));
    await noteTimes(test.control, [schedule.stack], [schedule], at("13:40"));
    expect(await listOccurrences(test.control, schedule.stack, 10)).toEqual([]);
  });
});

describe("something that shall happen once", () => {
  it("does not happen much later, when nobody worked at its instant", async () => {
    await addOneOff(test.control, { ...once("once-3"), graceSeconds: 3600 }, new Date());
    const take = (now: string) =>
      takeUpNext(test.control, ["once-3"], new Date(now), async ({ stack }) => nothingMuch(stack));
    expect((await take("2026-11-26T03:00:01Z"))?.run).toBeUndefined();
    expect(await timesOf("once-3", "missed")).toHaveLength(1);
  });

  const once = (stack: string) => ({
    ...{ stack, procedure: "test", input: { a: 1 }, actor: "anna", graceSeconds: 3600 },
    at: new Date("2026-11-26T02:00:00Z"),
  });

  it("happens at its instant, for the one who asked for it", async () => {
    await addOneOff(test.control, once("once-1"), new Date());
    const take = (now: string) =>
      takeUpNext(test.control, ["once-1"], new Date(now), async ({ stack }) => nothingMuch(stack));
    expect(await take("2026-11-26T01:59:59Z")).toBeUndefined();
    const settled = await take("2026-11-26T02:00:00Z");
    expect(settled?.occurrence.input).toEqual({ a: 1 });
    expect((await getRun(test.control, settled?.run ?? "")).actor).toBe("anna");
  });

  it("can be taken back until it has begun", async () => {
    const { schedule } = await addOneOff(test.control, once("once-2"), new Date());
    expect(await removeOneOff(test.control, "once-2", schedule, "anna", new Date())).toEqual({ run: null });
    expect(await removeOneOff(test.control, "once-2", schedule, "anna", new Date())).toBeUndefined();
  });
});

describe("what another process left", () => {
  const pausing = (w: World) => planOf([w.act("a")], { lease: "exclusive" });

  async function takesOver(run: string, now: () => Date = () => new Date()): Promise<readonly WorkerEvent[]> {
    const { plan, stack } = await getRun(test.control, run);
    const { ports, events } = portsOf({ now, stacks: [stack] });
    const engine = createEngine(test.control, { plan: async () => plan });
    const worker = new Worker({ ...ports, carryOut: (id) => advance(engine, id) });
    await worker.look();
    await worker.drain();
    return events;
  }

  it("in the middle of a step is gone on with at once", async () => {
    const run = await interruptedRun(test.control, pausing(World.create(test.home)), "a");
    await takesOver(run.id);
    expect((await getRun(test.control, run.id)).outcome).toBe("succeeded");
  });

  it("with a consent is begun, but not before the one who gave it had the time to", async () => {
    const run = await approvedRun(test.control, pausing(World.create(test.home)));
    let now = Date.now();
    const { ports } = portsOf({ now: () => new Date(now), stacks: [run.stack] });
    const engine = createEngine(test.control, { plan: async () => run.plan });
    const worker = new Worker({ ...ports, carryOut: (id) => advance(engine, id) });
    for (const pauseMs of [0, 10_000]) {
      now += pauseMs;
      await worker.look();
      await worker.drain();
      expect((await getRun(test.control, run.id)).status).toBe("planned");
    }
    now += 6_000;
    await worker.look();
    await worker.drain();
    expect((await getRun(test.control, run.id)).outcome).toBe("succeeded");
  });

  it("without a consent is left alone", async () => {
    const run = await createRun(test.control, pausing(World.create(test.home)), "anna", new Date());
    let now = Date.now();
    const { ports } = portsOf({ now: () => new Date(now), stacks: [run.stack] });
    const worker = new Worker(ports);
    await worker.look();
    now += 60_000;
    await worker.look();
    await worker.drain();
    expect((await getRun(test.control, run.id)).status).toBe("planned");
  });

  it("with a decision is gone on with", async () => {
    const w = World.create(test.home);
    const plan = planOf([w.failing("a", { onFail: "ask" })]);
    const run = await approvedRun(test.control, plan);
    const engine = createEngine(test.control, { plan: async () => plan });
    await advance(engine, run.id);
    await decideRun(test.control, run, "undo", "anna");
    let now = Date.now();
    const { ports } = portsOf({ now: () => new Date(now), stacks: [run.stack] });
    const worker = new Worker({ ...ports, carryOut: (id) => advance(engine, id) });
    await worker.look();
    now += 16_000;
    await worker.look();
    await worker.drain();
    expect((await getRun(test.control, run.id)).outcome).toBe("undone");
  });

  it("that cannot go on now is tried again, later and later", async () => {
    const run = await interruptedRun(test.control, pausing(World.create(test.home)), "a");
    let now = Date.now();
    let tries = 0;
    const { ports, events } = portsOf({ now: () => new Date(now), stacks: [run.stack] });
    const carryOut = async () => {
      tries += 1;
      throw HostUnreachable({ host: "erp", reason: "no route" });
    };
    const worker = new Worker({ ...ports, carryOut });
    const after: number[] = [];
    for (const seconds of [0, 5, 5, 5, 10, 10, 10]) {
      now += seconds * 1000;
      await worker.look();
      await worker.drain();
      after.push(tries);
    }
    expect(after).toEqual([1, 2, 2, 3, 3, 4, 4]);
    expect(events.filter(({ kind }) => kind === "stopped")).toHaveLength(4);
    await takesOver(run.id);
  });
});

describe("what nobody asks for any more", () => {
  it("is forgotten after a while: looks that found what they should, and old times; nothing else", async () => {
    const { control } = test;
    const engine = createEngine(control, { plan: async (_, __, stack) => nothingMuch(stack) });
    const quiet = await approvedRun(control, nothingMuch("forget-1"));
    await advance(engine, quiet.id);
    const loud = await approvedRun(control, planOf([World.create(test.home).act("a")], { stack: "forget-2" }));
    await advance(createEngine(control, { plan: async () => loud.plan }), loud.id);
    expect((await listRuns(control, 10, { stacks: ["forget-1"] })).length).toBe(0);
    const age = (days: number) => new Date(Date.now() - days * 86_400_000);
    for (const { id } of [quiet, loud])
      await control.db
        .updateTable("runs")
        .set({ created_at: age(8) })
        .where("id", "=", id)
        .execute();
    await addOneOff(control, { ...scheduleOf({ stack: "forget-1" }), actor: "anna", at: age(36) }, new Date());
    await forgetOld(control, new Date());
    expect(await listOccurrences(control, "forget-1", 10)).toHaveLength(1);
    await control.db
      .updateTable("occurrences")
      .set({ state: "failed", settled_at: new Date() })
      .where("stack", "=", "forget-1")
      .execute();
    const message = {
      event: "test",
      run: null,
      stack: "forget-1",
      chapter: "backup",
      severity: "info",
      title: "old",
      lines: [],
    } as const;
    await post(control.db, [], [{ ...message, key: "old" }], age(36));
    await post(control.db, [], [{ ...message, key: "new" }], age(34));
    await forgetOld(control, new Date());
    expect((await control.db.selectFrom("messages").select("key").execute()).map(({ key }) => key)).toEqual(["new"]);
    expect(await listOccurrences(control, "forget-1", 10)).toEqual([]);
    await expect(getRun(control, quiet.id)).rejects.toMatchObject({ code: "run.not_found" });
    expect((await getRun(control, loud.id)).outcome).toBe("succeeded");
  });
});

describe("a worker", () => {
  it("says that it lives, ends what is under way when it is stopped, and leaves nothing", async () => {
    const schedule = scheduleOf({ cron: "* * * * *" });
    let now = new Date("2026-11-25T10:00:30Z");
    await noteTimes(test.control, [schedule.stack], [schedule], now);
    now = new Date("2026-11-25T10:01:00Z");
    const going = Promise.withResolvers<void>();
    const stop = new AbortController();
    const { ports, events } = portsOf({ name: "drains", schedules: [schedule], now: () => now });
    const carryOut: WorkerPorts["carryOut"] = async (run) => {
      await going.promise;
      return ports.carryOut(run);
    };
    const ended = work({ ...ports, carryOut }, stop.signal);
    await vi.waitFor(() => expect(events.map(({ kind }) => kind)).toContain("began"), { timeout: 5000 });
    expect((await listWorkers(test.control)).map(({ name }) => name)).toContain("drains");
    stop.abort();
    going.resolve();
    await ended;
    expect(events.at(-1)?.kind).toBe("ended");
    expect((await listWorkers(test.control)).map(({ name }) => name)).not.toContain("drains");
  });

  it("goes on when the control database was away", async () => {
    const stop = new AbortController();
    const { ports, events } = portsOf({ name: "patient", stacks: ["after-trouble"] });
    const ended = work(ports, stop.signal);
    await test.stop();
    await vi.waitFor(() => expect(events.map(({ kind }) => kind)).toContain("trouble"), { timeout: 20_000 });
    await test.start();
    const schedule = scheduleOf({ stack: "after-trouble" });
    await vi.waitFor(
      () => addOneOff(test.control, { ...schedule, actor: "anna", at: new Date(Date.now() - 1000) }, new Date()),
      {
        timeout: 20_000,
      },
    );
    await vi.waitFor(async () => expect(await timesOf("after-trouble", "started")).toHaveLength(1), {
      timeout: 20_000,
    });
    stop.abort();
    await ended;
  });

  describe("that is silent for too long", () => {
    let frozen: ChildProcess;
    const silent = async (name: string, process: object, host = hostname()) => {
      await enterWorker(test.control, name);
      await test.control.db
        .updateTable("workers")
        .set({ host, process: JSON.stringify(process), seen_at: new Date(Date.now() - 61_000) })
        .where("name", "=", name)
        .execute();
    };
    const beganOf = (pid: number) =>
      readFileSync(`/proc/${pid}/stat`, "utf8")
        .replace(/^.*\) /, "")
        .split(" ")[19] ?? "";
    const look = async () => {
      let now = Date.now();
      const { ports, events } = portsOf({ now: () => new Date(now) });
      await enterWorker(test.control, ports.name);
      const worker = new Worker(ports);
      await worker.look();
      expect(events).toEqual([]);
      // Who has just come cannot tell who was away.
      for (let beats = 0; beats < 14; beats++) {
        await worker.beat();
        now += 5000;
      }
      await worker.look();
      return events.filter(({ kind }) => kind === "gave_up");
    };

    it("is ended, frozen as it is, so that its runs are free", async () => {
      frozen = spawn("sleep", ["300"], { stdio: "ignore" });
      const pid = frozen.pid ?? 0;
      frozen.kill("SIGSTOP");
      await silent("frozen", { pid, began: beganOf(pid) });
      const exited = once(frozen, "exit");
      expect(await look()).toEqual([{ kind: "gave_up", worker: "frozen" }]);
      expect((await exited)[1]).toBe("SIGKILL");
    });

    it("is not mistaken for another process that has its number now", async () => {
      const other = spawn("sleep", ["300"], { stdio: "ignore" });
      await silent("long gone", { pid: other.pid ?? 0, began: "1" });
      expect(await look()).toHaveLength(1);
      expect(other.exitCode ?? other.signalCode).toBe(null);
      other.kill("SIGKILL");
      await once(other, "exit");
    });

    it("and works elsewhere loses its runs, though it may wake up", async () => {
      const w = World.create(test.home);
      const plan = planOf([w.act("a", { action: w.shell("sleep 300") })]);
      const run = await approvedRun(test.control, plan);
      const elsewhere = createEngine(await test.open(), { worker: "far away", plan: async () => plan });
      const carried = advance(elsewhere, run.id).catch((error: { code: string }) => error.code);
      await vi.waitFor(async () => expect((await getRun(test.control, run.id)).status).toBe("running"), {
        timeout: 5000,
      });
      // What a process holds on its runs is found by its name, as all its connections are.
      const { rows: holders } = await sql<{ name: string }>`
        select distinct application_name as name from pg_locks join pg_stat_activity using (pid)
        where locktype = 'advisory' and objsubid = 1
          and (classid::bigint << 32 | objid::bigint) = hashtextextended(${run.id}, 1)`.execute(test.control.db);
      expect(holders).toEqual([{ name: connectionName(process.pid, hostname()) }]);
      await silent("far away", { pid: 1, began: "1" }, "another-machine");
      // A transaction of its own, and what it holds: the one end of the audit.
      const theirs = new pg.Client({ ...connectionOf(test), application_name: connectionName(1, "another-machine") });
      theirs.on("error", () => undefined);
      const gone = new Promise<void>((resolve) => theirs.once("end", resolve));
      await theirs.connect();
      await theirs.query("begin");
      await theirs.query("select pg_advisory_xact_lock(hashtextextended('audit', 4))");
      expect(await look()).toEqual([{ kind: "gave_up", worker: "far away" }]);
      await gone;
      await approvedRun(test.control, planOf([w.act("another")]));
      // The one who takes it over there raises the fence; here the kernel still knows whose it is.
      await test.control.db
        .updateTable("runs")
        .set((set) => ({ fence: set("fence", "+", 1) }))
        .where("id", "=", run.id)
        .execute();
      expect(await carried).toBe("run.fenced");
      await test.control.db
        .updateTable("runs")
        .set({ status: "ended", outcome: "unknown" })
        .where("id", "=", run.id)
        .execute();
    });
  });
});
