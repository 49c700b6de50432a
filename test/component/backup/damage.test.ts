import { execFileSync } from "node:child_process";
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { listCatalogue } from "../../../src/procedures/backup/calls.ts";
import { findBackupFaults } from "../../../src/procedures/backup/findings.ts";
import type { RepositoryCopy } from "../../../src/stack/restic-copy.ts";
import { type BackupApp, scopeOf, startBackupApp } from "../../harness/backup-app.ts";
import { perform } from "../../harness/perform.ts";
import { ipai, root, run } from "../../harness/sandbox.ts";

/** What may happen to repositories, disks, processes and clocks: found, told by its name, and nothing that is good removed for it. */

// Every question to restic derives the key anew, which takes most of a second.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 60_000 });

let test: BackupApp;
let disk: string;

beforeAll(async () => {
  test = await startBackupApp(async (folder) => {
    const passwordFile = join(folder, "repository-password");
    disk = join(folder, "disk");
    await mkdir(disk);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "none", disk]);
    return {
      keep: { daily: 1, weekly: 0, monthly: 0 },
      // restic 0.14 asks again for a minute for a pack that is missing, whenever it is to read it.
      check: { sample: 1 },
      copies: {
        small: { repository: join(disk, "small"), passwordFile },
        nearby: { repository: join(folder, "nearby"), passwordFile },
      },
    };
  });
});
afterAll(async () => {
  execFileSync("umount", [disk]);
  await test[Symbol.asyncDispose]();
});

const night = (day: number) => new Date(Date.parse("2026-11-02T18:00:00Z") + day * 86_400_000);
const repository = () => join(test.folder, "repository");
const faults = async (now: Date) =>
  (await findBackupFaults(test.app.records, test.app.stack(), now)).map(({ code, status }) => `${code} ${status}`);

function copyOf(name: string): RepositoryCopy {
  const found = test.app.stack().copies.find((copy) => copy.name === name);
  if (found === undefined) throw new TypeError(name);
  return found;
}

async function listPacks(below: string): Promise<readonly string[]> {
  const names = await readdir(join(below, "data"), { recursive: true });
  return names.filter((name) => name.length > 60).map((name) => join(below, "data", name));
}

/** Until not a byte more can be written; what is returned makes room again. */
async function fillDisk(): Promise<() => Promise<void>> {
  const filler = join(disk, "filler");
  await run("dd", ["if=/dev/zero", `of=${filler}`, "bs=4k"]);
  return () => rm(filler);
}

describe("a pack that is missing", () => {
  it("is found by the check, and no prune removes a set until a check finds everything again", async () => {
    await test.make("night1", night(1));
    const before = await listPacks(repository());
    await test.make("night2", night(2));
    expect(await test.carryOut("backup copy")).toMatchObject({ outcome: "succeeded" });
    const [pack = ""] = (await listPacks(repository())).filter((one) => !before.includes(one));
    await rename(pack, join(test.folder, "lost"));
    expect((await test.carryOut("backup check")).error).toMatchObject({ code: "backup.repository_damaged" });
    expect(await faults(night(2))).toContain("IPAI-BACKUP-004 fail");
    await expect(test.carryOut("backup prune")).rejects.toMatchObject({ code: "backup.nothing_removed" });
    expect(await test.stored()).toEqual(["night1", "night2"]);
    // The older one, which the rules would have removed, is all that is left.
    await perform(test.restic.fetch("night1", join(test.folder, "whole")));
    await rename(join(test.folder, "lost"), pack);
    expect(await test.carryOut("backup check")).toMatchObject({ outcome: "succeeded" });
    expect(await test.carryOut("backup prune")).toMatchObject({ outcome: "succeeded" });
    expect(await test.stored()).toEqual(["night2"]);
  });
});

describe("a disk that is full", () => {
  it("under a copy leaves the others theirs, and what the copy had", async () => {
    const room = await fillDisk();
    await test.make("night3", night(3));
    const ended = await test.carryOut("backup copy");
    expect([ended.outcome, ended.error?.code]).toEqual(["undone", "backup.not_found"]);
    const steps = await test.app.control.db.selectFrom("steps").select("error").where("run", "=", ended.id).execute();
    expect(steps.map(({ error }) => error?.code)).toContain("backup.repository_full");
    expect(await test.stored(copyOf("small"))).toEqual(["night1", "night2"]);
    expect(await test.stored(copyOf("nearby"))).toEqual(["night1", "night2", "night3"]);
    await room();
    expect(await test.carryOut("backup copy")).toMatchObject({ outcome: "succeeded" });
    expect(await test.stored(copyOf("small"))).toEqual(["night1", "night2", "night3"]);
  });

  it("under a copy that is pruned keeps what it shall keep whole", async () => {
    const room = await fillDisk();
    const ended = await test.carryOut("backup prune", { repository: "small" });
    await room();
    expect(ended.error?.code ?? "none").toMatch(/^(none|backup\.(forget_failed|disk_full))$/);
    expect(await test.stored(copyOf("small"))).toContain("night3");
    await perform(copyOf("small").checkSample(100)).then(({ exitCode }) => expect(exitCode).toBe(0));
    expect(await test.carryOut("backup prune", { repository: "small" })).toMatchObject({ outcome: "succeeded" });
    expect(await test.stored(copyOf("small"))).toEqual(["night3"]);
  });
});

describe("a copy that is killed", () => {
  it.each(["do:copy nearby:before", "do:copy nearby:spawned", "do:note nearby:before"])(
    "at %s is gone on with, and has everything",
    async (point) => {
      const day = 4 + ["before", "spawned"].indexOf(point.split(":")[2] ?? "") + (point.includes("note") ? 2 : 0);
      await test.make(`night${day}`, night(day));
      const env = { IPAI_HOME: test.home };
      const nodeOptions = ["--import", join(root, "test/harness/kill-at.ts")];
      const given = ["--config", test.config, "backup", "copy", "--yes"];
      const killed = await ipai(given, { env: { ...env, KILL_AT: point }, nodeOptions });
      expect([killed.signal, killed.stderr]).toEqual(["SIGKILL", expect.any(String)]);
      const [struck] = await test.app.control.db
        .selectFrom("runs")
        .select("id")
        .where("status", "=", "running")
        .execute();
      const resumed = await ipai(["--config", test.config, "runs", "resume", struck?.id ?? ""], { env });
      expect([resumed.exitCode, resumed.stderr]).toEqual([0, expect.any(String)]);
      expect(await test.stored(copyOf("nearby"))).toContain(`night${day}`);
      expect(await test.carryOut("backup check")).toMatchObject({ outcome: "succeeded" });
    },
  );
});

describe("a clock", () => {
  /** This machine's, for `ipai` alone: the control database and everything else keep theirs. */
  const shifted = (by: string) => ({
    IPAI_HOME: test.home,
    LD_PRELOAD: "/usr/$LIB/faketime/libfaketime.so.1",
    FAKETIME: by,
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
  });
  const hasFaketime = (() => {
    try {
      return (
        execFileSync("faketime", ["-f", "+1y", "date", "+%Y"], { encoding: "utf8" }).trim() !==
        String(new Date().getFullYear())
      );
    } catch {
      return false;
    }
  })();

  it.skipIf(!hasFaketime)(
    `that is a year off for ipai alone removes no other set${hasFaketime ? "" : " (missing: faketime)"}`,
    async () => {
      await test.make("by hand", new Date(night(20).getTime() - 3_600_000), "by-hand");
      await test.make("night20", night(20));
      const plan = async (by: string) => {
        const ended = await ipai(["--config", test.config, "backup", "prune", "--plan", "--json"], {
          env: shifted(by),
        });
        expect([ended.exitCode, ended.stderr]).toEqual([0, expect.any(String)]);
        return (JSON.parse(ended.stdout) as { plan: { facts: unknown } }).plan.facts;
      };
      const facts = await plan("+0d");
      expect(facts).toMatchObject({ kept: { night20: expect.anything(), "by hand": expect.anything() } });
      expect(await plan("+1y")).toEqual(facts);
      expect(await plan("-1y")).toEqual(facts);
    },
  );

  it("of the database server that was a year ahead for a night makes nothing old, and the next set names it", async () => {
    await test.make("ahead", new Date(night(21).getTime() + 365 * 86_400_000));
    expect(await faults(night(21))).toContain("IPAI-BACKUP-011 warn");
    expect(await test.carryOut("backup prune")).toMatchObject({ outcome: "succeeded" });
    expect(await test.stored()).toEqual(expect.arrayContaining(["ahead", "by hand"]));
    await test.make("right again", night(22));
    const entry = (await listCatalogue(test.app.records, "sandbox")).find(({ id }) => id === "right again");
    expect(entry?.contradicts).toEqual(["ahead"]);
    const judge = {
      kind: "call",
      name: "backup.judge_clock",
      version: 1,
      input: { stack: "sandbox", id: "right again" },
    } as const;
    const { scope, signal } = scopeOf("right again");
    await expect(test.app.performer.perform(judge, scope, { signal, timeoutMs: 30_000 })).rejects.toMatchObject({
      code: "backup.clock_jumped",
      message: expect.stringContaining("right again (2026-11-24T18:00:00.000Z) was made after ahead (2027-"),
    });
    expect(await test.carryOut("backup prune")).toMatchObject({ outcome: "succeeded" });
    expect(await test.stored()).toEqual(expect.arrayContaining(["ahead", "by hand", "right again"]));
  });

  it("that fell back makes the set of that night no candidate, and a set without the wrong one is pruned as ever", async () => {
    await test.make("behind", new Date(night(23).getTime() - 700 * 86_400_000));
    expect(await test.carryOut("backup prune")).toMatchObject({ outcome: "succeeded" });
    expect(await test.stored()).toContain("behind");
    const found = JSON.parse((await perform(test.restic.list())).stdout) as { id: string; tags: string[] }[];
    const ahead = found.find(({ tags }) => tags.includes("run=ahead"))?.id ?? "";
    await perform(test.restic.forget([ahead]));
    await test.make("night24", night(24));
    for (const _ of ["notes what is missing", "removes"]) await test.carryOut("backup prune");
    const left = await test.stored();
    expect(left).toContain("night24");
    expect(left).not.toContain("right again");
    // It contradicts sets that are still there.
    expect(left).toContain("behind");
  });
});

describe("a password that is another one", () => {
  it("opens nothing, and the check says that it could not look, not that anything is damaged", async () => {
    const password = join(test.folder, "repository-password");
    await writeFile(password, "wrong\n");
    const ended = await test.carryOut("backup check");
    await writeFile(password, "secret\n");
    expect(ended.error).toMatchObject({ code: "backup.repository_unreadable" });
    expect(await faults(night(24))).not.toContain("IPAI-BACKUP-004 fail");
  });
});
