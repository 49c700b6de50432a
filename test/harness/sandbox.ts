import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** The practice stack as tests use it: the real command line from outside, and looks at the world that do not go through it. */

export const root = join(import.meta.dirname, "..", "..");
export const home = process.env["IPAI_TEST_HOME"] ?? "/var/lib/ipai-test";
export const basePort = Number(process.env["IPAI_TEST_PORT"] ?? 28_080);

/** IPAI_TEST_RUNTIME=compose: the same tests on the shipped compose project. */
export const isCompose = process.env["IPAI_TEST_RUNTIME"] === "compose";

/** How many checks `ipai health` has: one more where a compose file says what should run. */
export const checks = isCompose ? 9 : 8;

export const folder = join(home, "sandbox");
export const services = ["odoo-accounting", "odoo-core", "odoo-marketing"] as const;
export const urls = isCompose
  ? { public: `https://localhost:${basePort + 6}`, odoo: services.map((name) => `http://${name}:8069`) }
  : {
      public: `http://127.0.0.1:${basePort}`,
      odoo: [basePort + 10, basePort + 20, basePort + 30].map((port) => `http://127.0.0.1:${port}`),
    };
/** Compose's name of the project. */
export const project = `ipai-sandbox-${basePort}`;
/** Compose as a person types it in the project's folder. */
export const compose = (...args: readonly string[]) =>
  run("docker", ["compose", "--project-name", project, "--project-directory", folder, ...args]);
/** The container of a service of the project. */
export const container = (service: string) => `${project}-${service}-1`;
/** What runs a program where the stack's files are. */
export const inTools: readonly string[] = isCompose ? ["docker", "exec", "-i", container("tools")] : [];
/** What runs a program where Odoo's own commands are run, as its user. */
export const inOdoo: readonly string[] = isCompose
  ? ["docker", "exec", "-i", "--user", "odoo", container("odoo-tools")]
  : ["runuser", "-u", "odoo", "--"];
/** The shipped project has a database for n8n too. */
const usualDatabases = `'template0', 'template1', ${isCompose ? "'odoo', 'postgres', 'n8n'" : "'odoo', 'postgres'"}`;
/** Where the tools find working files, what Odoo keeps, and the repository with its password. */
export const places = isCompose
  ? {
      work: "/var/lib/odoo/ipai-sandbox",
      filestore: "/var/lib/odoo/filestore",
      repository: "/var/lib/ipai/repository",
      password: "/run/secrets/backup_password",
    }
  : {
      work: join(folder, "work"),
      filestore: join(folder, "odoo/filestore"),
      repository: join(folder, "repository"),
      password: join(folder, "repository-password"),
    };
export const environment: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  ),
  IPAI_HOME: home,
  IPAI_SANDBOX_PORT: String(basePort),
  NO_COLOR: "1",
};

export interface Ended {
  readonly exitCode: number;
  /** The signal that ended it. */
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

interface Options {
  readonly timeoutMs?: number;
  readonly env?: NodeJS.ProcessEnv;
  /** For node itself, before the program: `--import` and a harness. */
  readonly nodeOptions?: readonly string[];
  readonly directory?: string;
  readonly stdin?: string;
}

/** Runs `ipai` as a user would. */
export function ipai(args: readonly string[], options: Options = {}): Promise<Ended> {
  const nodeOptions = options.nodeOptions ?? [];
  const program = [...nodeOptions, "--disable-warning=ExperimentalWarning", join(root, "src/cli/main.ts"), ...args];
  return run(
    nodeOptions.length === 0 ? join(root, "bin/ipai") : process.execPath,
    nodeOptions.length === 0 ? args : program,
    options,
  );
}

export function run(program: string, args: readonly string[], options: Options = {}): Promise<Ended> {
  const startedAt = performance.now();
  return new Promise((resolve) => {
    const child = execFile(
      program,
      [...args],
      {
        env: { ...environment, ...options.env },
        cwd: options.directory,
        timeout: options.timeoutMs ?? 300_000,
        killSignal: "SIGKILL",
        maxBuffer: 64 * 1024 * 1024,
      },
      (error, stdout, stderr) => {
        const exitCode = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
        const seconds = (performance.now() - startedAt) / 1000;
        resolve({ exitCode, signal: error?.signal ?? null, stdout, stderr, seconds });
      },
    );
    // A program that does not read may be over before it is written to.
    child.stdin?.on("error", () => undefined).end(options.stdin ?? "");
  });
}

/** What `--json` printed. */
export function parsed<T>(ended: Ended): T {
  try {
    return JSON.parse(ended.stdout) as T;
  } catch {
    throw new Error(`No JSON (exit code ${ended.exitCode}):\n${ended.stdout}\n${ended.stderr}`);
  }
}

/** A run as `--json` tells it. */
export interface RunJson {
  readonly run: string;
  readonly actor: string;
  readonly planHash: string;
  readonly outcome: string;
  readonly undoClass: string;
  readonly seconds: number;
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string; readonly output?: string };
  readonly steps: readonly {
    readonly id: string;
    readonly outcome: string;
    readonly seconds: number | null;
    readonly error?: { readonly code: string };
  }[];
}

const bare = ["-U", "postgres", "-XAtq", "-v", "ON_ERROR_STOP=1"];

/** How to reach the stack's PostgreSQL as its superuser. */
export const psql: readonly [string, ...string[]] = isCompose
  ? ["docker", "exec", "-i", container("tools"), "runuser", "-u", "postgres", "--", "psql", ...bare]
  : ["runuser", "-u", "postgres", "--", "psql", "-h", join(folder, "run"), "-p", String(basePort + 1), ...bare];

/** Asks PostgreSQL itself. */
export async function sql(text: string, database = "odoo"): Promise<string> {
  const [program, ...args] = psql;
  const ended = await run(program, [...args, "-d", database], { stdin: text });
  if (ended.exitCode !== 0) throw new Error(ended.stderr);
  return ended.stdout.trim();
}

/** A program where the stack's files are, and what it prints. */
export async function there(...argv: readonly [string, ...string[]]): Promise<string> {
  const [program, ...args] = [...inTools, ...argv] as [string, ...string[]];
  const ended = await run(program, args);
  if (ended.exitCode !== 0) throw new Error(`${argv.join(" ")}: ${ended.stderr}`);
  return ended.stdout;
}

export async function isThere(path: string): Promise<boolean> {
  return (await there("sh", "-c", 'test -e "$1" && echo yes || echo no', "there", path)).trim() === "yes";
}

/** What an address answers that is only reached from where Odoo is; empty when nothing does. */
export async function pageOf(url: string): Promise<string> {
  const [program = "", ...args] = [...inOdoo, "curl", "--silent", url];
  return (await run(program, args)).stdout;
}

/** Ends the Odoo processes from outside. */
export async function stopServices(): Promise<void> {
  if (isCompose) {
    await run("docker", ["stop", ...services.map(container)]);
    return;
  }
  for (const service of services) {
    const pid = Number(await readFile(join(folder, `run/${service}.pid`), "utf8").catch(() => "0"));
    if (pid === 0 || !existsSync(`/proc/${pid}`)) continue;
    process.kill(pid, "SIGTERM");
    await until(`${service} has ended`, async () => !existsSync(`/proc/${pid}`));
  }
}

/** Whether an Odoo shows its login form. */
export async function serves(url: string): Promise<boolean> {
  if (isCompose) {
    const place = url === urls.public ? [] : inTools;
    const trust = ["--cacert", join(folder, "secrets/tls.crt")];
    const [program = "", ...args] = [...place, "curl", "--silent", ...(url === urls.public ? trust : [])];
    return (await run(program, [...args, `${url}/web/login`])).stdout.includes('name="login"');
  }
  const response = await fetch(`${url}/web/login`, { redirect: "manual" }).catch(() => undefined);
  return response?.status === 200 && (await response.text()).includes('name="login"');
}

/** Waits for a condition of the world; fails with its description. */
export async function until(description: string, condition: () => Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Not within ${timeoutMs / 1000} s: ${description}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** What runs and lies there that should not outlive a run. Empty when all is tidy. */
export async function leftovers(): Promise<readonly string[]> {
  const databases = (await sql(`select datname from pg_database where datname not in (${usualDatabases})`))
    .split("\n")
    .filter((name) => name !== "");
  const sessions = (
    await sql("select application_name from pg_stat_activity where application_name like 'ipai %'", "postgres")
  )
    .split("\n")
    .filter((name) => name !== "");
  const leases = await run(join(root, "bin/ipai"), ["status", "--json"]);
  const held = parsed<{ leases: { run: string }[] }>(leases).leases.map((lease) => `lease of ${lease.run}`);
  const [find = "", ...findArgs] = [...inTools, "find"];
  const usual = ["odoo", "code", "runs", "restic-cache", "repository", "rejected", "made", "files-stored", "*.log"];
  const found = await run(find, [
    ...findArgs,
    ...[places.filestore, places.work, "-maxdepth", "1", "-mindepth", "1"],
    ...usual.flatMap((name) => ["-not", "-name", name]),
  ]);
  const folders: string[] = [];
  for (const path of found.stdout.split("\n").filter((line) => line !== "")) {
    const content = await run(find, [...findArgs, path, "-mindepth", "1", "-print", "-quit"]);
    if (
      content.stdout !== "" ||
      !/\/(proof|restore|past|find|export|copies|recover|drill|rehearsal|upgrade)$/.test(path)
    )
      folders.push(path);
  }
  return [...databases, ...sessions, ...held, ...folders, ...(await runningPrograms())];
}

/** Programs of a run that should not outlive it. */
async function runningPrograms(): Promise<readonly string[]> {
  const pattern = `${places.work}|pg_dump|restic |odoo.*--stop-after-init`;
  if (!isCompose)
    return (await run("pgrep", ["-af", pattern])).stdout.split("\n").filter((line) => line.includes(`${home}/`));
  const containers = ["tools", "odoo-tools"].map(container);
  const listed = await Promise.all(containers.map((name) => run("docker", ["top", name, "-eo", "pid,args"])));
  return listed.flatMap(({ stdout }) => stdout.split("\n").filter((line) => new RegExp(pattern).test(line)));
}
