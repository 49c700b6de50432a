import { Secret } from "../config/secret.ts";
import type { Command } from "../runbook/action.ts";
import { renderShell } from "../runbook/shell.ts";
import { secret, type Value } from "../runbook/value.ts";
import type { CommandResult, Executor, Pipeline, ResolvedCommand } from "./executor.ts";

/** Performs nothing: shows each pipeline as a person would type it. Secrets show as the variables that would hold them. */
export class DryRunExecutor implements Executor {
  readonly #print: (shell: string) => void;

  constructor(print: (shell: string) => void) {
    this.#print = print;
  }

  async run(pipeline: Pipeline): Promise<CommandResult> {
    const [first, ...rest] = pipeline;
    this.#print(renderShell({ host: "local", pipeline: [toRunbook(first), ...rest.map(toRunbook)] }));
    return { stdout: "", stderr: "", exitCode: 0, exitCodes: pipeline.map(() => 0), seconds: 0, truncated: false };
  }
}

function toRunbook(command: ResolvedCommand): Command {
  const env = Object.entries(command.env).map(([name, value]) => [name, printable(name, value)] as const);
  return {
    argv: command.argv,
    env: Object.fromEntries(env),
    mergeStderr: command.mergeStderr,
    ...(command.stdin === undefined ? {} : { stdin: printable("stdin", command.stdin) }),
  };
}

function printable(name: string, value: string | Secret): Value {
  return value instanceof Secret ? secret(name) : value;
}
