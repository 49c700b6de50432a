import { describe, expect, it } from "vitest";
import {
  alert,
  emptyReport,
  extension,
  filing,
  filings,
  holiday,
  move,
  report,
} from "../../../test/harness/finance.ts";
import { unzip } from "../../../test/harness/zip.ts";
import { parseCsv } from "../../finance/csv.ts";
import { filingsToXlsx, namesOfSheets } from "./filings-xlsx.ts";
import {
  heldFilingsToCsv,
  renderAlerts,
  renderExtensions,
  renderFilings,
  renderHolidays,
  renderMoves,
  renderReports,
  reportsToCsv,
} from "./finance-desk.ts";
import { renderReports as toPdf } from "./report-pdf.ts";

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
    const told = parseCsv(reportsToCsv([report, emptyReport])) as readonly (readonly string[])[];
    expect(told).toHaveLength(1 + report.filings.length);
    expect(told[2]).toEqual([
      ...[filing.company, "2026-10", "2", "0619-E", "2026-09", "2026-10-12", "filed", "2026-10-14", "true", "2"],
      ...["Staff Example", "EX-2"],
    ]);
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

describe("a report of a month that is not over", () => {
  it("says that nothing is due yet, and no rate", () => {
    const running = { ...emptyReport, total: 3, openInTime: 3 };
    expect(renderReports([running], "Asia/Manila")).toContain(": nothing due yet\n");
  });
});

describe("the pages of a report", () => {
  const pagesOf = (pdf: Buffer) => pdf.toString("latin1").match(/\/Type \/Page\b/g)?.length;

  it("are the same to the byte for the same report, one for each company", async () => {
    const pdf = await toPdf([report, emptyReport], "ipai 0.0.0");
    expect(pagesOf(pdf)).toBe(2);
    expect((await toPdf([structuredClone(report), emptyReport], "ipai 0.0.0")).equals(pdf)).toBe(true);
    expect((await toPdf([{ ...report, rate: 49 }, emptyReport], "ipai 0.0.0")).equals(pdf)).toBe(false);
  });

  it("go on when there is more than a page holds, and take long names", async () => {
    const long = "A very long name of somebody who does business in many places ".repeat(4);
    const [first] = report.byForm;
    if (first === undefined) throw new TypeError("there is a form");
    const byForm = Array.from({ length: 90 }, () => ({ ...first, name: long }));
    expect(pagesOf(await toPdf([{ ...report, company: long, byForm }], "ipai 0.0.0"))).toBe(3);
  });
});
