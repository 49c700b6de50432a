import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { listLinks } from "../../../src/engine/audit.ts";
import { createRun } from "../../../src/engine/journal.ts";
import { createRecords, type Records } from "../../../src/engine/records.ts";
import type { CallFunction } from "../../../src/host/perform.ts";
import {
  closeResource,
  countAttempt,
  extendResource,
  getResource,
  listResources,
  openResource,
} from "../../../src/procedures/resources.ts";
import { scopeOf } from "../../harness/backup-app.ts";
import { startControl, type TestControl } from "../../harness/control.ts";

/** What outlives its run, in a real control database: who is told of it, and what a second attempt finds. */
let test: TestControl;
let records: Records;

beforeAll(async () => {
  test = await startControl();
  records = createRecords(test.control);
});
afterAll(() => test[Symbol.asyncDispose]());

async function runOf(actor: string, stack: string): Promise<string> {
  const plan = {
    ...{ procedure: "past open", version: 1, stack, title: "Open", input: {}, facts: {}, lease: "none" as const },
    ...{ notes: [], steps: [] },
  };
  return (await createRun(test.control, plan, actor, new Date())).id;
}

const opening = (stack: string, id: string, hours = 8) => ({
  ...{ stack, id, kind: "past", title: "the past of ten", hours, procedure: "past close", input: { force: true } },
  about: { at: "2026-11-25T02:00:00Z" },
});

async function call(make: (records: Records) => CallFunction, run: string, input: Parameters<CallFunction>[0]) {
  await make(records)(input, scopeOf(run));
}

describe("a resource", () => {
  it("is opened, extended and closed, each told in the audit with who did it", async () => {
    const run = await runOf("anna", "told");
    await call(openResource, run, opening("told", run));
    const [opened] = await listResources(records, "told");
    expect(opened).toMatchObject({
      ...{ id: run, by: "anna", kind: "past", about: { at: "2026-11-25T02:00:00Z" }, closed: null },
      close: { procedure: "past close", input: { force: true, id: run } },
    });
    const lifeMs = Date.parse(opened?.expires ?? "") - Date.parse(opened?.openedAt ?? "");
    expect(lifeMs).toBe(8 * 3_600_000);
    const extended = await extendResource(records, { stack: "told", id: run, days: 2, by: "ben" });
    expect(Date.parse(extended.expires) - Date.parse(opened?.expires ?? "")).toBe(2 * 86_400_000);
    await call(closeResource, await runOf("cleo", "told"), { stack: "told", id: run });
    expect(await listResources(records, "told")).toEqual([]);
    expect(await listResources(records, "told", true)).toMatchObject([{ id: run, closed: { by: "cleo" } }]);
    const told = (await listLinks(test.control)).filter(
      ({ subject, action }) => subject === run && /^res/.test(action),
    );
    expect(told.map(({ action, actor, stack }) => `${action} ${actor} ${stack}`)).toEqual([
      "resource.opened anna told",
      "resource.extended ben told",
      "resource.closed cleo told",
    ]);
  });

  it("that a killed run opens again lives no longer for it", async () => {
    const run = await runOf("anna", "again");
    await call(openResource, run, opening("again", run, 1));
    const before = await getResource(records, "again", run);
    await call(openResource, run, opening("again", run, 100));
    expect(await getResource(records, "again", run)).toEqual(before);
  });

  it("that is closed is closed once, and found no more", async () => {
    const run = await runOf("anna", "once");
    await call(openResource, run, opening("once", run));
    await call(closeResource, run, { stack: "once", id: run });
    const [closed] = await listResources(records, "once", true);
    await call(closeResource, await runOf("ben", "once"), { stack: "once", id: run });
    await call(countAttempt, run, { stack: "once", id: run });
    expect(await listResources(records, "once", true)).toEqual([closed]);
    await expect(getResource(records, "once", run)).rejects.toMatchObject({ code: "usage.no_resource" });
    await expect(extendResource(records, { stack: "once", id: run, days: 1, by: "ben" })).rejects.toMatchObject({
      code: "usage.no_resource",
    });
  });

  it("of one stack is none of another's", async () => {
    const run = await runOf("anna", "here");
    await call(openResource, run, opening("here", "same"));
    await expect(getResource(records, "there", "same")).rejects.toMatchObject({ code: "usage.no_resource" });
  });
});
