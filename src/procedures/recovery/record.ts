import { z } from "zod";
import type { Message } from "../../engine/message.ts";
import type { Records } from "../../engine/records.ts";
import { Bug } from "../../errors/error.ts";
import type { CallFunction } from "../../host/perform.ts";
import type { Json } from "../../runbook/value.ts";
import { measurePhases, type RunTimes } from "./phases.ts";

/** Measured recoveries, real ones and drills: what they took, phase by phase, and what was lost. */

const kind = "recovery";

const entry = z.object({
  what: z.enum(["database", "server"]),
  mode: z.enum(["drill", "real"]),
  run: z.string(),
  at: z.string(),
  /** From its begin until users were back, or, in a drill, could have been. */
  seconds: z.number(),
  phases: z.array(z.object({ name: z.string(), seconds: z.number() })),
  databaseBytes: z.number(),
  filestoreBytes: z.number(),
  /** Work that was lost, or would have been: between the recovered state and the begin. */
  lossSeconds: z.number(),
  /** The instant of the recovered state. */
  takenAt: z.string(),
  /** The set that it was made of; null when it was the archive. */
  set: z.string().nullable(),
  /** What was counted: tables, rows, attachments, files of the configuration. */
  counts: z.record(z.string(), z.number()),
  /** What is kept of the damaged one, or was set aside. */
  kept: z.array(z.string()),
});
export type Recovery = z.infer<typeof entry>;

const phases = z.array(z.object({ name: z.string(), steps: z.array(z.string()) }));
const input = entry
  .pick({ what: true, mode: true, databaseBytes: true, filestoreBytes: true, takenAt: true, set: true, kept: true })
  .extend({
    stack: z.string(),
    phases,
    /** What was done before the run: the control database had to come back for it to be journaled. */
    beforeSeconds: z.number().default(0),
    rows: z.number(),
    tables: z.number(),
    attachments: z.number(),
    unsound: z.number(),
    objectives: z.object({ rtoSeconds: z.number(), rpoSeconds: z.number() }),
  });

/** Newest first. */
export async function listRecoveries(records: Records, stack: string): Promise<readonly Recovery[]> {
  return (await records.list(kind, stack, listedMax)).map(({ data }) => parseEntry(data));
}

const listedMax = 1000;

export async function findRecovery(records: Records, run: string): Promise<Recovery | undefined> {
  const found = await records.find(kind, run);
  return found === undefined ? undefined : parseEntry(found);
}

function parseEntry(data: Json): Recovery {
  const parsed = entry.safeParse(data);
  if (!parsed.success) throw Bug({ what: `the record of a recovery is malformed: ${parsed.error.message}` });
  return parsed.data;
}

/**
 * Enters what a recovery took. `timesOf` tells when each step of a run was under way. Users are told what is lost when it was a real one:
 * they may have to enter it again.
 */
export function recordRecovery(
  records: Records,
  timesOf: (run: string) => Promise<RunTimes>,
  tell: (message: Message) => Promise<void>,
): CallFunction {
  return async (given, { scope }) => {
    const {
      stack,
      phases: wanted,
      beforeSeconds,
      objectives,
      rows,
      tables,
      attachments,
      unsound,
      ...rest
    } = input.parse(given);
    // Of a run within another the outer one is what people know, and what the stop-watch began with.
    const { run, startedAt, now, steps } = await timesOf(scope.run.id);
    const before = beforeSeconds === 0 ? [] : [{ name: "control database", seconds: beforeSeconds }];
    const data: Recovery = {
      ...rest,
      kept: rest.kept.map((path) => path.replaceAll("RUN", scope.run.id)),
      run,
      at: now.toISOString(),
      seconds: Math.round(beforeSeconds * 10 + (now.getTime() - startedAt.getTime()) / 100) / 10,
      phases: [...before, ...measurePhases(wanted, steps)],
      lossSeconds: Math.max(0, Math.round((startedAt.getTime() - Date.parse(rest.takenAt)) / 1000)),
      counts: { tables, rows, attachments, unsound },
    };
    await records.put({ kind, id: run, stack, run, data });
    if (data.mode === "real") await tell(tellLoss(stack, data));
    const isInTime = data.seconds <= objectives.rtoSeconds && data.lossSeconds <= objectives.rpoSeconds;
    return { seconds: data.seconds, lossSeconds: data.lossSeconds, isInTime };
  };
}

const drillKind = "drill";
const begun = z.object({ what: z.enum(["database", "server"]), run: z.string() });

/** A drill that has begun: it passed when there is a recovery of the same run. */
export interface Drill {
  readonly what: Recovery["what"];
  readonly run: string;
  readonly begunAt: Date;
  readonly evidence: Recovery | undefined;
}

export function beginDrill(records: Records): CallFunction {
  return async (given, { scope }) => {
    const { stack, what } = z.object({ stack: z.string(), what: begun.shape.what }).parse(given);
    const run = scope.run.id;
    await records.put({ kind: drillKind, id: run, stack, run, data: { what, run } });
    return null;
  };
}

/** Newest first. */
export async function listDrills(records: Records, stack: string): Promise<readonly Drill[]> {
  const all = await records.list(drillKind, stack, listedMax);
  return Promise.all(
    all.map(async ({ at, data }) => {
      const { what, run } = begun.parse(data);
      return { what, run, begunAt: at, evidence: await findRecovery(records, run) };
    }),
  );
}

/** What everybody who works with the suite has to know. */
export function tellLoss(stack: string, { what, run, takenAt, at, seconds, kept, lossSeconds }: Recovery): Message {
  return {
    ...{ key: `recovery:${run}`, event: "recovery.done", run, stack, chapter: "recovery", severity: "critical" },
    title: `The ${what} was recovered: the suite is as it was at ${takenAt}`,
    lines: [
      `Whatever was entered after ${takenAt} is not in it (up to ${minutes(lossSeconds)} of work). Please look, and enter it again.`,
      `Back since ${at}, ${minutes(seconds)} after the recovery began.`,
      ...kept.map((path) => `Kept: ${path}`),
      `Run ${run}.`,
    ],
  };
}

function minutes(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 360) / 10} h`;
}
