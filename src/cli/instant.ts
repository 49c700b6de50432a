import { parseDuration } from "../config/units.ts";
import { defineError } from "../errors/error.ts";

/** Instants as people type them. */

export const BadInstant = defineError<{ given: string; reason: string }>("usage.bad_instant", {
  exitCode: 14,
  message: (d) => `${d.given} is no instant that can be meant: ${d.reason}. Nothing was changed.`,
  hint: () =>
    'Write "2026-11-26 02:00", which is meant in the stack\'s zone, an instant with its own (2026-11-25T18:00:00Z), or of what is to come "in 90m".',
});

/** An instant with its own offset, or a wall-clock time of a zone, to the minute or the second. Of a time that a zone has twice, the first. */
export function parseInstant(given: string, timezone: string): Date {
  const [, day, time, seconds = ":00", offset] =
    /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d)(:\d\d)?(?:\.\d+)?(Z|[+-]\d\d:?\d\d)?$/.exec(given.trim()) ?? [];
  if (day === undefined || time === undefined) throw BadInstant({ given, reason: "it is not written as one" });
  const wall = `${day} ${time}${seconds}`;
  const asUtc = Date.parse(`${wall.replace(" ", "T")}Z`);
  // JavaScript takes 30 February for 2 March.
  if (Number.isNaN(asUtc) || wallClock(asUtc, "UTC") !== wall)
    throw BadInstant({ given, reason: "there is no such day or time" });
  if (offset !== undefined) return new Date(given.trim().replace(" ", "T"));
  const found = offsetsAround(asUtc, timezone)
    .map((minutes) => asUtc - minutes * 60_000)
    .filter((at) => wallClock(at, timezone) === wall);
  if (found.length === 0)
    throw BadInstant({ given, reason: `${timezone} leaves that time out, its clocks go forward then` });
  return new Date(Math.min(...found));
}

/** The same, or `in 90m`, and still to come. */
export function parseFuture(given: string, timezone: string, now: Date): Date {
  const seconds = parseDuration(/^in (\S+)$/.exec(given.trim())?.[1] ?? "");
  const at = seconds === undefined ? parseInstant(given, timezone) : new Date(now.getTime() + seconds * 1000);
  if (at <= now) throw BadInstant({ given, reason: "it is past" });
  return at;
}

/** What the clocks of a zone may be ahead of UTC near a time, minutes: before and after a change, they differ. */
function offsetsAround(asUtc: number, timezone: string): readonly number[] {
  const day = 86_400_000;
  const offsets = [asUtc - day, asUtc + day].map(
    (at) => (Date.parse(`${wallClock(at, timezone).replace(" ", "T")}Z`) - at) / 60_000,
  );
  return [...new Set(offsets.map(Math.round))];
}

function wallClock(at: number, timezone: string): string {
  // Sweden writes dates as ISO does.
  return new Intl.DateTimeFormat("sv-SE", {
    ...{ timeZone: timezone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit" },
    ...{ hour: "2-digit", minute: "2-digit", second: "2-digit" },
  }).format(at);
}
