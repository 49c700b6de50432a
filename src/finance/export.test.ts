import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseCsv, toCsv } from "./csv.ts";
import { addDays } from "./day.ts";
import { filingsToCsv, filingsToIcs } from "./export.ts";
import { type Filing, listFilings } from "./filings.ts";
import { filerSchema } from "./schema.ts";
import { shippedRules } from "./shipped.ts";

const filer = filerSchema.parse({ kind: "efps", group: "B" });
const filings = listFilings(shippedRules, filer, 2026);
const now = new Date("2026-01-02T03:04:05.678Z");

/** Properties of every event, unfolded and unescaped as RFC 5545 says, and its alarms. */
function eventsOf(ics: string): readonly { properties: ReadonlyMap<string, string>; triggers: readonly string[] }[] {
  const lines = ics.replaceAll("\r\n ", "").split("\r\n");
  expect(lines.at(-1)).toBe("");
  const events: { properties: Map<string, string>; triggers: string[] }[] = [];
  const open: string[] = [];
  for (const line of lines.slice(0, -1)) {
    const [, name = "", value = ""] = /^([A-Z-]+(?:;[A-Z]+=[A-Z]+)?):(.*)$/.exec(line) ?? [];
    expect(name).not.toBe("");
    if (name === "BEGIN") open.push(value);
    if (name === "BEGIN" && value === "VEVENT") events.push({ properties: new Map(), triggers: [] });
    else if (name === "END") expect(open.pop()).toBe(value);
    else if (name === "TRIGGER") events.at(-1)?.triggers.push(value);
    else if (open.at(-1) === "VEVENT") {
      expect(events.at(-1)?.properties.has(name)).toBe(false);
      events.at(-1)?.properties.set(
        name,
        value.replaceAll(/\\([\\;,n])/g, (_, sign) => (sign === "n" ? "\n" : sign)),
      );
    }
  }
  expect(open).toEqual([]);
  return events;
}

describe("an iCalendar file", () => {
  const ics = filingsToIcs(filings, filer, now);

  it("has an event of a whole day for each filing, with alarms", () => {
    const events = eventsOf(ics);
    expect(events).toHaveLength(filings.length);
    for (const [index, { properties, triggers }] of events.entries()) {
      const { effective, form, period } = filings[index] as Filing;
      expect(properties.get("DTSTART;VALUE=DATE")).toBe(effective.replaceAll("-", ""));
      expect(properties.get("DTEND;VALUE=DATE")).toBe(addDays(effective, 1).replaceAll("-", ""));
      expect(properties.get("DTSTAMP")).toBe("20260102T030405Z");
      expect(properties.get("SUMMARY")).toBe(`BIR ${form} for ${period}`);
      expect(triggers).toEqual(["-P6DT16H", "-P2DT16H", "-PT16H", "PT8H"]);
    }
    expect(new Set(events.map(({ properties }) => properties.get("UID"))).size).toBe(filings.length);
  });

  it("has no line of more than 75 octets, no bare end of line, and cuts no character in two", () => {
    const odd = filings.slice(0, 1).map((filing) => ({ ...filing, name: "ñ€😀\\;,\n".repeat(40) }));
    const made = filingsToIcs(odd, filer, now);
    const lines = made.split("\r\n");
    expect(Math.max(...lines.map((line) => Buffer.byteLength(line)))).toBeLessThanOrEqual(75);
    expect(lines.filter((line) => /[\r\n\uFFFD]/.test(line))).toEqual([]);
    expect(eventsOf(made)[0]?.properties.get("DESCRIPTION")).toContain("ñ€😀\\;,\n".repeat(40));
    expect(lines.filter((line) => line.startsWith(" ")).length).toBeGreaterThan(5);
  });

  it("names an event the same when its deadline moves", () => {
    const moved = filings.map((filing) => ({ ...filing, effective: addDays(filing.effective, 30) }));
    const names = (text: string) => eventsOf(text).map(({ properties }) => properties.get("UID"));
    expect(names(filingsToIcs(moved, filer, now))).toEqual(names(ics));
  });
});

describe("CSV", () => {
  it("comes back as it was, whatever is in it", () => {
    const field = fc.string({ unit: fc.constantFrom("a", '"', ",", "\n", "\r\n", "ñ", " ") });
    fc.assert(
      fc.property(fc.array(fc.array(field, { minLength: 2, maxLength: 4 }), { minLength: 1 }), (rows) => {
        expect(parseCsv(toCsv(rows))).toEqual(rows);
      }),
    );
  });

  it("has no formula in it, whatever people typed; numbers stay", () => {
    const typed = ["=HYPERLINK(A1)", "+1-1", "-2+3", "@SUM(A1)", '=1,"2"', "-12.50", "+7", "a=b", "1601-C"];
    const [row] = parseCsv(toCsv([typed])) as readonly (readonly string[])[];
    expect(row).toEqual([
      ...["'=HYPERLINK(A1)", "'+1-1", "'-2+3", "'@SUM(A1)", '\'=1,"2"', "-12.50", "+7", "a=b", "1601-C"],
    ]);
  });

  it("of filings has a row for each, with its why", () => {
    const rows = parseCsv(filingsToCsv(filings)) as readonly (readonly string[])[];
    expect(rows).toHaveLength(filings.length + 1);
    expect(new Set(rows.map((row) => row.length))).toEqual(new Set([15]));
  });
});
