import type { Secret } from "../config/secret.ts";

/** The port through which every program is started: on this machine, on another one, or only on paper. */
export interface Executor {
  /**
   * Runs a pipeline to its end. A program that exits with a failure is a result, not an error; errors are for pipelines that could
   * not be started (`host.program_not_found`, `host.permission_denied`, `host.start_failed`) or were stopped (`host.timeout`,
   * `host.cancelled`). What its programs leave running is killed with them, or a moment after they ended, except what made a session
   * of its own: a daemon.
   */
  run(pipeline: Pipeline, options: RunOptions): Promise<CommandResult>;
}

export type Pipeline = readonly [ResolvedCommand, ...ResolvedCommand[]];

/** One program, all references replaced by values. Secrets stay wrapped until the executor hands them to the program. */
export interface ResolvedCommand {
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string | Secret>>;
  /** Absent: the previous program's output, or nothing for the first one. */
  readonly stdin?: string | Secret;
  readonly mergeStderr: boolean;
}

export interface RunOptions {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** Called for every line as it arrives, without its line break. It must not throw. */
  readonly onLine?: (line: string, stream: "stdout" | "stderr") => void;
  /** Called once when all programs have been started: from here on the world may have changed. */
  readonly onSpawn?: () => void;
}

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  /** As with pipefail: that of the last program which did not exit with 0, or 0. A program ended by a signal counts 128 + its number. */
  readonly exitCode: number;
  /** Of every program of the pipeline, in order. */
  readonly exitCodes: readonly number[];
  readonly seconds: number;
  /** The signal that ended the program which decided `exitCode`. */
  readonly signal?: string;
  /** True when standard output was longer than what is kept of it. */
  readonly truncated: boolean;
}

/** The command that decided a result's exit code: the last one that failed, or the last one. */
export function decisiveCommand(pipeline: Pipeline, exitCodes: readonly number[]): ResolvedCommand {
  const index = exitCodes.findLastIndex((code) => code !== 0);
  return pipeline[index] ?? pipeline[pipeline.length - 1] ?? pipeline[0];
}
