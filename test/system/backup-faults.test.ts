import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { at, configWith, refusal, removeShared, restic, resticOn, runJson, sharedFolder } from "../harness/backups.ts";
import { container, ipai, isCompose, leftovers, places, psql, run, sql, there } from "../harness/sandbox.ts";

/** A repository and a working folder on small disks of their own, which can be taken away and filled. */
let desk: string;
let disk: string;
let repository: string;
let config: string;
let work: string;

beforeAll(async () => {
  desk = await sharedFolder();
  [disk, work] = [join(desk, "disk"), join(desk, "work")];
  repository = join(disk, "repository");
  for (const path of [join(desk, "platter"), disk, work]) await mkdir(path);
  await sh(`mount -t tmpfs -o size=60m none ${desk}/platter && mount --bind ${desk}/platter ${disk}`);
  await sh(`mount -t tmpfs -o size=10m none ${work}`);
  config = await configWith(join(desk, "ipai.yaml"), (stack) => {
    stack.backup["repository"] = repository;
  });
  expect((await make()).outcome).toBe("succeeded");
});

afterAll(async () => {
  await sh(`umount ${work}; umount ${disk}; umount ${desk}/platter; true`);
  await removeShared(desk);
});

async function sh(script: string): Promise<string> {
  const ended = await run("bash", ["-euo", "pipefail", "-c", script]);
  if (ended.exitCode !== 0) throw new Error(`${script}\n${ended.stderr}`);
  return ended.stdout;
}

const make = (file = config, options = {}) => runJson(["--config", file, "backup"], options);

async function snapshots(): Promise<number> {
  return (JSON.parse(await restic(repository, "snapshots", "--json", "--no-lock")) as unknown[]).length;
}

const fill = (path: string) => `dd if=/dev/zero of=${path}/filler bs=64k status=none || true`;

describe("a repository", () => {
  it("with another password is not opened, for a backup nor for a proof", async () => {
    await writeFile(join(desk, "password"), "wrong\n");
    const wrong = await configWith(join(desk, "wrong.yaml"), (stack) => {
      stack.backup["repository"] = repository;
      stack.backup["passwordFile"] = join(desk, "password");
    });
    expect(await make(wrong)).toMatchObject({ error: { code: "backup.repository_unreadable" } });
    const proof = await ipai(["--config", wrong, "backup", "verify", "--yes", "--json"]);
    expect(proof.exitCode).not.toBe(0);
    expect(refusal(proof).code).toBe("backup.repository_unreadable");
    expect(await leftovers()).toEqual([]);
  });

  it("whose disk is not mounted is not made anew on another one", async () => {
    await sh(`umount ${disk}`);
    const refused = await ipai(["--config", config, "backup", "--yes", "--json"]);
    const unproven = await ipai(["--config", config, "backup", "verify", "--yes", "--json"]);
    const found = await readdir(disk);
    await sh(`mount --bind ${desk}/platter ${disk}`);
    expect(refusal(refused)).toMatchObject({
      code: "backup.repository_unreadable",
      message: expect.stringContaining(repository),
      hint: expect.stringContaining("mounted"),
    });
    expect(refusal(unproven).code).toBe("backup.repository_unreadable");
    expect(found).toEqual([]);
  });

  it("on a full disk keeps the older backups, and says that the disk is full", async () => {
    await sh(fill(disk));
    const failed = await make();
    await rm(join(disk, "filler"));
    expect(failed).toMatchObject({ outcome: "failed-and-undone", error: { code: "backup.repository_full" } });
    expect(failed.error?.output).toContain("no space left");
    expect(failed.error?.output).not.toContain("github.com");
    expect(await leftovers()).toEqual([]);
    expect(await snapshots()).toBe(1);
  });
});

/** The working folder is on a small disk of its own as well. */
const elsewhere = () =>
  configWith(join(desk, "elsewhere.yaml"), (stack) => {
    stack.backup["repository"] = repository;
    stack["workDirectory"] = work;
  });

describe("a working folder", () => {
  it("without room for the dump is refused before anything is begun, with figures", async () => {
    const refused = refusal(await ipai(["--config", await elsewhere(), "backup", "--yes", "--json"]));
    expect(refused.code).toBe("backup.no_space");
    expect(refused.message).toMatch(/needs about \d\d MB in .*work; (10|11) MB are free/);
    expect(await readdir(work)).toEqual([]);
  });

  it("that runs full is emptied again", async () => {
    await sh(`mount -o remount,size=100m ${work}`);
    const file = await elsewhere();
    const failed = await make(file, at("do:folder/files held/take/dump:before", fill(work)));
    expect(failed).toMatchObject({ outcome: "failed-and-undone", error: { code: "backup.disk_full" } });
    expect(await leftovers()).toEqual([]);
    await rm(join(work, "filler"));
    // What restic keeps for the next time is there only if it was started before the disk was full.
    expect((await readdir(work)).filter((name) => name !== "restic-cache")).toEqual(["repository"]);
  });

  it("on another file system is noted in the plan, because attachments are copied then", async () => {
    const plan = await ipai(["--config", await elsewhere(), "backup", "--plan"]);
    expect(plan.stdout).toContain("copied, not linked");
    expect((await ipai(["--config", config, "backup", "--plan"])).stdout).not.toContain("copied, not linked");
  });

  it("without room for the copy is no place for a proof", async () => {
    const refused = refusal(await ipai(["--config", await elsewhere(), "backup", "verify", "--yes", "--json"]));
    expect(refused.code).toBe("backup.no_space");
    expect(refused.message).toMatch(/The proof needs about 2\d\d MB in .*work; \d+ MB are free/);
  });

  it("that runs full under a proof does not make the backup a damaged one", async () => {
    await sh(`mount -o remount,size=400m ${work}`);
    const fillLater = at("do:folder/cluster/restore:before", `rm -rf ${work}/restic-cache; ${fill(work)}`);
    const proof = await runJson(["--config", await elsewhere(), "backup", "verify"], fillLater);
    expect(proof).toMatchObject({ outcome: "failed-and-undone", error: { code: "backup.disk_full" } });
    await rm(join(work, "filler"));
    expect(await readdir(join(work, "proof"))).toEqual([]);
  });
});

describe("a session that holds Odoo's clean-up of files off", () => {
  it("and ends before the filestore is taken ends the backup", async () => {
    const holder = "from pg_stat_activity where application_name like 'ipai % %'";
    // What reads in the session's snapshot has it by then, the dump last.
    const script = `
ask() { ${psql.map((word) => `'${word}'`).join(" ")} -d postgres -c "$1"; }
dumps="select count(*) from pg_stat_activity where application_name = 'pg_dump' and backend_xmin is not null"
for _ in {1..100}; do [ "$(ask "$dumps")" = 0 ] || break; sleep 0.1; done
sleep 1
ask "select pg_terminate_backend(pid) ${holder}"
until [ "$(ask "select count(*) ${holder}")" = 0 ]; do sleep 0.1; done`;
    const failed = await make(config, at("do:folder/files held/take/filestore:performed", script));
    expect(failed).toMatchObject({ outcome: "failed-and-undone", error: { code: "backup.hold_ended" } });
    expect([await leftovers(), await snapshots()]).toEqual([[], 1]);
  });
});

describe("an attachment that cannot be read", () => {
  it("ends the backup with its name", async () => {
    const name = await sql(
      "select store_fname from ir_attachment where store_fname is not null order by id desc limit 1",
    );
    // Reading a process's memory at its beginning is an input/output error, whoever reads.
    const path = `${places.filestore}/odoo/${name}`;
    await sh(`${await inMounts()} mount --bind /proc/1/mem ${path}`);
    const failed = await make();
    await sh(`${await inMounts()} umount ${path}`);
    expect(failed).toMatchObject({ outcome: "failed-and-undone", error: { code: "backup.filestore_unreadable" } });
    expect(failed.error?.output).toContain(name);
    expect(await leftovers()).toEqual([]);
    expect(await snapshots()).toBe(1);
  });
});

describe("the next backup after all that", () => {
  it("is made, past the lock of a dead restic, where attachments have to be copied", async () => {
    await leaveLock();
    expect(await make(await elsewhere())).toMatchObject({ outcome: "succeeded" });
    expect(await readdir(join(repository, "locks"))).toEqual([]);
    expect(await snapshots()).toBe(2);
  });
});

/** What runs a program of root's where the tools' mounts are. */
async function inMounts(): Promise<string> {
  if (!isCompose) return "";
  const pid = await sh(`docker inspect --format '{{.State.Pid}}' ${container("tools")}`);
  return `nsenter --mount --pid --target ${pid.trim()}`;
}

/**
 * A restic that was killed leaves its lock in the repository: a whole one, which has its name; before that it is an unfinished file. It is
 * waited for: restic takes a process that is dead, and that nobody has buried yet, for one that lives.
 */
async function leaveLock(): Promise<void> {
  const script = `"$@" </dev/zero >/dev/null 2>&1 & until ls ${repository}/locks | grep -qxE '[0-9a-f]{64}'; do sleep 0.1; done; kill -KILL $!; wait $! || :`;
  await there("bash", "-c", script, "die", ...resticOn(repository), "backup", "--stdin");
  expect(await readdir(join(repository, "locks"))).toHaveLength(1);
}
