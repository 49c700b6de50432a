import { IpaiError } from "../errors/error.ts";
import { parseCsv } from "./csv.ts";
import { type Day, daysBetween, findDay, partsOf } from "./day.ts";
import { CalendarUnreadable } from "./errors.ts";
import { whyOf } from "./export.ts";
import { type Filing, getFiling, getForm, listFilings } from "./filings.ts";
import type { Filer, Rules } from "./schema.ts";
import { createWorkingDays } from "./working-days.ts";

/** A calendar in use against the rules: which of its rows are wrong and why, and what it does not have. */

export interface ComparedRow {
  /** Counted from 1, the header being the first. */
  readonly row: number;
  readonly form: string;
  readonly period: string;
  readonly deadline: string;
  readonly verdict: "right" | "too late" | "too early" | "not due" | "unreadable";
  readonly expected: Day | null;
  readonly why: string;
}

export interface Comparison {
  readonly rows: readonly ComparedRow[];
  /** Of forms that the calendar has, filings of its year that it lacks. */
  readonly missing: readonly Filing[];
  /** Forms of this filer that it does not have at all. */
  readonly absentForms: readonly string[];
}

export function compareCalendar(asked: { file: string; text: string }, rules: Rules, filer: Filer): Comparison {
  const compared = parseCalendar(asked).map((row) => ({ ...row, ...judge(row, rules, filer) }));
  const seen = compared.flatMap(({ filing }) => (filing === undefined ? [] : [filing]));
  const due = dueYears(seen, rules).flatMap((year) => listFilings(rules, filer, year));
  const forms = new Set(seen.map(({ form }) => form));
  const keys = new Set(seen.map(keyOf));
  return {
    rows: compared.map(({ filing: _, ...row }) => row),
    missing: due.filter((filing) => forms.has(filing.form) && !keys.has(keyOf(filing))),
    absentForms: [...new Set(due.map(({ form }) => form))].filter((form) => !forms.has(form)),
  };
}

type Written = Pick<ComparedRow, "row" | "form" | "period" | "deadline">;

const headers = {
  form: ["form", "formcode", "birform"],
  period: ["period", "periodcovered", "coveredperiod"],
  deadline: ["effective", "filingdeadline", "legaldeadline", "deadline", "due", "duedate"],
};

function parseCalendar({ file, text }: { file: string; text: string }): readonly Written[] {
  const parsed = parseCsv(text);
  if ("brokenAtRow" in parsed) throw CalendarUnreadable({ file, reason: `row ${parsed.brokenAtRow} is no CSV` });
  const [header = [], ...rows] = parsed;
  const names = header.map((name) => name.toLowerCase().replaceAll(/[^a-z]/g, ""));
  // In the order of the wanted names: a file with several dates is meant by the one to work by.
  const columnOf = (what: keyof typeof headers) => {
    const found = headers[what].map((name) => names.indexOf(name)).find((index) => index >= 0);
    if (found === undefined) throw CalendarUnreadable({ file, reason: `its first row names no ${what}` });
    return found;
  };
  const [form, period, deadline] = [columnOf("form"), columnOf("period"), columnOf("deadline")];
  const written = rows
    .map((row, index) => ({ row: index + 2, cells: row.map((cell) => cell.trim()) }))
    .filter(({ cells }) => cells.some((cell) => cell !== ""))
    .map(({ row, cells }) => ({
      row,
      form: cells[form] ?? "",
      period: cells[period] ?? "",
      deadline: cells[deadline] ?? "",
    }));
  if (written.length === 0) throw CalendarUnreadable({ file, reason: "it has no rows" });
  return written;
}

interface Judged extends Pick<ComparedRow, "verdict" | "expected" | "why"> {
  readonly filing?: Filing;
}

function judge(row: Written, rules: Rules, filer: Filer): Judged {
  const deadline = findDay(row.deadline);
  const unreadable = `${row.deadline === "" ? "the deadline" : row.deadline} is no date written as 2026-01-31`;
  try {
    const form = getForm(rules.catalogue, row.form);
    const filing = getFiling(rules, filer, { form: form.code, period: row.period });
    if (deadline === undefined) return { verdict: "unreadable", expected: filing.effective, why: unreadable, filing };
    return {
      ...judgeDeadline(filing, deadline, createWorkingDays(rules.holidays, filer).findOff(deadline)?.name),
      filing,
    };
  } catch (error) {
    // What the catalogue does not know is an answer about the row.
    if (!(error instanceof IpaiError && error.code.startsWith("finance."))) throw error;
    return { verdict: "not due", expected: null, why: error.message };
  }
}

function judgeDeadline(filing: Filing, deadline: Day, off: string | undefined): Judged {
  const { effective, statutory } = filing;
  const why = whyOf(filing);
  if (deadline === effective) return { verdict: "right", expected: effective, why };
  const days = daysBetween(effective, deadline);
  const [count, unit] = [Math.abs(days), Math.abs(days) === 1 ? "day" : "days"];
  const unmoved = deadline === statutory && off !== undefined ? `; the date is not moved, although it is ${off}` : "";
  const idle = unmoved === "" && off !== undefined ? `; nobody works on that day: ${off}` : "";
  const [verdict, side] = days > 0 ? (["too late", "late"] as const) : (["too early", "early"] as const);
  return { verdict, expected: effective, why: `${count} ${unit} too ${side}${unmoved}${idle}. ${why}` };
}

/** From the first to the last year in which most of a calendar's filings are due; a row or two of a neighbour ask for no whole year. */
function dueYears(seen: readonly Filing[], { catalogue }: Rules): readonly number[] {
  const counts = new Map<number, number>();
  for (const { effective } of seen) {
    const { year } = partsOf(effective);
    counts.set(year, (counts.get(year) ?? 0) + 1);
  }
  const most = Math.max(...counts.values());
  return [...counts].filter(([year, count]) => count * 2 >= most && year > catalogue.firstYear).map(([year]) => year);
}

function keyOf({ form, period }: Filing): string {
  return `${form} ${period}`;
}
