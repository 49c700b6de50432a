import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { addDays, type Day, daysBetween } from "../../src/finance/day.ts";
import { type Filing, listFilings } from "../../src/finance/filings.ts";
import type { Filer, Rules } from "../../src/finance/schema.ts";
import { shippedRules } from "../../src/finance/shipped.ts";
import { createWorkingDays, type WorkingDays } from "../../src/finance/working-days.ts";

/** A time of Manila, `2026-04-14 07:55`. As text it sorts. */
export type Instant = string;

export interface Person {
  readonly role: "staff" | "supervisor" | "manager" | "director";
  readonly email: string;
  readonly backup?: string;
}

export interface Company {
  readonly name: string;
  readonly filer: Filer;
  readonly people: readonly Person[];
}

/** Which filing, or which task of it. */
export interface Which {
  readonly company: string;
  readonly form: string;
  readonly period: string;
}

export type Stage = "prep" | "review" | "approval";

type Deed =
  | { readonly does: "run" }
  | { readonly does: "trigger" }
  | { readonly does: "ask" }
  | { readonly does: "mailDown" }
  | { readonly does: "mailUp" }
  | ({ readonly does: "file"; readonly filedOn?: Instant } & Which)
  | ({ readonly does: "notApplicable" } & Which)
  | ({ readonly does: "finishTask" | "acknowledge"; readonly stage: Stage } & Which)
  | { readonly does: "proclaim"; readonly day: Day; readonly name: string }
  | ({ readonly does: "extend"; readonly authority: string } & (Extension | object))
  | { readonly does: "absent"; readonly email: string; readonly from: Day; readonly to: Day };

interface Extension {
  readonly forms: readonly string[];
  readonly dueFrom: Day;
  readonly dueUntil: Day;
  readonly newDeadline: Day;
}

export type Moment = { readonly at: Instant } & Deed;

export interface Scenario {
  readonly start: Instant;
  readonly nextCalls: Readonly<Record<"cron_day" | "cron_quarter_hour" | "cron_ladder" | "cron_month", Instant>>;
  readonly companies: readonly Company[];
  readonly moments: readonly Moment[];
}

/** What the addon ships, before anybody has granted an extension. */
export const rulesAtFirst: Rules = { ...shippedRules, extensions: [] };

const core = shippedRules.catalogue.core;
const people = (place: string, ...more: readonly Person[]): readonly Person[] => [
  { role: "staff", email: `staff@${place}.example.com` },
  { role: "supervisor", email: `supervisor@${place}.example.com`, backup: `manager@${place}.example.com` },
  { role: "manager", email: `manager@${place}.example.com`, backup: `director@${place}.example.com` },
  { role: "director", email: `director@${place}.example.com` },
  ...more,
];

const companies: readonly Company[] = [
  {
    name: "Example Trading",
    filer: { kind: "manual", fiscalYearEnd: 12, regions: [], applies: core },
    people: people("trading"),
  },
  {
    name: "Example Works",
    filer: { kind: "efps", group: "B", fiscalYearEnd: 12, regions: [], applies: core },
    people: people("works", { role: "supervisor", email: "second@works.example.com" }),
  },
  {
    name: "Example Holding",
    filer: { kind: "ebirforms", fiscalYearEnd: 6, regions: [], applies: core },
    people: people("holding"),
  },
];

/** Nothing runs: the server is down, and nobody can enter anything. */
export interface Outage {
  readonly from: Instant;
  readonly until: Instant;
}

/** When on a day what is scheduled is run. The midnights and the morning always; of the rest, what a test has time for. */
export const hoursThatMatter = {
  some: ["00:01", "06:00", "08:00", "08:15", "12:00", "12:15", "18:00", "23:59"],
  many: [
    ...["00:01", "02:00", "04:00", "06:00", "08:00", "08:15", "10:00", "10:15", "12:00", "12:15", "14:00", "14:15"],
    ...["16:00", "16:15", "18:00", "18:15", "20:00", "22:00", "23:59"],
  ],
} as const;

/** What happens from a day to another one: the clock, the people, the BIR, and what breaks. */
export function planYear(from: Day, to: Day, hours: readonly string[], outages: readonly Outage[]): Scenario {
  const start = `${from} 00:00`;
  const told = [...runs(from, to, hours), ...events, ...companies.flatMap((company) => workOf(company, from, to))];
  const outageAt = (at: Instant) => outages.find((one) => one.from < at && at < one.until);
  const moments = told
    .filter(({ at }) => at > start && at <= `${to} 23:59`)
    .flatMap((moment): readonly Moment[] => {
      const outage = outageAt(moment.at);
      if (outage === undefined) return [moment];
      // What was done without Odoo is entered when it is back.
      const at = later(outage.until, 31);
      if (moment.does === "file") return [{ ...moment, at, filedOn: moment.at }];
      return moment.does === "finishTask" ? [{ ...moment, at }] : [];
    });
  const nextMonth = `${addDays(`${from.slice(0, 7)}-28`, 4).slice(0, 7)}-01`;
  return {
    start,
    nextCalls: {
      cron_day: `${from} 08:00`,
      cron_quarter_hour: `${from} 00:15`,
      cron_ladder: `${from} 02:00`,
      cron_month: `${nextMonth} 09:00`,
    },
    companies,
    moments: moments.toSorted((a, b) => (a.at < b.at ? -1 : Number(a.at > b.at))),
  };
}

function runs(from: Day, to: Day, hours: readonly string[]): readonly Moment[] {
  return daysFrom(from, to).flatMap((day) => [
    ...hours.map((hour): Moment => ({ at: `${day} ${hour}`, does: "run" })),
    ...["00:02", "23:59"].map((hour): Moment => ({ at: `${day} ${hour}`, does: "ask" })),
  ]);
}

const events: readonly Moment[] = [
  {
    at: "2026-01-05 09:30",
    does: "absent",
    email: "supervisor@trading.example.com",
    from: "2026-01-09",
    to: "2026-01-16",
  },
  // Each proclaimed a week before, or two days.
  { at: "2026-02-03 10:30", does: "proclaim", day: "2026-02-10", name: "Example Day of February" },
  // The runbook's trigger queues alerts of 15 April; before they are mailed the BIR grants a month.
  { at: "2026-04-14 07:55", does: "trigger" },
  {
    at: "2026-04-14 07:58",
    does: "extend",
    authority: "RMC 1-2026",
    forms: ["1702-RT"],
    dueFrom: "2026-04-15",
    dueUntil: "2026-04-15",
    newDeadline: "2026-05-15",
  },
  { at: "2026-05-04 10:30", does: "proclaim", day: "2026-05-11", name: "Example Day of May" },
  { at: "2026-05-04 09:30", does: "absent", email: "director@works.example.com", from: "2026-05-10", to: "2026-05-20" },
  {
    at: "2026-05-04 09:31",
    does: "absent",
    email: "manager@trading.example.com",
    from: "2026-05-05",
    to: "2026-05-14",
  },
  // The day before 1601-EQ and its lists are due.
  { at: "2026-04-29 07:30", does: "mailDown" },
  { at: "2026-04-30 07:30", does: "mailUp" },
  // Withdrawn the day before the first deadline.
  {
    at: "2026-06-02 07:30",
    does: "extend",
    authority: "RMC 2-2026",
    forms: ["1601-C"],
    dueFrom: "2026-06-10",
    dueUntil: "2026-06-15",
    newDeadline: "2026-06-30",
  },
  { at: "2026-06-09 10:30", does: "extend", authority: "RMC 2-2026" },
  { at: "2026-07-08 22:30", does: "proclaim", day: "2026-07-10", name: "Example Day of July" },
  { at: "2026-10-30 12:30", does: "mailDown" },
  { at: "2026-10-31 12:30", does: "mailUp" },
  {
    at: "2026-11-02 09:30",
    does: "absent",
    email: "supervisor@holding.example.com",
    from: "2026-11-03",
    to: "2026-11-30",
  },
  {
    at: "2026-11-02 09:31",
    does: "absent",
    email: "manager@holding.example.com",
    from: "2026-11-09",
    to: "2026-11-13",
  },
];

type Work = (which: Which, filing: Filing, working: WorkingDays) => readonly Moment[];

const finish = (which: Which, stage: Stage, at: Instant): Moment => ({ at, does: "finishTask", stage, ...which });
const file = (which: Which, at: Instant): Moment => ({ at, does: "file", ...which });
const inTime: Work = (which, { preparation, review, approval }) => [
  finish(which, "prep", `${preparation} 15:35`),
  finish(which, "review", `${review} 15:35`),
  finish(which, "approval", `${approval} 15:35`),
];

/** How people work, from exemplary to not at all. */
const ways: readonly Work[] = [
  (which, filing) => [...inTime(which, filing, never), file(which, `${filing.approval} 16:35`)],
  (which, filing) => [...inTime(which, filing, never), file(which, `${filing.effective} 11:35`)],
  // To the minute: the last of the day, and the first of the next one.
  (which, filing) => [...inTime(which, filing, never), file(which, `${filing.effective} 23:58`)],
  (which, filing) => [...inTime(which, filing, never), file(which, `${addDays(filing.effective, 1)} 00:00`)],
  // Filed with its tasks open; the approval was only acknowledged.
  (which, filing) => [
    finish(which, "prep", `${filing.preparation} 15:35`),
    { at: `${filing.approval} 11:05`, does: "acknowledge", stage: "approval", ...which },
    file(which, `${filing.effective} 15:35`),
  ],
  // Each stage a day late, acknowledged in between, filed three days late.
  (which, filing) => [
    { at: `${filing.preparation} 09:05`, does: "acknowledge", stage: "prep", ...which },
    finish(which, "prep", `${addDays(filing.preparation, 1)} 16:35`),
    finish(which, "review", `${addDays(filing.review, 1)} 16:35`),
    { at: `${filing.effective} 09:05`, does: "acknowledge", stage: "approval", ...which },
    finish(which, "approval", `${addDays(filing.effective, 2)} 10:35`),
    file(which, `${addDays(filing.effective, 3)} 10:35`),
  ],
  (which, filing) => [{ at: `${addDays(filing.effective, -6)} 11:35`, does: "notApplicable", ...which }],
  // Nobody looks at it before it is a month late.
  (which, filing) => [file(which, `${addDays(filing.effective, 30)} 11:35`)],
  () => [],
];
const never = createWorkingDays(shippedRules.holidays, companies[0]?.filer as Filer);
/** How often each of the ways is gone, of 32. */
const shares = [8, 6, 4, 2, 4, 4, 1, 2, 1];

function workOf({ name: company, filer }: Company, from: Day, to: Day): readonly Moment[] {
  const filings = listFilings(rulesAtFirst, filer, Number(from.slice(0, 4))).filter(
    ({ effective }) => effective >= from && effective <= addDays(to, 7),
  );
  const wayOf = shares.flatMap((count, way) => Array.from({ length: count }, () => ways[way] as Work));
  // Steps that have no factor in common with the number of ways go through all of them.
  return filings.flatMap((filing, nth) => {
    const which = { company, form: filing.form, period: filing.period };
    return (wayOf[(nth * 13 + company.length) % wayOf.length] as Work)(which, filing, never);
  });
}

function daysFrom(from: Day, to: Day): readonly Day[] {
  return Array.from({ length: daysBetween(from, to) + 1 }, (_, nth) => addDays(from, nth));
}

/** So many minutes later. */
export function later(at: Instant, minutes: number): Instant {
  const moved = new Date(Date.parse(`${at.replace(" ", "T")}:00Z`) + minutes * 60_000);
  return moved.toISOString().slice(0, 16).replace("T", " ");
}

/** What Odoo's shell is given: the scenario, the mail server's text, the driver. */
export async function typedFor(scenario: Scenario): Promise<string> {
  const read = (name: string) => readFile(join(import.meta.dirname, name), "utf8");
  const given = { scenario: JSON.stringify(scenario), server: await read("smtp-server.py") };
  const quoted = (text: string) => `json.loads(${JSON.stringify(JSON.stringify(text))})`;
  return `import json\nscenario = json.loads(${quoted(given.scenario)})\nmail_server = ${quoted(given.server)}\n${await read("finance-year.py")}`;
}

/** The database's clock, before PostgreSQL's own: what asks for `now()` is answered from a table. */
export function clockSql(database: string): string {
  return `
    create table public.ipai_clock as select now() as instant;
    create function public.now() returns timestamptz language sql stable as 'select instant from public.ipai_clock';
    alter table public.ipai_clock owner to odoo;
    alter database ${database} set search_path = public, pg_catalog;
    -- Nothing is killed here, and a year has many commits.
    alter database ${database} set synchronous_commit = off;`;
}
