import { spawn } from "node:child_process";
import { once } from "node:events";
import { watch } from "node:fs";
import { chmod, chown, mkdtemp, readFile, rm, stat, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readOutput } from "../../../src/host/perform.ts";
import { type Action, command, type Probe } from "../../../src/runbook/action.ts";
import { createGit, type Git, parseCommits, parseTreeChanges } from "../../../src/stack/git.ts";
import { commit, git, makeRepository, writeFiles } from "../../harness/git.ts";
import { perform } from "../../harness/perform.ts";

let folder: string;
let count = 0;
let remote: string;
let repository: string;
let source: Git;
let first: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ipai-git-"));
  await chmod(folder, 0o755);
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});
/** A remote, and a clone of it, as they are on a server. */
beforeEach(async () => {
  count += 1;
  remote = join(folder, `remote-${count}`);
  repository = join(folder, `tree-${count}`);
  await makeRepository(remote);
  first = await commit(remote, { "addons/a/a.py": "1\n", ".gitignore": "*.pyc\nsecret.env\n" }, "First");
  await git(folder, "clone", "--quiet", remote, repository);
  source = createGit("local", { repository, remote: "origin", branch: "main" });
});

const text = async (action: Action) => String(readOutput(await perform(action), { from: "stdout" }));
const lines = async (action: Action) => readOutput(await perform(action), { from: "stdout", as: "jsonLines" });
/** What a probe that asks for an empty answer was told. */
const told = async ({ action }: Probe) => text(action);

describe("a repository", () => {
  it("says where it is, and what names mean", async () => {
    await git(remote, "tag", "v1");
    await perform(source.fetch());
    expect(await text(source.head())).toBe(first);
    for (const name of ["main", "v1", "HEAD", first, first.slice(0, 8)])
      expect(await text(source.resolve(name))).toBe(first);
    for (const name of ["nothing", "--all", "main^{tree}", ""])
      await expect(perform(source.resolve(name)), name).rejects.toMatchObject({ code: "git.unknown_revision" });
  });

  it("gets commits without a change of its tree", async () => {
    const second = await commit(remote, { "addons/a/a.py": "2\n" });
    await perform(source.fetch());
    expect(await text(source.resolveBranch())).toBe(second);
    expect(await text(source.head())).toBe(first);
    expect(await readFile(join(repository, "addons/a/a.py"), "utf8")).toBe("1\n");
    // History that was written anew is taken as it is now.
    await git(remote, "commit", "--quiet", "--amend", "--message", "Again");
    await perform(source.fetch());
    expect(await text(source.resolveBranch())).not.toBe(second);
    await expect(perform(source.fetch("no-such"))).rejects.toMatchObject({ code: "git.fetch_failed" });
    await rm(remote, { recursive: true });
    await expect(perform(source.fetch())).rejects.toMatchObject({ code: "git.fetch_failed" });
  });

  it("follows a tag that the remote moves, forgets a branch that it removed, and leaves the tree's own tags", async () => {
    await git(remote, "tag", "v1");
    await git(remote, "branch", "old");
    await git(repository, "tag", "mine");
    await perform(source.fetchAll());
    expect(await text(source.resolveTag("v1"))).toBe(first);
    const second = await commit(remote, { "addons/a/a.py": "2\n" });
    await git(remote, "tag", "--force", "v1");
    await git(remote, "branch", "--delete", "--force", "old");
    await perform(source.fetchAll());
    expect([await text(source.resolveTag("v1")), await text(source.resolveBranch("main"))]).toEqual([second, second]);
    expect(await text(source.resolve("mine"))).toBe(first);
    for (const gone of [source.resolveBranch("old"), source.resolveTag("mine")])
      await expect(perform(gone)).rejects.toMatchObject({ code: "git.unknown_revision" });
    await git(remote, "tag", "--delete", "v1");
    await perform(source.fetchAll());
    await expect(perform(source.resolveTag("v1"))).rejects.toMatchObject({ code: "git.unknown_revision" });
  });

  it("tells commits and files between two, whatever they are called", async () => {
    const subject = 'Say "x" \\ and \t é, {"a": 1}';
    await commit(remote, { "addons/a/b\nc.py": "x", "addons/a/a.py": undefined }, `${subject}\n\nBody`);
    await perform(command("local", ["sh", "-c", `cd "$1" && printf x > "$(printf 'caf\\351')"`, "sh", remote]));
    const last = await commit(remote, { ".gitignore": "*.pyc\n" }, "Last");
    await perform(source.fetch());
    expect(parseCommits(await lines(source.log(first, last)))).toMatchObject([
      { commit: last, author: "Ada", subject: "Last", at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) },
      { subject },
    ]);
    expect(parseCommits(await lines(source.log(last, first)))).toEqual([]);
  });

  it("is clean when nothing of it is changed and nothing strange lies among the code", async () => {
    const clean = source.isClean(["addons"]);
    expect(await told(clean)).toBe("");
    await writeFiles(repository, { "addons/a/a.pyc": "x", "notes.txt": "x", "secret.env": "x" });
    expect(await told(clean)).toBe("");
    await writeFiles(repository, { "addons/new/__manifest__.py": "{}" });
    expect(await told(clean)).toBe("addons/new/__manifest__.py");
    await writeFiles(repository, { "addons/a/a.py": "by hand\n" });
    expect(await told(clean)).toContain("M addons/a/a.py");
    expect(parseTreeChanges(await lines(source.changes()))).toEqual([
      { path: "addons/a/a.py", isKnown: true },
      { path: "addons/new/__manifest__.py", isKnown: false },
      { path: "notes.txt", isKnown: false },
    ]);
  });

  it("brings a commit into the tree, and writes over nothing that it does not keep", async () => {
    const second = await commit(remote, { "addons/a/a.py": "2\n", "addons/b.py": "b\n" });
    await perform(source.fetch());
    await writeFiles(repository, { "addons/b.py": "mine\n" });
    await expect(perform(source.checkout(second))).rejects.toMatchObject({ code: "git.checkout_refused" });
    await rm(join(repository, "addons/b.py"));
    await writeFiles(repository, { "addons/a/a.py": "mine\n" });
    await expect(perform(source.checkout(second))).rejects.toMatchObject({ code: "git.checkout_refused" });
    expect(await readFile(join(repository, "addons/a/a.py"), "utf8")).toBe("mine\n");
    await git(repository, "checkout", "--quiet", "addons/a/a.py");
    await perform(source.checkout(second));
    expect(await told(source.isAt(second))).toBe(second);
    expect(await told(source.isClean(["addons"]))).toBe("");
    // What is ignored is nobody's to write over either: variables of a project often are.
    await writeFiles(repository, { "secret.env": "mine\n" });
    await git(remote, "add", "--force", "--all");
    await writeFiles(remote, { "secret.env": "theirs\n" });
    await git(remote, "add", "--force", "secret.env");
    const third = await commit(remote, {}, "A secret");
    await perform(source.fetch());
    await expect(perform(source.checkout(third))).rejects.toMatchObject({ code: "git.checkout_refused" });
    expect(await readFile(join(repository, "secret.env"), "utf8")).toBe("mine\n");
  });
});

describe("a checkout that was killed", () => {
  const large = Buffer.alloc(4 << 20, "y");

  /** As a killed git leaves it: HEAD and index as before, its lock, some files written, one in part, one removed. */
  async function half(): Promise<string> {
    const before = {
      "addons/a/a.py": "1\n",
      "addons/a/b.py": "b\n",
      "addons/a/empty.py": "e\n",
      "addons/a/gone.py": "g\n",
      "addons/a/large.bin": "x",
    };
    first = await commit(remote, before);
    await perform(source.fetch());
    await perform(source.checkout(first));
    const after = {
      "addons/a/a.py": "2\n",
      "addons/a/b.py": "bb\n",
      "addons/a/empty.py": "ee\n",
      "addons/a/gone.py": undefined,
      "addons/a/large.bin": large,
    };
    const second = await commit(remote, { ...after, "addons/a/new.py": "n\n", "addons/a/later.py": "l\n" });
    await perform(source.fetch());
    const written = {
      "addons/a/empty.py": "",
      "addons/a/a.py": "2\n",
      "addons/a/gone.py": undefined,
      "addons/a/new.py": "n\n",
    };
    await writeFiles(repository, { ...written, "addons/a/large.bin": large.subarray(0, 1000), ".git/index.lock": "" });
    return second;
  }

  it("goes on", async () => {
    const second = await half();
    await perform(source.checkout(second));
    expect(await text(source.head())).toBe(second);
    expect(await told(source.isClean(["addons"]))).toBe("");
  });

  it("is taken back", async () => {
    const second = await half();
    await perform(source.checkout(second));
    // Killed once more, on the way back.
    await writeFiles(repository, { "addons/a/a.py": "1\n", "addons/a/gone.py": "g\n", "addons/a/later.py": undefined });
    await perform(source.checkout(first));
    expect(await text(source.head())).toBe(first);
    expect(await told(source.isClean(["addons"]))).toBe("");
  });

  it("is taken back where git is still at the commit of before", async () => {
    const second = await half();
    const before = await text(source.head());
    await perform(source.checkout(before, second));
    expect(await told(source.isClean(["addons"]))).toBe("");
    expect(await text(source.head())).toBe(before);
    // Killed at its very end, when git's list of files is the new one already.
    await perform(source.checkout(second));
    await git(repository, "update-ref", "--no-deref", "HEAD", before);
    expect(await told(source.isClean(["addons"]))).not.toBe("");
    await perform(source.checkout(before, second));
    expect(await told(source.isClean(["addons"]))).toBe("");
    expect(await readFile(join(repository, "addons/a/gone.py"), "utf8")).toBe("g\n");
    // With nothing of it there, nothing is to be done; from the commit itself it is the ordinary way.
    await perform(source.checkout(before, second));
    await perform(source.checkout(second));
    await perform(source.checkout(before, second));
    expect([await text(source.head()), await told(source.isClean(["addons"]))]).toEqual([before, ""]);
  });

  it("is not taken back over what somebody changed, which is told", async () => {
    const second = await half();
    await writeFiles(repository, { "addons/a/b.py": "mine\n" });
    await expect(perform(source.checkout(first, second))).rejects.toMatchObject({
      code: "git.checkout_refused",
      message: expect.stringContaining("somebody's own changes"),
    });
    expect(await readFile(join(repository, "addons/a/b.py"), "utf8")).toBe("mine\n");
    expect(await readFile(join(repository, "addons/a/a.py"), "utf8")).toBe("2\n");
  });

  it("does not go on over what somebody changed", async () => {
    const second = await half();
    await writeFiles(repository, { "addons/a/b.py": "mine\n" });
    await expect(perform(source.checkout(second))).rejects.toMatchObject({ code: "git.checkout_refused" });
    expect(await readFile(join(repository, "addons/a/b.py"), "utf8")).toBe("mine\n");
    expect(await readFile(join(repository, "addons/a/a.py"), "utf8")).toBe("2\n");
  });

  it("does not take the lock of a git that works", async () => {
    const second = await half();
    const holder = spawn("sh", [
      "-c",
      'exec 9>>"$1"; echo ready; read -r _',
      "sh",
      join(repository, ".git/index.lock"),
    ]);
    await once(holder.stdout, "data");
    await expect(perform(source.checkout(second))).rejects.toMatchObject({ code: "git.checkout_refused" });
    holder.stdin.end("\n");
    await once(holder, "exit");
    await perform(source.checkout(second));
    expect(await text(source.head())).toBe(second);
  });

  it("really, at any moment, goes on or is taken back", async () => {
    const many = Object.fromEntries(
      Array.from({ length: 400 }, (_, index) => [`addons/a/f${index}.py`, `${index}\n`.repeat(2000)]),
    );
    const other = Object.fromEntries(
      Object.keys(many).map((path, index) => [path, index % 3 === 0 ? undefined : `${path}\n`.repeat(2000)]),
    );
    const [one, two] = [await commit(remote, many), await commit(remote, { ...other, "addons/z.py": "z" })];
    await perform(source.fetch());
    await perform(source.checkout(one));
    let halfMade = 0;
    for (let round = 0; round < 8; round += 1) {
      const [from, target] = round % 2 === 0 ? [one, two] : [two, one];
      const killed = spawn("git", ["-C", repository, "checkout", "--quiet", "--detach", target]);
      // The first file that changes says that it is under way; where it is then killed is left to chance.
      const { promise, resolve } = Promise.withResolvers<void>();
      const watcher = watch(join(repository, "addons/a"), () => resolve());
      await Promise.race([promise, once(killed, "exit")]);
      killed.kill("SIGKILL");
      if (killed.exitCode === null && killed.signalCode === null) await once(killed, "exit");
      watcher.close();
      if ((await told(source.isClean(["addons"]))) !== "") halfMade += 1;
      if (round % 4 > 1) {
        await perform(source.checkout(from, target));
        expect([await text(source.head()), await told(source.isClean(["addons"]))]).toEqual([from, ""]);
      }
      await perform(source.checkout(target));
      expect(await text(source.head())).toBe(target);
      expect(await told(source.isClean(["addons"]))).toBe("");
    }
    expect(halfMade).toBeGreaterThan(0);
  });
});

describe.runIf(process.getuid?.() === 0)("a disk that is full", () => {
  it.each([
    ["of bytes", "size=4m", 'dd if=/dev/zero of="$1" bs=4k || :'],
    ["of files", "size=40m,nr_inodes=200", 'mkdir "$1"; cd "$1"; while touch "f$((n = n + 1))"; do :; done'],
  ])("%s keeps the commit that is there whole, and takes the next one when there is room", async (_, room, fill) => {
    const small = await mkdtemp(join(folder, "small-"));
    await perform(command("local", ["mount", "-t", "tmpfs", "-o", room, "none", small]));
    try {
      const files = (size: number) =>
        Object.fromEntries(
          Array.from({ length: 20 }, (_, index) => [`addons/a/f${index}.py`, "x".repeat(size + index)]),
        );
      const one = await commit(remote, files(20_000));
      await git(small, "clone", "--quiet", remote, "tree");
      const two = await commit(remote, { ...files(60_000), "addons/a/a.py": undefined, "addons/a/new.py": "n\n" });
      const tree = createGit("local", { repository: join(small, "tree"), remote: "origin", branch: "main" });
      await perform(tree.fetch());
      await perform(command("local", ["sh", "-c", `${fill}; exit 0`, "fill", join(small, "filler")]));
      await expect(perform(tree.checkout(two))).rejects.toMatchObject({ code: "host.disk_full" });
      expect(await told(tree.isClean(["addons"]))).toBe("");
      expect(await text(tree.head())).toBe(one);
      await rm(join(small, "filler"), { recursive: true });
      await perform(tree.checkout(two));
      expect([await text(tree.head()), await told(tree.isClean(["addons"]))]).toEqual([two, ""]);
    } finally {
      await perform(command("local", ["umount", small]));
    }
  });
});

describe.runIf(process.getuid?.() === 0)("a repository of somebody else", () => {
  const owner = 12_345;
  const owned = (path: string) => perform(command("local", ["chown", "-R", `${owner}:${owner}`, path]));
  const hook = "#!/bin/sh\nid -u > ../hook-ran\n";

  it("stays that user's, and none of its programs runs as root", async () => {
    await writeFiles(repository, { ".git/hooks/post-checkout": hook, ".git/hooks/reference-transaction": hook });
    await chmod(join(repository, ".git/hooks/post-checkout"), 0o755);
    await chmod(join(repository, ".git/hooks/reference-transaction"), 0o755);
    await git(repository, "config", "core.fsmonitor", `id -u > ${repository}/fsmonitor-ran; false`);
    await git(repository, "config", "filter.odd.smudge", `id -u > ${repository}/filter-ran; cat`);
    const second = await commit(remote, {
      "addons/a/a.py": "2\n",
      "addons/c.odd": "c\n",
      ".gitattributes": "*.odd filter=odd\n",
    });
    await owned(remote);
    await owned(repository);
    await perform(source.fetch());
    await perform({ ...source.checkout(second) });
    const made = await stat(join(repository, "addons/c.odd"));
    expect([made.uid, made.gid, made.mode & 0o777]).toEqual([owner, owner, 0o644]);
    expect((await stat(join(repository, ".git/HEAD"))).uid).toBe(owner);
    expect((await readFile(join(repository, "filter-ran"), "utf8")).trim()).toBe(String(owner));
    await expect(stat(join(folder, "hook-ran"))).rejects.toThrow();
    await expect(stat(join(repository, "fsmonitor-ran"))).rejects.toThrow();
    expect(await text(source.head())).toBe(second);
  });

  it("is read where root once made some of it, and not where a third one did", async () => {
    await chown(repository, owner, owner);
    expect(await text(source.head())).toBe(first);
    await chown(join(repository, ".git"), owner + 1, owner + 1);
    await expect(perform(source.head())).rejects.toMatchObject({ code: "git.unreadable" });
  });

  it("is not read as root when the tree is root's and its settings are not", async () => {
    await chown(join(repository, ".git"), owner, owner);
    await expect(perform(source.head())).rejects.toMatchObject({ code: "git.unreadable" });
  });
});

it("leads through a link to the tree", async () => {
  await symlink(repository, join(folder, `link-${count}`));
  const linked = createGit("local", { repository: join(folder, `link-${count}`), remote: "origin", branch: "main" });
  expect(await text(linked.head())).toBe(first);
});
