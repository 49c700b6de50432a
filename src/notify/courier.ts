import type { Batch } from "../engine/batch.ts";
import type { Control } from "../engine/control.ts";
import { postNews } from "../engine/news.ts";
import { type Answer, deliverNext } from "../engine/outbox.ts";
import { toTrouble } from "../engine/persist.ts";
import type { NewsSettings } from "../engine/story.ts";
import type { Channel } from "./channels.ts";

/** Carries messages out of the house, for as long as it is not told to stop. Several may work beside each other. */

export interface CourierPorts extends NewsSettings {
  readonly control: Control;
  readonly channels: Readonly<Record<string, Channel>>;
  readonly now: () => Date;
  readonly pause: (milliseconds: number, stop: AbortSignal) => Promise<void>;
  readonly tell: (event: CourierEvent) => void;
}

export type CourierEvent =
  | { readonly kind: "sent"; readonly batch: Batch; readonly answer: Answer }
  | { readonly kind: "trouble"; readonly code: string; readonly message: string };

const lookEveryMs = 1000;

export async function carryMessages(ports: CourierPorts, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    await look(ports).catch((thrown: unknown) => {
      const { code, message } = toTrouble(thrown);
      ports.tell({ kind: "trouble", code, message });
    });
    await ports.pause(lookEveryMs, stop);
  }
}

/** One channel that is slow does not keep the others waiting. */
async function look(ports: CourierPorts): Promise<void> {
  const { control, channels, now } = ports;
  await postNews(control, ports, now());
  await Promise.all(Object.entries(channels).map(([name, channel]) => empty(ports, name, channel)));
}

async function empty({ control, now, tell }: CourierPorts, name: string, channel: Channel): Promise<void> {
  const deliver = async (batch: Batch) => {
    const answer = await channel.send(batch, now);
    tell({ kind: "sent", batch, answer });
    return answer;
  };
  while (await deliverNext(control, name, now(), channel, deliver));
}
