import { z } from "zod";
import type { StackConfig } from "../../config/schema.ts";
import { command } from "../../runbook/action.ts";
import type { Readable, Restic } from "../../stack/restic.ts";
import { filesTag } from "../../stack/restic-files.ts";
import type { FactReader } from "../procedure.ts";
import { findBackup, reasonOf } from "./calls.ts";
import { BackupAmbiguous, BackupNotFound, NoRepository, NoSpace, RepositoryUnreadable } from "./errors.ts";
import type { FilesSnapshot } from "./files/judge.ts";
import type { SetReason } from "./retention.ts";

/** What the plans of backup and proof depend on. What cannot go well is refused here, before anything is begun. */

export interface BackupFacts {
  readonly databaseBytes: number;
  /** False for the very first backup into this repository. */
  readonly isRepositoryThere: boolean;
  readonly cores: number;
  /** Otherwise the attachments have to be copied instead of linked. */
  readonly isFilestoreNear: boolean;
}

const sizesSql = `
select json_build_object('databaseBytes', pg_database_size(current_database()), 'tableBytes',
  (select coalesce(sum(pg_table_size(c.oid)), 0) from pg_class c where relkind in ('r', 'm') and relnamespace <> 'pg_catalog'::regnamespace));
`;
const sizes = z.object({ databaseBytes: z.number(), tableBytes: z.number() });

export async function readBackupFacts(reader: FactReader): Promise<BackupFacts> {
  const { stack } = reader;
  const { database, dataDirectory } = stack.config.odoo;
  const isRepositoryThere = await findRepository(reader, getRepository(reader));
  const { databaseBytes, tableBytes } = sizes.parse(await reader.json(stack.postgres.query(database, sizesSql)));
  const work = await readFolder(reader, stack.config.workDirectory);
  const isFilestoreNear = (await readFolder(reader, dataDirectory)).mount === work.mount;
  const fileBytes = isFilestoreNear ? 0 : await measureTree(reader, `${dataDirectory}/filestore/${database}`);
  // The dump is the tables as text, without their indexes: about as large as on disk.
  requireSpace("A backup", stack.config.workDirectory, tableBytes + fileBytes, work.freeBytes);
  return { databaseBytes, isRepositoryThere, isFilestoreNear, cores: await countCores(reader) };
}

export function getRepository(reader: FactReader): Restic {
  const { restic, name } = reader.stack;
  if (restic === undefined) throw NoRepository({ stack: name });
  return restic;
}

/** A repository that has vanished is not made anew: its disk is not mounted, and the backups would fill another one. */
async function findRepository(reader: FactReader, { repository, isInitialised }: Restic): Promise<boolean> {
  if ((await reader.exitCode(isInitialised().action)) === 0) return true;
  const { tools: host, config } = reader.stack;
  const script = 'if [ -e "$1" ]; then cat -- "$1"; fi';
  const known = await reader.text(command(host, ["sh", "-c", script, "known", knownRepository(config.workDirectory)]));
  if (known.trim() === repository) throw RepositoryUnreadable({ repository });
  return false;
}

/** The file that says which repository the last backup went to. */
export function knownRepository(workDirectory: string): string {
  return `${workDirectory}/repository`;
}

export function countCores(reader: FactReader, place = reader.stack.tools): Promise<number> {
  return reader.number(command(place, ["nproc"]));
}

/** Half of the cores are left to users. More workers than that bring nothing: the largest table is dumped by one. */
export function jobsOf({ backup }: StackConfig, cores: number): number {
  return backup?.jobs ?? Math.min(cores, 8, Math.max(2, Math.ceil(cores / 2)));
}

export interface ProofFacts {
  readonly backup: string;
  readonly cores: number;
  readonly databaseBytes: number;
}

export async function readProofFacts(reader: FactReader, wanted: string): Promise<ProofFacts> {
  const { workDirectory } = reader.stack.config;
  const restic = getRepository(reader);
  const backup = await chooseBackup(reader, wanted);
  const { databaseBytes, setBytes } = await measureBackup(reader, restic, backup);
  const work = await readFolder(reader, workDirectory);
  // Besides the set, the restored tables with their indexes, a few temporary files, and the cluster itself.
  requireSpace("The proof", workDirectory, setBytes + 1.2 * databaseBytes + 150_000_000, work.freeBytes);
  return { backup, databaseBytes, cores: await countCores(reader) };
}

/** A set as the repository tells of it. */
export interface SetInRepository {
  /** The run that made it. */
  readonly id: string;
  readonly takenAt: string;
  readonly reason: SetReason;
  /** restic's own ids of it. */
  readonly snapshots: readonly string[];
}

const snapshots = z.array(
  z.object({
    id: z.string(),
    time: z.string(),
    tags: z.array(z.string()).default([]),
    /** Of one that was copied: what it was before. */
    original: z.string().optional(),
  }),
);

/** False: there is none yet. Throws for one that is not there any more. */
export function hasRepository(reader: FactReader): Promise<boolean> {
  return findRepository(reader, getRepository(reader));
}

/** The stack's sets in its repository, oldest first; none when there is no repository yet. What others keep in it is not ours. */
export async function listSnapshots(reader: FactReader): Promise<readonly SetInRepository[]> {
  return (await hasRepository(reader)) ? listSets(reader, getRepository(reader)) : [];
}

/** The stack's sets in any of its repositories, oldest first. */
export async function listSets(reader: FactReader, restic: Pick<Restic, "list">): Promise<readonly SetInRepository[]> {
  const found = snapshots.parse(await reader.json(restic.list())).flatMap(({ id, time, tags }) => {
    const run = tags.find((tag) => tag.startsWith("run="))?.slice("run=".length);
    return run === undefined ? [] : [{ run, id, takenAt: new Date(time).toISOString(), reason: reasonOf(tags) }];
  });
  return [...Map.groupBy(found, ({ run }) => run)]
    .flatMap(([id, [first, ...others]]) =>
      first === undefined ? [] : [{ ...first, id, snapshots: [first, ...others].map((one) => one.id) }],
    )
    .map(({ id, takenAt, reason, snapshots: own }) => ({ id, takenAt, reason, snapshots: own }))
    .toSorted((a, b) => a.takenAt.localeCompare(b.takenAt));
}

/** The snapshots of the filestore alone that a repository holds; they are no sets. */
export async function listFileSnapshots(
  reader: FactReader,
  restic: Pick<Restic, "list">,
): Promise<readonly FilesSnapshot[]> {
  const all = snapshots.parse(await reader.json(restic.list()));
  return all.flatMap(({ id, time, tags, original }) =>
    tags.includes(filesTag) ? [{ id, origin: original ?? id, takenAt: new Date(time).toISOString() }] : [],
  );
}

/** The repository is asked, not the catalogue: it is what a restore would have. */
async function chooseBackup(reader: FactReader, wanted: string): Promise<string> {
  const sets = await listSnapshots(reader);
  return (wanted === "latest" ? sets.at(-1)?.id : undefined) ?? findSet(sets, wanted).id;
}

/** The set of that id, or the only one whose id has that in it, as the end of an id that somebody reads out. */
export function findSet(sets: readonly SetInRepository[], wanted: string): SetInRepository {
  const whole = sets.find(({ id }) => id === wanted);
  const [found, ...others] = whole === undefined ? sets.filter(({ id }) => id.includes(wanted)) : [whole];
  if (found === undefined) throw BackupNotFound({ backup: wanted });
  if (others.length > 0)
    throw BackupAmbiguous({ given: wanted, found: [found, ...others].map(({ id }) => id).join(", ") });
  return found;
}

const total = z.object({ total_size: z.number() });
const about = z.object({ databaseBytes: z.number() });

/** A backup that another control database made is asked itself. */
export async function measureBackup(reader: FactReader, restic: Readable, backup: string) {
  const known = await findBackup(reader.records, backup);
  if (known !== undefined && known.setBytes !== null && known.databaseBytes > 0)
    return { databaseBytes: known.databaseBytes, setBytes: known.setBytes };
  const { total_size: setBytes } = total.parse(await reader.json(restic.measure(backup)));
  const { databaseBytes } = about.parse(await reader.json(restic.print(backup, "about")));
  return { databaseBytes, setBytes };
}

interface Folder {
  /** Files cannot be linked across mounts, even of one file system. */
  readonly mount: string;
  readonly freeBytes: number;
}

/** The file system that a folder lies on, or would lie on. */
export async function readFolder(reader: FactReader, path: string, place = reader.stack.tools): Promise<Folder> {
  const script =
    'd=$1; while [ ! -e "$d" ]; do d=$(dirname -- "$d"); done; stat --format=%m -- "$d"; df --output=avail -B1 -- "$d"';
  const printed = await reader.text(command(place, ["sh", "-c", script, "folder", path]));
  const lines = printed.trim().split("\n");
  return { mount: lines[0] ?? "", freeBytes: Number(lines.at(-1)) };
}

async function measureTree(reader: FactReader, path: string): Promise<number> {
  const script = 'if [ -e "$1" ]; then du -sB1 -- "$1"; else echo 0; fi';
  return Number.parseInt(await reader.text(command(reader.stack.tools, ["sh", "-c", script, "measure", path])), 10);
}

export function requireSpace(purpose: string, directory: string, neededBytes: number, freeBytes: number): void {
  const [needed, free] = [megabytes(neededBytes), megabytes(freeBytes)];
  if (freeBytes < neededBytes) throw NoSpace({ purpose, directory, needed, free });
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1_000_000)} MB`;
}
