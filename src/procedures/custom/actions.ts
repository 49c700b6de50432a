import { meant } from "../../config/issues.ts";
import type { Action, Command, HttpAction, Output, Probe } from "../../runbook/action.ts";
import type { Text, Value } from "../../runbook/value.ts";
import type { Argv } from "../../stack/runtime/runtime.ts";
import type { Stack } from "../../stack/stack.ts";
import { findKind, questions } from "./kinds.ts";
import type { Doing, FactSpec, OutputSpec, ProbeSpec, Reading } from "./schema.ts";
import { type Complain, hasReference, type Path, type Values } from "./values.ts";

/** What a file's steps, probes and facts do, as actions of the language. Places are named and found through the stack's runtime. */

export interface Context {
  readonly stack: Stack;
  readonly values: Values;
  readonly complain: Complain;
}

/** `reads`: the server itself refuses SQL that would change something. */
export function toAction(context: Context, spec: Doing, path: Path, reads: boolean): Action {
  const { stack, values } = context;
  if (spec.sql !== undefined) return query(context, spec, path, reads);
  if (spec.python !== undefined) {
    const code = constant(
      context,
      spec.python,
      [...path, "python"],
      "values are in os.environ: name them under values",
    );
    return stack.odoo.shell(
      code,
      mapped(spec.values, (one, name) => values.value(one, [...path, "values", name])),
    );
  }
  if (spec.http !== undefined) return request(context, spec, spec.http, path);
  if (spec.write !== undefined) {
    const { path: file, content, mode } = spec.write;
    const at = [...path, "write"];
    const [text, where] = [values.text(content, [...at, "content"]), values.text(file, [...at, "path"])];
    return { kind: "write", host: machineOf(context, spec.on ?? "tools", path), path: where, content: text, mode };
  }
  return programs(context, spec, path);
}

function query({ stack, values, complain }: Context, spec: Doing, path: Path, reads: boolean): Action {
  const hint = "values are parameters: name them under values, and write :'name'";
  const text = constant({ complain }, spec.sql ?? "", [...path, "sql"], hint);
  const given = mapped(spec.values, (one, name) => values.text(one, [...path, "values", name]));
  const { database = stack.config.odoo.database } = spec;
  return stack.postgres.query(
    values.text(database, [...path, "database"]),
    reads ? `set default_transaction_read_only = on;\n${text}` : text,
    ...(spec.values === undefined ? [] : [given]),
  );
}

function request(context: Context, spec: Doing, given: NonNullable<Doing["http"]>, path: Path): HttpAction {
  const { stack, values } = context;
  const { headers, body, authority } = given;
  const at = [...path, "http"];
  const url = values.text(given.url, [...at, "url"]);
  const { urls } = stack.config;
  const isOwn = typeof url === "string" && url.startsWith(urls.public);
  const trust = authority === undefined ? isOwn && urls.authority : values.fixed(authority, [...at, "authority"]);
  const texts = mapped(headers, (one, name) => values.text(one, [...at, "headers", name]));
  return {
    kind: "http",
    host: machineOf(context, spec.on ?? "host", path),
    method: given.method,
    url,
    timeoutSeconds: given.timeout,
    ...(headers === undefined ? {} : { headers: texts }),
    ...(body === undefined ? {} : { body: values.value(body, [...at, "body"]) }),
    ...(trust ? { authority: trust } : {}),
  };
}

function programs(context: Context, spec: Doing, path: Path): Action {
  const { on = "host", okExitCodes } = spec;
  const given = spec.pipeline?.map((one) => (Array.isArray(one) ? { command: one } : one)) ?? [
    { ...spec, command: spec.command ?? [] },
  ];
  const pipeline = given.map((one, index) =>
    toProgram(context, one, spec.pipeline === undefined ? path : [...path, "pipeline", index]),
  );
  const [first = { argv: [""] }, ...others] = pipeline as readonly Command[];
  const place = placeOf(context, on, path);
  const codes = okExitCodes === undefined ? {} : { okExitCodes };
  if ("service" in place) {
    if (others.length > 0 || first.stdin !== undefined)
      context.complain(
        [...path, "on"],
        `beside the service ${on} only one program can run, and nothing can be given to it as stdin`,
      );
    return { ...context.stack.runtime.beside(place.service, first.argv, first.env), ...codes };
  }
  const dressed = ({ argv, ...rest }: Command): Command => ({ argv: place.as(argv), ...rest });
  return { kind: "command", host: place.host, pipeline: [dressed(first), ...others.map(dressed)], ...codes };
}

interface ProgramSpec extends Pick<Doing, "env" | "stdin" | "mergeStderr"> {
  readonly command: readonly string[];
}

function toProgram(context: Context, { command: words, env, stdin, mergeStderr }: ProgramSpec, path: Path): Command {
  const { values } = context;
  const at = (index: number) => [...path, "command", index];
  const code = words.findIndex((word, index) => isCodeOption(words, word, index)) + 1;
  if (code > 0)
    constant(
      context,
      words[code] ?? "",
      at(code),
      "what it runs must always be the same: give it values as arguments after it",
    );
  return {
    argv: words.map((word, index) => values.text(word, at(index))) as unknown as Command["argv"],
    ...(env === undefined ? {} : { env: mapped(env, (one, name) => values.value(one, [...path, "env", name])) }),
    ...(stdin === undefined ? {} : { stdin: values.value(stdin, [...path, "stdin"]) }),
    ...(mergeStderr === undefined ? {} : { mergeStderr }),
  };
}

/** `sh -c`, `env python3 -c`, `perl -e`, `psql -c`: the word after it is a program, and a value in it would be one too. */
function isCodeOption(words: readonly string[], word: string, index: number): boolean {
  return /^-[a-z]*[ce]$/.test(word) && words.slice(0, index).some(isInterpreter);
}

function isInterpreter(word: string): boolean {
  return /^(?:.*\/)?(?:(?:ba|da|z|k)?sh|python[\d.]*|perl|ruby|node|psql)$/.test(word);
}

function constant({ complain }: Pick<Context, "complain">, text: string, path: Path, hint: string): string {
  if (hasReference(text)) complain(path, `nothing is replaced here; ${hint}`);
  return text;
}

type Place =
  | { readonly host: string; readonly as: (argv: Argv) => Argv }
  | { readonly host: string; readonly service: string };

function placeOf({ stack, complain }: Context, on: string, path: Path): Place {
  const { host, tools, runtime, postgres, odoo } = stack;
  const same = (argv: Argv) => argv;
  switch (on) {
    case "host":
      return { host, as: same };
    case "tools":
      return { host: tools, as: same };
    case "database":
      return { host: tools, as: (argv) => runtime.as(postgres.user, argv) };
    case "odoo":
      return { host: odoo.place, as: odoo.as };
    default:
      requireService({ stack, complain }, on, [...path, "on"], ["host", "tools", "database", "odoo"]);
      return { host, service: on };
  }
}

/** What is no program of its own is done where the tools are. */
function machineOf(context: Context, on: string, path: Path): string {
  const place = placeOf(context, on, path);
  if ("service" in place) context.complain([...path, "on"], `only a program can run beside the service ${on}`);
  return place.host;
}

/** A compose project has services that no file here names. */
export function requireService(
  { stack, complain }: Pick<Context, "stack" | "complain">,
  name: string,
  path: Path,
  others: readonly string[],
): boolean {
  const { runtime } = stack.config;
  const known = "native" in runtime ? Object.keys(runtime.native.services) : undefined;
  if (known === undefined || known.includes(name)) return true;
  complain(path, `${stack.name} has no service ${name}${meant(name, [...others, ...known])}`);
  return false;
}

/** A question with what is wanted of its answer. `usual`: its title when it has none of its own. */
export function toProbe(context: Context, spec: ProbeSpec, path: Path, usual: string): Probe {
  const title = spec.title === undefined ? usual : context.values.fixed(spec.title, [...path, "title"]);
  const common = ["title", ...readings, ...comparisons.map(([key]) => key)];
  findKind(spec, { kinds: questions, common, path, complain: context.complain });
  const wanted = comparisons.flatMap(([key, compare]) => {
    const given = spec[key];
    return given === undefined ? [] : [{ key, compare, given }];
  });
  const [first, ...more] = wanted;
  if (more.length > 0)
    context.complain(path, `has ${wanted.map(({ key }) => key).join(" and ")}, and only one can be asked`);
  const isProgram = spec.command !== undefined || spec.pipeline !== undefined;
  const asksSuccess = first === undefined && isProgram && spec.from === undefined;
  if (first === undefined && !asksSuccess)
    context.complain(path, "does not say which answer is wanted: is, atMost, atLeast, contains or lacks");
  const from = asksSuccess ? "exitCode" : spec.from;
  // A question whose answer is the exit code is answered by 1 as well.
  const codes = from === "exitCode" ? { okExitCodes: spec.okExitCodes ?? [0, 1] } : {};
  const action = toAction(context, { ...spec, ...codes }, path, true);
  const output = toOutput({ ...spec, from }, action, first?.given ?? 0);
  return { title, action, output, compare: first?.compare ?? "eq", with: expectation(context, first, action, path) };
}

/** A question whose answer the plan is bound to. */
export function toFact(
  context: Context,
  spec: FactSpec,
  path: Path,
): { readonly action: Action; readonly output: Output } {
  findKind(spec, { kinds: questions, common: readings, path, complain: context.complain });
  const action = toAction(context, spec, path, true);
  return { action, output: toOutput(spec, action) };
}

const readings = ["from", "as", "pick"];

const comparisons = [
  ["is", "eq"],
  ["atMost", "le"],
  ["atLeast", "ge"],
  ["contains", "has"],
  ["lacks", "absent"],
] as const;

type Wanted = { readonly key: string; readonly given: string | number | boolean } | undefined;

/** psql answers a truth value with t or f. */
function expectation({ values }: Context, wanted: Wanted, action: Action, path: Path): Probe["with"] {
  if (wanted === undefined) return 0;
  const { key, given } = wanted;
  if (typeof given === "string") return values.text(given, [...path, key]);
  return typeof given === "boolean" && action.kind === "sql" ? String(given).slice(0, 1) : given;
}

/** `like`: what the answer will be compared with. */
function toOutput({ from, as, pick }: Reading, action: Action, like?: string | number | boolean): Output {
  const usual = from === undefined && action.kind === "http" ? "status" : from;
  const kind = as ?? (typeof like === "number" ? "number" : undefined);
  return {
    from: usual ?? "stdout",
    ...(kind === undefined ? {} : { as: kind }),
    ...(pick === undefined ? {} : { pick }),
  };
}

/** What is kept of an answer. */
export function toRecorded(spec: OutputSpec, action: Action): Output {
  return toOutput(typeof spec === "string" ? { as: spec } : spec, action);
}

function mapped<T extends Text | Value>(
  given: Readonly<Record<string, string>> | undefined,
  convert: (text: string, name: string) => T,
): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(given ?? {}).map(([name, text]) => [name, convert(text, name)]));
}
