import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { App } from "../../../src/cli/app.ts";
import { advance } from "../../../src/engine/advance.ts";
import { findFault, listLinks } from "../../../src/engine/audit.ts";
import { approveRun } from "../../../src/engine/consent.ts";
import { createRun } from "../../../src/engine/journal.ts";
import {
  type BackupEntry,
  listCatalogue,
  pinBackup,
  recordBackup,
  recordDoubt,
  recordProof,
} from "../../../src/procedures/backup/calls.ts";
import { findBackupFaults } from "../../../src/procedures/backup/findings.ts";
import { type BackupApp, scopeOf, startBackupApp } from "../../harness/backup-app.ts";
import { perform } from "../../harness/perform.ts";
import { ipai, root } from "../../harness/sandbox.ts";

/** Retention with a real repository and a real catalogue, over nights that are as long as a test wants them. */
let test: BackupApp;
let app: App;

beforeAll(async () => {
  test = await startBackupApp(() => ({ keep: { daily: 7, weekly: 3, monthly: 2, byHand: "3d", beforeChange: "10d" } }));
  app = test.app;
});
afterAll(() => test[Symbol.asyncDispose]());

const make: BackupApp["make"] = (...given) => test.make(...given);
const stored = () => test.stored();
const restic = () => test.restic;
const prune = () => test.carryOut("backup prune");

async function verify(backup: string, isSound: boolean): Promise<void> {
  const run = `verify ${backup}`;
  await recordDoubt(app.records)({ stack: "sandbox", backup, run }, scopeOf(run));
  const counts = { databaseBytes: 1, tables: 1, rows: 1, attachments: 0, unsound: 0, takenAt: "" };
  if (isSound) await recordProof(app.records)({ stack: "sandbox", backup, run, ...counts }, scopeOf(run));
}

async function entryOf(id: string): Promise<BackupEntry | undefined> {
  return (await listCatalogue(app.records, "sandbox")).find((entry) => entry.id === id);
}

/** The night of a day, counted from Monday, 2 November 2026, at two o'clock in Manila. */
const night = (day: number, hours = 0) =>
  new Date(Date.parse("2026-11-02T02:00:00+08:00") + ((day - 1) * 24 + hours) * 3_600_000);
const nameOf = (day: number) => `night${String(day).padStart(2, "0")}`;

async function snapshotOf(id: string): Promise<string> {
  const found = JSON.parse((await perform(restic().list())).stdout) as { id: string; tags: string[] }[];
  return found.find(({ tags }) => tags.includes(`run=${id}`))?.id ?? "";
}

/** What happens on some of the days, after the night's backup. */
const events: Readonly<Record<number, () => Promise<unknown>>> = {
  3: () => pinBackup(app.records, { stack: "sandbox", id: nameOf(3), by: "anna", reason: "year end" }),
  7: () => verify(nameOf(7), true),
  10: () => make("by hand", night(10, 13), "by-hand"),
  14: () => verify(nameOf(14), true),
  21: () => verify(nameOf(21), false),
  27: () => make("before upgrade", night(27, 10), "before-upgrade"),
  28: () => verify(nameOf(28), true),
  // Somebody takes one out by restic itself.
  30: async () => perform(restic().forget([await snapshotOf(nameOf(30))])),
};

describe("thirty-five nights", () => {
  it("leave exactly what the rules keep, and the catalogue says what became of the rest", async () => {
    for (let day = 1; day <= 35; day++) {
      await make(nameOf(day), night(day));
      await events[day]?.();
      if (day === 20) expect(await stored()).toContain(nameOf(14));
      if (day % 5 === 0) expect((await prune()).outcome).toBe("succeeded");
    }
    const days = [3, 20, 28, 29, 31, 32, 33, 34, 35].map(nameOf);
    expect(await stored()).toEqual(["before upgrade", ...days]);
    expect(await entryOf(nameOf(14))).toMatchObject({ removed: { why: "retention", run: expect.any(String) } });
    expect((await entryOf(nameOf(14)))?.proof).not.toBeNull();
    expect(await entryOf("by hand")).toMatchObject({ reason: "by-hand", removed: { why: "retention" } });
    expect(await entryOf(nameOf(30))).toMatchObject({ removed: { why: "missing" } });
    expect((await entryOf(nameOf(35)))?.removed).toBeNull();
    expect(await listCatalogue(app.records, "sandbox")).toHaveLength(37);
    // What the repository says of itself, read whole.
    await perform(restic().check());
  }, 300_000);

  it("and a second look right after removes nothing and holds nobody up", async () => {
    const before = await stored();
    const plan = await app.plan("backup prune", "sandbox", {});
    expect([plan.steps, plan.lease]).toEqual([[], "none"]);
    expect((await prune()).outcome).toBe("succeeded");
    expect(await stored()).toEqual(before);
  });
});

describe("a set that is pinned", () => {
  it("goes with the next prune once it is unpinned, and both are in the audit with who did it", async () => {
    await pinBackup(app.records, { stack: "sandbox", id: nameOf(3), by: "berta", reason: undefined });
    expect((await prune()).outcome).toBe("succeeded");
    expect(await stored()).not.toContain(nameOf(3));
    const links = await listLinks(app.control);
    expect(findFault(links)).toBeUndefined();
    expect(links.filter(({ subject }) => subject === nameOf(3))).toMatchObject([
      { actor: "anna", action: "set.pinned", detail: { reason: "year end" } },
      { actor: "berta", action: "set.unpinned" },
    ]);
    await expect(
      pinBackup(app.records, { stack: "sandbox", id: nameOf(3), by: "berta", reason: "too late" }),
    ).rejects.toMatchObject({ code: "backup.not_found" });
  });
});

describe("a backup that is much smaller than those before it", () => {
  it("is a finding until a usual one is made", async () => {
    const counts = { stack: "sandbox", storedBytes: 1, setBytes: 1, files: 0, unsound: 0, reason: "scheduled" };
    const record = (hours: number, databaseBytes: number, filestoreBytes: number) => {
      const id = `hour${hours}`;
      const entry = { ...counts, id, takenAt: night(35, hours).toISOString(), databaseBytes, filestoreBytes };
      return recordBackup(app.records)(entry, scopeOf(id));
    };
    for (let hours = 1; hours <= 8; hours++) await record(hours, 50_000_000, 9_000_000);
    expect(await findBackupFaults(app.records, app.stack(), night(36))).toEqual([]);
    await record(9, 20_000_000, 9_100_000);
    const findings = await findBackupFaults(app.records, app.stack(), night(36));
    expect(findings).toMatchObject([{ code: "IPAI-BACKUP-001", status: "warn", value: 40, threshold: 60 }]);
    expect(findings[0]?.hint).toContain("20.0 MB in backup hour9, and 50.0 MB usually");
    await record(10, 51_000_000, 9_100_000);
    expect(await findBackupFaults(app.records, app.stack(), night(36))).toEqual([]);
  });
});

describe("a plan to remove", () => {
  it("is void when a set that it would remove was pinned meanwhile", async () => {
    for (let day = 43; day < 50; day++) await make(nameOf(day), night(day));
    const plan = await app.plan("backup prune", "sandbox", {});
    expect(plan.facts).toMatchObject({ removed: expect.arrayContaining([nameOf(34)]) });
    const run = await createRun(app.control, plan, "anna", new Date());
    await approveRun(app.control, run, "anna");
    await pinBackup(app.records, { stack: "sandbox", id: nameOf(34), by: "berta", reason: "audit" });
    const ended = await advance(app.engine(), run.id);
    expect([ended.outcome, ended.error?.code]).toEqual(["failed", "run.drift"]);
    expect(await stored()).toContain(nameOf(34));
  });
});

describe("a prune that is killed", () => {
  it.each([
    { point: "do:forget:before", day: 60 },
    { point: "do:forget:spawned", day: 61 },
    { point: "do:forget:recorded", day: 62 },
    { point: "do:give back:spawned", day: 63 },
  ])(
    "at $point goes on: what the plan named is gone, the rest is whole, and the catalogue knows",
    async ({ point, day }) => {
      // Of a day its last is kept.
      const old = `earlier ${day}`;
      await make(old, night(day));
      await make(`later ${day}`, night(day, 1));
      const env = { IPAI_HOME: test.home };
      const nodeOptions = ["--import", join(root, "test/harness/kill-at.ts")];
      const killed = await ipai(["--config", test.config, "backup", "prune", "--yes"], {
        env: { ...env, KILL_AT: point },
        nodeOptions,
      });
      expect(killed.signal).toBe("SIGKILL");
      const [run] = await app.control.db.selectFrom("runs").select("id").where("status", "=", "running").execute();
      const resumed = await ipai(["--config", test.config, "runs", "resume", run?.id ?? ""], { env });
      expect([resumed.exitCode, resumed.stderr]).toEqual([0, expect.any(String)]);
      expect(await stored()).not.toContain(old);
      expect(await entryOf(old)).toMatchObject({ removed: { why: "retention", run: run?.id } });
      await perform(restic().check());
    },
  );
});
