import { existsSync, statSync } from "node:fs";
import { glob, open } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { toIpaiError } from "../errors/error.ts";
import { ConfigNotFound, ConfigUnreadable } from "./errors.ts";
import { ipaiHome } from "./home.ts";

/** Where the configuration is, and what is in it. */

export interface LoadOptions {
  readonly path?: string;
  readonly environment: NodeJS.ProcessEnv;
  /** The caller's working folder, to which relative paths belong. */
  readonly directory: string;
}

/** The named file, or the first that exists. A named one that does not exist is an error of its own: nothing else is taken for it. */
export function findFile({ path, environment, directory }: LoadOptions): string {
  const named = path ?? (environment["IPAI_CONFIG"] || undefined);
  if (named !== undefined) return resolve(directory, named);
  const looked = [
    join(directory, "ipai.yaml"),
    "/etc/ipai/ipai.yaml",
    join(ipaiHome(environment), "sandbox", "ipai.yaml"),
  ];
  const found = looked.find((candidate) => existsSync(candidate));
  if (found === undefined) throw ConfigNotFound({ looked });
  return found;
}

/** A file beside the configuration, with what it says or why it cannot be read. */
export interface NamedFile {
  /** As it is called from the configuration's folder. */
  readonly name: string;
  readonly text: string | { readonly unreadable: string };
}

/** The files that a configuration names by themselves, by their folder or by a pattern; each once, in the order of their names. */
export async function readNamed(configuration: string, named: readonly string[]): Promise<readonly NamedFile[]> {
  const folder = dirname(configuration);
  const found = await Promise.all(named.map((one) => listNamed(folder, one)));
  const paths = [...new Set(found.flat())].toSorted();
  return Promise.all(paths.map(async (path) => ({ name: relative(folder, path), text: await readOr(path) })));
}

async function listNamed(folder: string, named: string): Promise<readonly string[]> {
  const list = (pattern: string, cwd: string) =>
    Array.fromAsync(glob(pattern, { cwd }), (found) => resolve(cwd, found));
  if (/[*?[{]/.test(named)) return list(named, folder);
  const path = resolve(folder, named);
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? list("*.{yaml,yml}", path) : [path];
}

async function readOr(path: string): Promise<NamedFile["text"]> {
  try {
    return await readText(path);
  } catch (thrown) {
    const error = toIpaiError(thrown);
    if (error.code !== ConfigUnreadable.code) throw error;
    return { unreadable: error.message };
  }
}

const bytesMax = 1024 * 1024;

/** The file as text. Reads no further than a configuration can be long, so that a device or a database dump is refused at once. */
export async function readText(file: string): Promise<string> {
  const bytes = await readStart(file, bytesMax + 1);
  if (bytes.length > bytesMax) throw ConfigUnreadable({ file, reason: "it is larger than 1 MiB" });
  if (bytes.includes(0)) throw ConfigUnreadable({ file, reason: "it is not a text file" });
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw ConfigUnreadable({ file, reason: "it is not UTF-8 text" }, { cause });
  }
}

async function readStart(file: string, length: number): Promise<Buffer> {
  try {
    await using handle = await open(file);
    const buffer = Buffer.alloc(length);
    let filled = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, filled, length - filled);
      filled += bytesRead;
      if (bytesRead === 0 || filled === length) return buffer.subarray(0, filled);
    }
  } catch (cause) {
    throw ConfigUnreadable({ file, reason: reasonOf(cause) }, { cause });
  }
}

function reasonOf(cause: unknown): string {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return reasons[code] ?? (cause instanceof Error ? cause.message : String(cause));
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "it does not exist",
  ENOTDIR: "a part of its path is not a folder",
  EISDIR: "it is a folder",
  EACCES: "this user may not read it",
  ELOOP: "its links go in a circle",
};
