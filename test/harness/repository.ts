import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
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

/** Commits on top of what the remote has; returns the commit. */
export async function push(subject: string, work: (draft: Draft) => Promise<void>, branch = "main"): Promise<string> {
  const clone = await mkdtemp(join(tmpdir(), "ipai-release-"));
  try {
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
  return git(join(folder, "addons"), "rev-parse", "HEAD");
}

function draftIn(clone: string): Draft {
  return {
    folder: clone,
    edit: async (path, from, to) => {
      const text = await readFile(join(clone, path), "utf8");
      if (!text.includes(from)) throw new Error(`${path} has no ${JSON.stringify(from)}`);
      await writeFile(join(clone, path), text.replace(from, to));
    },
    put: (path, text) => writeFile(join(clone, path), text),
    lay: async (release) => {
      for (const layer of release === "good" ? ["good"] : ["good", "broken"])
        await cp(join(root, "sandbox/releases", layer), clone, { recursive: true });
    },
  };
}

async function git(directory: string, ...args: readonly string[]): Promise<string> {
  const ended = await run("git", args, { directory });
  if (ended.exitCode !== 0) throw new Error(`git ${args.join(" ")}: ${ended.stderr}`);
  return ended.stdout.trim();
}
