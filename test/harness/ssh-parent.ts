import { writeFileSync } from "node:fs";
import { Executors } from "../../src/cli/executors.ts";

/** Runs a long command on another machine, says so by a file, and waits to be killed. Arguments: destination, configuration, file. */
const [destination = "", configFile, file = ""] = process.argv.slice(2);
const command = { argv: ["sleep", "300"], env: { MARK: file }, mergeStderr: false } as const;
await new Executors({ IPAI_SSH_CONFIG: configFile }).of(destination).run([command], {
  signal: new AbortController().signal,
  timeoutMs: 300_000,
  onSpawn: () => writeFileSync(file, ""),
});
