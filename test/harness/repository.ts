import { chown, cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { folder, root, run } from "./sandbox.ts";

/** Releases of the practice modules, pushed to the remote of the stack's source as a developer would. */

export interface Draft {
  /** The clone that the release is made in. */
  readonly folder: string;
  /** Replaces a text of a file, which must be there. */
  edit(path: string, from: string, to: string): Promise<void>;
  put(path: string, text: string): Promise<void>;
  /** Lays the files of a shipped release over what is there. */
  lay(release: "good" | "broken"): Promise<void>;
}

const remote = join(folder, "releases.git");
const tree = join(folder, "addons");

/** Somebody whom the machine has no name for, as a user of a container is. */
export const developer = 4242;

/** Tree and remote become somebody's, as a developer's are. */
export async function giveTo(owner: number): Promise<void> {
  const ended = await run("chown", ["-R", `${owner}:${owner}`, tree, remote]);
  if (ended.exitCode !== 0) throw new Error(ended.stderr);
}

/** Whose a file of the tree is. */
export async function ownerOf(path: string): Promise<number> {
  return (await stat(join(tree, path))).uid;
}

/** Commits on top of what the remote has; returns the commit. */
export async function push(subject: string, work: (draft: Draft) => Promise<void>, branch = "main"): Promise<string> {
  const clone = await mkdtemp(join(tmpdir(), "ipai-release-"));
  try {
    await chown(clone, ...(await ownersOf(remote)));
    await git(clone, "clone", "--quiet", remote, ".");
    await git(clone, "checkout", "--quiet", "-B", branch, "origin/main");
    await work(draftIn(clone));
    await git(clone, "add", "--all");
    await git(
      clone,
      "-c",
      "user.name=A developer",
      "-c",
      "user.email=dev@localhost",
      "commit",
      "--quiet",
      "-m",
      subject,
    );
    await git(clone, "push", "--quiet", ...(branch === "main" ? [] : ["--force"]), "origin", branch);
    return await git(clone, "rev-parse", "HEAD");
  } finally {
    await rm(clone, { recursive: true });
  }
}

/** The commit that the stack's code is at. */
export function deployed(): Promise<string> {
  return git(tree, "rev-parse", "HEAD");
}

function draftIn(clone: string): Draft {
  return {
    folder: clone,
    edit: async (path, from, to) => {
      const text = await readFile(join(clone, path), "utf8");
      if (!text.includes(from)) throw new Error(`${path} has no ${JSON.stringify(from)}`);
      await writeFile(join(clone, path), text.replace(from, to));
    },
    put: async (path, text) => {
      await mkdir(dirname(join(clone, path)), { recursive: true });
      await writeFile(join(clone, path), text);
    },
    lay: async (release) => {
      for (const layer of release === "good" ? ["good"] : ["good", "broken"])
        await cp(join(root, "sandbox/releases", layer), clone, { recursive: true });
    },
  };
}

/** Git as whoever has the folder: it trusts nobody else's repository. */
async function git(directory: string, ...args: readonly string[]): Promise<string> {
  const [uid, gid] = await ownersOf(directory);
  const words = [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--", "git", ...args];
  const ended = await run("setpriv", words, { directory, env: { HOME: directory } });
  if (ended.exitCode !== 0) throw new Error(`git ${args.join(" ")}: ${ended.stderr}`);
  return ended.stdout.trim();
}

async function ownersOf(path: string): Promise<readonly [uid: number, gid: number]> {
  const { uid, gid } = await stat(path);
  return [uid, gid];
}
