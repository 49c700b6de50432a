import { defineError } from "../../errors/error.ts";
import { extendResource, getResource, listResources, type Resource } from "../../procedures/resources.ts";
import type { Context } from "../context.ts";
import { instant, table } from "../render/text.ts";
import type { Terminal } from "../terminal.ts";
import { type RunOptions, runProcedure } from "./run.ts";

/** What is open beside the stack, for how long, and its end. */

export const ResourceDays = defineError<{ given: string }>("usage.resource_days", {
  exitCode: 14,
  message: (d) => `${d.given} is no number of days. Nothing was changed.`,
  hint: () => "--days takes a number above 0, such as 7 or 0.5, and at most 3650.",
});

interface Options {
  readonly json?: boolean;
  readonly all?: boolean;
  readonly days?: string;
}

export async function list(context: Context, options: Options): Promise<number> {
  await using app = await context.openApp();
  const { name, config } = app.stack(context.globals.stack);
  const found = await listResources(app.records, name, options.all === true);
  const { terminal } = context;
  if (options.json === true) terminal.out(JSON.stringify(found, null, 2));
  else if (found.length === 0) terminal.out("Nothing is open.");
  else terminal.out(renderResources(terminal, found, config.timezone));
  return 0;
}

export function renderResources(terminal: Terminal, found: readonly Resource[], timezone: string): string {
  const rows = found.map((one) => [
    one.id,
    one.kind,
    one.by,
    instant(one.openedAt, timezone),
    endOf(terminal, one, timezone),
    one.title,
  ]);
  return table([["ID", "KIND", "OWNER", "OPENED", "UNTIL", "WHAT"], ...rows]);
}

function endOf(terminal: Terminal, { expires, closed }: Resource, timezone: string): string {
  if (closed !== null) return `closed ${instant(closed.at, timezone)} by ${closed.by}`;
  const until = instant(expires, timezone);
  return Date.parse(expires) > Date.now() ? until : terminal.style("yellow", `${until}, over`);
}

export async function extend(context: Context, id: string, options: Options): Promise<number> {
  const days = Number(options.days);
  if (!(days > 0 && days <= 3650)) throw ResourceDays({ given: options.days ?? "" });
  await using app = await context.openApp();
  const { name: stack, config } = app.stack(context.globals.stack);
  const extended = await extendResource(app.records, { stack, id, days, by: app.actor });
  const { terminal } = context;
  if (options.json === true) terminal.out(JSON.stringify(extended, null, 2));
  else terminal.out(`${id} stays until ${instant(extended.expires, config.timezone)}.`);
  return 0;
}

export async function close(context: Context, id: string, options: RunOptions): Promise<number> {
  const { procedure, input } = await findClose(context, id);
  return runProcedure(context, procedure, input, options);
}

async function findClose(context: Context, id: string): Promise<Resource["close"]> {
  await using app = await context.openApp();
  return (await getResource(app.records, app.stack(context.globals.stack).name, id)).close;
}
