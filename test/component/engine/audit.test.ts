import { sql } from "kysely";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Entry, findFault, inTransaction, type Link, listLinks, record } from "../../../src/engine/audit.ts";
import { claimRun } from "../../../src/engine/claim.ts";
import { createRun, decideRun, requestCancel, updateRun } from "../../../src/engine/journal.ts";
import { pauseSchedule, unpauseSchedule } from "../../../src/engine/occurrences.ts";
import { addOneOff, removeOneOff } from "../../../src/engine/one-offs.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { approvedRun, planOf, resume, runPlan, World } from "../../harness/plans.ts";

/** The audit chain on a real database: who did what, and what shows when somebody changes it by hand. */
let test: TestControl;
beforeAll(async () => {
  test = await startControl();
});
afterAll(() => test[Symbol.asyncDispose]());

const entry = (subject: string): Entry => ({
  actor: "anna",
  action: "test",
  stack: "erp",
  subject,
  detail: { b: [1], a: "é" },
});
const add = (subject: string) => inTransaction(test.control.db, (tx) => record(tx, entry(subject), new Date()));

/** By somebody who may do everything to the table. */
async function byHand(change: () => Promise<unknown>): Promise<void> {
  await sql`alter table audit disable trigger audit_only_grows`.execute(test.control.db);
  await change();
  await sql`alter table audit enable trigger audit_only_grows`.execute(test.control.db);
}

beforeEach(async () => {
  await byHand(() => sql`truncate audit`.execute(test.control.db));
});

describe("what people do", () => {
  it("is told with who did it: plans, consents, cancels, decisions, ends", async () => {
    const w = World.create(test.home);
    const run = await runPlan(test.control, planOf([w.failing("a", { onFail: "ask" })]));
    await decideRun(test.control, run, "undo", "berta");
    await requestCancel(test.control, run.id, "carla");
    await resume(test.control, run);
    const links = (await listLinks(test.control)).filter(({ subject }) => subject === run.id);
    expect(links.map(({ action, actor }) => `${action} ${actor.split(" (")[0]}`)).toEqual([
      "run.planned anna",
      "run.approved anna",
      "run.began test",
      "run.decided berta",
      "run.cancel_requested carla",
      "run.ended test",
    ]);
    expect(links[1]?.detail).toMatchObject({ plan: run.plan_hash, procedure: "test" });
    expect(findFault(await listLinks(test.control))).toBeUndefined();
  });

  it("is told once, though the acknowledgement of a run's end was lost and it is written again", async () => {
    const run = await approvedRun(test.control, planOf([World.create(test.home).act("a")]));
    const claim = await claimRun(test.control, run.id, "test");
    const end = { status: "ended", outcome: "succeeded", finished_at: new Date() } as const;
    const [first, second] = [await updateRun(test.control, claim, end), await updateRun(test.control, claim, end)];
    await claim.release();
    expect(second).toEqual(first);
    const ends = (await listLinks(test.control)).filter(({ action }) => action === "run.ended");
    expect(ends.map(({ subject }) => subject)).toEqual([run.id]);
  });

  it("is told of the runs inside a run that end with it", async () => {
    const w = World.create(test.home);
    const plan = planOf([w.child("in", "inner")]);
    const outer = await approvedRun(test.control, plan);
    const place = { run: outer.id, step: "in" };
    const inner = await createRun(test.control, planOf([w.act("a")]), "anna", new Date(), { place });
    const deeper = await createRun(test.control, planOf([w.act("b")]), "anna", new Date(), {
      place: { run: inner.id, step: "x" },
    });
    const claim = await claimRun(test.control, outer.id, "test");
    await updateRun(test.control, claim, { status: "ended", outcome: "unknown", finished_at: new Date() });
    await claim.release();
    const ends = (await listLinks(test.control)).filter(({ action }) => action === "run.ended");
    expect(ends.map(({ subject, detail }) => [subject, detail["outcome"], detail["with"]]).sort()).toEqual(
      [
        [inner.id, "unknown", outer.id],
        [deeper.id, "unknown", outer.id],
        [outer.id, "unknown", undefined],
      ].sort(),
    );
  });

  it("is told of schedules too", async () => {
    const schedule = {
      ...{ stack: "erp", name: "nightly", procedure: "backup", input: {}, cron: "0 2 * * *", timezone: "UTC" },
      ...{ missed: "none" as const, graceSeconds: 60, jitterSeconds: 0 },
    };
    const now = new Date();
    await pauseSchedule(test.control, schedule, "anna", now);
    await pauseSchedule(test.control, schedule, "berta", now);
    await unpauseSchedule(test.control, schedule, "carla", now);
    const once = { stack: "erp", procedure: "backup", input: {}, actor: "anna", at: now, graceSeconds: 60 };
    const { schedule: name } = await addOneOff(test.control, once, now);
    await removeOneOff(test.control, "erp", name, "berta", now);
    expect((await listLinks(test.control)).map(({ action, actor }) => `${action} ${actor}`)).toEqual([
      ...["schedule.paused anna", "schedule.resumed carla", "once.added anna", "once.dropped berta"],
    ]);
  });

  it("is not told of looks that change nothing", async () => {
    await approvedRun(test.control, planOf([World.create(test.home).read("a", "x")], { lease: "none" }));
    expect(await listLinks(test.control)).toEqual([]);
  });
});

describe("the chain", () => {
  it("has one end, however many write at once", async () => {
    const controls = await Promise.all([test.open(), test.open(), test.open()]);
    await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        inTransaction((controls[index % 3] ?? test.control).db, (tx) => record(tx, entry(String(index)), new Date())),
      ),
    );
    const links = await listLinks(test.control);
    expect(links).toHaveLength(60);
    expect(findFault(links)).toBeUndefined();
  });

  it("holds whatever somebody may have typed", async () => {
    const odd = { "é\u0000": "a\u0000b\ud800", n: [1e21, 1.5, -0, 0.1 + 0.2], "": null, z: { b: 1, a: [true] } };
    await inTransaction(test.control.db, (tx) => record(tx, { ...entry("odd"), detail: odd }, new Date()));
    await add("next");
    expect(findFault(await listLinks(test.control))).toBeUndefined();
  });

  it("has nothing of what was taken back", async () => {
    await add("a");
    await inTransaction(test.control.db, async (tx) => {
      await record(tx, entry("b"), new Date());
      throw new TypeError("no");
    }).catch(() => undefined);
    await add("c");
    expect((await listLinks(test.control)).map(({ number, subject }) => `${number} ${subject}`)).toEqual([
      "1 a",
      "2 c",
    ]);
    expect(findFault(await listLinks(test.control))).toBeUndefined();
  });

  it.each([
    ["updated", sql`update audit set actor = 'nobody'`],
    ["deleted", sql`delete from audit`],
    ["truncated", sql`truncate audit`],
  ])("is not %s by this program's own role", async (_, statement) => {
    await add("a");
    await expect(statement.execute(test.control.db)).rejects.toThrow(/neither changed nor removed/);
  });

  const db = () => test.control.db;
  it.each<[string, number, () => Promise<unknown>]>([
    [
      "the actor of an entry is changed",
      2,
      () => sql`update audit set actor = 'nobody' where number = 2`.execute(db()),
    ],
    [
      "a detail of an entry is changed",
      3,
      () => sql`update audit set detail = '{"a": "é", "b": [2]}' where number = 3`.execute(db()),
    ],
    ["an entry is removed", 2, () => sql`delete from audit where number = 2`.execute(db())],
    ["the first entry is removed", 1, () => sql`delete from audit where number = 1`.execute(db())],
    [
      "an entry is removed and the others are renumbered",
      2,
      async () => {
        await sql`delete from audit where number = 2`.execute(db());
        await sql`update audit set number = number - 1 where number > 2`.execute(db());
      },
    ],
    [
      "an entry is slipped in at the end with a hash of its own making",
      5,
      () =>
        sql`insert into audit select 5, at, 'nobody', action, stack, subject, detail, hash, repeat('f', 64) from audit where number = 4`.execute(
          db(),
        ),
    ],
    [
      "two entries change places",
      2,
      async () => {
        await sql`update audit set number = 99 where number = 2`.execute(db());
        await sql`update audit set number = 2 where number = 3`.execute(db());
        await sql`update audit set number = 3 where number = 99`.execute(db());
      },
    ],
  ])("shows that %s", async (_, number, change) => {
    for (const subject of ["a", "b", "c", "d"]) await add(subject);
    expect(findFault(await listLinks(test.control))).toBeUndefined();
    await byHand(change);
    expect(findFault(await listLinks(test.control))?.number).toBe(number);
  });

  it("shows that its end is missing to whoever kept its head", async () => {
    for (const subject of ["a", "b", "c"]) await add(subject);
    const head = (await listLinks(test.control)).at(-1)?.hash ?? "";
    await add("d");
    expect(findFault(await listLinks(test.control), head)).toBeUndefined();
    await byHand(() => sql`delete from audit where number >= 3`.execute(db()));
    const left: readonly Link[] = await listLinks(test.control);
    expect(findFault(left)).toBeUndefined();
    expect(findFault(left, head)).toMatchObject({ number: 3 });
  });
});
