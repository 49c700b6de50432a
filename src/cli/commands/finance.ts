import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type Comparison, compareCalendar } from "../../finance/compare.ts";
import { type Day, weekdayOf } from "../../finance/day.ts";
import { BadFiler, CalendarUnreadable, YearOutside } from "../../finance/errors.ts";
import { filingsToCsv, filingsToIcs, whyOf } from "../../finance/export.ts";
import { type Filing, getFiling, lastYear, listFilings } from "../../finance/filings.ts";
import { type Filer, filerSchema } from "../../finance/schema.ts";
import { shippedRules } from "../../finance/shipped.ts";
import type { Context } from "../context.ts";
import { table, wrap } from "../render/text.ts";
import type { Terminal } from "../terminal.ts";

/** Deadlines of filings with the BIR, from the rules that are shipped. */

interface Options {
  readonly json?: boolean;
  readonly filer?: string;
  readonly efpsGroup?: string;
  readonly fiscalYearEnd?: string;
  readonly applies?: readonly string[];
  readonly region?: readonly string[];
}

interface CalendarOptions extends Options {
  readonly year: string;
  readonly csv?: boolean;
  readonly ics?: boolean;
}

export async function calendar({ terminal }: Context, options: CalendarOptions): Promise<number> {
  const filer = parseFiler(options);
  const filings = listFilings(shippedRules, filer, parseYear(options.year));
  if (options.csv === true) terminal.out(unended(filingsToCsv(filings)));
  else if (options.ics === true) terminal.out(unended(filingsToIcs(filings, filer, new Date())));
  else if (options.json === true) terminal.out(JSON.stringify(filings, null, 2));
  else {
    terminal.out(`${wrap(ownerOf(filer), terminal.columns)}\n`);
    for (const [month, inMonth] of Map.groupBy(filings, ({ effective }) => effective.slice(0, 7))) {
      terminal.out(terminal.style("bold", `${nameOfMonth(month)}\n`));
      terminal.out(`${table(inMonth.map(rowOf), roomOf(terminal))}\n`);
    }
    terminal.out(summaryOf(filings));
  }
  return 0;
}

export async function check(context: Context, file: string, options: Options): Promise<number> {
  const filer = parseFiler(options);
  const text = await readFile(resolve(context.directory, file), "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw CalendarUnreadable({ file, reason: `it cannot be read (${cause.code})` }, { cause });
  });
  const compared = compareCalendar({ file, text }, shippedRules, filer);
  const wrong = compared.rows.filter(({ verdict }) => verdict !== "right");
  if (options.json === true) context.terminal.out(JSON.stringify(compared, null, 2));
  else printComparison(context, compared);
  return wrong.length === 0 && compared.missing.length === 0 ? 0 : 1;
}

export async function why(
  { terminal }: Context,
  asked: { form: string; period: string },
  options: Options,
): Promise<number> {
  const filing = getFiling(shippedRules, parseFiler(options), asked);
  if (options.json === true) {
    terminal.out(JSON.stringify(filing, null, 2));
    return 0;
  }
  terminal.out(terminal.style("bold", `${filing.form}, ${filing.name}, for ${filing.period}`));
  terminal.out(
    table([
      ["period", `${filing.periodStart} to ${filing.periodEnd}`],
      ["as the rule says", dated(filing.statutory)],
      ["on a working day", dated(filing.adjusted)],
      ["to work by", dated(filing.effective)],
      ...(filing.payment === null ? [] : [["pay by", dated(filing.payment)]]),
      ["prepare by", dated(filing.preparation)],
      ["review by", dated(filing.review)],
      ["approve by", dated(filing.approval)],
      ["legal basis", filing.legalBasis],
      ["source", filing.source],
      ["confidence", filing.confidence],
    ]),
  );
  terminal.out("\nWhy:");
  for (const { text, basis } of filing.reasons) terminal.out(`- ${text}${basis === "" ? "" : ` (${basis})`}`);
  return 0;
}

function parseFiler(options: Options): Filer {
  const { applies } = options;
  const known = [...new Set(shippedRules.catalogue.forms.map((form) => form.applies))];
  const unknown = applies?.find((one) => one !== "all" && !known.includes(one));
  if (unknown !== undefined)
    throw BadFiler({ reason: `nothing applies that is called ${unknown}; known: ${known.join(", ")}` });
  if (options.efpsGroup !== undefined && options.filer !== "efps")
    throw BadFiler({ reason: "only an eFPS filer belongs to a group" });
  const parsed = filerSchema.safeParse({
    kind: options.filer,
    fiscalYearEnd: Number(options.fiscalYearEnd),
    ...(options.efpsGroup === undefined ? {} : { group: options.efpsGroup.toUpperCase() }),
    ...(applies === undefined ? {} : { applies: applies.includes("all") ? known : applies }),
    ...(options.region === undefined ? {} : { regions: options.region }),
  });
  if (!parsed.success) throw BadFiler({ reason: reasonOf(parsed.error.issues[0]?.path[0], options) });
  return parsed.data;
}

function reasonOf(key: PropertyKey | undefined, options: Options): string {
  if (key === "kind") return `nobody files by ${options.filer}`;
  if (key === "fiscalYearEnd") return `no fiscal year ends in month ${options.fiscalYearEnd}`;
  return options.efpsGroup === undefined
    ? "the group of an eFPS filer is not given"
    : `there is no group ${options.efpsGroup}`;
}

function parseYear(given: string): number {
  if (!/^\d{4}$/.test(given)) throw YearOutside({ given, first: shippedRules.catalogue.firstYear + 1, last: lastYear });
  return Number(given);
}

function rowOf(filing: Filing): readonly string[] {
  const mark = filing.confidence === "high" ? "" : ` [${filing.confidence}]`;
  const pay = filing.payment === null || filing.payment === filing.effective ? "" : `, pay by ${filing.payment}`;
  return [`  ${dated(filing.effective)}`, filing.form, filing.period, `${whyOf(filing)}${pay}${mark}`];
}

const ways = { manual: "on paper", ebirforms: "by eBIRForms", efps: "by eFPS" } as const;

/** Whose calendar it is: a deadline that is right for one filer is wrong for another. */
function ownerOf({ kind, group, fiscalYearEnd, applies = shippedRules.catalogue.core, regions = [] }: Filer): string {
  const way = `${ways[kind]}${group === undefined ? "" : `, group ${group}`}`;
  const where = regions.length === 0 ? "" : `, registered in ${regions.join(", ")}`;
  return (
    `For who files ${way}${where}, with a fiscal year to ${monthNames[fiscalYearEnd - 1]}, liable for ${applies.join(", ")}. ` +
    "By the rules that are shipped: what was entered in Odoo is not in it."
  );
}

function summaryOf(filings: readonly Filing[]): string {
  const doubtful = filings.filter(({ confidence }) => confidence !== "high").length;
  return `${filings.length} filings. Dates marked [medium] or [low] (${doubtful}) have to be confirmed by whoever answers for taxes.`;
}

function printComparison({ terminal }: Context, { rows, missing, absentForms }: Comparison): void {
  const wrong = rows.filter(({ verdict }) => verdict !== "right");
  if (wrong.length > 0)
    terminal.out(
      table(
        [
          ["ROW", "FORM", "PERIOD", "SAYS", "IS", "", "WHY"],
          ...wrong.map((row) => [
            ...[String(row.row), row.form, row.period, row.deadline, row.expected ?? "-", row.verdict, row.why],
          ]),
        ],
        roomOf(terminal),
      ),
    );
  for (const { form, period, effective } of missing) terminal.out(`missing: ${form} for ${period}, due ${effective}`);
  if (absentForms.length > 0) terminal.out(`Not in this calendar at all: ${absentForms.join(", ")}.`);
  terminal.out(
    `${rows.length} rows: ${rows.length - wrong.length} right, ${wrong.length} wrong; ${missing.length} missing.`,
  );
}

/** For what reads our output, a filing and why it is due stay on one line. */
function roomOf({ isInteractive, columns }: Terminal): number | undefined {
  return isInteractive ? columns : undefined;
}

/** The terminal ends a line itself; the files that are printed end theirs with both signs. */
function unended(text: string): string {
  return text.replace(/\n$/, "");
}

function dated(day: Day): string {
  return `${day} ${weekdayOf(day).slice(0, 3)}`;
}

const monthNames = [
  ...["January", "February", "March", "April", "May", "June"],
  ...["July", "August", "September", "October", "November", "December"],
];

function nameOfMonth(month: string): string {
  return `${monthNames[Number(month.slice(5)) - 1]} ${month.slice(0, 4)}`;
}
