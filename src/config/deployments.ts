import { z } from "zod";
import { text } from "./values.ts";

/** A day, or a minute of one, by the stack's clocks. */
const moment = z.string().refine(isMoment, 'must be a day such as 2026-04-13, or a minute such as "2026-04-13 18:00"');

const freeze = z
  .strictObject({
    from: moment.describe('First day, or the minute at which it begins: 2026-04-13, or "2026-04-13 18:00"'),
    until: moment.describe("Last day, which is a part of it, or the minute at which it ends"),
    why: text.describe("What it is for; whoever is held up is told"),
  })
  .refine(({ from, until }) => beginOf(from) < endOf(until), { path: ["until"], error: "must be after from" });

/** When releases come, and when not. */
export const deployments = z
  .strictObject({
    freeze: z
      .array(freeze)
      .default([])
      .describe("Times at which no release comes, in the stack's zone; hot-fixes do, and are told"),
    users: z
      .enum(["warn", "fail"])
      .default("warn")
      .describe("Whether users who are at work are told of, or hold up a deployment that keeps them out"),
  })
  .prefault({})
  .describe("What is asked of the stack before `ipai deploy`, besides what always is");

export type FreezeWindow = z.output<typeof freeze>;

/** By the stack's clocks, as a text that can be compared with that of another minute. */
export function beginOf(moment: string): string {
  return moment.length === 10 ? `${moment} 00:00` : moment.replace("T", " ");
}

/** The first minute after it: a day is a whole one. */
export function endOf(moment: string): string {
  return moment.length === 10 ? `${moment} 24:00` : moment.replace("T", " ");
}

function isMoment(given: string): boolean {
  if (!/^\d{4}-\d\d-\d\d([ T]([01]\d|2[0-3]):[0-5]\d)?$/.test(given)) return false;
  const day = given.slice(0, 10);
  const parsed = new Date(`${day}T00:00:00Z`);
  // JavaScript takes 30 February for 2 March.
  return !Number.isNaN(parsed.getTime()) && parsed.toISOString().startsWith(day);
}
