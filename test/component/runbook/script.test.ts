import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Run } from "../../../src/engine/journal.ts";
import { runScript } from "../../../src/runbook/fixtures/scripts.ts";
import type { Plan, Step } from "../../../src/runbook/plan.ts";
import { output } from "../../../src/runbook/value.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { planOf, runPlan, World } from "../../harness/plans.ts";

/** The exported script of a plan and the engine do the same: the same plan is run by both, each in a world of its own. */
let test: TestControl;
let folder: string;

beforeAll(async () => {
  test = await startControl();
  folder = mkdtempSync(join(tmpdir(), "ipai-twins-"));
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await test[Symbol.asyncDispose]();
});

type Leaf =
  | "plain"
  | "blind"
  | "found"
  | "failing"
  | "failing once"
  | "passed"
  | "asking"
  | "wanted"
  | "unwanted"
  | "final"
  | "late";
type Node = Leaf | "pivot" | { readonly in: readonly Node[]; readonly found: boolean };

const leaf = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom<Leaf[]>("plain", "blind", "found", "wanted", "unwanted") },
  { weight: 2, arbitrary: fc.constantFrom<Leaf[]>("failing", "passed") },
  { weight: 1, arbitrary: fc.constantFrom<Leaf[]>("asking", "final", "late", "failing once") },
);
const { nodes } = fc.letrec<{ nodes: Node[]; node: Node }>((tie) => ({
  nodes: fc.array(tie("node"), { minLength: 1, maxLength: 4 }),
  node: fc.oneof(
    { maxDepth: 2, depthSize: "small" },
    { weight: 6, arbitrary: leaf },
    { weight: 3, arbitrary: fc.record({ in: tie("nodes"), found: fc.boolean() }) },
  ),
}));
/** It stands alone, or is the last of what is done while users are kept out. */
const shape = fc.tuple(nodes, fc.option(nodes), fc.boolean()).map(([before, after, isWithin]): readonly Node[] => {
  if (after === null) return before;
  return isWithin ? [{ in: [...before, "pivot"], found: false }, ...after] : [...before, "pivot", ...after];
});

/** The same steps for any world; ids are counted, so that two worlds have the same. */
class Builder {
  readonly #world: World;
  #count = 0;

  constructor(world: World) {
    this.#world = world;
  }

  plan(shape: readonly Node[]): Plan {
    const flags = this.#world.read("flags", '{"yes": true, "no": false}', {
      outputs: { yes: { from: "stdout", as: "json", pick: ["yes"] }, no: { from: "stdout", as: "json", pick: ["no"] } },
    });
    return planOf([flags, ...this.#steps(shape)]);
  }

  #steps(shape: readonly Node[]): readonly Step[] {
    return shape.map((node) => this.#step(node));
  }

  #step(node: Node): Step {
    const id = `s${this.#count++}`;
    if (node === "pivot") return { kind: "pivot", id, title: "Users are back" };
    if (typeof node === "string") return this.#leaf(node, id);
    const edge = (name: string) => this.#world.blind(`${name} ${id}`, { undo: "nothing" });
    const found = this.#world.act(`open ${id}`, { undo: "nothing", done: this.#world.exists("effects") });
    return {
      kind: "bracket",
      id,
      title: `Bracket ${id}`,
      open: [node.found ? found : edge("open"), edge("open too")],
      body: this.#steps(node.in),
      close: [edge("close"), edge("close too")],
    };
  }

  #leaf(node: Leaf, id: string): Step {
    const w = this.#world;
    switch (node) {
      case "plain":
        return w.act(id);
      case "blind":
        return w.blind(id);
      case "found":
        return w.act(id, { done: w.exists("effects"), verify: [] });
      case "failing":
        return w.failing(id);
      case "failing once":
        return w.blind(id, { attempts: 2, verify: [{ ...w.has(`do ${id}`), with: 2 }] });
      case "passed":
        return w.failing(id, { onFail: "continue" });
      case "asking":
        return w.failing(id, { onFail: "ask" });
      case "wanted":
        return w.act(id, { when: output("flags", "yes") });
      case "unwanted":
        return w.act(id, { when: output("flags", "no") });
      case "final":
        return w.act(id, { undo: "irreversible" });
      case "late":
        return w.wait(id, { probe: w.exists("never") }, { timeoutSeconds: 1 });
    }
  }
}

function exitCodeOf(run: Run): number {
  return run.outcome === "succeeded" ? 0 : run.outcome === "undone" ? 3 : 4;
}

describe("the script of a plan and the engine", () => {
  it("leave the same world and say the same of it", { timeout: 300_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(shape, async (nodes) => {
        const [ours, theirs] = [World.create(folder), World.create(folder)];
        const run = await runPlan(test.control, new Builder(ours).plan(nodes));
        const script = await runScript(new Builder(theirs).plan(nodes), { folder: theirs.folder });
        expect({ status: script.status, effects: theirs.effects() }).toEqual({
          status: exitCodeOf(run),
          effects: ours.effects(),
        });
      }),
      { numRuns: 8, endOnFailure: true },
    );
  });
});
