import { median } from "../median.ts";

/** A backup that is much smaller or larger than those before it may be whole, and of something that is not. */

export interface Sizes {
  readonly database: number;
  /** Null when nobody counted them. */
  readonly filestore: number | null;
}

export interface SizeFault {
  readonly what: "database" | "filestore";
  readonly bytes: number;
  /** The median of those before it. */
  readonly usualBytes: number;
  readonly percent: number;
}

/** With fewer before it, nobody can say what is usual. */
const earlierMin = 3;
const earlierMax = 7;
export const usualPercent = { least: 60, most: 180 };

/** `earlier`: those before it, newest first. Nothing is out of line beside nothing. */
export function findSizeFaults(last: Sizes, earlier: readonly Sizes[]): readonly SizeFault[] {
  return (["database", "filestore"] as const).flatMap((what) => {
    const known = earlier.flatMap((sizes) => sizes[what] ?? []).slice(0, earlierMax);
    const bytes = last[what];
    const usualBytes = median(known) ?? 0;
    if (bytes === null || usualBytes === 0 || known.length < earlierMin) return [];
    const percent = Math.round((100 * bytes) / usualBytes);
    return percent < usualPercent.least || percent > usualPercent.most ? [{ what, bytes, usualBytes, percent }] : [];
  });
}
