import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { advance } from "../../engine/advance.ts";
import { describeStatus } from "../../engine/journal.ts";
import { type KeeperEvent, keepBackups } from "../../engine/keeper.ts";
import { keepUp, type ReviveEvent } from "../../engine/revive.ts";
import { Worker, type WorkerEvent, type WorkerPorts, work } from "../../engine/worker.ts";
import { LocalExecutor } from "../../host/local.ts";
import { type CourierEvent, carryMessages } from "../../notify/courier.ts";
import { beat, type HeartbeatPorts } from "../../notify/heartbeat.ts";
import { schedulesOf } from "../../procedures/schedules.ts";
import type { App } from "../app.ts";
import type { Context } from "../context.ts";
import { backupSettings, controlOptions } from "../control.ts";
import { notifySettings, routesOf } from "../notify.ts";

/** Stays, and does what nobody waits for, on every stack of the configuration. */
export async function worker(context: Context, options: { json?: boolean }): Promise<number> {
  await using app = await context.openApp();
  return await stay(context, app, options, async () => undefined);
}

/**
 * Works until a signal ends it. `beside`: what else this process does meanwhile; it is told to stop with the worker, and may give it
 * runs to carry out.
 */
export async function stay(
  context: Context,
  app: App,
  options: { json?: boolean },
  beside: (worker: Worker, stop: AbortSignal) => Promise<void>,
): Promise<number> {
  const procedures = await app.procedures();
  const schedules = Object.values(app.config.stacks).flatMap((stack) => schedulesOf(stack, procedures));
  const engine = app.engine({ waitForLease: true });
  const say = (event: WorkerEvent) =>
    context.terminal.out(options.json === true ? JSON.stringify(toJson(event)) : line(event));
  const name = `worker ${process.pid} on ${hostname()}`;
  context.terminal.err(`${name} works on ${Object.keys(app.config.stacks).join(", ")}: ${schedules.length} schedules.`);
  let lastLook = new Date();
  const ports = {
    looked: () => {
      lastLook = new Date();
    },
    ...{
      control: app.control,
      name,
      schedules,
      stacks: Object.keys(app.config.stacks),
      now: () => new Date(),
      tell: say,
    },
    pause: (milliseconds: number, signal: AbortSignal) =>
      sleep(milliseconds, undefined, { signal }).catch(() => undefined),
    plan: ({ procedure, stack, input }: { procedure: string; stack: string; input: unknown }) =>
      app.plan(procedure, stack, input as never),
    consentFor: app.consentFor,
    carryOut: (run: string) => advance({ ...engine, worker: name }, run),
  };
  const stopping = stopOnSignals(context);
  const stop = stopping.signal;
  const courier = {
    ...notifySettings(app.config, procedures),
    ...{ control: app.control, now: ports.now, pause: ports.pause },
    tell: (event: CourierEvent) =>
      context.terminal.out(options.json === true ? JSON.stringify(courierJson(event)) : courierLine(event)),
  };
  const own = new Worker(ports);
  const worked = work(ports, stop, own).finally(() => stopping.abort());
  const others = [
    ...heartbeats(context, app, { ...ports, lastLook: () => lastLook }, stop),
    ...keepers(context, app, ports, stop),
    ...revivers(context, app, ports, stop),
    beside(own, stop),
  ];
  const [how] = await Promise.all([worked, carryMessages(courier, stop), ...others]);
  if (how === "stopped") return 0;
  context.terminal.err("Others took this worker for frozen, and have its runs now. Start it again.");
  return givenUpExitCode;
}

type HeartPorts = Pick<HeartbeatPorts, "now" | "pause" | "lastLook">;

function heartbeats(context: Context, app: App, ports: HeartPorts, stop: AbortSignal) {
  const { control, config } = app;
  if (config.heartbeat === undefined) return [];
  const { url, everySeconds } = config.heartbeat;
  const tell = (reason: string) => context.terminal.err(`${new Date().toISOString()} no heartbeat: ${reason}`);
  return [beat({ ...{ control, url, tell }, ...ports, everyMs: everySeconds * 1000 }, stop)];
}

/** The control database is backed up by every worker, on its own machine. */
function keepers(context: Context, app: App, ports: Pick<WorkerPorts, "now" | "pause" | "name">, stop: AbortSignal) {
  const { control, config } = app;
  const { isOff, ...settings } = backupSettings(config, context.environment);
  if (isOff) return [];
  const options = controlOptions(config, context.environment, new LocalExecutor());
  const tell = (event: KeeperEvent) => {
    const what =
      event.kind === "backed_up" ? `backed up to ${event.made.path}` : `not backed up: ${event.error.message}`;
    context.terminal.err(`${new Date().toISOString()} control database: ${what}`);
  };
  const backup = { ...options, ...settings, actor: ports.name };
  return [keepBackups({ control, backup, routes: routesOf(config), ...ports, tell }, stop)];
}

/** Only the embedded server is this program's to start. */
function revivers(context: Context, app: App, { pause }: Pick<WorkerPorts, "pause">, stop: AbortSignal) {
  const { home, url, executor } = controlOptions(app.config, context.environment, new LocalExecutor());
  if (url !== undefined) return [];
  const tell = (event: ReviveEvent) => {
    const what =
      event.kind === "started_again" ? `was gone (${event.reason}), and is started again` : event.error.message;
    context.terminal.err(`${new Date().toISOString()} control database: ${what}`);
  };
  return [keepUp({ home, executor, pause, tell }, stop)];
}

/** The first signal lets what is under way end; the second leaves at once, and another worker goes on with it. */
function stopOnSignals(context: Context): AbortController {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(130);
      context.terminal.err(
        "Stopping: what is under way ends first. (Again to leave now; another worker goes on with it.)",
      );
      stop.abort();
    });
  return stop;
}

/** Whatever watches over it starts it anew. */
const givenUpExitCode = 75;

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

function courierLine(event: CourierEvent): string {
  const at = new Date().toISOString();
  if (event.kind === "trouble") return `${at} messages: ${event.code}: ${event.message}`;
  const { batch, answer } = event;
  const what = `${batch.messages.length} message${batch.messages.length === 1 ? "" : "s"} for ${batch.channel}`;
  return `${at} ${what}: ${answer.kind === "delivered" ? "delivered" : `${answer.kind} (${answer.reason})`}`;
}

function courierJson(event: CourierEvent): object {
  const at = new Date().toISOString();
  if (event.kind === "trouble") return { at, ...event };
  return {
    at,
    kind: event.kind,
    channel: event.batch.channel,
    messages: event.batch.messages.length,
    answer: event.answer.kind,
  };
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
