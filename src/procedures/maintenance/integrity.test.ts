import { describe, expect, it } from "vitest";
import { type Integrity, judgeIntegrity } from "./integrity.ts";

const sound: Integrity = {
  ...{ at: "2026-11-21T17:30:00Z", run: "r1", outcome: "sound", checksums: true, checksumFailures: 0 },
  ...{ tables: 700, indexes: 1300, bytes: 4e7, others: 3 },
  ...{ damaged: 0, skipped: 0, damagedWords: "", skippedWords: "", wrong: [] },
};
const judge = (change: Partial<Integrity>, now = "2026-11-25T00:00:00Z") =>
  judgeIntegrity({ ...sound, ...change }, new Date(now)).map(({ code, status, value }) => [code, status, value]);

describe("the pages of a database", () => {
  it("are well when the last check found nothing and is not old", () => {
    expect(judge({})).toEqual([]);
    expect(judge({}, "2026-12-07T00:00:00Z")).toEqual([["IPAI-DB-002", "warn", 15]]);
  });

  it("are a failing finding when something is damaged, with what it is", () => {
    const damaged = { outcome: "damaged", damaged: 2, damagedWords: "table public.a: block 1" } as const;
    expect(judge(damaged)).toEqual([["IPAI-DB-002", "fail", 2]]);
    expect(judgeIntegrity({ ...sound, ...damaged }, new Date(sound.at))[0]?.hint).toContain("table public.a: block 1");
    expect(judge({ outcome: "damaged", checksumFailures: 7, damagedWords: "7 pages" })).toEqual([
      ["IPAI-DB-002", "fail", 7],
    ]);
  });

  it("are a warning when a part could not be read, or have no checksums", () => {
    expect(judge({ outcome: "incomplete", skipped: 1, skippedWords: "table public.a: lock" })).toEqual([
      ["IPAI-DB-002", "warn", 1],
    ]);
    expect(judge({ checksums: false })).toEqual([["IPAI-DB-003", "warn", "off"]]);
  });
});
