import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { Secret } from "../config/secret.ts";
import { defineError, type IpaiError } from "../errors/error.ts";
import { type Action, command, type HttpAction, type Probe } from "../runbook/action.ts";
import { join, output, runId, secret } from "../runbook/value.ts";
import { DryRunExecutor } from "./dry-run.ts";
import { LocalExecutor } from "./local.ts";
import { type CallFunction, createPerformer, type PerformOptions } from "./perform.ts";
import type { Scope } from "./resolve.ts";

const password = 'pa\'ss "w√rd"/%+?';
const outputs: Record<string, string | number | null | string[]> = {
  "size.bytes": 42,
  "db.name": "odoo",
  "old.path": null,
  "modules.list": ["a"],
};
const scope: Scope = {
  run: { id: "run_7", startedAt: "2026-01-02T03:04:05Z" },
  output: (step, name) => outputs[`${step}.${name}`],
  secret: () => new Secret(password),
};
const calls = new Map<string, CallFunction>();
const performer = createPerformer({
  executors: () => new LocalExecutor({ graceMs: 300 }),
  calls: { get: (name, version) => calls.get(`${name}@${version}`) },
});

const DumpFailed = defineError<{ program: string; exitCode: number; output: string }>("test.dump_failed", {
  exitCode: 40,
  message: (d) => `${d.program} ended with ${d.exitCode}.`,
  hint: () => "This is a test.",
});

describe("references", () => {
  it("become what was recorded", async () => {
    const action = command(
      "local",
      [
        "printf",
        "%s|",
        output("size", "bytes"),
        output("modules", "list"),
        join("dump-", runId, ".", output("db", "name")),
      ],
      {
        env: { STARTED: { ref: "run", field: "startedAt" } },
      },
    );
    expect((await perform(action)).stdout).toBe('42|["a"]|dump-run_7.odoo|');
  });

  it("to nothing are a typed error", async () => {
    for (const missing of [output("gone", "x"), output("old", "path")])
      expect(await failure(command("local", ["echo", missing]))).toMatchObject({ code: "host.missing_output" });
  });
});

describe("exit codes", () => {
  it("that are no answer are errors that say what was printed", async () => {
    const lines = Array.from({ length: 30 }, (_, index) => `echo line${index} >&2`).join("; ");
    const error = await failure(shell(`${lines}; exit 4`));
    expect(error).toMatchObject({ code: "host.command_failed", details: { program: "sh", exitCode: 4 } });
    expect(error.message).toBe("sh failed with exit code 4. It said: line29");
    expect((error.details as { output: string }).output.split("\n")).toHaveLength(20);
  });

  it("may be answers", async () => {
    const action = command("local", ["sh", "-c", "exit 1"], { okExitCodes: [0, 1] });
    expect(await perform(action)).toMatchObject({ exitCode: 1 });
  });

  it("may have a meaning in the catalogue", async () => {
    const action = command("local", ["sh", "-c", "echo broken; exit 3"], { exitCodes: { 3: "test.dump_failed" } });
    const error = await failure(action);
    expect(error).toMatchObject({ code: DumpFailed.code, details: { program: "sh", exitCode: 3, output: "broken" } });
  });

  it("without a meaning mean a full disk when that is what was said", async () => {
    const script = "echo 'tee: /srv/log: No space left on device' >&2; exit 3";
    const action = (exitCodes: Readonly<Record<number, string>>) =>
      command("local", ["sh", "-c", script], { exitCodes });
    const error = await failure(action({}));
    expect(error.code).toBe("host.disk_full");
    expect(error.message).toBe("A disk ran full. It said: tee: /srv/log: No space left on device");
    expect(await failure(action({ 3: "test.dump_failed" }))).toMatchObject({ code: DumpFailed.code });
  });

  it("name the program of a pipeline that failed", async () => {
    const action: Action = { kind: "command", host: "local", pipeline: [{ argv: ["false"] }, { argv: ["cat"] }] };
    expect(await failure(action)).toMatchObject({ details: { program: "false", exitCode: 1 } });
  });

  it("of killed programs name the signal", async () => {
    expect((await failure(shell("kill -KILL $$"))).message).toBe("sh was ended by SIGKILL (exit code 137).");
  });
});

describe("secrets", () => {
  it("reach the program and show nowhere", async () => {
    const lines: string[] = [];
    const script = 'cat; echo; echo "key=$KEY"; echo "$KEY" >&2; exit "$1"';
    const action = (exitCode: string) =>
      command("local", ["sh", "-c", script, "sh", exitCode], { env: { KEY: secret("key") }, stdin: secret("key") });
    const result = await perform(action("0"), { onLine: (line) => lines.push(line) });
    expect(result).toMatchObject({ stdout: "[secret]\nkey=[secret]\n", stderr: "[secret]\n" });
    expect(lines.sort()).toEqual(["[secret]", "[secret]", "key=[secret]"]);
    const error = await failure(action("9"));
    expect(error).toMatchObject({ code: "host.command_failed", details: { output: "[secret]" } });
    expect(error.message).not.toContain(password);
  });

  it("show nowhere when they are encoded, cut, or part of a timeout", async () => {
    const env = { KEY: secret("key") };
    const encoded = encodeURIComponent(password);
    const result = await perform(command("local", ["printf", "%s", `postgres://odoo:${encoded}@db`], { env }));
    expect(result.stdout).toBe("postgres://odoo:[secret]@db");
    const lines: string[] = [];
    const long = command("local", ["sh", "-c", 'head -c 8180 /dev/zero | tr "\\0" x; echo "$KEY"'], { env });
    await perform(long, { onLine: (line) => lines.push(line) });
    expect(lines).toEqual([`${"x".repeat(8180)}[secret]`]);
    const slow = command("local", ["sh", "-c", 'echo "$KEY" >&2; sleep 300'], { env });
    const error = await failure(slow, { timeoutMs: 300 });
    expect(error).toMatchObject({ code: "host.timeout", details: { output: "[secret]" } });
  });

  it("of a call show neither in its result nor in its error", async () => {
    calls.set("leak@1", async (_input, context) => ({ list: [context.scope.secret("key").reveal()] }));
    calls.set("fail@1", async (_input, context) => {
      throw new Error(`cannot log in with ${context.scope.secret("key").reveal()}`);
    });
    expect((await perform(call("leak"))).result).toEqual({ list: ["[secret]"] });
    const error = await failure(call("fail"));
    expect(error).toMatchObject({ code: "internal.bug" });
    expect(error.cause).toBeUndefined();
    expect(error.message).toContain("cannot log in with [secret]");
    expect(error.message).not.toContain(password);
  });
});

describe("a call", () => {
  it("gets its input resolved, with types kept", async () => {
    calls.set("echo@1", async (input) => input);
    const input = { bytes: output("size", "bytes"), name: join("x-", runId), plain: { a: [1, null] }, list: ["x"] };
    expect((await perform(call("echo", input))).result).toEqual({
      bytes: 42,
      name: "x-run_7",
      plain: { a: [1, null] },
      list: ["x"],
    });
  });

  it("must exist in the version that the plan names", async () => {
    expect(await failure({ kind: "call", name: "echo", version: 2, input: {} })).toMatchObject({
      code: "host.unknown_call",
    });
  });

  it("is left behind when it does not heed its signal", async () => {
    calls.set("hang@1", () => new Promise(() => {}));
    expect(await failure(call("hang"), { timeoutMs: 20 })).toMatchObject({ code: "host.timeout" });
    const stop = new AbortController();
    const error = failure(call("hang"), { signal: stop.signal, onSpawn: () => stop.abort() });
    expect(await error).toMatchObject({ code: "host.cancelled" });
  });

  it("that fails keeps its own error", async () => {
    calls.set("typed@1", async () => {
      throw DumpFailed({ program: "x", exitCode: 1, output: "" });
    });
    expect(await failure(call("typed"))).toMatchObject({ code: "test.dump_failed" });
  });
});

describe("a write", () => {
  it("makes a whole file with its mode", async () => {
    const folder = mkdtempSync(joinPath(tmpdir(), "ipai-write-"));
    try {
      const path = joinPath(folder, "a b's.conf");
      await perform({
        kind: "write",
        host: "local",
        path,
        content: join("db = ", output("db", "name"), "\n"),
        mode: "0640",
      });
      expect(readFileSync(path, "utf8")).toBe("db = odoo\n");
      expect(statSync(path).mode & 0o777).toBe(0o640);
      expect(readdirSync(folder)).toHaveLength(1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("http", () => {
  const servers: (Server | TcpServer)[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  it("gives the status and the body, whatever the status is", async () => {
    const url = await listen(
      createServer((request, response) => {
        response.statusCode = request.headers["x-run"] === "run_7" ? 503 : 400;
        request.on("data", (chunk) => response.write(`got ${chunk}\n`)).on("end", () => response.end());
      }),
    );
    const action: HttpAction = { ...get(url), method: "POST", headers: { "X-Run": runId }, body: secret("key") };
    expect(await perform(action)).toMatchObject({ status: 503, body: "got [secret]\n", exitCode: 0 });
    expect(await perform(get(url))).toMatchObject({ status: 400, body: "" });
  });

  it("that gets no answer is a typed error", async () => {
    const refused = await listen(createTcpServer());
    await new Promise((resolve) => servers.pop()?.close(resolve));
    const dropped = await listen(createTcpServer((socket) => socket.destroy()));
    const silent = await listen(createTcpServer((socket) => socket.on("error", () => {}).unref()));
    expect(await failure(get(refused))).toMatchObject({
      code: "host.http_unreachable",
      details: { url: refused, exitCode: 7 },
    });
    expect(await failure(get(dropped))).toMatchObject({ code: "host.http_unreachable" });
    expect(await failure(get("http://no-such-name.invalid/"))).toMatchObject({ code: "host.http_unreachable" });
    expect(await failure({ ...get(silent), timeoutSeconds: 1 })).toMatchObject({
      code: "host.http_timeout",
      details: { url: silent, seconds: 1 },
    });
    expect(await failure(get("nonsense://x"))).toMatchObject({ code: "host.command_failed" });
  });

  async function listen(server: Server | TcpServer): Promise<string> {
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  function get(url: string): HttpAction {
    return { kind: "http", host: "local", method: "GET", url, timeoutSeconds: 5 };
  }
});

describe("a probe", () => {
  it("answers yes or no with what it saw", async () => {
    expect(await ask("echo 7", { compare: "ge", with: 5 })).toEqual({ answer: "yes", value: "7" });
    expect(await ask("echo 7", { compare: "le", with: 5 })).toEqual({ answer: "no", value: "7" });
    expect(await ask("echo odoo", { compare: "eq", with: output("db", "name") })).toEqual({
      answer: "yes",
      value: "odoo",
    });
  });

  it("answers unknown when it cannot be performed, read or compared", async () => {
    const cases: [string, Partial<Probe>, string][] = [
      ["exit 2", {}, "host.command_failed"],
      ["echo x", { output: { from: "stdout", as: "number" } }, "host.output_unreadable"],
      ["echo x", { compare: "le", with: 5 }, "host.output_unreadable"],
      ["echo x", { with: output("gone", "x") }, "host.missing_output"],
      ["echo x", { output: { from: "body" } }, "host.output_unreadable"],
      ["head -c 34000000 /dev/zero", {}, "host.output_too_large"],
    ];
    for (const [script, probe, code] of cases)
      expect(await ask(script, probe)).toMatchObject({ answer: "unknown", error: { code } });
    const absent: Probe = { ...probe("", {}), action: command("local", ["no-such-program"]) };
    expect(await performer.ask(absent, scope, options())).toMatchObject({ error: { code: "host.program_not_found" } });
  });
});

describe("a dry run", () => {
  it("performs nothing and shows the commands, without secrets", async () => {
    const shown: string[] = [];
    const dry = createPerformer({
      executors: () => new DryRunExecutor((shell) => shown.push(shell)),
      calls: { get: () => undefined },
    });
    const dump = { argv: ["pg_dump", output("db", "name")] as const, env: { PGPASSWORD: secret("database.password") } };
    const action: Action = { kind: "command", host: "local", pipeline: [dump, { argv: ["gzip"], mergeStderr: true }] };
    expect(await dry.perform(action, scope, options())).toMatchObject({ stdout: "", exitCode: 0 });
    const variable = '"${IPAI_SECRET_PGPASSWORD:?}"';
    expect(shown).toEqual([`: ${variable} && PGPASSWORD=${variable} pg_dump odoo </dev/null | gzip 2>&1`]);
    const http: Action = { kind: "http", host: "local", method: "GET", url: "http://x/", timeoutSeconds: 1 };
    expect((await dry.perform(http, scope, options())).status).toBeUndefined();
  });
});

function options(some: Partial<PerformOptions> = {}): PerformOptions {
  return { signal: new AbortController().signal, timeoutMs: 10_000, ...some };
}

function perform(action: Action, some: Partial<PerformOptions> = {}) {
  return performer.perform(action, scope, options(some));
}

async function failure(action: Action, some: Partial<PerformOptions> = {}): Promise<IpaiError> {
  return (await perform(action, some).then(
    () => expect.fail("It should have failed"),
    (thrown: unknown) => thrown,
  )) as IpaiError;
}

function shell(script: string): Action {
  return command("local", ["sh", "-c", script]);
}

function call(name: string, input: Extract<Action, { kind: "call" }>["input"] = {}): Action {
  return { kind: "call", name, version: 1, input };
}

function probe(script: string, some: Partial<Probe>): Probe {
  return { title: "test", action: shell(script), output: { from: "stdout" }, compare: "eq", with: "", ...some };
}

function ask(script: string, some: Partial<Probe>) {
  return performer.ask(probe(script, some), scope, options());
}
