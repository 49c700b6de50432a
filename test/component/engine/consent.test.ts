import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addPerson, changePerson } from "../../../src/access/people.ts";
import { advance } from "../../../src/engine/advance.ts";
import { type Link, listLinks } from "../../../src/engine/audit.ts";
import { approveRun, isApproved, listApprovals } from "../../../src/engine/consent.ts";
import { type ConsentRule, createRun, getRun, type Run } from "../../../src/engine/journal.ts";
import { Worker } from "../../../src/engine/worker.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { createEngine, planOf, resume, World } from "../../harness/plans.ts";

/** Consent on a real control database: who may begin what, and what shows of a consent that was refused. */
let test: TestControl;
beforeAll(async () => {
  test = await startControl();
});
afterAll(() => test[Symbol.asyncDispose]());

const oneOf: ConsentRule = { people: 1, validSeconds: 3600 };
const twoOf: ConsentRule = { people: 2, validSeconds: 3600 };

async function planned(consent: ConsentRule, now = new Date()): Promise<{ run: Run; w: World }> {
  const w = World.create(test.home);
  return { run: await createRun(test.control, planOf([w.act("a")]), "anna", now, { consent }), w };
}

async function refusals(run: Run): Promise<readonly Link[]> {
  const links = await listLinks(test.control);
  return links.filter(({ action, subject }) => action === "run.approval_refused" && subject === run.id);
}

describe("a plan that needs one person", () => {
  it("begins with the consent of whoever started it, and keeps how it was given", async () => {
    const { run } = await planned(oneOf);
    await approveRun(test.control, run, "anna", { via: "token laptop", onBehalfOf: "berta" });
    expect(await listApprovals(test.control, run)).toMatchObject([
      { actor: "anna", via: "token laptop", onBehalfOf: "berta" },
    ]);
    expect(await resume(test.control, run)).toMatchObject({ outcome: "succeeded" });
  });

  it("takes no consent to another plan", async () => {
    const { run, w } = await planned(oneOf);
    const other = { ...run, plan_hash: "0".repeat(64) };
    await expect(approveRun(test.control, other, "berta")).rejects.toMatchObject({ code: "approval.other_plan" });
    expect(await resume(test.control, run)).toMatchObject({ status: "waiting", waiting_for: "approval" });
    expect(w.effects()).toEqual([]);
    expect(await refusals(run)).toMatchObject([{ actor: "berta", detail: { reason: "approval.other_plan" } }]);
  });

  it("takes none when it has begun, also not the same one again", async () => {
    const { run, w } = await planned(oneOf);
    await approveRun(test.control, run, "anna");
    await resume(test.control, run);
    for (const actor of ["anna", "berta"])
      await expect(approveRun(test.control, run, actor)).rejects.toMatchObject({ code: "approval.too_late" });
    expect(w.effects()).toEqual(["do a"]);
    expect(await refusals(run)).toHaveLength(2);
    expect(await listApprovals(test.control, run)).toHaveLength(1);
  });
});

describe("a plan that needs two people", () => {
  it("does not begin with one of them, who cannot consent again", async () => {
    const { run, w } = await planned(twoOf);
    await approveRun(test.control, run, "anna");
    expect(await isApproved(test.control, run)).toBe(false);
    expect(await resume(test.control, run)).toMatchObject({ status: "waiting", waiting_for: "approval" });
    const again = approveRun(test.control, run, "anna", { via: "session" });
    await expect(again).rejects.toMatchObject({ code: "approval.needs_other" });
    expect(await resume(test.control, run)).toMatchObject({ status: "waiting" });
    expect(w.effects()).toEqual([]);
    expect(await refusals(run)).toMatchObject([{ actor: "anna", detail: { via: "session" } }]);
  });

  it("begins with the second", async () => {
    const { run, w } = await planned(twoOf);
    await approveRun(test.control, run, "anna");
    await resume(test.control, run);
    await approveRun(test.control, run, "berta");
    expect(await resume(test.control, run)).toMatchObject({ outcome: "succeeded" });
    expect(w.effects()).toEqual(["do a"]);
  });

  it("counts people, however many of them consent in the same moment", async () => {
    const { run } = await planned(twoOf);
    const given = await Promise.allSettled(Array.from({ length: 12 }, () => approveRun(test.control, run, "anna")));
    expect(given.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await isApproved(test.control, run)).toBe(false);
    expect(await refusals(run)).toHaveLength(11);
  });
});

describe("a plan that nobody consented to in time", () => {
  const past = new Date(Date.now() - 3_700_000);

  it("takes no consent any more, and ends", async () => {
    const { run, w } = await planned(oneOf, past);
    await expect(approveRun(test.control, run, "anna")).rejects.toMatchObject({ code: "approval.expired" });
    const ended = await resume(test.control, run);
    expect(ended).toMatchObject({ outcome: "cancelled", error: { code: "approval.expired" } });
    expect(w.effects()).toEqual([]);
  });

  it("is ended by a worker, without anybody asking", async () => {
    const { run } = await planned(twoOf, past);
    const engine = createEngine(test.control, { plans: { test: () => run.plan } });
    const worker = new Worker({
      ...{ control: test.control, name: "worker of the tests", stacks: [run.stack], schedules: [] },
      now: () => new Date(),
      pause: async () => undefined,
      plan: async () => run.plan,
      carryOut: (id) => advance(engine, id),
      tell: () => undefined,
    });
    await worker.look();
    await worker.drain();
    expect(await getRun(test.control, run.id)).toMatchObject({ outcome: "cancelled" });
  });
});

describe("two names are not two people", () => {
  const add = (handle: string) =>
    addPerson(
      test.control.db,
      { handle, name: handle, email: `${handle}@example.com` },
      { actor: "root", now: new Date() },
    );

  it("when somebody was renamed between two consents", async () => {
    await add("nina");
    const { run } = await planned(twoOf);
    await approveRun(test.control, run, "nina");
    await changePerson(test.control.db, "nina", { handle: "nora" }, { actor: "root", now: new Date() });
    await approveRun(test.control, run, "nora");
    expect(await isApproved(test.control, run)).toBe(false);
    await approveRun(test.control, run, "berta");
    expect(await isApproved(test.control, run)).toBe(true);
  });

  it("when both consent by the right of the same absent person", async () => {
    await Promise.all(["away", "one", "other"].map(add));
    const { run } = await planned(twoOf);
    await approveRun(test.control, run, "one", { onBehalfOf: "away" });
    await approveRun(test.control, run, "other", { onBehalfOf: "away" });
    expect(await isApproved(test.control, run)).toBe(false);
    await approveRun(test.control, run, "anna");
    expect(await isApproved(test.control, run)).toBe(true);
  });
});
