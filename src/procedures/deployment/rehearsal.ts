import { z } from "zod";
import type { Records } from "../../engine/records.ts";
import { Bug } from "../../errors/error.ts";
import type { CallFunction } from "../../host/perform.ts";
import type { RunTimes } from "../recovery/phases.ts";
import type { Changes } from "./changes.ts";

/** What a rehearsal found, and what it lets expect of the deployment. */

/** Not of rehearsals that an earlier version did. */
const lines = z.array(z.string()).default([]);

const rehearsal = z.object({
  id: z.string(),
  from: z.string(),
  commit: z.string(),
  backup: z.string(),
  modules: z.record(z.string(), z.string()),
  databaseBytes: z.number(),
  at: z.string(),
  by: z.string(),
  /** How long Odoo's update took on the copy. */
  updateSeconds: z.number(),
  found: z.object({
    /** Lines of structure and of rows that were only there before; `come`: only after. */
    gone: z.array(z.string()),
    come: z.array(z.string()),
    /** What Odoo warned of. */
    warned: z.array(z.string()),
    /** Views that Odoo calls invalid after the update, and did not before, with what it says. */
    invalidViews: lines,
    /** Records that updates leave alone (noupdate), whose files the release changes: the database keeps what it has, field by field. */
    kept: lines,
    /** The same whose fields differed from their files before the release too: changed by people, or by what silenced the copy. */
    keptBefore: lines,
    /** Scheduled actions, active before, that are gone, renamed or switched off: the deployment asks for --accept-lost-crons. */
    cronsLost: lines,
    cronsNew: lines,
    /** What could not be asked: a record or a file that Odoo itself does not take. */
    notAsked: lines,
  }),
});
export type Rehearsal = z.infer<typeof rehearsal>;

const kind = "rehearsal";
const listedMax = 200;

const noted = rehearsal.omit({ id: true, at: true, by: true, updateSeconds: true }).extend({ stack: z.string() });

export function recordRehearsal(records: Records, timesOf: (run: string) => Promise<RunTimes>): CallFunction {
  return async (given, { scope }) => {
    const { stack, ...known } = noted.parse(given);
    const run = scope.run.id;
    const [by, { steps, now }] = [await records.actorOf(run), await timesOf(run)];
    const update = steps.find(({ step }) => step === "update");
    if (update === undefined || update.finishedAt === null) throw Bug({ what: "a rehearsal without an update" });
    const updateSeconds = (update.finishedAt.getTime() - update.startedAt.getTime()) / 1000;
    const data: Rehearsal = { ...known, id: run, by, at: now.toISOString(), updateSeconds };
    await records.put({ kind, id: `${stack}/${run}`, stack, run, data });
    return null;
  };
}

/** Newest first. */
export async function listRehearsals(records: Records, stack: string): Promise<readonly Rehearsal[]> {
  return (await records.list(kind, stack, listedMax)).map(({ id, data }) => {
    const parsed = rehearsal.safeParse(data);
    if (parsed.success) return parsed.data;
    throw Bug({ what: `the record of rehearsal ${id} is malformed: ${parsed.error.message}` });
  });
}

/** The newest of the same update: to this commit, from the one that lies there, of these modules at least. */
export async function findRehearsal(
  records: Records,
  stack: string,
  {
    from,
    to,
    updates,
    installs,
  }: Pick<Changes, "updates" | "installs"> & { readonly from: string; readonly to: string },
): Promise<Rehearsal | undefined> {
  const wanted = [...updates, ...installs].map(({ name }) => name);
  const isWhole = ({ modules }: Rehearsal) => wanted.every((name) => Object.hasOwn(modules, name));
  const rehearsals = await listRehearsals(records, stack);
  return rehearsals.find((one) => one.commit === to && one.from === from && isWhole(one));
}
