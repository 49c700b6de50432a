import type { Output, Probe } from "../runbook/action.ts";
import type { Json } from "../runbook/value.ts";
import { OutputTooLarge, OutputUnreadable } from "./errors.ts";
import { lastLines, stdoutBytesMax } from "./output.ts";

/** What performing an action gave. `status` and `body` belong to http, `result` to call. Free of secrets. */
export interface ActionResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
  readonly status?: number;
  readonly body?: string;
  readonly result?: Json;
  readonly seconds: number;
  readonly truncated: boolean;
}

/** One value out of a result. Throws `host.output_unreadable` or `host.output_too_large`; never guesses. */
export function readOutput(result: ActionResult, output: Output): Json {
  if (result.truncated && (output.from === "stdout" || output.from === "body"))
    throw OutputTooLarge({ bytesMax: stdoutBytesMax });
  const raw = result[output.from];
  if (raw === undefined) throw unreadable(output, "there (the action has no such answer)", "");
  return (output.pick ?? []).reduce((value, key) => pick(value, key, output), convert(raw, output));
}

/** Whether a value compares with the expected one as asked. Throws `host.output_unreadable` when the two cannot be compared. */
export function compare(
  value: Json,
  probe: Pick<Probe, "compare" | "output">,
  expected: string | number | boolean,
): boolean {
  switch (probe.compare) {
    case "eq":
      return isEqual(value, expected);
    case "le":
      return requireNumber(value, probe.output) <= requireNumber(expected, probe.output);
    case "ge":
      return requireNumber(value, probe.output) >= requireNumber(expected, probe.output);
    case "has":
      return has(value, probe.output, expected);
    case "absent":
      return !has(value, probe.output, expected);
  }
}

function convert(raw: Json, output: Output): Json {
  if (output.as === undefined) return typeof raw === "string" ? raw.trimEnd() : raw;
  switch (output.as) {
    case "text":
      return asText(raw).trimEnd();
    case "number":
      return requireNumber(raw, output);
    case "json":
      return typeof raw === "string" ? parse(raw, output) : raw;
    case "jsonLines":
      return asText(raw)
        .split("\n")
        .filter((line) => line.trim() !== "")
        .map((line) => parse(line, output));
  }
}

function parse(text: string, output: Output): Json {
  try {
    return JSON.parse(text);
  } catch {
    throw unreadable(output, "JSON", text);
  }
}

function pick(value: Json, key: string | number, output: Output): Json {
  const picked = Array.isArray(value) && typeof key === "number" ? value.at(key) : member(value, key);
  if (picked === undefined)
    throw unreadable(output, `JSON with the element ${JSON.stringify(key)}`, JSON.stringify(value));
  return picked;
}

function member(value: Json, key: string | number): Json | undefined {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return undefined;
  const entry = Object.entries(value).find(([name]) => name === String(key));
  return entry?.[1];
}

/** Numbers with numbers, a number with a text that is one, everything else as text. */
function isEqual(value: Json, expected: string | number | boolean): boolean {
  if (typeof value === "number" || typeof expected === "number") {
    const [left, right] = [parseNumber(value), parseNumber(expected)];
    if (left !== undefined && right !== undefined) return left === right;
  }
  return asText(value) === asText(expected);
}

/** In a text, an empty `expected` asks whether there is any answer at all; in a list likewise. */
function has(value: Json, output: Output, expected: string | number | boolean): boolean {
  if (Array.isArray(value))
    return expected === "" ? value.length > 0 : value.some((item: Json) => isEqual(item, expected));
  if (value !== null && typeof value === "object") throw unreadable(output, "a text or a list", JSON.stringify(value));
  const text = asText(value);
  return expected === "" ? text !== "" : text.includes(asText(expected));
}

function requireNumber(value: Json, output: Output): number {
  const number = parseNumber(value);
  if (number === undefined) throw unreadable(output, "a number", asText(value));
  return number;
}

/** Decimal notation only, as programs print it; whole numbers that a double cannot hold are none. */
function parseNumber(value: Json): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value !== "string" || !/^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$/.test(value)) return undefined;
  const number = Number(value);
  return Number.isInteger(number) && !Number.isSafeInteger(number) ? undefined : number;
}

function asText(value: Json): string {
  if (value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function unreadable(output: Output, wanted: string, text: string): Error {
  return OutputUnreadable({ from: output.from, wanted, output: lastLines(text) });
}
