import { createHash } from "node:crypto";
import type { Act, Plan, Step } from "./plan.ts";

/** The identity of a plan: SHA-256 over its canonical JSON without forecasts and what was seen. What was approved under a hash is what runs. */
export function hashPlan(plan: Plan): string {
  const steps = plan.steps.map(withoutForecast);
  return createHash("sha256")
    .update(canonicalJson({ ...plan, steps, seen: undefined, awaySeconds: undefined }))
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

/** Only a step's own forecast: in facts, inputs and actions a member of the same name is data like any other. */
function withoutForecast(step: Step): unknown {
  switch (step.kind) {
    case "act":
      return actWithoutForecast(step);
    case "wait":
      return { ...step, forecastSeconds: undefined };
    case "bracket":
      return {
        ...step,
        open: step.open.map(withoutForecast),
        body: step.body.map(withoutForecast),
        close: step.close.map(withoutForecast),
      };
    case "parallel":
      return { ...step, acts: step.acts.map(withoutForecast) };
    default:
      return step;
  }
}

function actWithoutForecast(act: Act): unknown {
  const undo = typeof act.undo === "string" ? act.undo : act.undo.map(withoutForecast);
  return { ...act, undo, forecastSeconds: undefined };
}
