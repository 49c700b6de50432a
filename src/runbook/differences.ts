import { canonicalJson } from "./hash.ts";
import type { Plan } from "./plan.ts";

/** What two plans of one procedure were made from, where it is not the same: `facts.changes`, `input.table`; or else `steps`. */
export function listDifferences(before: Plan, now: Plan): readonly string[] {
  const origin = ({ input, facts, version }: Plan) => ({ version, input, facts });
  const found = differ("", origin(before), origin(now));
  return found.length === 0 ? ["steps"] : found;
}

function differ(path: string, before: unknown, now: unknown): readonly string[] {
  if (canonicalJson({ value: before }) === canonicalJson({ value: now })) return [];
  if (!isMap(before) || !isMap(now)) return [path];
  const keys = new Set([...Object.keys(before), ...Object.keys(now)]);
  return [...keys].flatMap((key) => differ(path === "" ? key : `${path}.${key}`, before[key], now[key]));
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
