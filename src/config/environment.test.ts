import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { withEnvironmentFile } from "./environment.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "ipai-environment-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

it("is that of the file where the caller's own says nothing", () => {
  const file = join(folder, "environment");
  writeFileSync(file, "# comment\nA=1\nexport B='two words'\n  C=\"x=y\"  \nD=\nnot an assignment\n1E=no\nMINE=file\n");
  const given = { IPAI_ENVIRONMENT_FILE: file, MINE: "caller" };
  expect(withEnvironmentFile(given)).toEqual({ ...given, A: "1", B: "two words", C: "x=y", D: "", MINE: "caller" });
});

it("is the caller's alone where there is no file", () => {
  const given = { IPAI_ENVIRONMENT_FILE: join(folder, "none"), A: "1" };
  expect(withEnvironmentFile(given)).toEqual(given);
});
