import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { shell } from "./programs.ts";
import {
  compose,
  type Ended,
  folder,
  ipai,
  isCompose,
  isThere,
  parsed,
  places,
  type RunJson,
  root,
  run,
  there,
} from "./sandbox.ts";

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

/** A backup and its proof: what a release that changes the database is held up for. */
export async function prove(): Promise<void> {
  for (const args of [["backup"], ["backup", "verify"]]) {
    const { outcome, error } = await runJson(args);
    if (outcome !== "succeeded") throw new Error(`${args.join(" ")}: ${outcome} ${error?.message}`);
  }
}

/** The last one in the stack's repository, if there is any. */
export async function latestBackup(): Promise<string | undefined> {
  if (!(await isThere(join(places.repository, "config")))) return undefined;
  const found = JSON.parse(await restic(places.repository, "snapshots", "--json", "--no-lock")) as { tags: string[] }[];
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

const override = join(folder, "compose.override.yaml");

/** A folder of a test that the stack's programs see too, with the disks that are mounted in it, also later. */
export async function sharedFolder(): Promise<string> {
  const path = await testFolder();
  if (isCompose) await share(path);
  return path;
}

/** Removes it; what was mounted in it has to be gone. */
export async function removeShared(path: string): Promise<void> {
  if (isCompose) await unshare(path);
  await rm(path, { recursive: true });
}

/**
 * Gives a folder to the two containers where `ipai` works, under the path that it has here, and to the services that are named with what
 * else they shall have.
 */
export async function share(path: string, more: Readonly<Record<string, object>> = {}): Promise<void> {
  // Mounts are handed on only by a folder that is a mount itself, and says so.
  await shell(`mount --bind ${path} ${path} && mount --make-shared ${path}`);
  const volume = { type: "bind", source: path, target: path, bind: { propagation: "rslave" } };
  const services = Object.entries({ tools: {}, "odoo-tools": {}, ...more }).map(([name, given]) => [
    name,
    { ...given, volumes: [volume] },
  ]);
  await writeFile(override, JSON.stringify({ services: Object.fromEntries(services) }));
  await renew(services.map(([name]) => name as string));
}

/** Takes it away again. */
export async function unshare(path: string): Promise<void> {
  const { services } = JSON.parse(await readFile(override, "utf8")) as { services: object };
  await rm(override);
  await renew(Object.keys(services));
  await shell(`umount ${path}`);
}

/** Makes containers anew that are not as their project now says. */
async function renew(names: readonly string[]): Promise<void> {
  const ended = await compose("up", "--detach", "--wait", ...names);
  if (ended.exitCode !== 0) throw new Error(ended.stderr);
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
  const { runtime } = config.stacks.sandbox as unknown as { runtime: { compose?: Record<string, unknown> } };
  if (runtime.compose !== undefined && existsSync(override))
    runtime.compose["files"] = ["compose.yaml", "compose.override.yaml"];
  change(config.stacks.sandbox, config.stacks, config);
  await writeFile(path, `${comment}\n${JSON.stringify(config, null, 2)}\n`);
  return path;
}

/** A copy of the repository, in a folder that the stack sees, that may be damaged; and the configuration that names it. */
export async function copyRepository(into: string): Promise<{ repository: string; config: string }> {
  const repository = join(into, "repository");
  await there("cp", "-a", places.repository, repository);
  const config = await configWith(join(into, "ipai.yaml"), (stack) => {
    stack.backup["repository"] = repository;
  });
  return { repository, config };
}

/** restic on a repository of the stack, with its password. */
export async function restic(repository: string, ...args: readonly string[]): Promise<string> {
  return there(...resticOn(repository), ...args);
}

/** The words of restic on a repository of the stack, up to its command. */
export function resticOn(repository: string): readonly [string, ...string[]] {
  return ["restic", "--no-cache", "--repo", repository, "--password-file", places.password];
}

/** Stores a backup's set once more under another id, changed by a script that is given the set's folder. */
export async function storeChanged(repository: string, backup: string, id: string, desk: string, script: string) {
  const set = join(desk, id);
  await restic(repository, "restore", "latest", "--tag", `run=${backup}`, "--target", set);
  await there("bash", "-euo", "pipefail", "-c", script, "change", set);
  const store = ["backup", "--host", "sandbox", "--tag", `run=${id}`, "."];
  await there("sh", "-ec", 'cd "$1"; shift; exec "$@"', "store", set, ...resticOn(repository), ...store);
}
