import { sql } from "kysely";
import { advance } from "../../src/engine/advance.ts";
import { openControl } from "../../src/engine/control.ts";
import { persist } from "../../src/engine/persist.ts";
import { toErrorRecord } from "../../src/errors/error.ts";
import { markName } from "../../src/host/fixtures/processes.ts";
import { LocalExecutor } from "../../src/host/local.ts";
import type { Plan } from "../../src/runbook/plan.ts";
import { createEngine } from "./plans.ts";

/**
 * One of several workers on one control database: `node test/harness/chaos-worker.ts HOME`. Looks for runs that could go on and
 * carries them all, without asking who else does. Says every error that is no part of the game as a line of JSON.
 */
const [home = ""] = process.argv.slice(2);
const control = await openControl({ home, executor: new LocalExecutor() });
const engine = {
  ...createEngine(control, { environment: { [markName]: process.env[markName] ?? "" }, waitForLease: true }),
  plan: (procedure: string) => persist(() => findPlan(procedure)),
};

/** A run's own plan, or that of a procedure inside one, which its input has. */
async function findPlan(procedure: string): Promise<Plan> {
  const { rows } = await sql<{ plan: Plan }>`
    select plan from runs where procedure = ${procedure}
    union all
    select plan -> 'input' -> ${procedure} from runs where plan -> 'input' -> ${procedure} is not null
    limit 1`.execute(control.db);
  if (rows[0] === undefined) throw new Error(`no plan of ${procedure}`);
  return rows[0].plan;
}

/** Runs that nobody has to be waited for. */
async function listReady(): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    select id from runs
    where parent is null and (
      status in ('planned', 'running', 'undoing')
      or status = 'waiting' and (decision is not null or cancel_requested_by is not null)
      or waiting_for = 'approval' and id in (select run from approvals)
    )`.execute(control.db);
  return rows.map(({ id }) => id);
}

/** Another worker was faster, or a person was. */
const expected = ["run.being_advanced", "run.fenced", "run.nothing_to_decide"];

async function carry(run: string): Promise<void> {
  try {
    await advance(engine, run);
  } catch (thrown) {
    const error = toErrorRecord(thrown);
    if (!expected.includes(error.code))
      process.stdout.write(`${JSON.stringify({ kind: "fault", data: { run, ...error } })}\n`);
  }
}

const carried = new Set<string>();
process.stdout.write(`${JSON.stringify({ kind: "ready" })}\n`);
for (;;) {
  for (const run of await persist(listReady)) {
    if (carried.has(run)) continue;
    carried.add(run);
    void carry(run).finally(() => carried.delete(run));
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
}
