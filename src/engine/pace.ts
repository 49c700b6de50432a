import type { Severity } from "./message.ts";
import { findLatest, listNext } from "./schedule.ts";

/** When a channel is told: quiet hours and digests. Pure. */

/** Every day, or on these, from one wall-clock time until the next one of the other: `22:00` until `07:00`. The same twice is a whole day. */
export interface QuietHours {
  readonly from: string;
  readonly until: string;
  readonly days: readonly Day[];
}

export type Day = "mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun";

export interface Pace {
  /** IANA zone of every wall-clock time. */
  readonly timezone: string;
  readonly quiet: readonly QuietHours[];
  /** What comes is collected and sent together: so many seconds long, or until a time of day. */
  readonly digest: number | string | undefined;
}

/** When something may go out that is told now. What is critical is never held. */
export function dueAt(pace: Pace, severity: Severity, now: Date): Date {
  if (severity === "critical") return now;
  return afterQuiet(pace, collectedAt(pace, now));
}

/** Everybody collects until the same instants, so nobody has to remember when a collection began. */
function collectedAt({ digest, timezone }: Pace, now: Date): Date {
  if (digest === undefined) return now;
  if (typeof digest === "string") return nextAt(digest, timezone, now);
  const everyMs = digest * 1000;
  return new Date((Math.floor(now.getTime() / everyMs) + 1) * everyMs);
}

/** Ends that touch another beginning are followed; so many, because quiet hours may leave no hour of the week. */
const followedMax = 14;

function afterQuiet({ quiet, timezone }: Pace, at: Date): Date {
  let free = at;
  for (let followed = 0; followed < followedMax; followed++) {
    const ends = quiet.flatMap((hours) => endOf(hours, timezone, free) ?? []);
    if (ends.length === 0) return free;
    free = new Date(Math.max(...ends.map((end) => end.getTime())));
  }
  return free;
}

/** When the quiet hours end in which an instant lies; undefined when it lies in none. */
function endOf({ from, until, days }: QuietHours, timezone: string, at: Date): Date | undefined {
  const began = findLatest({ cron: `${cronTime(from)} * * ${days.join(",") || "*"}`, timezone }, at);
  const end = began === undefined ? undefined : nextAt(until, timezone, began);
  return end !== undefined && at < end ? end : undefined;
}

function nextAt(time: string, timezone: string, after: Date): Date {
  return listNext({ cron: `${cronTime(time)} * * *`, timezone }, after, 1)[0] ?? after;
}

/** `07:30` → `30 7`. */
function cronTime(time: string): string {
  return time.split(":").map(Number).toReversed().join(" ");
}
