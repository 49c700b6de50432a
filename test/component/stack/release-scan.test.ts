import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readOutput } from "../../../src/host/perform.ts";
import { createGit } from "../../../src/stack/git.ts";
import { parseReleaseScan, type ReleaseScan, scanRelease } from "../../../src/stack/odoo/release-scan.ts";
import { commit, makeRepository } from "../../harness/git.ts";
import { perform } from "../../harness/perform.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ipai-scan-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function scan(from: string, to: string, addons = ["addons"]): Promise<ReleaseScan> {
  const git = createGit("local", { repository: folder, remote: "origin", branch: "main" });
  const result = await perform(
    scanRelease(git, { from, to, addons, image: ["Dockerfile*"], configuration: ["*.conf"] }),
  );
  return parseReleaseScan(readOutput(result, { from: "stdout", as: "jsonLines" }));
}

it("answers", async () => {
  await makeRepository(folder);
  const model = (body: string) =>
    `from odoo import fields, models\n\n\nclass Thing(models.Model):\n    _name = "thing"\n\n    name = fields.Char()\n\n    def act(self):\n        ${body}\n`;
  const base = {
    "addons/a/__manifest__.py": '{"name": "A", "depends": ["base"]}',
    "addons/a/__init__.py": "from . import models\n",
    "addons/a/models/__init__.py": "from . import thing\n",
    "addons/a/models/thing.py": model("return 1"),
  };
  const one = await commit(folder, base);
  const two = await commit(folder, { "addons/a/models/thing.py": model("return 2"), Dockerfile: "FROM x" });
  const found = await scan(one, two);

  expect(found.addons[0]?.kind).toBe("code");
});
