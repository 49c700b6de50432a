import { describe, expect, it } from "vitest";
import { Bug, catalogue, defineError, IpaiError, toErrorRecord, toIpaiError } from "./error.ts";

interface Details {
  readonly database: string;
  readonly output?: string;
}

const DumpFailed = defineError<Details>("test.dump_failed", {
  exitCode: 32,
  retryable: true,
  message: (d) => `Could not dump ${d.database}.`,
  hint: (d) => `May the role read every table of ${d.database}?`,
});

describe("a declared error", () => {
  it("says what happened, what to do next, and how the program ends", () => {
    const cause = new Error("the reason");
    const error = DumpFailed({ database: "odoo" }, { cause });
    expect(error).toBeInstanceOf(IpaiError);
    expect(error).toBeInstanceOf(Error);
    expect({ ...error }).toEqual({
      name: "IpaiError",
      code: "test.dump_failed",
      hint: "May the role read every table of odoo?",
      exitCode: 32,
      retryable: true,
      details: { database: "odoo" },
    });
    expect([error.message, error.cause]).toEqual(["Could not dump odoo.", cause]);
    expect(error.stack).toContain("error.test.ts");
  });

  it("has no cause unless it is given one, and may not be repeated unless it says so", () => {
    expect("cause" in DumpFailed({ database: "odoo" })).toBe(false);
    expect(Bug({ what: "x" }).retryable).toBe(false);
  });

  it("is in the catalogue under its code, with what it declared", () => {
    const found = catalogue.get("test.dump_failed") as unknown as typeof DumpFailed;
    expect(found).toBe(DumpFailed);
    expect([found.code, found.exitCode, found.hint({ database: "x" })]).toEqual([
      "test.dump_failed",
      32,
      "May the role read every table of x?",
    ]);
    expect(found({ database: "x" }).message).toBe("Could not dump x.");
  });
});

describe("a code", () => {
  const spec = { exitCode: 10, message: () => "m", hint: () => "h" };

  it.each(["backup", "Backup.failed", "backup.dump-failed", "backup.", ".failed", "backup.dump_", "a b.c", "1a.b", ""])(
    "like %j is refused",
    (code) => {
      expect(() => defineError(code, spec)).toThrow(`Malformed error code ${code}`);
      expect(catalogue.has(code)).toBe(false);
    },
  );

  it.each(["test.one", "test_room.one_two", "test.v2_x", "test.deep.down"])("like %j is taken once", (code) => {
    expect(defineError(code, spec).code).toBe(code);
    expect(() => defineError(code, spec)).toThrow(`Error code ${code} is declared twice`);
  });
});

describe("whatever is thrown", () => {
  it("stays as it is when it is a declared error", () => {
    const error = DumpFailed({ database: "odoo" });
    expect(toIpaiError(error)).toBe(error);
  });

  it.each<[string, unknown, string]>([
    ["an error", new TypeError("x is not a function"), "x is not a function"],
    ["an error without words", new RangeError(), "RangeError"],
    ["a text", "no", "no"],
    ["nothing", undefined, "undefined"],
    ["null", null, "null"],
    ["an object", { code: 5 }, "{ code: 5 }"],
    ["an object that cannot become a text", Object.create(null), "[Object: null prototype] {}"],
    ["a symbol", Symbol("x"), "Symbol(x)"],
  ])("becomes a fault of the program: %s", (_, thrown, words) => {
    const error = toIpaiError(thrown);
    expect([error.code, error.exitCode, error.cause]).toEqual(["internal.bug", 70, thrown]);
    expect(error.message).toBe(`The program met a state that it does not understand: ${words}`);
  });
});

describe("the record of an error", () => {
  it("has its code, message and hint, and what a program printed", () => {
    expect(toErrorRecord(DumpFailed({ database: "odoo", output: "line 1\nline 2\n" }))).toEqual({
      code: "test.dump_failed",
      message: "Could not dump odoo.",
      hint: "May the role read every table of odoo?",
      output: "line 1\nline 2",
    });
  });

  it("has no output when there was none", () => {
    expect(Object.keys(toErrorRecord(DumpFailed({ database: "odoo", output: "" })))).toEqual([
      "code",
      "message",
      "hint",
    ]);
    expect(Object.keys(toErrorRecord(new Error("x")))).toEqual(["code", "message", "hint"]);
  });

  it("keeps the end of a long output and the beginning of a long message", () => {
    const lines = Array.from({ length: 100 }, (_, index) => `line ${index}`).join("\n");
    expect(toErrorRecord(DumpFailed({ database: "odoo", output: lines })).output?.split("\n")).toEqual(
      Array.from({ length: 20 }, (_, index) => `line ${index + 80}`),
    );
    const { message, output } = toErrorRecord(
      DumpFailed({ database: "d".repeat(1e6), output: `${"x".repeat(1e6)}end` }),
    );
    expect([message.length, message.slice(0, 20), message.at(-1)]).toEqual([4097, "Could not dump ddddd", "…"]);
    expect([output?.length, output?.slice(-4)]).toEqual([8192, "xend"]);
  });
});
