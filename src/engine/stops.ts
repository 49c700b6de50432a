import type { IpaiError } from "../errors/error.ts";
import { Cancelled, RunFenced } from "./errors.ts";

/**
 * What makes a process leave off in the middle of a run. A cancel stops the walk forwards only: taking back is never cancelled,
 * since half undone is worse than either end. The loss of the run to another process stops both. An inner run stops with the run
 * around it.
 */
export class Stops {
  /** For the actions of each phase. */
  readonly signals: Readonly<Record<"do" | "undo", AbortSignal>>;
  readonly #cancel = new AbortController();
  readonly #lost = new AbortController();

  constructor(outer?: Stops) {
    const lost = AbortSignal.any([this.#lost.signal, ...(outer === undefined ? [] : [outer.signals.undo])]);
    const cancel = outer === undefined ? [] : [outer.signals.do];
    this.signals = { do: AbortSignal.any([this.#cancel.signal, lost, ...cancel]), undo: lost };
  }

  cancel(by: string): void {
    this.#cancel.abort(Cancelled({ by }));
  }

  lose(run: string): void {
    this.#lost.abort(RunFenced({ run }));
  }

  /** Why this phase must stop, or undefined. */
  reason(phase: "do" | "undo"): IpaiError | undefined {
    const stopped = [this.signals.undo, this.signals[phase]].find((signal) => signal.aborted);
    return stopped?.reason as IpaiError | undefined;
  }
}
