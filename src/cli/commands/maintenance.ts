import { parseDuration } from "../../config/units.ts";
import { inTransaction, record } from "../../engine/audit.ts";
import { defineError } from "../../errors/error.ts";
import { MaintenanceIsOff } from "../../procedures/maintenance/errors.ts";
import { requireMaintenance } from "../../procedures/maintenance/owned.ts";
import { type MaintenanceState, readState } from "../../procedures/maintenance/state.ts";
import { createFactReader } from "../../procedures/procedure.ts";
import type { Stack } from "../../stack/stack.ts";
import type { App } from "../app.ts";
import type { Context } from "../context.ts";
import { parseFuture } from "../instant.ts";
import { instant, wrap } from "../render/text.ts";
import type { Terminal } from "../terminal.ts";
import { type RunOptions, runProcedure } from "./run.ts";

/** Maintenance mode: for how long, whether it is on, and how operators pass. */

export const MaintenanceLength = defineError<{ given: string }>("usage.maintenance_length", {
  exitCode: 14,
  message: (d) => `How long the maintenance should take is not clear: ${d.given}. Nothing was changed.`,
  hint: () => "Give either --for with a duration such as 30m or 2h (at most 7d), or --until with an instant.",
});

interface OnOptions extends RunOptions {
  readonly reason?: string;
  readonly for?: string;
  readonly until?: string;
}

export async function switchOn(context: Context, options: OnOptions): Promise<number> {
  const until = await untilOf(context, options);
  const { reason = "" } = options;
  return runProcedure(context, "maintenance on", { reason, until: until.toISOString() }, options);
}

const longestSeconds = 7 * 86_400;

async function untilOf(context: Context, { for: length, until }: OnOptions): Promise<Date> {
  const now = new Date();
  if (until !== undefined && length !== undefined) throw MaintenanceLength({ given: "both --for and --until" });
  if (until !== undefined) {
    await using app = await context.openApp();
    return parseFuture(until, app.stack(context.globals.stack).config.timezone, now);
  }
  const seconds = parseDuration(length ?? "1h");
  if (seconds === undefined || seconds === 0 || seconds > longestSeconds)
    throw MaintenanceLength({ given: `--for ${length}` });
  return new Date(now.getTime() + seconds * 1000);
}

export async function showMode(context: Context, options: { json?: boolean }): Promise<number> {
  await using app = await context.openApp();
  const stack = app.stack(context.globals.stack);
  requireMaintenance(stack);
  const state = await readState(createFactReader(stack, app.performer, app.records));
  const { terminal } = context;
  terminal.out(options.json === true ? JSON.stringify(state, null, 2) : renderState(terminal, stack, state));
  return 0;
}

function renderState(terminal: Terminal, stack: Stack, state: MaintenanceState): string {
  const answers = state.publicStatus === null ? "nothing answers" : `it answers ${state.publicStatus}`;
  return wrap(`${sayState(stack, state)} At ${stack.config.urls.public} ${answers}.`, terminal.columns, "  ");
}

/** One sentence, for `ipai status` too. */
export function sayState(stack: Stack, state: MaintenanceState): string {
  const zone = stack.config.timezone;
  if (!state.isOn) return "Maintenance: off.";
  const since = state.since === null ? "" : ` since ${instant(state.since, zone)}`;
  const by = state.by === null ? (state.run === null ? " by hand" : ` by run ${state.run}`) : ` by ${state.by}`;
  const until = state.until === null ? "" : `, until ${instant(state.until, zone)}`;
  const over = state.until !== null && Date.parse(state.until) < Date.now() ? ", which is over" : "";
  return `Maintenance: on${since}${by}${until}${over}${state.reason === "" ? "" : ` (${state.reason})`}.`;
}

/** The key stands after the #, where no server and no proxy writes it to a log. */
export async function showBypass(context: Context, options: { json?: boolean }): Promise<number> {
  await using app = await context.openApp();
  const stack = app.stack(context.globals.stack);
  const [key] = await readKeys(app, stack);
  if (key === undefined) throw MaintenanceIsOff({ stack: stack.name });
  const told = { actor: app.actor, action: "maintenance.bypass_shown", stack: stack.name, subject: stack.name };
  // Recorded before anybody has the key: what cannot be recorded is not handed out.
  await inTransaction(app.control.db, (tx) => record(tx, { ...told, detail: {} }, new Date()));
  const url = `${stack.config.urls.public}/web/login#ipai=${key}`;
  const { terminal } = context;
  if (options.json === true) terminal.out(JSON.stringify({ url, header: "X-Ipai-Bypass", key }, null, 2));
  else terminal.out(url);
  terminal.err(`Open it in a browser; programs send the header X-Ipai-Bypass. It ends with this maintenance.`);
  return 0;
}

async function readKeys(app: App, stack: Stack): Promise<readonly string[]> {
  const printed = await createFactReader(stack, app.performer, app.records).text(requireMaintenance(stack).readKeys);
  return printed.split("\n").filter((line) => /^[0-9a-f]{48}$/.test(line));
}
