import { randomBytes, randomUUID } from "node:crypto";
import { Secret } from "../../src/config/secret.ts";
import type { Batch } from "../../src/engine/batch.ts";
import type { Control } from "../../src/engine/control.ts";
import type { Message } from "../../src/engine/message.ts";
import type { Route } from "../../src/engine/route.ts";
import { type Channel, createChannel } from "../../src/notify/channels.ts";
import { type CourierEvent, type CourierPorts, carryMessages } from "../../src/notify/courier.ts";

/** Messages to try, and a courier whose clock the test sets forward. */

export const messageOf = (title: string, changed: Partial<Message> = {}): Message => ({
  ...{ key: `test:${randomUUID()}`, event: "test", run: null, stack: "erp", chapter: "backup" },
  ...{ severity: "warning" as const, title, lines: ["A line."], ...changed },
});

export const batchOf = (messages: readonly Message[], changed: Partial<Batch> = {}): Batch => ({
  ...{ channel: "ops", key: randomBytes(16).toString("hex"), messages },
  ...{ firstSentAt: undefined, run: undefined, root: undefined, ...changed },
});

export const routeTo = (channel: string, changed: Partial<Route> = {}): Route => ({
  ...{ channel, severity: "info", stacks: [], chapters: [] },
  ...{ pace: { timezone: "UTC", quiet: [], digest: undefined }, ...changed },
});

export function webhookTo(port: number, changed: { path?: string; secret?: Secret; limit?: Channel["limit"] } = {}) {
  const url = new Secret(`http://127.0.0.1:${port}${changed.path ?? "/hook"}`);
  return createChannel({ kind: "webhook", url, secret: changed.secret, limit: changed.limit });
}

export interface Clock {
  now: number;
}

/** Looks as often as the clock is set forward, then stops. */
export async function carry(
  ports: { readonly control: Control; readonly channels: Readonly<Record<string, Channel>> } & Partial<CourierPorts>,
  clock: Clock,
  secondsForward: readonly number[],
): Promise<readonly CourierEvent[]> {
  const events: CourierEvent[] = [];
  const stop = new AbortController();
  const left = [...secondsForward];
  await carryMessages(
    {
      ...{ routes: [], storyOf: () => undefined, instantOf: (_: string, at: Date) => at.toISOString() },
      now: () => new Date(clock.now),
      pause: async () => {
        const seconds = left.shift();
        if (seconds === undefined) stop.abort();
        else clock.now += seconds * 1000;
      },
      tell: (event) => events.push(event),
      ...ports,
    },
    stop.signal,
  );
  return events;
}
