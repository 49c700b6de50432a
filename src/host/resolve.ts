import type { Secret } from "../config/secret.ts";
import type { Command, CommandAction } from "../runbook/action.ts";
import type { Json, OutputRef, RunRef, Text, Value } from "../runbook/value.ts";
import { MissingOutput } from "./errors.ts";
import type { Pipeline, ResolvedCommand } from "./executor.ts";

/** What a plan's references stand for while it runs. */
export interface Scope {
  readonly run: { readonly id: string; readonly startedAt: string };
  output(step: string, name: string): Json | undefined;
  /** Throws when the configuration has no such secret. */
  secret(name: string): Secret;
}

/** Replaces every reference by its value. Throws `host.missing_output`. */
export function resolvePipeline(pipeline: CommandAction["pipeline"], scope: Scope): Pipeline {
  const [first, ...rest] = pipeline;
  return [resolveCommand(first, scope), ...rest.map((command) => resolveCommand(command, scope))];
}

export function resolveText(text: Text, scope: Scope): string {
  if (typeof text === "string") return text;
  if ("join" in text)
    return text.join.map((part) => (typeof part === "string" ? part : referredText(part, scope))).join("");
  return referredText(text, scope);
}

/** A call's input: references keep the type of what was recorded. Only whole members are references, never parts of JSON. */
export function resolveInput(input: Readonly<Record<string, Text | Json>>, scope: Scope): Record<string, Json> {
  return Object.fromEntries(Object.entries(input).map(([name, value]) => [name, resolveMember(value, scope)]));
}

function resolveCommand(command: Command, scope: Scope): ResolvedCommand {
  const [program, ...args] = command.argv;
  const env = Object.entries(command.env ?? {}).map(([name, value]) => [name, resolveValue(value, scope)] as const);
  return {
    argv: [resolveText(program, scope), ...args.map((arg) => resolveText(arg, scope))],
    env: Object.fromEntries(env),
    mergeStderr: command.mergeStderr ?? false,
    ...(command.stdin === undefined ? {} : { stdin: resolveValue(command.stdin, scope) }),
  };
}

function resolveValue(value: Value, scope: Scope): string | Secret {
  return typeof value === "object" && "ref" in value && value.ref === "secret"
    ? scope.secret(value.name)
    : resolveText(value, scope);
}

function resolveMember(value: Text | Json, scope: Scope): Json {
  if (isJoin(value)) return resolveText(value, scope);
  if (isReference(value)) return referred(value, scope);
  return value as Json;
}

function isJoin(value: Text | Json): value is Exclude<Text, string | OutputRef | RunRef> {
  // Every list has a `join` of its own kind.
  return typeof value === "object" && value !== null && Object.hasOwn(value, "join");
}

function isReference(value: Text | Json): value is OutputRef | RunRef {
  return (
    typeof value === "object" && value !== null && "ref" in value && (value.ref === "output" || value.ref === "run")
  );
}

/** Numbers and truth values as JSON writes them; lists and objects as JSON. A recorded null is nothing that could be named. */
function referredText(ref: OutputRef | RunRef, scope: Scope): string {
  const value = referred(ref, scope);
  if (value === null && ref.ref === "output") throw MissingOutput({ step: ref.step, name: ref.name });
  return typeof value === "string" ? value : JSON.stringify(value);
}

function referred(ref: OutputRef | RunRef, scope: Scope): Json {
  if (ref.ref === "run") return scope.run[ref.field];
  const value = scope.output(ref.step, ref.name);
  if (value === undefined) throw MissingOutput({ step: ref.step, name: ref.name });
  return value;
}
