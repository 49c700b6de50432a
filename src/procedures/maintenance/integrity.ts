import { z } from "zod";
import type { Records } from "../../engine/records.ts";
import { defineFinding } from "../../errors/finding.ts";
import type { CallFunction } from "../../host/perform.ts";
import type { Finding } from "../monitoring/check.ts";

/** What is known of the pages of a database: what the last check said of each object. */

const wrong = z.object({
  /** With its schema, where that is not the catalogue's. */
  relation: z.string(),
  kind: z.enum(["table", "index", "toast"]),
  /** Of an index or TOAST table: the table that it belongs to. */
  table: z.string().nullable(),
  /** Odoo's model, when it is the table of one. */
  model: z.string().nullable(),
  state: z.enum(["damaged", "skipped"]),
  faults: z.number().nullable(),
  said: z.string().nullable(),
});

export const answer = z.object({
  /** Whether every page on disk has a checksum. */
  checksums: z.boolean(),
  /** Pages that were found to have a wrong one since the statistics began. */
  checksumFailures: z.number(),
  tables: z.number(),
  indexes: z.number(),
  bytes: z.number(),
  /** Indexes of other kinds, which amcheck cannot read. */
  others: z.number(),
  damaged: z.number(),
  skipped: z.number(),
  /** The first few of them in words; empty when there is none. */
  damagedWords: z.string(),
  skippedWords: z.string(),
  /** The first hundred. */
  wrong: z.array(wrong),
});

const state = answer.extend({
  at: z.string(),
  run: z.string(),
  outcome: z.enum(["sound", "damaged", "incomplete"]),
});
export type Integrity = z.infer<typeof state>;

export const integrityKind = "integrity";

/** Undefined: it was never checked. */
export async function findIntegrity(records: Records, stack: string): Promise<Integrity | undefined> {
  const found = await records.find(integrityKind, stack);
  return found === undefined ? undefined : state.parse(found);
}

export function recordIntegrity(records: Records): CallFunction {
  return async (given, { scope }) => {
    const { stack, answer: said } = z.object({ stack: z.string(), answer }).parse(given);
    const { id: run, startedAt: at } = scope.run;
    const data: Integrity = { ...said, at, run, outcome: judge(said) };
    await records.put({ kind: integrityKind, id: stack, stack, run, data });
    return null;
  };
}

function judge({ damagedWords, skipped }: z.infer<typeof answer>): Integrity["outcome"] {
  if (damagedWords !== "") return "damaged";
  return skipped > 0 ? "incomplete" : "sound";
}

/** Two weeks after the last one, a weekly check has been missed. */
const checkDaysMax = 14;

const pages = defineFinding("IPAI-DB-002", {
  title: "Pages of the database",
  asks: "what the last `ipai database check` found in the pages of tables and indexes",
  warns: `something could not be checked, or the last check was more than ${checkDaysMax} days ago`,
  fails: "something is damaged; no backup is removed until it is not",
  first:
    "`ipai runs show RUN` of that check says what to do: an index is made anew (`REINDEX`), a table comes from a backup.",
});

/** What is not well with the pages, as the last check saw them. Never checked is no finding: who has just begun knows that. */
export async function findIntegrityFaults(records: Records, stack: string, now: Date): Promise<readonly Finding[]> {
  const found = await findIntegrity(records, stack);
  return found === undefined ? [] : judgeIntegrity(found, now);
}

export function judgeIntegrity(found: Integrity, now: Date): readonly Finding[] {
  const days = Math.floor((now.getTime() - Date.parse(found.at)) / 86_400_000);
  const common = { ...pages, milliseconds: 0, threshold: 0 } as const;
  return [
    ...(found.outcome === "damaged"
      ? [
          {
            ...common,
            ...({ status: "fail", unit: "damaged", value: Math.max(found.damaged, found.checksumFailures) } as const),
            hint: `${found.damagedWords}. No backup is removed until \`ipai database check\` finds it sound; \`ipai runs show ${found.run}\` says what to do.`,
          },
        ]
      : []),
    ...(found.outcome === "incomplete"
      ? [
          {
            ...common,
            ...({ status: "warn", unit: "not checked", value: found.skipped } as const),
            hint: `${found.skippedWords}. \`ipai database check\` tries again.`,
          },
        ]
      : []),
    ...(found.outcome === "sound" && days > checkDaysMax
      ? [
          {
            ...common,
            ...({ status: "warn", unit: "days ago", value: days, threshold: checkDaysMax } as const),
            hint: "It was last checked so long ago: damage would get into every backup. Is the schedule `database` off, or does no worker live? `ipai database check` does it now.",
          },
        ]
      : []),
    ...(found.checksums ? [] : [withoutChecksums]),
  ];
}

const withoutChecksums: Finding = {
  ...defineFinding("IPAI-DB-003", {
    title: "Checksums of pages",
    asks: "whether the cluster has checksums, as the last `ipai database check` saw it",
    warns: "it has none: PostgreSQL does not notice when the disk gives back another page than it was given",
    first: "With the server stopped, `pg_checksums --enable -D DATA` switches them on; it writes every page once.",
  }),
  ...{ unit: "", status: "warn", value: "off", threshold: "on" },
  hint:
    "PostgreSQL does not notice when the disk gives back another page than it was given. With the server stopped, `pg_checksums --enable -D DATA` switches " +
    "them on (it writes every page once); a new cluster gets them with `initdb --data-checksums`.",
  milliseconds: 0,
};
