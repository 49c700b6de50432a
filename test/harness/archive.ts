import { execFileSync } from "node:child_process";
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type App, createApp } from "../../src/cli/app.ts";
import { consentTo } from "../../src/cli/consent.ts";
import { parseConfig } from "../../src/config/load.ts";
import { advance } from "../../src/engine/advance.ts";
import { stopEmbedded } from "../../src/engine/embedded.ts";
import type { Run } from "../../src/engine/journal.ts";
import { LocalExecutor } from "../../src/host/local.ts";
import { runChecks } from "../../src/procedures/monitoring/check.ts";
import { healthChecks } from "../../src/procedures/monitoring/health.ts";
import { sandboxConfig } from "../../src/procedures/sandbox/definition.ts";
import type { Json } from "../../src/runbook/value.ts";
import { makeTestFolder } from "./folders.ts";
import { type Ended, root as projectRoot, ipai as runIpai } from "./sandbox.ts";

/** A database server of Debian's own, as the practice stack has it, with nothing else: what archives needs no Odoo. */

export const lacking = ["pgbackrest", "pg_createcluster"].filter((program) => {
  try {
    execFileSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" });
    return false;
  } catch {
    return true;
  }
});

export interface Archived extends AsyncDisposable {
  readonly folder: string;
  readonly repository: string;
  /** `ipai` itself on this stack, as a process of its own. */
  ipai(args: readonly string[], options?: { readonly killAt?: string }): Promise<Ended>;
  /** The program on this stack; `wal` replaces settings of backup.wal, whose secrets are in `secrets`. */
  app(wal?: Readonly<Record<string, unknown>>, secrets?: Readonly<Record<string, string>>): Promise<App>;
  sql(text: string, database?: string): string;
  /** What lies where, as the server's user. */
  shell(script: string, ...args: readonly string[]): string;
}

/** The folder lies where a service user may enter. */
export async function createArchived(basePort: number): Promise<Archived> {
  const folder = await makeTestFolder("ipai-wal-", "/var/tmp");
  await chmod(folder, 0o755);
  const [home, root] = [join(folder, "home"), join(folder, "postgresql")];
  for (const name of ["home", "run", "log", "work", "odoo"]) await mkdir(join(folder, name), { mode: 0o755 });
  await writeFile(join(folder, "password"), "a good password\n", { mode: 0o600 });
  await writeFile(join(folder, "other"), "another\n", { mode: 0o600 });
  execFileSync("chown", ["postgres", join(folder, "run"), join(folder, "log")]);
  const env = { ...process.env, PG_CLUSTER_CONF_ROOT: root, LC_ALL: "C.UTF-8" };
  const places = ["-d", join(folder, "data"), "-s", join(folder, "run"), "-l", join(folder, "log/postgresql.log")];
  // Without TCP: the same test may run from another folder of the project at the same time.
  const quiet = ["-o", "listen_addresses="];
  const create = [
    "15",
    "sandbox",
    "-u",
    "postgres",
    "-p",
    String(basePort + 1),
    ...quiet,
    ...places,
    "--",
    "-A",
    "peer",
  ];
  execFileSync("pg_createcluster", create, { env, stdio: "ignore" });
  execFileSync("pg_ctlcluster", ["15", "sandbox", "start"], { env });
  const apps: App[] = [];
  const runAs = (argv: readonly string[]) =>
    execFileSync("runuser", ["-u", "postgres", "--", ...argv], { encoding: "utf8", cwd: "/" }).trim();
  return {
    folder,
    repository: join(folder, "archive"),
    ipai: async (args, { killAt } = {}) => {
      const config = join(folder, "ipai.yaml");
      await writeFile(config, configText(folder, basePort, {}));
      const nodeOptions = killAt === undefined ? [] : ["--import", join(projectRoot, "test/harness/kill-at.ts")];
      const given = { IPAI_HOME: home, ...(killAt === undefined ? {} : { KILL_AT: killAt }) };
      return runIpai(["--config", config, ...args], { env: given, nodeOptions });
    },
    app: async (wal = {}, secrets = {}) => {
      const app = await createApp(parseConfig(configText(folder, basePort, wal), "ipai.yaml", secrets), {
        ...process.env,
        IPAI_HOME: home,
      });
      apps.push(app);
      return app;
    },
    sql: (text, database = "postgres") =>
      runAs([
        "psql",
        "-h",
        join(folder, "run"),
        "-p",
        String(basePort + 1),
        "-XAtq",
        "-v",
        "ON_ERROR_STOP=1",
        "-d",
        database,
        "-c",
        text,
      ]),
    shell: (script, ...args) => runAs(["sh", "-euc", script, "sh", ...args]),
    [Symbol.asyncDispose]: async () => {
      for (const app of apps) await app[Symbol.asyncDispose]();
      execFileSync("pg_ctlcluster", ["15", "sandbox", "stop", "-m", "immediate"], { env, stdio: "ignore" });
      await stopEmbedded(home, new LocalExecutor());
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function configText(folder: string, basePort: number, wal: Readonly<Record<string, unknown>>): string {
  const settings = { folder, basePort, odoo: { command: ["odoo"], addons: [], environment: {} } };
  const [, ...lines] = sandboxConfig(settings).split("\n");
  const config = JSON.parse(lines.join("\n")) as { stacks: { sandbox: { backup: Record<string, unknown> } } };
  const usual = { repository: join(folder, "archive"), passwordFile: join(folder, "password"), patience: 5 };
  config.stacks.sandbox.backup["wal"] = { ...usual, ...wal };
  return JSON.stringify(config);
}

/** Plans, consents and carries out, as the command does. */
export async function carryOut(app: App, procedure: string, input: Json = {}): Promise<Run> {
  const run = await app.record(await app.plan(procedure, "sandbox", input));
  await consentTo(app, run);
  return advance(app.engine(), run.id);
}

/** The finding of one check; undefined when there is no such check. */
export async function finding(app: App, code: string) {
  const stack = app.stack();
  const checks = healthChecks(stack).filter((check) => check.code === code);
  return (await runChecks(stack, app.performer, checks)).checks[0];
}
