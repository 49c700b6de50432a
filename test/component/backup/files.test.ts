import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { appendFile, mkdir, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { listFilesNotes } from "../../../src/procedures/backup/files/notes.ts";
import { findMissing } from "../../../src/procedures/backup/restore/files.ts";
import { runChecks } from "../../../src/procedures/monitoring/check.ts";
import { healthChecks } from "../../../src/procedures/monitoring/health.ts";
import { walk } from "../../../src/runbook/plan.ts";
import { type BackupApp, startBackupApp } from "../../harness/backup-app.ts";
import { perform } from "../../harness/perform.ts";
import { serveRest } from "../../harness/repositories.ts";
import { until } from "../../harness/sandbox.ts";
import { freePort } from "../../harness/sshd.ts";

/** New files of the filestore in a real repository: stored once, found again when Odoo has removed them, thinned, and no set. */
let test: BackupApp;
let filestore: string;

beforeAll(async () => {
  test = await startBackupApp((folder) => ({
    filesEvery: "1m",
    keep: { daily: 2, weekly: 0, monthly: 0 },
    copies: { second: { repository: join(folder, "second"), passwordFile: join(folder, "repository-password") } },
  }));
  filestore = join(test.folder, "odoo/filestore/odoo");
  await mkdir(join(filestore, "checklist"), { recursive: true });
});
afterAll(() => test[Symbol.asyncDispose]());

const nameOf = (content: string) => {
  const sum = createHash("sha1").update(content).digest("hex");
  return `${sum.slice(0, 2)}/${sum}`;
};

/** As Odoo does: a file by the name of its content, and an empty one by which its clean-up finds it. */
async function attach(content: string): Promise<string> {
  const name = nameOf(content);
  for (const path of [name, `checklist/${name}`]) await mkdir(join(filestore, path, ".."), { recursive: true });
  await writeFile(join(filestore, name), content);
  await writeFile(join(filestore, "checklist", name), "");
  return name;
}

const ship = async () =>
  expect(await test.carryOut("backup files")).toMatchObject({ outcome: "succeeded", error: null });

interface Snapshot {
  readonly id: string;
  readonly tags: readonly string[];
  readonly original?: string;
}
async function snapshots(name?: string): Promise<readonly Snapshot[]> {
  const { restic, copies } = test.app.stack();
  const one = name === undefined ? restic : copies.find((copy) => copy.name === name);
  const all = one === undefined ? [] : (JSON.parse((await perform(one.list())).stdout) as Snapshot[]);
  return all.filter(({ tags }) => tags.includes("files"));
}

async function finding() {
  const stack = test.app.stack();
  const checks = healthChecks(stack).filter(({ code }) => code === "IPAI-BACKUP-005");
  return (await runChecks(stack, test.app.performer, checks)).checks[0];
}

/** What a restore does once it knows what is missing; gives what is missing still. */
async function find(names: readonly string[]): Promise<readonly string[]> {
  const stack = test.app.stack();
  const [folder, copy] = [join(test.folder, "past"), join(test.folder, "odoo/filestore/odoo_past_one")];
  for (const path of [folder, copy]) await mkdir(path, { recursive: true });
  const fileIn = (name: string) => join(folder, name);
  const search = { list: fileIn("attachments"), missing: fileIn("missing"), repository: stack.restic };
  const step = findMissing(stack, search).find(({ id }) => id === "stored files");
  if (step === undefined) throw new TypeError("there is no such step");
  const list = names.map((name) => `${name.slice(3)}  ${name}\n`).join("");
  await writeFile(fileIn("attachments"), list);
  await writeFile(fileIn("missing"), names.map((name) => `${name}\n`).join(""));
  await perform(step.action);
  return (await readFile(fileIn("missing"), "utf8")).split("\n").filter((name) => name !== "");
}

describe("new files", () => {
  it("wait for the first backup where there is no repository yet", async () => {
    const repository = join(test.folder, "repository");
    await rename(repository, `${repository}-away`);
    try {
      expect((await test.app.plan("backup files", "sandbox", {})).steps).toEqual([]);
    } finally {
      await rename(`${repository}-away`, repository);
    }
  });

  it("are stored, once, without what only Odoo's clean-up needs, and hold nobody up", async () => {
    const first = await attach("first");
    expect((await finding())?.status).toBe("warn");
    const plan = await test.app.plan("backup files", "sandbox", {});
    expect(plan.lease).toBe("none");
    await ship();
    expect(await snapshots()).toHaveLength(1);
    expect(await finding()).toMatchObject({ status: "ok", value: 0 });
    await ship();
    await ship();
    const [only, ...others] = await snapshots();
    expect(others).toEqual([]);
    const listed = execFileSync("restic", ["-r", join(test.folder, "repository"), "--no-cache", "ls", only?.id ?? ""], {
      env: { ...process.env, RESTIC_PASSWORD_FILE: join(test.folder, "repository-password") },
      encoding: "utf8",
    });
    expect(listed).toContain(`/${first}`);
    expect(listed).not.toContain("checklist");
    // Nobody is told of a time at which all went well.
    const quiet = await test.app.control.db.selectFrom("runs").select("is_quiet").execute();
    expect(quiet.every((run) => run.is_quiet)).toBe(true);
  });

  it("that wait are told with their age, and are not when they are stored", async () => {
    const name = await attach("waits");
    // An hour old, and the note older still: as if nothing had been stored for two.
    const ago = (hours: number) => new Date(Date.now() - hours * 3_600_000);
    const note = join(test.folder, "work/files-stored");
    await utimes(note, ago(2), ago(2));
    await utimes(join(filestore, name), ago(1), ago(1));
    expect(await finding()).toMatchObject({
      status: "warn",
      value: expect.toSatisfy((age) => age > 3590 && age < 3700),
    });
    await utimes(note, ago(48), ago(48));
    await utimes(join(filestore, name), ago(25), ago(25));
    expect(await finding()).toMatchObject({ status: "fail" });
    await ship();
    expect(await finding()).toMatchObject({ status: "ok", value: 0 });
  });

  it("are not taken for stored when the repository lost their snapshot, or is away", async () => {
    const [last] = (await snapshots()).slice(-1);
    const path = join(test.folder, "repository/snapshots", last?.id ?? "");
    await rename(path, join(test.folder, "lost"));
    expect(await finding()).toMatchObject({ status: "fail", hint: expect.stringContaining("does not hold") });
    // The next one sees it and stores everything anew.
    await ship();
    expect(await finding()).toMatchObject({ status: "ok" });
    await rename(join(test.folder, "lost"), path);
    const repository = join(test.folder, "repository");
    await rename(repository, `${repository}-away`);
    expect(await finding()).toMatchObject({ status: "fail" });
    await rename(`${repository}-away`, repository);
    await rename(filestore, `${filestore}-away`);
    expect(await finding()).toMatchObject({ status: "unknown" });
    await rename(`${filestore}-away`, filestore);
    expect(await finding()).toMatchObject({ status: "ok" });
  });

  it("of which one cannot be read are not called stored", async () => {
    const name = await attach("unreadable");
    const path = join(filestore, name);
    // What is opened there says that there is no such process.
    execFileSync("mount", ["--bind", "/proc/self/mem", path]);
    try {
      const ended = await test.carryOut("backup files");
      expect(ended.error?.code).toBe("backup.source_unreadable");
    } finally {
      execFileSync("umount", [path]);
    }
    expect((await readdir(join(test.folder, "work"))).filter((one) => one.startsWith("files-stored"))).toEqual([
      "files-stored",
    ]);
    await ship();
  });

  it("wait for whoever holds the repository for itself; a dead one's lock keeps nobody", async () => {
    await attach("after a lock");
    // It takes its lock, and stands still.
    const holder = spawn("python3", ["-c", holdScript, test.folder], { stdio: ["ignore", "pipe", "inherit"] });
    const [held] = await once(holder.stdout, "data");
    const restic = Number(String(held));
    const shipped = ship();
    const work = join(test.folder, "work");
    const said = async () => (await readdir(work)).find((name) => name.endsWith(".errors"));
    await until("it has met the lock", async () =>
      (await readFile(join(work, (await said()) ?? "none"), "utf8").catch(() => "")).includes("already locked"),
    );
    expect(await finding()).toMatchObject({ value: expect.toSatisfy((age) => age < 60) });
    process.kill(restic, "SIGKILL");
    await once(holder, "exit");
    expect(await readdir(join(test.folder, "repository/locks"))).toHaveLength(1);
    await shipped;
    expect(await readdir(join(test.folder, "repository/locks"))).toEqual([]);
  });
});

/** Prints the number of a restic that holds the repository's exclusive lock. */
const holdScript = `
import os, signal, subprocess, sys, time, glob
folder = sys.argv[1]
env = dict(os.environ, RESTIC_PASSWORD_FILE=folder + "/repository-password", RESTIC_REPOSITORY=folder + "/repository")
locks = folder + "/repository/locks/" + "[0-9a-f]" * 64
while True:
    check = subprocess.Popen(["restic", "--no-cache", "check", "--read-data"], env=env, stdout=subprocess.DEVNULL)
    while check.poll() is None and not glob.glob(locks): time.sleep(0.001)
    if check.poll() is None:
        time.sleep(0.02)
        os.kill(check.pid, signal.SIGSTOP)
        if glob.glob(locks): break
        os.kill(check.pid, signal.SIGCONT)
    check.wait()
print(check.pid, flush=True)
check.wait()
`;

describe("a file that Odoo removed between two sets", () => {
  it("is found in the snapshot that has it, in one reading for all that it has, and one that is nowhere is named", async () => {
    const between = await Promise.all(["between 1", "between 2"].map(attach));
    await ship();
    const half = await attach("half");
    await writeFile(join(filestore, half), "ha");
    await ship();
    // It was taken while it was being written; the whole one came with the next.
    await writeFile(join(filestore, half), "half");
    await ship();
    for (const name of [...between, half]) await rm(join(filestore, name));
    await attach("later");
    await ship();
    const nowhere = nameOf("nowhere");
    expect(await find([...between, half, nowhere])).toEqual([nowhere]);
    for (const [index, name] of between.entries())
      expect(await readFile(join(test.folder, "odoo/filestore/odoo_past_one", name), "utf8")).toBe(
        `between ${index + 1}`,
      );
    expect(await readFile(join(test.folder, "odoo/filestore/odoo_past_one", half), "utf8")).toBe("half");
  });

  it("is found in a set as well", async () => {
    const name = nameOf("in a set");
    const set = join(test.folder, "set/filestore", name);
    await mkdir(join(set, ".."), { recursive: true });
    await writeFile(set, "in a set");
    await test.make("night0", new Date(Date.now() - 2 * 86_400_000));
    await test.make("night1", new Date(Date.now() - 86_400_000));
    expect(await find([name])).toEqual([]);
  });
});

describe("snapshots of the filestore", () => {
  it("are no sets: nothing that lists, keeps or removes sets sees them", async () => {
    await test.make("night2", new Date());
    const plan = await test.app.plan("backup prune", "sandbox", {});
    expect(plan.facts).toMatchObject({
      kept: { night1: expect.anything(), night2: expect.anything() },
      removed: ["night0"],
    });
    expect(Object.keys((plan.facts as { kept: object }).kept)).toHaveLength(2);
    expect(await test.carryOut("backup copy")).toMatchObject({ outcome: "succeeded" });
    const copied = await snapshots("second");
    expect(copied).toHaveLength((await snapshots()).length);
  });

  it("stay beside sets that are removed", async () => {
    const before = await snapshots();
    const ended = await test.carryOut("backup prune");
    expect([ended.title, ended.outcome]).toEqual(["Remove 1 backup", "succeeded"]);
    expect(await snapshots()).toEqual(before);
  });

  it("are thinned without losing a file that Odoo removed, in the copy too; what is not known stays", async () => {
    // No archive is configured here: what an archive needs is asked of the rules directly.
    const all = await snapshots();
    const notes = await listFilesNotes(test.app.records, "sandbox");
    // The one that lacked a file was never noted.
    expect(all.filter(({ id }) => notes.every(({ snapshot }) => snapshot !== id))).toHaveLength(1);
    expect(notes).toHaveLength(all.length - 1);
    for (const repository of ["primary", "second"]) {
      expect(await test.carryOut("backup thin", { repository })).toMatchObject({ outcome: "succeeded" });
      const left = await snapshots(repository === "primary" ? undefined : repository);
      expect(left).toHaveLength(1);
      expect(left[0]?.original ?? left[0]?.id).toBe(all.at(-1)?.id);
    }
    expect((await test.app.plan("backup thin", "sandbox", {})).steps).toEqual([]);
    await appendFile(join(filestore, await attach("goes on")), "");
    await ship();
    expect(await snapshots()).toHaveLength(2);
    expect(walk(await test.app.plan("backup thin", "sandbox", {})).map(({ step }) => step.id)).toEqual([
      "unlock",
      "forget",
    ]);
  });
});

describe("a repository behind an address", () => {
  it("gets new files too, each snapshot compared with the one before, and is waited for while it is away", async () => {
    const port = await freePort("127.0.0.1");
    const folder = await mkdtemp("/tmp/ipai-rest-");
    let server = await serveRest(folder, port);
    const repository = `rest:http://127.0.0.1:${port}/`;
    await using away = await startBackupApp(() => ({ repository, filesEvery: "1m" }));
    const store = join(away.folder, "odoo/filestore/odoo/ab");
    const notes = async () =>
      (await listFilesNotes(away.app.records, "sandbox")).map(({ files, kept, parent }) => [
        files,
        kept,
        parent !== "",
      ]);
    try {
      await mkdir(store, { recursive: true });
      // As a backup notes it.
      await mkdir(join(away.folder, "work"), { recursive: true });
      await writeFile(join(away.folder, "work/repository"), `${repository}\n`);
      for (const name of ["one", "two"]) {
        await writeFile(join(store, name), name);
        expect(await away.carryOut("backup files")).toMatchObject({ outcome: "succeeded", error: null });
        // Nothing is new.
        expect(await away.carryOut("backup files")).toMatchObject({ outcome: "succeeded", error: null });
      }
      expect((await notes()).toSorted()).toEqual([
        [1, 0, false],
        [2, 1, true],
      ]);
      await server.stop();
      await writeFile(join(store, "three"), "three");
      expect((await away.carryOut("backup files")).error?.code).toBe("backup.repository_unreadable");
      server = await serveRest(folder, port);
      expect(await away.carryOut("backup files")).toMatchObject({ outcome: "succeeded", error: null });
      expect(await notes()).toHaveLength(3);
    } finally {
      await server.stop();
      await rm(folder, { recursive: true });
    }
  });
});
