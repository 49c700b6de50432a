import { rm } from "node:fs/promises";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openControl } from "../../../src/engine/control.ts";
import { listEvents } from "../../../src/engine/events.ts";
import { createRun, getRun, listRuns, listSteps } from "../../../src/engine/journal.ts";
import { createRecords } from "../../../src/engine/records.ts";
import { LocalExecutor } from "../../../src/host/local.ts";
import { secret } from "../../../src/runbook/value.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { EventProbe, planOf, runPlan, World } from "../../harness/plans.ts";

let test: TestControl;
beforeAll(async () => {
  test = await startControl();
});
afterAll(() => test[Symbol.asyncDispose]());

function world(): World {
  return World.create(test.home);
}

/** A database of its own in the same server, for tests that look at the whole. */
async function createDatabase(name: string): Promise<string> {
  await sql`create database ${sql.id(name)}`.execute(test.control.db);
  return `postgresql://ipai@/${name}?host=${encodeURIComponent(`${test.home}/control/socket`)}`;
}

const executor = new LocalExecutor();

describe("the journal", () => {
  it("never holds a secret, wherever a program prints it", async () => {
    const w = world();
    const value = "hunter2-and-more";
    const script = 'echo "out $KEY"; echo "err $KEY" >&2; cat; ';
    const env = { KEY: secret("backup.password") };
    const argv = (more: string) => ["sh", "-c", script + more] as const;
    const loud = w.read("loud", "", {
      action: {
        kind: "command",
        host: "local",
        pipeline: [{ argv: argv("true"), env, stdin: secret("backup.password") }],
      },
      outputs: { text: { from: "stdout" } },
    });
    const bad = w.act("bad", {
      action: { kind: "command", host: "local", pipeline: [{ argv: argv("exit 3"), env }] },
      verify: [w.exists("never")],
    });
    const events = new EventProbe();
    const secrets = { "backup.password": value };
    const run = await runPlan(test.control, planOf([loud, bad]), { secrets, ...events });
    expect(run).toMatchObject({ outcome: "undone", error: { code: "host.command_failed" } });
    const kept = JSON.stringify([run, await listSteps(test.control, run.id), await listEvents(test.control, run.id)]);
    expect(kept).toContain("[secret]");
    expect(kept + JSON.stringify(events.events)).not.toContain(value);
    expect((await listSteps(test.control, run.id))[0]?.outputs).toEqual({ text: "out [secret]\n[secret]" });
  });

  it("tells a run's story in order", async () => {
    const w = world();
    const lines = w.read("lines", "", { action: w.shell("seq 3"), outputs: {} });
    const run = await runPlan(test.control, planOf([w.act("a"), lines, w.failing("b")]));
    const story = (await listEvents(test.control, run.id)).map(({ kind, path, data }) =>
      [kind, path, kind === "output" ? (data as { line: string }).line : undefined]
        .filter((part) => part != null)
        .join(" "),
    );
    expect(story).toEqual([
      ...["run.running", "step.started a", "step.succeeded a"],
      ...["step.started lines", "output lines 1", "output lines 2", "output lines 3", "step.succeeded lines"],
      ...["step.started b", "step.failed b", "run.undoing"],
      ...["step.started b~take back b", "step.succeeded b~take back b"],
      ...["step.started a~take back a", "step.succeeded a~take back a", "run.ended"],
    ]);
    const ended = (await listEvents(test.control, run.id)).at(-1);
    expect(ended?.data).toBe("undone");
    expect(await listEvents(test.control, run.id, ended?.id)).toEqual([]);
  });

  it("takes what programs print that is no text", async () => {
    const w = world();
    const script = 'printf "a\\000b\\n"; printf "\\355\\240\\200\\377\\n"; exit 3';
    const read = w.read("odd", "", { action: { ...w.shell(script), okExitCodes: [3] } });
    const failing = w.act("bad", { action: w.shell(script) });
    const run = await runPlan(test.control, planOf([read, failing]));
    expect(run).toMatchObject({ outcome: "undone", error: { code: "host.command_failed" } });
    expect((await listSteps(test.control, run.id))[0]?.outputs).toEqual({ text: "a\uFFFDb\n\uFFFD\uFFFD\uFFFD\uFFFD" });
  });

  it("keeps the beginning of a flood", async () => {
    const w = world();
    const run = await runPlan(
      test.control,
      planOf([w.read("flood", "", { action: w.shell("seq 30000"), outputs: {} })]),
    );
    expect(run.outcome).toBe("succeeded");
    const lines = (await listEvents(test.control, run.id)).filter(({ kind }) => kind === "output");
    expect(lines).toHaveLength(20_000);
    expect(lines.at(-1)?.data).toEqual({ line: "20000", stream: "stdout" });
  });
});

describe("runs", () => {
  it("of one second get ids of their own", async () => {
    const now = new Date("2026-03-04T05:06:07.890Z");
    const plan = planOf([world().act("a")]);
    const first = await createRun(test.control, plan, "anna", now);
    expect(first.id).toMatch(/^20260304t050607_[0-9a-f]{4}$/);
    // Half of all ids of that second are taken.
    await sql`
      insert into runs (id, procedure, stack, title, plan, plan_hash, undo_class, actor, status)
      select '20260304t050607_' || lpad(to_hex(n), 4, '0'), 'test', 'x', 'x', '{}', '', 'instant', 'x', 'planned'
      from generate_series(0, 32767) as n on conflict do nothing`.execute(test.control.db);
    const others = await Promise.all(Array.from({ length: 30 }, () => createRun(test.control, plan, "anna", now)));
    expect(new Set([first, ...others].map((run) => run.id)).size).toBe(31);
    await test.control.db.deleteFrom("runs").where("id", "like", "20260304t050607%").execute();
  });

  it("are found by a part of their id that no other has", async () => {
    const plan = planOf([world().act("a")]);
    const one = await createRun(test.control, plan, "anna", new Date("2027-01-01T00:00:00Z"));
    const two = await createRun(test.control, plan, "anna", new Date("2027-01-01T00:00:01Z"));
    expect((await getRun(test.control, one.id)).id).toBe(one.id);
    expect((await getRun(test.control, "20270101t000001")).id).toBe(two.id);
    expect((await getRun(test.control, `000_${one.id.slice(-4)}`)).id).toBe(one.id);
    const missing = { code: "run.not_found" };
    await expect(getRun(test.control, "20270101t00000")).rejects.toMatchObject(missing);
    await expect(getRun(test.control, "nothing")).rejects.toMatchObject(missing);
    // A wildcard of SQL is a letter like others.
    await expect(getRun(test.control, "20270101t00000__")).rejects.toMatchObject(missing);
    await expect(getRun(test.control, "%01t000001")).rejects.toMatchObject(missing);
  });

  it("are listed newest first, those inside others not at all", async () => {
    const w = world();
    const stack = "listed";
    const outer = planOf([w.child("inside", "inner")], { stack });
    const inner = () => planOf([w.act("a")], { procedure: "inner", stack });
    const first = await runPlan(test.control, outer, { plans: { test: () => outer, inner } });
    const second = await runPlan(test.control, planOf([w.act("b")], { stack }));
    expect((await listRuns(test.control, 10, { stacks: [stack] })).map((run) => run.id)).toEqual([second.id, first.id]);
    expect((await listRuns(test.control, 1)).map((run) => run.id)).toEqual([second.id]);
  });
});

describe("records", () => {
  it("are kept by kind and id, newest first, and replaced when written again", async () => {
    const records = createRecords(test.control);
    const put = (id: string, data: string) => records.put({ kind: "test", id, stack: "s", run: null, data });
    await put("one", "1");
    await put("two", "2");
    await put("one", "3\0");
    expect(await records.find("test", "one")).toBe("3\uFFFD");
    expect(await records.find("test", "three")).toBeUndefined();
    expect((await records.list("test", "s", 10)).map(({ id }) => id)).toEqual(["one", "two"]);
    expect(await records.list("test", "other", 10)).toEqual([]);
  });
});

describe("the control database", () => {
  it("is made once, however many processes open it first", async () => {
    const url = await createDatabase("fresh");
    const opened = await Promise.all(Array.from({ length: 6 }, () => openControl({ home: test.home, url, executor })));
    for (const control of opened) expect(await listRuns(control, 1)).toEqual([]);
    await Promise.all(opened.map((control) => control.close()));
  });

  it("of a newer version is refused", async () => {
    const url = await createDatabase("newer");
    const control = await openControl({ home: test.home, url, executor });
    await sql`insert into kysely_migration (name, timestamp) values ('9999_future', ${new Date().toISOString()})`.execute(
      control.db,
    );
    await control.close();
    await expect(openControl({ home: test.home, url, executor })).rejects.toMatchObject({ code: "control.too_new" });
  });

  it("that does not answer is said to, and nothing is started instead", async () => {
    const url = "postgresql://nobody@127.0.0.1:1/nothing";
    await expect(openControl({ home: test.home, url, executor })).rejects.toMatchObject({
      code: "control.unreachable",
      message: expect.stringContaining("127.0.0.1:1"),
    });
  });

  it("is started by whoever comes first when several want it", async () => {
    await test.stop();
    await rm(`${test.home}/control/log`);
    const opened = await Promise.all(Array.from({ length: 3 }, () => test.open()));
    for (const control of opened) expect((await listRuns(control, 1)).length).toBe(1);
  });
});
