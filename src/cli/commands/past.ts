import { resolve } from "node:path";
import { z } from "zod";
import type { Run } from "../../engine/journal.ts";
import { defineError } from "../../errors/error.ts";
import {
  type Differences,
  differences,
  differencesOf,
  kindOfDifference,
} from "../../procedures/backup/past/compare.ts";
import { extractFolderOf } from "../../procedures/backup/past/extract.ts";
import { folderOf, getPast, sideOf } from "../../procedures/backup/past/past.ts";
import { createFactReader } from "../../procedures/procedure.ts";
import { listResources, type Resource } from "../../procedures/resources.ts";
import { command } from "../../runbook/action.ts";
import type { Stack } from "../../stack/stack.ts";
import type { App } from "../app.ts";
import type { Context } from "../context.ts";
import { renderDifferences } from "../render/differences.ts";
import { instant, table } from "../render/text.ts";
import type { Terminal } from "../terminal.ts";
import { type RunOptions, runProcedure, type Shown } from "./run.ts";

/** What is open of the past, and what the present has that it has not. */

export const NothingCompared = defineError<{ id: string }>("usage.nothing_compared", {
  exitCode: 26,
  message: (d) => `The past ${d.id} was not compared with the present to its end.`,
  hint: (d) => `Compare it: ipai past look ${d.id}`,
});

export const NoDifference = defineError<{ model: string }>("usage.no_difference", {
  exitCode: 26,
  message: (d) => `Nothing of ${d.model} differs, or it links records that have no ids of their own.`,
  hint: () => "`ipai past show ID` says of which models records differ.",
});

interface Options {
  readonly json?: boolean;
}

const line = z.object({ id: z.number(), what: kindOfDifference, uid: z.number().nullable() });

export async function listPasts(context: Context, options: Options): Promise<number> {
  await using app = await context.openApp();
  const stack = app.stack(context.globals.stack);
  const pasts = (await listResources(app.records, stack.name)).filter(({ kind }) => kind === "past");
  const found = await Promise.all(pasts.map(async (past) => ({ ...past, running: await isRunning(app, stack, past) })));
  const { terminal } = context;
  const { timezone } = stack.config;
  if (options.json === true) terminal.out(JSON.stringify(found, null, 2));
  else if (found.length === 0) terminal.out('No past is open. Open one: ipai restore --at "2026-11-23 10:00" --look');
  else {
    const rows = found.map(({ id, title, by, expires, running }) => [
      ...[id, by, instant(expires, timezone), running ? "open" : terminal.style("yellow", "its server is down"), title],
    ]);
    terminal.out(table([["ID", "OWNER", "UNTIL", "STATE", "WHAT"], ...rows]));
  }
  return 0;
}

function readerOf(app: App, stack: Stack) {
  return createFactReader(stack, app.performer, app.records);
}

async function isRunning(app: App, stack: Stack, { id }: Resource): Promise<boolean> {
  return (await readerOf(app, stack).exitCode(sideOf(stack, id).isRunning.action)) === 0;
}

export async function showPast(
  context: Context,
  { id, model }: { id: string; model: string | undefined },
  options: Options,
): Promise<number> {
  await using app = await context.openApp();
  const stack = app.stack(context.globals.stack);
  const past = await getPast({ records: app.records, stack }, id);
  const found = await readDifferences(app, stack, id);
  const { terminal } = context;
  if (model !== undefined) {
    const records = await readModel(app, stack, id, model);
    if (options.json === true) terminal.out(JSON.stringify(records, null, 2));
    else
      terminal.out(
        table([["ID", "WHAT", "BY"], ...records.map((one) => [String(one.id), one.what, byOf(found, one.uid)])]),
      );
    return 0;
  }
  if (options.json === true) terminal.out(JSON.stringify({ ...past, differences: found }, null, 2));
  else terminal.out(`${titleOf(past, stack)}\n\n${renderDifferences(terminal, found, stack.config.timezone)}`);
  return 0;
}

function titleOf({ title, by, expires }: Resource, { config }: Stack): string {
  return `${title}, opened by ${by}, until ${instant(expires, config.timezone)}`;
}

function byOf({ models }: Differences, uid: number | null): string {
  const known = models.flatMap(({ by }) => by).find((one) => one.uid === uid);
  return known?.login ?? (uid === null ? "" : `user ${uid}`);
}

export function lookAgain(context: Context, id: string, options: RunOptions): Promise<number> {
  return runProcedure(context, "past look", { id }, { ...options, show: showDifferences(context.terminal) });
}

export const BadRecords = defineError<{ given: string }>("usage.bad_records", {
  exitCode: 14,
  message: (d) => `${d.given} is no id of a record. Nothing was taken out.`,
  hint: () =>
    "Ids are whole numbers, as in the address of a record's form; `ipai past show ID MODEL` lists those that differ.",
});

interface Extracted {
  readonly id: string;
  readonly model: string;
  readonly records: readonly string[];
}

export function extract(
  context: Context,
  { id, model, records }: Extracted,
  options: RunOptions & { readonly out?: string },
): Promise<number> {
  const wrong = records.find((one) => !/^[1-9]\d{0,15}$/.test(one));
  if (wrong !== undefined) throw BadRecords({ given: wrong });
  const { out, ...rest } = options;
  const place = out === undefined ? {} : { out: resolve(context.directory, out) };
  const input = { id, model, ids: records.map(Number), ...place };
  const show = async (app: App, run: Run): Promise<Shown> => {
    const stack = app.stack(run.stack);
    const folder = extractFolderOf(stack, input, run.id);
    const found = await readerOf(app, stack).json(command(stack.tools, ["cat", "--", `${folder}/records.json`]));
    const where = out === undefined ? " (it goes with the past)" : "";
    context.terminal.err(`Values, CSV and attachments: ${folder}${where}`);
    return { json: { folder, extracted: found }, text: JSON.stringify(found, null, 2) };
  };
  return runProcedure(context, "past extract", input, { ...rest, show });
}

/** Of the run that compared: the one that opened the past, or a later one. */
export function showDifferences(terminal: Terminal): NonNullable<RunOptions["show"]> {
  return async (app, run): Promise<Shown> => {
    const stack = app.stack(run.stack);
    const { id } = z.object({ id: z.string().default(run.id) }).parse(run.plan.input);
    const found = await readDifferences(app, stack, id);
    const next = ["show ID MODEL", "extract ID MODEL IDS", "close ID"].map((words) =>
      `ipai past ${words}`.replace("ID", id),
    );
    const text = renderDifferences(terminal, found, stack.config.timezone);
    return { json: { past: id, differences: found }, text: `${text}\n\n${next.join("\n")}` };
  };
}

async function readDifferences(app: App, stack: Stack, id: string): Promise<Differences> {
  const file = `${differencesOf(folderOf(stack, id))}/summary.json`;
  const reader = readerOf(app, stack);
  const found = await reader.maybe(reader.json(command(stack.tools, ["cat", "--", file])));
  if (found === undefined) throw NothingCompared({ id });
  return differences.parse(found);
}

async function readModel(app: App, stack: Stack, id: string, model: string) {
  const file = `${differencesOf(folderOf(stack, id))}/${model.replaceAll("/", "-")}.jsonl`;
  const reader = readerOf(app, stack);
  const found = await reader.maybe(reader.jsonLines(command(stack.tools, ["cat", "--", file])));
  if (found === undefined || found.length === 0) throw NoDifference({ model });
  return z.array(line).parse(found);
}
