import { describe, expect, it } from "vitest";
import { exampleConfig, findStale, pages } from "../../scripts/docs.ts";
import { parseConfig } from "../../src/config/load.ts";

describe("generated references", () => {
  it("are out of date when their file is not what the program says", async () => {
    await expect(findStale({ "docs/absent.md": async () => "anything" })).resolves.toEqual(["docs/absent.md"]);
  });

  it("are up to date (else run: node scripts/docs.ts)", async () => {
    expect(Object.keys(pages)).toHaveLength(3);
    await expect(findStale(pages)).resolves.toEqual([]);
  });
});

describe("the example configuration", () => {
  it("is one that the program takes", () => {
    const { stacks } = parseConfig(exampleConfig, "ipai.yaml", {});
    expect(Object.keys(stacks)).toEqual(["production"]);
    expect(stacks["production"]?.services.odoo.map(({ name }) => name)).toEqual(["odoo-accounting"]);
  });
});
