import { chmod, mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "kysely";
import { type Control, openControl } from "../../src/engine/control.ts";
import { startEmbedded, stopEmbedded } from "../../src/engine/embedded.ts";
import { LocalExecutor } from "../../src/host/local.ts";

/**
 * A real control database for one test file: the embedded PostgreSQL of the product in a home of its own, started in about half a
 * second, stopped and removed afterwards. Tests of one file share it and keep apart by their stacks' names.
 */
export interface TestControl extends AsyncDisposable {
  readonly home: string;
  readonly control: Control;
  /** Another set of connections to the same database, as another process would have. Closed with the rest. */
  open(): Promise<Control>;
  /** Ends every connection, as a restart by the machine's administrator does. */
  restart(): Promise<void>;
  stop(): Promise<void>;
  start(): Promise<void>;
}

const executor = new LocalExecutor();
/** PostgreSQL runs as a service user, which must be able to enter the folder: nothing below a private home. */
const below = "/var/tmp";
const prefix = "ipai-test-";

export async function startControl(options: { readonly isDurable?: boolean } = {}): Promise<TestControl> {
  await removeOrphans();
  const home = await mkdtemp(join(below, `${prefix}${process.pid}-`));
  await chmod(home, 0o755);
  const opened: Control[] = [];
  const open = async () => {
    const control = await openControl({ home, executor });
    opened.push(control);
    return control;
  };
  const control = await open();
  // A test machine that loses power loses its tests too; waiting for its disk proves nothing. Measurements wait for it.
  if (options.isDurable !== true) {
    await sql`alter system set fsync = off`.execute(control.db);
    await sql`select pg_reload_conf()`.execute(control.db);
  }
  return {
    home,
    control,
    open,
    start: async () => void (await startEmbedded(home, executor)),
    stop: async () => void (await stopEmbedded(home, executor)),
    restart: async () => {
      await stopEmbedded(home, executor);
      await startEmbedded(home, executor);
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(opened.map((one) => one.close()));
      await removeHome(home);
    },
  };
}

/** A test run that was killed could not clean up; the next one does it. */
async function removeOrphans(): Promise<void> {
  const homes = (await readdir(below)).filter((name) => name.startsWith(prefix));
  for (const name of homes) {
    const pid = Number(name.slice(prefix.length).split("-")[0]);
    if (!isAlive(pid)) await removeHome(join(below, name));
  }
}

async function removeHome(home: string): Promise<void> {
  await stopEmbedded(home, executor);
  await rm(home, { recursive: true, force: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
