import { ResourceUnknown } from "../../procedures/resources.ts";
import { listMajor, type MajorReport } from "../../procedures/upgrade/major/record.ts";
import type { App } from "../app.ts";
import type { Context } from "../context.ts";
import { duration, instant, table } from "../render/text.ts";
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

export async function showReports(
  context: Context,
  id: string | undefined,
  options: { readonly json?: boolean },
): Promise<number> {
  await using app = await context.openApp();
  const stack = app.stack(context.globals.stack);
  const all = await listMajor(app.records, stack.name);
  const one = id === undefined ? undefined : all.find((known) => known.id === id);
  if (id !== undefined && one === undefined) throw ResourceUnknown({ id });
  if (options.json === true) context.terminal.out(JSON.stringify(one ?? all, null, 2));
  else if (one !== undefined) context.terminal.out(renderReport(one));
  else if (all.length === 0) context.terminal.out(`No upgrade to another series was tried on ${stack.name} yet.`);
  else context.terminal.out(renderAll(all, stack.config.timezone));
  return 0;
}

function renderAll(all: readonly MajorReport[], timezone: string): string {
  const rows = all.map(({ id, at, from, to, state, backup, updateSeconds, found }) => [
    ...[id, instant(at, timezone), from, to, state, backup ?? "", duration(updateSeconds)],
    String(found.warned.length),
  ]);
  return table([["RUN", "AT", "FROM", "TO", "STATE", "ON BACKUP", "UPDATE TOOK", "WARNINGS"], ...rows]);
}

function renderReport({ from, to, state, backup, scripts, updateSeconds, modules, found }: MajorReport): string {
  const section = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : ["", `${title}:`, ...lines.map((line) => `  ${line}`)];
  return [
    `${from} to ${to}, ${state}${backup === null ? "" : ` on backup ${backup}`}: the update took ${duration(updateSeconds)}.`,
    ...section(
      "Scripts",
      scripts.map(({ name, seconds }) => `${name}: ${duration(seconds)}`),
    ),
    ...section(
      "Modules",
      Object.entries(modules).map(([name, version]) => `${name} ${version}`),
    ),
    ...section("Only before", found.gone),
    ...section("Only after", found.come),
    ...section("Odoo warned", found.warned),
  ].join("\n");
}
