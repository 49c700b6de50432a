import { NodeProcess } from "./process.ts";
import { environment, ipai, parsed, until } from "./sandbox.ts";

/** A worker of the practice stack that begins what was planned for a time, and nothing of what runs by itself. */
export class Later implements AsyncDisposable {
  readonly #process: NodeProcess;

  constructor(config: string, env: Readonly<Record<string, string>>) {
    const args = ["--config", config, "worker", "--json"];
    this.#process = new NodeProcess("src/cli/main.ts", args, { env: { ...environment, ...env } });
  }

  /** How a run stands when it has ended. */
  async ended<T>(run: string): Promise<T> {
    let shown: { outcome: string; finishedAt: string | null } | undefined;
    await until(
      `run ${run} has ended`,
      async () => {
        shown = parsed(await ipai(["runs", "show", run, "--json"]));
        return shown?.finishedAt !== null;
      },
      240_000,
    );
    return shown as T;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGTERM");
    await this.#process.ended;
  }
}

/** Every schedule of a configuration, switched off: what a test plans is all that happens. */
export async function noSchedules(config: string, env: Readonly<Record<string, string>>) {
  const { schedules } = parsed<{ schedules: readonly { name: string }[] }>(
    await ipai(["--config", config, "schedules", "--json"], { env }),
  );
  return Object.fromEntries(schedules.map(({ name }) => [name, "off"]));
}
