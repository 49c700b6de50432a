import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { advance } from "../../../src/engine/advance.ts";
import { approveRun } from "../../../src/engine/consent.ts";
import type { Control } from "../../../src/engine/control.ts";
import { getRun, type Run, requestCancel } from "../../../src/engine/journal.ts";
import { listLeases } from "../../../src/engine/lease.ts";
import { postNews } from "../../../src/engine/news.ts";
import { addOneOff, addPlanned, findOneOff, removeOneOff } from "../../../src/engine/one-offs.ts";
import { listDeliveries } from "../../../src/engine/outbox.ts";
import type { NewsSettings } from "../../../src/engine/story.ts";
import { Worker } from "../../../src/engine/worker.ts";
import { HostUnreachable } from "../../../src/host/errors.ts";
import type { Plan } from "../../../src/runbook/plan.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { routeTo } from "../../harness/messages.ts";
import { createEngine, planOf, resume, runPlan, World } from "../../harness/plans.ts";

/** Plans that somebody has made and consented to, and that begin at an instant. Its day is set; the clock is the test's. */

let test: TestControl;
beforeAll(async () => {
  test = await startControl();
});
afterAll(() => test[Symbol.asyncDispose]());

// The engine asks the machine's clock how old a consent is, and when a run ended.
const at = new Date(Date.now() + 2 * 3_600_000);
const hours = (count: number) => new Date(at.getTime() - count * 3_600_000);
const settings: NewsSettings = {
  routes: [routeTo("ops")],
  storyOf: () => ({ chapter: "deployment", title: "Deployment", announceSeconds: [86_400, 3600] }),
  instantOf: () => "at ten",
};

interface Planned {
  readonly w: World;
  readonly plan: Plan;
  readonly run: Run;
  /** What the stack would be planned for now. */
  fresh: () => Promise<Plan>;
}

async function planned(changed: Partial<Plan> = {}, people: 1 | 2 = 1): Promise<Planned> {
  const w = World.create(test.home);
  const plan = planOf([w.act("a")], { title: "Deploy it", ...changed });
  const run = await addPlanned(test.control, plan, { at, graceSeconds: 3600, actor: "anna", people }, hours(47));
  return { w, plan, run, fresh: async () => plan };
}

const engineOf = (one: Planned) => createEngine(test.control, { plan: () => one.fresh() });

/** A worker looks at these times, one after the other, and ends what it begins. */
async function look(one: Planned, ...times: readonly Date[]): Promise<Run> {
  let now = times[0] ?? at;
  const worker = new Worker({
    ...{ control: test.control, name: "worker of the tests", schedules: [], stacks: [one.plan.stack] },
    ...{ now: () => now, pause: async () => undefined, tell: () => undefined, patienceMs: 0 },
    plan: () => one.fresh(),
    carryOut: (run) => advance(engineOf(one), run),
  });
  for (const time of times) {
    now = time;
    await worker.look();
    await worker.drain();
  }
  return getRun(test.control, one.run.id);
}

const told = async (stack: string) =>
  (await listDeliveries(test.control, 1000))
    .filter((row) => row.stack === stack)
    .map(({ event, title, lines }) => [event, title, ...lines])
    .reverse();
const tell = (now: Date, control: Control = test.control) => postNews(control, settings, now);

describe("a plan that begins later", () => {
  it("waits with its consent, holds nothing, and runs at its instant", async () => {
    const one = await planned();
    await approveRun(test.control, one.run, "anna");
    expect((await advance(engineOf(one), one.run.id)).status).toBe("planned");
    expect((await look(one, hours(20), hours(19.9), hours(0.001))).status).toBe("planned");
    expect([one.w.effects(), await listLeases(test.control.db, one.plan.stack)]).toEqual([[], []]);
    expect(await look(one, at)).toMatchObject({ outcome: "succeeded", actor: "anna" });
    expect(one.w.effects()).toEqual(["do a"]);
    expect(await findOneOff(test.control, one.run.id)).toMatchObject({ state: "started" });
  });

  it("waits for the second consent, and then for its instant", async () => {
    const one = await planned({}, 2);
    await approveRun(test.control, one.run, "anna");
    expect(await advance(engineOf(one), one.run.id)).toMatchObject({ status: "waiting", waiting_for: "approval" });
    await tell(hours(30));
    expect((await told(one.plan.stack))[0]).toContain("It is to begin at ten.");
    await approveRun(test.control, one.run, "berta");
    expect(await look(one, hours(2))).toMatchObject({ status: "waiting" });
    expect(await advance(engineOf(one), one.run.id)).toMatchObject({ status: "planned", waiting_for: null });
    expect(await look(one, at)).toMatchObject({ outcome: "succeeded" });
  });

  it("changes nothing when it would be another one by then, and who consented is told", async () => {
    const one = await planned();
    await approveRun(test.control, one.run, "anna");
    await tell(hours(1));
    one.fresh = async () => ({ ...one.plan, facts: { commit: "another" } });
    expect(await look(one, at)).toMatchObject({ outcome: "failed", started_at: null, error: { code: "run.drift" } });
    expect(one.w.effects()).toEqual([]);
    await tell(at);
    const last = (await told(one.plan.stack)).at(-1);
    expect(last?.slice(0, 3)).toEqual([
      "run.failed",
      "Deploy it: does not take place",
      "It was announced for at ten. The system stays as it is.",
    ]);
    expect(last).toContain("Consented to by anna.");
  });

  it("runs all the same when only forecasts differ", async () => {
    const one = await planned({ awaySeconds: 40 });
    await approveRun(test.control, one.run, "anna");
    one.fresh = async () => ({ ...one.plan, awaySeconds: 41 });
    expect(await look(one, at)).toMatchObject({ outcome: "succeeded" });
  });

  it("does not begin without its consent", async () => {
    const one = await planned({}, 2);
    await approveRun(test.control, one.run, "anna");
    const later = new Date(at.getTime() + 10_000);
    const error = { code: "schedule.not_consented" };
    expect(await look(one, at, later)).toMatchObject({ outcome: "failed", error });
    expect(one.w.effects()).toEqual([]);
    await expect(approveRun(test.control, one.run, "berta")).rejects.toMatchObject({ code: "approval.too_late" });
  });

  it("is given up when another run holds the stack for longer than it may be late", async () => {
    const w = World.create(test.home);
    const ask = w.read("stop", "", { action: w.shell("exit 1"), onFail: "ask" });
    const plan = planOf([w.act("b")], { title: "Deploy it" });
    await runPlan(test.control, planOf([w.act("a"), ask], { stack: plan.stack }));
    const options = { at: new Date(), graceSeconds: 2, actor: "anna", people: 1 } as const;
    const run = await addPlanned(test.control, plan, options, hours(47));
    await approveRun(test.control, run, "anna");
    // A worker began it in time; it was waiting since.
    await sql`update occurrences set state = 'started', settled_at = now() where run = ${run.id}`.execute(
      test.control.db,
    );
    const ended = await resume(test.control, run, { waitForLease: true });
    expect(ended).toMatchObject({ outcome: "failed", error: { code: "schedule.stack_busy" } });
    expect(ended.error?.message).toContain("held by run");
    expect(w.effects()).toEqual(["do a"]);
  });

  it("is tried again while its host is away, and given up after an hour", async () => {
    const one = await planned();
    await approveRun(test.control, one.run, "anna");
    const away = HostUnreachable({ host: "erp", reason: "no route" });
    one.fresh = () => Promise.reject(away);
    expect(await look(one, at)).toMatchObject({ status: "planned" });
    one.fresh = async () => one.plan;
    expect(await look(one, new Date(at.getTime() + 120_000))).toMatchObject({ outcome: "succeeded" });

    const other = await planned();
    await approveRun(test.control, other.run, "anna");
    other.fresh = () => Promise.reject(away);
    const ended = await look(other, at, hours(-0.99), hours(-1.1), hours(-1.2));
    expect(ended).toMatchObject({ outcome: "failed", error: { code: "host.unreachable" } });
  });

  it("does not begin hours later, when no worker lived at its time", async () => {
    const one = await planned();
    await approveRun(test.control, one.run, "anna");
    expect(await look(one, hours(-5), hours(-5.1))).toMatchObject({
      outcome: "failed",
      error: { code: "schedule.passed" },
    });
    expect(one.w.effects()).toEqual([]);
  });

  it("is begun by another worker when the first died as it began it", async () => {
    const one = await planned();
    await approveRun(test.control, one.run, "anna");
    await test.control.db
      .updateTable("occurrences")
      .set({ state: "started", settled_at: at })
      .where("run", "=", one.run.id)
      .execute();
    expect(await look(one, new Date(at.getTime() + 6000))).toMatchObject({ outcome: "succeeded" });
  });
});

describe("announcements", () => {
  it("are made a day and an hour before, each once, however many look; with how long users are out", async () => {
    const one = await planned({ awaySeconds: 41.2 });
    await approveRun(test.control, one.run, "anna");
    const controls = await Promise.all([test.open(), test.open()]);
    await tell(hours(25));
    expect(await told(one.plan.stack)).toEqual([]);
    for (const hour of [24, 23, 1, 0.5])
      await Promise.all([test.control, ...controls].map((control) => tell(hours(hour), control)));
    const [first, second, ...others] = await told(one.plan.stack);
    expect(first).toEqual([
      ...["schedule.announced", "Deploy it: begins at ten"],
      "That is in 24 h 00 min. The system will be away for about 42 s. Please save your work before.",
      `Planned by anna: ipai runs show ${one.run.id}`,
    ]);
    expect(second?.[2]).toMatch(/^That is in 1 h 00 min\./);
    expect(others).toEqual([]);
  });

  it("are one, at once, of what is nearer than all of them", async () => {
    const one = await planned({ awaySeconds: 0 });
    await approveRun(test.control, one.run, "anna");
    await tell(hours(0.25));
    await tell(hours(0.2));
    expect((await told(one.plan.stack)).map(([, , line]) => line)).toEqual([
      "That is in 15 min 00 s. You can go on working.",
    ]);
  });

  it("are not made of what may not come, and at once when it may", async () => {
    const one = await planned({}, 2);
    await approveRun(test.control, one.run, "anna");
    await tell(hours(1));
    expect(await told(one.plan.stack)).toEqual([]);
    await approveRun(test.control, one.run, "berta");
    await tell(hours(0.9));
    expect(await told(one.plan.stack)).toHaveLength(1);
  });

  it("are whole or not there when the worker is killed in the middle, and then made once", async () => {
    const one = await planned();
    await approveRun(test.control, one.run, "anna");
    const [dying, holder] = await Promise.all([test.open(), test.open()]);
    await holder.db.transaction().execute(async (tx) => {
      // It has noted the announcement, and stands before its message.
      await sql`lock table messages in access exclusive mode`.execute(tx);
      const killed = tell(hours(1), dying).catch((error: unknown) => error);
      const waiting = sql<{ pid: number }>`
        select pid from pg_stat_activity
        where wait_event_type = 'Lock' and query like 'insert into "messages"%' and pid <> pg_backend_pid()`;
      let pids: readonly { pid: number }[] = [];
      while (pids.length === 0) pids = (await waiting.execute(test.control.db)).rows;
      for (const { pid } of pids) await sql`select pg_terminate_backend(${pid})`.execute(test.control.db);
      expect(await killed).toBeInstanceOf(Error);
    });
    expect(await told(one.plan.stack)).toEqual([]);
    await tell(hours(0.99));
    await tell(hours(0.98));
    expect(await told(one.plan.stack)).toHaveLength(1);
  });
});

describe("what was announced and is taken back", () => {
  it("is announced as cancelled, by the one who cancels the run", async () => {
    const one = await planned();
    await approveRun(test.control, one.run, "anna");
    await tell(hours(2));
    await requestCancel(test.control, one.run.id, "berta");
    await tell(hours(1));
    expect(await advance(engineOf(one), one.run.id)).toMatchObject({ outcome: "cancelled" });
    expect(await findOneOff(test.control, one.run.id)).toMatchObject({ state: "dropped" });
    await tell(hours(1));
    await tell(hours(0.9));
    const [, ...since] = await told(one.plan.stack);
    expect(since.map((lines) => lines.slice(0, 4))).toEqual([
      [
        ...["run.cancelled", "Deploy it: cancelled", "It was announced for at ten. The system stays as it is."],
        "Cancelled by berta.",
      ],
    ]);
    expect(await look(one, at)).toMatchObject({ outcome: "cancelled" });
    expect(one.w.effects()).toEqual([]);
  });

  it("or drops it from the schedule: a worker ends its run when nobody else does", async () => {
    const one = await planned();
    await approveRun(test.control, one.run, "anna");
    await tell(hours(2));
    const name = (await findOneOff(test.control, one.run.id))?.schedule ?? "";
    expect(await removeOneOff(test.control, one.plan.stack, name, "berta", hours(2))).toEqual({ run: one.run.id });
    expect(await look(one, hours(1.9))).toMatchObject({ outcome: "cancelled", cancel_requested_by: "berta" });
    await tell(hours(1.8));
    expect((await told(one.plan.stack)).map(([event]) => event)).toEqual(["schedule.announced", "run.cancelled"]);
  });

  it("also when its plan was to be made then", async () => {
    const given = { stack: "later", procedure: "deploy", input: null, actor: "anna", at, graceSeconds: 60 };
    const [first, second] = [
      await addOneOff(test.control, given, hours(47)),
      await addOneOff(test.control, { ...given, stack: "never" }, hours(47)),
    ];
    await removeOneOff(test.control, "never", second.schedule, "anna", hours(30));
    await tell(hours(24));
    expect(await told("never")).toEqual([]);
    await removeOneOff(test.control, "later", first.schedule, "anna", hours(20));
    await tell(hours(19));
    await tell(hours(18));
    expect((await told("later")).map((lines) => lines.slice(0, 3))).toEqual([
      [
        ...["schedule.announced", "Deployment: begins at ten"],
        "That is in 24 h 00 min. The system may be away until it is complete. Please save your work before.",
      ],
      ["schedule.dropped", "Deployment: cancelled", "It was announced for at ten. The system stays as it is."],
    ]);
  });
});
