import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRestic, explained, type Restic } from "../../../src/stack/restic.ts";
import "../../../src/procedures/backup/errors.ts";
import { type CommandAction, command, type Probe } from "../../../src/runbook/action.ts";
import { perform, practiceStack } from "../../harness/perform.ts";

/** restic itself on repositories of a few kilobytes: what it is asked, and what its answers are taken for. */
let folder: string;
let source: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ipai-restic-"));
  source = join(folder, "source");
  await mkdir(source);
  await writeFile(join(folder, "repository-password"), "secret\n");
  await writeFile(join(source, "about"), '{"databaseBytes": 5}\n');
  await writeFile(join(source, "data"), "some rows\n".repeat(1000));
});
afterAll(() => rm(folder, { recursive: true }));

async function open(
  name: string,
  password = "repository-password",
  limit = { uploadBytes: undefined as number | undefined, downloadBytes: undefined },
): Promise<{ restic: Restic; repository: string }> {
  const sandbox = practiceStack(folder);
  if (sandbox.backup === undefined) throw new TypeError("the practice stack has no repository");
  const repository = join(folder, name);
  const backup = { ...sandbox.backup, limit, repository, passwordFile: join(folder, password) };
  const restic = createRestic({ ...sandbox, backup }, "local");
  if (restic === undefined) throw new TypeError("a stack with a repository has restic");
  return { restic, repository };
}

const taken = "2026-01-01 00:00:00";

async function ids(restic: Restic): Promise<readonly string[]> {
  const found = JSON.parse((await perform(restic.list())).stdout) as { tags: string[] }[];
  return found.flatMap(({ tags }) => tags);
}

async function listPacks(below: string): Promise<readonly string[]> {
  const names = await readdir(join(below, "data"), { recursive: true });
  return names.filter((name) => name.length > 60);
}

async function flip(file: string, at: number): Promise<void> {
  const content = await readFile(file);
  content[at] = (content[at] ?? 0) ^ 1;
  await rm(file);
  await writeFile(file, content);
}

describe("a limit", () => {
  it("is kept: a set takes as long as it says", async () => {
    const { restic } = await open("limited", "repository-password", {
      uploadBytes: 256 * 1024,
      downloadBytes: undefined,
    });
    await perform(restic.initialise());
    const large = join(folder, "large");
    await mkdir(large);
    // What cannot be compressed.
    await writeFile(join(large, "data"), randomBytes(1_000_000));
    const startedAt = performance.now();
    const stored = await perform(restic.store(large, taken, "by-hand"));
    expect((performance.now() - startedAt) / 1000).toBeGreaterThan(2.5);
    expect(stored.stdout).toContain('"message_type":"summary"');
  });
});

describe("a repository", () => {
  it("gives back what was stored, with its size, and tells how much it grew", async () => {
    const { restic } = await open("whole");
    await perform(restic.initialise());
    const stored = await perform(restic.store(source, taken, "by-hand"));
    expect(stored.stdout).toMatch(/"message_type":"summary".*\n.*"message_type":"growth","bytes":[1-9]\d+/);
    await perform(restic.fetch("one", join(folder, "target")));
    expect(await readFile(join(folder, "target/data"), "utf8")).toBe("some rows\n".repeat(1000));
    expect(JSON.parse((await perform(restic.print("one", "about"))).stdout)).toEqual({ databaseBytes: 5 });
    expect(JSON.parse((await perform(restic.measure("one"))).stdout)).toMatchObject({ total_size: 10_021 });
    await perform(restic.check());
  });

  it("in a folder is looked into, which needs no password, and asked where that does not tell", async () => {
    const { restic, repository } = await open("looked");
    const { restic: without } = await open("looked", "no-such-password");
    const note = join(folder, "looked.note");
    const answer = async (probe: Probe | undefined) => (await perform(probe?.action ?? restic.list())).stdout.trim();
    await perform(restic.initialise());
    expect(await answer(without.isUnlocked)).toBe("");
    await writeFile(join(repository, "locks", "a".repeat(64)), "");
    expect(await answer(without.isUnlocked)).toContain("a".repeat(64));
    await rm(join(repository, "locks", "a".repeat(64)));
    // Nothing was begun.
    expect(await answer(without.isStored(note).before)).toBe("");
    const stored = await perform(restic.store(source, taken, "by-hand"));
    // The account found no room, or is on its way: restic itself is asked.
    expect(await answer(restic.isStored(note).after)).toContain('"id"');
    await writeFile(note, "");
    expect(await answer(restic.isStored(note).before)).toContain('"id"');
    await expect(answer(without.isStored(note).after)).rejects.toMatchObject({ code: "backup.repository_unreadable" });
    await writeFile(note, stored.stdout);
    expect(await answer(without.isStored(note).after)).toBe('"id"');
    const [name = ""] = await readdir(join(repository, "snapshots"));
    await flip(join(repository, "snapshots", name), 5);
    await expect(answer(without.isStored(note).after)).rejects.toMatchObject({ code: "backup.repository_unreadable" });
  });

  it("that cannot read a file takes its half of a backup out again", async () => {
    const { restic } = await open("half");
    await perform(restic.initialise());
    const unreadable = join(folder, "unreadable");
    await cp(source, unreadable, { recursive: true });
    // Reading a process's memory at its beginning is an input/output error, whoever reads.
    execFileSync("mount", ["--bind", "/proc/1/mem", join(unreadable, "data")]);
    try {
      await expect(perform(restic.store(unreadable, taken, "by-hand"))).rejects.toMatchObject({
        code: "backup.source_unreadable",
      });
    } finally {
      execFileSync("umount", [join(unreadable, "data")]);
    }
    expect(await ids(restic)).toEqual([]);
    await perform(restic.store(unreadable, taken, "by-hand"), { run: "two" });
    expect(await ids(restic)).toEqual(["run=two", "reason=by-hand"]);
  });

  it("is damaged when any byte of a pack is another, wherever it lies", async () => {
    const { restic, repository } = await open("bytes");
    await perform(restic.initialise());
    await perform(restic.store(source, taken, "by-hand"));
    const [name = ""] = await listPacks(repository);
    const pack = join(repository, "data", name);
    const { length } = await readFile(pack);
    for (const at of [0, Math.floor(length / 2), length - 1]) {
      await flip(pack, at);
      await expect(perform(restic.check())).rejects.toMatchObject({ code: "backup.repository_damaged" });
      await flip(pack, at);
    }
    await perform(restic.check());
  });

  it("is not read from the cache beside it", async () => {
    const { restic, repository } = await open("cached");
    await perform(restic.initialise());
    await perform(restic.store(source, taken, "by-hand"));
    const names = await readdir(join(folder, "work/restic-cache"), { recursive: true });
    const cached = (await listPacks(repository)).filter((name) => names.some((path) => path.endsWith(`/data/${name}`)));
    expect(cached).toHaveLength(1);
    for (const name of cached) await flip(join(repository, "data", name), 0);
    await expect(perform(restic.fetch("one", join(folder, "nowhere")))).rejects.toMatchObject({
      code: "backup.repository_damaged",
    });
  });

  it("with another password, or locked by somebody, says so", async () => {
    await writeFile(join(folder, "wrong"), "wrong\n");
    const { restic } = await open("whole", "wrong");
    await expect(perform(restic.list())).rejects.toMatchObject({ code: "backup.repository_unreadable" });
    const locked = command(
      "local",
      ["sh", "-c", "echo 'unable to create lock: repository is already locked by PID 1' >&2; exit 1"],
      {
        exitCodes: { 1: "backup.repository_damaged", 11: "backup.repository_locked" },
      },
    );
    await expect(perform(explained(locked))).rejects.toMatchObject({ code: "backup.repository_locked" });
  });
});

describe("a pipeline of which it is told what went wrong", () => {
  const piped = (script: string): CommandAction => ({
    kind: "command",
    host: "local",
    pipeline: [
      { argv: ["sh", "-c", "echo 'a warning' >&2; echo content"] },
      { argv: ["sh", "-c", script, "last", join(folder, "received")] },
    ],
    exitCodes: { 28: "backup.disk_full" },
  });

  it("hands on only what its first program gives, and tells what its last one meets", async () => {
    await perform(explained(piped('cat > "$1"')));
    expect(await readFile(join(folder, "received"), "utf8")).toBe("content\n");
    const full = piped("echo 'tar: ./file: Cannot write: No space left on device' >&2; exit 2");
    await expect(perform(explained(full))).rejects.toMatchObject({ code: "backup.disk_full" });
  });
});
