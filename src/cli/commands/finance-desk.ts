import { inTransaction, record } from "../../engine/audit.ts";
import { defineError, toIpaiError } from "../../errors/error.ts";
import type { MonthlyReport, Move } from "../../finance/held.ts";
import { createDesk, type Desk, type NewExtension, type NewHoliday } from "../../procedures/finance/desk.ts";
import type { Json } from "../../runbook/value.ts";
import type { App } from "../app.ts";
import type { Context } from "../context.ts";
import { requireNew, writeNew } from "../new-file.ts";
import {
  heldFilingsToCsv,
  renderAlerts,
  renderClose,
  renderCloses,
  renderExtensions,
  renderFilings,
  renderHeartbeats,
  renderHolidays,
  renderMoves,
  renderReports,
  renderSteps,
} from "../render/finance-desk.ts";

/** The desk of the finance team from a shell. What is changed is Odoo's; who asked for it, and what became of it, is in the chain. */

export const FinanceFileExists = defineError<{ file: string }>("finance.file_exists", {
  exitCode: 14,
  message: (d) => `There is a file ${d.file} already. It was not replaced, and nothing was written.`,
  hint: () => "Name another one.",
});

export const NoAlert = defineError<{ given: string }>("finance.no_alert", {
  exitCode: 14,
  message: (d) => `${d.given} is no id of an alert. Nothing was acknowledged.`,
  hint: () => "`ipai finance alerts` shows the ids of those that are open.",
});

export const NoConsentToMove = defineError<{ what: string }>("finance.no_consent", {
  exitCode: 14,
  message: (d) => `Nobody is here to consent to ${d.what}. Nothing was changed.`,
  hint: () => "Read which deadlines it would move, and run it with --yes.",
});

export const NoClose = defineError<{ given: string }>("finance.no_close", {
  exitCode: 14,
  message: (d) => `There is no close “${d.given}”, neither by its id nor by its name. Nothing was changed.`,
  hint: () =>
    "`ipai finance closes` shows those that were opened; a name is the company and the month: “Example Trading 2026-01”.",
});

const isThere = (file: string) => FinanceFileExists({ file });

interface Options {
  readonly json?: boolean;
}

/** Deadlines are days of Manila, wherever the stack is. */
const zone = "Asia/Manila";

interface Counter {
  readonly app: App;
  readonly desk: Desk;
  readonly stack: string;
  readonly timezone: string;
}

function openDesk(context: Context, app: App): Counter {
  const stack = app.stack(context.globals.stack);
  return { app, desk: createDesk(stack, app.performer), stack: stack.name, timezone: stack.config.timezone };
}

interface FilingOptions extends Options {
  readonly all?: boolean;
  readonly year?: string;
  readonly csv?: boolean;
  readonly xlsx?: string;
}

export async function listFilings(context: Context, options: FilingOptions): Promise<number> {
  await using app = await context.openApp();
  const { all = false, year, xlsx } = options;
  const filings = await openDesk(context, app).desk.filings({ all, ...(year === undefined ? {} : { year }) });
  const { terminal } = context;
  if (xlsx !== undefined) {
    const { filingsToXlsx } = await import("../render/filings-xlsx.ts");
    await writeNew(xlsx, await filingsToXlsx(filings), isThere);
    terminal.err(`Written to ${xlsx}.`);
  }
  if (options.json === true) terminal.out(JSON.stringify(filings, null, 2));
  else if (options.csv === true) terminal.out(heldFilingsToCsv(filings).replace(/\n$/, ""));
  else if (xlsx === undefined) terminal.out(renderFilings(terminal, filings));
  return 0;
}

export async function alerts(context: Context, options: Options & { readonly ack?: string }): Promise<number> {
  await using app = await context.openApp();
  const counter = openDesk(context, app);
  const { terminal } = context;
  const { ack } = options;
  if (ack === undefined) {
    const open = await counter.desk.alerts();
    terminal.out(
      options.json === true ? JSON.stringify(open, null, 2) : renderAlerts(terminal, open, counter.timezone),
    );
    return 0;
  }
  if (!/^[1-9]\d{0,9}$/.test(ack)) throw NoAlert({ given: ack });
  const told = { what: "alert acknowledge", subject: `alert ${ack}`, asked: {} };
  const alert = await changing(counter, told, async () => {
    const done = await counter.desk.acknowledge(Number(ack));
    return { value: done, result: { subject: done.subject } };
  });
  terminal.out(
    options.json === true
      ? JSON.stringify(alert, null, 2)
      : `Acknowledged by ${alert.acknowledgedBy ?? "somebody"}: ${alert.subject}`,
  );
  return 0;
}

export async function listHolidays(context: Context, options: Options & { readonly year?: string }): Promise<number> {
  await using app = await context.openApp();
  const holidays = await openDesk(context, app).desk.holidays(options.year);
  context.terminal.out(options.json === true ? JSON.stringify(holidays, null, 2) : renderHolidays(holidays));
  return 0;
}

export async function listExtensions(context: Context, options: Options): Promise<number> {
  await using app = await context.openApp();
  const extensions = await openDesk(context, app).desk.extensions();
  context.terminal.out(options.json === true ? JSON.stringify(extensions, null, 2) : renderExtensions(extensions));
  return 0;
}

/** All of them, or one with its tasks, by its id or its name. */
export async function closes(
  context: Context,
  given: string | undefined,
  options: Options & { readonly period?: string },
): Promise<number> {
  await using app = await context.openApp();
  const { terminal } = context;
  const found = await openDesk(context, app).desk.closes(options.period);
  if (given === undefined) {
    terminal.out(options.json === true ? JSON.stringify(found, null, 2) : renderCloses(terminal, found));
    return 0;
  }
  const close = found.find(({ id, company, period }) => [String(id), `${company} ${period}`].includes(given));
  if (close === undefined) throw NoClose({ given });
  terminal.out(options.json === true ? JSON.stringify(close, null, 2) : renderClose(terminal, close));
  return 0;
}

export async function heartbeats(context: Context, options: Options): Promise<number> {
  await using app = await context.openApp();
  const counter = openDesk(context, app);
  const beats = await counter.desk.heartbeats();
  const { terminal } = context;
  terminal.out(
    options.json === true ? JSON.stringify(beats, null, 2) : renderHeartbeats(terminal, beats, counter.timezone),
  );
  return 0;
}

export async function escalate(context: Context, options: Options): Promise<number> {
  await using app = await context.openApp();
  const told = { what: "escalate", subject: "ladder", asked: {} };
  const counter = openDesk(context, app);
  const steps = await changing(counter, told, async () => {
    const taken = await counter.desk.climb();
    return { value: taken, result: { steps: taken.map(({ task, level }) => ({ task, level })) } };
  });
  context.terminal.out(options.json === true ? JSON.stringify(steps, null, 2) : renderSteps(steps));
  return 0;
}

interface ReportOptions extends Options {
  readonly period?: string;
  readonly again?: boolean;
  readonly pdf?: string;
  readonly csv?: string;
  readonly xlsx?: string;
}

/** Reads the newest revisions; makes them where there are none, and where somebody wants them made again. */
export async function report(context: Context, options: ReportOptions): Promise<number> {
  const { period = lastMonth(new Date()), again = false } = options;
  for (const file of [options.pdf, options.csv, options.xlsx]) if (file !== undefined) await requireNew(file, isThere);
  await using app = await context.openApp();
  const counter = openDesk(context, app);
  const held = again ? [] : await counter.desk.reports(period);
  const reports = held.length > 0 ? held : await makeReports(counter, period);
  const { terminal } = context;
  if (reports.length > 0)
    for (const file of await writeReports(counter.desk, reports, options)) terminal.err(`Written to ${file}.`);
  terminal.out(options.json === true ? JSON.stringify(reports, null, 2) : renderReports(reports, counter.timezone));
  return 0;
}

function makeReports(counter: Counter, period: string): Promise<readonly MonthlyReport[]> {
  const told = { what: "report", subject: `report ${period}`, asked: {} };
  return changing(counter, told, async () => {
    const made = await counter.desk.makeReports(period);
    return { value: made, result: { reports: made.map(({ company, revision }) => ({ company, revision })) } };
  });
}

/** PDF and CSV are those that are mailed, so Odoo makes them. */
async function writeReports(
  desk: Desk,
  reports: readonly MonthlyReport[],
  { pdf, csv, xlsx }: ReportOptions,
): Promise<readonly string[]> {
  const [first] = reports;
  if (first !== undefined && (pdf ?? csv) !== undefined) {
    const files = await desk.reportFiles(first.period);
    if (pdf !== undefined) await writeNew(pdf, Buffer.from(files.pdf, "base64"), isThere);
    if (csv !== undefined) await writeNew(csv, files.csv, isThere);
  }
  if (xlsx !== undefined) {
    const { reportsToXlsx } = await import("../render/filings-xlsx.ts");
    await writeNew(xlsx, await reportsToXlsx(reports), isThere);
  }
  return [pdf, csv, xlsx].filter((file) => file !== undefined);
}

/** Of the month that is over in Manila. */
export function lastMonth(now: Date): string {
  const [year = 0, month = 0] = new Intl.DateTimeFormat("sv-SE", { timeZone: zone }).format(now).split("-").map(Number);
  return new Date(Date.UTC(year, month - 2, 1)).toISOString().slice(0, 7);
}

interface MovingOptions extends Options {
  readonly yes?: boolean;
  readonly region?: readonly string[];
}

interface HolidayOptions extends MovingOptions {
  readonly proclamation?: string;
  readonly type?: NewHoliday["type"];
  readonly estimated?: boolean;
}

export async function addHoliday(
  context: Context,
  { date, name }: { readonly date: string; readonly name: string },
  options: HolidayOptions,
): Promise<number> {
  const { proclamation = "", type = "special_nonworking", estimated = false, region = [] } = options;
  const status = estimated ? ("estimated" as const) : ("proclaimed" as const);
  const holiday: NewHoliday = { date, name, type, status, proclamation, regions: [...region], confidence: "high" };
  return move(context, options, {
    ...{ what: "holiday add", subject: `holiday ${date}`, asked: { ...holiday } },
    act: (desk, preview) => desk.addHoliday(holiday, preview),
  });
}

interface ExtensionOptions extends MovingOptions {
  readonly authority: string;
  readonly issued: string;
  readonly forms: readonly string[];
  readonly dueFrom: string;
  readonly dueUntil?: string;
  readonly newDeadline: string;
  readonly source?: string;
}

export async function addExtension(context: Context, options: ExtensionOptions): Promise<number> {
  const { authority, issued, forms, dueFrom, dueUntil = dueFrom, newDeadline, source = null, region = [] } = options;
  const extension: NewExtension = {
    ...{ authority, issuedOn: issued, forms: [...forms], dueFrom, dueUntil, newDeadline, source },
    ...{ regions: [...region], confidence: "high" },
  };
  return move(context, options, {
    ...{ what: "extension add", subject: `extension ${authority}`, asked: { ...extension } },
    act: (desk, preview) => desk.addExtension(extension, preview),
  });
}

interface Moving extends Told {
  readonly act: (desk: Desk, preview: boolean) => Promise<readonly Move[]>;
}

/** As a plan that nobody consented to. */
const refusedExitCode = 7;

/** Shows what would move, asks, and does it. */
async function move(context: Context, options: MovingOptions, { act, ...told }: Moving): Promise<number> {
  await using app = await context.openApp();
  const counter = openDesk(context, app);
  const { terminal } = context;
  const preview = await act(counter.desk, true);
  terminal.err(renderMoves(preview, "before"));
  if (options.yes !== true && !(await askFor(context, told))) {
    terminal.err("Nothing was changed.");
    return refusedExitCode;
  }
  const moved = await changing(counter, told, async () => {
    const moves = await act(counter.desk, false);
    return { value: moves, result: { moved: moves.map(({ form, period, from, to }) => ({ form, period, from, to })) } };
  });
  terminal.out(options.json === true ? JSON.stringify({ ...told.asked, moved }, null, 2) : renderMoves(moved, "after"));
  return 0;
}

async function askFor({ terminal }: Context, { what, subject }: Told): Promise<boolean> {
  if (!terminal.isInteractive) throw NoConsentToMove({ what: `${what} (${subject})` });
  const { confirm, isCancel } = await import("@clack/prompts");
  const answer = await confirm({ message: `Enter the ${subject}?`, initialValue: false });
  return !isCancel(answer) && answer;
}

interface Told {
  readonly what: string;
  readonly subject: string;
  readonly asked: Readonly<Record<string, Json>>;
}

/**
 * Who asks is in the chain before Odoo is asked: what cannot be recorded is not done. What became of it is the next entry; where there is
 * none, it is not known.
 */
async function changing<T>(
  { app, stack }: Counter,
  { what, subject, asked }: Told,
  work: () => Promise<{ readonly value: T; readonly result: Readonly<Record<string, Json>> }>,
): Promise<T> {
  const tell = (action: string, detail: Readonly<Record<string, Json>>) => {
    const entry = { actor: app.actor, action, stack, subject, detail: { what, via: app.principal.via, ...detail } };
    return inTransaction(app.control.db, (tx) => record(tx, entry, new Date()));
  };
  await tell("finance.asked", asked);
  const { value, result } = await work().catch(async (error: unknown) => {
    await tell("finance.failed", { code: toIpaiError(error).code });
    throw error;
  });
  await tell("finance.done", result);
  return value;
}
