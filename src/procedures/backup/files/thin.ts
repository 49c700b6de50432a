import { z } from "zod";
import type { Plan } from "../../../runbook/plan.ts";
import type { Prunable } from "../../../stack/restic.ts";
import { primary } from "../../../stack/sources.ts";
import type { Stack } from "../../../stack/stack.ts";
import type { FactReader, Procedure } from "../../procedure.ts";
import { change } from "../../steps.ts";
import { NoRepository } from "../errors.ts";
import { hasRepository, listFileSnapshots } from "../facts.ts";
import { unlock } from "../locks.ts";
import { findCopy } from "../prune.ts";
import { readArchive } from "../wal/facts.ts";
import { type FilesSnapshot, type FilesVerdict, judgeFiles, type Reach } from "./judge.ts";
import { type FilesNote, listFilesNotes } from "./notes.ts";

const input = z.object({
  repository: z.string().default(primary).describe("Which repository: primary, or the name of a copy"),
});
type ThinInput = z.infer<typeof input>;

export interface ThinFacts {
  readonly snapshots: readonly FilesSnapshot[];
  readonly notes: readonly FilesNote[];
  readonly reach: Reach;
}

/**
 * Beside the retention of sets, and planned anew each time: there is one more of these every minute, so a plan that names them and waits
 * for consent would be void at once. No file is lost by it that any instant still needs, so there is nothing to consent to either.
 */
export const thinFiles: Procedure<ThinInput, ThinFacts> = {
  name: "backup thin",
  chapter: "backup",
  version: 1,
  risk: "change",
  title: "Retention of filestore snapshots",
  summary:
    "Removes the snapshots of the filestore of which a later one has every file, and those that are older than every instant that can be restored. " +
    "The newest stays, and every one that has a file which Odoo removed since.",
  input,
  facts: readThinFacts,
  plan: planThin,
};

async function readThinFacts(reader: FactReader, { repository }: ThinInput): Promise<ThinFacts> {
  const { stack, records } = reader;
  const copy = findCopy(stack, repository);
  const notes = await listFilesNotes(records, stack.name);
  const reach = await readReach(reader);
  if (copy !== undefined) return { notes, reach, snapshots: await listFileSnapshots(reader, copy) };
  const isThere = await hasRepository(reader);
  return {
    notes,
    reach,
    snapshots: isThere && stack.restic !== undefined ? await listFileSnapshots(reader, stack.restic) : [],
  };
}

async function readReach(reader: FactReader): Promise<Reach> {
  if (reader.stack.pgbackrest === undefined) return "none";
  const archive = await reader.maybe(readArchive(reader));
  const oldest = archive?.backups[0];
  if (oldest === undefined) return "unknown";
  return { since: new Date(oldest.stoppedAt * 1000).toISOString() };
}

function planThin(stack: Stack, { repository }: ThinInput, { snapshots, notes, reach }: ThinFacts): Plan {
  const copy = findCopy(stack, repository);
  const restic = copy ?? stack.restic;
  if (restic === undefined) throw NoRepository({ stack: stack.name });
  const verdicts = judgeFiles(snapshots, notes, reach);
  const all = verdicts.flatMap(({ snapshot, kept }) => (kept === undefined ? [snapshot.id] : []));
  const removed = all.slice(-atOnceMax);
  return {
    procedure: thinFiles.name,
    version: thinFiles.version,
    stack: stack.name,
    title:
      removed.length === 0
        ? "Remove no snapshot of the filestore"
        : `Remove ${countOf(removed.length)} of the filestore${copy === undefined ? "" : ` from ${copy.name}`}`,
    input: { repository },
    facts: { removed },
    lease: removed.length === 0 ? "none" : "exclusive",
    notes: [`Repository: ${restic.repository}`, ...summaryOf(verdicts)],
    steps: removed.length === 0 ? [] : [unlock(restic), forget(restic, removed)],
  };
}

/** More names than these are too long for one command on another machine; the oldest go first, the rest with the next one. */
const atOnceMax = 1500;

function countOf(snapshots: number): string {
  return snapshots === 1 ? "1 snapshot" : `${snapshots} snapshots`;
}

/** There may be hundreds: why each of the kept ones is, and how many go for which reason. */
function summaryOf(verdicts: readonly FilesVerdict[]): readonly string[] {
  const kept = verdicts.flatMap(({ snapshot, kept: why }) =>
    why === undefined ? [] : [`keeps ${snapshot.id.slice(0, 8)} of ${snapshot.takenAt}: ${why}`],
  );
  const reasons = Map.groupBy(
    verdicts.flatMap(({ removed }) => removed ?? []),
    (why) => why,
  );
  return [...kept, ...[...reasons].map(([why, all]) => `removes ${countOf(all.length)}: ${why}`)];
}

/** What only they needed gives its room back with the next prune. */
function forget(restic: Prunable, removed: readonly string[]) {
  return change(
    {
      id: "forget",
      title: `Take ${countOf(removed.length)} out of the repository`,
      action: restic.forget(removed),
    },
    { done: restic.lacks(removed), verify: [restic.lacks(removed)], timeoutSeconds: 3600 },
  );
}
