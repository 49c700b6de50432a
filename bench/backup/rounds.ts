import { mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { median } from "../bench.ts";
import {
  client,
  dropKept,
  folder,
  inTurn,
  openWorld,
  repeat,
  required,
  runJson,
  shell,
  sql,
  startOdoo,
  stopOdoo,
  type World,
} from "../world.ts";

// Where the stack is is settled when `world.ts` is loaded, before these.
const { backups, configWith } = await import("../../test/harness/backups.ts");
const { call } = await import("../../test/harness/odoo.ts");
const { bring, installedCode } = await import("../../test/harness/release.ts");

interface Pair {
  readonly ours: number;
  readonly theirs: number;
}

/** Backup and the way back by the runbook, in one round. */
interface Round {
  /** Into an empty repository: everything is new. */
  readonly first: Pair;
  /** The next one, as every night. */
  readonly daily: Pair;
  /** Megabytes. */
  readonly second: Pair;
  readonly logical: Pair;
  /** Seconds from the dump to a serving database, by the runbook. */
  readonly theirs: number;
}

const desk = join(folder, "bench");

export async function playRounds(count: number) {
  await using world = await openWorld();
  await rm(desk, { recursive: true, force: true });
  await mkdir(desk, { recursive: true });
  await shell('chown postgres "$1"', desk);
  const rounds = await repeat(count, "backups", (index) => playRound(world, index));
  const ways = await playRestores(count);
  const [[way, restores]] = Object.entries(ways).toSorted(([, one], [, other]) => middle(one) - middle(other)) as [
    [string, readonly number[]],
  ];
  const undos = await repeat(count, "an undo", undoUpgrade);
  const against = (ours: readonly number[]) =>
    rounds.map(({ theirs }, index) => ({ ours: ours[index] ?? Number.NaN, theirs }));
  const megabytes = Math.round(world.databaseBytes / 1_000_000);
  return {
    about: `${world.invoices.toLocaleString("en")} invoices, ${megabytes} MB`,
    /** The fastest. */
    way,
    first: rounds.map(({ first }) => first),
    daily: rounds.map(({ daily }) => daily),
    second: rounds.map(({ second }) => second),
    logical: rounds.map(({ logical }) => logical),
    restore: against(restores),
    undo: against(undos),
  };
}

/** Each begins with an empty repository. Who is measured first changes from round to round. */
async function playRound(world: World, index: number): Promise<Round> {
  const repository = join(desk, `repository-${index}`);
  const config = await configWith(join(desk, "ipai.yaml"), (stack) => {
    stack.backup["repository"] = repository;
  });
  const [dumped, next] = [join(desk, "first.sql.gz"), join(desk, "next.sql.gz")];
  const turn = <T>(one: () => Promise<T>, other: () => Promise<T>) => inTurn(index % 2 === 0, one, other);
  const backUp = () => timed("--config", config, "backup", "--yes");
  const first = await turn(backUp, () => dump(dumped));
  await changeInvoices(world, index);
  const daily = await turn(backUp, () => dump(next));
  const [entry] = await backups();
  const second = { ours: (entry?.storedBytes ?? Number.NaN) / 1e6, theirs: (await stat(next)).size / 1e6 };
  const logical = await turn(
    () => restoreFromRepository(config),
    () => restoreDump(next),
  );
  const theirs = logical.theirs + (await restart(world));
  for (const path of [repository, dumped, next]) await rm(path, { recursive: true });
  return { first, daily, second, logical, theirs };
}

/** The whole command, from the start of the program to its end. */
async function timed(...args: readonly string[]): Promise<number> {
  const startedAt = performance.now();
  await required(...args);
  return (performance.now() - startedAt) / 1000;
}

function dump(file: string): Promise<number> {
  return shell(`${client("pg_dump")} odoo | gzip > "$1"`, file);
}

/** The last 0.5 % of them, by Odoo itself, a hundred at a time with a text of their own. */
async function changeInvoices({ invoices }: World, index: number): Promise<void> {
  const wanted = Math.round(invoices * 0.005);
  const ids = (await sql(`select id from account_move order by id desc limit ${wanted}`)).split("\n").map(Number);
  for (let start = 0; start < ids.length; start += 100)
    await call("account.move", "write", ids.slice(start, start + 100), {
      narration: `Changed in round ${index}, from the ${start}th on: ${Math.sin(start + index)}`,
    });
}

/** What a proof does until the database is there; what it judges then is another thing. */
async function restoreFromRepository(config: string): Promise<number> {
  const run = await runJson("--config", config, "backup", "verify");
  if (run.outcome !== "succeeded") throw new Error(JSON.stringify(run.error));
  const needed = ["make folder", "set folder", "fetch", "about", "start cluster", "restore"];
  return sum(run.steps.filter(({ id }) => needed.includes(id)));
}

/** The runbook's `createdb` and `gunzip < … | psql`. */
async function restoreDump(file: string): Promise<number> {
  const [create, load, drop] = [client("createdb"), client("psql"), client("dropdb")];
  const seconds = await shell(
    `${create} -T template0 runbook && gunzip < "$1" | ${load} -q -d runbook >/dev/null`,
    file,
  );
  await shell(`${drop} runbook`);
  return seconds;
}

async function restart({ stack }: World): Promise<number> {
  const startedAt = performance.now();
  await stopOdoo(stack);
  await startOdoo(stack);
  return (performance.now() - startedAt) / 1000;
}

/** Ways back to a serving database, each proven before it serves; seconds by their name. */
async function playRestores(count: number): Promise<Readonly<Record<string, readonly number[]>>> {
  const config = await configWith(join(desk, "ways.yaml"), (stack) => {
    stack.backup["repository"] = join(desk, "repository");
    stack.backup["wal"] = { repository: join(desk, "archive"), passwordFile: join(folder, "repository-password") };
  });
  const ipai = (...args: readonly string[]) => required("--config", config, ...args, "--yes");
  // A set that is proven needs no trial of its own, and is in no need of another that is made first.
  await ipai("backup");
  await ipai("backup", "verify");
  const set = await repeat(count, "restore of a set", () => timedRestore(config, "restore", "latest", "--no-backup"));
  // Archiving is on for these ways alone: the runbook's side has none to slow it.
  await ipai("wal", "setup");
  const prepare = async () => {
    await ipai("wal", "backup", "--type", "incr");
    // The end of a base backup is told in whole seconds: what lies in the same one is not reached from it.
    await sql("select pg_sleep(1.1)");
  };
  const instant = await repeat(count, "restore of an instant", async () => {
    await prepare();
    return timedRestore(config, "restore", "--at", await sql(nowSql));
  });
  const whole = await repeat(count, "recovery of the server's data", async () => {
    await prepare();
    return timedRestore(config, "recover", "database", "--although-it-answers");
  });
  await ipai("wal", "remove");
  return { "a set": set, "an instant": instant, "the whole server from the archive (recover database)": whole };
}

const nowSql = `select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** What is kept of the present is removed again, so that the next one begins as this one did. */
async function timedRestore(config: string, ...way: readonly string[]): Promise<number> {
  const startedAt = performance.now();
  const run = await runJson("--config", config, ...way);
  if (run.outcome !== "succeeded") throw new Error(`${way.join(" ")}: ${JSON.stringify(run.error)}`);
  // Users are back with the last service; what is cleared away after that keeps nobody waiting.
  const served = run.steps.findLastIndex(({ id }) => id.startsWith("serve "));
  const seconds = (performance.now() - startedAt) / 1000 - sum(run.steps.slice(served + 1));
  await dropKept();
  return seconds;
}

/** From the failure until everything serves again. */
async function undoUpgrade(): Promise<number> {
  await bring("broken");
  const run = await runJson("upgrade");
  await installedCode();
  if (run.outcome !== "failed-and-undone") throw new Error(`the upgrade ended ${run.outcome}`);
  // What failed is removed when users are back, as the last thing that is taken back.
  const isBefore = ({ id, outcome }: (typeof run.steps)[number]) => outcome !== "undone" || id.startsWith("work~");
  return run.seconds - sum(run.steps.filter(isBefore));
}

function middle(values: readonly number[]): number {
  return median(values.toSorted((a, b) => a - b));
}

function sum(steps: readonly { readonly seconds: number | null }[]): number {
  return steps.reduce((total, { seconds }) => total + (seconds ?? 0), 0);
}
