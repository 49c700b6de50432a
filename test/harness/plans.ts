import { appendFileSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Secret } from "../../src/config/secret.ts";
import { advance } from "../../src/engine/advance.ts";
import { claimRun } from "../../src/engine/claim.ts";
import { approveRun } from "../../src/engine/consent.ts";
import type { Control } from "../../src/engine/control.ts";
import { ProcedureUnknown } from "../../src/engine/errors.ts";
import type { RunEvent } from "../../src/engine/events.ts";
import { createRun, decideRun, listSteps, type Run, startStep, updateRun } from "../../src/engine/journal.ts";
import type { Decision } from "../../src/engine/schema.ts";
import type { Engine } from "../../src/engine/session.ts";
import { LocalExecutor } from "../../src/host/local.ts";
import { type CallFunction, createPerformer } from "../../src/host/perform.ts";
import { type CommandAction, command, type Probe } from "../../src/runbook/action.ts";
import type { Act, Plan, ProcedureStep, Step, Wait } from "../../src/runbook/plan.ts";
import { validatePlan } from "../../src/runbook/validate.ts";

/**
 * Small real plans over a folder. What they do is written down by the commands themselves, one line per effect, so that a test can
 * tell what happened, in which order, and whether anything happened twice.
 */
export class World {
  readonly folder: string;
  readonly #effects: string;

  constructor(folder: string) {
    this.folder = folder;
    this.#effects = join(folder, "effects");
    appendFileSync(this.#effects, "");
  }

  static create(below: string): World {
    return new World(mkdtempSync(join(below, "world-")));
  }

  /** Every effect, in the order in which it happened. */
  effects(): readonly string[] {
    return readFileSync(this.#effects, "utf8").split("\n").slice(0, -1);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, text = ""): void {
    writeFileSync(this.path(name), text);
  }

  /** Writes `line` into the list of effects: one write, so it is there whole or not at all. */
  append(line: string): CommandAction {
    return this.shell('printf "%s\\n" "$2" >> "$1"', this.#effects, line);
  }

  shell(script: string, ...args: readonly string[]): CommandAction {
    return command("local", ["sh", "-euc", script, "sh", ...args]);
  }

  /** Whether the list of effects has `line`. */
  has(line: string): Probe {
    return {
      title: `${line} is written`,
      action: command("local", ["grep", "-cxF", "--", line, this.#effects], { okExitCodes: [0, 1] }),
      output: { from: "stdout", as: "number" },
      compare: "ge",
      with: 1,
    };
  }

  exists(name: string): Probe {
    return {
      title: `${name} exists`,
      action: command("local", ["test", "-e", this.path(name)], { okExitCodes: [0, 1] }),
      output: { from: "exitCode", as: "number" },
      compare: "eq",
      with: 0,
    };
  }

  /** A question that cannot be answered until `name` exists. */
  unknownUntil(name: string): Probe {
    return { ...this.exists(name), action: command("local", ["test", "-e", this.path(name)]) };
  }

  /** Writes `do ID`; knows whether it did; writes `undo ID` to take it back. Never done twice, never taken back twice. */
  act(id: string, options: Partial<Act> = {}): Act {
    return {
      ...this.change(id, this.append(`do ${id}`)),
      done: this.has(`do ${id}`),
      undo: [this.undo(id)],
      ...options,
    };
  }

  undo(id: string, options: Partial<Act> = {}): Act {
    const line = `undo ${id}`;
    return {
      ...this.change(`take back ${id}`, this.append(line)),
      done: this.has(line),
      ...options,
    };
  }

  /** Does its work, then fails. */
  failing(id: string, options: Partial<Act> = {}): Act {
    return this.act(id, { verify: [{ ...this.exists("never"), title: `${id} worked` }], ...options });
  }

  /** Cannot tell whether it was done, and does it again when asked to: how often is in the list of effects. */
  blind(id: string, options: Partial<Act> = {}): Act {
    const { done: _, ...act } = this.act(id, { verify: [this.has(`do ${id}`)], ...options });
    return act;
  }

  read(id: string, text: string, options: Partial<Act> = {}): Act {
    return {
      ...this.change(id, command("local", ["printf", "%s", text])),
      effect: "read",
      outputs: { text: { from: "stdout" } },
      ...options,
    };
  }

  wait(id: string, until: Wait["until"], options: Partial<Wait> = {}): Wait {
    return { kind: "wait", id, title: `Wait: ${id}`, until, timeoutSeconds: 20, onTimeout: "undo", ...options };
  }

  child(id: string, name: string, options: Partial<ProcedureStep> = {}): ProcedureStep {
    const mandate = { risk: "change", undoClass: "instant" } as const;
    return { kind: "procedure", id, title: `Procedure ${name}`, name, input: null, mandate, ...options };
  }

  change(id: string, action: Act["action"]): Act {
    return {
      kind: "act",
      id,
      title: `Act: ${id}`,
      effect: "change",
      action,
      verify: [],
      undo: "nothing",
      onFail: "undo",
      onInterrupt: "again",
      timeoutSeconds: 30,
      attempts: 1,
    };
  }
}

let plans = 0;

/** Each plan is for a stack of its own unless the test names one, so that a run left waiting is in no other's way. */
export function planOf(steps: readonly Step[], options: Partial<Plan> = {}): Plan {
  plans += 1;
  return validatePlan({
    procedure: "test",
    version: 1,
    stack: `stack-${plans}`,
    title: "A plan of the tests",
    input: null,
    facts: null,
    lease: "exclusive",
    notes: [],
    steps,
    ...options,
  });
}

export interface EngineOptions extends Partial<Engine> {
  /** What the stack would be planned for now, by procedure. */
  readonly plans?: Readonly<Record<string, () => Plan>>;
  readonly calls?: Readonly<Record<string, CallFunction>>;
  readonly secrets?: Readonly<Record<string, string>>;
  /** Variables that every program of the run gets. */
  readonly environment?: Readonly<Record<string, string>>;
}

export function createEngine(control: Control, options: EngineOptions = {}): Engine {
  const { plans = {}, calls = {}, secrets = {}, environment = {}, ...rest } = options;
  const executor = new LocalExecutor({ graceMs: 500, environment });
  return {
    control,
    performer: createPerformer({ executors: () => executor, calls: { get: (name) => calls[name] } }),
    worker: `test (process ${process.pid})`,
    plan: async (procedure, version) => {
      const make = plans[procedure];
      if (make === undefined) throw ProcedureUnknown({ name: procedure, version: version ?? 1 });
      return make();
    },
    secret: (_, name) => new Secret(secrets[name] ?? ""),
    ...rest,
  };
}

/** A run of `plan` that somebody approved. */
export async function approvedRun(control: Control, plan: Plan, actor = "anna"): Promise<Run> {
  const run = await createRun(control, plan, actor, new Date());
  await approveRun(control, run, actor);
  return run;
}

/** Runs a plan from its approval as far as it goes. */
export async function runPlan(control: Control, plan: Plan, options: EngineOptions = {}): Promise<Run> {
  return resume(control, await approvedRun(control, plan), options);
}

/** Carries a run as far as it goes, as another process would. */
export async function resume(
  control: Control,
  run: Pick<Run, "id" | "plan">,
  options: EngineOptions = {},
): Promise<Run> {
  const { plan } = run;
  return advance(createEngine(control, { plans: { [plan.procedure]: () => plan }, ...options }), run.id);
}

/** Carries out what a person decided about a run that waits. */
export async function decide(
  control: Control,
  run: Run,
  decision: Decision,
  options: EngineOptions = {},
): Promise<Run> {
  await decideRun(control, run, decision, "anna");
  return resume(control, run, options);
}

/** A run as a process leaves it that dies in the middle of this step: its journal says that the step is under way. */
export async function interruptedRun(
  control: Control,
  plan: Plan,
  path: string,
  phase: "do" | "undo" = "do",
): Promise<Run> {
  const run = await approvedRun(control, plan);
  const claim = await claimRun(control, run.id, "a process that died");
  await updateRun(control, claim, { status: "running", started_at: new Date() });
  await startStep(control, claim, { path, phase }, { id: path, title: `Act: ${path}` });
  await claim.release();
  return run;
}

/** How every step of a run ended, by path; what was taken back has `undo` before it. */
export async function outcomes(control: Control, run: Pick<Run, "id">): Promise<Readonly<Record<string, string>>> {
  const steps = await listSteps(control, run.id);
  return Object.fromEntries(
    steps.map((step) => [`${step.phase === "undo" ? "undo " : ""}${step.path}`, step.outcome] as const),
  );
}

/** Gathers events and lets a test wait for one. */
export class EventProbe {
  readonly events: RunEvent[] = [];
  readonly #waiting: { readonly matches: (event: RunEvent) => boolean; readonly resolve: (event: RunEvent) => void }[] =
    [];

  readonly onEvent = (event: RunEvent): void => {
    this.events.push(event);
    for (const one of this.#waiting) if (one.matches(event)) one.resolve(event);
  };

  /** The first event, past or to come, of this kind and path. */
  when(kind: string, path?: string): Promise<RunEvent> {
    const matches = (event: RunEvent) => event.kind === kind && (path === undefined || event.path === path);
    const found = this.events.find(matches);
    if (found !== undefined) return Promise.resolve(found);
    return new Promise((resolve) => this.#waiting.push({ matches, resolve }));
  }
}
