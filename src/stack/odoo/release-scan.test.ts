import { describe, expect, it } from "vitest";
import { createGit } from "../git.ts";
import {
  heaviestKind,
  kindOfRelease,
  modulesToUpdate,
  parseReleaseScan,
  type ReleaseKind,
  releaseKinds,
  scanRelease,
} from "./release-scan.ts";

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

describe("the kind of a release", () => {
  it("is the heaviest of what is installed", () => {
    for (const one of releaseKinds) expect(heaviestKind(["none", one])).toBe(one);
    expect(heaviestKind([])).toBe("none");
    const scan = parseReleaseScan([release, addon("a", "code"), addon("b", "data"), addon("c", "schema", "new")]);
    expect(kindOfRelease(scan, new Set(["a"]))).toBe("code");
    expect(kindOfRelease(scan, new Set(["a", "b"]))).toBe("data");
    expect(kindOfRelease(scan, new Set(["c"]))).toBe("schema");
    expect(kindOfRelease(scan, new Set())).toBe("none");
  });

  it.each([
    { doubt: { file: "addons", why: "a link" } },
    { submodule: { path: "vendor", from: "1", to: "2" } },
    { missing: "addons" },
  ])("is schema when something is in doubt: %j", (line) => {
    expect(kindOfRelease(parseReleaseScan([release, line]), new Set())).toBe("schema");
  });

  it("names the modules to update: installed, still there, and with more than code changed", () => {
    const lines = [
      addon("a", "code"),
      addon("b", "data"),
      addon("c", "schema"),
      addon("d", "schema", "removed"),
      addon("e", "schema", "new"),
    ];
    expect(modulesToUpdate(parseReleaseScan([release, ...lines]), new Set(["a", "b", "c", "d"]))).toEqual(["b", "c"]);
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
