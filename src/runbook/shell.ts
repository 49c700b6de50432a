import type { Command, CommandAction } from "./action.ts";
import type { OutputRef, RunRef, Value } from "./value.ts";

/**
 * Commands as text for a person or a plain bash script. This is the only function family of the program that quotes for a shell;
 * nothing that it prints is ever given to a shell by the tool itself.
 */

/** A pipeline as one bash command line (here-documents follow on their own lines). Meant for `set -euo pipefail`. */
export function renderShell(action: Pick<CommandAction, "pipeline">): string {
  const rendered = action.pipeline.map(renderCommand);
  const line = rendered.map((part) => part.line).join(" | ");
  const documents = rendered.flatMap((part) => part.documents);
  return [line, ...documents].join("\n");
}

/** The shell variable that holds a step's output in an exported script. */
export function variableOf(ref: OutputRef | RunRef): string {
  return ref.ref === "run" ? `run_${ref.field}` : `${ref.step}_${ref.name}`.replaceAll(/[^A-Za-z0-9_]/g, "_");
}

/** The environment variable from which an exported script takes a secret. */
export function secretVariable(name: string): string {
  return `IPAI_SECRET_${name.replaceAll(/[^A-Za-z0-9]/g, "_").toUpperCase()}`;
}

/** One value as one bash word. */
export function quote(value: Value): string {
  if (typeof value === "string") return quoteText(value);
  if ("join" in value) return value.join.map((part) => quote(part)).join("");
  if (value.ref === "secret") return `"\${${secretVariable(value.name)}:?}"`;
  return `"\${${variableOf(value)}:?}"`;
}

function quoteText(text: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(text) && !text.startsWith("=")) return text;
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

interface RenderedCommand {
  readonly line: string;
  readonly documents: readonly string[];
}

function renderCommand(command: Command, index: number): RenderedCommand {
  const env = Object.entries(command.env ?? {}).map(([name, value]) => `${name}=${quote(value)}`);
  const words = command.argv.map(quote);
  // A first word with "=" would be read as an assignment: `command` keeps it a program's name.
  if (/=/.test(words[0] ?? "")) words.unshift("command");
  const merge = command.mergeStderr === true ? ["2>&1"] : [];
  const { redirection, documents } = renderStdin(command.stdin, index);
  return { line: [...env, ...words, ...redirection, ...merge].join(" "), documents };
}

function renderStdin(stdin: Value | undefined, index: number): { redirection: string[]; documents: string[] } {
  if (stdin === undefined) return { redirection: index === 0 ? ["</dev/null"] : [], documents: [] };
  if (typeof stdin === "string" && stdin.endsWith("\n") && !stdin.includes("\0")) {
    const mark = endMark(stdin);
    return { redirection: [`<<'${mark}'`], documents: [`${stdin}${mark}`] };
  }
  return { redirection: [`< <(printf %s ${quote(stdin)})`], documents: [] };
}

/** A here-document's end that does not occur in its text. */
function endMark(text: string): string {
  let mark = "END";
  while (text.split("\n").includes(mark)) mark += "_";
  return mark;
}
