import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * A folder of a test below the machine's own for such. A run of the tests that was killed could not clean up, so the next one does: disks
 * that were mounted in there, programs that still work there, the folder itself.
 */
export async function makeTestFolder(prefix: string, below = tmpdir()): Promise<string> {
  for (const name of readdirSync(below)) {
    const pid = name.startsWith(prefix) ? /^(\d+)-/.exec(name.slice(prefix.length))?.[1] : undefined;
    if (pid !== undefined && !isAlive(Number(pid))) await clearAway(join(below, name));
  }
  return mkdtemp(join(below, `${prefix}${process.pid}-`));
}

async function clearAway(folder: string): Promise<void> {
  for (const pid of readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number))
    if (worksIn(pid, folder)) end(pid);
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "");
  for (const mount of mounts.filter((one) => one.startsWith(`${folder}/`)).toReversed())
    execFileSync("umount", ["-l", mount]);
  await rm(folder, { recursive: true, force: true });
}

/** In it, or told about it when it was started. */
function worksIn(pid: number, folder: string): boolean {
  try {
    const told = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return (
      readlinkSync(`/proc/${pid}/cwd`).startsWith(`${folder}/`) || told.some((word) => word.includes(`${folder}/`))
    );
  } catch {
    // It has ended meanwhile.
    return false;
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Likewise.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
