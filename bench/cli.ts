import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { type Bench, time } from "./bench.ts";

const ipai = join(import.meta.dirname, "..", "bin", "ipai");

export const cliBenches: readonly Bench[] = [
  {
    name: "cli-help",
    title: "`ipai --help`, the whole process",
    unit: "s",
    goal: 0.3,
    measure: async () => {
      const values = await time(15, async () => {
        const { status, stderr } = spawnSync(ipai, ["--help"], { encoding: "utf8" });
        if (status !== 0) throw new Error(`ipai --help ended with ${status}: ${stderr}`);
      });
      return values.map((ms) => ms / 1000);
    },
  },
];
