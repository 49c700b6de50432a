import { z } from "zod";
import type { Records } from "../../engine/records.ts";
import { Bug } from "../../errors/error.ts";
import type { CallFunction } from "../../host/perform.ts";
import type { Act } from "../../runbook/plan.ts";
import { type Json, output } from "../../runbook/value.ts";
import type { Stack } from "../../stack/stack.ts";
import type { RunTimes } from "../recovery/phases.ts";
import { change, read } from "../steps.ts";
import type { Changes } from "./changes.ts";

/** What was deployed, when, by whom, and how to go back to what was before. */

const releaseKinds = ["code", "database", "series", "rollback"] as const;

const release = z.object({
  id: z.string(),
  /** `code`: processes were restarted one by one; `database`: with an update; `series`: to another series of Odoo; `rollback`: an earlier one was put back. */
  kind: z.enum(releaseKinds),
  from: z.string(),
  commit: z.string(),
  commits: z
    .array(z.object({ commit: z.string(), at: z.string(), author: z.string(), subject: z.string() }))
    .readonly(),
  modules: z.record(z.string(), z.string()),
  at: z.string(),
  by: z.string(),
  /** Whether the database of before is kept as `DATABASE_before_ID`. */
  snapshot: z.boolean(),
  /** Releases that were taken back by it. */
  undone: z.array(z.string()).readonly().default([]),
  /** When the database was as the release made it: what is younger was written by people. */
  changedAt: z.string(),
  /** How long users were kept out, seconds. */
  downtimeSeconds: z.number(),
  /** Of that the update by Odoo, and the copy of the database. */
  updateSeconds: z.number(),
  copySeconds: z.number(),
  databaseBytes: z.number(),
  /** What was expected of the downtime when it was consented to; null when nobody had rehearsed it. */
  forecastSeconds: z.number().nullable(),
  seconds: z.number(),
});
export type Release = z.infer<typeof release>;

const kind = "release";
const listedMax = 1000;

const noted = release
  .pick({
    kind: true,
    from: true,
    commit: true,
    commits: true,
    modules: true,
    snapshot: true,
    databaseBytes: true,
  })
  .extend({ stack: z.string(), undone: z.array(z.string()) });

/** What is noted of a deployment. */
interface Deployed extends Pick<Changes, "updates" | "installs" | "code"> {
  readonly from: string;
  readonly to: string;
  readonly commits: Release["commits"];
}

/** Not among the facts: a plan would be another one whenever somebody has written something. */
export function noteSize({ postgres, config }: Stack): Act {
  const sql = "select pg_database_size(current_database());";
  return read({
    id: "size",
    title: "Note how large the database is",
    action: postgres.query(config.odoo.database, sql),
    outputs: { bytes: { from: "stdout", as: "number" } },
  });
}

/** What was noted. */
export const size = output("size", "bytes");

/** The last step: what nobody noted can only be rolled back by hand. After `noteSize`. */
export function noteRelease(
  stack: Stack,
  { from, to, commits, updates, installs, code }: Deployed,
  how: Pick<Release, "kind" | "snapshot"> & { readonly undone?: readonly string[] },
): Act {
  const modules = Object.fromEntries([...updates, ...installs, ...code].map((module) => [module.name, module.to]));
  const kept = commits.slice(0, 200).map((one) => ({ ...one }));
  const input = {
    stack: stack.name,
    undone: [],
    ...how,
    from,
    commit: to,
    commits: kept,
    modules,
    databaseBytes: size,
  };
  return change(
    {
      id: "release",
      title: "Note the release",
      action: { kind: "call", name: "deployment.record", version: 1, input },
    },
    { timeoutSeconds: 60, attempts: 3, onFail: "continue" },
  );
}

/** Users were out from when the bracket `closed` began to open until it was closed again. */
export function recordRelease(records: Records, timesOf: (run: string) => Promise<RunTimes>): CallFunction {
  return async (given, { scope }) => {
    const { stack, ...known } = noted.parse(given);
    const run = scope.run.id;
    const [by, times] = [await records.actorOf(run), await timesOf(run)];
    const data: Release = {
      ...known,
      id: run,
      by,
      at: times.now.toISOString(),
      changedAt: changedAt(times).toISOString(),
      downtimeSeconds: spanOf(times.steps.filter(({ path }) => path.startsWith("closed/"))),
      updateSeconds: spanOf(times.steps.filter(({ step }) => step === "update")),
      copySeconds: spanOf(times.steps.filter(({ step }) => step === "snapshot")),
      forecastSeconds: times.awaySeconds,
      seconds: Math.round((times.now.getTime() - times.startedAt.getTime()) / 100) / 10,
    };
    const told = {
      actor: by,
      action: "release.noted",
      stack,
      subject: run,
      detail: { commit: known.commit, kind: known.kind },
    };
    await records.put({ kind, id: `${stack}/${run}`, stack, run, data }, told);
    return null;
  };
}

/** The note of the installed code is the last thing that a release writes. */
function changedAt({ steps, startedAt }: RunTimes): Date {
  return steps.findLast(({ step }) => step === "record")?.finishedAt ?? startedAt;
}

/** Seconds from the first begin to the last end. */
function spanOf(steps: RunTimes["steps"]): number {
  if (steps.length === 0) return 0;
  const start = Math.min(...steps.map(({ startedAt }) => startedAt.getTime()));
  const end = Math.max(...steps.map(({ startedAt, finishedAt }) => (finishedAt ?? startedAt).getTime()));
  return Math.round((end - start) / 100) / 10;
}

/** Newest first. */
export async function listReleases(records: Records, stack: string): Promise<readonly Release[]> {
  return (await records.list(kind, stack, listedMax)).map(({ id, data }) => parse(id, data));
}

function parse(id: string, data: Json): Release {
  const parsed = release.safeParse(data);
  if (parsed.success) return parsed.data;
  throw Bug({ what: `the record of release ${id} is malformed: ${parsed.error.message}` });
}
