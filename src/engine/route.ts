import type { Message, Severity } from "./message.ts";
import type { Pace } from "./pace.ts";

/** Which channels are told of a message. Pure. */

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
