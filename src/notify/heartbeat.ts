import type { Secret } from "../config/secret.ts";
import type { Control } from "../engine/control.ts";
import { isBehind } from "../engine/occurrences.ts";
import { send } from "./http.ts";

/**
 * Says elsewhere, at regular times, that what is scheduled is done: whoever hears nothing for longer knows that this machine, the
 * control database or every worker is gone, or that none of them comes to its work.
 */

export interface HeartbeatPorts {
  readonly control: Control;
  readonly url: Secret;
  readonly everyMs: number;
  /** When the worker has last looked around without a fault; before the first time, when it began. */
  readonly lastLook: () => Date;
  readonly now: () => Date;
  readonly pause: (milliseconds: number, stop: AbortSignal) => Promise<void>;
  readonly tell: (reason: string) => void;
}

export async function beat(ports: HeartbeatPorts, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    const reason = await beatOnce(ports).catch((error: unknown) =>
      error instanceof Error ? error.message : String(error),
    );
    if (reason !== undefined) ports.tell(reason);
    await ports.pause(ports.everyMs, stop);
  }
}

/** It looks every second. */
const blindMs = 180_000;

/** Why there was no beat; undefined when there was. */
async function beatOnce({ control, url, now, lastLook }: HeartbeatPorts): Promise<string | undefined> {
  if (now().getTime() - lastLook().getTime() > blindMs) return "the worker cannot look around";
  if (await isBehind(control, now())) return "what is scheduled is not begun";
  const headers = { "content-type": "text/plain", "user-agent": "ipai" };
  const answer = await send({ method: "POST", url, headers, body: "" }, now);
  return answer.kind === "delivered" ? undefined : answer.reason;
}
