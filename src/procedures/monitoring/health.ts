import type { Stack } from "../../stack/stack.ts";
import type { Check } from "./check.ts";
import { containers } from "./containers.ts";
import { crons, database } from "./database.ts";
import { disk, memory } from "./machine.ts";
import { cache, http, processes } from "./services.ts";

/**
 * The seven checks of the runbook, done for what they are for, and one more where a compose file says what should run. Pure: says what
 * is asked and how answers are judged.
 */
export function healthChecks(stack: Stack): readonly Check[] {
  const { redis } = stack;
  const { runtime } = stack.config;
  return [
    processes(stack),
    database(stack),
    disk(stack),
    memory(stack),
    http(stack),
    ...(redis === undefined ? [] : [cache(stack, redis)]),
    crons(stack),
    ...("compose" in runtime ? [containers(stack, runtime.compose)] : []),
  ];
}
