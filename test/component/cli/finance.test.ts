import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ipai } from "../../harness/sandbox.ts";

/** `ipai finance` from outside, in a folder without a configuration: it needs none. */
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "finance-"));
});
afterAll(async () => await rm(folder, { recursive: true }));

const finance = (...args: readonly string[]) => ipai(["finance", ...args], { directory: folder });

describe("ipai finance", () => {
  it("prints a calendar by months, as JSON, as CSV that it takes back, and as iCalendar", async () => {
    const text = await finance("calendar", "--year", "2026");
    expect(text.exitCode).toBe(0);
    expect(text.stdout.match(/^[A-Z][a-z]+ 2026$/gm)).toHaveLength(12);
    expect(text.stdout).toContain("2026-11-02 is All Souls' Day");
    const json = await finance("calendar", "--year", "2026", "--filer", "efps", "--efps-group", "B", "--json");
    expect(JSON.parse(json.stdout)[0]).toMatchObject({
      ...{ form: "1601-C", periodStart: "2025-12-01", periodEnd: "2025-12-31", statutory: "2026-01-14" },
      ...{ adjusted: "2026-01-14", effective: "2026-01-14", payment: "2026-01-15", confidence: "high" },
    });
    const csv = await finance("calendar", "--year", "2026", "--csv");
    await writeFile(join(folder, "own.csv"), csv.stdout);
    expect(await finance("check", "own.csv")).toMatchObject({ exitCode: 0 });
    const ics = await finance("calendar", "--year", "2026", "--ics");
    expect(ics.stdout.startsWith("BEGIN:VCALENDAR\r\n") && ics.stdout.endsWith("END:VCALENDAR\r\n")).toBe(true);
  });

  it("ends with 1 when a calendar is wrong, and says why", async () => {
    await writeFile(join(folder, "wrong.csv"), "form,period,deadline\n1601-C,Jan 2026,2026-02-15\n");
    const ended = await finance("check", "wrong.csv", "--applies", "employer");
    expect(ended.exitCode).toBe(1);
    expect(ended.stdout).toMatch(/1601-C +Jan 2026 +2026-02-15 +2026-02-10 +too late +5 days too late/);
  });

  it("says why a filing is due when it is", async () => {
    const ended = await finance("why", "1702Q", "2026-Q2");
    expect(ended.stdout).toContain("- 2026-08-31 is National Heroes Day (regular holiday) (Proclamation 1006 (2025))");
  });

  it.each([
    [["calendar", "--year", "26"], "finance.year_outside"],
    [["calendar", "--year", "2026", "--filer", "efps"], "finance.bad_filer"],
    [["calendar", "--year", "2026", "--filer", "efps", "--efps-group", "F"], "finance.bad_filer"],
    [["calendar", "--year", "2026", "--filer", "post"], "finance.bad_filer"],
    [["calendar", "--year", "2026", "--efps-group", "A"], "finance.bad_filer"],
    [["calendar", "--year", "2026", "--fiscal-year-end", "13"], "finance.bad_filer"],
    [["calendar", "--year", "2026", "--applies", "customs"], "finance.bad_filer"],
    [["check", "absent.csv"], "finance.calendar_unreadable"],
    [["why", "2550M", "2026-01"], "finance.not_due"],
  ])("refuses %j by its code", async (args, code) => {
    const ended = await finance(...args, "--json");
    expect([ended.exitCode, JSON.parse(ended.stdout).error.code]).toEqual([14, code]);
  });
});
