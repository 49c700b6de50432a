import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type FilesSnapshot, judgeFiles, type Reach } from "./judge.ts";
import type { FilesNote } from "./notes.ts";

const at = (minute: number) => new Date(Date.UTC(2026, 0, 1) + minute * 60_000).toISOString();

/** A filestore's life: after each minute the files that it has, as the program would have stored and noted them. */
function live(contents: readonly ReadonlySet<number>[]) {
  const snapshots: FilesSnapshot[] = [];
  const notes: FilesNote[] = [];
  const held = new Map<string, ReadonlySet<number>>();
  let before: ReadonlySet<number> = new Set();
  for (const [minute, files] of contents.entries()) {
    const last = snapshots.at(-1);
    // Without anything new there is no snapshot.
    if (last !== undefined && [...files].every((file) => before.has(file))) {
      before = files;
      continue;
    }
    const id = `s${minute}`;
    const parent = last === undefined ? new Set<number>() : (held.get(last.id) ?? new Set());
    snapshots.push({ id, origin: id, takenAt: at(minute) });
    notes.push({
      snapshot: id,
      parent: last?.id ?? "",
      files: files.size,
      kept: [...files].filter((file) => parent.has(file)).length,
    });
    held.set(id, files);
    before = files;
  }
  return { snapshots, notes, held };
}

const keptOf = (snapshots: readonly FilesSnapshot[], notes: readonly FilesNote[], reach: Reach) =>
  judgeFiles(snapshots, notes, reach).flatMap(({ snapshot, kept }) => (kept === undefined ? [] : [snapshot.id]));

describe("of the snapshots of the filestore", () => {
  it("those go of which the next has every file", () => {
    const { snapshots, notes } = live([new Set([1]), new Set([1, 2]), new Set([2, 3]), new Set([2, 3, 4])]);
    expect(keptOf(snapshots, notes, { since: at(-1) })).toEqual(["s3", "s1"]);
  });

  it("those go that are older than every instant, but for the last before the first of them", () => {
    const { snapshots, notes } = live([new Set([1]), new Set([2]), new Set([3]), new Set([4])]);
    expect(keptOf(snapshots, notes, { since: at(2.5) })).toEqual(["s3", "s2"]);
    expect(keptOf(snapshots, notes, { since: at(-1) })).toEqual(["s3", "s2", "s1", "s0"]);
    expect(keptOf(snapshots, notes, "unknown")).toEqual(["s3", "s2", "s1", "s0"]);
    expect(keptOf(snapshots, notes, "none")).toEqual(["s3"]);
  });

  it("none goes of which nothing is known, nor whose next one is not there", () => {
    const { snapshots, notes } = live([new Set([1]), new Set([1, 2]), new Set([1, 2, 3])]);
    expect(keptOf(snapshots, [], { since: at(-1) })).toEqual(["s2", "s1", "s0"]);
    const gap = snapshots.filter(({ id }) => id !== "s1");
    expect(keptOf(gap, notes, { since: at(-1) })).toEqual(["s2", "s0"]);
  });

  it("whatever was in the filestore at an instant that can be restored is in one that is kept, also after thinning again and again", () => {
    const store = fc.array(fc.uniqueArray(fc.nat(6), { maxLength: 6 }), { minLength: 1, maxLength: 14 });
    fc.assert(
      fc.property(store, fc.nat(14), fc.boolean(), (contents, first, twice) => {
        const sets = contents.map((files) => new Set(files));
        const { snapshots, notes, held } = live(sets);
        const reach = { since: at(first) };
        let left = keptOf(snapshots, notes, reach);
        if (twice)
          left = keptOf(
            snapshots.filter(({ id }) => left.includes(id)),
            notes,
            reach,
          );
        const found = new Set(left.flatMap((id) => [...(held.get(id) ?? [])]));
        for (const [minute, files] of sets.entries())
          if (minute >= first) for (const file of files) expect(found.has(file)).toBe(true);
      }),
    );
  });
});
