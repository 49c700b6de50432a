import type { ExpressionBuilder } from "kysely";
import { type IpaiError, toIpaiError } from "../errors/error.ts";
import type { Plan } from "../runbook/plan.ts";
import { listUnattended } from "./attended.ts";
import { hasConsent } from "./consent.ts";
import type { Control } from "./control.ts";
import { RunBeingAdvanced, RunFenced } from "./errors.ts";
import type { ConsentRule, Run } from "./journal.ts";
import { noteTimes, type Occurrence, takeUpNext } from "./occurrences.ts";
import { toTrouble } from "./persist.ts";
import { forgetOld } from "./retention.ts";
import type { Schedule } from "./schedule.ts";
import type { ControlSchema, OccurrenceState } from "./schema.ts";
import { aliveSeconds, enterWorker, frozenSeconds, giveUpFrozen, leaveWorker, sayAlive } from "./workers.ts";

/**
 * Does what nobody waits for: begins what its time has come for, and goes on with what another process left. Several may work on one
 * control database; what is to be done stands in its tables, and each of them may die at any time.
 */

export interface WorkerPorts {
  readonly control: Control;
  readonly name: string;
  readonly now: () => Date;
  /** Waits so many milliseconds, or until it is told to stop. */
  readonly pause: (milliseconds: number, stop: AbortSignal) => Promise<void>;
  /** It works on these, and leaves all others alone: another worker may know them. */
  readonly stacks: readonly string[];
  readonly schedules: readonly Schedule[];
  readonly plan: (occurrence: Occurrence) => Promise<Plan>;
  /** Whose consent a plan needs that begins by itself; the usual one when absent. */
  readonly consentFor?: (plan: Plan) => ConsentRule;
  /** Carries a run out, to its end or to where it waits. */
  readonly carryOut: (run: string) => Promise<Run>;
  readonly tell: (event: WorkerEvent) => void;
  /** Told after each look that found no fault. */
  readonly looked?: () => void;
  /** A person's command that has just been consented to begins by itself: only what still waits after this is taken, milliseconds. */
  readonly patienceMs?: number;
}

export type WorkerEvent =
  | { readonly kind: "began"; readonly occurrence: Occurrence; readonly run: string }
  | { readonly kind: "not_begun"; readonly occurrence: Occurrence }
  | { readonly kind: "took_over"; readonly run: string }
  | { readonly kind: "ended"; readonly run: Run }
  | { readonly kind: "stopped"; readonly run: string; readonly error: IpaiError }
  | { readonly kind: "gave_up"; readonly worker: string }
  | { readonly kind: "trouble"; readonly error: IpaiError };

/** Runs that one worker has begun and not ended; most of that time they wait for programs, or for a stack. */
const runsMax = 32;
/** So many are planned at the same time. */
const beginnersMax = 4;
const lookEveryMs = 1000;
/** How often others' leavings are looked for, milliseconds. */
const takeOverEveryMs = 5000;
const forgetEveryMs = 3_600_000;
const usualPatienceMs = 15_000;

/**
 * Works until it is told to stop, and then until what it carries out has ended. `given up`: others took it for frozen meanwhile, and
 * its runs are theirs.
 */
export async function work(
  ports: WorkerPorts,
  stop: AbortSignal,
  worker = new Worker(ports),
): Promise<"stopped" | "given up"> {
  await enterWorker(ports.control, ports.name);
  const heart = setInterval(() => void worker.beat(), aliveSeconds * 1000);
  try {
    while (!stop.aborted && !worker.isGivenUp) {
      await worker
        .look()
        .then(ports.looked, (error: unknown) => ports.tell({ kind: "trouble", error: toTrouble(error) }));
      await ports.pause(lookEveryMs, stop);
    }
    if (worker.isGivenUp) return "given up";
    worker.stop();
    await worker.drain();
    return "stopped";
  } finally {
    clearInterval(heart);
    await leaveWorker(ports.control, ports.name).catch(() => undefined);
  }
}

export class Worker {
  readonly #ports: WorkerPorts;
  readonly #beginners = new Set<Promise<void>>();
  readonly #running = new Map<string, Promise<void>>();
  readonly #again = new Set<string>();
  /** Runs that wait to be taken over, since when they are seen, and those that could not go on, until when they are left alone. */
  readonly #seen = new Map<string, number>();
  readonly #rests = new Map<string, Rest>();
  /** Since when this worker has shown without a gap that it lives. Who was away himself cannot tell who else was. */
  #steadySince: number | undefined;
  #lastBeat = 0;
  #isStopping = false;
  #lastTakeOver = 0;
  #lastForgotten = 0;
  isGivenUp = false;

  constructor(ports: WorkerPorts) {
    this.#ports = ports;
  }

  /** One look around: everything that can be begun now is begun. */
  async look(): Promise<void> {
    const { control, schedules, now } = this.#ports;
    await noteTimes(control, this.#ports.stacks, schedules, now());
    if (this.#beginners.size < beginnersMax) this.#add(this.#beginners, this.#beginAll());
    if (now().getTime() - this.#lastTakeOver < takeOverEveryMs) return;
    this.#lastTakeOver = now().getTime();
    await this.#takeOver();
    if (now().getTime() - this.#lastForgotten < forgetEveryMs) return;
    this.#lastForgotten = now().getTime();
    await forgetOld(control, now());
  }

  /** Carries a run out for somebody who does not wait for it. When that is not possible, it is found with what others left. */
  take(run: string): void {
    if (this.#isStopping || this.isGivenUp) return;
    // It is just finding out that it waits for what has come now.
    if (this.#running.has(run)) this.#again.add(run);
    else this.#carry(run);
  }

  /** Begins nothing more. */
  stop(): void {
    this.#isStopping = true;
  }

  /** Until everything has ended that it has begun. */
  async drain(): Promise<void> {
    while (this.#beginners.size + this.#running.size > 0)
      await Promise.all([...this.#beginners, ...this.#running.values()]);
  }

  async beat(): Promise<void> {
    const now = this.#ports.now().getTime();
    const isKnown = await sayAlive(this.#ports.control, this.#ports.name).catch(() => undefined);
    if (isKnown === false) this.isGivenUp = true;
    const isSteady = isKnown === true && now - this.#lastBeat <= 3 * aliveSeconds * 1000;
    this.#steadySince = isSteady ? (this.#steadySince ?? this.#lastBeat) : undefined;
    this.#lastBeat = isKnown === true ? now : 0;
  }

  /** Not waited for: a host that is slow to answer must not keep other stacks waiting. */
  async #beginAll(): Promise<void> {
    try {
      while (!this.#isStopping && !this.isGivenUp && this.#running.size < runsMax && (await this.#begin()));
    } catch (error) {
      this.#ports.tell({ kind: "trouble", error: toTrouble(error) });
    }
  }

  #add(all: Set<Promise<void>>, work: Promise<void>): void {
    const ended: Promise<void> = work.finally(() => all.delete(ended));
    all.add(ended);
  }

  /** False: there is nothing to begin. */
  async #begin(): Promise<boolean> {
    const { control, now, stacks, plan, consentFor, tell } = this.#ports;
    const settled = await takeUpNext(control, stacks, now(), plan, consentFor);
    if (settled === undefined) return false;
    const { occurrence, run } = settled;
    if (run === undefined) tell({ kind: "not_begun", occurrence });
    else {
      tell({ kind: "began", occurrence, run });
      this.#carry(run);
    }
    return true;
  }

  async #takeOver(): Promise<void> {
    const { control, name, now, tell } = this.#ports;
    const isSteady = this.#steadySince !== undefined && now().getTime() - this.#steadySince >= frozenSeconds * 1000;
    if (isSteady) for (const worker of await giveUpFrozen(control, name)) tell({ kind: "gave_up", worker });
    const left = await this.#listLeft();
    for (const known of this.#seen.keys()) if (!left.has(known)) this.#seen.delete(known);
    for (const [run, patience] of left) {
      // Those under way come first and without a limit: others may wait for the stack that one of them holds.
      const hasRoom = patience === 0 || this.#running.size < runsMax;
      if (hasRoom && this.#isReady(run, patience)) {
        tell({ kind: "took_over", run });
        this.#carry(run);
      }
    }
  }

  /** Runs that somebody has to go on with, and how long they are left to whoever may be about to do it, milliseconds. */
  async #listLeft(): Promise<ReadonlyMap<string, number>> {
    const { control, stacks, patienceMs = usualPatienceMs } = this.#ports;
    if (stacks.length === 0) return new Map();
    const open = await control.db
      .selectFrom("runs")
      .select("id")
      .select((eb) => eb("consent_until", "<", this.#ports.now()).as("isVoid"))
      .where("parent", "is", null)
      .where("stack", "in", stacks)
      .where("status", "in", ["planned", "waiting"])
      .where((eb) =>
        eb.or([
          eb("decision", "is not", null),
          eb("cancel_requested_by", "is not", null),
          eb.and([
            eb.or([eb("status", "=", "planned"), eb("waiting_for", "=", "approval")]),
            // Nobody consented in time, or its time went by: that ends it.
            eb.or([
              eb.and([hasConsent(eb), eb.not(eb.exists(timesOf(eb, ["due"])))]),
              eb("consent_until", "<", this.#ports.now()),
              eb.exists(timesOf(eb, ["missed", "failed", "dropped"])),
            ]),
          ]),
        ]),
      )
      .execute();
    const left = [...(await listUnattended(control, stacks))].map((run) => [run, 0] as const);
    return new Map([...left, ...open.map(({ id, isVoid }) => [id, isVoid === true ? 0 : patienceMs] as const)]);
  }

  #isReady(run: string, patience: number): boolean {
    const now = this.#ports.now().getTime();
    const since = this.#seen.get(run) ?? now;
    this.#seen.set(run, since);
    const rest = this.#rests.get(run)?.until ?? 0;
    return !this.#running.has(run) && now - since >= patience && now >= rest;
  }

  #carry(run: string): void {
    const ended = this.#ports.carryOut(run).then(
      (result) => {
        this.#rests.delete(run);
        this.#ports.tell({ kind: "ended", run: result });
      },
      (thrown: unknown) => this.#rest(run, toIpaiError(thrown)),
    );
    this.#running.set(
      run,
      ended.finally(() => {
        this.#running.delete(run);
        if (this.#again.delete(run)) this.take(run);
      }),
    );
  }

  /** What cannot go on now, because its host or the database is away, is tried again, each time a little later. */
  #rest(run: string, error: IpaiError): void {
    if (error.code === RunBeingAdvanced.code || error.code === RunFenced.code) return;
    const tries = (this.#rests.get(run)?.tries ?? 0) + 1;
    const restMs = Math.min(restMsMax, 5000 * 2 ** (tries - 1));
    this.#rests.set(run, { tries, until: this.#ports.now().getTime() + restMs });
    this.#ports.tell({ kind: "stopped", run, error });
  }
}

/** The times at which a run was to begin that are in one of these states. */
function timesOf({ selectFrom }: ExpressionBuilder<ControlSchema, "runs">, states: readonly OccurrenceState[]) {
  return selectFrom("occurrences")
    .select("occurrences.at")
    .whereRef("occurrences.run", "=", "runs.id")
    .where("occurrences.state", "in", states);
}

interface Rest {
  readonly tries: number;
  readonly until: number;
}

const restMsMax = 5 * 60_000;
