import type { Command, CommandAction } from "./action.ts";
import { parsePlace } from "./place.ts";
import { listRefs, type OutputRef, type RunRef, type Value } from "./value.ts";

/**
 * Commands as text for a person, a plain bash script, or the bash of another place (`host/remote`). This is the only function family
 * of the program that quotes for a shell; on this machine nothing that it prints is ever given to one by the tool itself.
 */

/**
 * A pipeline as one bash command line (here-documents follow on their own lines). Meant for `set -euo pipefail`. Throws a TypeError
 * for what no shell can say: a NUL byte, an environment variable that bash does not let anybody set.
 */
export function renderShell({ host, pipeline }: Pick<CommandAction, "host" | "pipeline">): string {
  return requireValues(pipeline) + renderAt(host, pipeline);
}

/**
 * A pipeline for the shell of the machine that its place is on. One for a container is read there as a whole, by a bash of its own;
 * the values that it needs go along as environment variables, so that none shows in the list of processes.
 */
export function renderAt(
  place: string,
  pipeline: CommandAction["pipeline"],
  first: readonly ContainerLine[] = [],
): string {
  const { container } = parsePlace(place);
  if (container === undefined) return renderPipeline(pipeline);
  const refs = [...first.flatMap(({ refs: used }) => used), ...pipeline.flatMap(valuesOf).flatMap(listRefs)];
  const variables = [...new Map(refs.map((ref) => [nameOf(ref), quote(ref)]))];
  const text = [
    // They are for the shell that fills them in, not for every program.
    ...(variables.length === 0 ? [] : [`export -n ${variables.map(([name]) => name).join(" ")}`]),
    ...first.map(({ line }) => line),
    renderPipeline(pipeline),
  ].join("\n");
  const mark = endMark(text, "IN_CONTAINER");
  return [
    [
      ...variables.map(([name, value]) => `${name}=${value}`),
      "docker exec -i --user 0:0",
      ...["LC_ALL=C.UTF-8", "TZ=UTC", ...variables.map(([name]) => name)].map((variable) => `-e ${variable}`),
      quote(container),
      `bash -o pipefail <<'${mark}'`,
    ].join(" "),
    text,
    mark,
  ].join("\n");
}

/** A line that goes before a pipeline in its container, and what it needs. */
export interface ContainerLine {
  readonly line: string;
  readonly refs: readonly RunRef[];
}

function nameOf(ref: ReturnType<typeof listRefs>[number]): string {
  return ref.ref === "secret" ? secretVariable(ref.name) : variableOf(ref);
}

/** Redirections that a shell adds to every program: of a standard error that is not merged, and of what no program may hold. */
export interface Redirections {
  readonly stderr?: string;
  readonly closed?: string;
}

/** The same for where every value is known to be set. */
export function renderPipeline(pipeline: CommandAction["pipeline"], redirections: Redirections = {}): string {
  const rendered = pipeline.map((command, index) => renderCommand(command, index, redirections));
  const line = rendered.map((part) => part.line).join(" | ");
  const documents = rendered.flatMap((part) => part.documents);
  return [line, ...documents].join("\n");
}

/** The shell variable that holds a step's output in an exported script. Never one of the environment's own, like BASH_ENV. */
export function variableOf(ref: OutputRef | RunRef): string {
  if (ref.ref === "run") return ref.field === "id" ? "run_id" : "run_started_at";
  const name = `${ref.step}_${ref.name}`.replaceAll(/[^A-Za-z0-9_]/g, "_");
  return /^[a-z]/.test(name) ? name : `step_${name}`;
}

/** The environment variable from which an exported script takes a secret. */
export function secretVariable(name: string): string {
  return `IPAI_SECRET_${name.replaceAll(/[^A-Za-z0-9]/g, "_").toUpperCase()}`;
}

/** Whether bash lets a script set a variable of this name for a command. */
export function isSettable(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !/^(_|UID|EUID|PPID|BASHOPTS|SHELLOPTS|BASH_VERSINFO)$/.test(name);
}

/** One value as one bash word. A recorded value may be empty, but it must be there; an empty secret is none. */
export function quote(value: Value): string {
  if (typeof value === "string") return quoteText(value);
  if ("join" in value) return value.join.map((part) => quote(part)).join("");
  if (value.ref === "secret") return `"\${${secretVariable(value.name)}:?}"`;
  return `"\${${variableOf(value)}?}"`;
}

function quoteText(text: string): string {
  if (text.includes("\0"))
    throw new TypeError(`${JSON.stringify(text)} contains a NUL byte, which no shell can pass on`);
  if (/^[A-Za-z0-9_@+:,./-][A-Za-z0-9_@%+=:,./-]*$/.test(text)) return text;
  // Pasted into a terminal, a carriage return would end the line, and an escape would be obeyed.
  if (controls.test(text)) return `$'${text.replaceAll(/[\\']/g, "\\$&").replaceAll(everyControl, hexadecimal)}'`;
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Control characters but for the line feed. */
const controls = /[^\n\P{Cc}]/u;
const everyControl = new RegExp(controls.source, "gu");

/** C1 controls (U+0080 to U+009F) are named by their two bytes, whatever the locale is. */
function hexadecimal(character: string): string {
  const bytes = [...new TextEncoder().encode(character)];
  return bytes.map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
}

interface RenderedCommand {
  readonly line: string;
  readonly documents: readonly string[];
}

function renderCommand(command: Command, index: number, { stderr, closed }: Redirections): RenderedCommand {
  const env = Object.entries(command.env ?? {}).map(([name, value]) => {
    if (!isSettable(name)) throw new TypeError(`bash does not let anybody set the environment variable ${name}`);
    return `${name}=${quote(value)}`;
  });
  const [program, ...args] = command.argv;
  const words = [...renderProgram(program), ...args.map(quote)];
  const { redirection, documents } = renderStdin(command.stdin, index);
  const errors = command.mergeStderr === true ? "2>&1" : stderr;
  const added = [errors, closed].filter((part) => part !== undefined);
  return { line: [...env, ...words, ...redirection, ...added].join(" "), documents };
}

/** The first word is the one that bash may take for something else than a program's name. */
function renderProgram(program: Command["argv"][0]): readonly string[] {
  const word = quote(program);
  // With "=" it would be read as an assignment: `command` keeps it a program's name.
  if (word.includes("=")) return ["command", "--", word];
  if (grammar.has(word)) return [`'${word}'`];
  // A word that begins with "%" is a job to bash, quoted or not.
  if (builtins.has(word) || /^'?%/.test(word)) return ["env", word];
  return [word];
}

const grammar = new Set(
  "if then elif else fi case esac for select while until do done in function time coproc".split(" "),
);

/** Builtins that are no program's equal, as `test` and `printf` are. */
const builtins = new Set(
  (
    ". : alias bg bind break builtin caller cd command compgen complete compopt continue declare dirs disown enable eval exec exit " +
    "export fc fg getopts hash help history jobs let local logout mapfile popd pushd read readarray readonly return set shift shopt " +
    "source suspend times trap type typeset ulimit umask unalias unset wait"
  ).split(" "),
);

/**
 * A missing value ends the shell that meets it. In a pipeline or a process substitution that is a subshell, and the other programs
 * would go on without it: there the values are asked for first.
 */
function requireValues(pipeline: CommandAction["pipeline"]): string {
  const isSimple = pipeline.length === 1 && listRefs(pipeline[0].stdin ?? "").length === 0;
  if (isSimple) return "";
  const words = pipeline.flatMap(valuesOf).flatMap(listRefs).map(quote);
  return words.length === 0 ? "" : `: ${[...new Set(words)].join(" ")} && `;
}

/** Every value that a command is made of. */
export function valuesOf(command: Command): readonly Value[] {
  return [
    ...command.argv,
    ...Object.values(command.env ?? {}),
    ...(command.stdin === undefined ? [] : [command.stdin]),
  ];
}

function renderStdin(stdin: Value | undefined, index: number): { redirection: string[]; documents: string[] } {
  if (stdin === undefined) return { redirection: index === 0 ? ["</dev/null"] : [], documents: [] };
  if (typeof stdin === "string" && stdin.endsWith("\n") && !/[^\n\t\P{Cc}]/u.test(stdin)) {
    const mark = endMark(stdin);
    return { redirection: [`<<'${mark}'`], documents: [`${stdin}${mark}`] };
  }
  return { redirection: [`< <(printf %s ${quote(stdin)})`], documents: [] };
}

/** A here-document's end that does not occur in its text. */
function endMark(text: string, base = "END"): string {
  let mark = base;
  while (text.split("\n").includes(mark)) mark += "_";
  return mark;
}
