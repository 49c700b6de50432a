import { execFile } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

/** Real git repositories, made by a test. */

export type Files = Readonly<Record<string, string | Buffer | undefined>>;

const start = promisify(execFile);
const author = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false"];

export async function git(folder: string, ...words: readonly string[]): Promise<string> {
  const { stdout } = await start("git", ["-C", folder, ...author, ...words], { maxBuffer: 64 << 20 });
  return stdout.trim();
}

export async function makeRepository(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await git(folder, "init", "--quiet", "--initial-branch=main");
}

/** Writes files, removes those that are undefined, and commits everything. The commit's hash. */
export async function commit(folder: string, files: Files, message = "Change something"): Promise<string> {
  await writeFiles(folder, files);
  await git(folder, "add", "--all");
  await git(folder, "commit", "--quiet", "--allow-empty", "--message", message);
  return await git(folder, "rev-parse", "HEAD");
}

export async function writeFiles(folder: string, files: Files): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    const target = join(folder, path);
    await rm(target, { force: true, recursive: true });
    if (content === undefined) continue;
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, content);
  }
}
