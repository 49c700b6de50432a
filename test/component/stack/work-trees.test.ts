import { existsSync } from "node:fs";
import { chown, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readOutput } from "../../../src/host/perform.ts";
import { askWorkTrees, parseWorkTree } from "../../../src/stack/discovery/questions.ts";
import { commit, git, makeRepository } from "../../harness/git.ts";
import { perform } from "../../harness/perform.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ipai-trees-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function found(...folders: readonly string[]) {
  const lines = readOutput(await perform(askWorkTrees("local", folders)), { from: "stdout", as: "jsonLines" });
  return parseWorkTree(lines as readonly unknown[], Object.fromEntries(folders.map((one, at) => [`/seen/${at}`, one])));
}

it("tells what a folder's work tree follows, whoever owns it and whatever it is called", async () => {
  const [remote, tree] = [join(folder, "remote"), join(folder, 'odd "name" \\ ')];
  await makeRepository(remote);
  await commit(remote, { "addons/ipai/a/__manifest__.py": "{}\n", "addons/oca/b/__manifest__.py": "{}\n" });
  await git(folder, "clone", "--quiet", "--origin", "company", remote, tree);
  await git(tree, "config", "core.fsmonitor", `touch ${folder}/was-run`);
  await chown(tree, 65_534, 65_534);
  const bare = join(folder, "bare");
  await mkdir(bare);
  expect(await found(join(tree, "addons/ipai"), bare, join(folder, "gone"), join(tree, "addons/oca"))).toEqual({
    ...{ repository: tree, remote: "company", branch: "main" },
    folders: { "/seen/0": "addons/ipai", "/seen/3": "addons/oca" },
  });
  await chown(tree, process.getuid?.() ?? 0, process.getgid?.() ?? 0);
  await git(tree, "-c", "core.fsmonitor=false", "checkout", "--quiet", "--detach");
  expect(await found(tree)).toEqual({
    repository: tree,
    remote: "company",
    branch: undefined,
    folders: { "/seen/0": "." },
  });
  expect(existsSync(join(folder, "was-run"))).toBe(false);
});

it("knows none where nothing can be fetched, or no folder is of the machine", async () => {
  const lonely = join(folder, "lonely");
  await makeRepository(lonely);
  expect([await found(lonely), await found()]).toEqual([undefined, undefined]);
});
