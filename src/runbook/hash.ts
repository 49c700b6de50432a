import { createHash } from "node:crypto";
import type { Plan } from "./plan.ts";

/** The identity of a plan: SHA-256 over its canonical JSON without forecasts. What was approved under a hash is what runs. */
export function hashPlan(plan: Plan): string {
  return createHash("sha256")
    .update(canonicalJson(withoutForecasts(plan)))
    .digest("hex");
}

/** JSON with sorted keys and no white space, so that equal data has one text. `undefined` members are left out, as JSON does. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(sortKeys(value));
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => [key, sortKeys(member)]),
  );
}

function withoutForecasts(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutForecasts);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== "forecastSeconds")
      .map(([key, member]) => [key, withoutForecasts(member)]),
  );
}
