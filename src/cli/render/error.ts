import { type ErrorRecord, toErrorRecord, toIpaiError } from "../../errors/error.ts";
import type { Terminal } from "../terminal.ts";

/** Prints an error for a person, or as JSON for a machine, and returns the exit code that it stands for. */
export function printError(terminal: Terminal, thrown: unknown, options: { debug: boolean; json: boolean }): number {
  const error = toIpaiError(thrown);
  const record = toErrorRecord(error);
  if (options.json) terminal.out(JSON.stringify({ error: record }));
  else {
    const [first = "", ...rest] = renderError(terminal, record);
    terminal.err([`${terminal.style("red", "✗")} ${first}`, ...rest.map((line) => `  ${line}`)].join("\n"));
  }
  if (options.debug) terminal.err(error.cause instanceof Error ? (error.cause.stack ?? "") : (error.stack ?? ""));
  return error.exitCode;
}

/** What happened, the end of what the command printed, what to do next, and the code to look up. */
export function renderError(terminal: Terminal, error: ErrorRecord): readonly string[] {
  const printed = error.output?.trim() ?? "";
  const output = printed === "" || error.message.includes(printed) ? [] : printed.split("\n").slice(-outputLinesMax);
  return [
    error.message,
    ...output.map((line) => terminal.style("dim", `  ${line}`)),
    error.hint,
    terminal.style("dim", error.code),
  ];
}

/** Odoo names the cause of a view that it refuses above ten lines of where it stands. */
const outputLinesMax = 16;
