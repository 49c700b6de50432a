import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findNearest } from "./nearest.ts";

describe("the nearest name", () => {
  it.each<[string, readonly string[], string | undefined]>([
    ["timezon", ["timezone", "host"], "timezone"],
    ["pidfile", ["pidFile", "log"], "pidFile"],
    ["DATABASE", ["database"], "database"],
    ["usre", ["user", "url"], "user"],
    ["ur", ["url", "user"], "url"],
    ["x", ["log", "user"], undefined],
    ["xyzzy", ["timezone", "host"], undefined],
    ["anything", [], undefined],
    ["", ["a", "bb"], "a"],
  ])("to %j among %j is %j", (name, known, nearest) => {
    expect(findNearest(name, known)).toBe(nearest);
  });

  it("is the name itself when it is known, and always a known one", () => {
    const names = fc.array(fc.string({ unit: fc.constantFrom(..."abcAB"), minLength: 1 }), { minLength: 1 });
    fc.assert(
      fc.property(names, fc.string({ unit: fc.constantFrom(..."abcAB") }), (known, name) => {
        const [first = ""] = known;
        expect(findNearest(first, known)?.toLowerCase()).toBe(first.toLowerCase());
        expect([undefined, ...known]).toContain(findNearest(name, known));
      }),
    );
  });
});
