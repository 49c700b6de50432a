import { subscribe } from "node:diagnostics_channel";
import { appendFileSync } from "node:fs";
import type { Point } from "../../src/engine/session.ts";

/**
 * Ends or freezes its own process at one point of a run. Loaded before a program (`node --import test/harness/kill-at.ts …`), so
 * that the program itself needs no switch for tests: it only says where it is, on the channel `ipai:engine`. `kill.ts` tells how
 * it is used. Of several points, a line each, it is the first that is passed.
 */
const { KILL_AT = "", KILL_HOW = "SIGKILL", KILL_AFTER_MS, KILL_POINTS } = process.env;

const points = KILL_AT.split("\n");

subscribe("ipai:engine", (message) => {
  const { phase, path, at } = message as Point;
  pass(`${phase}:${path}:${at}`);
});
// Backups and restores of the control database itself say how far they are: `control:dumped`.
subscribe("ipai:control", (message) => pass(`control:${String(message)}`));

function pass(name: string): void {
  if (KILL_POINTS !== undefined) appendFileSync(KILL_POINTS, `${name}\n`);
  if (!points.includes(name)) return;
  const strike = () => process.kill(process.pid, KILL_HOW);
  if (KILL_AFTER_MS === undefined) strike();
  else setTimeout(strike, Number(KILL_AFTER_MS));
}
