import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "kysely";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { isEmbeddedRunning } from "../../../src/engine/embedded.ts";
import { keepUp, type ReviveEvent } from "../../../src/engine/revive.ts";
import { LocalExecutor } from "../../../src/host/local.ts";
import { startControl, type TestControl } from "../../harness/control.ts";

/** The embedded server dies under a worker that stays. */
let test: TestControl;
let stop: AbortController;
let told: ReviveEvent[];
let kept: Promise<void>;
let looks = 0;
const executor = new LocalExecutor();
const data = () => join(test.home, "control/data");
const postmaster = () => Number(readFileSync(join(data(), "postmaster.pid"), "utf8").split("\n")[0]);
const answers = async () =>
  await sql`select 1`.execute(test.control.db).then(
    () => true,
    () => false,
  );
/** Connections of a server that was killed answer for a moment longer. */
const isStartedAgain = async () => {
  await vi.waitFor(() => expect(told.map(({ kind }) => kind)).toContain("started_again"), { timeout: 20_000 });
  await vi.waitFor(async () => expect(await answers()).toBe(true), { timeout: 20_000, interval: 50 });
};
const someLooks = async () => {
  const seen = looks;
  await vi.waitFor(() => expect(looks).toBeGreaterThan(seen + 5), { timeout: 20_000, interval: 10 });
};

beforeAll(async () => {
  test = await startControl();
});
afterAll(() => test[Symbol.asyncDispose]());
beforeEach(() => {
  stop = new AbortController();
  told = [];
  const pause = async () => {
    looks += 1;
    await new Promise((resolve) => setTimeout(resolve, 20));
  };
  kept = keepUp({ home: test.home, executor, pause, tell: (event) => told.push(event) }, stop.signal);
});
afterEach(async () => {
  stop.abort();
  await kept;
});

it("one that was killed is started again, once, with what it had", async () => {
  await sql`create table if not exists seen as select 1 as one`.execute(test.control.db);
  const before = postmaster();
  process.kill(before, "SIGKILL");
  await isStartedAgain();
  await someLooks();
  expect(postmaster()).not.toBe(before);
  expect(told.filter(({ kind }) => kind === "started_again")).toHaveLength(1);
  await sql`drop table seen`.execute(test.control.db);
});

it("one that a person stopped stays stopped, until somebody starts it", async () => {
  await test.stop();
  await someLooks();
  expect(await isEmbeddedRunning(test.home, executor)).toBe(false);
  await test.start();
  expect(existsSync(join(test.home, "control/stopped"))).toBe(false);
  process.kill(postmaster(), "SIGKILL");
  await isStartedAgain();
});

it("one whose data is gone is not made anew", async () => {
  const away = join(test.home, "control/away");
  process.kill(postmaster(), "SIGSTOP");
  const pid = postmaster();
  await rename(data(), away);
  process.kill(pid, "SIGKILL");
  await someLooks();
  expect(existsSync(data())).toBe(false);
  await rename(away, data());
  await isStartedAgain();
});

it("one that cannot be started is tried again, and told", async () => {
  const file = join(data(), "postgresql.auto.conf");
  const settings = readFileSync(file, "utf8");
  writeFileSync(file, `${settings}nonsense = yes\n`);
  process.kill(postmaster(), "SIGKILL");
  await vi.waitFor(() => expect(told.map(({ kind }) => kind)).toContain("not_started"), { timeout: 20_000 });
  writeFileSync(file, settings);
  await isStartedAgain();
});

it("one whose number another program has by now is started all the same", async () => {
  const file = join(data(), "postmaster.pid");
  const [old = "", ...rest] = readFileSync(file, "utf8").split("\n");
  process.kill(Number(old), "SIGSTOP");
  // The test's own process has the number.
  writeFileSync(file, [String(process.pid), ...rest].join("\n"));
  process.kill(Number(old), "SIGKILL");
  await isStartedAgain();
  expect(postmaster()).not.toBe(process.pid);
});
