import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { listLinks } from "../../../src/engine/audit.ts";
import { findBackupFaults } from "../../../src/procedures/backup/findings.ts";
import type { RepositoryCopy } from "../../../src/stack/restic-copy.ts";
import { type BackupApp, startBackupApp } from "../../harness/backup-app.ts";
import { perform } from "../../harness/perform.ts";
import { type RepositoryServer, serveRest } from "../../harness/repositories.ts";
import { ipai, run } from "../../harness/sandbox.ts";
import { freePort, type Sshd, startSshd } from "../../harness/sshd.ts";

/** Second repositories behind real servers on the loopback: REST, REST that only lets itself be added to, SFTP, and a folder. */
let sshd: Sshd;
let test: BackupApp;
let rest: RepositoryServer;
let sealed: RepositoryServer;

beforeAll(async () => {
  sshd = await startSshd({ settings: ["Subsystem sftp internal-sftp"] });
  const ports = [await freePort("127.0.0.1"), await freePort("127.0.0.1")];
  const ssh = `ssh -F ${sshd.configFile} -p ${new URL(sshd.destination).port} root@127.0.0.1 -s sftp`;
  process.env["TEST_COPY_PASSWORD"] = "another 'secret'";
  test = await startBackupApp((folder) => {
    const passwordFile = join(folder, "repository-password");
    return {
      keep: { daily: 2, weekly: 0, monthly: 0 },
      check: { sample: 100 },
      copies: {
        offsite: { repository: `rest:http://127.0.0.1:${ports[0]}/`, password: "${TEST_COPY_PASSWORD}" },
        sealed: { repository: `rest:http://127.0.0.1:${ports[1]}/`, passwordFile, appendOnly: true },
        remote: { repository: `sftp:root@127.0.0.1:${folder}/remote`, passwordFile, options: [`sftp.command=${ssh}`] },
        nearby: { repository: join(folder, "nearby"), passwordFile },
      },
    };
  });
  rest = await serveRest(join(test.folder, "offsite"), ports[0] ?? 0);
  sealed = await serveRest(join(test.folder, "sealed"), ports[1] ?? 0, "--append-only");
});
afterAll(async () => {
  await rest.stop();
  await sealed.stop();
  await sshd[Symbol.asyncDispose]();
  await test[Symbol.asyncDispose]();
});

function copyOf(name: string): RepositoryCopy {
  const found = test.app.stack().copies.find((copy) => copy.name === name);
  if (found === undefined) throw new TypeError(name);
  return found;
}
const secrets = () => ({ "backup.copies.offsite.password": test.app.stack().secret("backup.copies.offsite.password") });
async function heldBy(name: string): Promise<readonly string[]> {
  return JSON.parse((await perform(copyOf(name).sets.action, { secrets: secrets() })).stdout) as string[];
}
const night = (day: number) => new Date(Date.parse("2026-11-02T18:00:00Z") + day * 86_400_000);
const faults = async (now: Date) =>
  (await findBackupFaults(test.app.records, test.app.stack(), now)).map(({ code, status }) => `${code} ${status}`);
const names = ["offsite", "sealed", "remote", "nearby"] as const;

// Every question to restic derives the key anew, which takes most of a second.
vi.setConfig({ testTimeout: 300_000 });

describe("copies", () => {
  it("get every set, each repository with its own password, and a second time nothing twice", async () => {
    await test.make("night1", night(1));
    await test.make("night2", night(2));
    expect(await test.carryOut("backup copy")).toMatchObject({ outcome: "succeeded" });
    await test.make("night3", night(3));
    expect(await test.carryOut("backup copy")).toMatchObject({ outcome: "succeeded" });
    for (const name of names) expect(await heldBy(name)).toEqual(["night1", "night2", "night3"]);
    expect(await test.stored(copyOf("nearby"))).toHaveLength(3);
    expect(await faults(night(9))).toEqual([]);
    // Only its own password opens it.
    const wrong = await run("restic", ["-r", copyOf("offsite").repository, "--no-cache", "cat", "config"], {
      env: { RESTIC_PASSWORD_FILE: join(test.folder, "repository-password") },
    });
    expect(wrong.stderr).toContain("wrong password");
  });

  it("of which one is away lag by that one alone, which is told once it matters", async () => {
    await rest.stop();
    await test.make("night4", night(4));
    const ended = await test.carryOut("backup copy");
    expect([ended.outcome, ended.error?.code]).not.toContain("succeeded");
    expect(ended.error?.code).toMatch(/^backup\./);
    for (const name of names.slice(1)) expect(await heldBy(name)).toContain("night4");
    expect(await faults(new Date(night(4).getTime() + 20 * 3_600_000))).toEqual([]);
    expect(await faults(new Date(night(4).getTime() + 25 * 3_600_000))).toEqual(["IPAI-BACKUP-003 warn"]);
    rest = await serveRest(join(test.folder, "offsite"), rest.port);
    expect(await test.carryOut("backup copy")).toMatchObject({ outcome: "succeeded" });
    expect(await heldBy("offsite")).toContain("night4");
    expect(await faults(night(9))).toEqual([]);
  });
});

describe("retention", () => {
  it("of a copy follows the same rules, and what was removed is not brought again", async () => {
    expect(await test.carryOut("backup prune")).toMatchObject({ outcome: "succeeded" });
    expect(await test.stored()).toEqual(["night3", "night4"]);
    expect(await test.carryOut("backup prune", { repository: "offsite" })).toMatchObject({ outcome: "succeeded" });
    expect(await test.carryOut("backup copy")).toMatchObject({ outcome: "succeeded" });
    expect(await heldBy("offsite")).toEqual(["night3", "night4"]);
    expect(await heldBy("remote")).toHaveLength(4);
  });

  it("of one that can only be added to is refused, and its server would not have let it happen", async () => {
    const asked = test.carryOut("backup prune", { repository: "sealed" });
    await expect(asked).rejects.toMatchObject({ code: "backup.append_only" });
    await expect(test.carryOut("backup prune", { repository: "other" })).rejects.toMatchObject({
      code: "backup.repository_unknown",
    });
    const { stdout } = await perform(copyOf("sealed").list());
    const [first] = JSON.parse(stdout) as { id: string }[];
    await perform(copyOf("sealed").forget([first?.id ?? ""])).catch(() => undefined);
    expect(await heldBy("sealed")).toEqual(["night1", "night2", "night3", "night4"]);
  });
});

describe("the check", () => {
  it("finds a flipped bit in the copy that has it, keeps the answer, and tells it", async () => {
    expect(await test.carryOut("backup check")).toMatchObject({ outcome: "succeeded" });
    expect(await faults(night(4))).toEqual([]);
    expect(await faults(new Date(Date.now() + 9 * 86_400_000))).toContain("IPAI-BACKUP-004 warn");
    const packs = (await readdir(join(test.folder, "nearby/data"), { recursive: true })).filter(
      (one) => one.length > 60,
    );
    const file = join(test.folder, "nearby/data", packs[0] ?? "");
    const content = await readFile(file);
    content[10] = (content[10] ?? 0) ^ 1;
    await rm(file);
    await writeFile(file, content);
    const ended = await test.carryOut("backup check");
    expect(ended.error).toMatchObject({ code: "backup.repository_damaged" });
    expect(await faults(night(4))).toEqual(["IPAI-BACKUP-004 fail"]);
    const [finding] = await findBackupFaults(test.app.records, test.app.stack(), night(4));
    expect(finding?.hint).toContain("nearby is damaged");
    expect(finding?.hint).not.toContain("remote");
  });

  it("tells one that cannot be reached from one that is damaged", async () => {
    await rest.stop();
    await rm(join(test.folder, "nearby"), { recursive: true });
    await test.carryOut("backup check");
    const [finding] = await findBackupFaults(test.app.records, test.app.stack(), night(4));
    expect(finding).toMatchObject({ code: "IPAI-BACKUP-004", status: "warn" });
    expect(finding?.hint).toContain("offsite could not be read, nearby could not be read");
  });
});

describe("the key", () => {
  it("opens every repository on another machine, is for one user alone, and replaces no other", async () => {
    const file = join(test.folder, "key");
    const env = { IPAI_HOME: test.home, TEST_COPY_PASSWORD: "another 'secret'" };
    const given = ["--config", test.config, "backup", "key", "export", "--output", file];
    const written = await ipai(given, { env });
    expect([written.exitCode, written.stdout]).toEqual([0, ""]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const opened = await run("bash", ["-c", `. "$1"; primary; restic --no-cache snapshots --json`, "try", file]);
    expect(opened.stdout).toContain("run=night4");
    const other = await run("bash", ["-c", '. "$1"; offsite; printf %s "$RESTIC_PASSWORD"', "try", file]);
    expect(other.stdout).toBe("another 'secret'");
    expect(await ipai(given, { env })).toMatchObject({ exitCode: 14 });
    const told = (await listLinks(test.app.control)).filter(({ action }) => action === "key.exported");
    expect(told).toMatchObject([{ stack: "sandbox", detail: { repositories: ["primary", ...names], to: file } }]);
    expect(JSON.stringify(await listLinks(test.app.control))).not.toContain("another 'secret'");
  });

  it("is not handed out where that cannot be recorded", async () => {
    const { db } = test.app.control;
    const file = join(test.folder, "unrecorded");
    const env = { IPAI_HOME: test.home, TEST_COPY_PASSWORD: "another 'secret'" };
    const given = ["--config", test.config, "backup", "key", "export"];
    await sql`alter table audit add constraint closed check (action <> 'key.exported') not valid`.execute(db);
    try {
      const printed = await ipai(given, { env });
      expect(printed).toMatchObject({ exitCode: 70, stdout: "", stderr: expect.stringContaining("closed") });
      const written = await ipai([...given, "--output", file], { env });
      expect(written).toMatchObject({ exitCode: 70, stderr: expect.stringContaining("closed") });
      await expect(stat(file)).rejects.toMatchObject({ code: "ENOENT" });
    } finally {
      await sql`alter table audit drop constraint closed`.execute(db);
    }
  });
});
