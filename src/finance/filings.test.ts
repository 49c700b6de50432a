import fc from "fast-check";
import { describe, expect, it } from "vitest";
import table from "../../addons/ipai_finance_ppm/rules/cases.json" with { type: "json" };
import { addDays, type Day } from "./day.ts";
import { whyOf } from "./export.ts";
import { getFiling, getForm, listFilings } from "./filings.ts";
import { findPeriod } from "./periods.ts";
import { extensionsSchema, type Filer, filerSchema, holidaysSchema, type Rules } from "./schema.ts";
import { shippedRules } from "./shipped.ts";
import { createWorkingDays } from "./working-days.ts";

const manual = filerSchema.parse({ kind: "manual" });
const groupB = filerSchema.parse({ kind: "efps", group: "B" });

/** A row of the table that the Python implementation runs too. */
interface Case {
  readonly name: string;
  readonly filer: object;
  readonly form: string;
  readonly period: string;
  readonly holidays?: readonly object[];
  readonly extensions?: readonly object[];
  readonly expect: object;
}
const cases: readonly Case[] = table.cases;

function rulesFor({ holidays = [], extensions = [] }: Pick<Case, "holidays" | "extensions">): Rules {
  const { holidays: shipped, extensions: known } = shippedRules;
  return {
    ...shippedRules,
    holidays: holidaysSchema.parse({ ...shipped, days: [...shipped.days, ...holidays] }),
    extensions: extensionsSchema.parse({ extensions: [...known, ...extensions] }).extensions,
  };
}

describe("the case table", () => {
  it.each(cases)("$name", (one) => {
    expect(getFiling(rulesFor(one), filerSchema.parse(one.filer), one)).toMatchObject(one.expect);
  });

  it("has a case for every form, and for every rule of each", () => {
    const missing = shippedRules.catalogue.forms.flatMap((form) =>
      form.rules
        .filter(
          ({ says }) =>
            !cases.some(
              (one) =>
                getForm(shippedRules.catalogue, one.form) === form &&
                getFiling(rulesFor(one), filerSchema.parse(one.filer), one).reasons[0]?.text === says,
            ),
        )
        .map(({ says }) => `${form.code}: ${says}`),
    );
    expect(missing).toEqual([]);
  });
});

describe("calendars", () => {
  it.each([
    [2025, "manual", manual],
    [2026, "manual", manual],
    [2027, "manual", manual],
    [2026, "efps-b", groupB],
    [2027, "efps-b", groupB],
  ])("of %i for %s", async (year, name, filer) => {
    const lines = listFilings(shippedRules, filer, year).map((filing) =>
      [
        ...[filing.effective, filing.statutory, filing.payment ?? "-", filing.preparation, filing.form, filing.period],
        `${whyOf(filing)} [${filing.confidence}]`,
      ].join("  "),
    );
    await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot(`golden/${year}-${name}.txt`);
  });

  it("say which holiday of two years moved a deadline over New Year", () => {
    const filer = filerSchema.parse({ kind: "manual", fiscalYearEnd: 7 });
    const filing = getFiling(shippedRules, filer, { form: "1702Q", period: "FY2027-Q1" });
    expect(filing.reasons.map(({ text }) => text)).toEqual([
      "60 days after the quarter; the first three of a fiscal year",
      "2026-12-30 is Rizal Day (regular holiday)",
      "2026-12-31 is Last Day of the Year (special non-working day)",
      "2027-01-01 is New Year's Day (regular holiday)",
      "2027-01-02 is a Saturday",
      "2027-01-03 is a Sunday",
      "moves to the next working day, 2027-01-04",
    ]);
    expect(listFilings(shippedRules, filer, 2027)).toContainEqual(filing);
    expect(listFilings(shippedRules, filer, 2026)).not.toContainEqual(filing);
  });
});

describe("an extension", () => {
  it("takes a filing out of one calendar and puts it into a later one", () => {
    const extensions = [
      {
        ...{ id: "flood", forms: ["2550Q"], dueFrom: "2026-10-26", dueUntil: "2026-10-26", newDeadline: "2028-01-14" },
        ...{ regions: [], authority: "of this test", issuedOn: "2026-10-20", source: "none", confidence: "high" },
      },
    ];
    const calendar = (year: number) =>
      listFilings(rulesFor({ extensions }), manual, year)
        .filter(({ form }) => form === "2550Q")
        .map(({ period, effective }) => `${period} ${effective}`);
    expect(calendar(2026)).toEqual(["2025-Q4 2026-01-26", "2026-Q1 2026-04-27", "2026-Q2 2026-07-27"]);
    expect(calendar(2028)).toContain("2026-Q3 2028-01-14");
  });
});

const everything = [...new Set(shippedRules.catalogue.forms.map(({ applies }) => applies))];
const someFiler: fc.Arbitrary<Filer> = fc
  .record({
    who: fc.constantFrom(
      ...[{ kind: "manual" }, { kind: "ebirforms" }],
      ...["A", "B", "C", "D", "E"].map((group) => ({ kind: "efps", group })),
    ),
    fiscalYearEnd: fc.integer({ min: 1, max: 12 }),
  })
  .map(({ who, fiscalYearEnd }) => filerSchema.parse({ ...who, fiscalYearEnd, applies: everything }));
const someYear = fc.integer({ min: 2021, max: 2197 });

describe("whatever the filer and the year,", () => {
  it("a deadline is on a working day, never before the statutory one, and moved only over days that nobody works", () => {
    fc.assert(
      fc.property(someFiler, someYear, (filer, year) => {
        const working = createWorkingDays(shippedRules.holidays, filer);
        for (const { statutory, adjusted, effective, preparation, review, approval } of listFilings(
          shippedRules,
          filer,
          year,
        )) {
          expect([adjusted, effective].filter((day) => working.findOff(day) !== undefined)).toEqual([]);
          expect(daysFrom(statutory, adjusted).filter((day) => working.findOff(day) === undefined)).toEqual([]);
          expect(statutory <= adjusted && adjusted <= effective).toBe(true);
          expect(preparation < review && review < approval && approval < effective).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("each form is filed as often as it has periods, none twice and none left out", () => {
    const perYear = {
      month: 12,
      quarter: 4,
      fiscal_quarter: 4,
      half_year: 2,
      calendar_year: 1,
      fiscal_year: 1,
      event: 0,
    };
    fc.assert(
      fc.property(someFiler, someYear, (filer, year) => {
        const filings = [year, year + 1, year + 2].flatMap((one) => listFilings(shippedRules, filer, one));
        for (const { code, period, only } of shippedRules.catalogue.forms) {
          const ofYear = filings.filter(({ form, periodEnd }) => form === code && periodEnd.startsWith(`${year}`));
          const times = only?.monthsOfQuarter ? 8 : only?.quarters ? 3 : perYear[period];
          expect([code, ofYear.length]).toEqual([code, times]);
          expect(new Set(ofYear.map((filing) => filing.period)).size).toBe(times);
        }
      }),
      { numRuns: 40 },
    );
  });

  it("a later period is never due before an earlier one of the same form", () => {
    fc.assert(
      fc.property(someFiler, someYear, (filer, year) => {
        for (const ofForm of Map.groupBy(listFilings(shippedRules, filer, year), ({ form }) => form).values())
          expect(ofForm.map(({ periodEnd }) => periodEnd)).toEqual(ofForm.map(({ periodEnd }) => periodEnd).toSorted());
      }),
      { numRuns: 40 },
    );
  });

  it("a filing is the same whether it is asked for or listed", () => {
    fc.assert(
      fc.property(someFiler, someYear, (filer, year) => {
        for (const filing of listFilings(shippedRules, filer, year))
          expect(getFiling(shippedRules, filer, filing)).toEqual(filing);
      }),
      { numRuns: 10 },
    );
  });
});

/** Days from the first on, without the second. */
function daysFrom(first: Day, end: Day): readonly Day[] {
  const days: Day[] = [];
  for (let day = first; day < end; day = addDays(day, 1)) days.push(day);
  return days;
}

describe("what is asked wrongly", () => {
  const code = (ask: () => unknown): string => {
    try {
      ask();
    } catch (error) {
      return (error as { code: string }).code;
    }
    return "none";
  };
  it.each([
    ["finance.unknown_form", "1234", "2026"],
    ["finance.not_due", "2550M", "2026-01"],
    ["finance.unknown_period", "0619-E", "2026-03"],
    ["finance.unknown_period", "1702Q", "2026-Q4"],
    ["finance.unknown_period", "1706", "2026-02-30"],
    ["finance.year_outside", "1601-C", "2017-05"],
  ])("is refused by %s: %s for %s", (expected, form, period) => {
    expect(code(() => getFiling(shippedRules, manual, { form, period }))).toBe(expected);
  });
  it("is refused for years without rules", () => {
    expect([2018, 2019, 2199, 2200].map((year) => code(() => listFilings(shippedRules, manual, year)))).toEqual([
      ...["finance.year_outside", "none", "none", "finance.year_outside"],
    ]);
  });
});

describe("periods", () => {
  it.each([
    ["1601C", "Jan 2026", "2026-01"],
    ["1601-C", "January 2026", "2026-01"],
    ["1601-C", "1/2026", "2026-01"],
    ["1601-C", "2026-1", "2026-01"],
    ["2550Q", "Q1 2026", "2026-Q1"],
    ["2550q", "1Q 2026", "2026-Q1"],
    ["2550Q", "2026 q3", "2026-Q3"],
    ["1702-RT", "FY 2025", "2025"],
    ["LESSEE", "H1 2026", "2026-H1"],
  ])("of %s may be written %s", (form, written, label) => {
    expect(findPeriod(getForm(shippedRules.catalogue, form), 12, written)?.label).toBe(label);
  });
});
