import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { initd, systemd } from "../../../src/cli/service.ts";
import { type Ended, ipai, parsed, run, until } from "../../harness/sandbox.ts";

/** A worker as a service: installed for real in init.d, where this machine has no systemd and no service of its own. */
const reason = existsSync("/run/systemd/system")
  ? "systemd runs here"
  : existsSync(initd.path)
    ? "a service is installed here"
    : process.getuid?.() === 0
      ? undefined
      : "only root can install one";

const settings = {
  command: "worker" as const,
  program: "/opt/ipai ops/bin/ipai",
  config: "/etc/ipai/ipai.yaml",
  environment: { IPAI_HOME: "/srv/it's $HOME 100%" },
};

describe("the files", () => {
  it("are a unit that systemd accepts, whatever is in its words", async () => {
    const folder = await mkdtemp("/tmp/ipai-unit-");
    const unit = join(folder, "ipai-worker.service");
    // The program must be one that is there.
    await writeFile(unit, systemd.render({ ...settings, program: "/bin/true" }));
    const checked = spawnSync("systemd-analyze", ["verify", unit], { encoding: "utf8" });
    const own = checked.stderr?.split("\n").filter((line) => line.includes("ipai-worker")) ?? [];
    await rm(folder, { recursive: true });
    expect(systemd.render(settings)).toContain('"IPAI_HOME=/srv/it\'s $HOME 100%%"');
    if (checked.error === undefined) expect(own).toEqual([]);
  });

  it("are a script that a shell accepts, whatever is in its words", () => {
    const checked = spawnSync("sh", ["-n"], { input: initd.render(settings), encoding: "utf8" });
    expect([checked.status, checked.stderr]).toEqual([0, ""]);
    expect(initd.render(settings)).toContain("exec '/opt/ipai ops/bin/ipai' --config /etc/ipai/ipai.yaml worker");
  });
});

/** The supervisor alone, over a program that may end by itself: told to stop at any instant, it ends, and nothing is left of it. */
describe("the script's loop", () => {
  it.each([
    ["a worker that stays", "exec sleep 1000"],
    ["one that ends at once", "exit 1"],
    ["one that ends when it is told to, a little later", "trap 'sleep 0.2; exit 0' TERM; while :; do sleep 0.05; done"],
  ])("ends with %s, whenever it is told to", async (_, body) => {
    const folder = await mkdtemp("/var/tmp/ipai-loop-");
    const program = join(folder, "worker");
    await writeFile(program, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    await writeFile(join(folder, "ipai-worker"), initd.render({ ...settings, program }), { mode: 0o755 });
    const ends = Array.from({ length: 40 }, async (__, index) => {
      const loop = spawn("sh", [join(folder, "ipai-worker"), "loop"], { stdio: "ignore", detached: true });
      const ended = once(loop, "exit");
      await new Promise((resolve) => setTimeout(resolve, index * 5));
      loop.kill("SIGTERM");
      await ended;
      return loop.pid ?? 0;
    });
    const groups = new Set((await Promise.all(ends)).map(String));
    const all = spawnSync("ps", ["-eo", "pgid=,args="], { encoding: "utf8" }).stdout.split("\n");
    await rm(folder, { recursive: true });
    expect(all.filter((line) => groups.has(line.trim().split(/\s+/)[0] ?? ""))).toEqual([]);
  });
});

describe.skipIf(reason !== undefined)(`a service of this machine${reason === undefined ? "" : ` (${reason})`}`, () => {
  let home: string;
  let config: string;
  const command = (...args: readonly string[]): Promise<Ended> =>
    ipai(["--config", config, ...args], { env: { IPAI_HOME: home } });
  const workers = async () =>
    parsed<{ workers: { name: string; lives: boolean }[] }>(
      await command("service", "status", "--json"),
    ).workers.filter(({ lives }) => lives);
  const pidOf = (name = "") => Number(/worker (\d+)/.exec(name)?.[1]);
  const livingWorkers = () =>
    spawnSync("pgrep", ["-f", `main.ts --config ${config} worker`], { encoding: "utf8" })
      .stdout.split("\n")
      .filter((pid) => pid !== "");

  beforeAll(async () => {
    home = await mkdtemp("/var/tmp/ipai-service-");
    await chmod(home, 0o755);
    config = join(home, "ipai.yaml");
    const daemon = "command: [/bin/true], user: nobody, log: /dev/null";
    await writeFile(
      config,
      `stacks:
  nothing:
    runtime: { native: { services: { odoo: { ${daemon}, pidFile: ${home}/odoo.pid }, database: { ${daemon}, pidFile: ${home}/db.pid } } } }
    services: { odoo: [{ name: odoo, url: "http://127.0.0.1:9" }] }
    odoo: { command: [/bin/true] }
    urls: { public: "http://127.0.0.1:9" }
    schedules: { health: off, database: off }
`,
    );
  });
  afterAll(async () => {
    await command("service", "remove");
    await command("control", "stop");
    await rm(home, { recursive: true, force: true });
    await rm("/var/log/ipai-worker.log", { force: true });
  });

  /** Something scheduled, in two seconds, and what became of it. */
  async function happens(): Promise<void> {
    const at = new Date(Date.now() + 2000).toISOString();
    const { name } = parsed<{ name: string }>(await command("schedules", "once", "health", "--at", at, "--json"));
    await until(
      "it has happened",
      async () => {
        const told = await command("schedules", "history", name, "--json");
        return parsed<{ state: string }[]>(told)[0]?.state === "started";
      },
      20_000,
    );
  }

  it("works once it is installed, and does what its time has come for", async () => {
    const installed = await command("service", "install");
    expect([installed.exitCode, installed.stderr]).toEqual([0, ""]);
    await until("a worker lives", async () => (await workers()).length === 1, 20_000);
    await happens();
  });

  it("is started again when it was killed", async () => {
    const [first] = await workers();
    process.kill(pidOf(first?.name), "SIGKILL");
    const isAnother = async () => (await workers()).some(({ name }) => name !== first?.name);
    await until("another worker lives", isAnother, 20_000);
    await happens();
  });

  it("goes on after everything was ended, when the machine starts its services", async () => {
    const loop = Number(readFileSync("/run/ipai-worker.pid", "utf8"));
    process.kill(-loop, "SIGKILL");
    await command("control", "stop");
    await until("nothing of it runs", async () => livingWorkers().length === 0, 10_000);
    const started = await run("service", ["ipai-worker", "start"]);
    expect(started.exitCode).toBe(0);
    await happens();
    expect(livingWorkers()).toHaveLength(1);
  });

  it("is not started twice", async () => {
    expect((await run("service", ["ipai-worker", "start"])).stdout).toContain("runs already");
    expect(livingWorkers()).toHaveLength(1);
  });

  it("leaves nothing when it is removed", async () => {
    expect((await command("service", "remove")).exitCode).toBe(0);
    expect(livingWorkers()).toEqual([]);
    const files = [initd.path, initd.beside?.path ?? "", "/run/ipai-worker.pid"];
    expect(files.filter((path) => existsSync(path))).toEqual([]);
    expect((await run("sh", ["-c", "ls /etc/rc*.d | grep ipai-worker"])).stdout).toBe("");
    expect((await command("service", "status")).exitCode).toBe(3);
  });
});
