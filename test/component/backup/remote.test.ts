import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { findBackupFaults } from "../../../src/procedures/backup/findings.ts";
import { type BackupApp, startBackupApp } from "../../harness/backup-app.ts";
import { perform } from "../../harness/perform.ts";
import {
  type RepositoryServer,
  rclone,
  type S3Server,
  s3Lacks,
  serveRest,
  serveS3,
} from "../../harness/repositories.ts";
import { ipai, run } from "../../harness/sandbox.ts";
import { freePort, startSshd } from "../../harness/sshd.ts";

/** The first repository behind an address instead of in a folder, and an S3 one as a copy: each a real server on the loopback. */

// Every question to restic derives the key anew, which takes most of a second.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 60_000 });

const night = (day: number) => new Date(Date.parse("2026-11-02T18:00:00Z") + day * 86_400_000);

/** What a test needs to know of one kind of server. */
interface Remote extends AsyncDisposable {
  readonly settings: Readonly<Record<string, unknown>>;
  away(): Promise<void>;
  back(): Promise<void>;
  /** Flips one bit of one pack; what comes back flips it back. */
  flip(): Promise<() => Promise<void>>;
}

const kinds: Readonly<Record<string, (folder: string) => Promise<Remote>>> = { rest, sftp, s3 };
const missing: Readonly<Record<string, string>> = { s3: s3Lacks };

async function rest(folder: string): Promise<Remote> {
  const port = await freePort("127.0.0.1");
  const files = join(folder, "rest");
  let server: RepositoryServer = await serveRest(files, port);
  return {
    flip: () => flipInFile(files),
    settings: { repository: `rest:http://127.0.0.1:${port}/` },
    away: () => server.stop(),
    back: async () => {
      server = await serveRest(files, port);
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

async function sftp(folder: string): Promise<Remote> {
  const sshd = await startSshd({ settings: ["Subsystem sftp internal-sftp"] });
  const ssh = `ssh -F ${sshd.configFile} -p ${new URL(sshd.destination).port} root@127.0.0.1 -s sftp`;
  const keys = join(sshd.folder, "authorized_keys");
  const content = await readFile(keys, "utf8");
  return {
    flip: () => flipInFile(join(folder, "sftp")),
    settings: { repository: `sftp:root@127.0.0.1:${folder}/sftp`, options: [`sftp.command=${ssh}`] },
    away: () => writeFile(keys, ""),
    back: () => writeFile(keys, content),
    [Symbol.asyncDispose]: () => sshd[Symbol.asyncDispose](),
  };
}

async function s3(folder: string): Promise<Remote> {
  const port = await freePort("127.0.0.1");
  const files = join(folder, "s3");
  let server = await serveS3(files, port);
  Object.assign(process.env, named(server));
  return {
    flip: () => flipInS3(server),
    settings: { repository: `s3:${server.url}/backups`, environment: references(server) },
    away: () => server.stop(),
    back: async () => {
      server = await serveS3(files, port, server.certificate);
    },
    [Symbol.asyncDispose]: async () => {
      await server.stop();
      server[Symbol.dispose]();
    },
  };
}

/** The variables of this process that hold what restic needs, and how the configuration refers to them. */
const named = ({ environment }: S3Server) =>
  Object.fromEntries(Object.entries(environment).map(([name, value]) => [`TEST_${name}`, value]));
const references = ({ environment }: S3Server) =>
  Object.fromEntries(Object.keys(environment).map((name) => [name, `\${TEST_${name}}`]));

/** In a pack that lies on a disk of this machine. */
async function flipInFile(below: string): Promise<() => Promise<void>> {
  const found = await run("find", [join(below, "data"), "-type", "f", "-size", "+300c"]);
  const [file = ""] = found.stdout.trim().split("\n").sort();
  const whole = await readFile(file);
  await rm(file);
  await writeFile(file, flipped(whole));
  return () => writeFile(file, whole);
}

/** As whoever may write there would: of a file on its own disk that is not what it was, Swift says that there is none. */
async function flipInS3(server: S3Server): Promise<() => Promise<void>> {
  const [name = ""] = rclone(server, ["lsf", "-R", "--files-only", ":s3:backups/data"])
    .toString()
    .split("\n")
    .sort()
    .slice(1);
  const whole = rclone(server, ["cat", `:s3:backups/data/${name}`]);
  rclone(server, ["rcat", `:s3:backups/data/${name}`], flipped(whole));
  return async () => void rclone(server, ["rcat", `:s3:backups/data/${name}`], whole);
}

function flipped(whole: Buffer): Buffer {
  const broken = Buffer.from(whole);
  const middle = Math.floor(broken.length / 2);
  broken[middle] = (broken[middle] ?? 0) ^ 1;
  return broken;
}

const cases = Object.keys(kinds).map((kind) => ({ kind, lacks: missing[kind] ?? "" }));

describe.each(cases)("a first repository behind $kind", ({ kind, lacks }) => {
  let remote: Remote;
  let test: BackupApp;

  describe.skipIf(lacks !== "")(lacks === "" ? "is there" : `missing: ${lacks}`, () => {
    beforeAll(async () => {
      test = await startBackupApp(async (folder) => {
        remote = await (kinds[kind] ?? rest)(folder);
        return {
          ...remote.settings,
          keep: { daily: 2, weekly: 0, monthly: 0 },
          check: { sample: 100 },
          copies: { nearby: { repository: join(folder, "nearby"), passwordFile: join(folder, "repository-password") } },
        };
      });
    });
    afterAll(async () => {
      await remote[Symbol.asyncDispose]();
      await test[Symbol.asyncDispose]();
    });

    it("takes sets, gives them back, and its copies are filled from it", async () => {
      for (const day of [1, 2, 3]) await test.make(`night${day}`, night(day));
      expect(await test.stored()).toEqual(["night1", "night2", "night3"]);
      expect(await readdir(test.folder)).not.toContain("repository");
      await perform(test.restic.fetch("night2", join(test.folder, "back")), { secrets: test.secrets });
      expect(await readFile(join(test.folder, "back/dump"), "utf8")).toBe("night2\n".repeat(20_000));
      expect(await test.carryOut("backup copy")).toMatchObject({ outcome: "succeeded" });
      const [nearby] = test.app.stack().copies;
      expect(nearby && (await test.stored(nearby))).toEqual(["night1", "night2", "night3"]);
    });

    it("is pruned as one in a folder is", async () => {
      expect(await test.carryOut("backup prune")).toMatchObject({ outcome: "succeeded", error: null });
      expect(await test.stored()).toEqual(["night2", "night3"]);
      await perform(test.restic.check(), { secrets: test.secrets });
    });

    it("that has a flipped bit is damaged, and sound again without it", async () => {
      const mend = await remote.flip();
      expect((await test.carryOut("backup check")).error).toMatchObject({ code: "backup.repository_damaged" });
      await expect(perform(test.restic.check(), { secrets: test.secrets })).rejects.toMatchObject({
        code: "backup.repository_damaged",
      });
      const faults = await findBackupFaults(test.app.records, test.app.stack(), night(4));
      expect(faults).toMatchObject([{ code: "IPAI-BACKUP-004", status: "fail" }]);
      await mend();
      expect(await test.carryOut("backup check")).toMatchObject({ outcome: "succeeded" });
    });

    it("that is away is not damaged, is not made anew, and loses nothing", async () => {
      await remote.away();
      try {
        const ended = await test.carryOut("backup check");
        expect(ended.error).toMatchObject({ code: "backup.repository_unreadable" });
        for (const procedure of ["backup copy", "backup prune"])
          await expect(test.carryOut(procedure)).rejects.toMatchObject({ code: "backup.repository_unreadable" });
      } finally {
        await remote.back();
      }
      expect(await test.stored()).toEqual(["night2", "night3"]);
    });

    it("with another password is told from one that is not there", async () => {
      const { repository, isInitialised } = test.restic;
      expect(await exitCodeOf(isInitialised())).toBe(0);
      const password = join(test.folder, "repository-password");
      await writeFile(password, "wrong\n");
      try {
        await expect(exitCodeOf(isInitialised())).rejects.toMatchObject({ code: "backup.repository_unreadable" });
      } finally {
        await writeFile(password, "secret\n");
      }
      expect(repository).toMatch(/^(rest|sftp|s3):/);
    });

    it("is opened with what the exported key has, and nothing else", async () => {
      const file = join(test.folder, "key");
      const given = ["--config", test.config, "backup", "key", "export", "--output", file];
      expect(await ipai(given, { env: { ...process.env, IPAI_HOME: test.home } })).toMatchObject({ exitCode: 0 });
      const option = ((remote.settings["options"] ?? []) as string[]).flatMap((one) => ["-o", one]);
      const script = '. "$1"; shift; primary; exec restic --no-cache "$@" snapshots --json';
      const opened = await run("bash", ["-c", script, "try", file, ...option]);
      expect(opened.stdout).toContain("run=night3");
      await rm(file);
    });

    const exitCodeOf = async (probe: ReturnType<typeof test.restic.isInitialised>) =>
      (await perform(probe.action, { secrets: test.secrets })).exitCode;
  });
});

describe.skipIf(s3Lacks !== "")(`a copy behind s3${s3Lacks === "" ? "" : ` (missing: ${s3Lacks})`}`, () => {
  let remote: Remote;
  let test: BackupApp;
  const held = async () => {
    const [cloud] = test.app.stack().copies;
    return cloud === undefined ? [] : test.stored(cloud);
  };

  beforeAll(async () => {
    test = await startBackupApp(async (folder) => {
      remote = await s3(folder);
      const passwordFile = join(folder, "repository-password");
      const keep = { daily: 1, weekly: 0, monthly: 0 };
      return { keep, check: { sample: 100 }, copies: { cloud: { ...remote.settings, passwordFile } } };
    });
  });
  afterAll(async () => {
    await remote[Symbol.asyncDispose]();
    await test[Symbol.asyncDispose]();
  });

  it("lags while it is away, and has everything when it is back", async () => {
    await test.make("night1", night(1));
    expect(await test.carryOut("backup copy")).toMatchObject({ outcome: "succeeded" });
    await remote.away();
    await test.make("night2", night(2));
    expect((await test.carryOut("backup copy")).error?.code).toBe("backup.repository_unreadable");
    expect((await test.carryOut("backup check")).error?.code).toBe("backup.repository_unreadable");
    await remote.back();
    expect(await held()).toEqual(["night1"]);
    expect(await test.carryOut("backup copy")).toMatchObject({ outcome: "succeeded" });
    expect(await held()).toEqual(["night1", "night2"]);
  });

  it("is pruned by the same rules, and a flipped bit in it is found", async () => {
    expect(await test.carryOut("backup prune", { repository: "cloud" })).toMatchObject({ outcome: "succeeded" });
    expect(await held()).toEqual(["night2"]);
    const mend = await remote.flip();
    expect((await test.carryOut("backup check")).error?.code).toBe("backup.repository_damaged");
    const [fault] = await findBackupFaults(test.app.records, test.app.stack(), night(3));
    expect(fault?.hint).toContain("cloud is damaged");
    await mend();
    expect(await test.carryOut("backup check")).toMatchObject({ outcome: "succeeded" });
  });
});
