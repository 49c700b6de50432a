import { defineError } from "../errors/error.ts";

/** What can be wrong with a question about deadlines. */

export const UnknownForm = defineError<{ given: string; known: readonly string[] }>("finance.unknown_form", {
  exitCode: 14,
  message: (d) => `There is no form ${d.given} in the catalogue.`,
  hint: (d) => `There is: ${[...d.known].join(", ")}.`,
});

export const FormNotDue = defineError<{ given: string; why: string; legalBasis: string }>("finance.not_due", {
  exitCode: 14,
  message: (d) => `${d.given} has no deadline: ${d.why} (${d.legalBasis}).`,
  hint: () => "Has the catalogue missed a change of the law? Then its row has to be corrected, with the circular.",
});

export const UnknownPeriod = defineError<{ form: string; given: string; example: string; rule: string }>(
  "finance.unknown_period",
  {
    exitCode: 14,
    message: (d) => `${d.form} is not filed for a period ${d.given}.`,
    hint: (d) => `Its rule: ${d.rule}. A period of this form is written like ${d.example}.`,
  },
);

export const YearOutside = defineError<{ given: string; first: number; last: number }>("finance.year_outside", {
  exitCode: 14,
  message: (d) => `No calendar can be computed for ${d.given}.`,
  hint: (d) => `The rules are known for years from ${d.first} to ${d.last}.`,
});

export const BadFiler = defineError<{ reason: string }>("finance.bad_filer", {
  exitCode: 14,
  message: (d) => `That is no filer: ${d.reason}.`,
  hint: () =>
    "Say --filer manual, --filer ebirforms, or --filer efps --efps-group A to E; what a group is stands in docs/finance/deadlines.md.",
});

export const CalendarUnreadable = defineError<{ file: string; reason: string }>("finance.calendar_unreadable", {
  exitCode: 14,
  message: (d) => `${d.file} cannot be compared: ${d.reason}.`,
  hint: () =>
    "It has to be CSV with a header that has columns form, period and deadline (form_code and legal_deadline do too).",
});
