import { execFileSync } from "node:child_process";
import { subscribe } from "node:diagnostics_channel";
import type { Point } from "../../src/engine/session.ts";

/**
 * Runs a program at one point of a run, while the run stands still. Loaded before the command line (`node --import`), as `kill-at.ts`
 * is; points are named as there: `do:folder/cluster/restore:recorded`.
 */
const { AT_POINT, AT_SCRIPT } = process.env;

subscribe("ipai:engine", (message) => {
  const { phase, path, at } = message as Point;
  if (AT_SCRIPT === undefined || `${phase}:${path}:${at}` !== AT_POINT) return;
  // Standard output is the command line's own.
  execFileSync("bash", ["-euo", "pipefail", "-c", AT_SCRIPT], { stdio: ["ignore", 2, 2] });
});
