import writeExcelFile, { type Cell, type Row } from "write-excel-file/node";
import type { Day } from "../../finance/day.ts";
import type { HeldFiling, MonthlyReport } from "../../finance/held.ts";

/** Filings as a spreadsheet: one sheet for each company, dates that are dates, a header that stays. */
export function filingsToXlsx(filings: readonly HeldFiling[]): Promise<Buffer> {
  return toXlsx([...Map.groupBy(filings, ({ company }) => company)], columns);
}

/** The filings of a month's reports, in the same way. */
export function reportsToXlsx(reports: readonly MonthlyReport[]): Promise<Buffer> {
  return toXlsx(
    reports.map(({ company, filings }) => [company, filings]),
    reportColumns,
  );
}

function toXlsx<T>(companies: readonly (readonly [string, readonly T[]])[], columns: readonly Column<T>[]) {
  const names = namesOfSheets(companies.map(([company]) => company));
  const sheets = companies.map(([, own], index) => sheetOf(names[index] ?? "", columns, own));
  // A workbook has a sheet, also where nothing is to be filed.
  return writeExcelFile(sheets.length === 0 ? [sheetOf("No filings", columns, [])] : sheets).toBuffer();
}

interface Column<T> {
  readonly title: string;
  /** In characters. */
  readonly width: number;
  readonly cell: (filing: T) => Cell;
}

const date = (day: Day | null): Cell =>
  day === null ? null : { value: new Date(`${day}T00:00:00Z`), type: Date, format: "yyyy-mm-dd" };
/** As text, whatever it begins with: a spreadsheet would compute what begins with an equals sign. */
const text = (value: string | null): Cell => (value === null ? null : { value, type: String });
const wrapped = (value: string): Cell => ({ value, type: String, wrap: true });

const columns: readonly Column<HeldFiling>[] = [
  { title: "Deadline", width: 12, cell: ({ deadline }) => date(deadline) },
  { title: "Form", width: 10, cell: ({ form }) => text(form) },
  { title: "Period", width: 12, cell: ({ period, reference }) => text([period, reference].filter(Boolean).join(" ")) },
  { title: "Status", width: 14, cell: ({ status }) => text(status) },
  {
    title: "Done",
    width: 8,
    cell: ({ completion }) => ({ value: completion / 100, type: Number, format: "0%" }),
  },
  { title: "Prepare by", width: 12, cell: ({ preparation }) => date(preparation) },
  { title: "Review by", width: 12, cell: ({ review }) => date(review) },
  { title: "Approve by", width: 12, cell: ({ approval }) => date(approval) },
  { title: "Pay by", width: 12, cell: ({ payment }) => date(payment) },
  { title: "As the rule says", width: 15, cell: ({ statutory }) => date(statutory) },
  { title: "Prepared by", width: 20, cell: ({ preparedBy }) => text(preparedBy) },
  { title: "Reviewed by", width: 20, cell: ({ reviewedBy }) => text(reviewedBy) },
  { title: "Approved by", width: 20, cell: ({ approvedBy }) => text(approvedBy) },
  { title: "Filed on", width: 12, cell: ({ filedOn }) => date(filedOn) },
  { title: "Confirmation", width: 20, cell: ({ confirmation }) => text(confirmation) },
  { title: "Name", width: 40, cell: ({ name }) => text(name) },
  { title: "Confidence", width: 11, cell: ({ confidence }) => text(confidence) },
  { title: "Why", width: 80, cell: ({ reasons }) => wrapped(reasons.join("\n")) },
];

const reportColumns: readonly Column<MonthlyReport["filings"][number]>[] = [
  { title: "Deadline", width: 12, cell: ({ deadline }) => date(deadline) },
  { title: "Form", width: 14, cell: ({ form }) => text(form) },
  { title: "Period", width: 12, cell: ({ period }) => text(period) },
  { title: "Status", width: 14, cell: ({ status }) => text(status) },
  { title: "Filed on", width: 12, cell: ({ filedOn }) => date(filedOn) },
  {
    title: "Days late",
    width: 10,
    cell: ({ daysLate }) => (daysLate === null ? null : { value: daysLate, type: Number }),
  },
  { title: "Prepared by", width: 24, cell: ({ preparedBy }) => text(preparedBy) },
  { title: "Confirmation", width: 20, cell: ({ confirmation }) => text(confirmation) },
  { title: "Not filed, decided by", width: 24, cell: ({ excusedBy }) => text(excusedBy) },
  { title: "On", width: 12, cell: ({ excusedOn }) => date(excusedOn) },
  { title: "Why it is not filed", width: 40, cell: ({ reason }) => text(reason) },
];

function sheetOf<T>(sheet: string, columns: readonly Column<T>[], filings: readonly T[]) {
  const header: Row = columns.map(({ title }) => ({ value: title, type: String, fontWeight: "bold" }));
  const rows = filings.map((filing): Row => columns.map(({ cell }) => cell(filing)));
  return {
    sheet,
    data: [header, ...rows],
    columns: columns.map(({ width }) => ({ width })),
    stickyRowsCount: 1,
    orientation: "landscape" as const,
  };
}

const nameLengthMax = 31;

/** Excel's rules: at most 31 characters, some of them not, no apostrophe at the ends, each once whatever its case. */
export function namesOfSheets(companies: readonly string[]): readonly string[] {
  const taken = new Set<string>(["history"]);
  return companies.map((company) => {
    const name =
      company
        .replaceAll(/[\s[\]/\\:*?\p{Cc}]+/gu, " ")
        .replaceAll(/^[\s']+/g, "")
        .slice(0, nameLengthMax)
        .replaceAll(/[\s']+$/g, "") || "Company";
    let free = name;
    for (let count = 2; taken.has(free.toLowerCase()); count += 1) {
      const suffix = ` (${count})`;
      free = name.slice(0, nameLengthMax - suffix.length) + suffix;
    }
    taken.add(free.toLowerCase());
    return free;
  });
}
