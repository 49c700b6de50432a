import { execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Executors } from "../../../src/cli/executors.ts";
import { Secret } from "../../../src/config/secret.ts";
import type { CommandResult, Executor, Pipeline } from "../../../src/host/executor.ts";
import { LocalExecutor } from "../../../src/host/local.ts";
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

describe("a command on another machine does what it does on this one", () => {
  it.each<[string, Pipeline]>([
    ["that prints on both", pipe(sh("echo out; echo err >&2; printf 'no end'; printf 'nor here' >&2"))],
    ["that fails", pipe(sh("echo why >&2; exit 255"))],
    ["of several programs", pipe(sh("printf 'b\\na\\n'"), { argv: ["sort"] }, sh("cat; exit 3"), { argv: ["tac"] })],
    ["that mixes its outputs", pipe(sh("echo one; echo two >&2", { mergeStderr: true }), { argv: ["cat"] })],
    ["that reads nothing", pipe({ argv: ["cat"] })],
    ["with input", pipe({ argv: ["cat"], stdin: 'it\'s  "odd" $HOME `x` \\\n\t é\u0007\n\nno end' })],
    ["with input in the middle", pipe({ argv: ["true"] }, { argv: ["cat"], stdin: "kept\n" })],
    ["with a long input", pipe({ argv: ["sha256sum"], stdin: "0123456789abcdef\n".repeat(200_000) })],
    ["with odd arguments", pipe({ argv: ["printf", "[%s]", "", "a b", "it's", "$(x)", "\u0001", "-n", "é\n"] })],
    ["with variables", pipe(sh('printf %s "$A|$B|$PATH|$LANG|$TZ"; pwd', { env: { A: "a 'b'", B: new Secret("s") } }))],
    ["whose program has an odd name", pipe({ argv: ["a=b"] })],
    ["that is ended by a signal", pipe(sh("kill -TERM $$"))],
    ["that answers 127 by itself", pipe(sh("exit 127"))],
    ["that prints much", pipe(sh("seq 30000 | tee /dev/stderr"))],
  ])("%s", async (_, pipeline) => {
    const [here, there] = await Promise.all([
      run(new LocalExecutor(), pipeline).catch((error: unknown) => error),
      run(remote, pipeline).catch((error: unknown) => error),
    ]);
    if (here instanceof Error) return expect(there).toMatchObject({ code: (here as { code?: string }).code });
    expect({ ...(there as CommandResult), seconds: 0 }).toEqual({ ...(here as CommandResult), seconds: 0 });
  });

  it("tells every line as it comes, and when it has begun", async () => {
    const heard: string[] = [];
    const pipeline = pipe(sh("echo one; echo two >&2; sleep 0.2; echo three"));
    await run(remote, pipeline, {
      onSpawn: () => heard.push("begun"),
      onLine: (line, stream) => heard.push(`${stream} ${line}`),
    });
    expect([heard[0], heard.toSorted()]).toEqual(["begun", ["begun", "stderr two", "stdout one", "stdout three"]]);
  });

  it.each([
    ["that is not there", "no-such-program", "host.program_not_found"],
    ["that is no program", "/etc/passwd", "host.permission_denied"],
  ])("says so of a program %s", async (_, program, code) => {
    expect(await codeOf(run(remote, pipe({ argv: [program] })))).toBe(code);
    expect(await codeOf(run(new LocalExecutor(), pipe({ argv: [program] })))).toBe(code);
  });

  it("runs many at the same time, on one connection", async () => {
    const all = await Promise.all(
      Array.from({ length: 40 }, (_, index) => run(remote, pipe(sh(`sleep 0.05; echo ${index} $SSH_CONNECTION`)))),
    );
    expect(all.map(({ stdout }) => Number(stdout.split(" ")[0]))).toEqual(all.map((_, index) => index));
    expect(new Set(all.map(({ stdout }) => stdout.split(" ")[2])).size).toBe(1);
  });

  it("shows no secret to whoever lists the processes, on either side", async () => {
    const secret = new Secret("hunter2secret");
    const ended = await run(
      remote,
      pipe(
        sh('cat >/dev/null; for f in /proc/[0-9]*/cmdline; do tr "\\0" " " <"$f"; echo; done 2>/dev/null', {
          env: { KEY: secret },
          stdin: secret,
        }),
      ),
    );
    expect(ended.stdout).toContain("sshd");
    expect(ended.stdout).not.toContain("hunter2secret");
  });
});

describe("a command that is stopped", () => {
  const stubborn = (mark: string) => pipe(sh("trap '' TERM; sleep 300 & sleep 300", { env: { MARK: mark } }));

  it("because it takes too long ends there too, with what it had started", async () => {
    const ended = run(remote, pipe(sh("echo why >&2; sleep 300 & sleep 300", { env: { MARK: at("a") } })), {
      timeoutMs: 700,
    });
    await expect(ended).rejects.toMatchObject({ code: "host.timeout", details: { output: "why" } });
    expect(processesWith(at("a"))).toEqual([]);
  });

  it("because a person asked for it, though it does not listen", async () => {
    const stop = new AbortController();
    const ended = codeOf(
      run(remote, stubborn(at("b")), { signal: stop.signal, onSpawn: () => setTimeout(() => stop.abort(), 300) }),
    );
    expect(await ended).toBe("host.cancelled");
    expect(processesWith(at("b"))).toEqual([]);
  });

  it("leaves daemons, and nothing else", async () => {
    await run(
      remote,
      pipe(sh("sleep 300 >/dev/null 2>&1 & setsid sleep 300 >/dev/null 2>&1 & echo", { env: { MARK: at("c") } })),
    );
    await until("one is left", async () => processesWith(at("c")).length === 1, 3000);
    for (const pid of processesWith(at("c"))) process.kill(Number(pid), "SIGKILL");
  });
});

describe("a connection that is lost in the middle", () => {
  it("is an error that leaves open what happened; the next one begins when nothing of it runs any more", async () => {
    const started = Promise.withResolvers<void>();
    const lost = codeOf(
      run(remote, pipe(sh("sleep 300", { env: { MARK: at("d") } })), { onSpawn: () => started.resolve() }),
    );
    await started.promise;
    execFileSync("pkill", ["-KILL", "-f", `ssh -M .*${sshd.destination}`]);
    expect(await lost).toBe("host.connection_lost");
    const next = await run(
      remote,
      pipe(sh(`cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -c 'MARK=${at("d")}$'; true`)),
    );
    expect(next.stdout.trim()).toBe("0");
  });

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
