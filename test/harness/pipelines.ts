import { readdirSync, readFileSync } from "node:fs";
import type { CommandResult, Executor, Pipeline, ResolvedCommand, RunOptions } from "../../src/host/executor.ts";

/** Pipelines for executors, said shortly, and what became of them. */

type Part = Partial<ResolvedCommand> & Pick<ResolvedCommand, "argv">;
export const pipe = (...parts: readonly [Part, ...Part[]]): Pipeline =>
  parts.map((part) => ({ env: {}, mergeStderr: false, ...part })) as unknown as Pipeline;
export const sh = (script: string, part: Partial<ResolvedCommand> = {}): Part => ({
  argv: ["sh", "-c", script],
  ...part,
});

export function run(executor: Executor, pipeline: Pipeline, options: Partial<RunOptions> = {}): Promise<CommandResult> {
  return executor.run(pipeline, { signal: new AbortController().signal, timeoutMs: 60_000, ...options });
}

export const codeOf = (ended: Promise<unknown>) =>
  ended.then(
    () => "ended",
    (error: { code?: string }) => error.code ?? String(error),
  );

/** Processes of the host that were started with this word in their environment or arguments. */
export function processesWith(word: string): readonly string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return (
        /^\d+$/.test(pid) &&
        readFileSync(`/proc/${pid}/environ`, "latin1").includes(word) &&
        !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))
      );
    } catch {
      return false;
    }
  });
}
