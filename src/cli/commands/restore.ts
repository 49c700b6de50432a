import { getRun } from "../../engine/journal.ts";
import { defineError } from "../../errors/error.ts";
import type { App } from "../app.ts";
import type { Context } from "../context.ts";
import { parseInstant } from "../instant.ts";
import { type RunOptions, runProcedure } from "./run.ts";

/** The way back to an instant: which one is meant. */

export const RestoreWhen = defineError<object>("usage.restore_when", {
  exitCode: 14,
  message: () => "A restore needs one instant: --at, or --before-run. Nothing was changed.",
  hint: () => 'For example: ipai restore --at "2026-11-23 10:00". `ipai runs` lists runs.',
});

export const RunNeverBegan = defineError<{ run: string }>("restore.run_never_began", {
  exitCode: 26,
  message: (d) => `The run ${d.run} never began, so there is no instant before it. Nothing was changed.`,
  hint: () => "`ipai runs` lists runs; `--at` takes an instant.",
});

interface RestoreOptions extends RunOptions {
  readonly at?: string;
  readonly beforeRun?: string;
}

export async function restore(context: Context, options: RestoreOptions): Promise<number> {
  const at = await chooseInstant(context, options);
  return runProcedure(context, "restore", { at: at.toISOString() }, options);
}

async function chooseInstant(context: Context, options: RestoreOptions): Promise<Date> {
  if ((options.at === undefined) === (options.beforeRun === undefined)) throw RestoreWhen({});
  await using app: App = await context.openApp();
  if (options.at !== undefined) return parseInstant(options.at, app.stack(context.globals.stack).config.timezone);
  const { id, started_at } = await getRun(app.control, options.beforeRun ?? "");
  if (started_at === null) throw RunNeverBegan({ run: id });
  return started_at;
}
