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

/** Names of the places in a page that a link may lead to, as GitHub makes them of headings. */
function anchorsOf(text: string): readonly string[] {
  const headings = text.replaceAll(/^ *```[\s\S]*?^ *```/gm, "").matchAll(/^#+ +(.*?) *$/gm);
  const names = [...headings].map(([, heading = ""]) =>
    heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, "")
      .replaceAll(" ", "-"),
  );
  return names.map((name, index) => {
    const before = names.slice(0, index).filter((one) => one === name).length;
    return before === 0 ? name : `${name}-${before}`;
  });
}

interface Page {
  readonly path: string;
  readonly text: string;
}

/** Links to files of the project that are not there, and to places that a page does not have, as `page: link`. */
function brokenLinks(pages: readonly Page[]): readonly string[] {
  const anchors = new Map(pages.map(({ path, text }) => [path, anchorsOf(text)]));
  return pages.flatMap(({ path, text }) =>
    [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map((match) => match[1] ?? "")
      .filter((link) => !/^[a-z]+:/.test(link))
      .filter((link) => {
        const [file = "", place] = link.split("#");
        const target = file === "" ? path : join(dirname(path), file);
        return (
          !existsSync(join(root, target)) || (place !== undefined && anchors.get(target)?.includes(place) !== true)
        );
      })
      .map((link) => `${path}: ${link}`),
  );
}

function readPages(): readonly Page[] {
  const pagesOf = (folder: string, recursive: boolean) =>
    readdirSync(join(root, folder), { recursive, encoding: "utf8" })
      .filter((name) => name.endsWith(".md"))
      .map((name) => join(folder, name));
  return [...pagesOf(".", false), ...pagesOf("docs", true), ...pagesOf("sandbox/compose", false)].map((path) => ({
    path,
    text: readFileSync(join(root, path), "utf8"),
  }));
}

describe("links between pages", () => {
  it("lead to files that are there, and to headings that they have", () => {
    const headings =
      "# `ipai restore --as NAME`: a copy\n## [Odoo](x)'s own\n```sh\n# no heading\n```\n## JSON\n## JSON\n";
    expect(anchorsOf(headings)).toEqual(["ipai-restore---as-name-a-copy", "odoos-own", "json", "json-1"]);
    const links =
      "[a](../README.md#json) [b](../README.md#yaml) [c](gone.md) [d](https://x.test/#y) [e](#here) [f](#there)";
    expect(
      brokenLinks([
        { path: "docs/errors.md", text: `# Here\n${links}` },
        { path: "README.md", text: "## JSON\n" },
      ]),
    ).toEqual(["docs/errors.md: ../README.md#yaml", "docs/errors.md: gone.md", "docs/errors.md: #there"]);
    const all = readPages();
    expect(all.length).toBeGreaterThan(70);
    expect(brokenLinks(all)).toEqual([]);
  });
});
