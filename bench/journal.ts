import { sql } from "kysely";
import type { Control } from "../src/engine/control.ts";
import { getRun, listRuns, listSteps } from "../src/engine/journal.ts";
import { toJsonb } from "../src/engine/json.ts";
import { startControl } from "../test/harness/control.ts";
import { planOf, World } from "../test/harness/plans.ts";
import { type Bench, time } from "./bench.ts";

const runCount = 50_000;
const stepsPerRun = 10;
const size = `among ${runCount.toLocaleString("en")} runs with ${(runCount * stepsPerRun).toLocaleString("en")} steps`;

export const journalBenches: readonly Bench[] = [
  {
    name: "runs-last-50",
    title: `the last 50 runs ${size}`,
    unit: "ms",
    goal: 20,
    measure: () => inHistory((control) => listRuns(control, 50)),
  },
  {
    name: "runs-of-a-stack",
    title: `the last 50 of a rare stack ${size}`,
    unit: "ms",
    goal: 20,
    measure: () => inHistory((control) => listRuns(control, 50, { stacks: ["rare"] })),
  },
  {
    name: "run-with-steps",
    title: `one run and its steps ${size}`,
    unit: "ms",
    goal: 20,
    measure: () => inHistory(async (control, id) => [await getRun(control, id), await listSteps(control, id)]),
  },
  {
    name: "run-by-its-end",
    title: `one run by the end of its id ${size}`,
    unit: "ms",
    measure: () => inHistory((control, id) => getRun(control, id.slice(-9))),
  },
];

/** Several measurements on years of history; made for each, so that any of them can be run alone. */
async function inHistory(work: (control: Control, run: string) => Promise<unknown>): Promise<readonly number[]> {
  await using test = await startControl();
  const { db } = test.control;
  // As large as a real plan: twenty steps, each with its commands, probes and undo.
  const world = World.create(test.home);
  const plan = toJsonb(planOf(Array.from({ length: 20 }, (_, index) => world.act(`step-${index}`))));
  await sql`
    insert into runs (id, procedure, stack, title, plan, plan_hash, undo_class, actor, status, outcome, created_at, started_at, finished_at)
    select to_char(at, 'YYYYMMDD"t"HH24MISS') || '_' || lpad(to_hex(n % 65536), 4, '0'), 'upgrade',
      case when n % 1000 = 0 then 'rare' else 'stack-' || n % 20 end, 'Upgrade ' || n, ${plan}::jsonb, md5(n::text),
      'instant', 'anna', 'ended', 'succeeded', at, at, at + interval '4 minutes'
    from (select n, timestamptz '2024-01-01' + n * interval '17 minutes' as at from generate_series(1, ${runCount}::int) as n) as runs`.execute(
    db,
  );
  await sql`
    insert into steps (run, path, phase, step, title, outcome, attempts, outputs, started_at, finished_at)
    select id, 'step-' || n, 'do', 'step-' || n, 'Step ' || n, 'succeeded', 1, '{}', created_at, finished_at
    from runs, generate_series(1, ${stepsPerRun}::int) as n`.execute(db);
  await sql`vacuum analyze`.execute(db);
  const { id } = await db.selectFrom("runs").select("id").orderBy("created_at").offset(777).executeTakeFirstOrThrow();
  // Awaited here, before the database goes away.
  return await time(15, () => work(test.control, id));
}
