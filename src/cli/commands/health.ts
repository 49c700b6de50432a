import { getStack, loadConfig } from "../../config/load.ts";
import { createPerformer, type Performer } from "../../host/perform.ts";
import { type Finding, type HealthReport, runChecks, type Status } from "../../procedures/monitoring/check.ts";
import { healthChecks } from "../../procedures/monitoring/health.ts";
import { toCommand } from "../../runbook/command.ts";
import { renderShell } from "../../runbook/shell.ts";
import { createStack, type Stack } from "../../stack/stack.ts";
import type { Context } from "../context.ts";
import { Executors } from "../executors.ts";
import { indented, table, wrap } from "../render/text.ts";
import type { Style, Terminal } from "../terminal.ts";

interface Options {
  readonly json?: boolean;
  readonly plan?: boolean;
}

export const exitCodes: Readonly<Record<Status, number>> = { ok: 0, warn: 1, fail: 2, unknown: 3 };

/** Needs no control database: on the worst night it may be what is broken. */
export async function health(context: Context, options: Options): Promise<number> {
  const stack = await openStack(context);
  if (options.plan === true) return showCommands(context, stack);
  await using executors = new Executors(context.environment);
  const ports = { executors: (host: string) => executors.of(host), calls: { get: () => undefined } };
  const report = await checkHealth(stack, createPerformer(ports));
  context.terminal.out(
    options.json === true ? JSON.stringify(report, null, 2) : renderHealth(context.terminal, report),
  );
  return exitCodes[report.status];
}

export function checkHealth(stack: Stack, performer: Performer): Promise<HealthReport> {
  return runChecks(stack, performer, healthChecks(stack));
}

async function openStack(context: Context): Promise<Stack> {
  const { globals, environment, directory } = context;
  const config = await loadConfig({
    environment,
    directory,
    ...(globals.config === undefined ? {} : { path: globals.config }),
  });
  return createStack(getStack(config, globals.stack));
}

function showCommands(context: Context, stack: Stack): number {
  for (const check of healthChecks(stack)) {
    context.terminal.out(`# ${check.code} ${check.title}`);
    for (const action of check.actions)
      if (action.kind !== "call") context.terminal.out(renderShell(toCommand(action)));
  }
  return 0;
}

/** In colour, with a mark for who sees none. */
export function marked(terminal: Terminal, status: Status): string {
  return terminal.style(styles[status], `${marks[status]} ${status}`);
}

const styles: Readonly<Record<Status, Style>> = { ok: "green", warn: "yellow", fail: "red", unknown: "yellow" };
const marks: Readonly<Record<Status, string>> = { ok: "✓", warn: "!", fail: "✗", unknown: "?" };

/** What is worst comes first, each with what to do about it. */
export function renderHealth(terminal: Terminal, report: HealthReport): string {
  const checks = report.checks.toSorted((a, b) => order.indexOf(a.status) - order.indexOf(b.status));
  const rows = table(
    checks.map((finding) => [
      marked(terminal, finding.status),
      finding.title,
      measured(finding),
      terminal.style("dim", finding.code),
    ]),
  ).split("\n");
  return checks
    .flatMap(({ hint }, index) => [
      rows[index] ?? "",
      ...(hint === undefined ? [] : [indented(wrap(hint, terminal.columns - 4), "    ")]),
    ])
    .join("\n");
}

const order: readonly Status[] = ["fail", "unknown", "warn", "ok"];

function measured({ value, unit, threshold }: Finding): string {
  if (value === null) return "";
  return threshold === null || threshold === value ? `${value} ${unit}` : `${value} ${unit} (limit ${threshold})`;
}
