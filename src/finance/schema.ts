import { z } from "zod";
import { findDay } from "./day.ts";

/**
 * The words of the shared data: catalogue, holidays, extensions. The files lie in the Odoo addon, whose Python implementation reads
 * the same ones; what the words mean is in docs/finance/rules-as-data.md.
 */

const day = z.string().refine((text) => findDay(text) !== undefined, "must be a date of the calendar, YYYY-MM-DD");
const text = z.string().min(1);
const confidence = z.enum(["high", "medium", "low"]);
const month = z.int().min(1).max(12);
const group = z.enum(["A", "B", "C", "D", "E"]);
const filerKind = z.enum(["manual", "ebirforms", "efps"]);

const dayOfMonth = z.union([z.int().min(1).max(31), z.literal("last"), z.record(group, z.int().min(1).max(31))]);
const inMonth = z.strictObject({ day: dayOfMonth, monthsAfter: z.int().min(0).max(12) });
const due = z.union([
  inMonth,
  z.strictObject({ daysAfter: z.int().min(0), of: text.optional() }),
  z.strictObject({ with: text }),
]);

const rule = z.strictObject({
  when: z.strictObject({ filers: z.array(filerKind).optional(), months: z.array(month).optional() }).optional(),
  due,
  pay: inMonth.optional(),
  says: text,
  legalBasis: text,
  source: text,
  confidence,
});

const form = z.strictObject({
  code: text,
  name: text,
  kind: z.enum(["return", "remittance", "list", "certificate", "submission", "registration"]),
  aliases: z.array(text).optional(),
  applies: text,
  period: z.enum(["month", "quarter", "fiscal_quarter", "half_year", "calendar_year", "fiscal_year", "event"]),
  only: z
    .strictObject({ monthsOfQuarter: z.array(z.int()).optional(), quarters: z.array(z.int()).optional() })
    .optional(),
  shiftConfidence: confidence.optional(),
  rules: z.array(rule).min(1),
});

export const catalogueSchema = z.strictObject({
  firstYear: z.int(),
  core: z.array(text),
  shift: z.strictObject({ legalBasis: text, says: text }),
  stages: z.strictObject({ preparation: z.int(), review: z.int(), approval: z.int() }),
  forms: z.array(form),
  notDue: z.array(z.strictObject({ codes: z.array(text), why: text, legalBasis: text })),
});

const holidayType = z.enum(["regular", "special_nonworking", "special_working"]);
const holiday = z.strictObject({
  date: day,
  name: text,
  type: holidayType,
  status: z.enum(["proclaimed", "estimated"]),
  basis: text,
  confidence,
  regions: z.array(text).optional(),
});

export const holidaysSchema = z.strictObject({
  proclaimedYears: z.array(z.int()),
  byLaw: z.array(
    z.strictObject({
      on: z.union([
        z.strictObject({ month, day: z.int().min(1).max(31) }),
        z.strictObject({ easter: z.int() }),
        z.strictObject({ lastMonday: month }),
      ]),
      name: text,
      type: holidayType,
      basis: text,
    }),
  ),
  days: z.array(holiday),
});

const extension = z.strictObject({
  id: text,
  forms: z.array(text).min(1),
  dueFrom: day,
  dueUntil: day,
  newDeadline: day,
  regions: z.array(text),
  authority: text,
  issuedOn: day,
  source: text,
  confidence,
});

export const extensionsSchema = z.strictObject({ extensions: z.array(extension) });

export const filerSchema = z
  .strictObject({
    kind: filerKind,
    group: group.optional(),
    fiscalYearEnd: month.default(12),
    applies: z.array(text).optional(),
    regions: z.array(text).default([]),
  })
  .refine((filer) => filer.kind !== "efps" || filer.group !== undefined, "an eFPS filer belongs to a group, A to E");

export type Confidence = z.infer<typeof confidence>;
export type Catalogue = z.infer<typeof catalogueSchema>;
export type Form = z.infer<typeof form>;
export type Rule = z.infer<typeof rule>;
export type DueInMonth = z.infer<typeof inMonth>;
export type Holidays = z.infer<typeof holidaysSchema>;
export type Holiday = z.infer<typeof holiday>;
export type Extension = z.infer<typeof extension>;
/** Who files, how, and what. `applies` names what it is liable for; the core of a corporation without it. */
export type Filer = z.infer<typeof filerSchema>;

/** Everything that deadlines are computed from. */
export interface Rules {
  readonly catalogue: Catalogue;
  readonly holidays: Holidays;
  readonly extensions: readonly Extension[];
}
