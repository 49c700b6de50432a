import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { listTurns, onCallAt, type Rota } from "./rota.ts";

const week: Rota = {
  ...{ name: "night", people: ["anna", "berta", "carla"], from: "2026-11-23", days: 7, at: "08:00" },
  timezone: "Asia/Manila",
};
const at = (text: string) => new Date(text);
const span = (handle: string, from: string, until: string) => ({ handle, from: at(from), until: at(until) });
const who = (rota: Rota, text: string, absences = [] as never[], covers = [] as never[]) =>
  onCallAt(rota, absences, covers, at(text))?.handle;

describe("turns", () => {
  it("change at the time of the zone, one after the other, and begin again with the first", () => {
    expect(who(week, "2026-11-23T07:59:00+08:00")).toBeUndefined();
    expect(who(week, "2026-11-23T08:00:00+08:00")).toBe("anna");
    expect(who(week, "2026-11-30T07:59:59+08:00")).toBe("anna");
    expect(who(week, "2026-11-30T08:00:00+08:00")).toBe("berta");
    expect(who(week, "2026-12-07T08:00:00+08:00")).toBe("carla");
    expect(who(week, "2026-12-14T08:00:00+08:00")).toBe("anna");
  });

  it("are of days of the calendar, also of one with 23 or 25 hours", () => {
    const daily: Rota = { ...week, days: 1, at: "08:00", timezone: "Europe/Berlin", from: "2026-10-24" };
    expect(who(daily, "2026-10-25T07:59:00+01:00")).toBe("anna");
    expect(who(daily, "2026-10-25T08:00:00+01:00")).toBe("berta");
    const spring: Rota = { ...daily, from: "2027-03-27" };
    expect(who(spring, "2027-03-28T07:59:00+02:00")).toBe("anna");
    expect(who(spring, "2027-03-28T08:00:00+02:00")).toBe("berta");
  });
});

describe("somebody who is away", () => {
  const absences = [span("anna", "2026-11-25T00:00:00+08:00", "2026-11-27T00:00:00+08:00")];
  it("has her turn taken by the next who is there", () => {
    expect(onCallAt(week, absences, [], at("2026-11-26T00:00:00+08:00"))).toEqual({
      handle: "berta",
      because: "absence",
    });
    const both = [...absences, span("berta", "2026-11-01T00:00:00+08:00", "2026-12-01T00:00:00+08:00")];
    expect(onCallAt(week, both, [], at("2026-11-26T00:00:00+08:00"))?.handle).toBe("carla");
  });

  it("when it is everybody, nobody is on call", () => {
    const all = week.people.map((one) => span(one, "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"));
    expect(onCallAt(week, all, [], at("2026-11-26T00:00:00Z"))).toBeUndefined();
  });
});

describe("a cover", () => {
  const covers = [
    span("carla", "2026-11-24T00:00:00Z", "2026-11-26T00:00:00Z"),
    span("dora", "2026-11-25T00:00:00Z", "2026-11-25T12:00:00Z"),
  ];
  it("takes the turn for its time, and the one that was agreed last counts", () => {
    expect(onCallAt(week, [], covers, at("2026-11-24T06:00:00Z"))).toEqual({ handle: "carla", because: "cover" });
    expect(onCallAt(week, [], covers, at("2026-11-25T06:00:00Z"))?.handle).toBe("dora");
    expect(onCallAt(week, [], covers, at("2026-11-26T00:00:00Z"))?.handle).toBe("anna");
  });

  it("of somebody who is away herself is none", () => {
    const absences = [span("dora", "2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z")];
    expect(onCallAt(week, absences, covers, at("2026-11-25T06:00:00Z"))?.handle).toBe("carla");
  });
});

describe("the list of turns", () => {
  it("has every change, and joins what is the same", () => {
    const absences = [span("anna", "2026-11-25T00:00:00+08:00", "2026-11-27T00:00:00+08:00")];
    const turns = listTurns(week, absences, [], at("2026-11-23T00:00:00Z"), at("2026-12-08T00:00:00Z"));
    expect(
      turns.map(({ handle, because, from, until }) => [handle, because, from.toISOString(), until.toISOString()]),
    ).toEqual([
      ["anna", "turn", "2026-11-23T00:00:00.000Z", "2026-11-24T16:00:00.000Z"],
      ["berta", "absence", "2026-11-24T16:00:00.000Z", "2026-11-26T16:00:00.000Z"],
      ["anna", "turn", "2026-11-26T16:00:00.000Z", "2026-11-30T00:00:00.000Z"],
      ["berta", "turn", "2026-11-30T00:00:00.000Z", "2026-12-07T00:00:00.000Z"],
      ["carla", "turn", "2026-12-07T00:00:00.000Z", "2026-12-08T00:00:00.000Z"],
    ]);
  });

  it("says at every instant what the question for that instant says", () => {
    const instant = fc.date({ min: at("2026-10-20T00:00:00Z"), max: at("2026-11-19T23:59:59Z"), noInvalidDate: true });
    const spans = fc.array(
      fc.record({
        handle: fc.constantFrom("anna", "berta", "carla"),
        from: instant,
        hours: fc.integer({ min: 1, max: 200 }),
      }),
      { maxLength: 4 },
    );
    const rota = { ...week, from: "2026-10-01", days: 2, timezone: "Europe/Berlin" };
    fc.assert(
      fc.property(spans, spans, instant, (away, covered, when) => {
        const toSpan = ({ handle, from, hours }: { handle: string; from: Date; hours: number }) => ({
          ...{ handle, from, until: new Date(from.getTime() + hours * 3_600_000) },
        });
        const [absences, covers] = [away.map(toSpan), covered.map(toSpan)];
        const turns = listTurns(rota, absences, covers, at("2026-10-20T00:00:00Z"), at("2026-11-20T00:00:00Z"));
        const found = turns.find(({ from, until }) => from <= when && when < until);
        expect(found?.handle).toBe(onCallAt(rota, absences, covers, when)?.handle);
      }),
    );
  });
});
