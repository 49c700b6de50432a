import type { Complain, Path } from "./values.ts";

/** Which keys of a file belong together: each thing is of one kind, by the key that says so, and the kind says what else it has. */

export type Kinds = Readonly<Record<string, readonly string[]>>;

/** What asks. */
export const questions = {
  command: ["on", "env", "stdin", "mergeStderr", "okExitCodes"],
  pipeline: ["on", "okExitCodes"],
  sql: ["values", "database"],
  python: ["values"],
  http: ["on"],
} as const satisfies Kinds;

const ofActs = [
  ...["effect", "outputs", "done", "verify", "undo", "onFail", "onInterrupt", "timeout", "attempts", "undoClass"],
  "forecast",
];
const ofServices = ["undo", "onFail", "timeout"];

export const acts: Kinds = Object.fromEntries(
  Object.entries({ ...questions, write: ["on"] }).map(([kind, own]) => [kind, [...own, ...ofActs]]),
);

export const steps: Kinds = {
  ...acts,
  start: ofServices,
  stop: ofServices,
  require: ["onFail", "timeout", "attempts"],
  wait: ["timeout", "onTimeout", "forecast"],
  bracket: [],
  parallel: [],
  procedure: ["input", "mandate"],
  pivot: [],
};

/** The kind of something, if it is of exactly one and has no key of another. `common`: what every kind has. */
export function findKind(
  given: object,
  { kinds, common, path, complain }: { kinds: Kinds; common: readonly string[]; path: Path; complain: Complain },
): string | undefined {
  const keys = Object.entries(given).flatMap(([key, value]) => (value === undefined ? [] : [key]));
  const found = keys.filter((key) => Object.hasOwn(kinds, key));
  const [kind] = found;
  if (kind === undefined) {
    complain(path, `does not say what it is: it needs one of ${Object.keys(kinds).join(", ")}`);
    return undefined;
  }
  if (found.length > 1) complain(path, `is ${found.join(" and ")} at once; make two of it`);
  const known = [...found, ...common, ...(kinds[kind] ?? [])];
  const strange = found.length > 1 ? [] : keys.filter((key) => !known.includes(key));
  for (const key of strange) complain([...path, key], `${key} means nothing for ${kind}`);
  return found.length > 1 ? undefined : kind;
}
