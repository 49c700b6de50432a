import { describe, expect, it } from "vitest";
import { findCronFault, parseDuration, parseRate } from "./units.ts";

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

describe("a rate", () => {
  it.each<[string, number]>([
    ["10MiB/s", 10_485_760],
    ["500 KB/s", 500_000],
    ["1.5mb/s", 1_500_000],
    ["1GiB/s", 1_073_741_824],
  ])("%j is %i bytes per second", (text, bytes) => {
    expect(parseRate(text)).toBe(bytes);
  });

  it.each(["", "10", "10MB", "10/s", "0MB/s", "-1MB/s", "10Mbit/s", "fastMB/s"])("%j is none", (text) => {
    expect(parseRate(text)).toBeUndefined();
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
