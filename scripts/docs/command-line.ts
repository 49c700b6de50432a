import { Command } from "commander";
import { notice, page } from "./markdown.ts";

/** The help of every command. */

export async function commandLinePage(): Promise<string> {
  const program = await builtProgram();
  return page([
    notice,
    "# Command line",
    "Options of `ipai` itself (`--config`, `--stack`, `--debug`) stand before the command: `ipai --stack production health`.",
    "From a checkout the program is `bin/ipai`.",
    ...helpOf(program, program.name()),
  ]);
}

/**
 * The program as it is put together when it starts. It is held at the point where it would read its arguments, for good: what comes
 * after that, it would do to this process.
 */
async function builtProgram(): Promise<Command> {
  const { parseAsync } = Command.prototype;
  const { promise, resolve } = Promise.withResolvers<Command>();
  Command.prototype.parseAsync = function hold() {
    resolve(this);
    return new Promise(() => undefined);
  };
  try {
    // Only a program that could not be loaded ends this race before the other.
    return await Promise.race([promise, import("../../src/cli/main.ts").then(() => promise)]);
  } finally {
    Command.prototype.parseAsync = parseAsync;
  }
}

/** A command's help and that of all commands below it, as wide as a terminal usually is and without colours. */
function helpOf(command: Command, name: string): readonly string[] {
  command.configureOutput({ getOutHelpWidth: () => 100, getOutHasColors: () => false });
  return [
    `## ${name}`,
    "```text",
    command.helpInformation().trimEnd(),
    "```",
    ...command.commands.flatMap((inner) => helpOf(inner, `${name} ${inner.name()}`)),
  ];
}
