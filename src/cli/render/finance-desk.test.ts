import { describe, expect, it } from "vitest";
import {
  alert,
  close,
  emptyReport,
  extension,
  filing,
  filings,
  heartbeat,
  holiday,
  move,
  report,
} from "../../../test/harness/finance.ts";
import { unzip } from "../../../test/harness/zip.ts";
import { parseCsv } from "../../finance/csv.ts";
import { filingsToXlsx, namesOfSheets, reportsToXlsx } from "./filings-xlsx.ts";
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
} from "./finance-desk.ts";

const [first, second] = close.tasks as [(typeof close.tasks)[number], (typeof close.tasks)[number]];
const lateClose = {
  ...close,
  ...{ id: 5, state: "in_review" as const, accountable: { role: "director", people: [] } },
  tasks: [
    first,
    { ...second, daysLate: 3 },
    { ...second, wbs: "", name: "By hand", phase: null, state: "cancelled" as const },
  ],
};
const lockedClose = { ...close, state: "locked" as const, closedOn: "2026-10-08", days: 6, tasks: [first] };
const well = {
  ...heartbeat,
  name: "Ladder",
  by: "Odoo" as const,
  lastAt: null,
  every: { unit: "hours" as const, count: 2 },
  trouble: null,
};
const plain = { style: (_: string, text: string) => text };

describe("what Odoo holds", () => {
  it("is shown to people", async () => {
    const screens = {
      filings: renderFilings(plain, filings),
      "no filings": renderFilings(plain, []),
      alerts: renderAlerts(plain, [alert, { ...alert, id: 13, severity: "normal", recipients: [] }], "Asia/Manila"),
      "no alerts": renderAlerts(plain, [], "Asia/Manila"),
      holidays: renderHolidays([holiday, { ...holiday, status: "estimated", regions: ["Cebu", "044"] }]),
      extensions: renderExtensions([extension, { ...extension, dueUntil: extension.dueFrom, regions: [] }]),
      closes: renderCloses(plain, [close, lateClose]),
      "no closes": renderCloses(plain, []),
      "a close": renderClose(plain, close),
      "a late close": renderClose(plain, lateClose),
      "a locked close": renderClose(plain, lockedClose),
      heartbeats: renderHeartbeats(plain, [heartbeat, well], "Asia/Manila"),
      before: renderMoves([move, { ...move, form: "0619-E" }], "before"),
      after: renderMoves([move], "after"),
      nothing: renderMoves([], "before"),
      reports: renderReports([report, emptyReport], "Asia/Manila"),
    };
    const text = Object.entries(screens).map(([name, screen]) => `== ${name}\n${screen}\n`);
    await expect(text.join("\n")).toMatchFileSnapshot("golden/finance-desk.txt");
  });

  it("is CSV with a row for each filing", () => {
    const held = parseCsv(heldFilingsToCsv(filings)) as readonly (readonly string[])[];
    expect(held.map((row) => row.length)).toEqual([25, 25, 25]);
    expect(held[1]?.at(-1)).toBe(filing.reasons.join("; "));
  });
});

describe("a spreadsheet of filings", () => {
  it("has a sheet for each company, with a header that stays and dates that are dates", async () => {
    const files = unzip(await filingsToXlsx(filings));
    const book = files.get("xl/workbook.xml") ?? "";
    expect([...book.matchAll(/<sheet [^>]*name="([^"]*)"/g)].map(([, name]) => name)).toEqual([
      "Example Trading Corporation",
      "=Sample Holdings Incorporated o",
    ]);
    const sheet = files.get("xl/worksheets/sheet1.xml") ?? "";
    expect(sheet).toContain('state="frozen"');
    // 12 October 2026 as Excel counts days.
    const [, value] = /<c r="A2"[^>]*><v>([^<]*)<\/v>/.exec(sheet) ?? [];
    expect(value).toBe("46307");
    expect(sheet).not.toContain("<f>");
    expect(files.get("xl/styles.xml")).toContain("yyyy-mm-dd");
    expect([...files.keys()].filter((name) => name.startsWith("xl/worksheets/sheet"))).toHaveLength(2);
  });

  it("has a sheet for each company's report", async () => {
    const files = unzip(await reportsToXlsx([report, emptyReport]));
    expect([...files.keys()].filter((name) => name.startsWith("xl/worksheets/sheet"))).toHaveLength(2);
    const rows = (files.get("xl/worksheets/sheet1.xml") ?? "").match(/<row /g);
    expect(rows).toHaveLength(1 + report.filings.length);
  });

  it("has one sheet when nothing is to be filed", async () => {
    expect([...unzip(await filingsToXlsx([])).keys()]).toContain("xl/worksheets/sheet1.xml");
  });

  it("names its sheets so that Excel takes them, each once", () => {
    const long = "A very long name of a company that does business";
    expect(namesOfSheets(["A/B: C?", "a b c", "A B C", long, `${long} too`, "'quoted'", "[]", "History"])).toEqual([
      ...["A B C", "a b c (2)", "A B C (3)", long.slice(0, 31), `${long.slice(0, 27)} (2)`, "quoted", "Company"],
      "History (2)",
    ]);
  });
});

describe("what late filings may cost", () => {
  const shown = (given: Partial<NonNullable<typeof report.exposure>>) =>
    renderReports([{ ...report, exposure: { ...report.exposure, ...given } as typeof report.exposure }], "Asia/Manila");

  it("is told as an estimate, with what is not in it", () => {
    expect(shown({ unknown: 0 })).toContain(
      "  exposure, an estimate: ₱18,246.58 until 2026-10-31, ₱24.66 more each day\n",
    );
    expect(shown({ perDay: 0 })).toContain("until 2026-10-31; of 1 late filing no amount is entered\n");
    expect(shown({ amount: null, perDay: null, unknown: 2 })).toContain(
      "  exposure not estimated; of 2 late filings no amount is entered\n",
    );
  });
});

describe("a report of a month that is not over", () => {
  it("says that nothing is due yet, and no rate", () => {
    const running = { ...emptyReport, total: 3, openInTime: 3 };
    expect(renderReports([running], "Asia/Manila")).toContain(": nothing due yet\n");
  });
});
