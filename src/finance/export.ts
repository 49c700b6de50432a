import { toCsv } from "./csv.ts";
import { addDays, type Day } from "./day.ts";
import type { Filing } from "./filings.ts";
import type { Filer } from "./schema.ts";

/** Filings as files for spreadsheets and calendars. */

/** Why a deadline is when it is, with the law that says so; once for reasons that follow each other with the same one. */
export function whyOf({ reasons }: Pick<Filing, "reasons">): string {
  return reasons
    .map(({ text, basis }, index) => (basis === (reasons[index + 1]?.basis ?? "") ? text : `${text} (${basis})`))
    .join("; ");
}

const columns = [
  ...(["form", "name", "period", "periodStart", "periodEnd", "statutory", "adjusted", "effective", "payment"] as const),
  ...(["preparation", "review", "approval", "legalBasis", "confidence"] as const),
];

export function filingsToCsv(filings: readonly Filing[]): string {
  return toCsv([
    [...columns, "why"],
    ...filings.map((filing) => [...columns.map((column) => filing[column] ?? ""), whyOf(filing)]),
  ]);
}

/**
 * RFC 5545. An event's name says form, period and filer, and no date: when a deadline moves, the calendar that subscribed moves the
 * event and does not get a second one. `now` is when the file is made, as the standard wants it.
 */
export function filingsToIcs(filings: readonly Filing[], filer: Filer, now: Date): string {
  const stamp = now.toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const lines = [
    ...["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//ipai//BIR deadlines//EN", "CALSCALE:GREGORIAN", "METHOD:PUBLISH"],
    `X-WR-CALNAME:${escapeText(`BIR deadlines, ${whoOf(filer)}`)}`,
    ...filings.flatMap((filing) => eventOf(filing, filer, stamp)),
    "END:VCALENDAR",
  ];
  return lines.map((line) => `${fold(line)}\r\n`).join("");
}

const whoOf = ({ kind, group }: Filer) => [kind, ...(group === undefined ? [] : [group])].join("-");

function eventOf(filing: Filing, filer: Filer, stamp: string): readonly string[] {
  const summary = `BIR ${filing.form} for ${filing.period}`;
  const said = [
    filing.name,
    whyOf(filing),
    `Prepare by ${filing.preparation}, review by ${filing.review}, approve by ${filing.approval}.`,
    ...(filing.payment === null || filing.payment === filing.effective ? [] : [`Pay by ${filing.payment}.`]),
    `Confidence: ${filing.confidence}.`,
  ];
  return [
    "BEGIN:VEVENT",
    `UID:${[filing.form, filing.period, whoOf(filer)].join(".").toLowerCase()}@bir-deadlines.ipai`,
    `DTSTAMP:${stamp}`,
    `DTSTART;VALUE=DATE:${compact(filing.effective)}`,
    `DTEND;VALUE=DATE:${compact(addDays(filing.effective, 1))}`,
    `SUMMARY:${escapeText(summary)}`,
    `DESCRIPTION:${escapeText(said.join("\n"))}`,
    `CATEGORIES:BIR,${escapeText(filing.kind)}`,
    "TRANSP:TRANSPARENT",
    ...alarms.flatMap((trigger) => [
      ...["BEGIN:VALARM", "ACTION:DISPLAY", `TRIGGER:${trigger}`, `DESCRIPTION:${escapeText(summary)}`, "END:VALARM"],
    ]),
    "END:VEVENT",
  ];
}

/** At eight in the morning, seven, three and one day before, and on the day: an event of a whole day begins at midnight. */
const alarms = ["-P6DT16H", "-P2DT16H", "-PT16H", "PT8H"];

function compact(day: Day): string {
  return day.replaceAll("-", "");
}

function escapeText(text: string): string {
  return text.replaceAll(/[\\;,]/g, (sign) => `\\${sign}`).replaceAll(/\r?\n/g, "\\n");
}

/** Lines have at most 75 octets; the rest goes on after a space, and no character is cut in two. */
function fold(line: string): string {
  const parts: string[] = [];
  let part = "";
  for (const sign of line) {
    if (Buffer.byteLength(part + sign) > (parts.length === 0 ? 75 : 74)) {
      parts.push(part);
      part = "";
    }
    part += sign;
  }
  return [...parts, part].join("\r\n ");
}
