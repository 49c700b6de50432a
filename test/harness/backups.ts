import { existsSync } from "node:fs";
import { cp, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Ended, folder, ipai, parsed, type RunJson, root, run } from "./sandbox.ts";

/** What the tests of backups share. */

export interface BackupJson {
  readonly id: string;
  readonly takenAt: string;
  readonly databaseBytes: number;
  readonly storedBytes: number;
  readonly files: number;
  readonly unsound: number;
  readonly seconds: number;
  readonly kept: readonly string[];
  readonly removableAt: string | null;
  readonly proof: {
    readonly at: string;
    readonly seconds: number;
    readonly tables: number;
    readonly rows: number;
    readonly attachments: number;
    readonly mismatches: number;
  } | null;
  readonly doubt: { readonly at: string; readonly run: string } | null;
}

export async function backups(): Promise<readonly BackupJson[]> {
  return parsed(await ipai(["backup", "list", "--json"]));
}

/** The last one in the stack's repository, if there is any. */
export async function latestBackup(): Promise<string | undefined> {
  const repository = join(folder, "repository");
  if (!existsSync(repository)) return undefined;
  const found = JSON.parse(await restic(repository, "snapshots", "--json", "--no-lock")) as { tags: string[] }[];
  return found.at(-1)?.tags[0]?.replace("run=", "");
}

/** A run of the command line that is told as JSON. */
export async function runJson(args: readonly string[], options: Parameters<typeof ipai>[1] = {}): Promise<RunJson> {
  return parsed(await ipai([...args, "--yes", "--json"], options));
}

/** What a command says that could not even begin. */
export function refusal(ended: Ended): { readonly code: string; readonly message: string; readonly hint: string } {
  return parsed<{ error: { code: string; message: string; hint: string } }>(ended).error;
}

/** Runs a script, of bash, while a run stands still at one of its points. */
export function at(point: string, script: string) {
  return {
    nodeOptions: ["--import", join(root, "test/harness/at-point.ts")],
    env: { AT_POINT: point, AT_SCRIPT: script },
  };
}

/** A folder of a test below the stack's, on the same file system and open to its service users. */
export async function testFolder(): Promise<string> {
  const path = await mkdtemp(join(folder, "test-"));
  await run("chmod", ["0755", path]);
  return path;
}

type Definition = Record<string, unknown> & { backup: Record<string, unknown>; health?: Record<string, unknown> };

/** The stack's own configuration with some of it changed, as a file of its own. */
export async function configWith(
  path: string,
  change: (stack: Definition, stacks: Record<string, Record<string, unknown>>, config: Record<string, unknown>) => void,
): Promise<string> {
  const text = await readFile(join(folder, "ipai.yaml"), "utf8");
  const [comment = "", ...json] = text.split("\n");
  const config = JSON.parse(json.join("\n")) as { stacks: { sandbox: Definition } };
  change(config.stacks.sandbox, config.stacks, config);
  await writeFile(path, `${comment}\n${JSON.stringify(config, null, 2)}\n`);
  return path;
}

/** A copy of the repository that may be damaged, and the configuration that names it. */
export async function copyRepository(into: string): Promise<{ repository: string; config: string }> {
  const repository = join(into, "repository");
  await cp(join(folder, "repository"), repository, { recursive: true });
  const config = await configWith(join(into, "ipai.yaml"), (stack) => {
    stack.backup["repository"] = repository;
  });
  return { repository, config };
}

/** restic on a repository of the stack, with its password. */
export async function restic(repository: string, ...args: readonly string[]): Promise<string> {
  const ended = await run("restic", ["--no-cache", "--repo", repository, ...args], {
    env: { RESTIC_PASSWORD_FILE: join(folder, "repository-password") },
  });
  if (ended.exitCode !== 0) throw new Error(`restic ${args.join(" ")}: ${ended.stderr}`);
  return ended.stdout;
}

/** Stores a backup's set once more under another id, changed by a script that is given the set's folder. */
export async function storeChanged(repository: string, backup: string, id: string, desk: string, script: string) {
  const set = join(desk, id);
  await restic(repository, "restore", "latest", "--tag", `run=${backup}`, "--target", set);
  const changed = await run("bash", ["-euo", "pipefail", "-c", script, "change", set]);
  if (changed.exitCode !== 0) throw new Error(changed.stderr);
  const store = ["backup", "--host", "sandbox", "--tag", `run=${id}`, "."];
  const ended = await run("restic", ["--no-cache", "--repo", repository, ...store], {
    env: { RESTIC_PASSWORD_FILE: join(folder, "repository-password") },
    directory: set,
  });
  if (ended.exitCode !== 0) throw new Error(ended.stderr);
}
