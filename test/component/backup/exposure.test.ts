import { execFileSync } from "node:child_process";
import { mkdir, rename, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { App } from "../../../src/cli/app.ts";
import { recordBackup, recordDoubt, recordProof } from "../../../src/procedures/backup/calls.ts";
import { readExposure } from "../../../src/procedures/backup/exposure/facts.ts";
import { sayExposure } from "../../../src/procedures/backup/exposure/say.ts";
import { type HealthReport, runChecks } from "../../../src/procedures/monitoring/check.ts";
import { healthChecks } from "../../../src/procedures/monitoring/health.ts";
import { createFactReader } from "../../../src/procedures/procedure.ts";
import { type Archived, carryOut, createArchived, lacking } from "../../harness/archive.ts";
import { scopeOf } from "../../harness/backup-app.ts";
import { perform } from "../../harness/perform.ts";

/** What a dead server would take, measured on a real archive and a real repository while one thing after the other is broken and mended. */
describe.skipIf(lacking.length > 0)(
  `the exposure of a stack${lacking.length > 0 ? ` (missing: ${lacking.join(", ")})` : ""}`,
  () => {
    let test: Archived;
    let app: App;
    let health: HealthReport;

    beforeAll(async () => {
      test = await createArchived(29_520);
      app = await test.app();
      await writeFile(join(test.folder, "repository-password"), "secret\n");
      test.sql("create database odoo");
      const filestore = join(test.folder, "odoo/filestore/odoo/ab");
      await mkdir(filestore, { recursive: true });
      await writeFile(join(filestore, "abcd"), "a file");
    });
    afterAll(() => test[Symbol.asyncDispose]());

    const later = (days: number) => new Date(Date.now() + days * 86_400_000);

    /** As `ipai status` measures it, at an instant; of the checks only those of what is here. */
    async function look(now = new Date()) {
      const stack = app.stack();
      const mine = ["IPAI-WAL-001", "IPAI-BACKUP-005"];
      const checks = healthChecks(stack).filter(({ code }) => mine.includes(code));
      health = await runChecks(stack, app.performer, checks);
      const exposed = await readExposure(createFactReader(stack, app.performer, app.records), health, now);
      if (exposed === undefined) throw new TypeError("the stack has a repository");
      const all = [...health.checks, ...exposed.findings].filter(({ status }) => status !== "ok");
      return {
        ...exposed.exposure,
        red: all.map(({ code, status }) => `${code.slice("IPAI-".length)} ${status}`).toSorted(),
        text: sayExposure(exposed.exposure, stack.config),
      };
    }

    async function makeSet(id: string): Promise<void> {
      const { restic } = app.stack();
      const set = join(test.folder, "set");
      await mkdir(set, { recursive: true });
      await writeFile(join(set, "dump"), id);
      const takenAt = new Date().toISOString();
      if (restic === undefined) throw new TypeError("the stack has a repository");
      await perform(restic.store(set, takenAt.slice(0, 19).replace("T", " "), "scheduled"), { run: id });
      const sizes = { databaseBytes: 1_000_000, filestoreBytes: 1_000_000, storedBytes: 1, setBytes: 1 };
      const entry = { stack: "sandbox", id, takenAt, reason: "scheduled", files: 1, unsound: 0, ...sizes };
      await recordBackup(app.records)(entry, scopeOf(id));
    }

    const drilled = (seconds: number) =>
      app.records.put({
        ...{ kind: "recovery", id: "drill", stack: "sandbox", run: "drill" },
        data: {
          ...{ what: "server", mode: "drill", run: "drill", at: new Date().toISOString(), seconds, phases: [] },
          ...{ databaseBytes: 1_000_000_000, filestoreBytes: 1_000_000, lossSeconds: 60 },
        },
      });

    it("is everything while there is nothing", async () => {
      const found = await look();
      expect(found).toMatchObject({ dataAtRiskSeconds: null, cause: "everything", recoverSeconds: null });
      expect(found.red).toEqual(["BACKUP-005 warn", "BACKUP-009 fail", "WAL-001 fail"]);
      expect(found.text).toContain("everything would be lost");
    });

    it("is the age of the set once there is one, and seconds once archive and files are kept", async () => {
      await perform(app.stack().restic?.initialise() ?? never());
      await makeSet("night1");
      expect(await look()).toMatchObject({ cause: "set", dataAtRiskSeconds: expect.toSatisfy((age) => age < 60) });
      expect((await carryOut(app, "wal setup")).outcome).toBe("succeeded");
      // Changes alone do not make an instant: its files are as old as the set.
      expect((await look()).cause).toBe("set");
      expect((await carryOut(app, "backup files")).outcome).toBe("succeeded");
      const found = await look(later(0.2));
      expect(found).toMatchObject({
        cause: "archive",
        filesSeconds: 0,
        setSeconds: expect.toSatisfy((age) => age > 17_000),
      });
      expect(found.dataAtRiskSeconds).toBeLessThanOrEqual(60);
      // What was never tried, what is nowhere else, and what nobody knows.
      expect(found.red).toEqual(["BACKUP-006 warn", "BACKUP-007 warn", "BACKUP-008 warn", "BACKUP-010 unknown"]);
      expect(found.isOnSameDisk).toBe(true);
      expect(found.text).toContain("nothing off-site, all on the server's own disk");
    });

    it("knows what a proof and a drill took, and tells when they have grown old", async () => {
      const counts = { tables: 1, rows: 1, attachments: 1, unsound: 0, databaseBytes: 1_000_000, takenAt: "" };
      await recordProof(app.records)({ stack: "sandbox", backup: "night1", run: "v", ...counts }, scopeOf("v"));
      expect(await look()).toMatchObject({ recoverBy: { by: "proof" }, red: ["BACKUP-007 warn", "BACKUP-008 warn"] });
      await drilled(240);
      const found = await look();
      expect(found).toMatchObject({ recoverSeconds: 240, recoverBy: { by: "drill" }, red: ["BACKUP-008 warn"] });
      expect(found.text).toContain("back in about 4 min (drill of ");
      expect((await look(later(11))).red).toContain("BACKUP-006 warn");
      expect((await look(later(36))).red).toContain("BACKUP-006 fail");
      expect((await look(later(101))).red).toContain("BACKUP-007 warn");
      expect((await look(later(201))).red).toContain("BACKUP-007 fail");
      await drilled(20_000);
      expect((await look()).red).toEqual(["BACKUP-008 warn", "BACKUP-010 fail"]);
      await drilled(240);
      await recordDoubt(app.records)({ stack: "sandbox", backup: "night1", run: "w" }, scopeOf("w"));
      expect((await look(later(1.1))).red).toContain("BACKUP-006 fail");
      await recordProof(app.records)({ stack: "sandbox", backup: "night1", run: "v", ...counts }, scopeOf("v"));
      expect((await look()).red).toEqual(["BACKUP-008 warn"]);
    });

    it("falls back to the set when the archive stops, and comes back with it", async () => {
      const conf = join(test.folder, "postgresql/15/sandbox/ipai-wal");
      const pgbackrest = `pgbackrest --config="$1/pgbackrest.conf" --stanza=odoo`;
      test.shell(`${pgbackrest} stop`, conf);
      test.sql("create table t1 as select generate_series(1, 1000)", "odoo");
      test.sql("select pg_switch_wal()");
      await expect.poll(async () => (await look()).red, { timeout: 30_000 }).toContain("WAL-001 fail");
      // A day of it: the set is a day old, and what waits for the archive no younger than its mark says.
      execFileSync("sh", [
        "-c",
        'find "$1/pg_wal/archive_status" -name "*.ready" -exec touch -d "-25 hours" {} +',
        "age",
        join(test.folder, "data"),
      ]);
      const found = await look(later(1.05));
      expect(found.archiveSeconds).toBeGreaterThan(25 * 3600);
      expect(found.dataAtRiskSeconds).toBeGreaterThan(25 * 3600);
      expect(found.red).toEqual(["BACKUP-008 warn", "BACKUP-009 warn", "WAL-001 fail"]);
      expect((await look(later(1.6))).red).toContain("WAL-001 fail");
      test.shell(`${pgbackrest} start`, conf);
      await expect.poll(async () => (await look()).red, { timeout: 90_000 }).toEqual(["BACKUP-008 warn"]);
    }, 150_000);

    it("does not believe an archive whose repository is away", async () => {
      await rename(test.repository, `${test.repository}-away`);
      try {
        const found = await look(later(0.5));
        expect(found).toMatchObject({ cause: "set", archiveSeconds: null });
        expect(found.red).toContain("WAL-001 fail");
      } finally {
        await rename(`${test.repository}-away`, test.repository);
      }
      expect((await look(later(0.5))).cause).toBe("archive");
    });

    it("is as old as the oldest file that was not stored", async () => {
      const ago = (hours: number) => new Date(Date.now() - hours * 3_600_000);
      const note = join(test.folder, "work/files-stored");
      const file = join(test.folder, "odoo/filestore/odoo/ab/later");
      await utimes(note, ago(7), ago(7));
      await writeFile(file, "later");
      await utimes(file, ago(6), ago(6));
      const found = await look(later(0.5));
      expect(found).toMatchObject({ cause: "files", red: ["BACKUP-005 warn", "BACKUP-008 warn"] });
      expect(found.text).toContain("at most 6 h of work lost (changes ");
      await utimes(note, ago(26), ago(26));
      await utimes(file, ago(25), ago(25));
      expect((await look(later(2))).red).toEqual(["BACKUP-005 fail", "BACKUP-008 warn", "BACKUP-009 warn"]);
      expect((await carryOut(app, "backup files")).outcome).toBe("succeeded");
      expect((await look(later(0.5))).cause).toBe("archive");
    });

    it("is everything again when the first repository and the archive are away", async () => {
      const repository = join(test.folder, "repository");
      await rename(repository, `${repository}-away`);
      await rename(test.repository, `${test.repository}-away`);
      try {
        expect((await look()).red).toEqual(["BACKUP-005 fail", "BACKUP-009 fail", "WAL-001 fail"]);
      } finally {
        await rename(`${repository}-away`, repository);
        await rename(`${test.repository}-away`, test.repository);
      }
      expect((await look()).red).toEqual(["BACKUP-008 warn"]);
    });

    it("is safe elsewhere only as far as a copy on another machine has it", async () => {
      const { backup } = app.stack().config;
      const away = { ...backup, copies: { vault: { repository: "sftp:backup@vault:/srv", offsite: undefined } } };
      const elsewhere = { ...app.stack().config, backup: away } as never;
      const stack = { ...app.stack(), config: elsewhere };
      const ask = async () =>
        (await readExposure(createFactReader(stack, app.performer, app.records), health, later(0.5)))?.exposure;
      expect((await ask())?.offsiteSeconds).toBeNull();
      const state = { name: "vault", sets: ["night1"], copiedAt: new Date().toISOString(), check: null };
      await app.records.put({ kind: "repository", id: "sandbox/vault", stack: "sandbox", run: null, data: state });
      expect((await ask())?.offsiteSeconds).toBeGreaterThan(11 * 3600);
    });
  },
);

function never(): never {
  throw new TypeError("the stack has a repository");
}
