import { listMajor, type MajorReport } from "../../procedures/upgrade/major/record.ts";
import type { App } from "../app.ts";
import type { Context } from "../context.ts";
import { renderFound, section } from "../render/found.ts";
import { duration, instant, table } from "../render/text.ts";
import { showReports } from "./reports.ts";
import { type RunOptions, runProcedure, type Shown } from "./run.ts";

/** Upgrades to another series, rehearsed or done, and what they found. */

interface MajorOptions extends RunOptions {
  readonly to: string;
  readonly ref?: string;
  readonly rehearse?: boolean;
  readonly on: string;
  readonly upgradePath?: readonly string[];
  readonly load?: readonly string[];
  readonly without?: readonly string[];
  readonly backup?: boolean;
  readonly approval?: boolean;
  readonly acceptLostCrons?: boolean;
}

export function upgradeMajor(context: Context, options: MajorOptions): Promise<number> {
  const { to, ref = null, upgradePath = [], load = [], without = [] } = options;
  const ways = { to, ref, upgradePath: [...upgradePath], load: [...load], without: [...without] };
  const shown = { ...options, show: showFound };
  if (options.rehearse === true)
    return runProcedure(context, "upgrade rehearsal", { ...ways, backup: options.on }, shown);
  const how = {
    backup: options.backup !== false,
    approval: options.approval !== false,
    acceptLostCrons: options.acceptLostCrons === true,
  };
  return runProcedure(context, "upgrade major", { ...ways, ...how }, shown);
}

async function showFound(app: App, run: { readonly id: string; readonly stack: string }): Promise<Shown> {
  const found = (await listMajor(app.records, run.stack)).find(({ id }) => id === run.id);
  return { json: { report: found ?? null }, text: found === undefined ? "" : renderReport(found) };
}

export function showMajor(
  context: Context,
  id: string | undefined,
  options: { readonly json?: boolean },
): Promise<number> {
  const list = (app: App, stack: { readonly name: string }) => listMajor(app.records, stack.name);
  const none = (stack: string) => `No upgrade to another series was tried on ${stack} yet.`;
  return showReports(context, { list, render: renderReport, renderAll, none }, id, options);
}

function renderAll(all: readonly MajorReport[], timezone: string): string {
  const rows = all.map(({ id, at, from, to, state, backup, updateSeconds, found }) => [
    ...[id, instant(at, timezone), from, to, state, backup ?? "", duration(updateSeconds)],
    String(found.warned.length),
  ]);
  return table([["RUN", "AT", "FROM", "TO", "STATE", "ON BACKUP", "UPDATE TOOK", "WARNINGS"], ...rows]);
}

function renderReport({ from, to, state, backup, scripts, updateSeconds, modules, found }: MajorReport): string {
  return [
    `${from} to ${to}, ${state}${backup === null ? "" : ` on backup ${backup}`}: the update took ${duration(updateSeconds)}.`,
    ...section(
      "Scripts",
      scripts.map(({ name, seconds }) => `${name}: ${duration(seconds)}`),
    ),
    ...renderFound(modules, found),
  ].join("\n");
}
