import { channel } from "node:diagnostics_channel";
import type { Secret } from "../config/secret.ts";
import { toIpaiError } from "../errors/error.ts";
import type { Performer, Scope } from "../host/perform.ts";
import { type Entry, type Plan, walk } from "../runbook/plan.ts";
import type { Json } from "../runbook/value.ts";
import type { Claim } from "./claim.ts";
import type { Control } from "./control.ts";
import { RunFenced } from "./errors.ts";
import { addEvents, type RunEvent } from "./events.ts";
import type { Fence } from "./fence.ts";
import { getRun, listSteps, type Run, type StepKey, type StepRow } from "./journal.ts";
import { Stops } from "./stops.ts";

/** What the engine needs from the rooms around it. */
export interface Engine {
  readonly control: Control;
  readonly performer: Performer;
  /** Names this process in the journal: program, process id and machine. */
  readonly worker: string;
  /** Plans a procedure from the stack as it is now. Throws `run.procedure_unknown` for one that this version does not have. */
  readonly plan: (procedure: string, version: number | undefined, stack: string, input: Json) => Promise<Plan>;
  readonly secret: (stack: string, name: string) => Secret;
  /** Waits for a busy stack instead of being refused. */
  readonly waitForLease?: boolean;
  readonly onEvent?: (event: RunEvent) => void;
}

/**
 * Where the walk stands, for whoever subscribes: tracing, and the crash tests, which kill the process at each of these. Published
 * synchronously, so a subscriber acts before the engine takes another step. Every step passes `before` and `recorded`.
 */
export const points = channel("ipai:engine");

export interface Point {
  readonly at: "before" | "spawned" | "performed" | "verified" | "recorded";
  readonly run: string;
  readonly path: string;
  readonly phase: "do" | "undo";
}

export function publish(session: Session, key: StepKey, at: Point["at"]): void {
  if (points.hasSubscribers) points.publish({ at, run: session.run.id, ...key } satisfies Point);
}

/** One process carrying out one run: the plan, the journal as far as it is written, and what makes it stop. */
export interface Session {
  readonly engine: Engine;
  readonly claim: Claim;
  /** The outermost run, which holds the lease. */
  readonly root: string;
  run: Run;
  readonly plan: Plan;
  readonly entries: readonly Entry[];
  readonly journal: Map<string, StepRow>;
  readonly stops: Stops;
  readonly log: EventLog;
  /** True once the lease is known to be held: it stays until the run ends. */
  hasLease: boolean;
  /** When this process began to read what the plan depends on; undefined where another one did. */
  readAt: Date | undefined;
  /** Paths of steps that failed and that a person wants done once more. */
  again: ReadonlySet<string>;
}

export async function openSession(engine: Engine, claim: Claim, outer?: Session): Promise<Session> {
  const run = await getRun(engine.control, claim.run);
  const steps = await listSteps(engine.control, run.id);
  return {
    engine,
    claim,
    root: outer?.root ?? run.id,
    run,
    plan: run.plan,
    entries: walk(run.plan),
    journal: new Map(steps.map((row) => [keyOf(row.path, row.phase), row])),
    stops: new Stops(outer?.stops),
    log: new EventLog(engine, claim),
    hasLease: false,
    readAt: undefined,
    again: new Set(),
  };
}

export function keyOf(path: string, phase: "do" | "undo"): string {
  return `${phase}:${path}`;
}

/** What a step's references may see: outputs recorded so far, the run itself, the stack's secrets. */
export function scopeOf(session: Session): Scope {
  const { run } = session;
  return {
    run: { id: run.id, startedAt: (run.started_at ?? run.created_at).toISOString() },
    output: (step, name) => findStep(session, step)?.outputs?.[name],
    secret: (name) => session.engine.secret(run.stack, name),
  };
}

function findStep(session: Session, id: string): StepRow | undefined {
  return [...session.journal.values()].find((row) => row.step === id && row.phase === "do");
}

/** Events of a run: told at once to whoever watches, written in order and in batches. Output lines of one run are capped. */
export class EventLog {
  readonly #engine: Engine;
  readonly #fence: Fence;
  #pending: RunEvent[] = [];
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #lines = 0;

  constructor(engine: Engine, fence: Fence) {
    this.#engine = engine;
    this.#fence = fence;
  }

  add(kind: string, path: string | null, data: Json = null): void {
    if (kind === "output" && ++this.#lines > outputLinesMax) return;
    const event = { run: this.#fence.run, at: new Date(), kind, path, data };
    this.#engine.onEvent?.(event);
    this.#pending.push(event);
    // What cannot be written now, because the database is away, is written with a later batch or at the end.
    this.#timer ??= setTimeout(() => void this.flush().catch(() => undefined), flushAfterMs);
  }

  /** Writes what was added until now. One batch after the other, so that the order is kept. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.catch(() => undefined).then(() => this.#write());
    return this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#pending.length > 0) {
      const batch = this.#pending.slice(0, batchMax);
      await addEvents(this.#engine.control, this.#fence, batch).catch((error: unknown) => {
        // A process that was replaced has nothing more to tell.
        if (toIpaiError(error).code !== RunFenced.code) throw error;
      });
      this.#pending.splice(0, batch.length);
    }
  }
}

/** A program that floods its output must not fill the control database; the step's own log file on the host has all of it. */
const outputLinesMax = 20_000;
/** One insert of 50 lines costs a fortieth of 50 inserts; a fifth of a second is not felt by a reader. */
const flushAfterMs = 200;
/** The protocol counts the values of a statement with 16 bits. */
const batchMax = 1_000;
