import { type ChildProcess, execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Executors } from "../../src/cli/executors.ts";
import type { Executor } from "../../src/host/executor.ts";
import { command } from "../../src/runbook/action.ts";
import { actOf, planOf } from "../../src/runbook/fixtures/plans.ts";
import { runScript } from "../../src/runbook/fixtures/scripts.ts";
import { inContainer } from "../../src/runbook/place.ts";
import { runId, secret } from "../../src/runbook/value.ts";
import { refusal } from "../harness/backups.ts";
import { describeElsewhere } from "../harness/elsewhere.ts";
import { codeOf, pipe, processesWith, run, sh } from "../harness/pipelines.ts";
import { run as outside, root, until } from "../harness/sandbox.ts";
import { type Sshd, startSshd } from "../harness/sshd.ts";

/** Commands in a container of a real Docker engine, of this machine and of one that is reached by SSH. */
const name = `ipai-test-place-${process.pid}`;
const docker = (...args: string[]) => execFileSync("docker", args, { encoding: "utf8", stdio: "pipe" }).trim();
const start = (container: string) =>
  docker("run", "--detach", "--init", "--entrypoint", "sleep", "--name", container, "ipai-test/database", "infinity");
let sshd: Sshd;
let executors: Executors;

beforeAll(async () => {
  sshd = await startSshd();
  start(name);
});
afterAll(async () => {
  docker("rm", "--force", name);
  await sshd[Symbol.asyncDispose]();
});
beforeEach(() => {
  executors = new Executors({ IPAI_SSH_CONFIG: sshd.configFile });
});
afterEach(() => executors[Symbol.asyncDispose]());

const here = (): Executor => executors.of(inContainer("local", name));
const there = (): Executor => executors.of(inContainer(sshd.destination, name));

describeElsewhere("a container", { executor: here, guard: () => `^docker exec -i .*${name} sh -c exec bash` });
describeElsewhere("a container of another machine", { executor: there, guard: () => `ssh -M .*${sshd.destination}` });

it("one connection carries everything of a machine", async () => {
  const host = executors.of(sshd.destination);
  const all = await Promise.all(
    Array.from({ length: 20 }, (_, index) => run(index % 2 === 0 ? host : there(), pipe(sh("sleep 0.1; echo x")))),
  );
  expect(all.map(({ stdout }) => stdout)).toEqual(Array(20).fill("x\n"));
  const masters = execFileSync("pgrep", ["-fc", `^ssh -M .*${sshd.destination}`], { encoding: "utf8" }).trim();
  expect(masters).toBe("1");
});

describe("a script of a plan", () => {
  const place = inContainer("local", name);
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "ipai-script-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it("hands values and secrets over to the program that wants them, and to no other", async () => {
    const uses = command(place, ["sh", "-c", 'printf "%s|%s" "$PASSWORD" "$1" >/tmp/used', "sh", runId], {
      env: { PASSWORD: secret("backup.password") },
    });
    const looks = command(place, ["sh", "-c", "env >/tmp/looked"]);
    const plan = planOf([actOf("use", { action: uses }), actOf("look", { action: looks })]);
    const env = { IPAI_SECRET_BACKUP_PASSWORD: "hunter'2 $x", run_id: "mine" };
    expect((await runScript(plan, { folder, env })).status).toBe(0);
    expect(docker("exec", name, "cat", "/tmp/used")).toBe("hunter'2 $x|mine");
    expect(docker("exec", name, "cat", "/tmp/looked")).not.toMatch(/hunter|mine/);
    expect(docker("exec", name, "ls", "/tmp")).not.toContain("ipai-mine");
  });

  it("ends, when it is stopped, what it has started there before it takes anything back", async () => {
    const long = command(place, ["sh", "-c", "sleep 313; true"]);
    const back = actOf("back", { action: command(place, ["sh", "-c", "pgrep -f 'sleep 31[3]' >/tmp/left; true"]) });
    const plan = planOf([actOf("long", { action: long, undo: [back] })]);
    const onStart = (child: ChildProcess) => {
      const runs = async () => docker("top", name).includes("sleep 313");
      void until("it runs", runs, 10_000).then(() => process.kill(-(child.pid ?? 0), "SIGINT"));
    };
    const ran = await runScript(plan, { folder, env: { run_id: "stopped" }, onStart });
    expect([ran.status, ran.text]).toEqual([5, expect.stringContaining("everything was taken back")]);
    expect(docker("exec", name, "cat", "/tmp/left")).toBe("");
    expect(docker("exec", name, "ls", "/tmp")).not.toContain("ipai-stopped");
  });
});

describe("a container that cannot be worked in", () => {
  it("because there is none of that name", async () => {
    const missing = executors.of(inContainer("local", "no-such-container"));
    expect(await codeOf(run(missing, pipe({ argv: ["true"] })))).toBe("host.container_missing");
  });

  it("because it is stopped, and works again when it is started", async () => {
    docker("stop", "--time", "0", name);
    expect(await codeOf(run(here(), pipe({ argv: ["true"] })))).toBe("host.container_not_running");
    expect(await codeOf(run(there(), pipe({ argv: ["true"] })))).toBe("host.container_not_running");
    docker("start", name);
    expect((await run(here(), pipe(sh("echo back")))).stdout).toBe("back\n");
  });

  it("because it was stopped in the middle", async () => {
    const lost = codeOf(
      run(here(), pipe(sh("sleep 300", { env: { MARK: `${name}-s` } })), {
        onSpawn: () => docker("restart", "--time", "0", name),
      }),
    );
    expect(await lost).toBe("host.connection_lost");
    expect(processesWith(`MARK=${name}-s`)).toEqual([]);
    expect((await run(here(), pipe(sh("echo back")))).stdout).toBe("back\n");
  });

  it("because the engine does not answer", async () => {
    // For one command alone: everybody else's engine goes on.
    const script = 'mount --bind /dev/null /run/docker.sock && exec "$@"';
    const argv = ["--mount", "sh", "-c", script, "sh", join(root, "bin/ipai"), "backup", "--plan", "--json"];
    expect(refusal(await outside("unshare", argv)).code).toBe("host.docker_unreachable");
    expect(refusal(await outside("unshare", [...argv.slice(0, 6), "init", "--check", "--json"])).code).toBe(
      "host.docker_unreachable",
    );
  });

  it("because this user may not ask the engine", async () => {
    // Somebody who is in no group that Docker knows.
    const away = executors.of(inContainer(sshd.destination.replace("root@", "ipai-nobody@"), name));
    // No password, but not locked either.
    execFileSync("useradd", ["--create-home", "--shell", "/bin/bash", "--password", "*", "ipai-nobody"]);
    try {
      expect(await codeOf(run(away, pipe({ argv: ["true"] })))).toBe("host.docker_refused");
      execFileSync("usermod", ["--append", "--groups", "docker", "ipai-nobody"]);
      const others = new Executors({ IPAI_SSH_CONFIG: sshd.configFile });
      const allowed = others.of(inContainer(sshd.destination.replace("root@", "ipai-nobody@"), name));
      expect((await run(allowed, pipe(sh("id -u")))).stdout).toBe("0\n");
      await others[Symbol.asyncDispose]();
    } finally {
      await executors[Symbol.asyncDispose]();
      await until("nobody is logged in", async () => processesWith("USER=ipai-nobody").length === 0, 5000);
      execFileSync("userdel", ["--remove", "ipai-nobody"], { stdio: "ignore" });
    }
  });

  it("because it has no bash", async () => {
    const bare = `${name}-bare`;
    start(bare);
    docker("exec", bare, "rm", "/usr/bin/bash");
    expect(await codeOf(run(executors.of(inContainer("local", bare)), pipe({ argv: ["true"] })))).toBe("host.unfit");
    docker("rm", "--force", bare);
  });
});
