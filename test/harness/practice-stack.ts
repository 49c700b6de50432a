import { mkdir, rm } from "node:fs/promises";
import { home, ipai, isCompose } from "./sandbox.ts";

/** One practice stack for all system and crash tests of a process; they leave it as they found it. */
export async function setup(): Promise<void> {
  await mkdir(home, { recursive: true, mode: 0o755 });
  const up = await ipai(["demo", "up", ...(isCompose ? ["--compose"] : [])], { timeoutMs: 600_000 });
  if (up.exitCode !== 0) throw new Error(`The practice stack does not come up:\n${up.stderr}`);
}

export async function teardown(): Promise<void> {
  const down = await ipai(["demo", "down", "--remove"]);
  if (down.exitCode !== 0) throw new Error(`The practice stack does not go down:\n${down.stderr}`);
  await ipai(["control", "stop"]);
  await rm(home, { recursive: true, force: true });
}
