import { describe, expect, it } from "vitest";
import { exampleConfig, findStale, pages } from "../../scripts/docs.ts";
import { parseConfig } from "../../src/config/load.ts";

const { "docs/cli.md": commandLine, ...others } = pages;

describe("generated references", () => {
  it("are out of date when their file is not what the program says", async () => {
    await expect(findStale({ "docs/absent.md": async () => "anything" })).resolves.toEqual(["docs/absent.md"]);
  });

  it("are up to date (else run: node scripts/docs.ts)", async () => {
    expect(Object.keys(others).sort()).toEqual(["docs/configuration.md", "docs/errors.md"]);
    await expect(findStale(others)).resolves.toEqual([]);
  });

  it("of the command line are up to date (else run: node scripts/docs.ts)", { timeout: 60_000 }, async () => {
    const page = commandLine ?? (() => Promise.resolve("docs/cli.md is not among the pages"));
    await expect(findStale({ "docs/cli.md": page })).resolves.toEqual([]);
  });
});

describe("the example configuration", () => {
  it("is one that the program takes", () => {
    const { stacks } = parseConfig(exampleConfig, "ipai.yaml", {});
    expect(Object.keys(stacks)).toEqual(["production"]);
    expect(stacks["production"]?.services.odoo.map(({ name }) => name)).toEqual(["odoo-accounting"]);
  });
});
