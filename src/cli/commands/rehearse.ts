import { listRehearsals, type Rehearsal } from "../../procedures/deployment/rehearsal.ts";
import { ResourceUnknown } from "../../procedures/resources.ts";
import type { App } from "../app.ts";
import type { Context } from "../context.ts";
import { duration, instant, table } from "../render/text.ts";
import { type RunOptions, runProcedure, type Shown } from "./run.ts";

/** Rehearsals of updates: done, and what they found. */

interface RehearseOptions extends RunOptions {
  readonly to?: string;
  readonly install?: readonly string[];
  readonly backup?: string;
}

export function rehearse(context: Context, options: RehearseOptions): Promise<number> {
  const { to = null, install = [], backup = "latest" } = options;
  return runProcedure(context, "rehearse", { to, install: [...install], backup }, { ...options, show: showFound });
}

async function showFound(app: App, run: { readonly id: string; readonly stack: string }): Promise<Shown> {
  const found = (await listRehearsals(app.records, run.stack)).find(({ id }) => id === run.id);
  return { json: { rehearsal: found ?? null }, text: found === undefined ? "" : renderRehearsal(found) };
}

export async function showRehearsals(
  context: Context,
  id: string | undefined,
  options: { readonly json?: boolean },
): Promise<number> {
  await using app = await context.openApp();
  const stack = app.stack(context.globals.stack);
  const all = await listRehearsals(app.records, stack.name);
  const one = id === undefined ? undefined : all.find((known) => known.id === id);
  if (id !== undefined && one === undefined) throw ResourceUnknown({ id });
  if (options.json === true) context.terminal.out(JSON.stringify(one ?? all, null, 2));
  else if (one !== undefined) context.terminal.out(renderRehearsal(one));
  else if (all.length === 0) context.terminal.out(`Nothing was rehearsed for ${stack.name} yet.`);
  else context.terminal.out(renderAll(all, stack.config.timezone));
  return 0;
}

function renderAll(all: readonly Rehearsal[], timezone: string): string {
  const rows = all.map(({ id, at, commit, backup, updateSeconds, found }) => [
    ...[id, instant(at, timezone), commit.slice(0, 10), backup, duration(updateSeconds)],
    String(found.warned.length),
  ]);
  return table([["REHEARSAL", "AT", "COMMIT", "ON BACKUP", "UPDATE TOOK", "WARNINGS"], ...rows]);
}

export function renderRehearsal({ commit, backup, updateSeconds, modules, found }: Rehearsal): string {
  const section = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : ["", `${title}:`, ...lines.map((line) => `  ${line}`)];
  return [
    `${commit.slice(0, 10)} on backup ${backup}: the update took ${duration(updateSeconds)}.`,
    ...section(
      "Modules",
      Object.entries(modules).map(([name, version]) => `${name} ${version}`),
    ),
    ...section("Only before", found.gone),
    ...section("Only after", found.come),
    ...section("Odoo warned", found.warned),
    ...section("Views that are invalid afterwards", found.invalidViews),
    ...section("Scheduled actions that are lost", found.cronsLost),
    ...section("Scheduled actions that are new", found.cronsNew),
    ...section("The release says otherwise, and the database keeps its own (noupdate)", found.kept),
    ...section("Differed from its file before the release too (noupdate)", found.keptBefore),
    ...section("Could not be asked", found.notAsked),
  ].join("\n");
}
