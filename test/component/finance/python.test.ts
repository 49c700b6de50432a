import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { listFilings } from "../../../src/finance/filings.ts";
import { filerSchema } from "../../../src/finance/schema.ts";
import { shippedRules } from "../../../src/finance/shipped.ts";

/** The addon's Python, as Debian's Python runs it, without Odoo. */
const python = "/usr/bin/python3";
const addon = join(import.meta.dirname, "../../../addons/ipai_finance_ppm");

const everything = [...new Set(shippedRules.catalogue.forms.map(({ applies }) => applies))];
const someQuestion = fc.record({
  year: fc.integer({ min: 2019, max: 2199 }),
  filer: fc
    .record({
      who: fc.constantFrom(
        ...[{ kind: "manual" }, { kind: "ebirforms" }],
        ...["A", "B", "C", "D", "E"].map((group) => ({ kind: "efps", group })),
      ),
      fiscalYearEnd: fc.integer({ min: 1, max: 12 }),
      applies: fc.subarray(everything),
    })
    .map(({ who, ...rest }) => ({ ...who, ...rest })),
});

describe("the addon's Python", () => {
  it("passes the case table and its own tests", async () => {
    const { stderr } = await promisify(execFile)(
      python,
      ["-B", "-m", "unittest", "rules.test_engine", "rules.test_penalties"],
      { cwd: addon },
    );
    expect(stderr).toMatch(/Ran 1\d tests[\s\S]*OK/);
  });

  it("answers as the TypeScript does, to the letter, for any filer and year", async () => {
    const asked = [
      ...[2025, 2026, 2027].map((year) => ({ year, filer: { kind: "manual", applies: everything } })),
      ...fc.sample(someQuestion, 150),
    ];
    const answered = promisify(execFile)(python, ["-B", join(addon, "rules/engine.py")], { maxBuffer: 256 * 2 ** 20 });
    answered.child.stdin?.end(JSON.stringify(asked));
    const answers: unknown = JSON.parse((await answered).stdout);
    const own = asked.map(({ filer, year }) => listFilings(shippedRules, filerSchema.parse(filer), year));
    expect(own.flat().length).toBeGreaterThan(2000);
    expect(answers).toEqual(own);
  });
});
