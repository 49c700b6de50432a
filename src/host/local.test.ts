import { spawn, spawnSync } from "node:child_process";
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline as pipeStreams } from "node:stream/promises";
import { afterAll, describe, expect, it, vi } from "vitest";
import { Secret } from "../config/secret.ts";
import type { IpaiError } from "../errors/error.ts";
import type { CommandResult, Pipeline, ResolvedCommand, RunOptions } from "./executor.ts";
import { killMarked, listMarked, markName } from "./fixtures/processes.ts";
import { LocalExecutor } from "./local.ts";

const folder = mkdtempSync(join(tmpdir(), "ipai-host-"));
afterAll(() => rmSync(folder, { recursive: true }));
const executor = new LocalExecutor({ graceMs: 300 });

describe("a command", () => {
  it("gives its output, its exit code and the time it took", async () => {
    const result = await runShell("echo out; echo err >&2; exit 3");
    expect(result).toMatchObject({ stdout: "out\n", stderr: "err\n", exitCode: 3, exitCodes: [3], truncated: false });
    expect(result.seconds).toBeGreaterThan(0);
  });

  it("may print nothing", async () => {
    expect(await run([command("true")])).toMatchObject({ stdout: "", stderr: "", exitCode: 0 });
  });

  it("says which signal ended it", async () => {
    expect(await runShell("kill -USR1 $$")).toMatchObject({ exitCode: 138, signal: "SIGUSR1" });
  });

  it("gets arguments as they are, without a shell between", async () => {
    const args = ["$HOME", "a b", "", "'\"\\", "*", "-n", "zeile\nzwei", "ü😀"];
    expect((await run([command("printf", "%s\\0", ...args)])).stdout).toBe(args.map((arg) => `${arg}\0`).join(""));
  });

  it("sees a small environment that is the same for everybody, and no descriptor that another child would not see", async () => {
    process.env["IPAI_LEAK"] = "leak";
    const { stdout } = await run([command("env")]);
    const names = stdout
      .trim()
      .split("\n")
      .map((line) => line.split("=")[0]);
    expect(names.filter((name) => name !== "PWD").sort()).toEqual(["HOME", "LANG", "LC_ALL", "PATH", "TZ"]);
    const list = ["-c", "ls /proc/self/fd"];
    expect((await run([command("sh", ...list)])).stdout).toBe(spawnSync("sh", list).stdout.toString());
    expect((await runShell("pwd; date +%Z; ls /nowhere || :")).stdout).toBe("/\nUTC\n");
    expect((await runShell("ls /nowhere || :")).stderr).toContain("No such file or directory");
  });

  it("can open its standard streams by name", async () => {
    const result = await runShell("echo out >/dev/stdout; echo err >/dev/stderr");
    expect(result).toMatchObject({ stdout: "out\n", stderr: "err\n", exitCode: 0 });
  });

  it("has no terminal to ask for a password on", async () => {
    expect((await runShell("echo hi >/dev/tty")).exitCode).not.toBe(0);
  });

  it("may wait for all its children without waiting for the guard", async () => {
    const script = "import os\ntry:\n  while True: os.wait()\nexcept ChildProcessError: print('none')";
    expect((await run([command("python3", "-c", script)])).stdout).toBe("none\n");
  });
});

describe("standard input", () => {
  it("is empty when nothing is given", async () => {
    expect((await run([command("wc", "-c")])).stdout.trim()).toBe("0");
    expect((await run([{ ...command("wc", "-c"), stdin: "" }])).stdout.trim()).toBe("0");
  });

  it("may be a secret, as may a variable", async () => {
    const result = await run([
      {
        argv: ["sh", "-c", 'cat; printf %s "$KEY"'],
        env: { KEY: new Secret("two") },
        stdin: new Secret("one "),
        mergeStderr: false,
      },
    ]);
    expect(result.stdout).toBe("one two");
  });

  it("may be long", async () => {
    const stdin = "0123456789".repeat(1_000_000);
    expect((await run([{ ...command("wc", "-c"), stdin }])).stdout.trim()).toBe("10000000");
  });

  it("need not be read", async () => {
    const stdin = "x".repeat(5_000_000);
    expect(await run([{ ...command("true"), stdin }])).toMatchObject({ exitCode: 0 });
    expect(await run([{ ...command("head", "-c", "3"), stdin }])).toMatchObject({ exitCode: 0, stdout: "xxx" });
  });
});

describe("a pipeline", () => {
  it("fails with the last part that failed, as bash with pipefail does", async () => {
    const scripts = [
      ["true", "true", "true"],
      ["exit 3", "cat", "cat"],
      ["exit 3", "exit 4", "cat"],
      ["true", "exit 4", "cat >/dev/null; exit 5"],
      ["yes", "head -n 1"],
      ["yes", "true", "cat"],
      ["kill -9 $$", "cat"],
    ];
    for (const parts of scripts) {
      const bash = spawnSync("bash", ["-c", `set -o pipefail; ${parts.map((part) => `sh -c '${part}'`).join(" | ")}`]);
      const result = await run(parts.map((part) => command("sh", "-c", part)) as unknown as Pipeline);
      expect([parts, result.exitCode]).toEqual([parts, bash.status]);
      expect(result.exitCodes).toHaveLength(parts.length);
    }
  });

  it("ends a writer that nobody reads with SIGPIPE", async () => {
    const result = await run([command("yes"), command("head", "-n", "1")]);
    expect(result).toMatchObject({ stdout: "y\n", stderr: "", exitCodes: [141, 0], exitCode: 141, signal: "SIGPIPE" });
  });

  it("sends standard error down where asked, and else collects it", async () => {
    const noisy = command("sh", "-c", "echo err >&2; echo out");
    expect(await run([{ ...noisy, mergeStderr: true }, command("sort")])).toMatchObject({
      stdout: "err\nout\n",
      stderr: "",
    });
    expect(await run([noisy, command("sort")])).toMatchObject({ stdout: "out\n", stderr: "err\n" });
    expect(await run([{ ...noisy, mergeStderr: true }])).toMatchObject({ stdout: "err\nout\n", stderr: "" });
  });

  it("lets a part with an input of its own ignore the one before", async () => {
    expect((await run([command("echo", "a"), { ...command("cat"), stdin: "b" }])).stdout).toBe("b");
  });

  it("keeps each part's environment to itself", async () => {
    const show = (env: Record<string, string>): ResolvedCommand => ({
      argv: ["sh", "-c", 'cat; echo "${A-no} ${B-no}"'],
      env,
      mergeStderr: false,
    });
    expect((await run([show({ A: "1" }), show({ B: "2" })])).stdout).toBe("1 no\nno 2\n");
  });

  it("carries 200 MB of binary data through three parts unchanged", { timeout: 60_000 }, async () => {
    const file = join(folder, "data");
    const block = randomBytes(20 * 1024 * 1024);
    for (let index = 0; index < 10; index += 1) writeFileSync(file, block, { flag: "a" });
    const hash = createHash("sha256");
    await pipeStreams(createReadStream(file), hash);
    const result = await run([command("cat", file), command("cat"), command("sha256sum")], { timeoutMs: 60_000 });
    expect(result).toMatchObject({ stdout: `${hash.digest("hex")}  -\n`, exitCode: 0 });
  });
});

describe("output", () => {
  it("is kept up to 32 MiB and read to the end", async () => {
    const result = await run([command("head", "-c", "40000000", "/dev/zero")]);
    expect(result).toMatchObject({ exitCode: 0, truncated: true });
    expect(result.stdout).toHaveLength(32 * 1024 * 1024);
  });

  it("of standard error is the last 256 KiB", async () => {
    const result = await runShell("head -c 1000000 /dev/zero >&2; echo end >&2");
    expect(result.truncated).toBe(false);
    expect(result.stderr).toHaveLength(256 * 1024);
    expect(result.stderr.endsWith("\0end\n")).toBe(true);
  });

  it("comes line by line while the command runs", async () => {
    const lines: string[] = [];
    const gate = join(folder, "gate");
    spawnSync("mkfifo", [gate]);
    const done = run([command("sh", "-c", `printf 'one\\ntw'; cat ${gate}; printf 'o\\r\\n\\nthree'; echo err >&2`)], {
      onLine: (line, stream) => lines.push(`${stream}: ${line}`),
    });
    await vi.waitFor(() => expect(lines).toEqual(["stdout: one"]));
    writeFileSync(gate, "");
    await done;
    expect(lines.filter((line) => line.startsWith("stdout"))).toEqual([
      "stdout: one",
      "stdout: two",
      "stdout: ",
      "stdout: three",
    ]);
    expect(lines).toContain("stderr: err");
  });

  it("loses the rest of lines over 8 KiB, and tolerates what is not UTF-8", async () => {
    const lines: string[] = [];
    await runShell(`head -c 20000 /dev/zero | tr '\\0' a; echo; printf '\\377x\\n'`, {
      onLine: (line) => lines.push(line),
    });
    expect(lines).toEqual(["a".repeat(8192), "\uFFFDx"]);
  });
});

describe("what cannot be started", () => {
  it("is a typed error", async () => {
    const file = join(folder, "plain");
    writeFileSync(file, "");
    expect(await failure(run([command("no-such-program")]))).toMatchObject({
      code: "host.program_not_found",
      details: { program: "no-such-program" },
    });
    expect(await failure(run([command("no-such-program"), command("cat")]))).toMatchObject({
      code: "host.program_not_found",
    });
    expect(await failure(run([{ ...command("no-such-program"), mergeStderr: true }]))).toMatchObject({
      code: "host.program_not_found",
    });
    expect(await failure(run([command("/nowhere/x")]))).toMatchObject({ code: "host.program_not_found" });
    expect(await failure(run([command(file)]))).toMatchObject({ code: "host.permission_denied" });
    expect(await failure(run([command(folder)]))).toMatchObject({ code: "host.permission_denied" });
    expect(await failure(run([command("echo", "x".repeat(200_000))]))).toMatchObject({ code: "host.start_failed" });
    const nul: ResolvedCommand = { ...command("true"), env: { A: new Secret("hush\0hush") } };
    expect((await failure(run([command("sleep", "300"), nul]))).message).toBe(
      "true could not be started: an argument or an environment variable contains a NUL byte. Nothing was run.",
    );
    expect(await failure(run([{ ...command("true"), env: { "A.B": "1" } }]))).toMatchObject({
      code: "host.start_failed",
    });
  });

  it("is told from a program that itself answers 126 or 127", async () => {
    expect(await runShell("exit 127")).toMatchObject({ exitCode: 127 });
    expect(await runShell("exit 126")).toMatchObject({ exitCode: 126 });
  });

  it("leaves no descriptor open", async () => {
    const count = () => Number(spawnSync("sh", ["-c", `ls /proc/${process.pid}/fd | wc -l`]).stdout);
    await run([command("true")]);
    const before = count();
    for (let index = 0; index < 40; index += 1) {
      await run([command("true"), { ...command("cat"), stdin: "x" }]);
      await failure(run([command("true"), command("echo", "x".repeat(200_000))]));
    }
    // Pipes are made 32 at a time.
    await vi.waitFor(() => expect(count()).toBeLessThan(before + 33));
  });
});

describe("stopping", () => {
  it("ends a command and its grandchildren after the timeout", async () => {
    const mark = randomUUID();
    const lines: string[] = [];
    const error = await failure(
      runShell("sleep 300 & echo started >&2; sleep 300", { timeoutMs: 200, onLine: (line) => lines.push(line) }, mark),
    );
    expect(error).toMatchObject({ code: "host.timeout", details: { program: "sh", seconds: 0.2, output: "started" } });
    expect(lines).toEqual(["started"]);
    await noneLeft(mark);
  });

  it("kills a command that does not heed SIGTERM", async () => {
    const mark = randomUUID();
    const error = await failure(runShell("trap '' TERM; sleep 300 & sleep 300", { timeoutMs: 100 }, mark));
    expect(error.code).toBe("host.timeout");
    await noneLeft(mark);
  });

  it("lets a command clean up", async () => {
    const lines: string[] = [];
    const stop = new AbortController();
    const error = await failure(
      runShell("trap 'echo cleaned; exit 0' TERM; echo ready; while :; do sleep 0.01; done", {
        signal: stop.signal,
        onLine: (line) => {
          lines.push(line);
          if (line === "ready") stop.abort();
        },
      }),
    );
    expect(error.code).toBe("host.cancelled");
    expect(lines).toContain("cleaned");
  });

  it("ends every part of a pipeline on abort", async () => {
    const mark = randomUUID();
    const stop = new AbortController();
    const sleep: ResolvedCommand = { ...command("sh", "-c", "sleep 300 & sleep 300"), env: { [markName]: mark } };
    const done = run([sleep, sleep, sleep], { signal: stop.signal, onSpawn: () => stop.abort() });
    expect((await failure(done)).code).toBe("host.cancelled");
    await noneLeft(mark);
  });

  it("starts nothing when it was asked for before", async () => {
    const error = await failure(run([command("touch", join(folder, "touched"))], { signal: AbortSignal.abort() }));
    expect(error.code).toBe("host.cancelled");
    expect(spawnSync("ls", [folder]).stdout.toString()).not.toContain("touched");
  });

  it("kills everything when the caller fails", async () => {
    const mark = randomUUID();
    const done = runShell(
      "sleep 300",
      {
        onSpawn: () => {
          throw new Error("caller");
        },
      },
      mark,
    );
    await expect(done).rejects.toThrow("caller");
    await noneLeft(mark);
  });
});

describe("what a command leaves behind", () => {
  it("is ended with it", async () => {
    const mark = randomUUID();
    expect(await runShell("sleep 300 & echo done", {}, mark)).toMatchObject({ stdout: "done\n", exitCode: 0 });
    await noneLeft(mark);
  });

  it("is ended with it whatever its environment says", async () => {
    const mark = randomUUID();
    const env = { [markName]: mark, PATH: "/nowhere", IFS: "KILL", ENV: "/nowhere", PS1: "" };
    const argv = ["/bin/sh", "-c", "/bin/sleep 300 & echo done"] as const;
    expect(await run([{ argv, env, mergeStderr: false }])).toMatchObject({ stdout: "done\n", stderr: "" });
    await noneLeft(mark);
  });

  it("survives when it is a daemon, even if it forks at the last moment or holds the pipes", async () => {
    const daemons = [
      command(
        "start-stop-daemon",
        "--start",
        "--background",
        "--pidfile",
        join(folder, "pid"),
        "--exec",
        "/bin/sleep",
        "--",
        "300",
      ),
      command("setsid", "--fork", "sleep", "300"),
    ];
    for (const daemon of daemons) {
      const mark = randomUUID();
      try {
        const results = await Promise.all(
          Array.from({ length: 8 }, () => run([{ ...daemon, env: { [markName]: mark } }])),
        );
        expect(results.map((result) => result.exitCode)).toContain(0);
        const started = results.filter((result) => result.exitCode === 0).length;
        // Until only the daemons are left: the guards have then done their work.
        await vi.waitFor(() => expect(listMarked(mark)).toHaveLength(started), { timeout: 5000 });
      } finally {
        killMarked(mark);
      }
    }
  });

  it("does not outlive this program when that is killed with SIGKILL", { timeout: 60_000 }, async () => {
    for (const count of [1, 1, 1, 20, 20, 20]) {
      const mark = randomUUID();
      const parent = spawn(process.execPath, [join(import.meta.dirname, "fixtures/parent.ts"), mark, String(count)], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      await once(parent.stdout, "data");
      if (count === 1) await vi.waitFor(() => expect(listMarked(mark).length).toBeGreaterThanOrEqual(3));
      parent.kill("SIGKILL");
      await once(parent, "exit");
      await noneLeft(mark);
    }
  });
});

function command(program: string, ...args: string[]): ResolvedCommand {
  return { argv: [program, ...args], env: {}, mergeStderr: false };
}

function run(pipeline: Pipeline, options: Partial<RunOptions> = {}): Promise<CommandResult> {
  return executor.run(pipeline, { signal: new AbortController().signal, timeoutMs: 20_000, ...options });
}

function runShell(script: string, options: Partial<RunOptions> = {}, mark = ""): Promise<CommandResult> {
  return run([{ argv: ["sh", "-c", script], env: { [markName]: mark }, mergeStderr: false }], options);
}

async function failure(promise: Promise<unknown>): Promise<IpaiError> {
  return (await promise.then(
    () => expect.fail("It should have failed"),
    (thrown: unknown) => thrown,
  )) as IpaiError;
}

async function noneLeft(mark: string): Promise<void> {
  await vi.waitFor(() => expect(listMarked(mark)).toEqual([]), { timeout: 5000 });
}
