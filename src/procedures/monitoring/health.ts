import type { Stack } from "../../stack/stack.ts";
import type { Check } from "./check.ts";
import { crons, database } from "./database.ts";
import { disk, memory } from "./machine.ts";
import { cache, http, processes } from "./services.ts";

/** The seven checks of the runbook, done for what they are for. Pure: says what is asked and how answers are judged. */
export function healthChecks(stack: Stack): readonly Check[] {
  const { redis } = stack;
  return [
    processes(stack),
    database(stack),
    disk(stack),
    memory(stack),
    http(stack),
    ...(redis === undefined ? [] : [cache(stack, redis)]),
    crons(stack),
  ];
}
