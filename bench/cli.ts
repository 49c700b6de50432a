import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ipaiHome } from "../src/config/home.ts";
import { type Bench, time } from "./bench.ts";

const ipai = join(import.meta.dirname, "..", "bin", "ipai");
const practiceConfig = join(ipaiHome(process.env), "sandbox", "ipai.yaml");

/** Seconds that the whole process takes, once per count. `isGood` says which exit codes are answers. */
async function timeWhole(
  count: number,
  args: readonly string[],
  isGood: (code: number | null) => boolean,
  environment: NodeJS.ProcessEnv = {},
) {
  const values = await time(count, async () => {
    const { status, stderr } = spawnSync(ipai, args, { encoding: "utf8", env: { ...process.env, ...environment } });
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

const healthBySsh: Bench = {
  name: "cli-health-ssh",
  title: "the same through SSH, on a real OpenSSH server of this machine: connecting, asking, saying good-bye",
  unit: "s",
  goal: 3,
  measure: async () => {
    // Only now: what it needs reads where the stack of the tests is when it is loaded, and the benches of backups have another.
    const { startSshd } = await import("../test/harness/sshd.ts");
    await using sshd = await startSshd();
    const [comment = "", ...json] = readFileSync(practiceConfig, "utf8").split("\n");
    const config = JSON.parse(json.join("\n")) as { stacks: { sandbox: Record<string, unknown> } };
    config.stacks.sandbox["host"] = sshd.destination;
    const file = join(sshd.folder, "ipai.yaml");
    writeFileSync(file, `${comment}\n${JSON.stringify(config, null, 2)}\n`);
    const args = ["--config", file, "health", "--json"];
    return await timeWhole(7, args, (code) => code !== null && code <= 3, { IPAI_SSH_CONFIG: sshd.configFile });
  },
};

/** Health is measured where a practice stack is (`ipai demo up`). */
export const cliBenches: readonly Bench[] = existsSync(practiceConfig)
  ? [help, health, ...(existsSync("/usr/sbin/sshd") ? [healthBySsh] : [])]
  : [help];
