import { z } from "zod";
import type { Act, Plan } from "../../runbook/plan.ts";
import type { Json } from "../../runbook/value.ts";
import type { Prunable } from "../../stack/restic.ts";
import type { RepositoryCopy } from "../../stack/restic-copy.ts";
import { primary } from "../../stack/sources.ts";
import type { Stack } from "../../stack/stack.ts";
import { RemovalHeld } from "../maintenance/errors.ts";
import { findIntegrity } from "../maintenance/integrity.ts";
import type { FactReader, Procedure } from "../procedure.ts";
import { change, read } from "../steps.ts";
import { type BackupEntry, findContradicted, listCatalogue, proofStateOf } from "./calls.ts";
import { noteSets } from "./copies.ts";
import { AppendOnly, NoRepository, NothingRemoved, RepositoryUnknown } from "./errors.ts";
import { listSets, listSnapshots, type SetInRepository } from "./facts.ts";
import { unlock } from "./locks.ts";
import { findRepositoryState } from "./repositories.ts";
import { judgeSets, type StoredSet, type Verdict } from "./retention.ts";

const input = z.object({
  repository: z.string().default(primary).describe("Which repository: primary, or the name of a copy"),
});
type PruneInput = z.infer<typeof input>;

export interface PruneFacts {
  /** The sets that the repository holds. It is asked, not the catalogue: only what is there can be removed. */
  readonly sets: readonly SetInRepository[];
  readonly catalogue: readonly Pick<
    BackupEntry,
    "id" | "takenAt" | "proof" | "doubt" | "contradicts" | "pin" | "removed"
  >[];
}

export const pruneBackups: Procedure<PruneInput, PruneFacts> = {
  name: "backup prune",
  chapter: "backup",
  version: 1,
  risk: "destroy",
  title: "Retention of backups",
  summary:
    "Removes the sets that no rule of backup.keep asks for, and gives their room back. The newest, the last proven and the pinned ones stay " +
    "whatever the rules say. The plan names every set, and why it is kept.",
  input,
  facts: readPruneFacts,
  plan: planPrune,
};

async function readPruneFacts(reader: FactReader, { repository }: PruneInput): Promise<PruneFacts> {
  const copy = findCopy(reader.stack, repository);
  await requireSound(reader);
  // Which sets are whole is not known then, and an older one may be all that is left.
  const { check } = await findRepositoryState(reader.records, reader.stack.name, repository);
  if (check?.outcome === "damaged") throw NothingRemoved({ repository, at: check.at });
  return {
    sets: copy === undefined ? await listSnapshots(reader) : await listSets(reader, copy),
    catalogue: await listCatalogue(reader.records, reader.stack.name),
  };
}

/** While the database is damaged, new sets hold the damage, and an old one that no rule keeps may be the last without. */
async function requireSound({ records, stack: { name } }: FactReader): Promise<void> {
  const found = await findIntegrity(records, name);
  if (found?.outcome !== "damaged") return;
  const relations = found.wrong.filter(({ state }) => state === "damaged").map(({ relation }) => relation);
  throw RemovalHeld({
    stack: name,
    run: found.run,
    at: found.at,
    relations: relations.slice(0, 5).join(", ") || "wrong checksums",
  });
}

/** Undefined is the first repository. */
export function findCopy(stack: Stack, name: string): RepositoryCopy | undefined {
  if (name === primary) return undefined;
  const copy = stack.copies.find((one) => one.name === name);
  const known = [primary, ...stack.copies.map((one) => one.name)].join(", ");
  if (copy === undefined) throw RepositoryUnknown({ given: name, known });
  if (copy.appendOnly) throw AppendOnly({ repository: name });
  return copy;
}

function planPrune(stack: Stack, { repository }: PruneInput, { sets, catalogue }: PruneFacts): Plan {
  const { config } = stack;
  const copy = findCopy(stack, repository);
  const restic = copy ?? stack.restic;
  if (restic === undefined || config.backup === undefined) throw NoRepository({ stack: stack.name });
  const verdicts = judgeSets(
    sets.map((set) => toStoredSet(set, catalogue)),
    config.backup.keep,
    config.timezone,
    catalogue.map(({ takenAt }) => takenAt),
  );
  const isKept = ({ grounds }: Verdict) => grounds.length > 0;
  const kept = verdicts.filter(isKept);
  const removed = verdicts.filter((verdict) => !isKept(verdict));
  const idsOf = (some: readonly Verdict[]) => some.map(({ set }) => set.id);
  const snapshotsOf = (some: readonly Verdict[]) =>
    sets.filter(({ id }) => idsOf(some).includes(id)).flatMap(({ snapshots }) => snapshots);
  // Only of the first repository the catalogue says what it holds.
  const difference = copy === undefined ? compareCatalogue(sets, catalogue) : { missing: [], found: [] };
  const forget = [snapshotsOf(removed), snapshotsOf(kept)] as const;
  return {
    procedure: pruneBackups.name,
    version: pruneBackups.version,
    stack: stack.name,
    title:
      removed.length === 0
        ? "Remove no backup: every one is kept"
        : `Remove ${count(removed.length)}${copy === undefined ? "" : ` from ${copy.name}`}`,
    input: { repository },
    facts: { removed: idsOf(removed), kept: groundsJson(kept), ...difference },
    // Whoever reads a set while its room is given back would find it damaged.
    lease: removed.length === 0 ? "none" : "exclusive",
    notes: notesOf(verdicts, restic, difference.missing),
    steps: [
      ...(removed.length === 0 ? [] : [unlock(restic), forgetSets(restic, ...forget)]),
      ...(copy === undefined
        ? noteInventory(stack, { removed: idsOf(removed), ...difference })
        : removed.length === 0
          ? []
          : noteSets(stack, copy)),
      ...(removed.length === 0 ? [] : [giveBack(restic), check(restic)]),
    ],
  };
}

function toStoredSet({ id, takenAt, reason }: SetInRepository, catalogue: PruneFacts["catalogue"]): StoredSet {
  const known = catalogue.find((entry) => entry.id === id);
  const proof = known === undefined ? "none" : proofStateOf(known);
  const isMisdated = known !== undefined && findContradicted(known, catalogue).length > 0;
  return { id, takenAt, reason, proof, pinned: known?.pin?.reason ?? null, isMisdated };
}

/** Somebody else took sets out of the repository, or its disk was another one for a while. */
function compareCatalogue(sets: PruneFacts["sets"], catalogue: PruneFacts["catalogue"]) {
  const isThere = (id: string) => sets.some((set) => set.id === id);
  return {
    missing: catalogue.flatMap(({ id, removed }) => (removed === null && !isThere(id) ? [id] : [])),
    found: catalogue.flatMap(({ id, removed }) => (removed !== null && isThere(id) ? [id] : [])),
  };
}

function groundsJson(kept: readonly Verdict[]): Json {
  return Object.fromEntries(kept.map(({ set, grounds }) => [set.id, grounds.map(({ words }) => words)]));
}

function count(sets: number): string {
  return sets === 1 ? "1 backup" : `${sets} backups`;
}

function notesOf(
  verdicts: readonly Verdict[],
  { repository }: Prunable,
  missing: readonly string[],
): readonly string[] {
  return [
    `Repository: ${repository}`,
    ...verdicts.map(({ set: { id, reason }, grounds }) =>
      grounds.length === 0
        ? `removes ${id} (${reason}): no rule asks for it`
        : `keeps ${id} (${reason}): ${grounds.map(({ words }) => words).join(", ")}`,
    ),
    ...missing.map((id) => `${id} is in the catalogue and not in the repository: somebody else removed it`),
  ];
}

/** By the repository's own ids, so that nothing is removed but what the plan names. */
function forgetSets(restic: Prunable, removed: readonly string[], kept: readonly string[]): Act {
  return change(
    { id: "forget", title: `Take ${count(removed.length)} out of the repository`, action: restic.forget(removed) },
    { effect: "destroy", undoClass: "irreversible", done: restic.holds(kept), verify: [restic.holds(kept)] },
  );
}

function noteInventory(
  stack: Stack,
  sets: { removed: readonly string[]; missing: readonly string[]; found: readonly string[] },
): readonly Act[] {
  if ([sets.removed, sets.missing, sets.found].every((ids) => ids.length === 0)) return [];
  const input = { stack: stack.name, ...sets };
  return [
    change(
      {
        id: "catalogue",
        title: "Note in the catalogue what is not there any more",
        action: { kind: "call", name: "backup.record_inventory", version: 1, input },
      },
      { timeoutSeconds: 60 },
    ),
  ];
}

/** What fails here costs room, and is done again by the next one. */
function giveBack(restic: Prunable): Act {
  return change(
    { id: "give back", title: "Give their room back", action: restic.prune() },
    { effect: "destroy", verify: [restic.isInitialised()], onFail: "continue", timeoutSeconds: 12 * 3600 },
  );
}

function check(restic: Prunable): Act {
  return read(
    {
      id: "check",
      title: "Check that every set that is kept is whole",
      action: restic.checkStructure(),
      outputs: {},
    },
    // What was removed cannot be put back; what is wrong with the rest is a finding, and looked at every day.
    { timeoutSeconds: 6 * 3600, onFail: "continue" },
  );
}
