import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { compareStates } from "../../../src/procedures/deployment/effects.ts";
import { createStack } from "../../../src/stack/stack.ts";
import { makeTestFolder } from "../../harness/folders.ts";
import { perform, practiceStack } from "../../harness/perform.ts";

/** What an update did, found in what was noted before and after it. */

const jsonLines = (...lines: readonly object[]) => lines.map((line) => `${JSON.stringify(line)}\n`).join("");
const kept = (record: string, field: string, file: string) => ({ kind: "kept", record, model: "m", field, file });
const view = (name: string, why: string) => ({ kind: "view", view: name, model: "m", why });

it("a release is told apart from what people did", async () => {
  const folder = await makeTestFolder("ipai-effects-");
  const stack = createStack(practiceStack(folder));
  const files: Readonly<Record<string, string>> = {
    "structure-before": "column a.x text\nrows a 3\n",
    "structure-after": "column a.x text\nrows a 4\n",
    "odoo-before": jsonLines(kept("a.old", "name", "1"), kept("a.both", "name", "2"), view("a.ill", "was so")),
    "odoo-after": jsonLines(
      ...[
        kept("a.old", "name", "1"),
        kept("a.both", "name", "3"),
        kept("a.both", "code", "4"),
        kept("a.both", "note", "5"),
      ],
      ...[view("a.ill", "was so"), view("a.new", "no such field"), { kind: "off", cron: "a.off|Off" }],
      { kind: "unknown", what: "a.odd", why: "it does not load" },
    ),
    "crons-before": '["a.gone|Gone", "a.off|Off", "a.stays|Stays"]\n',
    // All of them, and those that are active on the copy.
    "crons-after": '["a.new|New", "a.off|Off", "a.stays|Stays"]\n["a.new|New"]\n',
    "work/runs/one/update.log":
      "2026-11-29 08:00:00,000 1 WARNING odoo odoo.modules: odd\n2026-11-29 08:00:00,001 1 INFO odoo fine\n",
  };
  await mkdir(join(folder, "work/runs/one"), { recursive: true });
  for (const [path, text] of Object.entries(files)) await writeFile(join(folder, path), text);
  const result = await perform(compareStates({ stack, folder }).action);
  await rm(folder, { recursive: true });
  expect(JSON.parse(result.stdout)).toEqual({
    gone: ["rows a 3"],
    come: ["rows a 4"],
    warned: ["WARNING odoo odoo.modules: odd"],
    invalidViews: ["a.new m: no such field"],
    kept: ["m a.both: code, name, note"],
    keptBefore: ["m a.old: name"],
    cronsLost: ["a.gone|Gone", "a.off|Off"],
    cronsNew: ["a.new|New"],
    notAsked: ["a.odd: it does not load"],
  });
});
