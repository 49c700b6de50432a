import { execFile } from "node:child_process";
import { accessSync, closeSync, constants, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { makeOwnFolder } from "./leftovers.ts";

/**
 * Real pipes. What node itself offers a child are sockets, and that shows: a child cannot open /dev/stdout or
 * /dev/stderr (ENXIO, and scripts do that), a writer whose reader has gone may get ECONNRESET instead of SIGPIPE, and bash reads
 * .bashrc when its standard input is a socket, believing to be started by a remote shell daemon. Node has no pipe(2), so pipes are made as FIFOs, many
 * at a time, and lose their names at once.
 */
export interface Pipe {
  readonly readFd: number;
  readonly writeFd: number;
}

/** `count` unused pipes. The caller owns both ends of each; they are closed on exec like every descriptor that node opens. */
export async function openPipes(count: number): Promise<Pipe[]> {
  while (unnamed.length < count) await refill();
  const pipes: Pipe[] = [];
  try {
    for (const fd of unnamed.splice(0, count)) pipes.push(openEnds(fd));
    return pipes;
  } catch (thrown) {
    closePipes(pipes);
    throw thrown;
  }
}

export function closePipes(pipes: readonly Pipe[]): void {
  for (const pipe of pipes) {
    closeSync(pipe.readFd);
    closeSync(pipe.writeFd);
  }
}

/** Descriptors of FIFOs that nobody has used yet and that no longer have a name. */
const unnamed: number[] = [];
const batchSize = 32;
let refilling: Promise<void> | undefined;

async function refill(): Promise<void> {
  refilling ??= makeBatch().finally(() => {
    refilling = undefined;
  });
  await refilling;
}

async function makeBatch(): Promise<void> {
  const folder = makeOwnFolder(pipeFolder(), "ipai-pipes-");
  try {
    const names = Array.from({ length: batchSize }, (_, index) => join(folder, String(index)));
    await promisify(execFile)("mkfifo", ["-m", "600", ...names]);
    // Both ways at once: the only manner of opening a FIFO that never waits for the other side.
    for (const name of names) unnamed.push(openSync(name, constants.O_RDWR | constants.O_NONBLOCK));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Memory rather than disk: on a host whose disk is full commands must still run. */
function pipeFolder(): string {
  try {
    accessSync("/dev/shm", constants.W_OK);
    return "/dev/shm";
  } catch {
    return tmpdir();
  }
}

/** Each end gets a file description of its own, so that node's non-blocking end does not make the child's non-blocking. */
function openEnds(fd: number): Pipe {
  try {
    const readFd = openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY);
    const writeFd = openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY);
    return { readFd, writeFd };
  } finally {
    closeSync(fd);
  }
}
