import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sql } from "kysely";
import { Migrator } from "kysely/migration";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { endAbsence, listAbsences, noteAbsence } from "../../../src/access/absences.ts";
import { settleRights } from "../../../src/access/aftermath.ts";
import { giveGrant, listGrants, takeGrant } from "../../../src/access/grants.ts";
import { addPerson, changePerson, findPerson, leavePerson } from "../../../src/access/people.ts";
import { createToken, readToken, revokeToken } from "../../../src/access/tokens.ts";
import { findFault, inTransaction, listLinks, record } from "../../../src/engine/audit.ts";
import { claimRun } from "../../../src/engine/claim.ts";
import { approveRun } from "../../../src/engine/consent.ts";
import { openDatabase } from "../../../src/engine/control.ts";
import { backUpControl } from "../../../src/engine/control-backup.ts";
import { type Manifest, measure, requireWhole, writeWhole } from "../../../src/engine/control-file.ts";
import { type RestorePlan, type RestoreRequest, restoreControl } from "../../../src/engine/control-restore.ts";
import { readDigests } from "../../../src/engine/digests.ts";
import { listEvents } from "../../../src/engine/events.ts";
import { createRun, decideRun, getRun, updateRun } from "../../../src/engine/journal.ts";
import { findObstacle } from "../../../src/engine/lease.ts";
import type { Message } from "../../../src/engine/message.ts";
import { migrations } from "../../../src/engine/migrations.ts";
import { listOccurrences, noteTimes } from "../../../src/engine/occurrences.ts";
import { addOneOff } from "../../../src/engine/one-offs.ts";
import { deliverNext, listDeliveries, post } from "../../../src/engine/outbox.ts";
import { openServer } from "../../../src/engine/server.ts";
import { enterWorker, leaveWorker, listWorkers } from "../../../src/engine/workers.ts";
import { LocalExecutor } from "../../../src/host/local.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { strike } from "../../harness/kill.ts";
import { approvedRun, decide, interruptedRun, planOf, runPlan, World } from "../../harness/plans.ts";

/** Putting the control database back: on the machine that has it, on one that lost it, killed in the middle, and what it means then. */
let test: TestControl;
const executor = new LocalExecutor();
const pace = { timezone: "UTC", quiet: [], digest: undefined };
const routes = [{ channel: "chat", severity: "warning", stacks: [], chapters: [], pace } as const];
const world = () => World.create(test.home);

const backUp = async () => {
  const file = join(mkdtempSync(join(test.home, "backup-")), "control.backup");
  return (await backUpControl({ home: test.home, executor, actor: "anna", directory: "", keep: 1, file })).path;
};

async function restore(file: string, more: Partial<RestoreRequest> = {}) {
  const plans: RestorePlan[] = [];
  const consent = async (plan: RestorePlan) => plans.push(plan) > 0;
  const given = { home: test.home, executor, actor: "berta", file, routes, settleRights, consent, ...more };
  return { restored: await restoreControl(given), plan: plans[0] };
}

const state = async () => readDigestsOf(test);
async function readDigestsOf({ home }: Pick<TestControl, "home">) {
  const db = openDatabase((await openServer({ home, executor })).clientConfig());
  return readDigests(db).finally(() => db.destroy());
}

const besides = async () => {
  const { rows } = await sql<{ name: string }>`
    select datname as name from pg_database where datname ~ '_(proof|restore)_'`.execute(test.control.db);
  return rows.map(({ name }) => name);
};

beforeAll(async () => {
  test = await startControl();
});
afterAll(() => test[Symbol.asyncDispose]());
beforeEach(async () => {
  await test.control.db.deleteFrom("runs").where("status", "!=", "ended").execute();
});

describe("a restore", () => {
  it("brings back what was there, keeps what it replaces, and says so in the audit with what was lost", async () => {
    const w = world();
    const run = await runPlan(test.control, planOf([w.act("a")]));
    const file = await backUp();
    const later = await runPlan(test.control, planOf([w.act("b")]));
    const before = await listLinks(test.control);
    const { restored, plan } = await restore(file);
    expect(plan?.lost.entries.map(({ action, subject }) => `${action} ${subject}`)).toEqual([
      `control.backed_up ${file}`,
      ...["planned", "approved", "began", "ended"].map((what) => `run.${what} ${later.id}`),
    ]);
    expect((await getRun(test.control, run.id)).outcome).toBe("succeeded");
    await expect(getRun(test.control, later.id)).rejects.toMatchObject({ code: "run.not_found" });
    const links = await listLinks(test.control);
    expect(findFault(links)).toBeUndefined();
    expect(links.at(-1)).toMatchObject({ actor: "berta", action: "control.restored", subject: file });
    const replaced = { entries: before.length, head: before.at(-1)?.hash, lost: 5, database: restored?.kept };
    expect(links.at(-1)?.detail).toMatchObject({ replaced, entries: plan?.manifest.audit.entries });
    const old = openDatabase((await openServer({ home: test.home, executor })).clientConfig(restored?.kept));
    expect(await listLinks({ db: old }).finally(() => old.destroy())).toEqual(before);
  });

  it("changes nothing without consent, or when somebody did something meanwhile", async () => {
    const file = await backUp();
    const before = await state();
    expect((await restore(file, { consent: async () => false })).restored).toBeUndefined();
    expect(await state()).toEqual(before);
    const entry = { actor: "carla", action: "test", stack: null, subject: "s", detail: {} };
    const consent = async () => {
      await inTransaction(test.control.db, (tx) => record(tx, entry, new Date()));
      return true;
    };
    await expect(restore(file, { consent })).rejects.toMatchObject({ code: "control.moved" });
    expect((await listLinks(test.control)).at(-1)?.actor).toBe("carla");
    expect(await besides()).toEqual([]);
  });

  it("works with the server stopped, and on a machine that has nothing but the file", async () => {
    const w = world();
    const run = await runPlan(test.control, planOf([w.act("a")]));
    const file = await backUp();
    await test.stop();
    await restore(file);
    expect((await getRun(test.control, run.id)).outcome).toBe("succeeded");
    await using other = await startControl();
    await other.stop();
    rmSync(join(other.home, "control/data"), { recursive: true });
    const { plan } = await restore(file, { home: other.home });
    expect(plan?.live).toBeUndefined();
    expect((await getRun(await other.open(), run.id)).outcome).toBe("succeeded");
  });

  it("replaces one that cannot be read, and says that it does not know what is lost", async () => {
    await using other = await startControl();
    const file = await backUp();
    await sql`drop table audit`.execute(other.control.db);
    const { plan } = await restore(file, { home: other.home });
    expect(plan?.live?.fault).toContain('"audit" does not exist');
    expect(findFault(await listLinks(other.control))).toBeUndefined();
  });

  it("is refused while somebody works, and told who; a process that was killed does not count", async () => {
    const file = await backUp();
    await enterWorker(test.control, "the worker");
    await expect(restore(file)).rejects.toMatchObject({
      code: "control.in_use",
      message: expect.stringContaining("the worker lives"),
    });
    await leaveWorker(test.control, "the worker");
    const run = await approvedRun(test.control, planOf([world().act("a")]));
    const claim = await claimRun(test.control, run.id, "a hand");
    await updateRun(test.control, claim, { status: "running", started_at: new Date() });
    await expect(restore(file)).rejects.toMatchObject({
      code: "control.in_use",
      message: expect.stringContaining(`run ${run.id} (A plan of the tests) is carried out by a hand`),
    });
    await claim.release();
    await enterWorker(test.control, "dead");
    await test.control.db.updateTable("workers").set({ process: '{"pid": 1, "began": "x"}' }).execute();
    const { plan } = await restore(file);
    expect(plan?.lost.runs.map((one) => one.run)).toEqual([run.id]);
    expect(await listWorkers(test.control)).toEqual([]);
  });

  it.each(["created", "loaded", "prepared"])("killed when it is %s has changed nothing", async (stage) => {
    const file = await backUp();
    const before = await state();
    await strike({ program: "test/harness/copy-control.ts", args: [test.home, "restore", file] }, `control:${stage}`);
    expect(await state()).toEqual(before);
    expect(await besides()).toHaveLength(1);
    await restore(file);
    expect(await besides()).toEqual([]);
    expect((await listLinks(test.control)).at(-1)?.action).toBe("control.restored");
  });

  it("killed in the instant after the exchange is done", async () => {
    const file = await backUp();
    await strike({ program: "test/harness/copy-control.ts", args: [test.home, "restore", file] }, "control:exchanged");
    expect((await listLinks(test.control)).at(-1)).toMatchObject({ action: "control.restored", actor: "anna" });
    expect(await besides()).toEqual([]);
  });
});

describe("a file", () => {
  it.each<[string, (file: Buffer) => Buffer, RegExp]>([
    ["is cut", (file) => file.subarray(0, file.length - 100), /100 bytes are missing at its end/],
    ["is cut in its manifest", (file) => file.subarray(0, 200), /does not begin with the manifest/],
    ["is longer", (file) => Buffer.concat([file, Buffer.from("x")]), /longer than it was/],
    ["has one other byte", (file) => flipped(file, file.length - 2000), /its content is not what was written/],
    ["has one other byte in its manifest", (file) => flipped(file, 60), /its manifest is not one, or was changed/],
    ["is empty", () => Buffer.from(""), /does not begin with the manifest/],
    ["is a dump without its manifest", (file) => file.subarray(file.indexOf("\n") + 1), /manifest/],
  ])("that %s is refused, and nothing is changed", async (_, change, reason) => {
    const file = await backUp();
    writeFileSync(file, change(readFileSync(file)));
    const before = await state();
    await expect(restore(file)).rejects.toMatchObject({
      code: "control.backup_unusable",
      message: expect.stringMatching(reason),
    });
    expect(await state()).toEqual(before);
  });

  const flipped = (file: Buffer, at: number) =>
    Buffer.from(file.map((byte, index) => (index === at ? byte ^ 1 : byte)));

  /** Made by hand: of any database, with any manifest. */
  async function craft(database: string, change: (manifest: Manifest) => Manifest): Promise<string> {
    const folder = mkdtempSync(join(test.home, "crafted-"));
    const [file, dump, real] = [join(folder, "file"), join(folder, "dump"), await requireWhole(await backUp())];
    const socket = join(test.home, "control/socket");
    execFileSync("pg_dump", ["--format=custom", "-h", socket, "-U", "ipai", `--file=${dump}`, database]);
    const db = openDatabase((await openServer({ home: test.home, executor })).clientConfig(database));
    const tables = await readDigests(db).finally(() => db.destroy());
    await writeWhole(file, change({ ...real, tables, dump: await measure(dump) }), dump);
    return file;
  }

  it("of a newer version is refused", async () => {
    const file = await craft("postgres", (given) => ({ ...given, schema: "9999_future" }));
    await expect(restore(file)).rejects.toMatchObject({ message: expect.stringContaining("a newer version of ipai") });
  });

  it("whose rows are not those that its manifest tells is refused", async () => {
    const file = await craft("postgres", (given) => ({
      ...given,
      tables: { ...given.tables, "public.audit": { rows: 999, digest: "0" } },
    }));
    const before = await state();
    await expect(restore(file)).rejects.toMatchObject({ message: expect.stringContaining("rows instead of 999") });
    expect(await state()).toEqual(before);
    expect(await besides()).toEqual([]);
  });

  it("in which the audit chain is broken is refused", async () => {
    await sql`create database broken template template0`.execute(test.control.db);
    const db = openDatabase((await openServer({ home: test.home, executor })).clientConfig("broken"));
    await new Migrator({ db, provider: { getMigrations: async () => ({ ...migrations }) } }).migrateToLatest();
    const entry = { actor: "carla", action: "test", stack: null, subject: "s", detail: {} };
    for (let count = 0; count < 3; count++) await inTransaction(db, (tx) => record(tx, entry, new Date()));
    await sql`alter table audit disable trigger audit_only_grows`.execute(db);
    await sql`delete from audit where number = 2`.execute(db);
    await db.destroy();
    const file = await craft("broken", (given) => given);
    const before = await state();
    await expect(restore(file)).rejects.toMatchObject({
      code: "control.backup_unproven",
      message: expect.stringContaining("entry 2 is missing"),
    });
    expect(await state()).toEqual(before);
  });

  it("of an older version is brought up to date", async () => {
    await sql`create database older template template0`.execute(test.control.db);
    const db = openDatabase((await openServer({ home: test.home, executor })).clientConfig("older"));
    const provider = { getMigrations: async () => ({ ...migrations }) };
    await new Migrator({ db, provider }).migrateTo("0007_audit");
    await db.destroy();
    const file = await craft("older", (given) => ({ ...given, schema: "0007_audit" }));
    await restore(file);
    const { rows } = await sql<{ name: string }>`select max(name) as name from kysely_migration`.execute(
      test.control.db,
    );
    expect(rows[0]?.name).toBe(Object.keys(migrations).sort().at(-1));
  });
});

describe("what was under way when the backup was taken", () => {
  it("waits for a person, with its stack reserved, and goes on only as he decides", async () => {
    const w = world();
    const running = await interruptedRun(test.control, planOf([w.act("a"), w.act("b")]), "a");
    const lease = { stack: running.stack, run: running.id, mode: "exclusive", actor: "anna" } as const;
    await test.control.db.insertInto("leases").values(lease).execute();
    const undoing = await interruptedRun(test.control, planOf([w.act("c")]), "c");
    await test.control.db.updateTable("runs").set({ status: "undoing" }).where("id", "=", undoing.id).execute();
    const file = await backUp();
    const zombie = { run: running.id, fence: (await getRun(test.control, running.id)).fence };
    const { plan } = await restore(file);
    expect(plan?.aftermath.runs.map(({ run, status }) => `${run} ${status}`).sort()).toEqual(
      [`${running.id} running`, `${undoing.id} undoing`].sort(),
    );
    expect(await getRun(test.control, running.id)).toMatchObject({
      ...{ status: "waiting", waiting_for: "decision", error: { code: "control.restored" } },
    });
    expect(await getRun(test.control, undoing.id)).toMatchObject({ status: "waiting", waiting_for: "undo" });
    expect((await listEvents(test.control, running.id)).map(({ kind }) => kind).slice(-2)).toEqual([
      ...["control.restored", "run.waiting"],
    ]);
    expect(await findObstacle(test.control, running, "exclusive")).toMatchObject({ code: "run.stack_busy" });
    await expect(updateRun(test.control, zombie, { status: "undoing" })).rejects.toMatchObject({ code: "run.fenced" });
    expect(w.effects()).toEqual([]);
    const told = (await listDeliveries(test.control, 1))[0];
    expect(told).toMatchObject({ severity: "critical", channel: "chat", title: expect.stringContaining("by berta") });
    const ended = await decide(test.control, await getRun(test.control, running.id), "again");
    expect([ended.outcome, w.effects()]).toEqual(["succeeded", ["do a", "do b"]]);
    expect((await decide(test.control, await getRun(test.control, undoing.id), "abandon")).outcome).toBe("unknown");
  });

  it("is asked for consent anew, and decided anew", async () => {
    const w = world();
    const approved = await approvedRun(test.control, planOf([w.act("a")]));
    const planned = await createRun(test.control, planOf([w.act("b")]), "anna", new Date());
    const asked = await runPlan(test.control, planOf([w.failing("c", { onFail: "ask" })]));
    await decideRun(test.control, asked, "undo", "anna");
    const { plan } = await restore(await backUp());
    expect(plan?.aftermath.consents.map(({ run }) => run)).toEqual([approved.id]);
    expect(plan?.aftermath.runs.map(({ run }) => run)).toEqual([asked.id]);
    expect(await getRun(test.control, approved.id)).toMatchObject({ status: "waiting", waiting_for: "approval" });
    expect(await getRun(test.control, planned.id)).toMatchObject({ status: "planned" });
    expect(await getRun(test.control, asked.id)).toMatchObject({ status: "waiting", decision: null });
    expect(
      await test.control.db.selectFrom("approvals").select("run").where("run", "=", approved.id).execute(),
    ).toEqual([]);
    await approveRun(test.control, approved, "berta");
    expect(w.effects()).toEqual(["do c"]);
  });

  it("is noted once more by the rule for what was missed, and does not begin when somebody chose its hour", async () => {
    const at = (minutes: number) => new Date(Date.now() - minutes * 60_000);
    const given = {
      procedure: "p",
      input: {},
      cron: "* * * * *",
      timezone: "UTC",
      graceSeconds: 3600,
      jitterSeconds: 0,
    };
    const schedules = (["latest", "none"] as const).map((missed) => ({
      ...given,
      stack: "past",
      name: missed,
      missed,
    }));
    await noteTimes(test.control, ["past"], schedules, at(12));
    await noteTimes(test.control, ["past"], schedules, at(10));
    const once = { stack: "past", procedure: "p", input: {}, actor: "anna", graceSeconds: 3600 };
    await addOneOff(test.control, { ...once, at: at(5) }, at(12));
    await addOneOff(test.control, { ...once, at: at(-60) }, at(12));
    const { plan } = await restore(await backUp());
    expect(plan?.aftermath.once).toHaveLength(1);
    await noteTimes(test.control, ["past"], schedules, new Date());
    const all = await listOccurrences(test.control, "past", 100);
    const due = (name: string) => all.filter((one) => one.schedule === name && one.state === "due");
    // Of "latest" only the last, and of "none" nothing that is older than a minute.
    expect(due("latest").filter((one) => one.at < at(2))).toEqual([]);
    expect(due("latest").length).toBeGreaterThan(0);
    expect(due("none").filter((one) => one.at < at(2))).toEqual([]);
    expect(all.filter((one) => one.schedule === "none" && one.state === "missed").length).toBeGreaterThanOrEqual(9);
    expect(all.filter((one) => one.schedule.startsWith("once-")).map((one) => one.state)).toEqual(["due", "missed"]);
  });

  it("was on its way to people, is not sent again, and is named in what they are told", async () => {
    const message = {
      key: "k1",
      event: "test",
      run: null,
      stack: "erp",
      chapter: "upgrade",
      severity: "critical",
      title: "Old news",
    } as const;
    await post(test.control.db, routes, [{ ...message, lines: [] }], new Date());
    const later = { ...message, key: "k2", title: "Of the next hour", lines: [] };
    await post(test.control.db, routes, [later], new Date(Date.now() + 3_600_000));
    const file = await backUp();
    const { plan } = await restore(file);
    expect(plan?.aftermath.messages).toContain("erp: Old news");
    expect(plan?.aftermath.messages).not.toContain("erp: Of the next hour");
    const held = (await listDeliveries(test.control, 10)).find(({ title }) => title === "Of the next hour");
    expect(held?.state).toBe("due");
    const sent: string[] = [];
    const deliver = async ({ messages }: { messages: readonly { title: string; lines: readonly string[] }[] }) => {
      sent.push(...messages.flatMap(({ title, lines }) => [title, ...lines]));
      return { kind: "delivered" } as const;
    };
    const carrier = { limit: undefined, choose: (due: readonly Message[]) => due };
    while (await deliverNext(test.control, "chat", new Date(), carrier, deliver));
    expect(sent).not.toContain("Old news");
    expect(sent.join("\n")).toMatch(/Messages that may not have arrived:[\s\S]*erp: Old news/);
  });
});

it("leaves the file as it was", async () => {
  const file = await backUp();
  const before = readFileSync(file);
  await restore(file);
  expect(existsSync(file) && readFileSync(file).equals(before)).toBe(true);
});

describe("rights that were taken away since the backup", () => {
  const anna = async () => {
    const found = await findPerson(test.control.db, "anna");
    if (found === undefined) throw new Error("nobody");
    return found;
  };

  it("do not come back: tokens, roles, people who left, sessions", async () => {
    const by = { actor: "root", now: new Date() };
    for (const handle of ["anna", "berta"])
      await addPerson(test.control.db, { handle, name: handle, email: `${handle}@example.com` }, by);
    const grant = { role: "admin", stacks: ["erp"], procedures: [] } as const;
    await giveGrant(test.control, await anna(), grant, "root", new Date());
    const wanted = { name: "laptop", limits: [grant], expiresAt: new Date(Date.now() + 3_600_000) };
    const token = await createToken(test.control, await anna(), wanted, "anna", new Date());
    const span = { from: new Date(), until: new Date(Date.now() + 3_600_000), deputy: undefined };
    const away = await noteAbsence(test.control, await anna(), span, "anna", new Date());
    const file = await backUp();
    await revokeToken(test.control, await anna(), "laptop", "root", new Date());
    const [given] = (await listGrants(test.control, [(await anna()).id])).get((await anna()).id) ?? [];
    await takeGrant(test.control, await anna(), given?.id ?? 0, "root", new Date());
    await changePerson(test.control.db, "berta", { handle: "bertha" }, by);
    await leavePerson(test.control.db, "bertha", by);
    await endAbsence(test.control, away, "root", new Date());
    const { plan } = await restore(file);
    expect(plan?.rights).toEqual([
      ...["The token laptop of anna is revoked again", "anna is no longer admin, again", "berta has left, again"],
      "An absence of anna is over, again",
    ]);
    expect(await readToken(test.control, token, new Date())).toMatchObject({ kind: "revoked" });
    expect((await listGrants(test.control, [(await anna()).id])).size).toBe(0);
    expect((await findPerson(test.control.db, "berta"))?.leftAt).toBeInstanceOf(Date);
    expect(await listAbsences(test.control, new Date())).toEqual([]);
  });

  it("are to be looked at, where what came after the backup is not known", async () => {
    const file = await backUp();
    await sql`alter table audit disable trigger audit_only_grows`.execute(test.control.db);
    await sql`update audit set hash = reverse(hash)`.execute(test.control.db);
    const { plan } = await restore(file);
    expect(plan?.rights.join()).toContain("is not known, look at them");
  });
});
