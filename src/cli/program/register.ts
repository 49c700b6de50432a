import type { Command } from "commander";
import type { Context, GlobalOptions } from "../context.ts";

/** What commands have in common: options, and how one is run. Commands are imported when they are used, so that help is there at once. */

export const changing = (target: Command) =>
  target
    .option("--plan", "show the plan with the commands that would run, and stop")
    .option("--detail", "show verifications and undo steps as well")
    .option("--script", "print the plan as a bash script that does the same without ipai, and stop")
    .option("-y, --yes", "do not ask")
    .option("--wait", "wait when another run holds the stack")
    .option("--json", "print the run as JSON");

/** What may be planned for later: the plan and the consent to it are of now. */
export const planned = (target: Command) =>
  changing(target).option(
    "--at <instant>",
    'begin then, if the plan is still the same: "2026-11-26 22:00" in the stack\'s zone, or "in 90m"',
  );

/** What such a command was given, as a run takes it. */
export function begun<T extends object>(options: T): T & { readonly begins: string | undefined } {
  return { ...options, begins: (options as { readonly at?: string }).at };
}

export const json = (target: Command) => target.option("--json", "print JSON");

type Options = Readonly<Record<string, unknown>>;
type Handler = (context: Context, first: unknown, ...rest: Options[]) => Promise<number>;

/** Gives a command its context, prints what it throws, and sets the exit code. */
export function run(handler: (context: Context, ...args: never[]) => Promise<number>) {
  return async (...args: unknown[]): Promise<void> => {
    const { createContext } = await import("../context.ts");
    const globals = (args.at(-1) as Command).optsWithGlobals<GlobalOptions>();
    const context = createContext(globals);
    // Commander passes arguments, options and the command itself.
    process.exitCode = await (handler as unknown as Handler)(
      context,
      ...(args.slice(0, -1) as [unknown, ...Options[]]),
    ).catch(async (error: unknown) => {
      const { printError } = await import("../render/error.ts");
      const options = args.at(-2) as Options;
      return printError(context.terminal, error, { debug: globals.debug === true, json: options["json"] === true });
    });
  };
}
