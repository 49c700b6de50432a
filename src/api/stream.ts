import { setTimeout as sleep } from "node:timers/promises";
import type { Json } from "../runbook/value.ts";

/** Server-sent events out of questions that are asked again and again: what is told is what stands in the control database. */

export interface ServerEvent {
  readonly id: string;
  readonly event: string;
  readonly data: Json;
}

export interface Portion {
  readonly events: readonly ServerEvent[];
  /** Up to which event was read, when that is more than was told. */
  readonly last?: string | undefined;
  /** Nothing more will happen. */
  readonly isOver: boolean;
}

const askEveryMs = 500;
/** A proxy that hears nothing closes the connection. */
const breathEveryMs = 15_000;
/** After that whoever follows asks again, and is asked again who he is. */
const longestMs = 300_000;

export function stream(
  headers: Headers,
  gone: AbortSignal,
  next: (after: string | undefined) => Promise<Portion>,
): Response {
  const encoder = new TextEncoder();
  const stop = AbortSignal.any([gone, AbortSignal.timeout(longestMs)]);
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      const say = (text: string) => controller.enqueue(encoder.encode(text));
      void follow(headers.get("last-event-id") ?? undefined, stop, say, next)
        // Whoever listens comes again with the last event that he has.
        .catch(() => undefined)
        .finally(() => {
          if (!gone.aborted) controller.close();
        });
    },
  });
  const kind = { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" };
  return new Response(body, { headers: kind });
}

async function follow(
  begin: string | undefined,
  stop: AbortSignal,
  say: (text: string) => void,
  next: (after: string | undefined) => Promise<Portion>,
): Promise<void> {
  let after = begin;
  let breathAt = performance.now() + breathEveryMs;
  say("retry: 2000\n\n");
  while (!stop.aborted) {
    const { events, last, isOver } = await next(after);
    for (const event of events) say(format(event));
    after = last ?? events.at(-1)?.id ?? after;
    if (isOver) return say("event: end\ndata: {}\n\n");
    if (performance.now() > breathAt) say(": \n\n");
    if (events.length > 0 || performance.now() > breathAt) breathAt = performance.now() + breathEveryMs;
    await sleep(askEveryMs, undefined, { signal: stop }).catch(() => undefined);
  }
}

/** JSON has no line break outside of its strings, and escapes those inside. */
function format({ id, event, data }: ServerEvent): string {
  return `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
