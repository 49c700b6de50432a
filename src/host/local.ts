import { accessSync, constants, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, resolve } from "node:path";
import { Secret } from "../config/secret.ts";
import { CommandCancelled, CommandTimeout, PermissionDenied, ProgramNotFound, StartFailed } from "./errors.ts";
import type { CommandResult, Executor, Pipeline, RunOptions } from "./executor.ts";
import { Head, LineSplitter, lastLines, stderrBytesMax, stdoutBytesMax, Tail } from "./output.ts";
import { closePipes, openPipes, type Pipe } from "./pipes.ts";
import { countPipes, type Exit, type Part, type RunningPipeline, startPipeline } from "./process.ts";

export interface LocalOptions {
  /** Added to every program's environment, below what its command asks for. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Between asking the programs to stop and killing them. */
  readonly graceMs?: number;
}

/** Runs pipelines on this machine. Nothing that it starts outlives it, even when this process is killed with SIGKILL. */
export class LocalExecutor implements Executor {
  readonly #environment: Readonly<Record<string, string>>;
  readonly #graceMs: number;

  constructor(options: LocalOptions = {}) {
    this.#environment = { ...baseEnvironment(), ...options.environment };
    this.#graceMs = options.graceMs ?? 5000;
  }

  async run(pipeline: Pipeline, options: RunOptions): Promise<CommandResult> {
    const startedAt = performance.now();
    requireVariableNames(pipeline);
    const pipes = await acquirePipes(pipeline, options.signal);
    const running = await startPipeline(pipeline, this.#environment, pipes);
    const capture = new Capture(running, options.onLine);
    const stop = new Stop(running.parts, options, this.#graceMs);
    try {
      options.onSpawn?.();
      const exits = await Promise.race([Promise.all(running.parts.map((part) => part.exited)), stop.gaveUp]);
      stop.disarm();
      await capture.finish();
      stop.throwIfStopped(pipeline, options.timeoutMs, capture);
      requireProgramsFound(pipeline, exits, this.#environment);
      const exitCodes = exits.map((exit) => exit.exitCode);
      const decisive = exits.findLast((exit) => exit.exitCode !== 0);
      return {
        stdout: capture.stdout.text(),
        stderr: capture.stderr.text(),
        exitCode: decisive?.exitCode ?? 0,
        exitCodes,
        seconds: (performance.now() - startedAt) / 1000,
        ...(decisive?.signal === undefined ? {} : { signal: decisive.signal }),
        truncated: capture.stdout.truncated,
      };
    } finally {
      stop.disarm();
      running.release();
    }
  }
}

/** The same for everybody who starts the tool, so that programs answer alike, and in English. */
function baseEnvironment(): Record<string, string> {
  return {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    HOME: homedir(),
    LANG: "C.UTF-8",
    LC_ALL: "C.UTF-8",
    TZ: "UTC",
  };
}

/** dash does not hand on variables with other names, and no exported script could set them. */
function requireVariableNames(pipeline: Pipeline): void {
  for (const command of pipeline) {
    const name = Object.keys(command.env).find((key) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(key));
    if (name !== undefined)
      throw StartFailed({
        program: command.argv[0],
        reason: `${JSON.stringify(name)} cannot name an environment variable`,
      });
  }
}

async function acquirePipes(pipeline: Pipeline, signal: AbortSignal): Promise<readonly Pipe[]> {
  const program = pipeline[0].argv[0];
  if (signal.aborted) throw CommandCancelled({ program, output: "" });
  const pipes = await openPipes(countPipes(pipeline)).catch((cause: unknown) => {
    throw StartFailed({ program, reason: "no pipes could be made" }, { cause });
  });
  if (!signal.aborted) return pipes;
  closePipes(pipes);
  throw CommandCancelled({ program, output: "" });
}

/** Collects what the programs print. */
class Capture {
  readonly stdout = new Head(stdoutBytesMax);
  readonly stderr = new Tail(stderrBytesMax);
  readonly #closed: Promise<unknown>;
  readonly #splitters: LineSplitter[] = [];
  #bytes = 0;

  constructor(running: RunningPipeline, onLine: RunOptions["onLine"]) {
    this.#closed = Promise.all([
      this.#read(running.stdout, this.stdout, "stdout", onLine),
      this.#read(running.stderr, this.stderr, "stderr", onLine),
    ]);
  }

  /**
   * The programs are over. Usually their pipes end at once, or when what they left behind has been killed; a daemon with a session
   * of its own may hold them for good, so it is enough that nothing comes any more, and after 5 s it is enough altogether.
   */
  async finish(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const quiet = new Promise<void>((resolve) => {
      let [ticks, quietTicks, seen] = [0, 0, this.#bytes];
      // Each turn of the event loop reads what is there before the next tick: quiet ticks are not a busy process's delay.
      timer = setInterval(() => {
        quietTicks = seen === this.#bytes ? quietTicks + 1 : 0;
        seen = this.#bytes;
        ticks += 1;
        if (quietTicks === 8 || ticks === 100) resolve();
      }, 50);
    });
    await Promise.race([this.#closed, quiet]);
    clearInterval(timer);
    for (const splitter of this.#splitters) splitter.end();
  }

  /** What an error quotes: the last lines of standard error, or of the output if there are none. */
  lastLines(): string {
    return lastLines(this.stderr.text()) || lastLines(this.stdout.text());
  }

  #read(
    socket: RunningPipeline["stdout"],
    kept: Head | Tail,
    stream: "stdout" | "stderr",
    onLine: RunOptions["onLine"],
  ): Promise<void> {
    const splitter = onLine === undefined ? undefined : new LineSplitter((line) => onLine(line, stream));
    if (splitter !== undefined) this.#splitters.push(splitter);
    socket.on("data", (chunk: Buffer) => {
      this.#bytes += chunk.length;
      kept.add(chunk);
      splitter?.add(chunk);
    });
    return new Promise((resolve) => {
      socket.once("close", () => resolve());
      socket.once("error", () => resolve());
    });
  }
}

/** Ends the programs on a timeout or on request: first they are asked, then they are killed. */
class Stop {
  /** Rejects nothing, resolves when even killing did not help: a program of another user, or one stuck in the kernel. */
  readonly gaveUp: Promise<readonly Exit[]>;
  readonly #parts: readonly Part[];
  readonly #graceMs: number;
  readonly #signal: AbortSignal;
  readonly #timers: NodeJS.Timeout[] = [];
  #giveUp: (exits: readonly Exit[]) => void = () => {};
  #reason: "timeout" | "cancelled" | undefined;

  constructor(parts: readonly Part[], options: RunOptions, graceMs: number) {
    this.#parts = parts;
    this.#graceMs = graceMs;
    this.#signal = options.signal;
    this.gaveUp = new Promise((resolve) => {
      this.#giveUp = resolve;
    });
    // A longer delay than 2^31-1 ms would fire at once.
    this.#after(Math.min(options.timeoutMs, 2 ** 31 - 1), () => this.#stop("timeout"));
    this.#signal.addEventListener("abort", this.#onAbort);
  }

  disarm(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#signal.removeEventListener("abort", this.#onAbort);
  }

  throwIfStopped(pipeline: Pipeline, timeoutMs: number, capture: Capture): void {
    if (this.#reason === undefined) return;
    const program = pipeline.map((command) => command.argv[0]).join(" | ");
    const output = capture.lastLines();
    throw this.#reason === "timeout"
      ? CommandTimeout({ program, seconds: timeoutMs / 1000, output })
      : CommandCancelled({ program, output });
  }

  readonly #onAbort = () => this.#stop("cancelled");

  #stop(reason: "timeout" | "cancelled"): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    for (const part of this.#parts) part.signal("SIGTERM");
    this.#after(this.#graceMs, () => this.#kill());
  }

  #kill(): void {
    for (const part of this.#parts) {
      part.signal("SIGKILL");
      part.release();
    }
    this.#after(this.#graceMs, () => this.#giveUp([]));
  }

  #after(delayMs: number, act: () => void): void {
    this.#timers.push(setTimeout(act, delayMs));
  }
}

/**
 * 127 and 126 may also be a program's own answer (`docker exec` and `ssh` pass on their program's), so they are explained by looking
 * for the program afterwards.
 */
function requireProgramsFound(
  pipeline: Pipeline,
  exits: readonly Exit[],
  environment: Readonly<Record<string, string>>,
): void {
  for (const [index, command] of pipeline.entries()) {
    const exitCode = exits[index]?.exitCode;
    if (exitCode !== 127 && exitCode !== 126) continue;
    const path = command.env["PATH"] ?? environment["PATH"] ?? "";
    const files = findFiles(command.argv[0], path instanceof Secret ? path.reveal() : path);
    if (exitCode === 127 && files.length === 0) throw ProgramNotFound({ program: command.argv[0] });
    if (exitCode === 126 && !files.some(isExecutable)) throw PermissionDenied({ program: command.argv[0] });
  }
}

/** Everything that a shell in the root folder could mean by a program's name. */
function findFiles(program: string, path: string): readonly string[] {
  const folders = program.includes("/") ? [""] : path.split(delimiter);
  return folders
    .map((folder) => resolve("/", folder, program))
    .filter((file) => statSync(file, { throwIfNoEntry: false }) !== undefined);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
