import { expect, it } from "vitest";
import { readInstant } from "./instant.ts";

it.each([
  ["2026-11-26 02:00", "Asia/Manila", "2026-11-25T18:00:00.000Z"],
  ["2026-11-26T02:00:30", "Asia/Manila", "2026-11-25T18:00:30.000Z"],
  ["2026-11-25T18:00:00Z", "Asia/Manila", "2026-11-25T18:00:00.000Z"],
  ["2026-11-26 02:00+08:00", "UTC", "2026-11-25T18:00:00.000Z"],
  ["2028-02-29 10:00", "UTC", "2028-02-29T10:00:00.000Z"],
  // An hour that is there twice: the first of them.
  ["2027-10-31 02:30", "Europe/Berlin", "2027-10-31T00:30:00.000Z"],
  ["2027-03-28 03:00", "Europe/Berlin", "2027-03-28T01:00:00.000Z"],
])("%s in %s is %s", (given, timezone, wanted) => {
  expect(readInstant(given, timezone).toISOString()).toBe(wanted);
});

it.each([
  ["2027-02-30 10:00", "usage.no_such_day"],
  ["2027-02-29T10:00:00Z", "usage.no_such_day"],
  ["2027-04-31 10:00", "usage.no_such_day"],
  ["2027-13-01 10:00", "usage.bad_instant"],
  ["2027-01-01 25:00", "usage.bad_instant"],
  ["2027-01-01 10:00+99:00", "usage.bad_instant"],
  ["tomorrow", "usage.bad_instant"],
  ["", "usage.bad_instant"],
])("%s is refused: %s", (given, code) => {
  expect(() => readInstant(given, "Europe/Berlin")).toThrow(expect.objectContaining({ code }));
});

it("a time that daylight-saving time leaves out is refused, and told with its zone", () => {
  expect(() => readInstant("2027-03-28 02:30", "Europe/Berlin")).toThrow(
    expect.objectContaining({
      code: "usage.no_such_time",
      message: expect.stringContaining("2027-03-28 02:30 does not exist in Europe/Berlin"),
      hint: expect.stringContaining("2027-03-28 03:30:00"),
    }),
  );
  // Manila has had none since 1978; New York has.
  expect(() => readInstant("2027-03-14 02:30", "Asia/Manila")).not.toThrow();
  expect(() => readInstant("2027-03-14 02:30", "America/New_York")).toThrow(/America\/New_York/);
});
