import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bringSince, findMissing, listMissing, type Search } from "../../../src/procedures/backup/restore/files.ts";
import type { Step } from "../../../src/runbook/plan.ts";
import type { SetPart } from "../../../src/stack/restic.ts";
import { createStack, type Stack } from "../../../src/stack/stack.ts";
import { perform, practiceStack } from "../../harness/perform.ts";

/** Attachments that a restored database names, looked for in kept copies of the filestore and in real repositories. */

let folder: string;
let stack: Stack;
let search: Search;
const run = "20260101t000000_abcd";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ipai-attachments-"));
  await writeFile(join(folder, "repository-password"), "secret\n");
  const definition = practiceStack(folder);
  stack = createStack({ ...definition, odoo: { ...definition.odoo, user: "root" } });
  const { restic } = stack;
  if (restic === undefined) throw new TypeError("the practice stack has a repository");
  search = { list: join(folder, "list"), missing: join(folder, "missing"), repository: restic, first: "middle" };
  await perform(restic.initialise());
});
afterAll(() => rm(folder, { recursive: true }));

const nameOf = (content: string) => {
  const sum = createHash("sha1").update(content).digest("hex");
  return `${sum.slice(0, 2)}/${sum}`;
};

async function put(where: string, content: string, under = nameOf(content)): Promise<void> {
  await mkdir(dirname(join(where, under)), { recursive: true });
  await writeFile(join(where, under), content);
}

/** A set with these attachments, as a backup stores one. */
async function store(id: string, takenAt: string, ...contents: readonly string[]): Promise<void> {
  const set = join(folder, "set");
  await rm(set, { recursive: true, force: true });
  for (const content of contents) await put(join(set, "filestore"), content);
  await mkdir(join(set, "dump"));
  for (const name of ["dump/toc.dat", "attachments", "unsound", "about", "manifest", "roles"])
    await writeFile(join(set, name), "x\n");
  if (stack.restic !== undefined) await perform(stack.restic.store(set, takenAt, "scheduled"), { run: id });
}

const kept = (name: string) => join(folder, "odoo/filestore", name);
const past = () => kept(`odoo_past_${run}`);

async function list(...contents: readonly string[]): Promise<void> {
  const lines = contents.map((content) => `${nameOf(content).slice(3)}  ${nameOf(content)}\n`);
  await writeFile(String(search.list), lines.join(""));
}

async function carryOut(steps: readonly Step[]): Promise<void> {
  for (const step of steps)
    if (step.kind === "act" && step.action.kind === "command") await perform(step.action, { run });
}

const missing = async () => (await readFile(String(search.missing), "utf8")).split("\n").slice(0, -1);

describe("attachments that are missing", () => {
  it("are found in the live filestore, in a kept copy, in the set itself and in any other; the rest is listed", async () => {
    const many = Array.from({ length: 450 }, (_, index) => `one of many: ${index}`);
    await store("oldest", "2026-01-01 00:00:00", "only in the oldest", ...many);
    await store("middle", "2026-01-02 00:00:00", "in the set itself");
    await store("newest", "2026-01-03 00:00:00", "in the newest");
    await put(past(), "there");
    await put(kept("odoo"), "live");
    await put(kept("odoo_before_other"), "kept");
    // Something of that name is there, and is not it: neither here nor where else it would be found.
    await put(past(), "altered", nameOf("in the newest"));
    await put(kept("odoo"), "altered too", nameOf("nowhere"));
    const named = [
      "there",
      "live",
      "kept",
      "in the set itself",
      "in the newest",
      "only in the oldest",
      "nowhere",
      ...many,
    ];
    await list(...named);
    await carryOut([listMissing(stack, search)]);
    expect(await missing()).toHaveLength(named.length - 1);
    await carryOut(findMissing(stack, search));
    expect(await missing()).toEqual([nameOf("nowhere")]);
    for (const content of named.filter((one) => one !== "nowhere"))
      expect(await readFile(join(past(), nameOf(content)), "utf8")).toBe(content);
    // Once more over what is there, as after an interruption.
    await carryOut(findMissing(stack, search));
    expect(await missing()).toEqual([nameOf("nowhere")]);
    expect((await readdir(folder)).filter((name) => name.startsWith("missing."))).toEqual([]);
  });

  it("that were added meanwhile are brought over, and what is not named any more is not missed", async () => {
    await put(kept("odoo"), "added meanwhile");
    await list("there", "added meanwhile", "never anywhere");
    await carryOut(bringSince(stack, search));
    expect(await missing()).toEqual([nameOf("never anywhere")]);
    expect(await readFile(join(past(), nameOf("added meanwhile")), "utf8")).toBe("added meanwhile");
  });

  it("cannot be told without the list: nothing is said to be there", async () => {
    await rm(String(search.list));
    await expect(carryOut([listMissing(stack, search)])).rejects.toMatchObject({ code: "host.command_failed" });
  });
});

describe("a set is read from its repository", () => {
  it.each([
    ["all", ["about", "attachments", "dump", "filestore", "manifest", "roles", "unsound"]],
    ["database", ["about", "attachments", "dump", "manifest", "roles", "unsound"]],
    ["files", ["about", "attachments", "filestore", "unsound"]],
  ] as const)("whole or in part: %s", async (part: SetPart, names) => {
    const into = join(folder, `part-${part}`);
    if (stack.restic !== undefined) await perform(stack.restic.fetch("middle", into, part));
    expect((await readdir(into)).sort()).toEqual(names);
  });
});
