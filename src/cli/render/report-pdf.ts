import type { MonthlyReport } from "../../finance/held.ts";
import {
  bottom,
  collect,
  gray,
  heading,
  left,
  newPage,
  number,
  type Page,
  right,
  rule,
  type Style,
  top,
  width,
  write,
} from "./page.ts";
import { instant } from "./text.ts";

/**
 * The monthly reports of one or more companies as pages of A4: everything that is on them is in the report's JSON. The same reports give
 * the same bytes.
 */
export async function renderReports(
  reports: readonly [MonthlyReport, ...MonthlyReport[]],
  program: string,
): Promise<Buffer> {
  const [{ period }] = reports;
  const latest =
    reports
      .map(({ generatedAt }) => generatedAt)
      .toSorted()
      .at(-1) ?? "";
  const page = newPage({ title: `BIR compliance, ${period}`, author: program, program, at: new Date(latest) });
  const whole = collect(page);
  for (const [index, report] of reports.entries()) {
    if (index > 0) page.addPage({ size: "A4", margin: 0 });
    new Sheet(page, report).write();
  }
  page.end();
  return await whole;
}

interface Column {
  readonly title: string;
  readonly room: number;
  readonly align?: "left" | "right";
}

type Rows = readonly (readonly string[])[];

/** The pages of one company. A class because where the next line goes, and on which page, is a state. */
class Sheet {
  readonly #page: Page;
  readonly #report: MonthlyReport;
  #y: number = top;
  #number = 1;

  constructor(page: Page, report: MonthlyReport) {
    this.#page = page;
    this.#report = report;
  }

  write(): void {
    const { company, notApplicable } = this.#report;
    this.#frame();
    this.#y = this.#text("BIR compliance", { size: 22, face: "bold" });
    this.#y = this.#text(company, { size: 13, color: gray, lines: 2 }) + 2;
    this.#y = this.#text(monthOf(this.#report.period), { size: 11, color: gray }) + 12;
    this.#verdict();
    this.#numbers();
    this.#table("By form", formColumns, this.#report.byForm.map(formRow));
    this.#table("By person", personColumns, this.#report.byPerson.map(personRow));
    this.#table("Not filed in time", lateColumns, this.#report.filings.filter(isLate).map(lateRow));
    if (notApplicable > 0)
      this.#table("Does not apply", excusedColumns, this.#report.filings.filter(isExcused).map(excusedRow));
  }

  #text(words: string, style: Style, x: number = left): number {
    return write(this.#page, words, { x, y: this.#y }, style);
  }

  /** What every page has: whose it is, which revision, and since when it says so. */
  #frame(): void {
    const { company, period, revision, generatedAt } = this.#report;
    const said = { size: 9, width: width - 200, align: "right" } as const;
    write(this.#page, "IPAI Ops", { x: left, y: top }, { size: 9, face: "bold", width: 190 });
    write(this.#page, `BIR compliance ${period}, revision ${revision}`, { x: left + 200, y: top }, said);
    rule(this.#page, top + 15, 1.2);
    const foot = `${company}, as of ${instant(generatedAt, zone)}`;
    write(this.#page, foot, { x: left, y: bottom - 10 }, { size: 8, color: gray, width: width - 80 });
    const place = { x: right - 70, y: bottom - 10 };
    write(this.#page, `Page ${this.#number}`, place, { size: 8, color: gray, width: 70, align: "right" });
    this.#y = top + 24;
  }

  /** Begins another page when so much has no room on this one. */
  #need(points: number): boolean {
    if (this.#y + points <= bottom - 20) return false;
    this.#page.addPage({ size: "A4", margin: 0 });
    this.#number += 1;
    this.#frame();
    return true;
  }

  /** What is not good enough is a black field, to be seen at a glance. */
  #verdict(): void {
    const { rate, total, filedOnTime, openInTime } = this.#report;
    const isBad = rate !== null && rate < enough;
    const height = 56;
    this.#page.rect(left, this.#y, width, height);
    if (isBad) this.#page.fillColor("black").fill();
    else this.#page.lineWidth(1.2).strokeColor("black").stroke();
    const color = isBad ? "white" : "black";
    const [headline, words] =
      total === 0
        ? ["No filings due", "No deadline lies in this month, so there is no rate."]
        : rate === null
          ? ["Nothing due yet", `Open in time: ${number(openInTime)}. No deadline has passed, so there is no rate.`]
          : [
              `${percent(rate)} filed in time`,
              `${number(filedOnTime)} of ${number(total - openInTime)} that were due.`,
            ];
    write(this.#page, headline, { x: left + 14, y: this.#y + 9 }, { size: 18, face: "bold", color, width: width - 28 });
    write(this.#page, words, { x: left + 14, y: this.#y + 34 }, { size: 9.5, color, width: width - 28 });
    this.#y += height + 14;
  }

  #numbers(): void {
    const { total, filedOnTime, filedLate, openLate, openInTime, notApplicable } = this.#report;
    this.#cells([
      ["due", number(total)],
      ["filed in time", number(filedOnTime)],
      ["filed late", number(filedLate)],
      ["late and open", number(openLate)],
      ["open, in time", number(openInTime)],
      ["does not apply", number(notApplicable)],
    ]);
    const { leadDays, completion, closes, escalations } = this.#report;
    const levels = escalations.map(({ level, count }) => `${count} × level ${level}`).join(", ");
    const days = closes.flatMap((close) => (close.days === null ? [] : [String(close.days)]));
    this.#cells([
      ["filed before the deadline", leadDays === null ? "–" : `${leadDays} days`],
      ["of the tasks done", completion === null ? "–" : percent(completion)],
      ["tasks of the close done", closes.map(({ done, tasks }) => `${done} of ${tasks}`).join(", ") || "–"],
      ["working days to close", days.join(", ") || "–"],
      ["escalations", levels === "" ? "none" : levels],
    ]);
  }

  #cells(cells: readonly (readonly [label: string, value: string])[]): void {
    const room = width / cells.length;
    const size = cells.some(([, value]) => value.length > 14) ? 10 : 15;
    for (const [index, [label, value]] of cells.entries()) {
      const x = left + index * room;
      write(this.#page, value, { x, y: this.#y + (15 - size) }, { size, face: "bold", width: room - 6 });
      write(this.#page, label, { x, y: this.#y + 20 }, { size: 8.5, color: gray, width: room - 6 });
    }
    this.#y += 40;
  }

  #table(title: string, columns: readonly Column[], rows: Rows): void {
    this.#need(60);
    this.#y = heading(this.#page, title, { x: left, y: this.#y + 4 });
    if (rows.length === 0) {
      this.#y = this.#text("None.", { size: 9 }) + 8;
      return;
    }
    this.#header(columns);
    for (const row of rows) {
      if (this.#need(rowHeight)) this.#header(columns);
      this.#row(columns, row, { size: 9 });
    }
    this.#y += 8;
  }

  #header(columns: readonly Column[]): void {
    this.#row(
      columns,
      columns.map(({ title }) => title),
      { size: 8.5, color: gray },
    );
  }

  #row(columns: readonly Column[], row: readonly string[], style: Style): void {
    let x: number = left;
    for (const [index, { room, align = "left" }] of columns.entries()) {
      write(this.#page, row[index] ?? "", { x, y: this.#y }, { ...style, width: room - 6, align });
      x += room;
    }
    this.#y += rowHeight;
  }
}

/** Deadlines are days of Manila, wherever the stack is. */
const zone = "Asia/Manila";
/** Per cent: as the addon tells the director. */
const enough = 95;
const rowHeight = 13;

const tallyColumns: readonly Column[] = [
  { title: "Due", room: 44, align: "right" },
  { title: "In time", room: 50, align: "right" },
  { title: "Late", room: 44, align: "right" },
  { title: "Rate", room: 52, align: "right" },
];
const formColumns: readonly Column[] = [
  { title: "Form", room: 62 },
  { title: "Name", room: width - 62 - 190 },
  ...tallyColumns,
];
const personColumns: readonly Column[] = [
  { title: "Person", room: width - 90 - 190 },
  { title: "For", room: 90 },
  ...tallyColumns,
];
const lateColumns: readonly Column[] = [
  { title: "Deadline", room: 66 },
  { title: "Form", room: 62 },
  { title: "Period", room: 70 },
  { title: "Filed", room: 66 },
  { title: "Days late", room: 54, align: "right" },
  { title: "Prepared by", room: width - 318 },
];
const excusedColumns: readonly Column[] = [
  { title: "Form", room: 62 },
  { title: "Period", room: 70 },
  { title: "Why", room: width - 132 },
];

type Tally = Pick<MonthlyReport["byForm"][number], "total" | "onTime" | "late">;

/** What is open and not late yet is judged neither here nor in the whole rate. */
function tallyRow({ total, onTime, late }: Tally): readonly string[] {
  const judged = onTime + late;
  return [number(total), number(onTime), number(late), judged === 0 ? "–" : percent((100 * onTime) / judged)];
}

function formRow({ form, name, ...tally }: MonthlyReport["byForm"][number]): readonly string[] {
  return [form, name, ...tallyRow(tally)];
}

function personRow({ person, stage, ...tally }: MonthlyReport["byPerson"][number]): readonly string[] {
  return [person ?? "nobody is named", stage, ...tallyRow(tally)];
}

type Told = MonthlyReport["filings"][number];

const isLate = ({ late }: Told) => late;
const isExcused = ({ status }: Told) => status === "not_applicable";

function lateRow({ deadline, form, period, filedOn, daysLate, preparedBy }: Told): readonly string[] {
  return [
    deadline,
    form,
    period,
    filedOn ?? "not yet",
    daysLate === null ? "" : number(daysLate),
    preparedBy ?? "nobody is named",
  ];
}

function excusedRow({ form, period, reason }: Told): readonly string[] {
  return [form, period, reason ?? ""];
}

function percent(value: number): string {
  return `${value.toLocaleString("en-US", { maximumFractionDigits: 1 })} %`;
}

function monthOf(period: string): string {
  const month = new Date(`${period}-01T00:00:00Z`);
  return new Intl.DateTimeFormat("en-GB", { month: "long", year: "numeric", timeZone: "UTC" }).format(month);
}
