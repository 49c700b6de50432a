import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { advance } from "../../engine/advance.ts";
import { describeStatus } from "../../engine/journal.ts";
import { type WorkerEvent, work } from "../../engine/worker.ts";
import { schedulesOf } from "../../procedures/schedules.ts";
import type { Context } from "../context.ts";

/** Stays, and does what nobody waits for, on every stack of the configuration. */
export async function worker(context: Context, options: { json?: boolean }): Promise<number> {
  await using app = await context.openApp();
  const schedules = Object.values(app.config.stacks).flatMap(schedulesOf);
  const engine = app.engine({ waitForLease: true });
  const say = (event: WorkerEvent) =>
    context.terminal.out(options.json === true ? JSON.stringify(toJson(event)) : line(event));
  const name = `worker ${process.pid} on ${hostname()}`;
  context.terminal.err(`${name} works on ${Object.keys(app.config.stacks).join(", ")}: ${schedules.length} schedules.`);
  const ports = {
    ...{ control: app.control, name, schedules, now: () => new Date(), tell: say },
    pause: (milliseconds: number, signal: AbortSignal) =>
      sleep(milliseconds, undefined, { signal }).catch(() => undefined),
    plan: ({ procedure, stack, input }: { procedure: string; stack: string; input: unknown }) =>
      app.plan(procedure, stack, input as never),
    carryOut: (run: string) => advance({ ...engine, worker: name }, run),
  };
  await work(ports, stopOnSignals(context));
  return 0;
}

/** The first signal lets what is under way end; the second leaves at once, and another worker goes on with it. */
function stopOnSignals(context: Context): AbortSignal {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(130);
      context.terminal.err(
        "Stopping: what is under way ends first. (Again to leave now; another worker goes on with it.)",
      );
      stop.abort();
    });
  return stop.signal;
}

function line(event: WorkerEvent): string {
  const at = new Date().toISOString();
  switch (event.kind) {
    case "began":
      return `${at} ${event.occurrence.stack} ${event.occurrence.schedule}: begins run ${event.run}`;
    case "not_begun":
      return `${at} ${event.occurrence.stack} ${event.occurrence.schedule}: could not begin`;
    case "took_over":
      return `${at} takes over run ${event.run}`;
    case "ended":
      return `${at} ${event.run.stack} run ${event.run.id} (${event.run.procedure}): ${describeStatus(event.run)}`;
    case "stopped":
      return `${at} run ${event.run} cannot go on now: ${event.error.message}`;
    case "gave_up":
      return `${at} gives up the silent ${event.worker}`;
    case "trouble":
      return `${at} ${event.error.code}: ${event.error.message}`;
  }
}

function toJson(event: WorkerEvent): object {
  const at = new Date().toISOString();
  switch (event.kind) {
    case "began":
      return {
        at,
        kind: event.kind,
        stack: event.occurrence.stack,
        schedule: event.occurrence.schedule,
        run: event.run,
      };
    case "not_begun":
      return { at, kind: event.kind, stack: event.occurrence.stack, schedule: event.occurrence.schedule };
    case "ended":
      return { at, kind: event.kind, stack: event.run.stack, run: event.run.id, outcome: describeStatus(event.run) };
    case "stopped":
    case "trouble":
      return { at, ...event, error: event.error.code };
    default:
      return { at, ...event };
  }
}
