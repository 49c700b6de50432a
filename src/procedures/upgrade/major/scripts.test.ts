import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { folderOf, orderScripts, stillToRun } from "./scripts.ts";

const file = (name: string, text: string | null = `-- ${name}`) => ({ name, text });
const names = (files: readonly { name: string; text: string | null }[]) =>
  orderScripts("migrations/18_to_19", files).map(({ name }) => name);

describe("migration scripts", () => {
  it("lie in a folder that is named after both series", () => {
    expect([folderOf("18.0", "19.0"), folderOf("19.0", "19.0")]).toEqual([
      "migrations/18_to_19",
      "migrations/19_to_19",
    ]);
  });

  it("run in the order of their numbers, whatever their language", () => {
    expect(
      names([file("10_last.sql"), file("2_second.py"), file("01_first.sql"), file("README.md"), file("data.csv")]),
    ).toEqual(["18_to_19/01_first.sql", "18_to_19/2_second.py", "18_to_19/10_last.sql"]);
  });

  it("are known by the checksum of their text", () => {
    const [script] = orderScripts("migrations/18_to_19", [file("01_a.sql", "select 'ä';\n")]);
    expect(script).toMatchObject({
      language: "sql",
      checksum: createHash("sha256").update("select 'ä';\n").digest("hex"),
    });
  });

  it.each([
    [[file("first.sql")], "first.sql has no number"],
    [[file("01_a.sql"), file("1_b.py")], "01_a.sql and 1_b.py have one number"],
    [[file("01_a.sql", null)], "01_a.sql is no text"],
    [[file("01_a b.sql")], "01_a b.sql has no number"],
    [[file("01_a.sql", "x".repeat(1_000_001))], "01_a.sql is larger than"],
  ])("are refused when they cannot be taken as they are: %#", (files, fault) => {
    expect(() => names(files)).toThrow(
      expect.objectContaining({ code: "upgrade.scripts_unreadable", message: expect.stringContaining(fault) }),
    );
  });

  it("are run that the database has not had; one that changed since is refused", () => {
    const scripts = orderScripts("migrations/18_to_19", [file("01_a.sql"), file("02_b.sql")]);
    const record = ({ name, checksum }: { name: string; checksum: string }) => ({ name, checksum, run: "r", at: "" });
    const had = scripts.slice(0, 1).map(record);
    expect(stillToRun(scripts, [])).toEqual(scripts);
    expect(stillToRun(scripts, had).map(({ name }) => name)).toEqual(["18_to_19/02_b.sql"]);
    // What another upgrade had run is nobody's concern here.
    expect(stillToRun(scripts, [{ name: "17_to_18/01_a.sql", checksum: "other", run: "r", at: "" }])).toEqual(scripts);
    expect(() =>
      stillToRun(
        scripts,
        had.map((one) => ({ ...one, checksum: "other" })),
      ),
    ).toThrow(
      expect.objectContaining({
        code: "upgrade.migration_changed",
        message: expect.stringContaining("18_to_19/01_a.sql"),
      }),
    );
  });
});
