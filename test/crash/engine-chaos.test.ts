import { randomUUID } from "node:crypto";
import { appendFileSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { approveRun } from "../../src/engine/consent.ts";
import { createRun, decideRun, type Run, requestCancel } from "../../src/engine/journal.ts";
import { listMarked, markName } from "../../src/host/fixtures/processes.ts";
import { type CommandAction, command, type Probe } from "../../src/runbook/action.ts";
import type { Act, Plan, Step } from "../../src/runbook/plan.ts";
import { startControl, type TestControl } from "../harness/control.ts";
import { planOf, World } from "../harness/plans.ts";
import { NodeProcess } from "../harness/process.ts";

/**
 * Many runs on a few stacks, three workers, and everything that can happen to them at once: steps that fail as planned, approvals,
 * decisions and cancels in flight, workers killed and frozen, the control database restarted. Every act leaves a line with its run
 * and its time, and holds a lock of the kernel while it works: that is what tells afterwards whether the promises were kept.
 */
const seed = Number(process.env["CHAOS_SEED"] ?? Date.now() % 1_000_000);
const random = mulberry32(seed);
const runCount = Number(process.env["CHAOS_RUNS"] ?? 18);
const stackCount = Number(process.env["CHAOS_STACKS"] ?? 3);
const workerCount = 3;
/** For so long there is trouble, growing with the game; then the workers may finish in peace. */
const troubleMs = (runCount / 18) * 25_000;
const patienceMs = 240_000;

let test: TestControl;
const mark = randomUUID();
const workers: NodeProcess[] = [];
beforeAll(async () => {
  test = await startControl();
});
afterAll(async () => {
  for (const worker of workers) worker.kill("SIGKILL");
  await Promise.all(workers.map((worker) => worker.ended));
  await test[Symbol.asyncDispose]();
});

it(
  `keeps every promise in chaos (seed ${seed})`,
  async () => {
    const stacks = Array.from({ length: stackCount }, (_, index) => new Stack(test.home, `stack-${index + 1}`));
    const runs: Run[] = [];
    for (let index = 0; index < runCount; index++) {
      const stack = stacks[index % stackCount] as Stack;
      runs.push(await createRun(test.control, planFor(stack, index), "anna", new Date()));
    }
    for (let index = 0; index < workerCount; index++) startWorker();

    const calm = new AbortController();
    const trouble = [strikeWorkers(calm.signal), restartDatabase(calm.signal)];
    const people = playPeople(stacks, calm.signal);
    await sleep(troubleMs);
    calm.abort();
    await Promise.all([...trouble, people]);
    const peace = playPeople(stacks, AbortSignal.timeout(patienceMs));
    await Promise.race([
      peace,
      vi.waitFor(async () => expect(await listOpen()).toEqual([]), { timeout: patienceMs, interval: 200 }),
    ]);

    const ended = await test.control.db.selectFrom("runs").selectAll().execute();
    const outcomes = ended.filter((run) => run.parent === null).map((run) => run.outcome);
    expect(workers.flatMap((worker) => worker.lines.filter(({ kind }) => kind === "fault"))).toEqual([]);
    // Nothing but the test itself ended a worker.
    expect(workers.map((worker) => worker.stderr).filter((text) => text !== "")).toEqual([]);
    expect(
      outcomes.filter((outcome) => outcome !== "succeeded" && outcome !== "undone" && outcome !== "cancelled"),
    ).toEqual([]);
    // The game was a game: there was something of everything.
    expect(new Set(outcomes)).toEqual(new Set(["succeeded", "undone", "cancelled"]));
    for (const stack of stacks) {
      expect(stack.violations()).toEqual([]);
      expect(listTwice(stack.effects())).toEqual([]);
      expect(listIntruders(stack, ended)).toEqual([]);
      expect(listLost(stack, ended)).toEqual([]);
    }
    expect(await test.control.db.selectFrom("leases").selectAll().execute()).toEqual([]);
    for (const worker of workers) worker.kill("SIGKILL");
    await Promise.all(workers.map((worker) => worker.ended));
    await vi.waitFor(() => expect(listMarked(mark)).toEqual([]));
  },
  troubleMs + 2 * patienceMs,
);

// ── the stacks and what is done to them ─────────────────────────────────────────────────────────

interface Effect {
  readonly run: string;
  readonly what: string;
  readonly at: number;
}

class Stack {
  readonly name: string;
  readonly world: World;

  constructor(home: string, name: string) {
    this.name = name;
    mkdirSync(join(home, name));
    this.world = new World(join(home, name));
    appendFileSync(this.world.path("violations"), "");
  }

  /** Works for a moment, alone on the stack or it is a violation, and leaves one line. */
  work(key: string): CommandAction {
    const script =
      'exec 9>>"$1/lock"; flock -n 9 || { echo "$2" >> "$1/violations"; exit 9; }; ' +
      'sleep 0.15; printf "%s %s\\n" "$2" "$(date +%s%3N)" >> "$1/effects"';
    return command("local", ["bash", "-euc", script, "bash", this.world.folder, key]);
  }

  did(key: string): Probe {
    const action = command("local", ["grep", "-c", `^${key} `, this.world.path("effects")], { okExitCodes: [0, 1] });
    return { title: `${key} is done`, action, output: { from: "stdout", as: "number" }, compare: "ge", with: 1 };
  }

  effects(): readonly Effect[] {
    return this.world.effects().map((line) => {
      const [key = "", at = ""] = line.split(" ");
      const [run = "", what = ""] = key.split("/");
      return { run, what, at: Number(at) };
    });
  }

  violations(): readonly string[] {
    return readFileSync(this.world.path("violations"), "utf8").split("\n").slice(0, -1);
  }
}

/** A plan of four or five steps that nobody could foresee. Its procedure's name is its own: so a line tells whose it is. */
function planFor(stack: Stack, index: number): Plan {
  const name = `run${index}`;
  const { world } = stack;
  const act = (id: string, options: Partial<Act> = {}): Act => {
    const undone = `${name}/undo-${id}`;
    const undo = { ...world.change(`take back ${id}`, stack.work(undone)), done: stack.did(undone) };
    return {
      ...world.change(id, stack.work(`${name}/do-${id}`)),
      done: stack.did(`${name}/do-${id}`),
      undo: [undo],
      ...options,
    };
  };
  const blind = (id: string): Act => {
    const { done, ...rest } = act(id, { onInterrupt: "undo" });
    return { ...rest, verify: done === undefined ? [] : [done] };
  };
  const inner = planOf([act("in1"), act("in2")], { procedure: `${name}-inner`, stack: stack.name });
  const middle: Step[] = [
    blind("blind"),
    act("ask", { onFail: "ask", verify: [world.exists(`fixed-${name}`)] }),
    world.child("inside", inner.procedure),
    act("plain"),
  ];
  const kept = middle.filter(() => random() < 0.7);
  const fails = index % 6 === 0 || random() < 0.2 ? [act("fails", { verify: [world.exists("never")] })] : [];
  return planOf([act("first"), ...kept, ...fails, act("last")], {
    procedure: name,
    stack: stack.name,
    input: { [inner.procedure]: JSON.parse(JSON.stringify(inner)) },
  });
}

// ── what happens to them ────────────────────────────────────────────────────────────────────────

function startWorker(): void {
  workers.push(new NodeProcess("test/harness/chaos-worker.ts", [test.home], { env: { [markName]: mark } }));
}

function pick<T>(items: readonly T[]): T | undefined {
  return items[Math.floor(random() * items.length)];
}

/** Every two seconds one worker is killed and another one comes; in between one is frozen for a while. */
async function strikeWorkers(calm: AbortSignal): Promise<void> {
  const living = () => workers.filter(({ child }) => child.exitCode === null && child.signalCode === null);
  while (!calm.aborted) {
    await sleep(1_000);
    const stiff = pick(living());
    stiff?.kill("SIGSTOP");
    await sleep(1_000);
    // Frozen or not: some are killed in their sleep.
    const victim = pick(living());
    victim?.kill("SIGKILL");
    if (victim !== undefined) startWorker();
    stiff?.kill("SIGCONT");
  }
}

async function restartDatabase(calm: AbortSignal): Promise<void> {
  for (let count = 0; count < 2 && !calm.aborted; count++) {
    await sleep(troubleMs / 3);
    await test.restart();
  }
}

/** Somebody approves what waits, decides what is asked, and now and then cancels what goes on. */
async function playPeople(stacks: readonly Stack[], stop: AbortSignal): Promise<void> {
  let cancels = Math.ceil(runCount / 6);
  while (!stop.aborted && (await listOpen()).length > 0) {
    await sleep(150);
    for (const run of await listOpen()) {
      await answer(run, stacks).catch(() => undefined);
      if (cancels > 0 && run.status === "running" && random() < 0.05) {
        cancels -= 1;
        await requestCancel(test.control, run.id, "berta").catch(() => undefined);
      }
    }
  }
}

async function answer(run: Run, stacks: readonly Stack[]): Promise<void> {
  if (run.parent !== null || (run.status !== "waiting" && run.status !== "planned")) return;
  if (run.waiting_for === "approval" || run.status === "planned") return approveRun(test.control, run, "berta");
  if (run.waiting_for === "undo") return decideRun(test.control, run, "again", "anna");
  const decision = pick(["again", "again", "done", "undo"] as const) ?? "again";
  if (decision === "again") stacks.find(({ name }) => name === run.stack)?.world.write(`fixed-${run.procedure}`);
  return decideRun(test.control, run, decision, "anna");
}

/** The database may be away: then there is nothing to be done about any. */
async function listOpen(): Promise<readonly Run[]> {
  try {
    return await test.control.db.selectFrom("runs").selectAll().where("status", "!=", "ended").execute();
  } catch {
    await sleep(100);
    return listOpen();
  }
}

// ── what must hold ──────────────────────────────────────────────────────────────────────────────

function listTwice(effects: readonly Effect[]): readonly string[] {
  const keys = effects.map(({ run, what }) => `${run}/${what}`);
  return keys.filter((key, index) => keys.indexOf(key) !== index);
}

/** Effects on a stack between the first effect and the end of another run: that one held it. */
function listIntruders(stack: Stack, runs: readonly Run[]): readonly string[] {
  const effects = stack.effects();
  return runs.flatMap(({ procedure, finished_at: end }) => {
    const first = effects.find(({ run }) => run === procedure);
    if (first === undefined || end === null) return [];
    return effects
      .filter(({ run, at }) => run !== procedure && at >= first.at && at <= end.getTime())
      .map(({ run, what }) => `${run}/${what} while ${procedure} held ${stack.name}`);
  });
}

/** What a run that succeeded did not do, and what one that did not succeed left behind. */
function listLost(stack: Stack, runs: readonly Run[]): readonly string[] {
  const lines = new Set(stack.effects().map(({ run, what }) => `${run}/${what}`));
  return runs
    .filter((run) => run.stack === stack.name && run.parent === null)
    .flatMap(({ procedure, outcome }) => {
      const did = [...lines].filter((line) => line.startsWith(`${procedure}/do-`));
      const left = did.filter((line) => !lines.has(line.replace("/do-", "/undo-")));
      const taken = [...lines].filter((line) => line.startsWith(`${procedure}/undo-`));
      if (outcome === "succeeded") return did.length < 2 || taken.length > 0 ? [`${procedure} is not whole`] : [];
      return left.map((line) => `${line} was left behind`);
    });
}

/** A small generator of numbers that a seed repeats. */
function mulberry32(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
