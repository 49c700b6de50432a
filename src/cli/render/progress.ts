import type { RunEvent } from "../../engine/events.ts";
import { type Plan, walk } from "../../runbook/plan.ts";
import type { Terminal } from "../terminal.ts";
import { bytes, clip, duration } from "./text.ts";

/** Shows a run while it goes on: one line per finished step; on a terminal also what happens now and how long it may still take. */
export interface Progress {
  event(event: RunEvent): void;
  stop(): void;
}

interface Current {
  readonly title: string;
  readonly startedAt: number;
  readonly forecastSeconds: number;
  line: string;
  /** How much of its bytes is done, when it tells. */
  amount: string;
}

const defaultForecastSeconds = 0.5;

export function createProgress(terminal: Terminal, plan: Plan, isQuiet: boolean): Progress {
  if (isQuiet) return { event: () => undefined, stop: () => undefined };
  const entries = walk(plan);
  const forecasts = new Map(
    entries.map(({ path, step }) => [
      path,
      "forecastSeconds" in step ? (step.forecastSeconds ?? defaultForecastSeconds) : defaultForecastSeconds,
    ]),
  );
  const running = new Map<string, Current>();
  const finished = new Set<string>();
  const status = terminal.isInteractive
    ? createStatusLine(() => statusText(terminal, running, remaining(forecasts, finished, running)))
    : undefined;
  const print = (text: string) => {
    status?.clear();
    terminal.err(text);
    status?.draw();
  };
  const onEvent = (event: RunEvent): void => {
    const path = event.path ?? "";
    const current = running.get(path);
    switch (event.kind) {
      case "step.started": {
        const forecastSeconds = forecasts.get(path) ?? defaultForecastSeconds;
        running.set(path, {
          title: String(dataOf(event)["title"]),
          startedAt: Date.now(),
          forecastSeconds,
          line: "",
          amount: "",
        });
        return;
      }
      case "output":
        if (current !== undefined) Object.assign(current, readLine(String(dataOf(event)["line"])));
        return;
      case "lease.waiting":
        print(terminal.style("yellow", `  … ${String(event.data)}`));
        return;
      case "step.host_away":
        print(terminal.style("yellow", `  … ${String(dataOf(event)["message"])} Waiting for it.`));
        return;
      case "step.retry":
        print(terminal.style("yellow", `  … trying again: ${String(dataOf(event)["message"])}`));
        return;
      case "step.succeeded":
      case "step.skipped":
      case "step.failed":
        running.delete(path);
        finished.add(path);
        if (current !== undefined) print(finishedText(terminal, event, current));
    }
  };
  return { event: onEvent, stop: () => status?.stop() };
}

function dataOf(event: RunEvent): Readonly<Record<string, unknown>> {
  return typeof event.data === "object" && event.data !== null && !Array.isArray(event.data)
    ? (event.data as Record<string, unknown>)
    : {};
}

function finishedText(terminal: Terminal, event: RunEvent, current: Current): string {
  const seconds = (Date.now() - current.startedAt) / 1000;
  const title = `${dataOf(event)["phase"] === "undo" ? "↶ " : ""}${current.title}`;
  const took = seconds >= 1 ? terminal.style("dim", `  ${duration(seconds)}`) : "";
  if (event.kind === "step.succeeded") return `${terminal.style("green", "✓")} ${title}${took}`;
  if (event.kind === "step.skipped") return terminal.style("dim", `– ${title} (not needed)`);
  const error = dataOf(event)["error"] as { message?: string } | undefined;
  return `${terminal.style("red", "✗")} ${title}${took}\n    ${error?.message ?? ""}`;
}

/** What is left of the forecasts: of the steps to come whole, of those under way what they have not used up. */
function remaining(
  forecasts: ReadonlyMap<string, number>,
  finished: ReadonlySet<string>,
  running: ReadonlyMap<string, Current>,
): number {
  let seconds = 0;
  for (const [path, forecast] of forecasts) {
    const current = running.get(path);
    if (finished.has(path)) continue;
    seconds += current === undefined ? forecast : Math.max(0, forecast - (Date.now() - current.startedAt) / 1000);
  }
  return seconds;
}

function statusText(terminal: Terminal, running: ReadonlyMap<string, Current>, left: number): string {
  const current = [...running.values()].at(-1);
  if (current === undefined) return "";
  const head = `${current.title} · ${duration((Date.now() - current.startedAt) / 1000)} · about ${duration(left)} left`;
  const parts = [head, current.amount, current.line].filter((part) => part !== "");
  return terminal.style("cyan", clip(parts.join(" · "), terminal.columns - 3));
}

/** restic and a dump report in JSON lines: what they have done of what stays in sight while they say other things. */
export function readLine(line: string): { readonly amount: string } | { readonly line: string } {
  const counted = readCount(line);
  if (counted !== undefined) return { amount: counted };
  const number = (name: string) => Number(new RegExp(`"${name}":([\\d.]+)`).exec(line)?.[1] ?? Number.NaN);
  const [done, total, percent, left] = ["bytes_done", "total_bytes", "percent_done", "seconds_remaining"].map(number);
  if (!line.startsWith("{") || [done, percent].every(Number.isNaN)) return { line: line.trim() };
  const words = [
    Number.isNaN(percent) ? "" : `${Math.round((percent ?? 0) * 100)} %`,
    Number.isNaN(done) ? "" : `${bytes(done ?? 0)}${Number.isNaN(total) ? "" : ` of ${bytes(total ?? 0)}`}`,
    Number.isNaN(left) ? "" : `${duration(left ?? 0)} left`,
  ];
  return { amount: words.filter((word) => word !== "").join(", ") };
}

/** Copying, checking and pruning, restic tells time and share: `[1:05] 25.00%  3 / 12 packs copied`. */
function readCount(line: string): string | undefined {
  const told = /^\[((?:\d+:)+\d\d)\] +([\d.]+)% +(\d+) \/ (\d+) (.*)$/.exec(line.trim());
  if (told === null) return undefined;
  const [, clock = "", percent = "", done, total, what] = told;
  const seconds = clock.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
  const share = Number(percent) / 100;
  const left = share > 0 && share < 1 ? [`${duration((seconds * (1 - share)) / share)} left`] : [];
  return [`${Math.round(share * 100)} %`, `${done} of ${total} ${what}`, ...left].join(", ");
}

interface StatusLine {
  draw(): void;
  clear(): void;
  stop(): void;
}

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

function createStatusLine(text: () => string): StatusLine {
  let frame = 0;
  const clear = () => void process.stderr.write("\r\u001b[2K");
  const draw = () => {
    const current = text();
    clear();
    if (current !== "") process.stderr.write(`${frames[frame++ % frames.length]} ${current}`);
  };
  const timer = setInterval(draw, 100);
  timer.unref();
  return {
    draw,
    clear,
    stop: () => {
      clearInterval(timer);
      clear();
    },
  };
}
