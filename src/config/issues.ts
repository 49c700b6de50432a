import type { z } from "zod";
import type { ConfigDocument } from "./document.ts";
import type { Problem } from "./errors.ts";
import { findNearest } from "./nearest.ts";

type Issue = z.core.$ZodIssue;

/** What a schema found wrong, in words: one line per unknown key, with the name that was probably meant. */
export function describeIssue(issue: Issue, document: ConfigDocument, schema: z.ZodType): readonly Problem[] {
  const where = issue.path.length === 0 ? "" : `${issue.path.join(".")}: `;
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) =>
        document.at([...issue.path, key], `${where}unknown key ${key}${meant(key, knownKeys(schema, issue.path))}`),
      );
    case "invalid_union": {
      const inner = nearestBranch(issue.errors);
      if (inner.length === 0) break;
      return inner.flatMap((one) =>
        describeIssue({ ...one, path: [...issue.path, ...one.path] } as Issue, document, schema),
      );
    }
    case "invalid_key":
      return [document.at(issue.path, `${where}the name ${issue.issues[0]?.message ?? issue.message}`)];
    default:
      break;
  }
  return [document.at(issue.path, where + wordsOf(issue, valueAt(document.value, issue.path)))];
}

export function meant(name: string, known: readonly string[]): string {
  const near = findNearest(name, known);
  return near === undefined ? "" : `. Did you mean ${near}?`;
}

/**
 * Of several forms that a value may have, the one that was meant: the form that knows most of the keys, then the one with fewest
 * faults. None when the value has no form at all.
 */
function nearestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] {
  const unknown = (branch: readonly Issue[]) =>
    branch.reduce((sum, issue) => sum + (issue.code === "unrecognized_keys" ? issue.keys.length : 0), 0);
  const structured = branches.filter((branch) =>
    branch.some((issue) => issue.code === "unrecognized_keys" || issue.path.length > 0),
  );
  return structured.toSorted((a, b) => unknown(a) - unknown(b) || a.length - b.length)[0] ?? [];
}

/** The schema's own words where it has some; zod's general ones in ours. */
function wordsOf(issue: Issue, value: unknown): string {
  switch (issue.code) {
    case "invalid_union":
      return value === undefined ? "is missing" : issue.message;
    case "invalid_value":
      return issue.message.startsWith("Invalid") ? oneOf(issue.values, value) : issue.message;
    case "invalid_type":
      return issue.message.startsWith("Invalid input") ? wrongType(issue.expected, value) : issue.message;
    case "too_small":
      return issue.message.startsWith("Too small")
        ? `must be ${issue.inclusive === false ? "more than" : "at least"} ${issue.minimum}`
        : issue.message;
    case "too_big":
      return issue.message.startsWith("Too big") ? `must be at most ${issue.maximum}` : issue.message;
    default:
      return issue.message;
  }
}

function wrongType(expected: string, value: unknown): string {
  return value === undefined ? "is missing" : `must be ${kinds[expected] ?? expected}, not ${kindOf(value)}`;
}

function oneOf(values: readonly unknown[], value: unknown): string {
  if (value === undefined) return "is missing";
  return `must be ${values.length === 1 ? "" : "one of "}${values.map(String).join(", ")}`;
}

const kinds: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  object: "a map of keys and values",
  record: "a map of names and values",
  array: "a list",
};

function kindOf(value: unknown): string {
  if (value === null) return "empty";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  if (typeof value === "string") return "text";
  return typeof value === "number" ? `the number ${value}` : String(value);
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((inner, part) => (isObject(inner) ? inner[String(part)] : undefined), value);
}

/** The keys that a schema knows at a path; names of a record and positions of a list step into their element. */
function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  const final = unwrap(path.reduce<unknown>((inner, part) => stepInto(unwrap(inner), part), schema));
  const options = isObject(final) && Array.isArray(final["options"]) ? final["options"].map(unwrap) : [final];
  return options.flatMap((option) =>
    isObject(option) && isObject(option["shape"]) ? Object.keys(option["shape"]) : [],
  );
}

function stepInto(schema: unknown, part: PropertyKey): unknown {
  if (!isObject(schema)) return undefined;
  if (isObject(schema["shape"])) return schema["shape"][String(part)];
  if (Array.isArray(schema["options"]))
    return schema["options"].map((option) => stepInto(unwrap(option), part)).find((found) => found !== undefined);
  return schema["valueType"] ?? schema["element"];
}

/** Defaults, optionals and transforms wrap the object that has the keys. */
function unwrap(schema: unknown): unknown {
  let inner = schema;
  for (;;) {
    if (!isObject(inner) || !isObject(inner["def"])) return inner;
    const next = inner["def"]["innerType"] ?? inner["def"]["in"];
    if (next === undefined) return inner;
    inner = next;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
