import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { exampleConfig } from "../../scripts/docs/configuration.ts";
import { findStale, pages } from "../../scripts/docs.ts";
import { parseConfig } from "../../src/config/load.ts";

const root = join(import.meta.dirname, "..", "..");

describe("generated references", () => {
  it("are out of date when their file is not what the program says", async () => {
    await expect(findStale({ "docs/absent.md": async () => "anything" })).resolves.toEqual(["docs/absent.md"]);
  });

  it("are up to date (else run: node scripts/docs.ts)", async () => {
    expect(Object.keys(pages)).toHaveLength(4);
    await expect(findStale(pages)).resolves.toEqual([]);
  });
});

/** The example of the README is the first piece of YAML in it. */
function yamlIn(page: string): string {
  return /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? "";
}

describe("example configurations", () => {
  it.each([
    ["the reference", exampleConfig],
    ["the README", yamlIn(readFileSync(join(root, "README.md"), "utf8"))],
  ])("of %s are taken by the program", (_, text) => {
    const { stacks } = parseConfig(text, "ipai.yaml", {});
    expect(Object.keys(stacks)).toEqual(["production"]);
    expect(stacks["production"]?.services.odoo.map(({ name }) => name)).toEqual(["odoo-accounting"]);
  });
});

describe("the page on procedures of one's own", () => {
  it("shows the example that the tests run, word for word", () => {
    const example = readFileSync(join(root, "docs/examples/procedures/vacuum-table.yaml"), "utf8");
    const page = readFileSync(join(root, "docs/operating/custom-procedures.md"), "utf8");
    expect(page).toContain(`\`\`\`yaml\n${example}\`\`\``);
  });
});

/** Links to files of the project that are not there, as `page: link`. */
function brokenLinks(page: string, text: string): readonly string[] {
  return [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
    .map((match) => match[1] ?? "")
    .filter((link) => !/^[a-z]+:/.test(link) && !existsSync(join(root, dirname(page), link)))
    .map((link) => `${page}: ${link}`);
}

describe("links between pages", () => {
  it("lead to files that are there", () => {
    expect(
      brokenLinks("docs/errors.md", "[a](cli.md) [b](../README.md#json) [c](gone.md) [d](https://x.test/)"),
    ).toEqual(["docs/errors.md: gone.md"]);
    const pagesOf = (folder: string, recursive: boolean) =>
      readdirSync(join(root, folder), { recursive, encoding: "utf8" })
        .filter((name) => name.endsWith(".md"))
        .map((name) => join(folder, name));
    const all = [...pagesOf(".", false), ...pagesOf("docs", true)];
    expect(all.length).toBeGreaterThan(15);
    expect(all.flatMap((page) => brokenLinks(page, readFileSync(join(root, page), "utf8")))).toEqual([]);
  });
});
