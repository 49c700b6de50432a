import { chmod, chown, mkdtemp, readFile, rm, stat, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readOutput } from "../../../src/host/perform.ts";
import { type Action, command, type Probe } from "../../../src/runbook/action.ts";
import { createGit, type Git, parseChangedFiles, parseCommits, parseTreeChanges } from "../../../src/stack/git.ts";
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
const exitCode = async (action: Action) => readOutput(await perform(action), { from: "exitCode", as: "number" });
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
    expect(parseChangedFiles(await lines(source.changedFiles(first, last)))).toEqual([
      { path: ".gitignore", change: "changed" },
      { path: "addons/a/a.py", change: "removed" },
      { path: "addons/a/b\nc.py", change: "added" },
      { path: "caf\\xe9", change: "added" },
    ]);
    expect(await exitCode(source.isAncestor(first, last))).toBe(0);
    expect(await exitCode(source.isAncestor(last, first))).toBe(1);
    await expect(perform(source.isAncestor(first, "0".repeat(40)))).rejects.toMatchObject({ code: "git.unreadable" });
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
