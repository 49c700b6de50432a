import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { leadOf } from "./announcements.ts";

const at = new Date("2026-12-01T14:00:00Z");
const day = 24 * 3600;
const earlier = (seconds: number) => new Date(at.getTime() - seconds * 1000);

describe("what is planned for a time is announced", () => {
  it.each([
    ["not yet", 25 * 3600, undefined],
    ["a day before", day, day],
    ["as a day before, when it was planned ten hours ahead", 10 * 3600, day],
    ["an hour before", 3600, 3600],
    ["at once, and once, when it is nearer than all of them", 600, 3600],
    ["not any more when its time has come", 0, undefined],
    ["not after it", -5, undefined],
  ])("%s", (_, seconds, lead) => {
    expect(leadOf(at, [day, 3600], earlier(seconds))).toBe(lead);
    expect(leadOf(at, [3600, day], earlier(seconds))).toBe(lead);
  });

  it("never, when nobody is told of such things", () => {
    expect(leadOf(at, [], earlier(60))).toBeUndefined();
  });

  it("as often as it says at most, each time nearer, whenever a worker looks", () => {
    const lead = fc.integer({ min: 1, max: 3 * day });
    fc.assert(
      fc.property(fc.uniqueArray(lead), fc.array(fc.integer({ min: -day, max: 4 * day })), (leads, looks) => {
        const told = looks.toSorted((a, b) => b - a).map((seconds) => leadOf(at, leads, earlier(seconds)));
        const distinct = [...new Set(told.filter((one) => one !== undefined))];
        expect(distinct.length).toBeLessThanOrEqual(leads.length);
        expect(distinct).toEqual(distinct.toSorted((a, b) => b - a));
      }),
    );
  });
});
