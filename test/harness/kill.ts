import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vi } from "vitest";
import type { Point } from "../../src/engine/session.ts";
import { type Entry, type Plan, walk } from "../../src/runbook/plan.ts";
import { type NodeOptions, NodeProcess } from "./process.ts";

/**
 * Kills a program at points of a run that are enumerated from its plan. Nothing here knows what the plan does; with the command
 * line and a real stack it is used like this:
 *
 *     const upgrade = { program: "src/cli/main.ts", args: ["upgrade", "--yes"], env: { IPAI_HOME: home } };
 *     const points = await rehearse(upgrade);                 // once unharmed: every point that it passes
 *     expect(listUncovered([plan], points)).toEqual([]);      // a step without a point fails the suite
 *     for (const point of points) {
 *       … put the stack back to where it was …
 *       await strike(upgrade, point);                         // ends with SIGKILL there, or this fails
 *       … `ipai runs resume RUN` until it has ended, and look at the world …
 *     }
 *
 * A point is written `PHASE:PATH:AT`, as in `do:closed/stopped/update:spawned` or `undo:closed/stop web~start web:recorded`:
 *
 * - `before`: the journal says that the step is under way; nothing of it was done.
 * - `spawned`: its programs have been started. `strike(…, { afterMs: 2000 })` lets them work that long first.
 * - `performed`: they have ended. `verified`: the world was looked at. `recorded`: the journal says how the step ended.
 *
 * By hand: `KILL_AT='do:update:spawned' NODE_OPTIONS='--import=…/test/harness/kill-at.ts' bin/ipai upgrade --yes`; with
 * `KILL_HOW=SIGSTOP` it freezes instead, and goes on after `kill -CONT`.
 */
export interface Program extends NodeOptions {
  /** Relative to the project. */
  readonly program: string;
  readonly args: readonly string[];
}

export interface Blow {
  readonly how?: "SIGKILL" | "SIGSTOP";
  readonly afterMs?: number;
}

const ofAct = ["before", "spawned", "performed", "verified", "recorded"] as const satisfies readonly Point["at"][];
const ofOther = ["before", "verified", "recorded"] as const satisfies readonly Point["at"][];

/** Every point at which a run of this plan can be struck, going forwards and back. */
export function listPoints(plan: Plan): readonly string[] {
  const pointsOf = (name: string, { kind }: Pick<Entry["step"], "kind">) =>
    (kind === "act" ? ofAct : ofOther).map((at) => `${name}:${at}`);
  return walk(plan).flatMap(({ path, step, undo }) => [
    ...pointsOf(`do:${path}`, step),
    ...undo.flatMap((back) => pointsOf(`undo:${path}~${back.id}`, back)),
  ]);
}

/** Steps, forwards and back, that no point belongs to: they were never shown to survive anything. */
export function listUncovered(plans: readonly Plan[], points: readonly string[]): readonly string[] {
  const step = (point: string) => point.slice(0, point.lastIndexOf(":"));
  const covered = new Set(points.map(step));
  return [...new Set(plans.flatMap(listPoints).map(step))].filter((one) => !covered.has(one));
}

/** Lets the program run unharmed and says which points it passed, each once, in order. */
export async function rehearse(program: Program): Promise<readonly string[]> {
  return (await follow(program, {})).passed;
}

/** Strikes at whichever of these points the program passes first, and says at which. Undefined: it passed none, and ended by itself. */
export async function strikeFirst(program: Program, points: readonly string[]): Promise<string | undefined> {
  const { passed, signal } = await follow(program, { KILL_AT: points.join("\n") });
  return signal === "SIGKILL" ? passed.at(-1) : undefined;
}

async function follow(program: Program, more: Readonly<Record<string, string>>) {
  const folder = mkdtempSync(join(tmpdir(), "ipai-points-"));
  const file = join(folder, "points");
  writeFileSync(file, "");
  try {
    const { signal } = await start(program, { ...more, KILL_POINTS: file }).ended;
    const lines = readFileSync(file, "utf8").split("\n");
    return { passed: [...new Set(lines.filter((line) => line !== ""))], signal };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs the program until it is struck at `point`. Fails when it ends in any other way. A frozen one is left to the caller. */
export async function strike(program: Program, point: string, blow: Blow = {}): Promise<NodeProcess> {
  const how = blow.how ?? "SIGKILL";
  const after = blow.afterMs === undefined ? {} : { KILL_AFTER_MS: String(blow.afterMs) };
  const running = start(program, { KILL_AT: point, KILL_HOW: how, ...after });
  const ended = running.ended.then((end) => {
    if (end.signal === "SIGKILL") return;
    throw new Error(`ended (${end.signal ?? end.code}) without passing ${point}\n${running.stderr}`);
  });
  await (how === "SIGKILL" ? ended : Promise.race([ended, isFrozen(running.pid)]));
  return running;
}

function isFrozen(pid: number): Promise<void> {
  const state = () => readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.[0];
  const frozen = () => {
    if (state() !== "T") throw new Error(`process ${pid} is not frozen`);
  };
  return vi.waitFor(frozen, { timeout: 600_000, interval: 20 });
}

function start({ program, args, imports = [], env }: Program, more: Readonly<Record<string, string>>): NodeProcess {
  return new NodeProcess(program, args, {
    imports: ["test/harness/kill-at.ts", ...imports],
    env: { ...env, ...more },
  });
}

/** Does `work` for each item, a few at a time, and fails with the first failure after all are through. */
export async function forEachOf<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = [...items];
  const failures: Error[] = [];
  const one = async () => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift())
      await work(item).catch((cause: unknown) =>
        failures.push(new Error(`at ${String(item)}: ${String(cause)}`, { cause })),
      );
  };
  await Promise.all(Array.from({ length: atOnce }, one));
  if (failures.length > 0) throw new AggregateError(failures, failures.map(({ message }) => message).join("\n"));
}
