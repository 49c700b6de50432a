import { addDays, type Day, dayOfMonth, partsOf } from "./day.ts";
import { FormNotDue, UnknownForm, UnknownPeriod, YearOutside } from "./errors.ts";
import { findPeriod, listPeriods, type Period } from "./periods.ts";
import type { Catalogue, Confidence, DueInMonth, Extension, Filer, Form, Rule, Rules } from "./schema.ts";
import { createWorkingDays, nextWorkingDay, type Off, type WorkingDays, workingDaysBefore } from "./working-days.ts";

/**
 * What has to be filed, by when, and why. Pure: rules, filer and year or period in, filings out. The addon's `engine.py` says the same
 * in Python, to the letter of the reasons; the same cases hold both.
 */

export interface Reason {
  readonly kind: "rule" | "weekend" | "holiday" | "moved" | "extension" | "estimate" | "unproclaimed" | "unsettled";
  readonly text: string;
  readonly basis: string;
}

export interface Filing {
  readonly form: string;
  readonly name: string;
  readonly kind: Form["kind"];
  readonly period: string;
  readonly periodStart: Day;
  readonly periodEnd: Day;
  /** As the rule says, whatever day that is. */
  readonly statutory: Day;
  /** On a working day. */
  readonly adjusted: Day;
  /** With extensions: the one to work by. */
  readonly effective: Day;
  /** Null for what has nothing to pay. */
  readonly payment: Day | null;
  readonly preparation: Day;
  readonly review: Day;
  readonly approval: Day;
  readonly reasons: readonly Reason[];
  readonly legalBasis: string;
  readonly source: string;
  /** The lowest of everything that the effective date rests on. */
  readonly confidence: Confidence;
}

export const lastYear = 2199;

/** The filings whose effective deadline lies in a calendar year, in its order. */
export function listFilings(rules: Rules, filer: Filer, year: number): readonly Filing[] {
  const first = rules.catalogue.firstYear;
  // The first year that has all deadlines of the year before.
  if (!Number.isInteger(year) || year <= first || year > lastYear)
    throw YearOutside({ given: String(year), first: first + 1, last: lastYear });
  const liable = new Set(filer.applies ?? rules.catalogue.core);
  const ask: Question = { rules, filer, working: createWorkingDays(rules.holidays, filer) };
  return rules.catalogue.forms
    .filter(({ applies }) => liable.has(applies))
    .flatMap((form) =>
      [year - 2, year - 1, year]
        .filter((ending) => ending >= first)
        .flatMap((ending) => listPeriods(form, filer.fiscalYearEnd, ending))
        .map((period) => computeFiling(ask, form, period)),
    )
    .filter(({ effective }) => partsOf(effective).year === year)
    .toSorted((a, b) => (a.effective < b.effective ? -1 : Number(a.effective > b.effective)));
}

/** One filing, whether or not the filer is liable for it. */
export function getFiling(rules: Rules, filer: Filer, asked: { form: string; period: string }): Filing {
  const form = getForm(rules.catalogue, asked.form);
  const period = findPeriod(form, filer.fiscalYearEnd, asked.period);
  if (period === undefined) {
    const example = listPeriods(form, filer.fiscalYearEnd, 2026)[0]?.label ?? "2026-03-14, the day of the event";
    throw UnknownPeriod({ form: form.code, given: asked.period, example, rule: form.rules.at(-1)?.says ?? "none" });
  }
  const first = rules.catalogue.firstYear;
  const { year } = partsOf(period.end);
  if (year < first || year > lastYear) throw YearOutside({ given: period.label, first, last: lastYear });
  return computeFiling({ rules, filer, working: createWorkingDays(rules.holidays, filer) }, form, period);
}

/** By its code or another of its names; `1601C` is `1601-C`. */
export function getForm({ forms, notDue }: Catalogue, given: string): Form {
  const bare = bareCode(given);
  const found = forms.find(({ code, aliases = [] }) => [code, ...aliases].some((one) => bareCode(one) === bare));
  if (found !== undefined) return found;
  const gone = notDue.find(({ codes }) => codes.some((code) => bareCode(code) === bare));
  if (gone !== undefined) throw FormNotDue({ given, why: gone.why, legalBasis: gone.legalBasis });
  throw UnknownForm({ given, known: forms.map(({ code }) => code) });
}

function bareCode(code: string): string {
  return code.toUpperCase().replaceAll(/[^A-Z0-9]/g, "");
}

interface Question {
  readonly rules: Rules;
  readonly filer: Filer;
  readonly working: WorkingDays;
}

/** What a rule gives, before preparation is counted back from it. */
interface Dates extends Pick<Filing, "statutory" | "adjusted" | "effective" | "reasons" | "confidence"> {
  readonly payment: Day;
}

function computeFiling(ask: Question, form: Form, period: Period): Filing {
  const rule = ruleFor(ask.filer, form, period);
  const { payment, ...dates } = datesOf(ask, form, { period, rule });
  const { stages } = ask.rules.catalogue;
  const before = (count: number) => workingDaysBefore(ask.working, dates.effective, count);
  return {
    form: form.code,
    name: form.name,
    kind: form.kind,
    period: period.label,
    periodStart: period.start,
    periodEnd: period.end,
    ...dates,
    payment: form.kind === "return" || form.kind === "remittance" ? payment : null,
    preparation: before(stages.preparation),
    review: before(stages.review),
    approval: before(stages.approval),
    legalBasis: rule.legalBasis,
    source: rule.source,
  };
}

/** The first that fits; the last rule of a form has no condition. */
function ruleFor(filer: Filer, form: Form, period: Period): Rule {
  const { month } = partsOf(period.end);
  const found = form.rules.find(
    ({ when }) => (when?.filers?.includes(filer.kind) ?? true) && (when?.months?.includes(month) ?? true),
  );
  if (found === undefined) throw new TypeError(`No rule of ${form.code} fits ${filer.kind}`);
  return found;
}

function datesOf(ask: Question, form: Form, { period, rule }: { period: Period; rule: Rule }): Dates {
  const { due } = rule;
  const said: Reason = { kind: "rule", text: rule.says, basis: rule.legalBasis };
  if ("with" in due) {
    const base = baseOf(ask, due.with, period);
    return { ...base, reasons: [said, ...base.reasons], confidence: lowest(rule.confidence, base.confidence) };
  }
  const base = "of" in due && due.of !== undefined ? baseOf(ask, due.of, period) : undefined;
  const statutory =
    "daysAfter" in due ? addDays(base?.adjusted ?? period.end, due.daysAfter) : inMonth(due, ask.filer, period);
  const adjusted = nextWorkingDay(ask.working, statutory);
  const pay = rule.pay === undefined ? statutory : inMonth(rule.pay, ask.filer, period);
  const extended = extend(ask, form, adjusted.day);
  const payment = nextWorkingDay(ask.working, pay).day;
  const isMoved = adjusted.passed.length > 0;
  const doubts = [...doubtsOf(ask.working, extended.effective), ...(base === undefined ? [] : followDoubts(base))];
  return {
    statutory,
    adjusted: adjusted.day,
    effective: extended.effective,
    payment: payment > extended.effective ? payment : extended.effective,
    reasons: [
      said,
      ...moves(ask, adjusted.passed, adjusted.day),
      ...extended.reasons,
      ...doubts.map(({ reason }) => reason),
    ],
    confidence: lowest(
      ...[rule.confidence, base?.confidence ?? "high", extended.confidence],
      ...(isMoved ? [form.shiftConfidence ?? "high"] : []),
      ...adjusted.passed.map(({ confidence }) => confidence),
      ...doubts.map(({ confidence }) => confidence),
    ),
  };
}

function baseOf(ask: Question, code: string, period: Period): Dates {
  const form = getForm(ask.rules.catalogue, code);
  return datesOf(ask, form, { period, rule: ruleFor(ask.filer, form, period) });
}

function inMonth({ day, monthsAfter }: DueInMonth, { group }: Filer, period: Period): Day {
  const { year, month } = partsOf(period.end);
  const chosen = typeof day === "object" ? day[group ?? "A"] : day;
  if (chosen === undefined) throw new TypeError(`No day for group ${group}`);
  return dayOfMonth(year, month + monthsAfter, chosen);
}

/** The latest extension that is for this form, this deadline and this filer; none ever makes a deadline earlier. */
function extend(
  { rules, filer, working, ...rest }: Question,
  form: Form,
  adjusted: Day,
): Pick<Dates, "effective" | "reasons" | "confidence"> {
  const isFor = ({ forms, dueFrom, dueUntil, regions }: Extension) =>
    forms.includes(form.code) &&
    dueFrom <= adjusted &&
    adjusted <= dueUntil &&
    (regions.length === 0 || regions.some((region) => filer.regions.includes(region)));
  const latest = rules.extensions
    .filter(isFor)
    .reduce<Extension | undefined>(
      (best, one) => (best === undefined || one.newDeadline > best.newDeadline ? one : best),
      undefined,
    );
  if (latest === undefined || latest.newDeadline <= adjusted)
    return { effective: adjusted, reasons: [], confidence: "high" };
  const moved = nextWorkingDay(working, latest.newDeadline);
  const said: Reason = { kind: "extension", text: `extended to ${latest.newDeadline}`, basis: latest.authority };
  return {
    effective: moved.day,
    reasons: [said, ...moves({ rules, filer, working, ...rest }, moved.passed, moved.day)],
    confidence: lowest(latest.confidence, ...moved.passed.map(({ confidence }) => confidence)),
  };
}

function moves({ rules }: Question, passed: readonly Off[], to: Day): readonly Reason[] {
  if (passed.length === 0) return [];
  const { shift } = rules.catalogue;
  return [
    ...passed.map(({ kind, day, name, type, basis }): Reason => {
      const words = type === "special_nonworking" ? " (special non-working day)" : " (regular holiday)";
      return kind === "weekend"
        ? { kind, text: `${day} is a ${name}`, basis: shift.legalBasis }
        : { kind, text: `${day} is ${name}${words}`, basis: basis ?? "" };
    }),
    { kind: "moved", text: `${shift.says}, ${to}`, basis: shift.legalBasis },
  ];
}

interface Doubt {
  readonly reason: Reason;
  readonly confidence: Confidence;
}

function doubtsOf(working: WorkingDays, effective: Day): readonly Doubt[] {
  const estimate = working.findEstimate(effective);
  const { year } = partsOf(effective);
  const missing = `no proclamation of holidays is entered for ${year}: only those that the law fixes are known`;
  const expected = `${effective} is expected to be ${estimate?.name}; not proclaimed, so it moves nothing yet`;
  return [
    ...(estimate === undefined
      ? []
      : [{ reason: { kind: "estimate", text: expected, basis: estimate.basis }, confidence: "low" } as const]),
    ...(working.isProclaimed(year)
      ? []
      : [{ reason: { kind: "unproclaimed", text: missing, basis: "" }, confidence: "medium" } as const]),
  ];
}

/** Whether what hangs on a return follows its extension is not settled: the earlier date is the safe one. */
function followDoubts(base: Dates): readonly Doubt[] {
  if (base.effective === base.adjusted) return [];
  const text = `counted from ${base.adjusted}; whether it follows the extension to ${base.effective} has to be confirmed`;
  return [{ reason: { kind: "unsettled", text, basis: "" }, confidence: "low" }];
}

function lowest(...all: readonly Confidence[]): Confidence {
  return (["low", "medium"] as const).find((one) => all.includes(one)) ?? "high";
}
