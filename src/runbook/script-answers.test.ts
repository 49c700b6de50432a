import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { type ActionResult, compare, readOutput } from "../host/read.ts";
import { command, type Output, type Probe } from "./action.ts";
import { actOf, planOf } from "./fixtures/plans.ts";
import { runScript } from "./fixtures/scripts.ts";
import type { Json } from "./value.ts";

/** What a script says about an answer is what the host would say: the same cases go through both. */
const folder = mkdtempSync(join(tmpdir(), "ipai-answers-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("reading and comparing", () => {
  // Fractions as measurements have them: whether a tiny one is written with an exponent is left to each program.
  const numbers = fc.oneof(
    fc.integer(),
    fc.integer().map((whole) => whole / 100),
  );
  const { json } = fc.letrec<{ json: Json }>((tie) => ({
    json: fc.oneof(
      { maxDepth: 2, withCrossShrink: true },
      fc.oneof(numbers, fc.string({ unit: "grapheme-ascii", maxLength: 4 }), fc.boolean(), fc.constant(null)),
      fc.array(tie("json"), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom("a", "b", "length"), tie("json"), { maxKeys: 2, noNullPrototype: true }),
    ),
  }));
  const asked = fc.record({
    stdout: fc.oneof(
      numbers.map(String),
      json.map((value) => JSON.stringify(value)),
      fc.string({ unit: "grapheme-ascii", maxLength: 5 }).filter((text) => Number.isNaN(Number(text))),
      fc.constantFrom(
        '{"a":1}\n\n{"a":2}\n',
        "{} {}",
        "[]",
        "null",
        "x\n \n",
        "",
        " 42\n",
        "5.0",
        "1e3",
        "12 MB",
        "9007199254740993",
      ),
    ),
    as: fc.constantFrom<Output["as"][]>(undefined, "text", "number", "json", "json", "jsonLines"),
    pick: fc.option(fc.array(fc.constantFrom<string | number>(0, -1, 1, "a", "length"), { maxLength: 2 })),
    how: fc.constantFrom<Probe["compare"][]>("eq", "le", "ge", "has", "absent"),
    expected: fc.oneof(
      fc.constantFrom<string | number | boolean>("", 0, 1, true, "true", "5", 5, "a", "x", ".5", "+5", " 42 "),
      numbers.map(String),
      numbers,
    ),
  });

  it("is what the tool does", { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(asked, { minLength: 30, maxLength: 30 }), async (cases) => {
        const probes = cases.map((one): Probe => {
          const isJson = one.as === "json" || one.as === "jsonLines";
          return {
            title: "as expected",
            action: command("local", ["cat"], { stdin: one.stdout }),
            output: {
              from: "stdout",
              ...(one.as === undefined ? {} : { as: one.as }),
              ...(isJson && one.pick !== null ? { pick: one.pick } : {}),
            },
            compare: one.how,
            with: one.expected,
          };
        });
        const steps = probes.map((probe, index) =>
          actOf(`s${index}`, {
            title: `case ${index}`,
            action: command("local", ["true"]),
            verify: [probe],
            onFail: "continue",
          }),
        );
        const { text } = await runScript(planOf(steps), { folder });
        const wrong = probes.flatMap((probe, index) => {
          const said = new RegExp(`✗ case ${index}: (not as|could not)`).exec(text)?.[1];
          const answer = said === undefined ? "yes" : said === "not as" ? "no" : "unknown";
          const expected = answerOf(probe, cases[index]?.stdout ?? "");
          return answer === expected ? [] : [{ ...cases[index], answer, expected }];
        });
        expect(wrong).toEqual([]);
      }),
      { numRuns: 2, endOnFailure: true },
    );
  });

  function answerOf(probe: Probe, stdout: string): "yes" | "no" | "unknown" {
    const result: ActionResult = { stdout, stderr: "", exitCode: 0, seconds: 0, truncated: false };
    try {
      return compare(readOutput(result, probe.output) as Json, probe, probe.with as string) ? "yes" : "no";
    } catch {
      return "unknown";
    }
  }
});
