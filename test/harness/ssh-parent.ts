import { writeFileSync } from "node:fs";
import { LocalExecutor } from "../../src/host/local.ts";
import { SshExecutor } from "../../src/host/ssh/executor.ts";

/** Runs a long command on another machine, says so by a file, and waits to be killed. Arguments: destination, configuration, file. */
const [destination = "", configFile, file = ""] = process.argv.slice(2);
const command = { argv: ["sleep", "300"], env: { MARK: file }, mergeStderr: false } as const;
await new SshExecutor(new LocalExecutor(), { destination, configFile }).run([command], {
  signal: new AbortController().signal,
  timeoutMs: 300_000,
  onSpawn: () => writeFileSync(file, ""),
});
