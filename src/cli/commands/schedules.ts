import { advance } from "../../engine/advance.ts";
import { getRun, type Run } from "../../engine/journal.ts";
import {
  listOccurrences,
  listPauses,
  type Occurrence,
  pauseSchedule,
  unpauseSchedule,
} from "../../engine/occurrences.ts";
import { addOneOff, listDueOneOffs, removeOneOff } from "../../engine/one-offs.ts";
import { listNext, type Schedule } from "../../engine/schedule.ts";
import { listWorkers } from "../../engine/workers.ts";
import { defineError } from "../../errors/error.ts";
import { getSchedule, schedulesOf } from "../../procedures/schedules.ts";
import type { App } from "../app.ts";
import type { Context } from "../context.ts";
import { parseFuture } from "../instant.ts";
import { BadInput, getProcedure, oneOffGraceSeconds, requireInput } from "../procedures.ts";
import { instant, table } from "../render/text.ts";

/** What happens by itself, when, and what became of it. */

export const NoSuchOneOff = defineError<{ name: string }>("usage.no_one_off", {
  exitCode: 14,
  message: (d) => `There is nothing called ${d.name} that is still to come.`,
  hint: () => "`ipai schedules` lists what is.",
});

interface Options {
  readonly json?: boolean;
  readonly count?: string;
  readonly at?: string;
  readonly input?: string;
}

export async function listSchedules(context: Context, options: Options): Promise<number> {
  await using app = await context.openApp();
  const stack = app.stack(context.globals.stack);
  const now = new Date();
  const [procedures, pauses, workers, occurrences, once] = await Promise.all([
    app.procedures(),
    listPauses(app.control, stack.name),
    listWorkers(app.control),
    listOccurrences(app.control, stack.name, historyMax),
    listDueOneOffs(app.control, stack.name),
  ]);
  const schedules = schedulesOf(stack.config, procedures).map((schedule) => ({
    ...schedule,
    paused: pauses.get(schedule.name),
    next: pauses.has(schedule.name) ? undefined : listNext(schedule, now, 1)[0],
    last: occurrences.find((one) => one.schedule === schedule.name && one.state !== "due"),
  }));
  const { terminal } = context;
  if (options.json === true) {
    terminal.out(
      JSON.stringify({ schedules: schedules.map(toJson), once: once.map(occurrenceJson), workers }, null, 2),
    );
    return 0;
  }
  const zone = stack.config.timezone;
  const rows = await Promise.all(
    schedules.map(async (one) => [
      one.name,
      one.procedure,
      one.cron,
      one.paused === undefined
        ? one.next === undefined
          ? "never"
          : instant(one.next, zone)
        : `paused by ${one.paused.by}`,
      one.last === undefined ? "" : await outcomeOf(app, one.last, zone),
    ]),
  );
  const extra = once.map((one) => [
    one.schedule,
    one.procedure,
    "once",
    instant(one.at, zone),
    `asked for by ${one.actor}${one.run === null ? "" : ` (${one.run})`}`,
  ]);
  terminal.out(table([["NAME", "PROCEDURE", "WHEN", "NEXT", "LAST"], ...rows, ...extra]));
  if (!workers.some(({ lives }) => lives))
    terminal.out("\nNo worker runs, so nothing of this happens by itself. Start one: ipai worker");
  return 0;
}

/** Enough to hold the last time of everything that happens at least once a week, beside checks every five minutes. */
const historyMax = 5000;

function toJson({
  name,
  procedure,
  cron,
  timezone,
  missed,
  next,
  last,
  paused,
}: Schedule & {
  readonly next: Date | undefined;
  readonly last: Occurrence | undefined;
  readonly paused: { readonly by: string; readonly at: Date } | undefined;
}) {
  return {
    ...{ name, procedure, cron, timezone, missed, next: next ?? null, paused: paused ?? null },
    last: last === undefined ? null : occurrenceJson(last),
  };
}

function occurrenceJson({ schedule, procedure, at, state, run, error }: Occurrence) {
  return { schedule, procedure, at, state, run, ...(error === null ? {} : { error }) };
}

async function outcomeOf(app: App, occurrence: Occurrence, zone: string): Promise<string> {
  const at = instant(occurrence.at, zone);
  if (occurrence.run === null)
    return `${occurrence.state} ${at}${occurrence.error === null ? "" : ` (${occurrence.error.code})`}`;
  const run: Run = await getRun(app.control, occurrence.run);
  return `${run.outcome ?? run.status} ${at} (${run.id})`;
}

export async function nextTimes(context: Context, name: string, options: Options): Promise<number> {
  await using app = await context.openApp();
  const { config } = app.stack(context.globals.stack);
  const times = listNext(getSchedule(config, await app.procedures(), name), new Date(), Number(options.count ?? 5));
  if (options.json === true) context.terminal.out(JSON.stringify(times, null, 2));
  else for (const time of times) context.terminal.out(instant(time, config.timezone));
  return 0;
}

export async function showHistory(context: Context, name: string | undefined, options: Options): Promise<number> {
  await using app = await context.openApp();
  const stack = app.stack(context.globals.stack);
  const occurrences = await listOccurrences(app.control, stack.name, Number(options.count ?? 20), name);
  if (options.json === true) {
    context.terminal.out(JSON.stringify(occurrences.map(occurrenceJson), null, 2));
    return 0;
  }
  const zone = stack.config.timezone;
  const rows = await Promise.all(
    occurrences.map(async (one) => [one.schedule, one.procedure, await outcomeOf(app, one, zone)]),
  );
  context.terminal.out(
    rows.length === 0 ? "Nothing yet." : table([["NAME", "PROCEDURE", "WHAT BECAME OF IT"], ...rows]),
  );
  return 0;
}

export async function pause(context: Context, name: string): Promise<number> {
  await using app = await context.openApp();
  const schedule = getSchedule(app.stack(context.globals.stack).config, await app.procedures(), name);
  await pauseSchedule(app.control, schedule, app.actor, new Date());
  context.terminal.out(`${name} is paused. Nothing of it happens until: ipai schedules resume ${name}`);
  return 0;
}

export async function resume(context: Context, name: string): Promise<number> {
  await using app = await context.openApp();
  const { config } = app.stack(context.globals.stack);
  const schedule = getSchedule(config, await app.procedures(), name);
  await unpauseSchedule(app.control, schedule, app.actor, new Date());
  const [next] = listNext(schedule, new Date(), 1);
  context.terminal.out(`${name} goes on${next === undefined ? "" : `: next ${instant(next, config.timezone)}`}.`);
  return 0;
}

export async function runOnce(context: Context, procedure: string, options: Options): Promise<number> {
  await using app = await context.openApp();
  const stack = app.stack(context.globals.stack);
  const at = parseFuture(options.at ?? "", stack.config.timezone, new Date());
  const input = requireInput(
    getProcedure(await app.procedures(), procedure),
    parseJson(procedure, options.input ?? "{}"),
  );
  const given = { stack: stack.name, procedure, input, actor: app.actor, at, graceSeconds: oneOffGraceSeconds };
  const { schedule } = await addOneOff(app.control, given, new Date());
  if (options.json === true) context.terminal.out(JSON.stringify({ name: schedule, at }));
  else
    context.terminal.out(
      `${procedure} runs ${instant(at, stack.config.timezone)}, if a worker runs then. Take it back with: ipai schedules drop ${schedule}`,
    );
  return 0;
}

export async function drop(context: Context, name: string): Promise<number> {
  await using app = await context.openApp();
  const stack = app.stack(context.globals.stack);
  const removed = await removeOneOff(app.control, stack.name, name, app.actor, new Date());
  if (removed === undefined) throw NoSuchOneOff({ name });
  if (removed.run !== null) await advance(app.engine(), removed.run);
  context.terminal.out(`${name} does not happen.`);
  return 0;
}

function parseJson(procedure: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw BadInput({ procedure, reason: error instanceof Error ? error.message : String(error) });
  }
}
