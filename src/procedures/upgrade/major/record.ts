import { z } from "zod";
import type { Records } from "../../../engine/records.ts";
import { Bug } from "../../../errors/error.ts";
import type { CallFunction } from "../../../host/perform.ts";
import type { Act } from "../../../runbook/plan.ts";
import { output } from "../../../runbook/value.ts";
import type { Stack } from "../../../stack/stack.ts";
import type { RunTimes } from "../../recovery/phases.ts";
import { change } from "../../steps.ts";
import type { MajorFacts } from "./facts.ts";

/** What an upgrade to another series, or its rehearsal, did and found. */

const report = z.object({
  id: z.string(),
  from: z.string(),
  to: z.string(),
  /** Of the source; null when the stack has none. */
  commit: z.string().nullable(),
  /** The backup that it was rehearsed on; null of an upgrade itself. */
  backup: z.string().nullable(),
  /** `rehearsed`, or whether users have it: `tried` was taken back, or waits for its approval. */
  state: z.enum(["rehearsed", "tried", "serving"]),
  modules: z.record(z.string(), z.string()),
  at: z.string(),
  by: z.string(),
  scripts: z.array(z.object({ name: z.string(), seconds: z.number() })),
  /** How long Odoo's update took. */
  updateSeconds: z.number(),
  found: z.object({
    /** Lines of structure and of rows that were only there before; `come`: only after. */
    gone: z.array(z.string()),
    come: z.array(z.string()),
    /** What Odoo warned of. */
    warned: z.array(z.string()),
  }),
});
export type MajorReport = z.infer<typeof report>;

const kind = "major upgrade";
const listedMax = 100;

const noted = report
  .pick({
    from: true,
    to: true,
    commit: true,
    backup: true,
    state: true,
    modules: true,
    found: true,
  })
  .extend({ stack: z.string() });

/** `found` is what the step `compare` recorded. */
export function noteMajor(
  stack: Stack,
  { from, to, code, versions }: MajorFacts,
  how: { readonly id: string; readonly title: string; readonly state: MajorReport["state"]; readonly backup?: string },
): Act {
  const input = {
    ...{ stack: stack.name, from, to, commit: code?.to ?? null, backup: how.backup ?? null, state: how.state },
    ...{ modules: versions, found: output("compare", "found") },
  };
  return change(
    { id: how.id, title: how.title, action: { kind: "call", name: "upgrade.record_major", version: 1, input } },
    { timeoutSeconds: 60, attempts: 3, onFail: "continue" },
  );
}

export function recordMajor(records: Records, timesOf: (run: string) => Promise<RunTimes>): CallFunction {
  return async (given, { scope }) => {
    const { stack, ...known } = noted.parse(given);
    const run = scope.run.id;
    const [by, { steps, now }] = [await records.actorOf(run), await timesOf(run)];
    const secondsOf = ({ startedAt, finishedAt }: (typeof steps)[number]) =>
      Math.round(((finishedAt ?? startedAt).getTime() - startedAt.getTime()) / 100) / 10;
    const update = steps.find(({ step }) => step === "update");
    if (update === undefined) throw Bug({ what: "an upgrade without an update" });
    const scripts = steps.filter(({ step }) => step.startsWith("migrate "));
    const data: MajorReport = {
      ...known,
      id: run,
      by,
      at: now.toISOString(),
      scripts: scripts.map((one) => ({ name: one.step.replace("migrate ", ""), seconds: secondsOf(one) })),
      updateSeconds: secondsOf(update),
    };
    await records.put({ kind, id: `${stack}/${run}`, stack, run, data });
    return null;
  };
}

/** Newest first. */
export async function listMajor(records: Records, stack: string): Promise<readonly MajorReport[]> {
  return (await records.list(kind, stack, listedMax)).map(({ id, data }) => {
    const parsed = report.safeParse(data);
    if (parsed.success) return parsed.data;
    throw Bug({ what: `the report of the upgrade ${id} is malformed: ${parsed.error.message}` });
  });
}

/** Seconds that scripts and update took in the newest rehearsal of the same: from one series to another, with this commit. */
export async function rehearsedSeconds(
  records: Records,
  stack: string,
  { from, to, code }: Pick<MajorFacts, "from" | "to" | "code">,
): Promise<number | undefined> {
  const found = (await listMajor(records, stack)).find(
    (one) => one.state === "rehearsed" && one.from === from && one.to === to && one.commit === (code?.to ?? null),
  );
  return found?.scripts.reduce((sum, { seconds }) => sum + seconds, found.updateSeconds);
}
