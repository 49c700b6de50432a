import { readFailures, readFlows } from "../../procedures/monitoring/flows/facts.ts";
import { createFactReader } from "../../procedures/procedure.ts";
import type { Context } from "../context.ts";
import { parseInstant } from "../instant.ts";
import { instant, table } from "../render/text.ts";

/** What n8n has of the shipped workflows. 0: all as shipped and active; 1: not so. */
export async function workflowStatus(context: Context, options: { json?: boolean }): Promise<number> {
  await using app = await context.openApp();
  const stack = app.stack(context.globals.stack);
  const flows = await readFlows(createFactReader(stack, app.performer, app.records));
  const rows = flows.map(({ shipped, is, isActive, differs }) => ({ name: shipped.name, is, isActive, differs }));
  const { terminal } = context;
  if (options.json === true) terminal.out(JSON.stringify(rows, null, 2));
  else {
    terminal.out(
      table([["WORKFLOW", "IS", "DIFFERS"], ...rows.map((row) => [row.name, row.is, row.differs.join(", ")])]),
    );
    if (rows.some(({ is }) => is !== "as shipped")) terminal.out("ipai n8n sync puts them as they are shipped.");
  }
  return rows.every(({ is }) => is === "as shipped") ? 0 : 1;
}

const dayMs = 24 * 3600 * 1000;

/** What failed there since. 0: nothing; 1: something. */
export async function workflowFailures(
  context: Context,
  options: { readonly since?: string; readonly json?: boolean },
): Promise<number> {
  await using app = await context.openApp();
  const stack = app.stack(context.globals.stack);
  const { timezone } = stack.config;
  const since = options.since === undefined ? new Date(Date.now() - dayMs) : parseInstant(options.since, timezone);
  const failures = await readFailures(createFactReader(stack, app.performer, app.records), since);
  const { terminal } = context;
  if (options.json === true) terminal.out(JSON.stringify(failures, null, 2));
  else if (failures.length === 0) terminal.out(`Nothing failed in n8n since ${instant(since, timezone)}.`);
  else {
    const rows = failures.map((one) => [one.id, instant(one.at, timezone), one.workflow, one.node, one.message]);
    terminal.out(table([["EXECUTION", "BEGUN", "WORKFLOW", "NODE", "WHY"], ...rows]));
  }
  return failures.length === 0 ? 0 : 1;
}
