import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { defineError } from "../errors/error.ts";
import { canonicalJson } from "../runbook/hash.ts";

/**
 * A backup of the control database as a file: one line of JSON, its manifest, and below it what pg_dump wrote. The manifest has its
 * own hash and that of the dump, so a file that is cut, or changed in one byte, is known before anything is read from it. By hand:
 * `tail -n +2 FILE | pg_restore …`.
 */

export const BackupUnusable = defineError<{ file: string; reason: string }>("control.backup_unusable", {
  exitCode: 73,
  message: (d) => `${d.file} cannot be restored: ${d.reason}. Nothing was changed.`,
  hint: () => "Take another one: `ipai control backups` lists what there is.",
});

const tables = z.record(z.string(), z.strictObject({ rows: z.int(), digest: z.string() }));

const manifest = z.strictObject({
  format: z.literal("ipai control backup 1"),
  takenAt: z.iso.datetime(),
  by: z.string(),
  host: z.string(),
  /** Version of the server. */
  server: z.int(),
  /** Newest step of the schema. */
  schema: z.string(),
  audit: z.strictObject({ entries: z.int(), head: z.string().nullable() }),
  /** Every table with its rows, and a digest of them that does not depend on their order. */
  tables,
  dump: z.strictObject({ bytes: z.int(), sha256: z.string() }),
});

export type Manifest = z.output<typeof manifest>;
export type TableDigests = z.output<typeof tables>;

/** What is in a folder: newest first. `fault`: it is not whole, as far as that shows without reading all of it. */
export interface BackupFile {
  readonly path: string;
  readonly bytes: number;
  readonly manifest?: Manifest;
  readonly fault?: string;
}

const namePattern = /^control-\d{8}t\d{9}z\.backup$/;

/** Sorts by time. */
export function nameOf(takenAt: Date): string {
  return `control-${takenAt.toISOString().replaceAll(/[-:.]/g, "").toLowerCase()}.backup`;
}

export async function listBackupFiles(directory: string): Promise<readonly BackupFile[]> {
  const names = (await readdir(directory).catch(nothingThere)).filter((name) => namePattern.test(name));
  return Promise.all(
    names
      .sort()
      .toReversed()
      .map((name) => look(join(directory, name))),
  );
}

function nothingThere(error: NodeJS.ErrnoException): readonly string[] {
  if (error.code === "ENOENT") return [];
  throw error;
}

async function look(path: string): Promise<BackupFile> {
  const { size: bytes } = await stat(path);
  return readHead(path).then(
    ({ manifest: found }) => ({ path, bytes, manifest: found }),
    (error: Error) => ({ path, bytes, fault: error.message }),
  );
}

interface Head {
  readonly manifest: Manifest;
  /** Where the dump begins. */
  readonly offset: number;
}

/** More than a manifest ever is. */
const headBytesMax = 1024 * 1024;

/** The manifest, when it is whole and the file is as long as it says. */
async function readHead(path: string): Promise<Head> {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(headBytesMax), 0, headBytesMax, 0);
  const end = buffer.subarray(0, bytesRead).indexOf("\n");
  const unusable = (reason: string, cause?: unknown) => BackupUnusable({ file: path, reason }, { cause });
  if (end < 0) throw unusable("it does not begin with the manifest of a backup of a control database");
  const found = parseHead(buffer.toString("utf8", 0, end));
  if (found === undefined) throw unusable("its manifest is not one, or was changed after it was written");
  const missing = end + 1 + found.dump.bytes - (await file.stat()).size;
  if (missing !== 0)
    throw unusable(missing > 0 ? `${missing} bytes are missing at its end` : "it is longer than it was");
  return { manifest: found, offset: end + 1 };
}

function parseHead(line: string): Manifest | undefined {
  try {
    const { seal, ...given } = JSON.parse(line) as Record<string, unknown>;
    const parsed = manifest.parse(given);
    return seal === sealOf(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function sealOf(given: Manifest): string {
  return createHash("sha256").update(canonicalJson(given)).digest("hex");
}

/** Reads all of it. Throws unless it is as it was written. */
export async function requireWhole(path: string): Promise<Manifest> {
  const head = await readHead(path).catch((error: NodeJS.ErrnoException) => {
    if (!["ENOENT", "EACCES", "EISDIR"].includes(error.code ?? "")) throw error;
    throw BackupUnusable({ file: path, reason: `it cannot be read (${error.code})` }, { cause: error });
  });
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { start: head.offset })) hash.update(chunk as Buffer);
  if (hash.digest("hex") !== head.manifest.dump.sha256)
    throw BackupUnusable({ file: path, reason: "its content is not what was written" });
  return head.manifest;
}

/** Size and hash of a dump. */
export async function measure(dump: string): Promise<Manifest["dump"]> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(dump)) hash.update(chunk as Buffer);
  return { bytes: (await stat(dump)).size, sha256: hash.digest("hex") };
}

/** Puts manifest and dump together, and waits until the disk has them. */
export async function writeWhole(path: string, given: Manifest, dump: string): Promise<void> {
  await using file = await open(path, "wx", 0o600);
  await file.appendFile(`${JSON.stringify({ ...given, seal: sealOf(given) })}\n`);
  for await (const chunk of createReadStream(dump)) await file.appendFile(chunk as Buffer);
  await file.sync();
}

/** A rename is on the disk when its folder is. */
export async function syncFolder(directory: string): Promise<void> {
  await using folder: FileHandle = await open(directory);
  await folder.sync();
}
