import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addDays, dayOfMonth, daysBetween, easterOf, findDay, weekdayOf } from "./day.ts";

/** The platform's own calendar, in UTC, is the second opinion. */
const known = (day: string) => new Date(`${day}T00:00:00Z`);
const someDay = fc
  .date({ min: new Date("1900-01-01T00:00:00Z"), max: new Date("2299-12-31T00:00:00Z"), noInvalidDate: true })
  .map((date) => date.toISOString().slice(0, 10));

describe("days", () => {
  it("are counted and named as the platform's calendar does", () => {
    fc.assert(
      fc.property(someDay, fc.integer({ min: -40_000, max: 40_000 }), (day, count) => {
        const later = new Date(known(day).getTime() + count * 86_400_000).toISOString().slice(0, 10);
        expect(addDays(day, count)).toBe(later);
        expect(daysBetween(day, later)).toBe(count);
        expect(weekdayOf(day)).toBe(known(day).toLocaleDateString("en", { weekday: "long", timeZone: "UTC" }));
        expect(findDay(day)).toBe(day);
      }),
    );
  });

  it.each(["2027-02-29", "2026-13-01", "2026-00-10", "2026-04-31", "2026-1-1", "10 May 2026", ""])(
    "are none of the calendar: %s",
    (text) => expect(findDay(text)).toBeUndefined(),
  );

  it("of a month that is shorter are its last, and months go on past the year", () => {
    expect(dayOfMonth(2028, 2, 31)).toBe("2028-02-29");
    expect(dayOfMonth(2027, 2, "last")).toBe("2027-02-28");
    expect(dayOfMonth(2026, 13, 15)).toBe("2027-01-15");
    expect(dayOfMonth(2026, 0, 1)).toBe("2025-12-01");
    expect(dayOfMonth(2100, 2, "last")).toBe("2100-02-28");
  });
});

describe("Easter", () => {
  it.each(["2024-03-31", "2025-04-20", "2026-04-05", "2027-03-28", "2028-04-16", "2038-04-25", "2049-04-18"])(
    "was or is on %s",
    (day) => expect(easterOf(Number(day.slice(0, 4)))).toBe(day),
  );
});
