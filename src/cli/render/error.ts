import { toErrorRecord, toIpaiError } from "../../errors/error.ts";
import type { Terminal } from "../terminal.ts";

/** Prints an error for a person, or as JSON for a machine, and returns the exit code that it stands for. */
export function printError(terminal: Terminal, thrown: unknown, options: { debug: boolean; json: boolean }): number {
  const error = toIpaiError(thrown);
  const record = toErrorRecord(error);
  if (options.json) terminal.out(JSON.stringify({ error: record }));
  else {
    terminal.err(`${terminal.style("red", "✗")} ${record.message}`);
    for (const line of record.output?.trim().split("\n").slice(-6) ?? [])
      terminal.err(terminal.style("dim", `    ${line}`));
    terminal.err(`  ${record.hint}`);
    terminal.err(terminal.style("dim", `  ${record.code}`));
  }
  if (options.debug) terminal.err(error.cause instanceof Error ? (error.cause.stack ?? "") : (error.stack ?? ""));
  return error.exitCode;
}
