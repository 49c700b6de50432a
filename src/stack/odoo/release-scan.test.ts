import { describe, expect, it } from "vitest";
import { createGit } from "../git.ts";
import { parseReleaseScan, type ReleaseKind, scanRelease } from "./release-scan.ts";

const release = { release: { from: "a", to: "b", python: "3.11", isShallow: false } };
const addon = (name: string, kind: ReleaseKind, change: "same" | "changed" | "new" | "removed" = "changed") => ({
  addon: {
    name,
    path: `addons/${name}`,
    change,
    version: "1.0",
    versionNow: change === "new" ? null : "1.0",
    depends: [],
    external: { python: [], bin: [] },
    isInstallable: true,
    hash: "1",
    hashNow: "2",
    renamed: null,
    pathNow: null,
    kind,
    reasons: [],
  },
});

describe("what a scan printed", () => {
  it("is sorted by what it tells", () => {
    const scan = parseReleaseScan([
      release,
      addon("a", "code"),
      { missing: "gone" },
      { broken: { addon: "a", file: "a.py", line: 3, message: "invalid syntax" } },
      { image: { file: "Dockerfile", why: "changed" } },
      { other: "notes.txt" },
      { converted: ".gitattributes" },
    ]);
    expect(scan).toMatchObject({
      to: "b",
      addons: [{ name: "a", kind: "code" }],
      missingFolders: ["gone"],
      broken: [{ line: 3 }],
      image: [{ file: "Dockerfile" }],
      others: ["notes.txt"],
      converted: ".gitattributes",
      configuration: [],
    });
  });

  it.each([
    ["nothing", []],
    ["something else", [release, { unknown: 1 }]],
    ["an addon of no known kind", [release, { addon: { ...addon("a", "code").addon, kind: "hot" } }]],
  ])("is refused when it is %s", (_, lines) => {
    expect(() => parseReleaseScan(lines)).toThrow();
  });
});

it("is asked of Python, as the owner of the repository, with what is looked for in one argument", () => {
  const git = createGit("ssh://root@host", { repository: "/opt/code", remote: "origin", branch: "main" });
  const asked = scanRelease(git, {
    from: "a",
    to: { ref: "output", step: "s", name: "to" },
    addons: ["it's"],
    image: [],
    configuration: [],
  });
  expect(asked.host).toBe("ssh://root@host");
  expect(asked.pipeline).toHaveLength(1);
  const [shell, option, , ...rest] = asked.pipeline[0].argv;
  expect([shell, option, ...rest]).toEqual([
    "sh",
    "-c",
    "owner",
    "/opt/code",
    "/usr/bin/python3",
    "-",
    "a",
    { ref: "output", step: "s", name: "to" },
    '{"addons":["it\'s"],"image":[],"configuration":[]}',
  ]);
});
