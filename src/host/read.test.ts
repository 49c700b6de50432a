import { describe, expect, it } from "vitest";
import type { Output, Probe } from "../runbook/action.ts";
import type { Json } from "../runbook/value.ts";
import { type ActionResult, compare, readOutput } from "./read.ts";

describe("readOutput", () => {
  it("reads each part of a result", () => {
    const result = { ...printed("out \n"), stderr: "err\n", exitCode: 3, status: 200, body: "hi\n", result: { a: 1 } };
    const read = (from: Output["from"]) => readOutput(result, { from });
    expect((["stdout", "stderr", "exitCode", "status", "body", "result"] as const).map(read)).toEqual([
      "out",
      "err",
      3,
      200,
      "hi",
      { a: 1 },
    ]);
  });

  it.each<[string, Omit<Output, "from">, Json]>([
    ["  text\n\n", { as: "text" }, "  text"],
    ["", {}, ""],
    [" 42\n", { as: "number" }, 42],
    ["-1.5e3", { as: "number" }, -1500],
    ['{"a":[1,2,{"b":"c"}]}', { as: "json", pick: ["a", -1, "b"] }, "c"],
    ["[1,2,3]\n", { as: "json", pick: [0] }, 1],
    ['{"0":"zero"}', { as: "json", pick: [0] }, "zero"],
    ['{"a":1}\n\n{"a":2}\n', { as: "jsonLines", pick: [-1, "a"] }, 2],
    ["", { as: "jsonLines" }, []],
    ["null", { as: "json" }, null],
  ])("reads %j as %j", (stdout, how, expected) => {
    expect(readOutput(printed(stdout), { from: "stdout", ...how })).toEqual(expected);
  });

  it.each<[string, Omit<Output, "from">]>([
    ["", { as: "number" }],
    ["12 MB", { as: "number" }],
    ["0x10", { as: "number" }],
    ["Infinity", { as: "number" }],
    ["9007199254740993", { as: "number" }],
    ["", { as: "json" }],
    ["{} {}", { as: "json" }],
    ["{}\nnot json", { as: "jsonLines" }],
    ["{}", { as: "json", pick: ["constructor"] }],
    ["[1]", { as: "json", pick: [-2] }],
    ["[1]", { as: "json", pick: ["length"] }],
    ["text", { pick: [0] }],
    ["null", { as: "json", pick: ["a"] }],
  ])("refuses to read %j as %j", (stdout, how) => {
    expect(() => readOutput(printed(stdout), { from: "stdout", ...how })).toThrow(
      expect.objectContaining({ code: "host.output_unreadable" }),
    );
  });

  it("refuses an output that is not complete", () => {
    const result = { ...printed("1"), truncated: true };
    expect(() => readOutput(result, { from: "stdout" })).toThrow(
      expect.objectContaining({ code: "host.output_too_large" }),
    );
    expect(readOutput(result, { from: "exitCode" })).toBe(0);
  });
});

describe("compare", () => {
  it.each<[Json, Probe["compare"], string | number | boolean, boolean]>([
    [5, "eq", 5, true],
    ["5", "eq", 5, true],
    ["5.0", "eq", 5, true],
    [5, "eq", "5", true],
    ["5.0", "eq", "5", false],
    ["", "eq", 0, false],
    ["abc", "eq", 5, false],
    [true, "eq", true, true],
    ["true", "eq", true, true],
    ["t", "eq", true, false],
    [{ a: 1 }, "eq", '{"a":1}', true],
    ["4", "le", "5", true],
    ["10", "le", "9", false],
    ["10", "ge", 9, true],
    ["installed", "has", "stall", true],
    [["a", "b"], "has", "b", true],
    [["ab"], "has", "a", false],
    [[1, 2], "has", "2", true],
    [[1, 2], "has", 2, true],
    ["x", "absent", "y", true],
    [["a"], "absent", "a", false],
    ["", "absent", "", true],
    ["x", "absent", "", false],
    [[], "absent", "", true],
    [["x"], "absent", "", false],
    [null, "absent", "", true],
    ["x", "has", "", true],
  ])("%j %s %j is %s", (value, how, expected, answer) => {
    expect(compare(value, { compare: how, output: { from: "stdout" } }, expected)).toBe(answer);
  });

  it("refuses to compare what cannot be compared", () => {
    const cases: [Json, Probe["compare"], string | number][] = [
      ["x", "le", 5],
      ["", "ge", 0],
      [5, "le", "x"],
      [{ a: 1 }, "has", "a"],
    ];
    for (const [value, how, expected] of cases)
      expect(() => compare(value, { compare: how, output: { from: "stdout" } }, expected)).toThrow(
        expect.objectContaining({ code: "host.output_unreadable" }),
      );
  });
});

function printed(stdout: string): ActionResult {
  return { stdout, stderr: "", exitCode: 0, seconds: 0, truncated: false };
}
