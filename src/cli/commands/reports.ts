import { ResourceUnknown } from "../../procedures/resources.ts";
import type { Stack } from "../../stack/stack.ts";
import type { App } from "../app.ts";
import type { Context } from "../context.ts";

/** Reports that runs have left: one by its id, or all, for people or as JSON. */
export interface Reports<T> {
  readonly list: (app: App, stack: Stack) => Promise<readonly T[]>;
  readonly render: (one: T) => string;
  readonly renderAll: (all: readonly T[], timezone: string) => string;
  /** What is said of a stack that has none. */
  readonly none: (stack: string) => string;
}

/** Throws `resource.unknown`. */
export async function showReports<T extends { readonly id: string }>(
  context: Context,
  { list, render, renderAll, none }: Reports<T>,
  id: string | undefined,
  options: { readonly json?: boolean },
): Promise<number> {
  await using app = await context.openApp();
  const stack = app.stack(context.globals.stack);
  const all = await list(app, stack);
  const one = id === undefined ? undefined : all.find((known) => known.id === id);
  if (id !== undefined && one === undefined) throw ResourceUnknown({ id });
  if (options.json === true) context.terminal.out(JSON.stringify(one ?? all, null, 2));
  else if (one !== undefined) context.terminal.out(render(one));
  else context.terminal.out(all.length === 0 ? none(stack.name) : renderAll(all, stack.config.timezone));
  return 0;
}
