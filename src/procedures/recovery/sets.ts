import { z } from "zod";
import type { GroundRepository } from "../../stack/ground.ts";
import type { NamedRepository } from "../../stack/restic.ts";
import { primary } from "../../stack/sources.ts";
import type { Stack } from "../../stack/stack.ts";
import { BackupNotFound, NoRepository, RepositoryUnknown } from "../backup/errors.ts";
import { listSets } from "../backup/facts.ts";
import type { FactReader } from "../procedure.ts";
import { RecoverySetIncomplete } from "./errors.ts";

/** A set as it is found in a repository, with no catalogue to ask: what it says of itself, and which parts of a machine it has. */

const part = z.object({
  part: z.string(),
  path: z.string(),
  state: z.enum(["taken", "commit", "absent", "missing", "unreadable"]),
  commit: z.string().default(""),
  remote: z.string().default(""),
  /** Of code: the folder of its repository, and the branch that it was on. */
  top: z.string().default(""),
  branch: z.string().default(""),
  /** Of what was in a container: where on its machine it lay; empty when it came with the image. */
  machine: z.string().optional(),
});
export type FoundPart = z.infer<typeof part>;

const cluster = z.object({
  version: z.string(),
  dataDirectory: z.string(),
  encoding: z.string(),
  collate: z.string(),
  ctype: z.string(),
  icu: z.string().nullable(),
  checksums: z.boolean(),
  segmentBytes: z.number(),
  archiveMode: z.string(),
  archiveCommand: z.string(),
  /** What ALTER SYSTEM had set, which lies in the data folder. */
  settings: z.record(z.string(), z.string()),
});
/** How the database server was made. */
export type ClusterShape = z.infer<typeof cluster>;

const about = z.object({
  database: z.string(),
  databaseBytes: z.number(),
  takenAt: z.string(),
  cluster: cluster.optional(),
});

export interface FoundSet {
  readonly id: string;
  readonly repository: string;
  readonly takenAt: string;
  readonly database: string;
  readonly databaseBytes: number;
  /** Of the whole set, read back. */
  readonly setBytes: number;
  readonly cluster: ClusterShape;
  readonly parts: readonly FoundPart[];
}

export const newest = "latest";

export const setInput = {
  set: z.string().default(newest).describe("Id of the backup, or latest"),
  repository: z.string().default(primary).describe("Where it is read from: primary, or the name of a copy"),
};

/** The stack's own repositories by name. */
export function getRepository(stack: Stack, name: string): NamedRepository {
  return findByName(stack, stack.sources.get(stack.name) ?? [], name);
}

/** The same, as a machine finds them on which nothing of the stack is left. */
export function getGroundRepository(stack: Stack, name: string): GroundRepository {
  return findByName(stack, stack.ground.repositories, name);
}

function findByName<Repository extends NamedRepository>(
  stack: Stack,
  own: readonly Repository[],
  name: string,
): Repository {
  if (own.length === 0) throw NoRepository({ stack: stack.name });
  const found = own.find((one) => one.name === name);
  if (found === undefined) throw RepositoryUnknown({ given: name, known: own.map((one) => one.name).join(", ") });
  return found;
}

const total = z.object({ total_size: z.number() });

export async function findSet(
  reader: FactReader,
  given: { readonly set: string; readonly repository: string },
  repository: NamedRepository = getRepository(reader.stack, given.repository),
): Promise<FoundSet> {
  const ids = (await listSets(reader, repository)).map(({ id }) => id);
  const id = given.set === newest ? ids.at(-1) : ids.find((one) => one === given.set);
  if (id === undefined) throw BackupNotFound({ backup: given.set });
  const [said, parts, size] = await Promise.all([
    reader.json(repository.print(id, "about")),
    reader.jsonLines(repository.print(id, "configuration/parts")),
    reader.json(repository.measure(id)),
  ]);
  const { cluster: shape, ...rest } = about.parse(said);
  if (shape === undefined) throw RecoverySetIncomplete({ set: id, missing: "how the database server was made" });
  const setBytes = total.parse(size).total_size;
  return { id, repository: given.repository, ...rest, setBytes, cluster: shape, parts: z.array(part).parse(parts) };
}

/** What a machine cannot be made without. */
export function requireParts(found: FoundSet, names: readonly string[]): void {
  const usable = (name: string) =>
    found.parts.some(({ part: one, state }) => one === name && (state === "taken" || state === "commit"));
  const missing = names.filter((name) => !usable(name));
  if (missing.length > 0) throw RecoverySetIncomplete({ set: found.id, missing: missing.join(", ") });
}
