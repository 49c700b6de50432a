import { advance } from "../../src/engine/advance.ts";
import { openControl } from "../../src/engine/control.ts";
import { getRun } from "../../src/engine/journal.ts";
import { toErrorRecord } from "../../src/errors/error.ts";
import { markName } from "../../src/host/fixtures/processes.ts";
import { LocalExecutor } from "../../src/host/local.ts";
import type { Plan } from "../../src/runbook/plan.ts";
import { createEngine } from "./plans.ts";

/**
 * Carries a run out in a process of its own: `node test/harness/carry-out.ts HOME RUN`. Tells every event as a line of JSON, and
 * ends with the run's status, or the error, as the last one.
 */
const [home = "", id = ""] = process.argv.slice(2);
const control = await openControl({ home, executor: new LocalExecutor() });
const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);
const { plan } = await getRun(control, id);
// Plans of procedures inside it come as its input, by name.
const inner = plan.input as Readonly<Record<string, Plan>> | null;
const plans = Object.fromEntries(
  Object.entries({ ...inner, [plan.procedure]: plan }).map(([name, one]) => [name, () => one]),
);
const mark = process.env[markName];
const environment = mark === undefined ? {} : { [markName]: mark };
const engine = createEngine(control, { onEvent: say, plans, environment });
try {
  const { status, outcome } = await advance(engine, id);
  say({ kind: "ended", data: { status, outcome } });
} catch (thrown) {
  say({ kind: "error", data: toErrorRecord(thrown) });
  process.exitCode = 1;
} finally {
  await control.close();
}
