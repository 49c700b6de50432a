import { meant } from "../../config/issues.ts";
import type { Join, Json, OutputRef, RunRef, SecretRef, Text, Value } from "../../runbook/value.ts";

/**
 * Texts of a file with `${…}` in them as values of a plan. What is known when the plan is made (input, facts, the stack) is put in; what
 * is only known while it runs becomes a reference. There are no expressions.
 */

export type Path = readonly (string | number)[];

/** Notes what is wrong, and where in the file. */
export type Complain = (path: Path, message: string) => void;

export interface Names {
  readonly input: Readonly<Record<string, Json>>;
  /** Undefined where they are still to be asked. */
  readonly facts: Readonly<Record<string, Json>> | undefined;
  readonly stack: Readonly<Record<string, string>>;
  /** Secrets that the configuration has. */
  readonly secrets: readonly string[];
}

export interface Values {
  /** Fixed when the plan is made: titles, names. */
  fixed(text: string, path: Path): string;
  /** May be only known while the plan runs, and may be shown. */
  text(text: string, path: Path): Text;
  /** May be a secret as well, if that is the whole of it. */
  value(text: string, path: Path): Value;
  /** A whole reference to what is known or recorded; undefined when it is none. */
  whole(text: string, path: Path): { readonly known: Json } | OutputRef | undefined;
  /** JSON whose texts are fixed; one that is a whole reference keeps the type of what it stands for. */
  json(value: Json, path: Path): Json;
}

type Part = string | OutputRef | RunRef | SecretRef;

export function createValues(names: Names, complain: Complain): Values {
  const read = (text: string, path: Path) => readParts(text).map((part) => toPart(part, path));
  const toPart = (part: Token, path: Path): Part => {
    if (typeof part === "string") return part;
    const found = find(names, part.name, (message) => complain(path, message));
    if (found === undefined) return "";
    return "known" in found ? asText(found.known) : found;
  };
  const shown = (text: string, path: Path, allowed: "known" | "run"): readonly (string | OutputRef | RunRef)[] =>
    read(text, path).flatMap((part): readonly (string | OutputRef | RunRef)[] => {
      if (typeof part === "string") return [part];
      if (part.ref === "secret")
        complain(path, `$\{secret.${part.name}} would show here: a secret may only be the whole of an env or stdin`);
      else if (allowed === "run") return [part];
      else complain(path, "only input, facts and stack are known here: the rest comes while the plan runs");
      return [];
    });
  const text = (given: string, path: Path) => joined(shown(given, path, "run"));
  const fixed = (given: string, path: Path) => shown(given, path, "known").join("");
  const whole: Values["whole"] = (given, path) => {
    const [only, ...others] = readParts(given);
    if (only === undefined || typeof only === "string" || others.length > 0) return undefined;
    const found = find(names, only.name, (message) => complain(path, message));
    return found === undefined || "known" in found || found.ref === "output" ? found : undefined;
  };
  const json: Values["json"] = (given, path) => {
    if (typeof given === "string") {
      const found = readParts(given).length === 1 ? whole(given, path) : undefined;
      return found !== undefined && "known" in found ? found.known : fixed(given, path);
    }
    if (Array.isArray(given)) return given.map((member: Json, index) => json(member, [...path, index]));
    if (given === null || typeof given !== "object") return given;
    return Object.fromEntries(Object.entries(given).map(([key, member]) => [key, json(member, [...path, key])]));
  };
  return {
    fixed,
    text,
    whole,
    json,
    value: (given, path) => {
      const parts = read(given, path);
      const [only] = parts;
      return parts.length === 1 && typeof only === "object" && only.ref === "secret" ? only : text(given, path);
    },
  };
}

type Token = string | { readonly name: string };

/** `$${` is a `${` that is meant as it is written. */
function readParts(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let from = 0;
  for (const match of text.matchAll(/\$\$\{|\$\{([^{}]*)\}/g)) {
    const before = text.slice(from, match.index);
    const token = match[1] === undefined ? "${" : { name: match[1].trim() };
    tokens.push(...(before === "" ? [] : [before]), token);
    from = match.index + match[0].length;
  }
  const rest = text.slice(from);
  return rest === "" && tokens.length > 0 ? tokens : [...tokens, rest];
}

/** For people who have not said yet what it stands for: `Vacuum <table>`. */
export function outline(text: string): string {
  return readParts(text)
    .map((part) => (typeof part === "string" ? part : `<${part.name.split(".").at(-1)}>`))
    .join("");
}

/** Whether there is anything in it that is replaced. */
export function hasReference(text: string): boolean {
  return readParts(text).some((part) => typeof part !== "string");
}

/** Whether it is one reference and nothing else. */
export function isWhole(text: string): boolean {
  const [only, ...others] = readParts(text);
  return others.length === 0 && typeof only === "object";
}

type Found = { readonly known: Json } | OutputRef | RunRef | SecretRef;

function find(names: Names, name: string, complain: (message: string) => void): Found | undefined {
  const [kind = "", ...rest] = name.split(".");
  const inner = rest.join(".");
  const [step = "", output = ""] = rest;
  if (kind === "steps" && rest.length === 2) return { ref: "output", step, name: output };
  if (kind === "run" && (inner === "id" || inner === "startedAt")) return { ref: "run", field: inner };
  if (kind === "facts" && names.facts === undefined) {
    complain("facts are all asked at once, so that none can use another");
    return undefined;
  }
  const known = Object.entries(tableOf(names, kind) ?? {}).find(([key]) => key === inner);
  if (known !== undefined && kind === "secret") return { ref: "secret", name: inner };
  if (known !== undefined) return { known: known[1] };
  complain(strange(names, kind, inner));
  return undefined;
}

function tableOf({ input, facts, stack, secrets }: Names, kind: string): Readonly<Record<string, Json>> | undefined {
  const secret = Object.fromEntries(secrets.map((name) => [name, ""]));
  return new Map(Object.entries({ input, facts: facts ?? {}, stack, secret })).get(kind);
}

function strange(names: Names, kind: string, inner: string): string {
  const table = tableOf(names, kind);
  const whole = `$\{${inner === "" ? kind : `${kind}.${inner}`}}`;
  return table === undefined
    ? `${whole} stands for nothing: there are input.NAME, facts.NAME, steps.ID.OUTPUT, run.id, run.startedAt, stack.NAME and secret.NAME`
    : `${whole}: there is no ${kind} ${inner}${meant(inner, Object.keys(table))}`;
}

/** Texts that stand side by side are one. */
function joined(parts: Join["join"]): Text {
  const merged: (string | OutputRef | RunRef)[] = [];
  for (const part of parts) {
    const last = merged.at(-1);
    if (typeof part === "string" && typeof last === "string") merged.splice(-1, 1, last + part);
    else if (part !== "") merged.push(part);
  }
  const [only, ...others] = merged;
  return others.length > 0 ? { join: merged } : (only ?? "");
}

/** As a recorded value is written: numbers and truth values as JSON has them. */
function asText(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
