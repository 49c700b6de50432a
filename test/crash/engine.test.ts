import { randomUUID } from "node:crypto";
import { readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { getRun, type Run } from "../../src/engine/journal.ts";
import { listLeases } from "../../src/engine/lease.ts";
import { listMarked, markName } from "../../src/host/fixtures/processes.ts";
import type { Plan } from "../../src/runbook/plan.ts";
import { startControl, type TestControl } from "../harness/control.ts";
import { forEachOf, listPoints, listUncovered, type Program, rehearse, strike } from "../harness/kill.ts";
import { approvedRun, planOf, resume, World } from "../harness/plans.ts";

/**
 * A process is killed at every point of a plan that has every kind of step, once on a run that succeeds and once on one that fails
 * at its end and takes everything back. Another process goes on. Whatever the point: the run ends, everything was done once or
 * taken back once, and nothing is left.
 */
let test: TestControl;
beforeAll(async () => {
  test = await startControl();
});
afterAll(() => test[Symbol.asyncDispose]());

/** The last step works when the file `works` is there. A run that fails is spared the steps that nothing takes back. */
function plansFor(w: World, kind: "works" | "fails"): { readonly outer: Plan; readonly inner: Plan } {
  const stack = `stack-${randomUUID()}`;
  const inner = planOf([w.act("c")], { procedure: "inner", stack });
  const work = [
    // Half done cannot be told from done: taken back instead of repeated.
    w.blind("b", { onInterrupt: "undo" }),
    ...(kind === "works" ? [w.wait("ready", { probe: w.exists("effects") })] : []),
    w.child("inside", "inner"),
  ];
  const both = {
    kind: "parallel",
    id: "both",
    title: "Both",
    acts: [w.read("left", "x"), w.act("right", { undo: "nothing" })],
  } as const;
  const outer = planOf(
    [
      w.act("a"),
      { kind: "bracket", id: "closed", title: "Closed", open: [close(w)], body: work, close: [open(w)] },
      ...(kind === "works" ? [both] : []),
      w.act("d", { verify: [w.exists("works")] }),
      { kind: "pivot", id: "back", title: "Users are back" },
    ],
    { stack, input: { inner: JSON.parse(JSON.stringify(inner)) } },
  );
  return { outer, inner };
}

/** What opens and closes a bracket may be done any number of times. */
function close(w: World) {
  const action = w.shell('touch "$1"', w.path("closed"));
  return { ...w.change("close", action), done: w.exists("closed"), verify: [w.exists("closed")] };
}

function open(w: World) {
  const isOpen = { ...w.exists("closed"), title: "it is open", with: 1 };
  return { ...w.change("open", w.shell('rm -f "$1"', w.path("closed"))), done: isOpen, verify: [isOpen] };
}

interface Case {
  readonly w: World;
  readonly run: Run;
  readonly plans: { readonly outer: Plan; readonly inner: Plan };
  readonly mark: string;
  readonly program: Program;
}

async function prepare(kind: "works" | "fails"): Promise<Case> {
  const w = World.create(test.home);
  if (kind === "works") w.write("works");
  const plans = plansFor(w, kind);
  const run = await approvedRun(test.control, plans.outer);
  const mark = randomUUID();
  const program = { program: "test/harness/carry-out.ts", args: [test.home, run.id], env: { [markName]: mark } };
  return { w, run, plans, mark, program };
}

function goOn({ run, plans }: Case): Promise<Run> {
  return resume(test.control, run, { plans: { test: () => plans.outer, inner: () => plans.inner } });
}

/** The run as it ended, after everything that must hold for any run was looked at. */
async function settled({ w, run, mark }: Case): Promise<Run> {
  const ended = await getRun(test.control, run.id);
  expect(ended.status).toBe("ended");
  const effects = w.effects();
  expect(effects.filter((line, index) => effects.indexOf(line) !== index)).toEqual([]);
  const done = effects.filter((line) => line.startsWith("do "));
  if (ended.outcome === "succeeded") {
    expect(effects).toEqual(["do a", "do b", "do c", "do right", "do d"]);
  } else {
    expect(ended.outcome).toBe("undone");
    expect(done.filter((line) => !effects.includes(line.replace("do ", "undo ")))).toEqual([]);
  }
  expect(readdirSync(w.folder).filter((name) => name !== "effects" && name !== "works")).toEqual([]);
  expect(await listLeases(test.control.db, run.stack)).toEqual([]);
  const open = await test.control.db
    .selectFrom("runs")
    .select("id")
    .where("stack", "=", run.stack)
    .where("status", "!=", "ended")
    .execute();
  expect(open).toEqual([]);
  await vi.waitFor(() => expect(listMarked(mark)).toEqual([]));
  return ended;
}

/** Between performed and verified nothing happens where there is nothing to verify. */
const isDistinct = (point: string) =>
  !point.endsWith(":verified") || /(b|d|close|open|inside|ready|back):verified$/.test(point);

const mayBeTakenBack = (point: string) => /^do:closed\/b:(before|spawned|performed|verified)$/.test(point);

async function killAndGoOn(kind: "works" | "fails", point: string): Promise<void> {
  const one = await prepare(kind);
  await strike(one.program, point);
  await goOn(one);
  const { outcome } = await settled(one);
  expect(outcome).toBe(kind === "works" && !mayBeTakenBack(point) ? "succeeded" : "undone");
}

describe("a run whose process is killed", () => {
  let points: Readonly<Record<"works" | "fails", readonly string[]>>;
  let plans: Case["plans"];
  beforeAll(async () => {
    const [works, fails] = await Promise.all([prepare("works"), prepare("fails")]);
    points = { works: await rehearse(works.program), fails: await rehearse(fails.program) };
    await settled(works);
    await settled(fails);
    plans = works.plans;
  });

  it("has a point in every step, forwards and back", () => {
    const { outer, inner } = plans;
    expect(listUncovered([outer, inner], [...points.works, ...points.fails])).toEqual([]);
    // Every act of the run that succeeds passes all its points.
    const forwards = [outer, inner].flatMap(listPoints).filter((point) => point.startsWith("do:"));
    expect(points.works.toSorted()).toEqual(forwards.toSorted());
    expect(listUncovered([outer], points.works)).toContain("undo:a~take back a");
  });

  it("ends rightly, wherever that was on the way to success", async () => {
    await forEachOf(points.works.filter(isDistinct), 3, (point) => killAndGoOn("works", point));
  });

  it("ends rightly, wherever that was on the way back", async () => {
    const back = points.fails.filter((point) => isDistinct(point) && /^(undo:|do:d:)/.test(point));
    expect(back.length).toBeGreaterThan(20);
    await forEachOf(back, 3, (point) => killAndGoOn("fails", point));
  });

  it("and killed again where it went on", async () => {
    const one = await prepare("fails");
    for (const point of [
      "do:a:spawned",
      "do:a:recorded",
      "do:closed/b:spawned",
      "undo:closed/b~take back b:spawned",
      "undo:a~take back a:performed",
    ])
      await strike(one.program, point);
    await goOn(one);
    expect(await settled(one)).toMatchObject({ outcome: "undone", error: { code: "run.interrupted" } });
  });
});

describe("a run whose process is frozen", () => {
  it.each(["do:a:spawned", "do:c:before", "do:closed/b:recorded"])(
    "at %s is nobody else's, and goes on when it thaws",
    async (point) => {
      const one = await prepare("works");
      const frozen = await strike(one.program, point, { how: "SIGSTOP" });
      await expect(goOn(one)).rejects.toMatchObject({ code: "run.being_advanced" });
      frozen.kill("SIGCONT");
      await frozen.ended;
      expect(await settled(one)).toMatchObject({ outcome: "succeeded" });
    },
  );

  it("and then killed is gone on with", async () => {
    const one = await prepare("fails");
    const frozen = await strike(one.program, "undo:d~take back d:spawned", { how: "SIGSTOP" });
    frozen.kill("SIGKILL");
    await frozen.ended;
    await goOn(one);
    expect(await settled(one)).toMatchObject({ outcome: "undone" });
  });
});
