import { channel } from "node:diagnostics_channel";
import type { Secret } from "../config/secret.ts";
import type { Performer, Scope } from "../host/perform.ts";
import { type Entry, type Plan, walk } from "../runbook/plan.ts";
import type { Json } from "../runbook/value.ts";
import type { Claim } from "./claim.ts";
import type { Control } from "./control.ts";
import { addEvents, listSteps, type Run, type RunEvent, type StepRow } from "./journal.ts";

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
 * synchronously, so a subscriber acts before the engine takes another step.
 */
export const points = channel("ipai:engine");

export interface Point {
  readonly at: "before" | "spawned" | "performed" | "verified" | "recorded";
  readonly run: string;
  readonly path: string;
  readonly phase: "do" | "undo";
}

/** One process carrying out one run: the plan, the journal as far as it is written, and the signals that stop it. */
export interface Session {
  readonly engine: Engine;
  readonly claim: Claim;
  /** The outermost run, which holds the lease. */
  readonly root: string;
  run: Run;
  readonly plan: Plan;
  readonly entries: readonly Entry[];
  readonly journal: Map<string, StepRow>;
  readonly cancel: AbortController;
  readonly log: EventLog;
}

export async function openSession(engine: Engine, claim: Claim, run: Run, root: string): Promise<Session> {
  const steps = await listSteps(engine.control, run.id);
  return {
    engine,
    claim,
    root,
    run,
    plan: run.plan,
    entries: walk(run.plan),
    journal: new Map(steps.map((row) => [keyOf(row.path, row.phase), row])),
    cancel: new AbortController(),
    log: new EventLog(engine, run.id),
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

/** Events of a run: told at once to whoever watches, written in batches. Output lines of one run are capped. */
export class EventLog {
  readonly #engine: Engine;
  readonly #run: string;
  #pending: RunEvent[] = [];
  #timer: NodeJS.Timeout | undefined;
  #lines = 0;

  constructor(engine: Engine, run: string) {
    this.#engine = engine;
    this.#run = run;
  }

  add(kind: string, path: string | null, data: Json = null): void {
    if (kind === "output" && ++this.#lines > maxOutputLines) return;
    const event = { run: this.#run, at: new Date(), kind, path, data };
    this.#engine.onEvent?.(event);
    this.#pending.push(event);
    this.#timer ??= setTimeout(() => void this.flush().catch(() => undefined), flushAfterMs);
  }

  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const events = this.#pending;
    this.#pending = [];
    await addEvents(this.#engine.control, events);
  }
}

/** A program that floods its output must not fill the control database; the step's own log file on the host has all of it. */
const maxOutputLines = 20_000;
/** One insert of 50 lines costs a fortieth of 50 inserts; a fifth of a second is not felt by a reader. */
const flushAfterMs = 200;
