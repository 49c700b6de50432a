import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { shell } from "./programs.ts";
import { container, environment, folder, isCompose, project, run } from "./sandbox.ts";

/** A disk of its own, which a test fills, in the place of a folder of the stack; what was there before is on it, and is put back with what became of it. */
export interface SmallDisk {
  /** A script that leaves not a byte of room. */
  readonly fill: string;
  /** Makes room again. */
  empty(): Promise<void>;
  remove(): Promise<void>;
}

interface Room {
  readonly megabytes: number;
  readonly filler: string;
}

/** What has files open in the folder, or has it mounted, stands still while another disk is put there. */
interface Holder {
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** `filler`: a name below the folder that is in nobody's way. */
export async function smallDisk(path: string, room: Room, holder: Holder = nobody): Promise<SmallDisk> {
  const aside = await mkdtemp(join(tmpdir(), "ipai-disk-"));
  const filler = join(path, room.filler);
  await holder.stop();
  await shell(`cp -a ${path}/. ${aside}
    mount -t tmpfs -o size=$(($(du -sm ${aside} | cut -f 1) + ${room.megabytes}))m none ${path}
    chmod --reference=${aside} ${path}
    chown --reference=${aside} ${path}
    cp -a ${aside}/. ${path}`);
  await holder.start();
  return {
    fill: `dd if=/dev/zero of=${filler} bs=4k status=none || true`,
    empty: () => rm(filler, { force: true }),
    remove: async () => {
      await rm(filler, { force: true });
      await holder.stop();
      await shell(`find ${aside} -mindepth 1 -delete
        cp -a ${path}/. ${aside}
        umount ${path}
        find ${path} -mindepth 1 -delete
        cp -a ${aside}/. ${path}
        rm -rf ${aside}`);
      await holder.start();
    },
  };
}

/** Where this machine has the data of the database server. */
export async function databaseFolder(): Promise<string> {
  if (!isCompose) return join(folder, "data");
  const words = ["volume", "inspect", "--format", "{{.Mountpoint}}", `${project}_database`];
  return (await run("docker", words)).stdout.trim();
}

/** The server of the database. */
export const databaseServer: Holder = isCompose
  ? containers("database")
  : { stop: () => cluster("stop", "-m", "fast"), start: () => cluster("start") };

/** Nobody: files are opened by their names, and closed again. */
const nobody: Holder = { stop: async () => undefined, start: async () => undefined };

/** Whoever has the tree of the code mounted; and nginx, which looks up only when it starts where they are. */
export const codeReaders: Holder = isCompose
  ? containers("odoo-accounting", "odoo-core", "odoo-marketing", "odoo-tools", "tools", "nginx")
  : nobody;

function containers(...names: readonly string[]): Holder {
  const docker = (word: string) => shell(`docker ${word} ${names.map(container).join(" ")}`);
  return { stop: () => docker("stop"), start: () => docker("start") };
}

async function cluster(...words: readonly string[]): Promise<void> {
  const env = { ...environment, PG_CLUSTER_CONF_ROOT: join(folder, "postgresql") };
  const ended = await run("pg_ctlcluster", ["15", "sandbox", ...words], { env });
  if (ended.exitCode !== 0) throw new Error(ended.stderr);
}
