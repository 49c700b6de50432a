import { execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Executors } from "../../../src/cli/executors.ts";
import type { Executor } from "../../../src/host/executor.ts";
import { describeElsewhere } from "../../harness/elsewhere.ts";
import { codeOf, pipe, processesWith, run, sh } from "../../harness/pipelines.ts";
import { until } from "../../harness/sandbox.ts";
import { type Sshd, startSshd } from "../../harness/sshd.ts";

/** Commands on another machine: this one, reached by a real OpenSSH server. */
let sshd: Sshd;
let executors: Executors;
let remote: Executor;
let desk: string;

beforeAll(async () => {
  sshd = await startSshd();
});
afterAll(() => sshd[Symbol.asyncDispose]());
beforeEach(async () => {
  desk = await mkdtemp(join(tmpdir(), "ipai-ssh-test-"));
  executors = new Executors({ IPAI_SSH_CONFIG: sshd.configFile });
  remote = executors.of(sshd.destination);
});
afterEach(async () => {
  await executors[Symbol.asyncDispose]();
  await rm(desk, { recursive: true });
});

const at = (name: string) => join(desk, name);

describeElsewhere("another machine", {
  executor: () => remote,
  guard: () => `ssh -M .*${sshd.destination}`,
});

it("runs many at the same time", async () => {
  const all = await Promise.all(
    Array.from({ length: 40 }, (_, index) => run(remote, pipe(sh(`sleep 0.05; echo ${index} $SSH_CONNECTION`)))),
  );
  expect(all.map(({ stdout }) => Number(stdout.split(" ")[0]))).toEqual(all.map((_, index) => index));
  expect(new Set(all.map(({ stdout }) => stdout.split(" ")[2])).size).toBe(1);
});

it("does not wait for a server that a program has started, whatever the pipeline merges", async () => {
  const starts = sh("sleep 30 </dev/null >/dev/null 2>&1 & echo started");
  const began = Date.now();
  for (const mergeStderr of [false, true])
    expect((await run(remote, pipe({ ...starts, mergeStderr }, { argv: ["cat"] }))).stdout).toBe("started\n");
  expect(Date.now() - began).toBeLessThan(10_000);
});

describe("a connection that is lost in the middle", () => {
  it("does not end a stranger that has got the number of a dead command", async () => {
    const stranger = spawn("sleep", ["300"], { detached: true, stdio: "ignore" });
    const folder = execFileSync("mktemp", ["-d", "/run/ipai-0.XXXXXXXX"], { encoding: "utf8" }).trim();
    await writeFile(join(folder, "0123456789abcdef.group"), `${stranger.pid} 1\n`);
    execFileSync("touch", ["-d", "1 hour ago", join(folder, "alive")]);
    expect((await run(remote, pipe(sh("echo here")))).stdout).toBe("here\n");
    expect([existsSync(folder), stranger.exitCode, stranger.signalCode]).toEqual([false, null, null]);
    stranger.kill("SIGKILL");
  });

  it("ends what runs there when this program is killed", async () => {
    const fixture = join(import.meta.dirname, "../../harness/ssh-parent.ts");
    const script = `${process.execPath} --disable-warning=ExperimentalWarning ${fixture} ${sshd.destination} ${sshd.configFile} ${at("e")} & pid=$!
      until [ -e ${at("e")} ]; do sleep 0.05; done; kill -KILL $pid`;
    execFileSync("bash", ["-c", script]);
    await until("nothing runs", async () => processesWith(`MARK=${at("e")}`).length === 0, 5000);
  });
});

describe("a host is not worked on", () => {
  const refusedBy = async (change: (config: string) => string, destination = sshd.destination) => {
    const file = at("ssh_config");
    await writeFile(file, change(await readFile(sshd.configFile, "utf8")));
    await using others = new Executors({ IPAI_SSH_CONFIG: file });
    const code = await codeOf(run(others.of(destination), pipe({ argv: ["touch", at("touched")] })));
    expect(existsSync(at("touched"))).toBe(false);
    return code;
  };

  it("whose key nobody knows", async () => {
    const noKey = (config: string) =>
      config.replace(/UserKnownHostsFile .*/, "UserKnownHostsFile /dev/null\n  StrictHostKeyChecking no");
    expect(await refusedBy(noKey)).toBe("host.key_unknown");
  });

  it("that has another key", async () => {
    const known = await readFile(join(sshd.folder, "known_hosts"), "utf8");
    const other = (await readFile(join(sshd.folder, "client.pub"), "utf8")).split(" ")[1] as string;
    await writeFile(at("known"), known.replaceAll(/AAAA\S+/g, other));
    expect(
      await refusedBy((config) => config.replace(/UserKnownHostsFile .*/, `UserKnownHostsFile ${at("known")}`)),
    ).toBe("host.key_changed");
  });

  it("that does not know our key", async () => {
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", at("other")]);
    expect(await refusedBy((config) => config.replace(/IdentityFile .*/, `IdentityFile ${at("other")}`))).toBe(
      "host.login_refused",
    );
  });

  it("for which there is no key here", async () => {
    expect(await refusedBy((config) => config.replace(/IdentityFile .*/, `IdentityFile ${at("missing")}`))).toBe(
      "host.login_refused",
    );
  });

  it("where nothing listens, or that has no name", async () => {
    expect(await refusedBy((config) => config, "ssh://root@127.0.0.1:1")).toBe("host.unreachable");
    expect(await refusedBy((config) => config, "ssh://root@no-such-host.invalid")).toBe("host.unreachable");
  });
});

it("an alias and a jump of the user's own configuration count", async () => {
  const port = new URL(sshd.destination).port;
  const config = await readFile(sshd.configFile, "utf8");
  await writeFile(
    at("ssh_config"),
    `Host jump erp\n  HostName 127.0.0.1\n  Port ${port}\n  User root\nHost erp\n  ProxyJump jump\n${config}`,
  );
  await copyFile(join(sshd.folder, "known_hosts"), at("known"));
  await using others = new Executors({ IPAI_SSH_CONFIG: at("ssh_config") });
  expect((await run(others.of("ssh://erp"), pipe(sh("id -un")))).stdout).toBe("root\n");
});
