import { styleText } from "node:util";

/** Where commands write. Results go to standard output; progress and errors to standard error, so that `--json` stays clean. */
export interface Terminal {
  readonly isInteractive: boolean;
  readonly columns: number;
  out(text: string): void;
  err(text: string): void;
  style(format: Style, text: string): string;
}

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

export function createTerminal(): Terminal {
  const isInteractive = process.stderr.isTTY === true && process.stdout.isTTY === true;
  return {
    isInteractive,
    columns: process.stderr.columns ?? 100,
    out: (text) => void process.stdout.write(`${text}\n`),
    err: (text) => void process.stderr.write(`${text}\n`),
    // styleText itself honours NO_COLOR and a stream that is no terminal.
    style: (format, text) => styleText(format, text, { stream: process.stderr }),
  };
}
