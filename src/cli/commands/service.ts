import { existsSync } from "node:fs";
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { loadConfig } from "../../config/load.ts";
import { listWorkers, type WorkerRow } from "../../engine/workers.ts";
import { defineError } from "../../errors/error.ts";
import type { CommandResult } from "../../host/executor.ts";
import { LocalExecutor } from "../../host/local.ts";
import { lastLines } from "../../host/output.ts";
import { schedulesOf } from "../../procedures/schedules.ts";
import { command } from "../../runbook/action.ts";
import { renderShell } from "../../runbook/shell.ts";
import type { Context } from "../context.ts";
import { loadProcedures } from "../procedures.ts";
import { type InitSystem, initd, systemd } from "../service.ts";

/** A worker that begins with the machine and is started again whenever it ends. */

export const ServiceNeedsRoot = defineError<Record<never, never>>("service.needs_root", {
  exitCode: 14,
  message: () => "Only root can install a service of this machine. Nothing was changed.",
  hint: () => "Run it with sudo; or start `ipai worker` by whatever starts your own programs.",
});

export const ServiceFailed = defineError<{ command: string; output: string }>("service.failed", {
  exitCode: 18,
  message: (d) => `${d.command} failed: ${d.output}`,
  hint: () => "Put that right and install again; `ipai service remove` takes away what was written.",
});

interface Options {
  readonly plan?: boolean;
  readonly serve?: boolean;
  readonly json?: boolean;
}

/** systemd where it runs; a script in init.d everywhere else. */
function findInit(): InitSystem {
  return existsSync("/run/systemd/system") ? systemd : initd;
}

export async function install(context: Context, options: Options): Promise<number> {
  const init = findInit();
  const { path, mode, beside } = init;
  const content = init.render({ ...(await settingsOf(context)), command: options.serve === true ? "serve" : "worker" });
  if (options.plan === true) {
    const files = [`# ${path}`, content, ...(beside === undefined ? [] : [`# ${beside.path}`, beside.content])];
    context.terminal.out([...files, ...init.install.map(asShell)].join("\n"));
    return 0;
  }
  requireRoot();
  // Another configuration than before: the one that runs is stopped first.
  if (existsSync(path)) for (const one of init.remove) await run(one);
  await writeFile(path, content);
  await chmod(path, mode);
  if (beside !== undefined) await writeBeside(beside);
  for (const one of init.install) await require(one);
  context.terminal.out(
    `A worker runs now, and begins with the machine (${init.name}, ${path}).\nSecrets that the configuration names stand in /etc/ipai/environment, as NAME=VALUE lines that only root reads.\nLook at it with: ipai service status · ipai schedules`,
  );
  return 0;
}

export async function status(context: Context, options: Options): Promise<number> {
  const init = findInit();
  const isInstalled = existsSync(init.path);
  const runs = isInstalled && (await run(init.status)).exitCode === 0;
  await using app = await context.openApp();
  const workers = await listWorkers(app.control);
  const { terminal } = context;
  if (options.json === true)
    terminal.out(JSON.stringify({ service: isInstalled ? init.path : null, runs, workers }, null, 2));
  else {
    const where = `Installed (${init.path}), and ${runs ? "running" : "not running"}.`;
    terminal.out(isInstalled ? where : "Not installed: ipai service install");
    terminal.out(workers.length === 0 ? "No worker has shown itself." : workers.map(workerLine).join("\n"));
  }
  return workers.some(({ lives }) => lives) ? 0 : 3;
}

function workerLine({ name, startedAt, seenAt, lives }: WorkerRow): string {
  return `${name}: ${lives ? "works" : "gone or silent"}, since ${startedAt.toISOString()}, last seen ${seenAt.toISOString()}`;
}

export async function remove(context: Context): Promise<number> {
  const init = findInit();
  const { path } = init;
  if (!existsSync(path)) {
    context.terminal.out("It is not installed.");
    return 0;
  }
  requireRoot();
  for (const one of init.remove) await run(one);
  for (const one of [path, init.beside?.path]) if (one !== undefined) await rm(one, { force: true });
  if (init.name === "systemd") await run(["systemctl", "daemon-reload"]);
  context.terminal.out(`Removed ${path}. Nothing runs by itself any more.`);
  return 0;
}

async function writeBeside({ path, content }: NonNullable<InitSystem["beside"]>): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

/** The configuration that is meant here and now, by its whole path, and where things are. */
async function settingsOf({ globals, environment, directory }: Context) {
  const given = { environment, directory, ...(globals.config === undefined ? {} : { path: globals.config }) };
  const config = await loadConfig(given);
  // What cannot be used is told now, and not by a service that nobody looks at.
  const procedures = await loadProcedures(config);
  for (const stack of Object.values(config.stacks)) schedulesOf(stack, procedures);
  const kept = ["IPAI_HOME", "IPAI_CACHE", "IPAI_SSH_CONFIG"].flatMap((name) => {
    const value = environment[name];
    return value === undefined || value === "" ? [] : [[name, value] as const];
  });
  return {
    program: join(import.meta.dirname, "../../../bin/ipai"),
    config: resolve(directory, config.file),
    environment: Object.fromEntries(kept),
  };
}

function requireRoot(): void {
  if (process.getuid?.() !== 0) throw ServiceNeedsRoot({});
}

type Argv = readonly [string, ...string[]];

const asShell = (argv: Argv) => renderShell(command("local", argv));

/** Longer than a worker is given to end. */
const timeoutMs = 700_000;

function run(argv: Argv): Promise<CommandResult> {
  const signal = new AbortController().signal;
  return new LocalExecutor().run([{ argv, env: {}, mergeStderr: true }], { signal, timeoutMs });
}

async function require(argv: Argv): Promise<void> {
  const ended = await run(argv);
  if (ended.exitCode !== 0) throw ServiceFailed({ command: argv.join(" "), output: lastLines(ended.stdout) });
}
