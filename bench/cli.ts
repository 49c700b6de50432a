import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ipaiHome } from "../src/config/home.ts";
import { type Bench, time } from "./bench.ts";

const ipai = join(import.meta.dirname, "..", "bin", "ipai");

/** Seconds that the whole process takes, once per count. `isGood` says which exit codes are answers. */
async function timeWhole(count: number, args: readonly string[], isGood: (code: number | null) => boolean) {
  const values = await time(count, async () => {
    const { status, stderr } = spawnSync(ipai, args, { encoding: "utf8" });
    if (!isGood(status)) throw new Error(`ipai ${args.join(" ")} ended with ${status}: ${stderr}`);
  });
  return values.map((ms) => ms / 1000);
}

const help: Bench = {
  name: "cli-help",
  title: "`ipai --help`, the whole process",
  unit: "s",
  goal: 0.3,
  measure: () => timeWhole(15, ["--help"], (code) => code === 0),
};

const health: Bench = {
  name: "cli-health",
  title: "`ipai health --json`, cold, on the practice stack",
  unit: "s",
  goal: 1.5,
  measure: () => timeWhole(7, ["health", "--json"], (code) => code !== null && code <= 3),
};

/** Health is measured where a practice stack is (`ipai demo up`). */
export const cliBenches: readonly Bench[] = existsSync(join(ipaiHome(process.env), "sandbox", "ipai.yaml"))
  ? [help, health]
  : [help];
