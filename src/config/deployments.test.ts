import { describe, expect, it } from "vitest";
import { beginOf, endOf } from "./deployments.ts";
import { ConfigInvalid } from "./errors.ts";
import { example } from "./fixtures/example.ts";
import { getStack, parseConfig } from "./load.ts";

const parse = (freeze: string) =>
  getStack(parseConfig(`${example}    deployments:\n      freeze:\n        - ${freeze}\n`, "ipai.yaml", {}))
    .deployments;
const problem = (freeze: string) => {
  try {
    parse(freeze);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === ConfigInvalid.code) return error.message;
    throw error;
  }
  throw new TypeError("it was taken");
};
const line = example.split("\n").length + 2;

describe("deployments.freeze", () => {
  it("has whole days, or minutes, and what they are for", () => {
    const [window] = parse("{ from: 2026-04-13, until: 2026-04-16 18:30, why: Annual income tax }").freeze;
    if (window === undefined) throw new TypeError("there is no window");
    expect(window).toEqual({ from: "2026-04-13", until: "2026-04-16 18:30", why: "Annual income tax" });
    expect([beginOf(window.from), endOf(window.from)]).toEqual(["2026-04-13 00:00", "2026-04-13 24:00"]);
    expect([beginOf("2026-04-16T18:30"), endOf("2026-04-16T18:30")]).toEqual(["2026-04-16 18:30", "2026-04-16 18:30"]);
    expect(parse("{ from: 2026-04-13, until: 2026-04-13, why: One day }").users).toBe("warn");
  });

  it.each([
    ["no day", "{ from: soon, until: 2026-04-16, why: tax }", "must be a day such as"],
    ["a day that no year has", "{ from: 2026-02-30, until: 2026-04-16, why: tax }", "must be a day such as"],
    ["an hour that no day has", '{ from: "2026-04-13 24:30", until: 2026-04-16, why: tax }', "must be a day such as"],
    ["an end before its begin", "{ from: 2026-04-16, until: 2026-04-13, why: tax }", "must be after from"],
    ["no reason", "{ from: 2026-04-13, until: 2026-04-16 }", "why"],
    ["another word", "{ from: 2026-04-13, until: 2026-04-16, because: tax }", "because"],
  ])("is refused with %s, and the line is named", (_, freeze, told) => {
    const message = problem(freeze);
    expect(message).toContain(told);
    expect(message).toMatch(new RegExp(`ipai\\.yaml:${line}:\\d+`));
  });
});
