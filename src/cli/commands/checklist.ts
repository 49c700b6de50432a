import type { Tick } from "../../procedures/deployment/checklist.ts";
import { readChecklist } from "../../procedures/deployment/checklist-facts.ts";
import { worst } from "../../procedures/monitoring/check.ts";
import { createFactReader } from "../../procedures/procedure.ts";
import type { Context } from "../context.ts";
import { indented, table, wrap } from "../render/text.ts";
import type { Terminal } from "../terminal.ts";
import { exitCodes, marked } from "./health.ts";

interface Options {
  readonly to?: string;
  readonly install?: readonly string[];
  readonly json?: boolean;
}

/** What is asked before a deployment, for whoever wants to know it the day before. Starts nothing. */
export async function showChecklist(context: Context, options: Options): Promise<number> {
  await using app = await context.openApp();
  const reader = createFactReader(app.stack(context.globals.stack), app.performer, app.records);
  const ticks = await readChecklist(reader, { to: options.to ?? null, install: options.install ?? [] });
  const status = worst(ticks.map((one) => one.status));
  const { terminal } = context;
  terminal.out(options.json === true ? JSON.stringify({ status, ticks }, null, 2) : renderChecklist(terminal, ticks));
  return exitCodes[status];
}

/** In the order in which it is gone through. */
function renderChecklist(terminal: Terminal, ticks: readonly Tick[]): string {
  const rows = table(
    ticks.map(({ code, title, status }) => [marked(terminal, status), title, terminal.style("dim", code)]),
  ).split("\n");
  return ticks
    .flatMap(({ text, next }, index) => [
      rows[index] ?? "",
      ...[text, next ?? ""].filter(Boolean).map((line) => indented(wrap(line, terminal.columns - 4), "    ")),
    ])
    .join("\n");
}
