/** What people are told. Pure. */

export type Severity = "info" | "warning" | "critical";

export interface Message {
  /** Names what is told: the same thing is never told twice. */
  readonly key: string;
  readonly stack: string;
  /** Of the runbook: `backup`, `upgrade`, `monitoring`. */
  readonly chapter: string;
  readonly severity: Severity;
  readonly title: string;
  readonly lines: readonly string[];
}

/** Who is told of what. */
export interface Route {
  readonly channel: string;
  /** At least so bad. */
  readonly severity: Severity;
  /** Only these, when there are some. */
  readonly stacks: readonly string[];
  readonly chapters: readonly string[];
}

const order: readonly Severity[] = ["info", "warning", "critical"];

export function channelsFor(routes: readonly Route[], { stack, chapter, severity }: Message): readonly string[] {
  const wants = (chosen: readonly string[], one: string) => chosen.length === 0 || chosen.includes(one);
  return routes
    .filter((route) => order.indexOf(severity) >= order.indexOf(route.severity))
    .filter((route) => wants(route.stacks, stack) && wants(route.chapters, chapter))
    .map(({ channel }) => channel);
}
