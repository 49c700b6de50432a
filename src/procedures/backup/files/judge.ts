import type { FilesNote } from "./notes.ts";

/** Which snapshots of the filestore are kept, and why. Pure. */

/** As a repository tells of it. */
export interface FilesSnapshot {
  readonly id: string;
  /** Its id in the first repository, where it was made; in a copy it has another one. */
  readonly origin: string;
  /** ISO instant. */
  readonly takenAt: string;
}

/** The oldest instant that can be restored; `none`: only whole sets can be, which have their files; `unknown`: the archive was not read. */
export type Reach = { readonly since: string } | "none" | "unknown";

export interface FilesVerdict {
  readonly snapshot: FilesSnapshot;
  /** Undefined: it is removed, because of `removed`. */
  readonly kept: string | undefined;
  readonly removed: string | undefined;
}

/** Newest first. What nothing is known of is kept. */
export function judgeFiles(
  snapshots: readonly FilesSnapshot[],
  notes: readonly FilesNote[],
  reach: Reach,
): readonly FilesVerdict[] {
  const newestFirst = snapshots.toSorted((a, b) => b.takenAt.localeCompare(a.takenAt));
  const covered = coveredOf(newestFirst, notes);
  // What was there at the first instant is in the last snapshot before it.
  const first =
    typeof reach === "object" ? newestFirst.find(({ takenAt }) => takenAt <= reach.since)?.takenAt : undefined;
  return newestFirst.map((snapshot, index) => {
    if (index === 0) return { snapshot, kept: "the newest", removed: undefined };
    const removed =
      reach === "none"
        ? "every set that can be restored has its own files"
        : first !== undefined && snapshot.takenAt < first
          ? "older than every instant that can be restored"
          : covered.has(snapshot.origin)
            ? "a later one has all of its files"
            : undefined;
    return { snapshot, removed, kept: removed === undefined ? "has files that no later one has" : undefined };
  });
}

/** Those of which the next one that is there has every file. What that next one is covered by has them too. */
function coveredOf(snapshots: readonly FilesSnapshot[], notes: readonly FilesNote[]): ReadonlySet<string> {
  const there = new Set(snapshots.map(({ origin }) => origin));
  const files = new Map(notes.map((note) => [note.snapshot, note.files]));
  return new Set(
    notes.flatMap(({ snapshot, parent, kept }) =>
      parent !== "" && there.has(snapshot) && files.get(parent) === kept ? [parent] : [],
    ),
  );
}
