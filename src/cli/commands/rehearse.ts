import { listRehearsals, type Rehearsal } from "../../procedures/deployment/rehearsal.ts";
import type { App } from "../app.ts";
import type { Context } from "../context.ts";
import { renderFound, section } from "../render/found.ts";
import { duration, instant, table } from "../render/text.ts";
import { showReports } from "./reports.ts";
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

export function showRehearsals(
  context: Context,
  id: string | undefined,
  options: { readonly json?: boolean },
): Promise<number> {
  const list = (app: App, stack: { readonly name: string }) => listRehearsals(app.records, stack.name);
  const none = (stack: string) => `Nothing was rehearsed for ${stack} yet.`;
  return showReports(context, { list, render: renderRehearsal, renderAll, none }, id, options);
}

function renderAll(all: readonly Rehearsal[], timezone: string): string {
  const rows = all.map(({ id, at, commit, backup, updateSeconds, found }) => [
    ...[id, instant(at, timezone), commit.slice(0, 10), backup, duration(updateSeconds)],
    String(found.warned.length),
  ]);
  return table([["REHEARSAL", "AT", "COMMIT", "ON BACKUP", "UPDATE TOOK", "WARNINGS"], ...rows]);
}

export function renderRehearsal({ commit, backup, updateSeconds, modules, found }: Rehearsal): string {
  return [
    `${commit.slice(0, 10)} on backup ${backup}: the update took ${duration(updateSeconds)}.`,
    ...renderFound(modules, found),
    ...section("Views that are invalid afterwards", found.invalidViews),
    ...section("Scheduled actions that are lost", found.cronsLost),
    ...section("Scheduled actions that are new", found.cronsNew),
    ...section("The release says otherwise, and the database keeps its own (noupdate)", found.kept),
    ...section("Differed from its file before the release too (noupdate)", found.keptBefore),
    ...section("Could not be asked", found.notAsked),
  ].join("\n");
}
