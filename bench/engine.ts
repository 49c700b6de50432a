import type { Act } from "../src/runbook/plan.ts";
import { startControl } from "../test/harness/control.ts";
import { planOf, runPlan, World } from "../test/harness/plans.ts";
import type { Bench } from "./bench.ts";

const stepCount = 200;
const rounds = 5;

export const engineBenches: readonly Bench[] = [
  {
    name: "engine-step",
    title: `a changing step that does nothing, in a run of ${stepCount}: what the engine costs`,
    unit: "ms",
    goal: 15,
    measure: () => perStep((world, id) => world.change(id, nothing)),
  },
  {
    name: "engine-read-step",
    title: "the same for a step that only reads",
    unit: "ms",
    goal: 15,
    measure: () => perStep((world, id) => ({ ...world.change(id, nothing), effect: "read" })),
  },
  {
    name: "command-step",
    title: "a changing step of three small programs: asked, done, verified",
    unit: "ms",
    measure: () => perStep((world, id) => world.act(id), 30),
  },
];

const nothing = { kind: "call", name: "bench.nothing", version: 1, input: {} } as const;

/** Milliseconds per step, for each of several runs. The database writes as it does in earnest. */
async function perStep(make: (world: World, id: string) => Act, count = stepCount): Promise<readonly number[]> {
  await using test = await startControl({ isDurable: true });
  const calls = { "bench.nothing": async () => null };
  const values: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const world = World.create(test.home);
    const plan = planOf(Array.from({ length: count }, (_, index) => make(world, `step-${index}`)));
    const startedAt = performance.now();
    const { outcome } = await runPlan(test.control, plan, { calls });
    if (outcome !== "succeeded") throw new Error(`the run ended ${outcome}`);
    // The first one warms up.
    if (round > 0) values.push((performance.now() - startedAt) / count);
  }
  return values;
}
