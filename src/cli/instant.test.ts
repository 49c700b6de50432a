import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseFuture, parseInstant } from "./instant.ts";

const iso = (given: string, zone = "Asia/Manila") => parseInstant(given, zone).toISOString();

describe("an instant", () => {
  it("is meant in the zone, or has an offset of its own", () => {
    expect(iso("2026-11-26 02:00")).toBe("2026-11-25T18:00:00.000Z");
    expect(iso("2026-11-26T02:00:30")).toBe("2026-11-25T18:00:30.000Z");
    expect(iso("2026-11-25T18:00:00Z")).toBe("2026-11-25T18:00:00.000Z");
    expect(iso("2026-11-26 02:00+09:00")).toBe("2026-11-25T17:00:00.000Z");
  });

  it("that the calendar does not have is none", () => {
    for (const given of [
      "2027-02-30 10:00",
      "2027-13-01 10:00",
      "2027-01-01 25:00",
      "2027-02-29T00:00:00Z",
      "tomorrow",
      "",
    ])
      expect(() => iso(given)).toThrow(expect.objectContaining({ code: "usage.bad_instant" }));
  });

  it("that the zone leaves out is none; of one that it has twice, the first is meant", () => {
    expect(() => iso("2027-03-28 02:30", "Europe/Berlin")).toThrow(/leaves that time out/);
    expect(iso("2027-03-28 03:00", "Europe/Berlin")).toBe("2027-03-28T01:00:00.000Z");
    expect(iso("2026-10-25 02:30", "Europe/Berlin")).toBe("2026-10-25T00:30:00.000Z");
    expect(() => iso("2026-10-04 02:15", "Australia/Lord_Howe")).toThrow(/leaves that time out/);
  });

  it("that is past is refused where it is to come", () => {
    const now = new Date("2026-11-25T18:00:00Z");
    expect(() => parseFuture("2026-11-26 02:00", "Asia/Manila", now)).toThrow(/it is past/);
    expect(parseFuture("2026-11-26 02:01", "Asia/Manila", now).toISOString()).toBe("2026-11-25T18:01:00.000Z");
  });

  it("that is to come may be so far away", () => {
    const now = new Date("2026-11-25T18:00:00Z");
    expect(parseFuture("in 90m", "Asia/Manila", now).toISOString()).toBe("2026-11-25T19:30:00.000Z");
    expect(parseFuture(" in 2h ", "Asia/Manila", now).toISOString()).toBe("2026-11-25T20:00:00.000Z");
    for (const given of ["in 0s", "in a while", "90m", "in -1h"])
      expect(() => parseFuture(given, "Asia/Manila", now)).toThrow(
        expect.objectContaining({ code: "usage.bad_instant" }),
      );
  });

  it("is what a clock of the zone shows then", () => {
    const zones = fc.constantFrom("Asia/Manila", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia");
    const seconds = fc.integer({ min: 1_700_000_000, max: 2_000_000_000 });
    fc.assert(
      fc.property(seconds, zones, (second, timeZone) => {
        const shown = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" });
        const text = shown.format(second * 1000);
        expect(shown.format(parseInstant(text, timeZone))).toBe(text);
      }),
    );
  });
});
