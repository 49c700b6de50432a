import { sql } from "kysely";
import { advance } from "../../src/engine/advance.ts";
import { openControl } from "../../src/engine/control.ts";
import { isConnectionLost, persist } from "../../src/engine/persist.ts";
import { work } from "../../src/engine/worker.ts";
import { toErrorRecord } from "../../src/errors/error.ts";
import { markName } from "../../src/host/fixtures/processes.ts";
import { LocalExecutor } from "../../src/host/local.ts";
import type { Plan } from "../../src/runbook/plan.ts";
import { createEngine } from "./plans.ts";

/**
 * One of several workers on one control database: `node test/harness/chaos-worker.ts HOME`. It is the program's own worker, on plans
 * of the tests, and waits for nobody. Says every error that is no part of the game as a line of JSON.
 */
const [home = ""] = process.argv.slice(2);
const control = await openControl({ home, executor: new LocalExecutor() });
const name = `chaos ${process.pid}`;
const engine = {
  ...createEngine(control, {
    environment: { [markName]: process.env[markName] ?? "" },
    waitForLease: true,
    worker: name,
  }),
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

const say = (kind: string, data: object) => process.stdout.write(`${JSON.stringify({ kind, data })}\n`);
/** A person was faster. */
const expected = ["run.nothing_to_decide"];
say("ready", {});
const stackNames = Array.from({ length: 20 }, (_, index) => `stack-${index + 1}`);
await work(
  {
    ...{ control, name, schedules: [], stacks: stackNames, now: () => new Date(), patienceMs: 0 },
    pause: () => new Promise((resolve) => setTimeout(resolve, 100)),
    plan: ({ procedure }) => findPlan(procedure),
    carryOut: (run) => advance(engine, run),
    tell: (event) => {
      if (event.kind !== "stopped" && event.kind !== "trouble") return;
      // Looks fail while the database restarts; of nothing else.
      if (event.kind === "trouble" && isConnectionLost(event.error.cause)) return;
      const error = toErrorRecord(event.error);
      if (!expected.includes(error.code)) say("fault", { ...event, ...error });
    },
  },
  new AbortController().signal,
);
