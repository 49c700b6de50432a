/**
 * Values inside a plan. A plan is frozen data, so what is only known while it runs is written as a reference. A reference stands
 * for a whole value; `join` sets references and fixed text side by side, which is all that names and paths need. There are no
 * expressions: arithmetic and choice happen in the plan function, before the plan is frozen.
 */

/** What an earlier step recorded under `name`. */
export interface OutputRef {
  readonly ref: "output";
  readonly step: string;
  readonly name: string;
}

/** The run's own id (also a legal file and database name) or its start as an ISO instant in UTC. */
export interface RunRef {
  readonly ref: "run";
  readonly field: "id" | "startedAt";
}

/** A secret of the stack's configuration, by its path (`backup.password`). Never allowed in argv. */
export interface SecretRef {
  readonly ref: "secret";
  readonly name: string;
}

export interface Join {
  readonly join: readonly (string | OutputRef | RunRef)[];
}

/** A value that may be printed: the only kind that argv, SQL values and URLs accept. */
export type Text = string | OutputRef | RunRef | Join;

/** A value for an environment variable or a standard input, where a secret may travel. */
export type Value = Text | SecretRef;

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

export const runId: RunRef = { ref: "run", field: "id" };

export function output(step: string, name: string): OutputRef {
  return { ref: "output", step, name };
}

export function secret(name: string): SecretRef {
  return { ref: "secret", name };
}

export function join(...parts: readonly (string | OutputRef | RunRef)[]): Join {
  return { join: parts };
}

/** `prefix` and a value as one value: `--file=` and a path. */
export function prefixed(prefix: string, value: Text): Text {
  return typeof value === "string" ? prefix + value : join(prefix, ...partsOf(value));
}

/** A value and `suffix` as one value: a base URL and its path. */
export function suffixed(value: Text, suffix: string): Text {
  return typeof value === "string" ? value + suffix : join(...partsOf(value), suffix);
}

/** Values of any kind side by side, as one. */
export function concat(first: Text, ...others: readonly Text[]): Text {
  const parts = [first, ...others];
  if (parts.every((part) => typeof part === "string")) return parts.join("");
  return join(...parts.flatMap((part) => (typeof part === "string" ? [part] : partsOf(part))));
}

function partsOf(value: Exclude<Text, string>): Join["join"] {
  return "join" in value ? value.join : [value];
}

/** All references inside a value, in order. */
export function listRefs(value: Value): readonly (OutputRef | RunRef | SecretRef)[] {
  if (typeof value === "string") return [];
  if ("join" in value) return value.join.filter((part) => typeof part !== "string");
  return [value];
}

/** The names of the secrets that anything in a plan refers to, sorted. */
export function listSecrets(part: unknown): readonly string[] {
  if (typeof part !== "object" || part === null) return [];
  if ("ref" in part && part.ref === "secret" && "name" in part) return [String(part.name)];
  return [...new Set(Object.values(part).flatMap(listSecrets))].toSorted();
}
