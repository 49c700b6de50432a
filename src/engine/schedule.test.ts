import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { listDue, listNext, type Schedule } from "./schedule.ts";

const nightly: Schedule = {
  stack: "erp",
  name: "backup",
  procedure: "backup",
  input: {},
  cron: "0 2 * * *",
  timezone: "Asia/Manila",
  missed: "latest",
  graceSeconds: 6 * 3600,
  jitterSeconds: 0,
};
const due = (schedule: Partial<Schedule>, since: string, now: string) =>
  listDue({ ...nightly, ...schedule }, new Date(since), new Date(now)).map(({ at, decision }) => [
    at.toISOString().slice(0, 16),
    decision,
  ]);

describe("times that have come", () => {
  it("are those of the zone, across midnight", () => {
    expect(due({}, "2026-11-24T17:59:00Z", "2026-11-24T18:00:01Z")).toEqual([["2026-11-24T18:00", "start"]]);
    expect(due({}, "2026-11-24T18:00:00Z", "2026-11-25T17:59:59Z")).toEqual([]);
  });

  it.each<[string, Schedule["missed"], number, readonly string[]]>([
    ["the latest, when it is not too late", "latest", 3 * 3600, ["miss", "miss", "start"]],
    ["none, when it is too late", "latest", 1800, ["miss", "miss", "miss"]],
    ["every one within its grace", "all", 26 * 3600, ["miss", "start", "start"]],
    ["none, by its own policy", "none", 26 * 3600, ["miss", "miss", "miss"]],
  ])("while nothing ran are made up for: %s", (_, missed, graceSeconds, wanted) => {
    const found = due({ missed, graceSeconds }, "2026-11-20T18:00:00Z", "2026-11-23T20:00:00Z");
    expect(found.map(([, decision]) => decision)).toEqual(wanted);
  });

  it("are punctual for a minute, whatever the policy", () => {
    expect(due({ missed: "none" }, "2026-11-24T17:00:00Z", "2026-11-24T18:01:00Z")).toEqual([
      ["2026-11-24T18:00", "start"],
    ]);
  });

  it("are not told without end after a year", () => {
    const found = due({ cron: "*/5 * * * *" }, "2025-11-24T18:00:00Z", "2026-11-24T18:00:30Z");
    expect(found).toHaveLength(1000);
    expect(found.at(-1)).toEqual(["2026-11-24T18:00", "start"]);
    expect(found.filter(([, decision]) => decision === "start")).toHaveLength(1);
  });
});

describe("a change to and from daylight-saving time", () => {
  const berlin = { cron: "30 2 * * *", timezone: "Europe/Berlin" };
  it("that leaves a time out lets it happen once, when it would have been over", () => {
    expect(due(berlin, "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z").map(([at]) => at)).toEqual(["2026-03-29T01:00"]);
  });
  it("that has a time twice lets it happen once", () => {
    expect(due(berlin, "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z").map(([at]) => at)).toEqual(["2026-10-25T00:30"]);
  });
  it("moves nothing that happens every half hour", () => {
    const halves = due({ ...berlin, cron: "*/30 * * * *" }, "2026-10-24T22:00:00Z", "2026-10-25T04:00:00Z");
    expect(halves).toHaveLength(12);
  });
});

describe("jitter", () => {
  it("is within its bounds, and the same whenever it is asked for", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3600 }), fc.integer({ min: 0, max: 365 }), (jitterSeconds, day) => {
        const since = new Date(Date.UTC(2026, 0, day, 17, 30));
        const ask = () => listDue({ ...nightly, jitterSeconds }, since, new Date(since.getTime() + 3_600_000));
        const [first] = ask();
        const movedMs = (first?.startsAt.getTime() ?? 0) - (first?.at.getTime() ?? 0);
        expect(movedMs).toBeGreaterThanOrEqual(0);
        expect(movedMs).toBeLessThan(jitterSeconds * 1000);
        expect(ask()).toEqual([first]);
      }),
    );
  });
});

describe("asked bit by bit or at once", () => {
  it("the same times come, each once", () => {
    const start = Date.UTC(2026, 2, 27);
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 50_000 }), { minLength: 1, maxLength: 40 }),
        fc.constantFrom("0 2 * * *", "*/7 * * * *", "30 2 * * 0", "15 0,12 1 * *"),
        (pauses, cron) => {
          const schedule = { ...nightly, cron, timezone: "Europe/Berlin" };
          let since = new Date(start);
          const bits: string[] = [];
          for (const pause of pauses) {
            const now = new Date(since.getTime() + pause * 1000);
            bits.push(...listDue(schedule, since, now).map(({ at }) => at.toISOString()));
            since = now;
          }
          const whole = listDue(schedule, new Date(start), since).map(({ at }) => at.toISOString());
          expect(bits.slice(-1000)).toEqual(whole);
        },
      ),
    );
  });
});

it("a preview names the next times", () => {
  const next = listNext({ cron: "0 4 * * 0", timezone: "Asia/Manila" }, new Date("2026-11-25T00:00:00Z"), 2);
  expect(next.map((at) => at.toISOString())).toEqual(["2026-11-28T20:00:00.000Z", "2026-12-05T20:00:00.000Z"]);
});
