import type { Pace } from "./pace.ts";

/** What people are told. Pure. */

export type Severity = "info" | "warning" | "critical";

export interface Message {
  /** Names what is told: the same thing is never told twice. */
  readonly key: string;
  /** What happened, for a program: `run.started`, `run.succeeded`, `health.changed`. */
  readonly event: string;
  /** The run that it is about, when it is about one. */
  readonly run: string | null;
  readonly stack: string;
  /** Of the runbook: `backup`, `upgrade`, `monitoring`. */
  readonly chapter: string;
  readonly severity: Severity;
  readonly title: string;
  readonly lines: readonly string[];
}

/** Who is told of what, and when. */
export interface Route {
  readonly channel: string;
  /** At least so bad. */
  readonly severity: Severity;
  /** Only these, when there are some. */
  readonly stacks: readonly string[];
  readonly chapters: readonly string[];
  readonly pace: Pace;
}

const order: readonly Severity[] = ["info", "warning", "critical"];

export function routesFor(routes: readonly Route[], { stack, chapter, severity }: Message): readonly Route[] {
  const wants = (chosen: readonly string[], one: string) => chosen.length === 0 || chosen.includes(one);
  return routes
    .filter((route) => order.indexOf(severity) >= order.indexOf(route.severity))
    .filter((route) => wants(route.stacks, stack) && wants(route.chapters, chapter));
}
