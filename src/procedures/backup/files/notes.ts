import { z } from "zod";
import type { Records } from "../../../engine/records.ts";
import type { CallFunction } from "../../../host/perform.ts";

/** What is known of the snapshots of the filestore: how much of the one before is still in each. */

const note = z.object({
  /** restic's own id in the first repository. */
  snapshot: z.string(),
  /** The one that it was compared with; empty for the first. */
  parent: z.string(),
  files: z.number(),
  /** So many of its files were in the parent too. */
  kept: z.number(),
});
export type FilesNote = z.infer<typeof note>;

export const filesKind = "files";
/** Weeks of one every minute. */
const keptMax = 20_000;

export async function listFilesNotes(records: Records, stack: string): Promise<readonly FilesNote[]> {
  return (await records.list(filesKind, stack, keptMax)).map(({ data }) => note.parse(data));
}

const input = note.extend({ stack: z.string(), at: z.string(), added: z.number() });

/** A time at which nothing was new has no snapshot of its own, and nothing to note. */
export function recordFiles(records: Records): CallFunction {
  return async (given, { scope }) => {
    const { stack, snapshot, parent, files, kept } = input.parse(given);
    if ((await records.find(filesKind, snapshot)) !== undefined) return null;
    await records.put({
      kind: filesKind,
      id: snapshot,
      stack,
      run: scope.run.id,
      data: { snapshot, parent, files, kept },
    });
    await records.trim(filesKind, stack, keptMax);
    return null;
  };
}
