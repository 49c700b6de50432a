import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { quote } from "../../runbook/shell.ts";
import { ProgramNotFound } from "../errors.ts";
import { aliveSeconds, guardScript, guardSeconds } from "./script.ts";

/** How command lines get to where they run. One for each connection. */
export interface Way {
  /** As messages name it. */
  readonly destination: string;
  /** Argv, for this machine, of the session that opens the connection and stays: the guard's. */
  open(commandLine: string): readonly [string, ...string[]];
  /** The same for a further session. It never opens a connection by itself. */
  session(commandLine: string): readonly [string, ...string[]];
  /** What it means that the connection could not be opened. */
  refusal(exitCode: unknown, said: string): Error;
  /** Removes what it needed on this machine. */
  close(): void;
}

/**
 * One connection. Its first session is the guard (`script.ts`); every command is a further one.
 */
export class Connection {
  /** The guard's folder over there. */
  readonly folder: string;
  readonly way: Way;
  readonly #guard: ChildProcessWithoutNullStreams;
  readonly #beat: NodeJS.Timeout;
  #isLost = false;

  private constructor(guard: ChildProcessWithoutNullStreams, folder: string, way: Way) {
    [this.#guard, this.folder, this.way] = [guard, folder, way];
    this.#beat = setInterval(() => this.#tell("alive"), aliveSeconds * 1000);
    this.#beat.unref();
    guard.once("exit", () => {
      this.#isLost = true;
      clearInterval(this.#beat);
    });
  }

  /** `lost`: folders of earlier connections; whatever still runs for them is ended before this resolves. */
  static async open(way: Way, lost: readonly string[]): Promise<Connection> {
    const words = [String(guardSeconds), ...lost].map(quote).join(" ");
    const [program, ...args] = way.open(`exec bash -c ${quote(guardScript)} ipai-guard ${words}`);
    // In a session of its own: Ctrl-C is for this program, which then ends in order, and nobody can be asked for a password.
    const guard = spawn(program, args, { detached: true, stdio: "pipe", env: guardEnvironment() });
    let said = "";
    guard.stderr.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4096);
    });
    guard.stdin.on("error", () => {});
    const ended = once(guard, "exit").catch((error: unknown) => [error]);
    const ready = new Promise<string>((resolve) => {
      createInterface({ input: guard.stdout }).on("line", (line) => {
        const [, folder] = /^ready (\S+)$/.exec(line) ?? [];
        if (folder !== undefined) resolve(folder);
      });
    });
    const first = await Promise.race([ready, ended]);
    if (typeof first === "string") return new Connection(guard, first, way);
    way.close();
    // Node's own error: there is no such program on this machine.
    if (first[0] instanceof Error) throw ProgramNotFound({ program }, { cause: first[0] });
    throw way.refusal(first[0], said);
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** Sends a signal to everything that a command has started; `over` lets what it left behind end. */
  signal(id: string, word: "TERM" | "KILL" | "over"): void {
    this.#tell(`${word} ${id}`);
  }

  /** After a session broke: until it is seen whether the connection did, which the news of its end may reach a little later. */
  async settle(): Promise<void> {
    if (this.#isLost) return;
    const signal = AbortSignal.timeout(settleMs);
    await once(this.#guard, "exit", { signal }).catch(() => undefined);
  }

  async close(): Promise<void> {
    clearInterval(this.#beat);
    if (!this.#isLost) {
      const ended = once(this.#guard, "exit");
      this.#guard.stdin.end();
      const patience = setTimeout(() => this.#guard.kill("SIGKILL"), closeMs);
      await ended;
      clearTimeout(patience);
    }
    this.way.close();
  }

  #tell(line: string): void {
    if (!this.#isLost) this.#guard.stdin.write(`${line}\n`);
  }
}

/** ssh needs the caller's (its agent, its home); another Docker engine than that of all other commands would be a trap. */
function guardEnvironment(): NodeJS.ProcessEnv {
  const { DOCKER_HOST: _host, DOCKER_CONTEXT: _context, DOCKER_CONFIG: _config, ...others } = process.env;
  return others;
}

const settleMs = 500;

/** The guard has ended its commands by then; what is left is a good-bye. */
const closeMs = 5000;
