import { describe, expect, it } from "vitest";
import { judgeDrills } from "./findings.ts";
import { measurePhases } from "./phases.ts";
import { type Drill, type Recovery, tellLoss } from "./record.ts";

const now = new Date("2026-10-01T12:00:00Z");
const objectives = { rtoSeconds: 4 * 3600, rpoSeconds: 24 * 3600 };
const evidence: Recovery = {
  ...{ what: "server", mode: "drill", run: "r", at: "2026-10-01T10:00:00Z", seconds: 600, phases: [] },
  ...{
    databaseBytes: 1,
    filestoreBytes: 1,
    lossSeconds: 3600,
    takenAt: "2026-10-01T09:00:00Z",
    set: "s",
    counts: {},
    kept: [],
  },
};
const drill = (what: Drill["what"], begun: string, found: Partial<Recovery> | undefined): Drill => ({
  ...{ what, run: `run-${begun}`, begunAt: new Date(begun) },
  evidence: found === undefined ? undefined : { ...evidence, what, ...found },
});
const judge = (...drills: readonly Drill[]) =>
  judgeDrills(drills, objectives, now).map(({ code, status, value, threshold }) => [code, status, value, threshold]);

describe("drills", () => {
  it("that passed within the objectives are no finding, nor is a stack that never had one", () => {
    expect(judge()).toEqual([]);
    expect(judge(drill("server", "2026-10-01T10:00:00Z", {}), drill("database", "2026-10-01T10:00:00Z", {}))).toEqual(
      [],
    );
  });

  it("of which the last did not pass are one, whatever an earlier one did; one that began just now is not", () => {
    const [lost, passed] = [
      drill("server", "2026-10-01T10:00:00Z", undefined),
      drill("server", "2026-07-01T10:00:00Z", {}),
    ];
    expect(judge(lost, passed)).toEqual([["IPAI-RECOVERY-001", "fail", 1, 0]]);
    expect(judge(drill("server", "2026-10-01T11:30:00Z", undefined), passed)).toEqual([]);
    expect(judge(drill("server", "2026-10-01T11:00:00Z", {}), lost)).toEqual([]);
  });

  it("that took too long, or would have lost too much, are one each", () => {
    expect(judge(drill("server", "2026-10-01T10:00:00Z", { seconds: 4 * 3600 }))).toEqual([]);
    expect(judge(drill("server", "2026-10-01T10:00:00Z", { seconds: 5 * 3600, lossSeconds: 25 * 3600 }))).toEqual([
      ["IPAI-RECOVERY-002", "fail", 300, 240],
      ["IPAI-RECOVERY-003", "fail", 1500, 1440],
    ]);
  });
});

describe("the stop-watch", () => {
  const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second));
  it("counts a phase from its first step to its last, waiting between them too, and leaves out one that was not begun", () => {
    const times = [
      { step: "fetch", startedAt: at(0), finishedAt: at(5) },
      { step: "load", startedAt: at(6), finishedAt: at(9) },
      { step: "compare", startedAt: at(30), finishedAt: at(31) },
      { step: "start", startedAt: at(31), finishedAt: null },
    ];
    const phases = [
      { name: "new machine", steps: ["provision"] },
      { name: "reading", steps: ["fetch"] },
      { name: "database", steps: ["load", "compare"] },
      { name: "services", steps: ["start"] },
    ];
    expect(measurePhases(phases, times)).toEqual([
      { name: "reading", seconds: 5 },
      { name: "database", seconds: 25 },
      { name: "services", seconds: 0 },
    ]);
  });
});

describe("what people are told after a recovery", () => {
  it("is the exact instant up to which everything is there, how much work that may be, and what is kept", () => {
    const kept = ["/srv/data_damaged_r"];
    const told = tellLoss("production", { ...evidence, mode: "real", what: "database", lossSeconds: 5400, kept });
    expect(told).toMatchObject({ severity: "critical", chapter: "recovery", key: "recovery:r", stack: "production" });
    expect(told.title).toBe("The database was recovered: the suite is as it was at 2026-10-01T09:00:00Z");
    expect(told.lines).toEqual([
      "Whatever was entered after 2026-10-01T09:00:00Z is not in it (up to 1.5 h of work). Please look, and enter it again.",
      "Back since 2026-10-01T10:00:00Z, 10 min after the recovery began.",
      "Kept: /srv/data_damaged_r",
      "Run r.",
    ]);
  });
});
