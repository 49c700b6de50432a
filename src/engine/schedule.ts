import { createHash } from "node:crypto";
import { Cron } from "croner";
import type { Json } from "../runbook/value.ts";

/** When procedures run by themselves. Pure: which times are due, and what becomes of those that were missed. */

export interface Schedule {
  readonly stack: string;
  readonly name: string;
  readonly procedure: string;
  readonly input: Json;
  /** Five fields, as crontab has them: minute, hour, day of the month, month, day of the week. */
  readonly cron: string;
  /** IANA zone in which they are meant. */
  readonly timezone: string;
  /** What becomes of times at which nothing could run: the latest of them is made up for, every one, or none. */
  readonly missed: MissedPolicy;
  /** How late a time may be made up for, seconds. */
  readonly graceSeconds: number;
  /** Each time is moved by something between zero and this, seconds: always the same for the same time. */
  readonly jitterSeconds: number;
}

export type MissedPolicy = "latest" | "all" | "none";

/** A time of a schedule that has come, and what shall become of it. */
export interface DueTime {
  readonly at: Date;
  /** When it may begin: later than `at` by its jitter. */
  readonly startsAt: Date;
  readonly decision: "start" | "miss";
}

/** As late as this a time has not been missed: the program looks every second, and may have been busy, or just restarted. */
export const punctualSeconds = 60;

/** More missed times than this are not told one by one; only the latest of them are. */
const toldMax = 1000;

/**
 * The times after `since`, up to `now`. A wall-clock time that a change to daylight-saving time leaves out happens when it would have
 * been over; one that happens twice is taken once (croner's rules).
 */
export function listDue(schedule: Schedule, since: Date, now: Date): readonly DueTime[] {
  const times = timesBetween(schedule, since, now);
  return times.map((at, index) => ({
    at,
    startsAt: new Date(at.getTime() + jitterMs(schedule, at)),
    decision: decide(schedule, at, index === times.length - 1, now),
  }));
}

function decide(schedule: Schedule, at: Date, isLast: boolean, now: Date): DueTime["decision"] {
  const lateSeconds = (now.getTime() - at.getTime()) / 1000;
  if (lateSeconds <= punctualSeconds) return "start";
  if (schedule.missed === "none" || lateSeconds > schedule.graceSeconds) return "miss";
  return schedule.missed === "all" || isLast ? "start" : "miss";
}

function timesBetween(schedule: Schedule, since: Date, now: Date): readonly Date[] {
  const cron = parseCron(schedule);
  const times: Date[] = [];
  for (let time = cron.nextRun(since); time !== null && time <= now; time = cron.nextRun(time)) {
    times.push(time);
    if (times.length > toldMax) return latestTimes(cron, now, toldMax);
  }
  return times;
}

function latestTimes(cron: Cron, now: Date, count: number): readonly Date[] {
  return cron.previousRuns(count, new Date(now.getTime() + 1)).reverse();
}

/** The next times after an instant, for whoever wants to see what a schedule means. */
export function listNext(schedule: Pick<Schedule, "cron" | "timezone">, after: Date, count: number): readonly Date[] {
  return parseCron(schedule).nextRuns(count, after);
}

/** The latest time up to an instant. */
export function findLatest(schedule: Pick<Schedule, "cron" | "timezone">, at: Date): Date | undefined {
  return latestTimes(parseCron(schedule), at, 1)[0];
}

function parseCron({ cron, timezone }: Pick<Schedule, "cron" | "timezone">): Cron {
  return new Cron(cron, { timezone, mode: "5-part" });
}

/** Spreads schedules of the same minute, without a memory: the hash of what is moved says by how much. */
function jitterMs({ stack, name, jitterSeconds }: Schedule, at: Date): number {
  const hash = createHash("sha256").update(`${stack}\0${name}\0${at.toISOString()}`).digest();
  return Math.floor((hash.readUInt32BE(0) / 2 ** 32) * jitterSeconds * 1000);
}
