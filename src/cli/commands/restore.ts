import { getRun } from "../../engine/journal.ts";
import { defineError } from "../../errors/error.ts";
import { readLoss } from "../../procedures/backup/restore/loss.ts";
import { createFactReader } from "../../procedures/procedure.ts";
import type { Plan } from "../../runbook/plan.ts";
import type { Json } from "../../runbook/value.ts";
import type { Stack } from "../../stack/stack.ts";
import type { App } from "../app.ts";
import type { Context } from "../context.ts";
import { parseInstant } from "../instant.ts";
import { renderLoss } from "../render/loss.ts";
import { type RunOptions, runProcedure } from "./run.ts";

/** The ways back: which one is meant, and what it would lose. */

export const RestoreWhat = defineError<object>("usage.restore_when", {
  exitCode: 14,
  message: () => "A restore needs a set, or one instant: --at, or --before-run. Nothing was changed.",
  hint: () =>
    'For example: ipai restore latest, or ipai restore --at "2026-11-23 10:00". `ipai backup list` shows the sets, `ipai runs` the runs.',
});

export const RestoreMixed = defineError<{ option: string; of: string }>("usage.restore_mixed", {
  exitCode: 14,
  message: (d) => `${d.option} does not belong to the restore of ${d.of}. Nothing was changed.`,
  hint: () => "`ipai restore --help` says what each is for.",
});

export const RestorePart = defineError<{ given: string }>("usage.restore_part", {
  exitCode: 14,
  message: (d) => `A set has no part ${d.given}. Nothing was changed.`,
  hint: () => "--only is database or files.",
});

export const RunNeverBegan = defineError<{ run: string }>("restore.run_never_began", {
  exitCode: 26,
  message: (d) => `The run ${d.run} never began, so there is no instant before it. Nothing was changed.`,
  hint: () => "`ipai runs` lists runs; `--at` takes an instant.",
});

interface RestoreOptions extends RunOptions {
  readonly at?: string;
  readonly beforeRun?: string;
  readonly only?: string;
  readonly repository?: string;
  readonly from?: string;
  readonly asProduction?: boolean;
  readonly backup: boolean;
  readonly try?: boolean;
}

export async function restore(context: Context, set: string | undefined, options: RestoreOptions): Promise<number> {
  const ways = [set, options.at, options.beforeRun].filter((way) => way !== undefined);
  if (ways.length !== 1) throw RestoreWhat({});
  requireFitting(options, set === undefined);
  if (set !== undefined) return runProcedure(context, "restore set", inputOf(set, options), options, tellLoss);
  const at = await chooseInstant(context, options);
  return runProcedure(context, "restore", { at: at.toISOString() }, options);
}

/** What is said of a set means nothing for an instant. */
function requireFitting(options: RestoreOptions, isInstant: boolean): void {
  const { only, repository, from, asProduction, backup } = options;
  const ofSets = [
    ...[only, repository, from, asProduction, options.try].map((given) => given !== undefined),
    !backup,
  ].map((isGiven, index) => (isGiven ? names[index] : undefined));
  const given = ofSets.find((name) => name !== undefined);
  if (isInstant && given !== undefined) throw RestoreMixed({ option: given, of: "an instant" });
  if (asProduction === true && from === undefined)
    throw RestoreMixed({ option: "--as-production", of: "a stack's own set" });
}

const names = ["--only", "--repository", "--from", "--as-production", "--try", "--no-backup"];

function inputOf(set: string, options: RestoreOptions): Json {
  const { only = null, repository = null, from = null, asProduction = false, backup } = options;
  if (only !== null && only !== "database" && only !== "files") throw RestorePart({ given: only });
  const trial = options.try === undefined ? "needed" : options.try ? "always" : "never";
  return { set, only, repository, from, asProduction, backup, trial };
}

/** How old the set is now, what is nearer, and what was done since: before anybody is asked. */
async function tellLoss(app: App, stack: Stack, plan: Plan): Promise<readonly string[]> {
  const { only } = plan.input as { only: string | null };
  const { set, takenAt, from } = {
    ...(plan.facts as { set: string; takenAt: string }),
    ...(plan.input as { from: string | null }),
  };
  if (only === "files" || from !== null) return [];
  const reader = createFactReader(stack, app.performer, app.records);
  return renderLoss(await readLoss(reader, { set, takenAt, now: new Date() }), stack.config.timezone);
}

async function chooseInstant(context: Context, options: RestoreOptions): Promise<Date> {
  await using app: App = await context.openApp();
  if (options.at !== undefined) return parseInstant(options.at, app.stack(context.globals.stack).config.timezone);
  const { id, started_at } = await getRun(app.control, options.beforeRun ?? "");
  if (started_at === null) throw RunNeverBegan({ run: id });
  return started_at;
}
