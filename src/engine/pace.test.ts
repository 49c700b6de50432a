import { describe, expect, it } from "vitest";
import { dueAt, type Pace } from "./pace.ts";

const night = { from: "22:00", until: "07:00", days: [] } as const;
const always: Pace = { timezone: "Europe/Berlin", quiet: [], digest: undefined };
const due = (changed: Partial<Pace>, now: string, severity: "info" | "critical" = "info") =>
  dueAt({ ...always, ...changed }, severity, new Date(now)).toISOString();

describe("without quiet hours and digest", () => {
  it("everything is due at once", () => {
    expect(due({}, "2026-11-25T23:00:00Z")).toBe("2026-11-25T23:00:00.000Z");
  });
});

describe("quiet hours", () => {
  it.each([
    ["the minute before", "2026-11-25T20:59:59Z", "2026-11-25T20:59:59.000Z"],
    ["the first instant", "2026-11-25T21:00:00Z", "2026-11-26T06:00:00.000Z"],
    ["before midnight", "2026-11-25T22:59:59Z", "2026-11-26T06:00:00.000Z"],
    ["midnight", "2026-11-25T23:00:00Z", "2026-11-26T06:00:00.000Z"],
    ["the last instant", "2026-11-26T05:59:59.999Z", "2026-11-26T06:00:00.000Z"],
    ["the end", "2026-11-26T06:00:00Z", "2026-11-26T06:00:00.000Z"],
    ["noon", "2026-11-26T11:00:00Z", "2026-11-26T11:00:00.000Z"],
  ])("across midnight: %s", (_, now, wanted) => {
    expect(due({ quiet: [night] }, now)).toBe(wanted);
  });

  it("never hold what is critical", () => {
    expect(due({ quiet: [night], digest: "08:00" }, "2026-11-25T23:00:00Z", "critical")).toBe(
      "2026-11-25T23:00:00.000Z",
    );
  });

  it.each([
    // The night of 29 March 2026 has eight hours from 22:00 to 07:00, that of 25 October ten.
    ["spring, before the change", "2026-03-28T21:00:00Z", "2026-03-29T05:00:00.000Z"],
    ["spring, after the change", "2026-03-29T01:30:00Z", "2026-03-29T05:00:00.000Z"],
    ["spring, the end by the old time", "2026-03-29T06:00:00Z", "2026-03-29T06:00:00.000Z"],
    ["autumn, before the change", "2026-10-24T20:00:00Z", "2026-10-25T06:00:00.000Z"],
    ["autumn, the hour that comes twice", "2026-10-25T01:30:00Z", "2026-10-25T06:00:00.000Z"],
    ["autumn, the end by the old time", "2026-10-25T05:00:00Z", "2026-10-25T06:00:00.000Z"],
  ])("follow a change from or to daylight-saving time: %s", (_, now, wanted) => {
    expect(due({ quiet: [night] }, now)).toBe(wanted);
  });

  it("that end at a time which a change leaves out end with the change", () => {
    const quiet = [{ from: "22:00", until: "02:30", days: [] }];
    expect(due({ quiet }, "2026-03-28T23:00:00Z")).toBe("2026-03-29T01:00:00.000Z");
  });

  it("begin on the days that are named, and last until the next one's morning", () => {
    const quiet = [{ ...night, days: ["fri"] as const }];
    expect(due({ quiet }, "2026-11-26T22:00:00Z")).toBe("2026-11-26T22:00:00.000Z");
    expect(due({ quiet }, "2026-11-27T22:00:00Z")).toBe("2026-11-28T06:00:00.000Z");
    expect(due({ quiet }, "2026-11-28T05:00:00Z")).toBe("2026-11-28T06:00:00.000Z");
  });

  it("that touch are one time: the nights, and the whole week-end", () => {
    const quiet = [night, { from: "00:00", until: "00:00", days: ["sat", "sun"] as const }];
    expect(due({ quiet }, "2026-11-27T22:00:00Z")).toBe("2026-11-30T06:00:00.000Z");
    expect(due({ quiet }, "2026-11-28T11:00:00Z")).toBe("2026-11-30T06:00:00.000Z");
  });

  it("that leave no hour of the week still end", () => {
    const quiet = [{ from: "00:00", until: "00:00", days: [] }];
    expect(Date.parse(due({ quiet }, "2026-11-27T22:00:00Z"))).toBeLessThan(Date.parse("2026-12-14T00:00:00Z"));
  });
});

describe("a digest", () => {
  it("is sent every so often: what comes between goes together", () => {
    expect(due({ digest: 900 }, "2026-11-25T10:00:00Z")).toBe("2026-11-25T10:15:00.000Z");
    expect(due({ digest: 900 }, "2026-11-25T10:14:59.999Z")).toBe("2026-11-25T10:15:00.000Z");
  });

  it("is sent at a time of day in the channel's zone", () => {
    expect(due({ digest: "08:00" }, "2026-11-25T06:59:00Z")).toBe("2026-11-25T07:00:00.000Z");
    expect(due({ digest: "08:00" }, "2026-11-25T07:00:00Z")).toBe("2026-11-26T07:00:00.000Z");
    expect(due({ digest: "08:00", timezone: "Asia/Manila" }, "2026-11-25T06:59:00Z")).toBe("2026-11-26T00:00:00.000Z");
  });

  it("that would come in quiet hours comes when they end", () => {
    expect(due({ digest: 3600, quiet: [night] }, "2026-11-25T20:30:00Z")).toBe("2026-11-26T06:00:00.000Z");
  });
});
