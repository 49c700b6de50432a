import { join } from "node:path";
import { type IpaiError, toIpaiError } from "../errors/error.ts";
import { ControlNotStarted, isEmbeddedWanted, startEmbedded } from "./embedded.ts";
import { type ControlOptions, findSilence } from "./server.ts";

/**
 * Starts the embedded server again when it has died: a worker that stays must not say for ever that it is away. One that a person
 * stopped stays stopped, and one whose data is gone is not made anew: that is a person's to restore.
 */

export interface RevivePorts extends Pick<ControlOptions, "home" | "executor"> {
  readonly pause: (milliseconds: number, stop: AbortSignal) => Promise<void>;
  readonly tell: (event: ReviveEvent) => void;
}

export type ReviveEvent =
  | { readonly kind: "started_again"; readonly reason: string }
  | { readonly kind: "not_started"; readonly error: IpaiError };

const lookEveryMs = 5_000;
const restMsMax = 300_000;

export async function keepUp(ports: RevivePorts, stop: AbortSignal): Promise<void> {
  let restMs = lookEveryMs;
  while (!stop.aborted) {
    await ports.pause(restMs, stop);
    if (!stop.aborted) restMs = (await look(ports)) ? lookEveryMs : Math.min(restMsMax, restMs * 2);
  }
}

/** False: it should run, and could not be started. */
async function look({ home, executor, tell }: RevivePorts): Promise<boolean> {
  if (!isEmbeddedWanted(home)) return true;
  const reason = await findSilence(home);
  if (reason === undefined) return true;
  try {
    await startEmbedded(home, executor);
    // One that has just been killed may still look as if it ran.
    const output = await findSilence(home);
    if (output !== undefined) throw ControlNotStarted({ directory: join(home, "control"), output });
    tell({ kind: "started_again", reason });
    return true;
  } catch (thrown) {
    tell({ kind: "not_started", error: toIpaiError(thrown) });
    return false;
  }
}
