import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync } from "node:fs";
import { Socket } from "node:net";
import { constants } from "node:os";
import { Secret } from "../config/secret.ts";
import { StartFailed } from "./errors.ts";
import type { Pipeline, ResolvedCommand } from "./executor.ts";
import type { Pipe } from "./pipes.ts";

/** Starts the programs of a pipeline, connects them, and sees to it that none of them outlives this process. */

/**
 * What every program is started through. Descriptor 3 is a pipe whose other end only this process holds, so it reads as ended when
 * this process closes it or dies, however it dies. A guard waits for that and kills the process group, itself included; because it
 * holds the pipe from before the program starts, there is no instant at which the program is unguarded. It ignores the signals
 * that ask the group to stop, is no child of the program (one that waits for all its children would wait forever), holds none of
 * its pipes, and does not show its arguments in `ps`.
 */
const wrapper = `
(
  trap '' TERM INT HUP
  exec /bin/sh -c 'read -r _ <&3; kill -KILL 0' ipai-guard </dev/null >/dev/null 2>&1 &
)
exec 3<&-
exec "$@"`;

/**
 * What a program leaves behind in its group is killed this long after it ended. Not at once: a program that becomes a daemon ends
 * when it has forked, and its child may not have made its own session yet (nginx, redis-server).
 */
const daemonMs = 250;

export interface RunningPipeline {
  readonly parts: readonly Part[];
  readonly stdout: Socket;
  readonly stderr: Socket;
  /** Lets go of everything; programs that are not over yet are killed. */
  release(): void;
}

export interface Exit {
  readonly exitCode: number;
  readonly signal?: string;
}

/** How many pipes `startPipeline` needs: per program a guard, an output, perhaps an input; and one standard error for all. */
export function countPipes(pipeline: Pipeline): number {
  return pipeline.reduce((sum, command) => sum + (command.stdin === undefined ? 2 : 3), 1);
}

/** Takes over `pipes`, also when it throws. Everything up to the last spawn happens in one turn of the event loop. */
export async function startPipeline(
  pipeline: Pipeline,
  environment: Readonly<Record<string, string>>,
  pipes: readonly Pipe[],
): Promise<RunningPipeline> {
  const plumbing = connect(pipeline, pipes);
  const parts: Part[] = [];
  try {
    for (const [index, command] of pipeline.entries()) {
      const wire = plumbing.wires[index] as Wire;
      const child = spawnGuarded(command, environment, wire);
      if (child.pid === undefined) throw refusal(command, (await once(child, "error"))[0]);
      parts.push(new Part(child, child.pid, wire.guardFd));
    }
  } catch (thrown) {
    for (const part of parts) part.release();
    for (const wire of plumbing.wires.slice(parts.length)) closeSync(wire.guardFd);
    for (const fd of [plumbing.stdoutFd, plumbing.stderrFd, ...plumbing.inputs.map((input) => input.fd)]) closeSync(fd);
    throw thrown;
  } finally {
    for (const fd of plumbing.childFds) closeSync(fd);
  }
  const stdout = new Socket({ fd: plumbing.stdoutFd, readable: true, writable: false });
  const stderr = new Socket({ fd: plumbing.stderrFd, readable: true, writable: false });
  const inputs = plumbing.inputs.map(feed);
  return {
    parts,
    stdout,
    stderr,
    release: () => {
      for (const part of parts) part.abandon();
      for (const socket of [stdout, stderr, ...inputs]) socket.destroy();
    },
  };
}

/** One program of the pipeline and its process group. */
export class Part {
  readonly exited: Promise<Exit>;
  readonly #pid: number;
  #guardFd: number | undefined;
  #isOver = false;

  constructor(child: ChildProcess, pid: number, guardFd: number) {
    this.#pid = pid;
    this.#guardFd = guardFd;
    this.exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.#isOver = true;
        setTimeout(() => this.release(), daemonMs).unref();
        resolve(signal === null ? { exitCode: code ?? 0 } : { exitCode: 128 + constants.signals[signal], signal });
      });
    });
  }

  /** Kills the group unless its program is over by itself. */
  abandon(): void {
    if (!this.#isOver) this.release();
  }

  /** To the whole group. Once the program is over its number may belong to another one, so nothing is sent any more. */
  signal(name: "SIGTERM" | "SIGKILL"): void {
    if (this.#isOver) return;
    try {
      process.kill(-this.#pid, name);
    } catch {
      // ESRCH: it ended this very moment. EPERM: it runs as somebody else; the caller gives up waiting.
    }
  }

  /** Kills what is left of the group, now. */
  release(): void {
    if (this.#guardFd !== undefined) closeSync(this.#guardFd);
    this.#guardFd = undefined;
  }
}

interface Wire {
  readonly stdio: (number | "ignore")[];
  readonly guardFd: number;
}

interface Plumbing {
  readonly wires: readonly Wire[];
  readonly stdoutFd: number;
  readonly stderrFd: number;
  readonly inputs: readonly { readonly fd: number; readonly content: string | Secret }[];
  /** Ends that belong to the programs; this process closes its copies, or ends of output would never be seen. */
  readonly childFds: readonly number[];
}

function connect(pipeline: Pipeline, pipes: readonly Pipe[]): Plumbing {
  const rest = [...pipes];
  const take = () => rest.pop() as Pipe;
  const stderr = take();
  const wires: Wire[] = [];
  const inputs: { fd: number; content: string | Secret }[] = [];
  const childFds = [stderr.writeFd];
  let previous: Pipe | undefined;
  for (const command of pipeline) {
    const [guard, output] = [take(), take()];
    // With a standard input of its own the program leaves the previous output unread, as `a | b <file` does.
    const input = command.stdin === undefined ? previous : take();
    if (command.stdin !== undefined && input !== undefined) inputs.push({ fd: input.writeFd, content: command.stdin });
    const stderrFd = command.mergeStderr ? output.writeFd : stderr.writeFd;
    wires.push({ stdio: [input?.readFd ?? "ignore", output.writeFd, stderrFd, guard.readFd], guardFd: guard.writeFd });
    if (previous !== undefined) childFds.push(previous.readFd);
    if (command.stdin !== undefined && input !== undefined) childFds.push(input.readFd);
    childFds.push(guard.readFd, output.writeFd);
    previous = output;
  }
  return { wires, stdoutFd: (previous as Pipe).readFd, stderrFd: stderr.readFd, inputs, childFds };
}

/**
 * A session of its own for each program: a group that can be killed, and no terminal on which it could ask for a password. The root
 * folder, so that a plan does the same wherever it is started from and other users can enter it.
 */
function spawnGuarded(
  command: ResolvedCommand,
  environment: Readonly<Record<string, string>>,
  wire: Wire,
): ChildProcess {
  try {
    const env = { ...environment, ...revealAll(command.env) };
    const argv = ["-c", wrapper, "ipai", ...command.argv];
    return spawn("/bin/sh", argv, { cwd: "/", detached: true, env, stdio: wire.stdio });
  } catch (thrown) {
    throw refusal(command, thrown);
  }
}

/** No cause: node's message quotes the values that it refuses. */
function refusal(command: ResolvedCommand, thrown: unknown): Error {
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "unknown";
  return StartFailed({ program: command.argv[0], reason: reasons[code] ?? `the system answered ${code}` });
}

const reasons: Readonly<Record<string, string>> = {
  E2BIG: "its arguments and environment are longer than the system allows",
  EAGAIN: "the system allows no more processes",
  ENOMEM: "the system has no memory left",
  EMFILE: "this process has too many open files",
  ENFILE: "the system has too many open files",
  ERR_INVALID_ARG_VALUE: "an argument or an environment variable contains a NUL byte",
};

function revealAll(env: ResolvedCommand["env"]): Record<string, string> {
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [name, reveal(value)]));
}

function reveal(value: string | Secret): string {
  return value instanceof Secret ? value.reveal() : value;
}

/** Writes a standard input. A program that does not read it to the end is not at fault: its exit code tells. */
function feed(input: Plumbing["inputs"][number]): Socket {
  const socket = new Socket({ fd: input.fd, readable: false, writable: true });
  socket.on("error", () => socket.destroy());
  const content = reveal(input.content);
  if (content === "") socket.destroy();
  else socket.write(content, () => socket.destroy());
  return socket;
}
