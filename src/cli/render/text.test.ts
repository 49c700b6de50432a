import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { indented, table, wrap } from "./text.ts";

describe("a text that is too long for its terminal", () => {
  it("is broken between words, and what follows is indented", () => {
    expect(wrap("one two three four", 9, "  ")).toBe("one two\n  three\n  four");
    expect(indented(wrap("one two three", 9), "  ")).toBe("  one two\n  three");
  });

  it("keeps a command in one piece, and a word that is longer than a line", () => {
    expect(wrap("make one: ipai backup", 15)).toBe("make one:\nipai backup");
    expect(wrap("see /a/very/long/path/to/a.log there", 10)).toBe("see\n/a/very/long/path/to/a.log\nthere");
  });

  it("does not count what a terminal does not show", () =>
    expect(wrap("\u001b[31mred\u001b[39m and more", 12)).toBe("\u001b[31mred\u001b[39m and more"));

  it("loses no word, and fits", () => {
    const words = fc.array(fc.stringMatching(/^[a-z]{1,9}$/), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(words, fc.integer({ min: 20, max: 120 }), (all, columns) => {
        const lines = wrap(all.join(" "), columns, "  ").split("\n");
        expect(lines.flatMap((line) => line.trim().split(" "))).toEqual(all.join(" ").split(" "));
        for (const line of lines) expect(line.length).toBeLessThanOrEqual(Math.min(columns, 100));
      }),
    );
  });
});

describe("a table", () => {
  const rows = [
    ["FORM", "WHY"],
    ["1601-C", "10th of the next month, which is a Saturday"],
  ];

  it("keeps a row on one line for whoever reads it by a program", () =>
    expect(table(rows)).toBe("FORM    WHY\n1601-C  10th of the next month, which is a Saturday"));

  it("breaks its last column below itself where a terminal is narrow", () =>
    expect(table(rows, 40)).toBe("FORM    WHY\n1601-C  10th of the next month, which is\n        a Saturday"));
});
