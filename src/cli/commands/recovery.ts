import { listRuns } from "../../engine/journal.ts";
import { findRecovery, type Recovery } from "../../procedures/recovery/record.ts";
import type { Context } from "../context.ts";
import { recoverControl } from "../control-recovery.ts";
import { parseInstant } from "../instant.ts";
import { duration } from "../render/text.ts";
import { type RunOptions, runProcedure } from "./run.ts";

/** The way back after a disaster, and what it took. */

interface ServerOptions extends RunOptions {
  readonly set?: string;
  readonly repository?: string;
  readonly provision?: boolean;
}

export async function recoverServer(context: Context, options: ServerOptions): Promise<number> {
  const wanted = { set: options.set ?? "latest", repository: options.repository ?? "primary" };
  const isOnlyShown = options.plan === true || options.script === true;
  const control = isOnlyShown ? undefined : await recoverControl(context, wanted);
  if (control !== undefined && options.json !== true) context.terminal.err(control.said);
  const input = { ...wanted, provision: options.provision !== false, beforeSeconds: control?.seconds ?? 0 };
  return tellTimes(context, await runProcedure(context, "recover server", input, options), options);
}

interface DatabaseOptions extends RunOptions {
  readonly set?: string;
  readonly repository?: string;
  readonly at?: string;
  readonly althoughItAnswers?: boolean;
}

export async function recoverDatabase(context: Context, options: DatabaseOptions): Promise<number> {
  const at = options.at === undefined ? {} : { at: await instantOf(context, options.at) };
  const input = {
    ...at,
    ...(options.set === undefined ? {} : { set: options.set }),
    repository: options.repository ?? "primary",
    although: options.althoughItAnswers === true,
  };
  return tellTimes(context, await runProcedure(context, "recover database", input, options), options);
}

async function instantOf(context: Context, given: string): Promise<string> {
  await using app = await context.openApp();
  return parseInstant(given, app.stack(context.globals.stack).config.timezone).toISOString();
}

/** After a run that went well: what the stop-watch says. */
async function tellTimes(context: Context, code: number, options: RunOptions): Promise<number> {
  if (code !== 0 || options.plan === true || options.script === true || options.json === true) return code;
  await using app = await context.openApp();
  const { id } = (await listRuns(app.control, 1, { stacks: [app.stack(context.globals.stack).name] }))[0] ?? {};
  const found = id === undefined ? undefined : await findRecovery(app.records, id);
  if (found !== undefined) context.terminal.out(renderTimes(found));
  return code;
}

export function renderTimes({ seconds, phases, lossSeconds, takenAt, kept }: Recovery): string {
  return [
    `Back after ${duration(seconds)}: ${phases.map((phase) => `${phase.name} ${duration(phase.seconds)}`).join(", ")}.`,
    `The suite is as it was at ${takenAt}: up to ${duration(lossSeconds)} of work is lost.`,
    ...kept.map((path) => `Kept: ${path}`),
  ].join("\n");
}
