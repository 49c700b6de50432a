import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { compareCalendar } from "./compare.ts";
import { filingsToCsv } from "./export.ts";
import { listFilings } from "./filings.ts";
import { filerSchema } from "./schema.ts";
import { shippedRules } from "./shipped.ts";

const manual = filerSchema.parse({ kind: "manual" });
const compare = (text: string) => compareCalendar({ file: "calendar.csv", text }, shippedRules, manual);

/** Dates as they stood in a calendar in use: its author knew the rules of another filer, and moved nothing. */
const inUse = readFileSync(join(import.meta.dirname, "fixtures/calendar-2026.csv"), "utf8");

describe("a calendar in use", () => {
  it("is told which of its rows are wrong: 21 of 31", () => {
    const { rows, missing } = compare(inUse);
    expect(Object.groupBy(rows, ({ verdict }) => (verdict === "right" ? "right" : "wrong"))).toMatchObject({
      right: { length: 10 },
      wrong: { length: 21 },
    });
    expect(rows.filter(({ form, verdict }) => form === "1601C" && verdict === "right")).toMatchObject([
      { period: "Dec 2025", deadline: "2026-01-15" },
    ]);
    expect(
      rows
        .filter(({ form, verdict }) => form !== "1601C" && verdict !== "right")
        .map((row) => `${row.form} ${row.period} ${row.deadline} ${row.expected} ${row.verdict}`),
    ).toEqual([
      "0619E Apr 2026 2026-05-10 2026-05-11 too early",
      "1601EQ Q4 2025 2026-01-31 2026-02-02 too early",
      "1601EQ Q3 2026 2026-10-31 2026-11-03 too early",
      "2550Q Q4 2025 2026-01-25 2026-01-26 too early",
      "2550Q Q1 2026 2026-04-25 2026-04-27 too early",
      "2550Q Q2 2026 2026-07-25 2026-07-27 too early",
      "2550Q Q3 2026 2026-10-25 2026-10-26 too early",
      "1702Q Q1 2026 2026-05-30 2026-06-01 too early",
      "1702Q Q2 2026 2026-08-30 2026-09-01 too early",
      "1702Q Q3 2026 2026-11-29 2026-12-01 too early",
    ]);
    // Whoever believes this row is late.
    expect(rows.find(({ period, form }) => form === "1601C" && period === "Jan 2026")).toMatchObject({
      row: 3,
      verdict: "too late",
      why: "5 days too late; nobody works on that day: Sunday. 10th of the next month (RR 2-98; RR 26-2002)",
    });
    expect(rows.find(({ period, form }) => form === "1601EQ" && period === "Q3 2026")?.why).toBe(
      "3 days too early; the date is not moved, although it is Saturday. last day of the month after the quarter (RA 10963 (TRAIN); RR 11-2018); 2026-10-31 is a Saturday (RMC 65-2016); 2026-11-01 is All Saints' Day (special non-working day); 2026-11-02 is All Souls' Day (special non-working day) (Proclamation 1006 (2025)); moves to the next working day, 2026-11-03 (RMC 65-2016)",
    );
    expect(missing).toEqual([]);
  });

  it("is told what it lacks: a period of a form that it has, and forms that it has not", () => {
    const { missing, absentForms } = compare(inUse.replace(/1601EQ,Q1 2026.*\n/, ""));
    expect(missing.map(({ form, period }) => `${form} ${period}`)).toEqual(["1601-EQ 2026-Q1"]);
    expect(absentForms).toContain("1604-C");
    expect(absentForms).not.toContain("1601-C");
  });

  it("is told what is not due at all", () => {
    const rows = compare(
      "form,period,deadline\n2550M,Jan 2026,2026-02-20\n0619-E,Mar 2026,2026-04-10\n9999,2026,2026-01-01\n1601-C,Jan 2026,soon\n",
    ).rows;
    expect(rows.map(({ verdict }) => verdict)).toEqual(["not due", "not due", "not due", "unreadable"]);
    expect(rows[0]?.why).toContain("has not been required since 1 January 2023");
    expect(rows[1]?.why).toBe("0619-E is not filed for a period Mar 2026.");
  });

  it("that the program printed is right, whatever the year", () => {
    for (const year of [2025, 2026, 2027, 2040]) {
      const { rows, missing, absentForms } = compare(filingsToCsv(listFilings(shippedRules, manual, year)));
      expect(rows.filter(({ verdict }) => verdict !== "right")).toEqual([]);
      expect(rows.length).toBeGreaterThan(60);
      expect([missing, absentForms]).toEqual([[], []]);
    }
  });

  it.each([
    ["", "its first row names no form"],
    ["form,deadline\n", "its first row names no period"],
    ["form,period,deadline\n", "it has no rows"],
    ['form,period,deadline\n"1601-C,Jan 2026,2026-02-10\n', "row 2 is no CSV"],
  ])("that cannot be read is refused: %j", (text, reason) => {
    expect(() => compare(text)).toThrow(`calendar.csv cannot be compared: ${reason}.`);
  });
});
