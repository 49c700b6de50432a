import { expect, it } from "vitest";
import { lastMonth } from "./finance-desk.ts";

it.each([
  ["2026-01-31T15:59:59Z", "2025-12"],
  ["2026-01-31T16:00:00Z", "2026-01"],
  ["2026-12-31T16:00:00Z", "2026-12"],
])("at %s the month that is over in Manila is %s", (now, month) => {
  expect(lastMonth(new Date(now))).toBe(month);
});
