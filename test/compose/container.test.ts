import { execFileSync } from "node:child_process";
import { rename } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Executors } from "../../src/cli/executors.ts";
import type { Executor } from "../../src/host/executor.ts";
import { inContainer } from "../../src/runbook/place.ts";
import { describeElsewhere } from "../harness/elsewhere.ts";
import { codeOf, pipe, processesWith, run, sh } from "../harness/pipelines.ts";
import { until } from "../harness/sandbox.ts";
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
    const socket = "/var/run/docker.sock";
    await rename(socket, `${socket}.away`);
    try {
      expect(await codeOf(run(here(), pipe({ argv: ["true"] })))).toBe("host.docker_unreachable");
      expect(await codeOf(run(there(), pipe({ argv: ["true"] })))).toBe("host.docker_unreachable");
    } finally {
      await rename(`${socket}.away`, socket);
    }
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
