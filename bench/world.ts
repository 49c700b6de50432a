import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { ipaiCache } from "../src/config/home.ts";
import { parseConfig } from "../src/config/load.ts";
import { createStack, type Stack } from "../src/stack/stack.ts";

/**
 * A practice stack of its own with a database as large as a real one: some hundred invoices posted by Odoo's own models, multiplied by
 * Odoo's own `populate`. It is made once, which takes minutes, and kept as a dump in the cache.
 */

process.env["IPAI_TEST_HOME"] ??= "/var/lib/ipai-bench";
process.env["IPAI_TEST_PORT"] ??= "28180";
// Only now: it reads where the stack is when it is loaded.
const sandbox = await import("../test/harness/sandbox.ts");
const { perform } = await import("../test/harness/perform.ts");
export const { folder, sql } = sandbox;

/** 1,500 invoices of the seed, and so many copies of each. */
const copies = 100;
export const invoicesMin = 150_000;

const seedFile = join(import.meta.dirname, "seed.py");

export interface World extends AsyncDisposable {
  readonly stack: Stack;
  readonly databaseBytes: number;
  readonly invoices: number;
}

/** The practice stack as it is made, for what needs no invoices. */
export async function openStack(): Promise<AsyncDisposable & { readonly stack: Stack }> {
  await mkdir(sandbox.home, { recursive: true, mode: 0o755 });
  await required("demo", "up");
  const file = join(folder, "ipai.yaml");
  const config = parseConfig(await readFile(file, "utf8"), file, process.env).stacks["sandbox"];
  if (config === undefined) throw new TypeError("the practice stack has no configuration");
  return {
    stack: createStack(config),
    [Symbol.asyncDispose]: async () => {
      await required("demo", "down", "--remove");
      await sandbox.ipai(["control", "stop"]);
      await rm(sandbox.home, { recursive: true, force: true });
    },
  };
}

export async function openWorld(): Promise<World> {
  const opened = await openStack();
  const { stack } = opened;
  if (Number(await sql("select count(*) from account_move")) < invoicesMin) await fill(stack);
  const [databaseBytes, invoices] = [
    await sql("select pg_database_size(current_database())"),
    await sql("select count(*) from account_move"),
  ];
  if (Number(invoices) < invoicesMin) throw new Error(`${invoices} invoices are too few`);
  return { ...opened, databaseBytes: Number(databaseBytes), invoices: Number(invoices) };
}

/** `ipai`, which must succeed; what it says as JSON where it is asked to. */
export async function required(...args: readonly string[]): Promise<string> {
  const ended = await sandbox.ipai(args, { timeoutMs: 3_600_000 });
  if (ended.exitCode !== 0) throw new Error(`ipai ${args.join(" ")}: ${ended.stdout}\n${ended.stderr}`);
  return ended.stdout;
}

/** A deployment that changes the database asks for a proven backup. */
export async function prove(): Promise<void> {
  await required("backup", "--yes");
  await required("backup", "verify", "--yes");
}

/** The copies of before that deployments, upgrades and restores keep, so that the next round begins as this one did. */
export async function dropKept(): Promise<void> {
  const kept = await sql("select datname from pg_database where datname like 'odoo\\_%'", "postgres");
  for (const name of kept.split("\n").filter((one) => one !== "")) {
    await sql(`alter database "${name}" is_template false`, "postgres");
    await sql(`drop database "${name}" with (force)`, "postgres");
    await rm(`${folder}/odoo/filestore/${name}`, { recursive: true, force: true });
  }
}

/** Says how each round went, since they take minutes. */
export async function repeat<T>(
  count: number,
  what: string,
  work: (index: number) => Promise<T>,
): Promise<readonly T[]> {
  const all: T[] = [];
  for (let index = 0; index < count; index++) {
    const startedAt = performance.now();
    all.push(await work(index));
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    process.stderr.write(`${what} ${index + 1} of ${count}, ${seconds} s: ${JSON.stringify(all.at(-1))}\n`);
  }
  return all;
}

/** Who is measured first changes from round to round. */
export async function inTurn<One, Other>(isOursFirst: boolean, one: () => Promise<One>, other: () => Promise<Other>) {
  if (isOursFirst) {
    const ours = await one();
    return { ours, theirs: await other() };
  }
  const theirs = await other();
  return { ours: await one(), theirs };
}

/** A run of `ipai` that may end in whichever way. */
export async function runJson(...args: readonly string[]) {
  return sandbox.parsed<import("../test/harness/sandbox.ts").RunJson & { readonly seconds: number }>(
    await sandbox.ipai([...args, "--yes", "--json"], { timeoutMs: 3_600_000 }),
  );
}

/** bash, which must succeed; seconds. */
export async function shell(script: string, ...args: readonly string[]): Promise<number> {
  const given = ["-euo", "pipefail", "-c", script, "bench", ...args];
  const ended = await sandbox.run("bash", given, { timeoutMs: 3_600_000 });
  if (ended.exitCode !== 0) throw new Error(`${script}\n${ended.stderr.slice(-2000)}`);
  return ended.seconds;
}

/** A client of PostgreSQL as its superuser, as words of a script. */
export function client(program: string): string {
  const [, , , , , ...connection] = sandbox.psql;
  const places = connection.slice(0, connection.indexOf("-U"));
  return ["runuser", "-u", "postgres", "--", program, ...places, "-U", "postgres"].join(" ");
}

export async function stopOdoo(stack: Stack): Promise<void> {
  await perform(stack.runtime.together(sandbox.services).stop, { timeoutMs: 120_000 });
}

/** Until each shows its login page. */
export async function startOdoo(stack: Stack): Promise<void> {
  for (const name of sandbox.services) await perform(stack.runtime.service(name).start, { timeoutMs: 120_000 });
  for (const url of sandbox.urls.odoo) await sandbox.until(`${url} serves`, () => sandbox.serves(url), 300_000);
}

async function fill(stack: Stack): Promise<void> {
  const key = createHash("sha256")
    .update(await readFile(seedFile))
    .update(`${copies} ${await sql("select latest_version from ir_module_module where name = 'base'")}`)
    .digest("hex")
    .slice(0, 12);
  const kept = join(ipaiCache(process.env), "bench", `invoices-${key}`);
  await stopOdoo(stack);
  if (existsSync(join(kept, "toc.dat"))) await restore(kept);
  else {
    await grow(stack);
    await keep(kept);
  }
  await sql("vacuum analyze");
  await startOdoo(stack);
}

/** Foreign keys are not asked for each copy: for that `populate` has to be a superuser. */
async function grow({ config }: Stack): Promise<void> {
  const { command, config: file, user, environment } = config.odoo;
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const odoo = (...args: readonly string[]) => ["runuser", "-u", user, "--", "env", ...variables, ...command, ...args];
  const given = ["-c", file, "-d", "odoo", "--no-http", "--log-level=warn"];
  process.stderr.write("Making the database of invoices, once: some minutes.\n");
  await shell('seed=$1; shift; "$@" < "$seed"', seedFile, ...odoo("shell", ...given));
  await sql(`alter role "${user}" superuser`);
  try {
    await shell('"$@"', ...odoo("populate", ...given, "--models=account.move", `--factors=${copies}`));
  } finally {
    await sql(`alter role "${user}" nosuperuser`);
  }
}

async function keep(kept: string): Promise<void> {
  const partial = `${kept}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  await chmod(join(kept, ".."), 0o755);
  await shell('chown postgres "$1" && rmdir "$1/dump" 2>/dev/null || true', partial);
  await shell(`${client("pg_dump")} -Fd -j 2 -Z 1 -f "$1/dump" odoo && cp -a "$2" "$1/filestore"`, partial, filestore);
  await shell('mv "$1"/dump/* "$1" && rmdir "$1/dump"', partial);
  await rename(partial, kept);
}

const filestore = `${folder}/odoo/filestore/odoo`;

async function restore(kept: string): Promise<void> {
  await shell(
    `${client("dropdb")} --force odoo && ${client("pg_restore")} --create -j 2 --exit-on-error -d postgres "$1"`,
    kept,
  );
  await shell('cp -an "$1/filestore/." "$2/"', kept, filestore);
}
