import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { askShell, makeDatabase, removeDatabase, runOdoo } from "../harness/addon.ts";
import { type Expected, expectYear } from "../harness/finance-oracle.ts";
import { clockSql, hoursThatMatter, type Outage, planYear, typedFor } from "../harness/finance-year.ts";
import { isCompose, sql } from "../harness/sandbox.ts";

/**
 * A quarter of Finance PPM in a real Odoo, its clock and the database's moved from hour to hour; IPAI_TEST_LONG=1: the whole year. What was told, to
 * whom, when, and what a mail server really got, is compared with what was worked out beside it.
 */

const database = "finance_year";
const isLong = process.env["IPAI_TEST_LONG"] === "1";
const outages: readonly Outage[] = [
  { from: "2026-05-20 20:30", until: "2026-06-01 10:00" },
  { from: "2026-08-31 20:30", until: "2026-10-01 10:00" },
];
const scenario = isLong
  ? planYear("2026-01-01", "2026-12-31", hoursThatMatter.many, outages)
  : planYear("2026-04-01", "2026-06-30", hoursThatMatter.some, outages);
const expected = expectYear(scenario);

interface Told {
  readonly alerts: readonly (Omit<Expected["alerts"][number], "about" | "step"> & { readonly key: string })[];
  readonly steps: Expected["steps"];
  readonly filings: readonly (Expected["filings"][number] & { readonly id: number; readonly activities: number })[];
  readonly reports: Expected["reports"];
  readonly mails: readonly (Expected["mails"][number] & { readonly files: readonly string[] })[];
  readonly asked: Expected["asked"];
  readonly failures: readonly string[];
  readonly mailStates: Readonly<Record<string, number>>;
}

describe.skipIf(isCompose)(`a ${isLong ? "year" : "quarter"} of Finance PPM`, () => {
  let told: Told;
  let complaints: string;

  beforeAll(async () => {
    await makeDatabase(database);
    expect((await runOdoo(database, ["-i", "ipai_finance_ppm"])).exitCode).toBe(0);
    await sql(clockSql(database), database);
    const { exitCode, stdout, stderr } = await askShell(database, await typedFor(scenario), 3_600_000);
    complaints = stderr;
    expect(exitCode, stderr.slice(-2000)).toBe(0);
    told = JSON.parse(stdout.slice(stdout.indexOf('{"alerts"'))) as Told;
  }, 3_700_000);
  afterAll(() => removeDatabase(database));

  it("was a year of filings in time, late and never", () => {
    const filings = sorted(told.filings.map(({ id: _id, activities: _activities, ...one }) => one));
    expect(filings).toEqual(sorted(expected.filings));
    process.stdout.write(`${tableOf(expected)}\n`);
  });

  it("told each alert once, on its day, at its threshold, to whom it is for", () => {
    const names = new Map(told.filings.map(({ id, name }) => [String(id), name]));
    const alerts = told.alerts.map(({ key, ...one }) => ({ ...one, ...whichOf(key, one.subject, names) }));
    const wanted = expected.alerts.map(
      ({ kind, company, about, step, at, severity, to, subject, state, isToldOtherwise }) => ({
        ...{ kind, company, about, step, at, severity, to, subject, state, isToldOtherwise },
      }),
    );
    expect(sorted(alerts)).toEqual(sorted(wanted));
  });

  it("took each step of the ladder once, to the right person", () => {
    expect(sorted(told.steps)).toEqual(sorted(expected.steps));
  });

  it("gave the mail server each alert once for each person, none of them about what was done before", () => {
    expect(sorted(told.mails.map(({ files: _files, ...one }) => one))).toEqual(sorted(expected.mails));
    expect(told.mailStates["exception"]).toBeUndefined();
    expect(told.mailStates["outgoing"]).toBeUndefined();
  });

  it("sent each report with its pages and its filings, and nothing else with files", () => {
    const [reports, others] = [true, false].map((isReport) =>
      told.mails.filter(({ subjects }) => subjects.some((one) => one.startsWith("BIR compliance")) === isReport),
    );
    expect(reports?.length).toBeGreaterThan(0);
    expect(new Set(reports?.map(({ files }) => files.join(" ")))).toEqual(new Set(["csv pdf"]));
    expect(others?.flatMap(({ files }) => files)).toEqual([]);
  });

  it("told what could not be mailed for an hour in Odoo", () => {
    expect(expected.alerts.some(({ isToldOtherwise }) => isToldOtherwise)).toBe(true);
    expect(told.filings.some(({ activities }) => activities > 0)).toBe(true);
  });

  it("reported each month, also those that nothing ran in", () => {
    expect(sorted(told.reports)).toEqual(sorted(expected.reports));
  });

  it("knew at 23:59 and after midnight what is late", () => {
    expect(told.asked).toEqual(expected.asked);
  });

  it("failed in nothing, and complained of nothing but the mail server", () => {
    expect(told.failures).toEqual([]);
    const lines = complaints
      .split("\n")
      .filter((line) => /^\d{4}-\d\d-\d\d \S+ \d+ (?:WARNING|ERROR|CRITICAL) /.test(line));
    expect(lines.filter((line) => !line.includes("refused"))).toEqual([]);
  });
});

/** What an alert's key names. */
function whichOf(key: string, subject: string, names: ReadonlyMap<string, string>) {
  const [kind, id = "", ...rest] = key.split(":");
  if (kind === "escalation")
    return { about: subject.replace(/: level \d$/, ""), step: `${rest[0]?.slice(0, 10)}:${rest.at(-1)}` };
  if (kind === "report") return { about: rest[0], step: rest[1] };
  return { about: names.get(id), step: rest.join(":") };
}

/** In an order of their own, so that what is missing shows. */
function sorted<T>(rows: readonly T[]): readonly string[] {
  const flat = (row: T) => JSON.stringify(Object.entries(row as object).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return rows.map(flat).toSorted();
}

function tableOf({ filings, alerts, steps, mails, asked }: Expected): string {
  const last = asked.at(-1)?.at ?? "";
  const months = [...new Set(filings.map(({ deadline }) => deadline.slice(0, 7)))]
    .filter((one) => one < last)
    .toSorted();
  const count = (rows: readonly { at: string }[], month: string) =>
    rows.filter(({ at }) => at.startsWith(month)).length;
  const rows = months.map((month) => {
    const due = filings.filter(({ deadline }) => deadline.startsWith(month));
    const filed = due.filter(({ status }) => status === "filed");
    const late = due.filter(({ isLate }) => isLate);
    return [
      month,
      due.length,
      filed.length,
      late.length,
      count(alerts, month),
      count(steps, month),
      count(mails, month),
    ];
  });
  const head = ["month", "due", "filed", "late", "alerts", "escalations", "mails"];
  return [head, ...rows].map((row) => row.map((cell) => String(cell).padStart(11)).join(" ")).join("\n");
}
