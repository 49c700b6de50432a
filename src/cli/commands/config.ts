import { z } from "zod";
import { loadConfig } from "../../config/load.ts";
import { configSchema } from "../../config/schema.ts";
import { schedulesOf } from "../../procedures/schedules.ts";
import type { Context } from "../context.ts";
import { loadProcedures, requireWhole } from "../procedures.ts";

export async function load(context: Context) {
  const { globals, environment, directory } = context;
  return loadConfig({ environment, directory, ...(globals.config === undefined ? {} : { path: globals.config }) });
}

/** Every value with its default; secrets print as [secret] because their type does. */
export async function showConfig(context: Context, options: { json?: boolean }): Promise<number> {
  const config = await load(context);
  const { stringify } = await import("yaml");
  const plain: unknown = JSON.parse(JSON.stringify(config));
  context.terminal.out(options.json === true ? JSON.stringify(plain, null, 2) : stringify(plain).trimEnd());
  return 0;
}

export async function checkConfig(context: Context): Promise<number> {
  const config = await load(context);
  const names = Object.keys(config.stacks);
  const procedures = await loadProcedures(config);
  requireWhole(procedures);
  for (const stack of Object.values(config.stacks)) schedulesOf(stack, procedures);
  context.terminal.out(`${config.file}: good; ${names.length === 1 ? "stack" : "stacks"} ${names.join(", ")}`);
  return 0;
}

export async function printSchema(context: Context): Promise<number> {
  context.terminal.out(JSON.stringify(z.toJSONSchema(configSchema, { io: "input" }), null, 2));
  return 0;
}
