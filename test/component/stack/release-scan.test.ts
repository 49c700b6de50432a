import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readOutput } from "../../../src/host/perform.ts";
import { createGit } from "../../../src/stack/git.ts";
import { parseReleaseScan, type ReleaseScan, scanRelease } from "../../../src/stack/odoo/release-scan.ts";
import { commit, type Files, makeRepository } from "../../harness/git.ts";
import { perform } from "../../harness/perform.ts";
import { base, type Case, cases } from "./release-cases.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ipai-scan-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function scan(repository: string, from: string, to: string, addons = ["addons"]): Promise<ReleaseScan> {
  const git = createGit("local", { repository, remote: "origin", branch: "main" });
  const patterns = { image: ["Dockerfile*"], configuration: ["*.conf"] };
  const result = await perform(scanRelease(git, { from, to, addons, ...patterns }));
  return parseReleaseScan(readOutput(result, { from: "stdout", as: "jsonLines" }));
}

describe("an edit of an addon", () => {
  /** All cases are one release: an addon for each. */
  let found: ReleaseScan;
  const nameOf = ({ title }: Case) => `case_${title.toLowerCase().replaceAll(/\W+/g, "_")}`;
  beforeAll(async () => {
    const repository = join(folder, "cases");
    await makeRepository(repository);
    const from = await commit(repository, Object.assign({}, ...cases.map((one) => filesOf(one, one.before ?? {}))));
    const to = await commit(repository, Object.assign({}, ...cases.map((one) => filesOf(one, edited(one)))));
    found = await scan(repository, from, to);
  });

  function filesOf(one: Case, changed: Files): Files {
    const files = Object.entries({ ...base, ...one.before, ...changed });
    const place = (text: Files[string]) => (typeof text === "string" ? text.replaceAll("NAME", nameOf(one)) : text);
    return Object.fromEntries(files.map(([path, text]) => [`addons/${nameOf(one)}/${path}`, place(text)]));
  }

  function edited({ before, after }: Case): Files {
    const current: Files = { ...base, ...before };
    return Object.fromEntries(
      Object.entries(after).map(([path, edit]) => [
        path,
        typeof edit === "function" ? edit(String(current[path])) : edit,
      ]),
    );
  }

  it.each(cases)("of $title: $kind", (one) => {
    const addon = found.addons.find(({ name }) => name === nameOf(one));
    const told = addon?.reasons.map(({ file, kind, why }) => `${kind}: ${file.split("/").slice(2).join("/")}: ${why}`);
    expect.soft(addon?.kind, told?.join("\n")).toBe(one.kind);
    expect(told?.join("\n") ?? "").toContain(one.why ?? "");
  });
});
