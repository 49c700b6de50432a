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
import { findBefore } from "./before.ts";
import { isFile, restoreCopy, restoreFile } from "./exchange.ts";
import { showDifferences } from "./past.ts";
import { type RunOptions, runProcedure } from "./run.ts";

/** The ways back: which one is meant, and what it would lose. */

export const RestoreWhat = defineError<object>("usage.restore_when", {
  exitCode: 14,
  message: () => "A restore needs a set, or one instant: --at, --before-run, or --before. Nothing was changed.",
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
  hint: () => "--only is database, files or automation.",
});

export const RunNeverBegan = defineError<{ run: string }>("restore.run_never_began", {
  exitCode: 26,
  message: (d) => `The run ${d.run} never began, so there is no instant before it. Nothing was changed.`,
  hint: () => "`ipai runs` lists runs; `--at` takes an instant.",
});

export const BadHours = defineError<{ given: string }>("usage.bad_hours", {
  exitCode: 14,
  message: (d) => `${d.given} is no number of hours that a past may stay open. Nothing was changed.`,
  hint: () => "--hours takes a number above 0, and at most 2160: 90 days.",
});

interface RestoreOptions extends RunOptions {
  readonly at?: string;
  readonly beforeRun?: string;
  readonly before?: string;
  readonly since?: string;
  readonly candidate?: string;
  readonly look?: boolean;
  readonly hours?: string;
  readonly only?: string;
  readonly repository?: string;
  readonly from?: string;
  readonly asProduction?: boolean;
  readonly backup: boolean;
  readonly try?: boolean;
  readonly as?: string;
  readonly days?: string;
}

export async function restore(context: Context, set: string | undefined, options: RestoreOptions): Promise<number> {
  if (options.as !== undefined || (set !== undefined && isFile(set))) return restoreFrom(context, set, options);
  const ways = [set, options.at, options.beforeRun, options.before].filter((way) => way !== undefined);
  if (ways.length !== 1) throw RestoreWhat({});
  requireFitting(options, set === undefined ? "an instant" : undefined);
  if (set !== undefined) return runProcedure(context, "restore set", inputOf(set, options), options, tellLoss);
  const hours = hoursOf(options);
  const found = await chooseInstant(context, options);
  if ("exitCode" in found) return found.exitCode;
  if (hours === undefined) return runProcedure(context, "restore", found, options);
  return runProcedure(
    context,
    "past open",
    { ...found, hours },
    { ...options, show: showDifferences(context.terminal) },
  );
}

/** A copy, or a file: neither takes what sets and instants take. */
function restoreFrom(context: Context, given: string | undefined, options: RestoreOptions): Promise<number> {
  const { as, at, beforeRun, before } = options;
  const of = as === undefined ? "a file" : "a copy";
  const instants = { "--at": at, "--before-run": beforeRun, "--before": before };
  const [option] = Object.entries(instants).find(([, value]) => value !== undefined) ?? [];
  if (option !== undefined) throw RestoreMixed({ option, of });
  requireFitting(options, of);
  if (as !== undefined) return restoreCopy(context, given, { ...options, as });
  return restoreFile(context, given ?? "", options);
}

/** Undefined: not to look, but to go back. */
function hoursOf({ look, hours = "8" }: RestoreOptions): number | undefined {
  if (look !== true) return undefined;
  const parsed = Number(hours);
  if (!(parsed > 0 && parsed <= 24 * 90)) throw BadHours({ given: hours });
  return parsed;
}

/** What is said of a set means nothing for an instant, and the other way round. */
function requireFitting(options: RestoreOptions, other: string | undefined): void {
  const { only, repository, from, asProduction, backup, look, hours, since, candidate } = options;
  const ofSets = {
    ...{ "--only": only, "--repository": repository, "--from": from, "--as-production": asProduction },
    ...{ "--try": options.try, "--no-backup": backup ? undefined : true },
  };
  const ofInstants = { "--look": look, "--hours": hours };
  const ofSearches = { "--since": since, "--candidate": candidate };
  const refuse = (given: object, of: string) => {
    const [option] = Object.entries(given).find(([, value]) => value !== undefined) ?? [];
    if (option !== undefined) throw RestoreMixed({ option, of });
  };
  if (other !== undefined) refuse(ofSets, other);
  if (other !== "an instant") refuse(ofInstants, other ?? "a set");
  if (options.before === undefined) refuse(ofSearches, "anything but --before");
  if (look !== true) refuse({ "--hours": hours }, "anything but --look");
  if (asProduction === true && from === undefined)
    throw RestoreMixed({ option: "--as-production", of: "a stack's own set" });
}

function inputOf(set: string, options: RestoreOptions): Json {
  const { only = null, repository = null, from = null, asProduction = false, backup } = options;
  if (!setParts.includes(only)) throw RestorePart({ given: String(only) });
  const trial = options.try === undefined ? "needed" : options.try ? "always" : "never";
  return { set, only, repository, from, asProduction, backup, trial };
}

const setParts: readonly (string | null)[] = [null, "database", "files", "automation"];

/** How old the set is now, what is nearer, and what was done since: before anybody is asked. */
async function tellLoss(app: App, stack: Stack, plan: Plan): Promise<readonly string[]> {
  const { only } = plan.input as { only: string | null };
  const { set, takenAt, from } = {
    ...(plan.facts as { set: string; takenAt: string }),
    ...(plan.input as { from: string | null }),
  };
  if (only === "files" || only === "automation" || from !== null) return [];
  const reader = createFactReader(stack, app.performer, app.records);
  return renderLoss(await readLoss(reader, { set, takenAt, now: new Date() }), stack.config.timezone);
}

/** Without an instant, the command ends with the exit code of the search for it. */
type Chosen = { readonly at: string } | { readonly exitCode: number };

async function chooseInstant(context: Context, options: RestoreOptions): Promise<Chosen> {
  const { at, before, beforeRun } = options;
  if (before !== undefined) return findBefore(context, before, options);
  await using app: App = await context.openApp();
  if (at !== undefined) return { at: toExact(at, parseInstant(at, app.stack(context.globals.stack).config.timezone)) };
  const { id, started_at } = await getRun(app.control, beforeRun ?? "");
  if (started_at === null) throw RunNeverBegan({ run: id });
  return { at: started_at.toISOString() };
}

/** The server counts microseconds, and a search tells them; a Date has only milliseconds. */
function toExact(given: string, parsed: Date): string {
  const [, fraction] = /\.(\d{4,6})(?:Z|[+-])/.exec(given) ?? [];
  const iso = parsed.toISOString();
  return fraction === undefined ? iso : `${iso.slice(0, "2026-11-23T02:00:00".length)}.${fraction}Z`;
}
