import { describe, expect, it } from "vitest";
import { findCronFault, parseDuration } from "./units.ts";

describe("a duration", () => {
  it.each<[string, number]>([
    ["90s", 90],
    ["15m", 900],
    ["4h", 14_400],
    ["7d", 604_800],
    ["2w", 1_209_600],
    ["1.5h", 5400],
    [" 10 m ", 600],
    ["0s", 0],
  ])("%j is %i seconds", (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
  });

  it.each(["", "15", "m", "15 minutes", "-5m", "1h30m", "5y", "1e3s", "½h", "constructor"])("%j is none", (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });
});

it.each([
  ["61 2 * * *", true],
  ["0 2 * *", true],
  ["* * * * * *", true],
  ["@daily", false],
  ["0 2 * * 1-5", false],
  ["0 0 L * *", false],
])("%s is a fault: %s", (cron, isFault) => {
  expect(findCronFault(cron) !== undefined).toBe(isFault);
});
