import { type Day, dayOfMonth, findDay } from "./day.ts";
import type { Form } from "./schema.ts";

/** Periods that forms are filed for, and how they are written: 2026-01, 2026-Q1, 2026-H1, 2026; fiscal ones that differ with FY. */

export interface Period {
  readonly label: string;
  readonly start: Day;
  readonly end: Day;
}

/** A form's periods that end in a calendar year, in order. An event has none. */
export function listPeriods(form: Form, fiscalYearEnd: number, year: number): readonly Period[] {
  const length = monthsOf[form.period];
  if (length === 0) return [];
  const isFiscal = form.period.startsWith("fiscal_");
  const yearEnd = isFiscal ? fiscalYearEnd : 12;
  return Array.from({ length: 12 }, (_, index) => index + 1)
    .map((month) => ({ month, ofYear: monthOfYear(month, yearEnd) }))
    .filter(({ ofYear }) => ofYear % length === 0 && isFiled(form, ofYear))
    .map(({ month, ofYear }) => {
      const named = month > yearEnd ? year + 1 : year;
      const prefix = isFiscal && yearEnd !== 12 ? "FY" : "";
      return {
        label: `${prefix}${named}${suffixes[form.period](ofYear)}`,
        start: dayOfMonth(year, month - length + 1, 1),
        end: dayOfMonth(year, month, "last"),
      };
    });
}

/** The period of a form that is written so; undefined when the form has none of that name. */
export function findPeriod(form: Form, fiscalYearEnd: number, written: string): Period | undefined {
  const label = normalize(written);
  if (form.period === "event") {
    const day = findDay(label);
    return day === undefined ? undefined : { label: day, start: day, end: day };
  }
  const year = Number(/\d{4}/.exec(label)?.[0] ?? Number.NaN);
  if (Number.isNaN(year)) return undefined;
  const bare = (text: string) => text.replace(/^FY/, "");
  return [year - 1, year]
    .flatMap((one) => listPeriods(form, fiscalYearEnd, one))
    .find((period) => period.label === label || bare(period.label) === bare(label));
}

const monthsOf = {
  ...{ month: 1, quarter: 3, fiscal_quarter: 3, half_year: 6, calendar_year: 12, fiscal_year: 12 },
  event: 0,
} as const;

const suffixes: Readonly<Record<Form["period"], (ofYear: number) => string>> = {
  month: (ofYear) => `-${String(ofYear).padStart(2, "0")}`,
  quarter: (ofYear) => `-Q${ofYear / 3}`,
  fiscal_quarter: (ofYear) => `-Q${ofYear / 3}`,
  half_year: (ofYear) => `-H${ofYear / 6}`,
  calendar_year: () => "",
  fiscal_year: () => "",
  event: () => "",
};

/** Which month of its (fiscal) year a month is: July is the first when a year ends in June. */
function monthOfYear(month: number, yearEnd: number): number {
  return ((month - yearEnd + 11) % 12) + 1;
}

function isFiled({ only }: Form, ofYear: number): boolean {
  if (only?.monthsOfQuarter !== undefined && !only.monthsOfQuarter.includes(((ofYear - 1) % 3) + 1)) return false;
  return only?.quarters === undefined || only.quarters.includes(Math.ceil(ofYear / 3));
}

const monthNames = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/** What calendars in use write ("Jan 2026", "1/2026", "Q1 2026", "1Q 2026"), as the labels of this file. */
function normalize(written: string): string {
  const text = written.trim();
  const named = /^([a-z]{3})[a-z]*\.?[ -]+(\d{4})$/i.exec(text) ?? /^()(\d{4})[ -]+([a-z]{3})[a-z]*\.?$/i.exec(text);
  const month = monthNames.indexOf((named?.[1] || named?.[3] || "").toLowerCase()) + 1;
  if (month > 0) return `${named?.[2]}-${String(month).padStart(2, "0")}`;
  const numbered = /^(\d{1,2})\/(\d{4})$/.exec(text) ?? /^()(\d{4})-(\d)$/.exec(text);
  if (numbered !== null) return `${numbered[2]}-${(numbered[1] || numbered[3] || "").padStart(2, "0")}`;
  const part = /^([QH]\d|\dQ)[ -]*(FY ?)?(\d{4})$/i.exec(text) ?? /^()(FY ?)?(\d{4})[ -]*([QH]\d|\dQ)$/i.exec(text);
  if (part !== null) {
    const word = (part[1] || part[4] || "").toUpperCase();
    return `${part[2] === undefined ? "" : "FY"}${part[3]}-${/^\d/.test(word) ? `Q${word[0]}` : word}`;
  }
  return text.toUpperCase().replaceAll(" ", "");
}
