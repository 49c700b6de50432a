import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";

/**
 * Locks that PostgreSQL drops with their holder: whoever looks sees which runs are held by a process that lives. All of one process are
 * of one connection, or a worker with many runs would leave none for others. When the connection is lost and the process lives, it
 * takes them again; one that another process took meanwhile stays lost, and its fence says so.
 */
export class SessionLocks {
  readonly #connect: () => Promise<pg.Client>;
  /** What this process shall hold, and what of it the connection that there is has. */
  readonly #held = new Set<string>();
  readonly #locked = new Set<string>();
  #isTakingAgain = false;
  #client: pg.Client | undefined;
  /** One statement after the other: what is asked depends on what was. */
  #queue: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(connect: () => Promise<pg.Client>) {
    this.#connect = connect;
  }

  /** False: somebody has it, be it this process. */
  take(name: string): Promise<boolean> {
    return this.#inTurn(async () => {
      if (this.#isClosed || this.#held.has(name) || !(await lock(await this.#open(), name))) {
        await this.#endIfIdle();
        return false;
      }
      this.#held.add(name);
      this.#locked.add(name);
      return true;
    });
  }

  async release(name: string): Promise<void> {
    // Should the connection be lost just now, it is not taken again.
    this.#held.delete(name);
    await this.#inTurn(async () => {
      if (this.#locked.delete(name))
        await this.#client?.query("select pg_advisory_unlock(hashtextextended($1, 1))", [name]).catch(() => undefined);
      await this.#endIfIdle();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#inTurn(async () => {
      this.#held.clear();
      await this.#endIfIdle();
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work);
    this.#queue = done.catch(() => undefined);
    return done;
  }

  async #open(): Promise<pg.Client> {
    if (this.#client !== undefined) return this.#client;
    const client = await this.#connect();
    this.#client = client;
    client.once("end", () => {
      if (this.#client !== client) return;
      this.#client = undefined;
      this.#locked.clear();
      void this.#takeAgain();
    });
    return client;
  }

  async #endIfIdle(): Promise<void> {
    if (this.#held.size > 0) return;
    const client = this.#client;
    this.#client = undefined;
    this.#locked.clear();
    await client?.end().catch(() => undefined);
  }

  /** One loop, however often the connection is lost meanwhile: what is locked twice would have to be unlocked twice. */
  async #takeAgain(): Promise<void> {
    if (this.#isTakingAgain) return;
    this.#isTakingAgain = true;
    const missing = () => [...this.#held].filter((name) => !this.#locked.has(name));
    for (let pauseMs = firstPauseMs; !this.#isClosed; pauseMs = Math.min(2 * pauseMs, lastPauseMs)) {
      await this.#inTurn(async () => {
        for (const name of missing()) if (await lock(await this.#open(), name)) this.#locked.add(name);
      }).catch(() => undefined);
      if (missing().length === 0) break;
      await sleep(pauseMs, undefined, { ref: false });
    }
    this.#isTakingAgain = false;
  }
}

async function lock(client: pg.Client, name: string): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(
    "select pg_try_advisory_lock(hashtextextended($1, 1)) as locked",
    [name],
  );
  return rows[0]?.locked === true;
}

/** Many processes may wait for the same database: a server that comes up again must not be drowned by those who ask for it. */
const firstPauseMs = 100;
const lastPauseMs = 2_000;
