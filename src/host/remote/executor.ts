import { randomBytes } from "node:crypto";
import { constants } from "node:os";
import { Secret } from "../../config/secret.ts";
import {
  CommandCancelled,
  CommandTimeout,
  ConnectionLost,
  HostUnreachable,
  PermissionDenied,
  ProgramNotFound,
} from "../errors.ts";
import type { CommandResult, Executor, Pipeline, RunOptions } from "../executor.ts";
import { lastLines } from "../output.ts";
import { Connection, type Way } from "./connection.ts";
import { commandScript, markOf, tooLate } from "./script.ts";

const graceMs = 5000;

/** The same for every host, so that programs answer alike, and in English. Its home folder is the host's own. */
const environment = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LANG: "C.UTF-8",
  LC_ALL: "C.UTF-8",
  TZ: "UTC",
};

/**
 * Runs pipelines in another place, over one connection that is made when it is first needed and made again when it was lost. A
 * connection that was lost in the middle of a command is `host.connection_lost`: by the time the next command runs, that one does
 * not run any more, and only the world knows how far it came.
 */
export class RemoteExecutor implements Executor, AsyncDisposable {
  readonly #local: Executor;
  readonly #findWay: () => Promise<Way>;
  readonly #sessions: Slots;
  #connection: Connection | undefined;
  #connecting: Promise<Connection> | undefined;
  /** Folders of connections that were lost, whose commands the next one ends. */
  #lost: string[] = [];

  /** `local` starts the sessions, as many as `sessions` lets it. `findWay` is asked before each connection. */
  constructor(local: Executor, sessions: Slots, findWay: () => Promise<Way>) {
    [this.#local, this.#sessions, this.#findWay] = [local, sessions, findWay];
  }

  /** For whoever goes on from there. */
  async way(): Promise<Way> {
    return (await this.#connect()).way;
  }

  async run(pipeline: Pipeline, options: RunOptions): Promise<CommandResult> {
    const program = pipeline.map((command) => command.argv[0]).join(" | ");
    if (options.signal.aborted) throw CommandCancelled({ program, output: "" });
    using _slot = await this.#sessions.take();
    const connection = await this.#connect();
    if (options.signal.aborted) throw CommandCancelled({ program, output: "" });
    const command = new RemoteCommand(connection, options);
    try {
      return await command.run(this.#local, pipeline, program);
    } finally {
      command.disarm();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connecting?.catch(() => undefined);
    await this.#connection?.close();
  }

  /** Whoever comes first makes the connection; the others wait for the same one. */
  #connect(): Promise<Connection> {
    this.#connecting ??= this.#ensure().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #ensure(): Promise<Connection> {
    if (this.#connection !== undefined && !this.#connection.isLost) return this.#connection;
    if (this.#connection !== undefined) {
      this.#lost.push(this.#connection.folder);
      await this.#connection.close();
      this.#connection = undefined;
    }
    this.#connection = await Connection.open(await this.#findWay(), this.#lost);
    this.#lost = [];
    return this.#connection;
  }
}

/** One command on its way: how far it has come, and how it is stopped. */
class RemoteCommand {
  readonly #id = randomBytes(8).toString("hex");
  readonly #mark = markOf(this.#id);
  readonly #connection: Connection;
  readonly #options: RunOptions;
  readonly #givenUp = new AbortController();
  readonly #timers: NodeJS.Timeout[] = [];
  #hasBegun = false;
  #stopped: "timeout" | "cancelled" | undefined;

  constructor(connection: Connection, options: RunOptions) {
    this.#connection = connection;
    this.#options = options;
    // A longer delay than 2^31-1 ms would fire at once.
    this.#after(Math.min(options.timeoutMs, longestMs), () => this.#stop("timeout"));
    options.signal.addEventListener("abort", this.#onAbort);
  }

  async run(local: Executor, pipeline: Pipeline, program: string): Promise<CommandResult> {
    const { folder } = this.#connection;
    const script = commandScript(pipeline, environment, this.#id, folder);
    const session = {
      argv: this.#connection.way.session(readCommand),
      env: {},
      stdin: new Secret(script),
      mergeStderr: false,
    };
    const startedAt = performance.now();
    const result = await local
      .run([session], {
        signal: this.#givenUp.signal,
        timeoutMs: longestMs,
        onLine: (line, stream) => this.#hear(line, stream),
      })
      .catch((error: unknown) => {
        if (this.#stopped === undefined) throw error;
        return undefined;
      });
    this.#connection.signal(this.#id, "over");
    const output = result === undefined ? "" : lastLines(this.#withoutMarks(result.stderr)) || lastLines(result.stdout);
    if (this.#stopped === "timeout") throw CommandTimeout({ program, seconds: this.#options.timeoutMs / 1000, output });
    if (this.#stopped === "cancelled" || result === undefined) throw CommandCancelled({ program, output });
    const ending = this.#endingOf(result.stderr);
    if (ending === undefined) {
      await this.#connection.settle();
      throw this.#broken(program, result.exitCode, output);
    }
    requireProgramsFound(pipeline, ending);
    return {
      ...toResult(ending.exitCodes),
      stdout: result.stdout,
      stderr: this.#withoutMarks(result.stderr),
      seconds: (performance.now() - startedAt) / 1000,
      truncated: result.truncated,
    };
  }

  disarm(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#options.signal.removeEventListener("abort", this.#onAbort);
  }

  readonly #onAbort = () => this.#stop("cancelled");

  /** First the programs are asked, then they are killed, then the session is left alone. */
  #stop(reason: "timeout" | "cancelled"): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = reason;
    this.#connection.signal(this.#id, "TERM");
    this.#after(graceMs, () => this.#connection.signal(this.#id, "KILL"));
    this.#after(2 * graceMs, () => this.#givenUp.abort());
  }

  #after(delayMs: number, act: () => void): void {
    this.#timers.push(setTimeout(act, delayMs));
  }

  #hear(line: string, stream: "stdout" | "stderr"): void {
    const at = stream === "stderr" ? line.indexOf(this.#mark) : -1;
    if (at === -1) {
      // The two outputs come separately: the first line may be here before the word that it has begun.
      if (stream === "stdout") this.#begin();
      this.#options.onLine?.(line, stream);
    } else if (line.startsWith("begun", at + this.#mark.length)) this.#begin();
    else if (at > 0) this.#options.onLine?.(line.slice(0, at), stream);
  }

  #begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#options.onSpawn?.();
  }

  #endingOf(stderr: string): Ending | undefined {
    const at = stderr.lastIndexOf(`${this.#mark}ended `);
    if (at === -1) return undefined;
    const [codes = "", known = ""] = stderr.slice(at + this.#mark.length + "ended ".length).split(";");
    return {
      exitCodes: codes.trim().split(" ").map(Number),
      isKnown: known
        .trim()
        .split(" ")
        .map((word) => word === "yes"),
    };
  }

  #withoutMarks(stderr: string): string {
    const begun = `${this.#mark}begun\n`;
    const text = stderr.startsWith(begun) ? stderr.slice(begun.length) : stderr;
    const at = text.lastIndexOf(`${this.#mark}ended `);
    return at === -1 ? text : text.slice(0, at);
  }

  #broken(program: string, exitCode: number, output: string): Error {
    const host = this.#connection.way.destination;
    if (this.#hasBegun) return ConnectionLost({ host, program, output });
    return HostUnreachable({ host, reason: exitCode === tooLate ? "the connection was given up" : output });
  }
}

const longestMs = 2 ** 31 - 1;

/** Reads the whole text before it obeys any of it: half a text, of a connection that broke, is obeyed not at all. */
const readCommand = `exec bash -c 'eval "$(cat)"'`;

interface Ending {
  readonly exitCodes: readonly number[];
  /** Whether each program was one that the host's shell finds. */
  readonly isKnown: readonly boolean[];
}

/** 127 and 126 may also be a program's own answer (`docker exec` passes on its program's). */
function requireProgramsFound(pipeline: Pipeline, { exitCodes, isKnown }: Ending): void {
  for (const [index, { argv }] of pipeline.entries()) {
    if (isKnown[index] === true) continue;
    if (exitCodes[index] === 127) throw ProgramNotFound({ program: argv[0] });
    if (exitCodes[index] === 126) throw PermissionDenied({ program: argv[0] });
  }
}

function toResult(exitCodes: readonly number[]): Pick<CommandResult, "exitCode" | "exitCodes" | "signal"> {
  const exitCode = exitCodes.findLast((code) => code !== 0) ?? 0;
  const signal = Object.entries(constants.signals).find(([, number]) => exitCode === 128 + number)?.[0];
  return { exitCode, exitCodes, ...(signal === undefined ? {} : { signal }) };
}

/** So many at the same time; the others wait for their turn. */
export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async take(): Promise<Disposable> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return {
      [Symbol.dispose]: () => {
        const next = this.#waiting.shift();
        if (next === undefined) this.#free += 1;
        else next();
      },
    };
  }
}
