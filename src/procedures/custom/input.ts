import { z } from "zod";
import type { Json } from "../../runbook/value.ts";
import type { Definition, FactSpec, InputSpec } from "./schema.ts";
import type { Complain } from "./values.ts";

/** What whoever runs a procedure of the user's own says to it: as a schema, and made up, to see whether the file is right. */

export type Input = Readonly<Record<string, string | number | boolean>>;

export function inputSchema(specs: Definition["input"], complain: Complain): z.ZodType<Input> {
  const shape = Object.entries(specs).map(([name, spec]) => {
    const bare = valueSchema(spec, (key, message) => complain(["input", name, key], message));
    const { default: usual, description = "" } = spec;
    if (usual === undefined) return [name, bare.describe(description)] as const;
    const fault = bare.safeParse(usual).error?.issues[0];
    if (fault !== undefined) complain(["input", name, "default"], `is not what it must be: ${fault.message}`);
    return [name, bare.default(usual).describe(description)] as const;
  });
  return z.strictObject(Object.fromEntries(shape));
}

function valueSchema(
  { type, choices, pattern }: InputSpec,
  complain: (key: string, message: string) => void,
): z.ZodType<string | number | boolean> {
  if (choices !== undefined && type !== "choice") complain("choices", "only a choice has some");
  if (pattern !== undefined && type !== "text") complain("pattern", "only a text has one");
  if (choices === undefined && type === "choice") complain("type", "needs choices");
  if (type === "number") return z.number(missingOr("must be a number"));
  if (type === "boolean") return z.boolean(missingOr("must be true or false"));
  if (type === "choice") return z.enum(choices ?? [], missingOr(`must be one of ${(choices ?? []).join(", ")}`));
  const text = z.string(missingOr("must be text"));
  const expression = pattern === undefined ? undefined : parsePattern(pattern);
  if (expression === null) complain("pattern", "is no regular expression");
  return expression ? text.regex(expression, `must fit the pattern ${pattern}`) : text;
}

function missingOr(message: string) {
  return { error: ({ input }: { readonly input?: unknown }) => (input === undefined ? "is missing" : message) };
}

/** Null: it is none. */
function parsePattern(pattern: string): RegExp | null {
  try {
    return new RegExp(`^(?:${pattern})$`, "u");
  } catch {
    return null;
  }
}

/** `0` is a text, a number and an instant alike; a condition that depends on what is made up is true, so that nothing is left out. */
const anyText = "0";

export function sampleInput(specs: Definition["input"]): Input {
  return mapped(specs, ({ type, choices, default: usual }) => {
    if (type === "boolean") return true;
    return usual ?? (type === "number" ? 0 : (choices?.[0] ?? anyText));
  });
}

export function sampleFacts(specs: Definition["facts"]): Readonly<Record<string, Json>> {
  const samples: Readonly<Record<NonNullable<FactSpec["as"]>, Json>> = {
    text: anyText,
    number: 0,
    json: true,
    jsonLines: [],
  };
  return mapped(specs, ({ as = "text" }) => samples[as]);
}

function mapped<T, R>(given: Readonly<Record<string, T>>, convert: (one: T) => R): Readonly<Record<string, R>> {
  return Object.fromEntries(Object.entries(given).map(([name, one]) => [name, convert(one)]));
}
