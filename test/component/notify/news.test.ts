import { sql } from "kysely";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { advance } from "../../../src/engine/advance.ts";
import { postNews } from "../../../src/engine/news.ts";
import { noteTimes } from "../../../src/engine/occurrences.ts";
import { listDeliveries } from "../../../src/engine/outbox.ts";
import type { Schedule } from "../../../src/engine/schedule.ts";
import type { NewsSettings } from "../../../src/engine/story.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { carry, routeTo, webhookTo } from "../../harness/messages.ts";
import { approvedRun, createEngine, planOf, runPlan, World } from "../../harness/plans.ts";
import { Receiver } from "../../harness/receiver.ts";

let test: TestControl;
let receiver: Receiver;
beforeAll(async () => {
  test = await startControl();
});
afterAll(() => test[Symbol.asyncDispose]());
beforeEach(async () => {
  receiver = await new Receiver().listen();
});
afterEach(async () => {
  await receiver.close();
  await test.control.db.deleteFrom("messages").execute();
});

const settings: NewsSettings = {
  routes: [routeTo("ops")],
  storyOf: () => ({ chapter: "upgrade", title: "Upgrade" }),
  instantOf: (_, at) => at.toISOString(),
};
const look = (times: number) =>
  carry(
    { control: test.control, channels: { ops: webhookTo(receiver.port) }, ...settings },
    { now: Date.now() },
    Array(times - 1).fill(1),
  );
const titlesOf = async (run: string) =>
  (await listDeliveries(test.control, 1000)).filter((row) => row.run === run).map(({ title }) => title);

describe("the journal's news", () => {
  it("are runs that ended, each told once, however often it is looked", async () => {
    const w = World.create(test.home);
    const good = await runPlan(test.control, planOf([w.act("a")], { title: "Good work" }));
    await runPlan(test.control, planOf([w.act("b"), w.failing("c")], { title: "Bad work" }));
    await look(3);
    const mine = receiver.titles().filter((title) => /^(Good|Bad) work.*(complete|failed)/.test(title));
    expect(mine.toSorted()).toEqual([
      "Bad work: failed, and everything was taken back",
      expect.stringMatching(/^Good work: complete in \d/),
    ]);
    expect(receiver.requests[0]?.body).toContain(good.id);
  });

  it("are runs that wait for a decision, and again when they wait for another one", async () => {
    const w = World.create(test.home);
    const plan = planOf([w.failing("a", { onFail: "ask" })], { title: "Asks twice" });
    const run = await approvedRun(test.control, plan);
    const engine = createEngine(test.control, { plan: async () => plan });
    await advance(engine, run.id);
    await look(2);
    await test.control.db.updateTable("runs").set({ decision: "again" }).where("id", "=", run.id).execute();
    await advance(engine, run.id);
    await look(2);
    const mine = receiver.titles().filter((title) => title.startsWith("Asks twice"));
    expect(mine).toEqual(Array(2).fill("Asks twice: stopped, and waits for a decision"));
    await test.control.db
      .updateTable("runs")
      .set({ status: "ended", outcome: "unknown", waiting_for: null })
      .where("id", "=", run.id)
      .execute();
  });

  it("are times at which nothing ran: of one schedule, one message", async () => {
    const schedule: Schedule = {
      ...{ stack: "lost", name: "often", procedure: "test", input: {}, cron: "*/5 * * * *", timezone: "UTC" },
      ...{ missed: "none", graceSeconds: 60, jitterSeconds: 0 },
    };
    await noteTimes(test.control, [schedule.stack], [schedule], new Date("2026-11-25T00:00:30Z"));
    await noteTimes(test.control, [schedule.stack], [schedule], new Date("2026-11-25T08:03:00Z"));
    await look(2);
    const mine = receiver.titles().filter((title) => title.startsWith("often"));
    expect(mine).toEqual(["often was missed: 96 times, from 2026-11-25T00:05:00.000Z to 2026-11-25T08:00:00.000Z"]);
  });

  it("are runs under way that have the stack for themselves, told before their end", async () => {
    const run = await approvedRun(test.control, planOf([], { title: "Upgrade x" }));
    const begin = { status: "running", started_at: new Date() } as const;
    await test.control.db.updateTable("runs").set(begin).where("id", "=", run.id).execute();
    await look(2);
    expect(await titlesOf(run.id)).toEqual(["Upgrade x: started"]);
    const end = { status: "ended", outcome: "succeeded", finished_at: new Date() } as const;
    await test.control.db.updateTable("runs").set(end).where("id", "=", run.id).execute();
    await look(2);
    expect(await titlesOf(run.id)).toEqual([expect.stringMatching(/^Upgrade x: complete in \d/), "Upgrade x: started"]);
  });

  it("are not runs under way beside which everybody works", async () => {
    const run = await approvedRun(test.control, planOf([], { title: "Back up", lease: "shared" }));
    await test.control.db.updateTable("runs").set({ status: "running" }).where("id", "=", run.id).execute();
    await look(1);
    expect(await titlesOf(run.id)).toEqual([]);
  });

  it("are not what ended more than a day ago, when nobody was there to tell it", async () => {
    const run = await runPlan(test.control, planOf([World.create(test.home).act("a")]));
    const finished_at = new Date(Date.now() - 25 * 3_600_000);
    await test.control.db.updateTable("runs").set({ finished_at, is_told: false }).where("id", "=", run.id).execute();
    await look(2);
    expect(await titlesOf(run.id)).toEqual([]);
  });

  it("are not missed when an end is written while somebody looks, and committed afterwards", async () => {
    const run = await approvedRun(test.control, planOf([], { title: "Late" }));
    await test.control.db.transaction().execute(async (tx) => {
      const end = { status: "ended", outcome: "undone", finished_at: new Date() } as const;
      await tx.updateTable("runs").set(end).where("id", "=", run.id).execute();
      await postNews(test.control, settings, new Date());
    });
    expect(await titlesOf(run.id)).toEqual([]);
    await postNews(test.control, settings, new Date());
    expect(await titlesOf(run.id)).toEqual(["Late: failed, and everything was taken back"]);
  });

  it("are told once however many look at the same time", async () => {
    const runs = await Promise.all(
      Array.from({ length: 20 }, () => runPlan(test.control, planOf([World.create(test.home).act("a")]))),
    );
    const controls = await Promise.all([test.open(), test.open(), test.open()]);
    await Promise.all(controls.map((control) => postNews(control, settings, new Date())));
    await postNews(test.control, settings, new Date());
    for (const { id } of runs) expect(await titlesOf(id)).toHaveLength(1);
  });

  it("cost nothing when there are none: not even an attempt to write", async () => {
    await runPlan(test.control, planOf([World.create(test.home).act("a")]));
    await postNews(test.control, settings, new Date());
    const { rows: before } = await sql<{ last: string }>`select last_value as last from messages_place_seq`.execute(
      test.control.db,
    );
    await postNews(test.control, settings, new Date());
    await postNews(test.control, settings, new Date());
    const { rows: after } = await sql<{ last: string }>`select last_value as last from messages_place_seq`.execute(
      test.control.db,
    );
    // An insert takes a number even when what it would write is there already.
    expect(after).toEqual(before);
  });
});
