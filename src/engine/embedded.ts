import { existsSync } from "node:fs";
import { chmod, chown, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { defineError } from "../errors/error.ts";
import type { Executor } from "../host/executor.ts";
import { findServerPrograms } from "./programs.ts";

/**
 * The private PostgreSQL that keeps the control database when the user names none. It listens on a Unix socket in a directory
 * that only its own user (and root) may enter; there is no TCP port and so no password to leak. It outlives the command that
 * started it, and `ipai control stop` ends it.
 */
export interface EmbeddedControl {
  /** Directory of the socket: what libpq calls the host. */
  readonly socket: string;
  readonly database: string;
  readonly user: string;
}

export const ControlNotStarted = defineError<{ directory: string; output: string }>("control.not_started", {
  exitCode: 61,
  message: (d) => `The control database in ${d.directory} does not start.`,
  hint: (d) => `Is the disk full, or the directory owned by somebody else? Its log is ${join(d.directory, "log")}.`,
});

/** As root, PostgreSQL refuses to run: Debian's service user does it. */
const serviceUser = "postgres";

/** The socket that a running embedded server has, whether or not it runs now. */
export function embeddedAddress(home: string): EmbeddedControl {
  return { socket: join(home, "control", "socket"), database: "postgres", user: "ipai" };
}

/** Makes the cluster if there is none and starts it if it does not run. About a second the first time. */
export async function startEmbedded(home: string, executor: Executor): Promise<EmbeddedControl> {
  const directory = join(home, "control");
  const run = await serverPrograms(directory, executor);
  await rm(stoppedFile(home), { force: true });
  if (!existsSync(join(directory, "data"))) await createCluster(directory, run, await findOwner(executor));
  await removeStale(join(directory, "data", "postmaster.pid"));
  const started = await run("pg_ctl", [
    "start",
    "-w",
    "-t",
    "30",
    "-s",
    "-D",
    join(directory, "data"),
    "-l",
    join(directory, "log"),
  ]);
  // A second command may have started it in the same instant: only a server that does not answer is a failure.
  if (started.exitCode !== 0 && !(await isRunning(directory, run)))
    throw ControlNotStarted({ directory, output: started.stderr + started.stdout });
  return embeddedAddress(home);
}

/** After a crash of the machine its number may be another program's by now: PostgreSQL would take that for itself, and not start. */
async function removeStale(pidFile: string): Promise<void> {
  const pid = Number((await readFile(pidFile, "utf8").catch(() => "")).split("\n")[0]);
  const program = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => undefined);
  if (program !== undefined && program.trim() !== "postgres") await rm(pidFile, { force: true });
}

/** Stops the server; true when one was running. Runs that are under way continue when it is back. */
export async function stopEmbedded(home: string, executor: Executor): Promise<boolean> {
  const directory = join(home, "control");
  if (!existsSync(join(directory, "data"))) return false;
  // Before it stops: a worker that finds it silent must know why.
  await writeFile(stoppedFile(home), "");
  const run = await serverPrograms(directory, executor);
  if (!(await isRunning(directory, run))) return false;
  await run("pg_ctl", ["stop", "-w", "-m", "fast", "-s", "-D", join(directory, "data")]);
  return true;
}

/** There while a person wants it stopped; the next command that needs the server takes it away. */
const stoppedFile = (home: string) => join(home, "control", "stopped");

/** It has data, and nobody stopped it. */
export function isEmbeddedWanted(home: string): boolean {
  return existsSync(join(home, "control", "data")) && !existsSync(stoppedFile(home));
}

/** Whether the embedded server runs now. */
export async function isEmbeddedRunning(home: string, executor: Executor): Promise<boolean> {
  const directory = join(home, "control");
  return existsSync(join(directory, "data")) && isRunning(directory, await serverPrograms(directory, executor));
}

type RunProgram = (
  program: string,
  args: readonly string[],
) => Promise<{ exitCode: number; stdout: string; stderr: string }>;

async function serverPrograms(directory: string, executor: Executor): Promise<RunProgram> {
  const binaries = await findBinaries(directory);
  const isRoot = process.getuid?.() === 0;
  const asUser = isRoot ? ["setpriv", `--reuid=${serviceUser}`, `--regid=${serviceUser}`, "--init-groups", "--"] : [];
  await mkdir(directory, { recursive: true });
  return (program, args) => {
    const argv = [...asUser, join(binaries, program), ...args] as [string, ...string[]];
    return executor.run([{ argv, env: {}, mergeStderr: false }], {
      signal: new AbortController().signal,
      timeoutMs: 60_000,
    });
  };
}

/** A cluster is started by the version that made it, also when a newer one has been installed beside it. */
async function findBinaries(directory: string): Promise<string> {
  const version = await readFile(join(directory, "data", "PG_VERSION"), "utf8").catch(() => undefined);
  return findServerPrograms(version === undefined ? undefined : Number(version));
}

async function isRunning(directory: string, run: RunProgram): Promise<boolean> {
  return (await run("pg_ctl", ["status", "-D", join(directory, "data")])).exitCode === 0;
}

/** Built aside and renamed, so that a cluster half made by a killed command is never started. */
async function createCluster(directory: string, run: RunProgram, owner: Owner): Promise<void> {
  const socket = join(directory, "socket");
  await mkdir(socket, { recursive: true });
  const making = join(directory, `making-${process.pid}`);
  await mkdir(making, { recursive: true });
  await writeFile(join(directory, "log"), "", { flag: "a" });
  for (const path of [directory, socket, making, join(directory, "log")]) await chown(path, owner.uid, owner.gid);
  for (const path of [socket, making]) await chmod(path, 0o700);
  const made = await run("initdb", [
    "-D",
    making,
    "-U",
    "ipai",
    "-A",
    "trust",
    "-E",
    "UTF8",
    "--locale=C",
    "--no-sync",
    "--no-instructions",
  ]);
  if (made.exitCode !== 0) throw ControlNotStarted({ directory, output: made.stderr });
  await writeFile(join(making, "postgresql.auto.conf"), settings(socket), { flag: "a" });
  await rename(making, join(directory, "data")).catch(() => rm(making, { recursive: true, force: true }));
}

function settings(socket: string): string {
  return [
    "listen_addresses = ''",
    `unix_socket_directories = '${socket}'`,
    "unix_socket_permissions = 0700",
    "max_connections = 100",
    "shared_buffers = '32MB'",
    "log_timezone = 'UTC'",
    "timezone = 'UTC'",
    "",
  ].join("\n");
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Who owns the cluster: the caller, or the service user when the caller is root. */
async function findOwner(executor: Executor): Promise<Owner> {
  const uid = process.getuid?.() ?? 0;
  if (uid !== 0) return { uid, gid: process.getgid?.() ?? 0 };
  const { stdout } = await executor.run(
    [
      { argv: ["getent", "passwd", serviceUser], env: {}, mergeStderr: false },
      { argv: ["cut", "-d:", "-f3,4"], env: {}, mergeStderr: false },
    ],
    { signal: new AbortController().signal, timeoutMs: 5_000 },
  );
  const [ownerUid = 0, ownerGid = 0] = stdout.trim().split(":").map(Number);
  return { uid: ownerUid, gid: ownerGid };
}
