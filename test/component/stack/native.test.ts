import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { command, type Probe } from "../../../src/runbook/action.ts";
import { createNativeRuntime, type NativeServices } from "../../../src/stack/runtime/native.ts";
import type { Runtime } from "../../../src/stack/runtime/runtime.ts";
import { perform, practiceStack } from "../../harness/perform.ts";

/** Services under Debian's own start-stop-daemon: programs that end when asked, that do not, and that ended unasked. */
let folder: string;
let parents: ChildProcess[];
let runtime: Runtime;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ipai-native-"));
  parents = [];
  runtime = createNativeRuntime(practiceStack(folder), servicesOf({ one: slow, two: slow, stubborn }));
});
afterEach(async () => {
  for (const name of ["one", "two", "stubborn"]) await perform(runtime.service(name).stop);
  for (const parent of parents) parent.kill("SIGKILL");
  await rm(folder, { recursive: true });
});

/** Notes when it was asked to end, and when it ends. */
const note = 'sub note { open(F, ">>", "notes"); syswrite(F, shift); close F }';
const slow = [
  "perl",
  "-e",
  `${note} $SIG{TERM} = sub { note("a"); select(undef, undef, undef, 0.4); note("e"); exit }; sleep 9 while 1`,
];
const stubborn = ["perl", "-e", '$SIG{TERM} = "IGNORE"; sleep 9 while 1'];

function servicesOf(commands: Readonly<Record<string, readonly string[]>>): NativeServices {
  const services = Object.entries(commands).map(([name, command]) => {
    const [pidFile, log] = [pidFileOf(name), join(folder, `${name}.log`)];
    return [name, { command, user: "root", environment: {}, directory: folder, pidFile, log, stopSeconds: 1 }] as const;
  });
  const database = { cluster: "15/sandbox", user: "postgres", configRoot: folder };
  return { database, ...Object.fromEntries(services) };
}

const pidFileOf = (name: string) => join(folder, `${name}.pid`);
const answer = async ({ action }: Probe) => (await perform(action)).exitCode;
const pidOf = async (name: string) => Number(await readFile(pidFileOf(name), "utf8"));

async function start(...names: readonly string[]): Promise<void> {
  for (const name of names) {
    await perform(runtime.service(name).start);
    expect(await answer(runtime.service(name).isRunning)).toBe(0);
  }
  // Until the programs have said how they take TERM.
  await sleep(200);
}

/** A child that has ended and that its parent never asks for. */
async function leaveZombie(name: string): Promise<void> {
  const script = `sh -c 'echo $$ > ${pidFileOf(name)}' & exec sleep 300`;
  parents.push(spawn("sh", ["-c", script], { stdio: "ignore" }));
  await expect.poll(() => existsSync(pidFileOf(name)), { timeout: 5000 }).toBe(true);
  await expect.poll(async () => readFile(`/proc/${await pidOf(name)}/stat`, "utf8")).toContain(") Z ");
}

describe("a service", () => {
  it("that was never started does not run; stopping it is nothing to do", async () => {
    expect(await answer(runtime.service("one").isRunning)).toBe(1);
    await perform(runtime.service("one").stop);
  });

  it("is started once, however often that is asked for", async () => {
    await start("one");
    const pid = await pidOf("one");
    await start("one");
    expect(await pidOf("one")).toBe(pid);
  });

  it("that does not listen is killed after its time", async () => {
    await start("stubborn");
    const startedAt = performance.now();
    await perform(runtime.service("stubborn").stop);
    expect((performance.now() - startedAt) / 1000).toBeGreaterThan(0.9);
    expect([await answer(runtime.service("stubborn").isStopped), existsSync(pidFileOf("stubborn"))]).toEqual([
      1,
      false,
    ]);
  });

  it("that ended but is still in the table has stopped, and can be started", async () => {
    await leaveZombie("one");
    expect(await answer(runtime.service("one").isRunning)).toBe(1);
    await start("one");
    await perform(runtime.service("one").stop);
    await leaveZombie("one");
    const startedAt = performance.now();
    await perform(runtime.service("one").stop);
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });
});

it("a service is not called stopped where nobody can look", async () => {
  await start("one");
  const hidden = `mount --bind /dev/null "$(command -v start-stop-daemon)"; exec "$@"`;
  const { action } = runtime.service("one").isRunning;
  if (action.kind !== "command") throw new TypeError("a runtime asks by commands");
  const [{ argv }] = action.pipeline;
  const blind = command("local", ["unshare", "--mount", "sh", "-c", hidden, "blind", ...argv], { okExitCodes: [4] });
  expect((await perform(blind)).exitCode).toBe(4);
});

describe("several services", () => {
  it("are each asked once, and stop at the same time", async () => {
    await start("one", "two");
    const both = runtime.together(["one", "two"]);
    expect(await answer(both.isStopped)).toBe(0);
    await perform(both.stop);
    expect([await answer(both.isStopped), await readFile(join(folder, "notes"), "utf8")]).toEqual([1, "aaee"]);
  });

  it("have not stopped while one of them runs", async () => {
    await start("two");
    expect(await answer(runtime.together(["one", "two"]).isStopped)).toBe(0);
  });
});
