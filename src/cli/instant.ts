import { Cron } from "croner";
import { defineError } from "../errors/error.ts";

/** Instants as people write them. Pure. */

export const BadInstant = defineError<{ given: string }>("usage.bad_instant", {
  exitCode: 14,
  message: (d) => `${d.given} is no instant that is still to come.`,
  hint: () =>
    'Write "2026-11-26 02:00", which is meant in the stack\'s zone, or an instant with its own: 2026-11-25T18:00:00Z.',
});

export const NoSuchDay = defineError<{ given: string; day: string }>("usage.no_such_day", {
  exitCode: 14,
  message: (d) => `${d.given} does not exist: no calendar has a ${d.day}.`,
  hint: () => "Choose a day of that month.",
});

export const NoSuchTime = defineError<{ given: string; timezone: string; instead: string }>("usage.no_such_time", {
  exitCode: 14,
  message: (d) =>
    `${d.given} does not exist in ${d.timezone}: the clocks are put forward over it, for daylight-saving time.`,
  hint: (d) => `Choose a time before that or after it. With the clocks as they are then it would be ${d.instead}.`,
});

const pattern = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d)(:\d\d)?(?:\.\d{1,3})?(Z|[+-]\d\d:?\d\d)?$/;

/** An instant with its own offset, or a wall-clock time of a zone: of one that is there twice, the first. */
export function readInstant(given: string, timezone: string): Date {
  const [, day, time, seconds = ":00", offset] = pattern.exec(given.trim()) ?? [];
  if (day === undefined) throw BadInstant({ given });
  const wall = new Date(`${day}T${time}${seconds}Z`);
  // February 30 is taken for March 2.
  if (!Number.isNaN(wall.getTime()) && wall.toISOString().slice(0, 10) !== day) throw NoSuchDay({ given, day });
  const at =
    offset === undefined ? wallClock(`${day}T${time}${seconds}`, timezone) : new Date(given.trim().replace(" ", "T"));
  if (at === undefined || Number.isNaN(at.getTime()) || Number.isNaN(wall.getTime())) throw BadInstant({ given });
  const instead = inZone(at, timezone);
  if (offset === undefined && instead !== `${day} ${time}${seconds}`) throw NoSuchTime({ given, timezone, instead });
  return at;
}

function wallClock(text: string, timezone: string): Date | undefined {
  try {
    return new Cron(text, { timezone }).nextRun(new Date(0)) ?? undefined;
  } catch {
    return undefined;
  }
}

function inZone(at: Date, timeZone: string): string {
  return new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium", timeZone }).format(at);
}
