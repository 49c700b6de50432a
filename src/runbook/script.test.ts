import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import fc from "fast-check";
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type Action, command, type Output, type Probe } from "./action.ts";
import { actOf, bracketOf, planOf, waitOf } from "./fixtures/plans.ts";
import { runScript, type ScriptOptions } from "./fixtures/scripts.ts";
import type { Act, Plan, Step } from "./plan.ts";
import { join, output, runId, secret } from "./value.ts";

/**
 * The script is run by a real bash, without a terminal unless a test gives it one, and the world is looked at: every act of these
 * plans writes what it did into one file. That the engine does the same with the same plan is a component test.
 */
vi.setConfig({ testTimeout: 60_000 });
const base = mkdtempSync(joinPath(tmpdir(), "ipai-script-"));
afterAll(() => rmSync(base, { recursive: true }));
let folder: string;
let effects: string;

beforeEach(() => {
  folder = mkdtempSync(joinPath(base, "world-"));
  effects = path("effects");
  writeFileSync(effects, "");
});

function path(name: string): string {
  return joinPath(folder, name);
}

function done(): readonly string[] {
  return readFileSync(effects, "utf8").split("\n").slice(0, -1);
}

function shell(script: string, ...args: readonly string[]): Action {
  return command("local", ["sh", "-euc", script, "sh", effects, ...args]);
}

function exists(name: string): Probe {
  return {
    title: `${name} exists`,
    action: command("local", ["test", "-e", path(name)], { okExitCodes: [0, 1] }),
    output: { from: "exitCode", as: "number" },
    compare: "eq",
    with: 0,
  };
}

/** Does something and writes that it did; taken back, it writes that too. */
function act(id: string, options: Partial<Act> = {}): Act {
  return actOf(id, {
    effect: "change",
    action: shell('echo "$2" >> "$1"', id),
    verify: [exists("effects")],
    undo: [actOf(`undo ${id}`, { action: shell('echo "$2" >> "$1"', `undo ${id}`) })],
    ...options,
  });
}

function edge(id: string, options: Partial<Act> = {}): Act {
  return act(id, { undo: "nothing", ...options });
}

/** Does its work and is then found not to have worked. */
function failing(id: string, options: Partial<Act> = {}): Act {
  return act(id, { verify: [exists("never")], ...options });
}

function run(steps: readonly Step[] | Plan, options: Omit<ScriptOptions, "folder"> = {}) {
  return runScript("steps" in steps ? steps : planOf(steps), { folder, ...options });
}

describe("a script whose steps succeed", () => {
  it("performs them in order, says what it does, and ends with 0", async () => {
    const ran = await run([act("a"), bracketOf("x", [act("b")], { open: [edge("open")], close: [edge("close")] })]);
    expect(ran).toEqual({
      status: 0,
      text: "→ Act a\n→ Act open\n→ Act b\n→ Act close\n✓ succeeded\n",
    });
    expect(done()).toEqual(["a", "open", "b", "close"]);
  });

  it("hands on what was recorded, whatever it contains", async () => {
    const text = 'it\'s  "odd" $HOME `x` \\ * \t é\nsecond line';
    const json = JSON.stringify({
      list: [{ a: "no" }, { a: text, n: 12.5, t: true, o: { b: [1] } }],
      nothing: null,
      end: "x\n",
    });
    const outputs = {
      text: { from: "stdout", as: "json", pick: ["list", -1, "a"] },
      number: { from: "stdout", as: "json", pick: ["list", 1, "n"] },
      truth: { from: "stdout", as: "json", pick: ["list", 1, "t"] },
      object: { from: "stdout", as: "json", pick: ["list", 1, "o"] },
      end: { from: "stdout", as: "json", pick: ["end"] },
    } as const;
    const names = Object.keys(outputs);
    const print = command("local", [
      "sh",
      "-c",
      'f=$1; shift; printf "%s|" "$@" > "$f"',
      "sh",
      path("out"),
      ...names.map((name) => output("read", name)),
    ]);
    const ran = await run([
      actOf("read", { action: command("local", ["cat"], { stdin: json }), outputs }),
      actOf("print", { action: print }),
    ]);
    expect(ran.status).toBe(0);
    expect(readFileSync(path("out"), "utf8")).toBe(`${text}|12.5|true|{"b":[1]}|x\n|`);
  });

  it("names the run as it is told, or by its instant", async () => {
    const print = actOf("print", {
      action: command("local", ["tee", path("out")], {
        stdin: join("run ", runId, " ", { ref: "run", field: "startedAt" }),
      }),
    });
    await run([print], { env: { run_id: "mine", run_started_at: "then" } });
    expect(readFileSync(path("out"), "utf8")).toBe("run mine then");
    await run([print]);
    expect(readFileSync(path("out"), "utf8")).toMatch(/^run \d{8}t\d{6}z_hand \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  });

  it("does not do what is already done", async () => {
    writeFileSync(path("made"), "");
    expect((await run([act("a", { done: exists("made") }), act("b", { done: exists("unmade") })])).status).toBe(0);
    expect(done()).toEqual(["b"]);
  });

  it("takes a conditional step only if true was recorded", async () => {
    const flags = actOf("flags", {
      action: command("local", ["echo", '{"yes": true, "no": false, "none": null}']),
      outputs: Object.fromEntries(
        ["yes", "no", "none"].map((name) => [name, { from: "stdout", as: "json", pick: [name] }]),
      ),
    });
    const steps = ["yes", "no", "none"].map((name) => act(name, { when: output("flags", name) }));
    const ran = await run([flags, ...steps, failing("end")]);
    expect([ran.status, done()]).toEqual([3, ["yes", "end", "undo end", "undo yes"]]);
  });

  it("leaves calls to ipai", async () => {
    const call: Action = { kind: "call", name: "backup.record", version: 1, input: { id: runId } };
    const ran = await run([act("call", { action: call, verify: [] })]);
    expect(ran.status).toBe(0);
    expect(ran.text).toContain("ipai enters this in its catalogue (backup.record)");
  });
});

describe("a step that fails", () => {
  it("is taken back first, then those before it, and the reason is said", async () => {
    const ran = await run([act("a"), act("b"), failing("c"), act("d")]);
    expect([ran.status, done()]).toEqual([3, ["a", "b", "c", "undo c", "undo b", "undo a"]]);
    expect(ran.text).toContain("✗ Act c: not as it should be: never exists (found: 1)");
    expect(ran.text).toContain("↶ failed, and everything was taken back");
  });

  it("fails by its exit code, unless that is an answer", async () => {
    const exit = (code: number) => command("local", ["sh", "-c", `exit ${code}`], { okExitCodes: [0, 2] });
    expect((await run([act("a", { action: exit(2) })])).status).toBe(0);
    const ran = await run([act("a", { action: exit(3) })]);
    expect([ran.status, done()]).toEqual([3, ["undo a"]]);
    expect(ran.text).toContain("✗ Act a: it ended with exit code 3");
  });

  it("fails when any program of a pipeline fails", async () => {
    const action: Action = { kind: "command", host: "local", pipeline: [{ argv: ["false"] }, { argv: ["cat"] }] };
    expect((await run([actOf("a", { action })])).status).toBe(4);
  });

  it("fails when it cannot be known whether it is done already", async () => {
    const cannot = { ...exists("x"), action: command("local", ["test", "-e", path("x")]) };
    const ran = await run([act("a", { done: cannot })]);
    expect([ran.status, done()]).toEqual([3, ["undo a"]]);
    expect(ran.text).toContain("could not find out: x exists (exit code 1: )");
  });

  it("that only read leaves nothing to take back", async () => {
    const ran = await run([actOf("a"), actOf("b", { verify: [exists("never")] })]);
    expect(ran.status).toBe(4);
    expect(ran.text).toContain("✗ failed; nothing had been changed");
  });

  it("does not take back what was found done before", async () => {
    writeFileSync(path("made"), "");
    const ran = await run([
      act("a", { done: exists("made") }),
      act("b", { done: exists("made") }),
      actOf("c", { verify: [exists("never")] }),
    ]);
    expect([ran.status, done()]).toEqual([4, []]);
  });

  it("is tried as often as it says, and its done probe is asked each time", async () => {
    const counting = shell('echo try >> "$1"; test "$(wc -l < "$1")" -ge 2');
    expect((await run([act("a", { action: counting, attempts: 3 })])).status).toBe(0);
    expect(done()).toEqual(["try", "try"]);
    writeFileSync(effects, "");
    const halfway = act("a", {
      action: shell('touch "$2"; echo try >> "$1"; exit 1', path("made")),
      done: exists("made"),
      attempts: 2,
    });
    const ran = await run([halfway, failing("b")]);
    expect([ran.status, done()]).toEqual([3, ["try", "b", "undo b", "undo a"]]);
  });

  it("may be passed over, and is taken back like the others if a later one fails", async () => {
    expect((await run([failing("a", { onFail: "continue" }), act("b")])).status).toBe(0);
    expect(done()).toEqual(["a", "b"]);
    await run([failing("c", { onFail: "continue" }), failing("d")]);
    expect(done().slice(2)).toEqual(["c", "d", "undo d", "undo c"]);
  });

  it("leaves nothing recorded that a later step could use", async () => {
    const read = actOf("read", { outputs: { x: { from: "stdout" } }, verify: [exists("never")], onFail: "continue" });
    const ran = await run([
      read,
      act("use", { action: command("local", ["test", "-z", output("read", "x")], { okExitCodes: [0, 1] }) }),
    ]);
    expect(ran.status).toBe(3);
    expect(ran.text).toContain("read_x was not noted by an earlier step");
  });

  it("fails when its answer cannot be read", async () => {
    const reads = (from: Output, text: string) =>
      run([actOf("a", { action: command("local", ["echo", text]), outputs: { x: from } })]);
    expect((await reads({ from: "stdout", as: "number" }, "12 MB")).text).toContain(
      "cannot be read: not a number: 12 MB",
    );
    expect((await reads({ from: "stdout", as: "json", pick: ["a"] }, "{}")).text).toContain("it has no element a");
    expect((await reads({ from: "stdout", as: "json" }, "{} {}")).status).toBe(4);
  });
});

describe("a bracket", () => {
  const closed = (body: readonly Step[], options: { open?: Act[]; close?: Act[] } = {}): Step => ({
    ...bracketOf("closed", body),
    open: (options.open ?? [edge("open1"), edge("open2")]) as unknown as [Act],
    close: (options.close ?? [edge("close1"), edge("close2")]) as unknown as [Act],
  });

  it("closes when its body fails, after the body was taken back", async () => {
    const ran = await run([act("before"), closed([act("a"), failing("b")])]);
    expect([ran.status, done()]).toEqual([
      3,
      ["before", "open1", "open2", "a", "b", "undo b", "undo a", "close1", "close2", "undo before"],
    ]);
  });

  it("is opened again to take back its body when something after it fails", async () => {
    await run([closed([act("a")]), failing("b")]);
    expect(done()).toEqual([
      ...["open1", "open2", "a", "close1", "close2", "b"],
      ...["undo b", "open1", "open2", "undo a", "close1", "close2"],
    ]);
  });

  it("is closed although its opening found everything open already", async () => {
    writeFileSync(path("made"), "");
    await run([closed([failing("a")], { open: [edge("open1", { done: exists("made") })] })]);
    expect(done()).toEqual(["a", "undo a", "close1", "close2"]);
  });

  it("waits for what it opens and closes, on the way back too", async () => {
    const until = (name: string) =>
      waitOf(name, { until: { probe: { ...exists("effects"), action: shell('echo "$2" >> "$1"', name) } } });
    const open = [edge("open"), until("is open")] as const;
    const close = [edge("close"), until("is closed")] as const;
    await run([{ ...bracketOf("x", [act("a")]), open, close }, failing("b", { undo: [until("b is gone")] })]);
    expect(done()).toEqual([
      ...["open", "is open", "a", "close", "is closed", "b"],
      ...["b is gone", "open", "is open", "undo a", "close", "is closed"],
    ]);
  });

  it("inside of another is closed first", async () => {
    const inner = bracketOf("in", [failing("a")], { open: [edge("open in")], close: [edge("close in")] });
    await run([closed([inner])]);
    expect(done()).toEqual(["open1", "open2", "open in", "a", "undo a", "close in", "close1", "close2"]);
  });
});

describe("taking back", () => {
  it("that fails leaves the rest to a person, and says what remains", async () => {
    const stuck = actOf("put back", { action: shell("exit 1") });
    const ran = await run([act("a"), act("b", { undo: [stuck, actOf("tidy")] }), failing("c")]);
    expect([ran.status, done()]).toEqual([4, ["a", "b", "c", "undo c"]]);
    expect(ran.text).toContain("the stack is between two states");
    expect(ran.text).toMatch(/in this order:\n {2}do_put_back\n {2}do_tidy\n {2}do_undo_a\n$/);
  });

  it("passes over what may fail", async () => {
    const tell = actOf("tell", { action: shell("exit 1"), onFail: "continue" });
    const ran = await run([
      act("a"),
      failing("b", { undo: [tell, actOf("tidy", { action: shell('echo tidy >> "$1"') })] }),
    ]);
    expect([ran.status, done()]).toEqual([3, ["a", "b", "tidy", "undo a"]]);
  });

  it("uses what was recorded forwards, not what is recorded on the way back", async () => {
    const counting = (id: string) =>
      edge(id, { action: shell('echo "$2" >> "$1"; wc -l < "$1"', id), outputs: { lines: { from: "stdout" } } });
    const body = act("a", {
      undo: [actOf("say", { action: shell('echo "lines $2" >> "$1"', output("open", "lines") as never) })],
    });
    await run([bracketOf("x", [body], { open: [counting("open")], close: [edge("close")] }), failing("b")]);
    expect(done()).toEqual(["open", "a", "close", "b", "undo b", "open", "lines 1", "close"]);
  });

  it("happens on an interrupt too, and cannot be interrupted", async () => {
    // One process: a shell that is just starting another program may lose a signal.
    const until = command("local", ["perl", "-e", 'open(F, ">", $ARGV[0]); sleep 300', path("reached")]);
    const undo = [actOf("back", { action: shell('kill -INT "$PPID"; echo back >> "$1"') })];
    const ran = await run([act("a"), act("b", { action: until, undo })], {
      onStart: (child) => onceExists("reached", () => process.kill(-(child.pid as number), "SIGINT")),
    });
    expect([ran.status, done()]).toEqual([5, ["a", "back", "undo a"]]);
    expect(ran.text).toContain("↶ cancelled, and everything was taken back");
  });

  it("happens too when nobody reads any more what the script says", async () => {
    const until = command("local", [
      "sh",
      "-c",
      'touch "$1"; until test -e "$2"; do sleep 0.05; done',
      "sh",
      path("reached"),
      path("go"),
    ]);
    const ran = await run([act("a"), act("b", { action: until }), act("c")], {
      onStart: (child) =>
        onceExists("reached", () => {
          for (const stream of [child.stdout, child.stderr]) stream?.destroy();
          writeFileSync(path("go"), "");
        }),
    });
    expect([ran.status, done()]).toEqual([5, ["a", "undo c", "undo b", "undo a"]]);
  });
});

/** Calls back when the file is there. */
function onceExists(name: string, then: () => void): void {
  const looking = setInterval(() => {
    if (!existsSync(path(name))) return;
    clearInterval(looking);
    then();
  }, 20);
}

describe("a failure that is not taken back by itself", () => {
  const pivot: Step = { kind: "pivot", id: "open", title: "Users are back" };

  it.each<[string, () => readonly Step[]]>([
    ["after the pivot", () => [act("a"), pivot, failing("b")]],
    ["behind an irreversible step", () => [act("a", { undo: "irreversible" }), failing("b")]],
    ["of an irreversible step", () => [failing("b", { undo: "irreversible" })]],
    ["that a person was to judge", () => [act("a"), failing("b", { onFail: "ask" })]],
  ])("%s waits for a person", async (_, steps) => {
    const ran = await run(steps());
    expect(ran.status).toBe(4);
    expect(done().at(-1)).toBe("b");
    expect(ran.text).toContain("Stopped; nothing was taken back. A person must decide how it goes on.");
  });

  it("is taken back when the irreversible step was not wanted or was done before", async () => {
    writeFileSync(path("made"), "");
    const ran = await run([act("a", { undo: "irreversible", done: exists("made") }), failing("b")]);
    expect([ran.status, done()]).toEqual([3, ["b", "undo b"]]);
  });

  it.each<[string, string, number, readonly string[]]>([
    ["once more", "again\nstop\n", 4, ["a", "b", "b"]],
    ["done", "done\n", 0, ["a", "b", "c"]],
    ["to be taken back", "what?\nundo\n", 3, ["a", "b", "undo b", "undo a"]],
    ["to be left", "stop\n", 4, ["a", "b"]],
  ])("is settled by a person at the terminal: %s", async (_, typed, status, expected) => {
    const ran = await run([act("a"), pivot, failing("b"), act("c")], { typed });
    expect(ran.text).toContain("Decide: again, done (go on), undo (take everything back) or stop");
    expect([ran.status, done()]).toEqual([status, expected]);
  });

  it("and then taken back by a person's decision is not called whole when a part of it is irreversible", async () => {
    const ran = await run([act("a"), act("b", { undo: "irreversible" }), failing("c")], { typed: "undo\n" });
    expect([ran.status, done()]).toEqual([4, ["a", "b", "c", "undo c", "undo a"]]);
    expect(ran.text).toContain("the rest must be put right by hand");
  });

  it("by an interrupt after the pivot neither", async () => {
    // One process: a shell that is just starting another program may lose a signal.
    const until = command("local", ["perl", "-e", 'open(F, ">", $ARGV[0]); sleep 300', path("reached")]);
    const ran = await run([act("a"), pivot, act("b", { action: until })], {
      onStart: (child) => onceExists("reached", () => process.kill(-(child.pid as number), "SIGINT")),
    });
    expect([ran.status, done()]).toEqual([4, ["a"]]);
  });
});

describe("a wait", () => {
  it("asks until the answer is yes", async () => {
    const third: Probe = {
      ...exists("x"),
      action: shell('echo asked >> "$1"; wc -l < "$1"'),
      output: { from: "stdout", as: "number" },
      compare: "ge",
      with: 3,
    };
    expect((await run([waitOf("w", { until: { probe: third } })])).status).toBe(0);
    expect(done()).toEqual(["asked", "asked", "asked"]);
  });

  it.each<[string, "undo" | "continue", number, readonly string[]]>([
    ["is taken back", "undo", 3, ["a", "undo a"]],
    ["may be passed over", "continue", 0, ["a", "b"]],
  ])("that is not over in time %s", async (_, onTimeout, status, expected) => {
    const ran = await run([
      act("a"),
      waitOf("w", { until: { probe: exists("never") }, timeoutSeconds: 1, onTimeout }),
      act("b"),
    ]);
    expect([ran.status, done()]).toEqual([status, expected]);
    expect(ran.text).toContain("✗ Wait w: not within 1 s (last answer: 1)");
  });

  it("for an instant is over when it has come", async () => {
    const until = (instant: string) => waitOf("w", { until: { instant }, timeoutSeconds: 1 });
    expect((await run([until("2001-02-03T04:05:06+08:00")])).status).toBe(0);
    expect((await run([until("2999-01-01T00:00:00Z")])).status).toBe(4);
  });

  it("for a person is over when somebody at the terminal says so", async () => {
    const wait = waitOf("w", { until: { signal: "the boxes are moved" }, timeoutSeconds: 5 });
    const ran = await run([wait, act("a")], { typed: "\n" });
    expect([ran.status, done()]).toEqual([0, ["a"]]);
    expect((await run([wait])).status).toBe(4);
  });
});

describe("a procedure inside a plan", () => {
  const inner: Step = {
    kind: "procedure",
    id: "inner",
    title: "Back it up",
    name: "backup",
    input: { full: true },
    mandate: { risk: "change", undoClass: "instant" },
  };

  it("is done and taken back by a person with its own script", async () => {
    const ran = await run([inner, failing("b")], { typed: "done\ndone\n" });
    expect([ran.status, done()]).toEqual([3, ["b", "undo b"]]);
    expect(ran.text).toContain('Run the procedure backup with {"full":true} by its own script.');
    expect(ran.text).toContain('Take the procedure backup with {"full":true} back.');
  });

  it("is not taken for done when nobody is there", async () => {
    expect((await run([inner, act("b")])).status).toBe(4);
    expect(done()).toEqual([]);
  });
});

describe("HTTP", () => {
  it("is split into status and body", async () => {
    const server = createServer((request, response) => {
      response.statusCode = request.url === "/sorry" ? 503 : 200;
      request.on("data", (chunk) => response.write(`got ${chunk}\n\n`)).on("end", () => response.end());
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const post: Action = {
      kind: "http",
      host: "local",
      method: "POST",
      url: `${url}/sorry`,
      body: "hello",
      timeoutSeconds: 5,
    };
    const get: Action = { kind: "http", host: "local", method: "GET", url, timeoutSeconds: 5 };
    const serves: Probe = { title: "it serves", action: get, output: { from: "status" }, compare: "eq", with: 200 };
    const empty: Probe = { ...serves, output: { from: "body" }, compare: "absent", with: "" };
    const print = command("local", [
      "sh",
      "-c",
      'printf "%s|%s" "$2" "$3" > "$1"',
      "sh",
      path("out"),
      output("post", "status"),
      output("post", "body"),
    ]);
    try {
      const ran = await run([
        actOf("post", {
          action: post,
          outputs: { status: { from: "status", as: "number" }, body: { from: "body" } },
          verify: [serves, empty],
        }),
        actOf("print", { action: print }),
      ]);
      expect(ran.status).toBe(0);
      expect(readFileSync(path("out"), "utf8")).toBe("503|got hello");
    } finally {
      server.close();
    }
    expect((await run([actOf("gone", { action: get })])).text).toContain("it ended with exit code 7");
  });
});

describe("secrets", () => {
  const env = { IPAI_SECRET_BACKUP_PASSWORD: "hunter'2 $x" };

  it("come from the environment, reach only their program, and are asked for before anything begins", async () => {
    const uses = command("local", ["sh", "-c", 'printf "%s|" "$PASSWORD" > "$1"; cat >> "$1"', "sh", path("out")], {
      env: { PASSWORD: secret("backup.password") },
      stdin: secret("backup.password"),
    });
    const looks = command("local", ["sh", "-c", 'env > "$1"', "sh", path("env")]);
    const plan = [act("a"), actOf("use", { action: uses }), actOf("look", { action: looks })];
    const missing = await run(plan);
    expect([missing.status, done()]).toEqual([4, []]);
    expect(missing.text).toBe(
      "Set IPAI_SECRET_BACKUP_PASSWORD first: the secret backup.password of the configuration.\n",
    );
    expect((await run(plan, { env })).status).toBe(0);
    expect(readFileSync(path("out"), "utf8")).toBe("hunter'2 $x|hunter'2 $x");
    expect(readFileSync(path("env"), "utf8")).not.toContain("hunter");
  });

  it("and nothing else of the caller's environment is seen by programs", async () => {
    const look = actOf("look", {
      action: command("local", ["sh", "-c", 'env > "$1"; pwd >> "$1"', "sh", path("env")]),
    });
    await run([look], {
      env: { PGHOST: "elsewhere", LC_ALL: "tr_TR.UTF-8", run_id: "mine", HOME: "/root", CDPATH: "/x" },
    });
    const lines = readFileSync(path("env"), "utf8").split("\n");
    expect(
      lines
        .map((line) => line.split("=")[0])
        .filter((name) => name !== "_" && name !== "")
        .sort(),
    ).toEqual(["/", "HOME", "LANG", "LC_ALL", "PATH", "PWD", "TZ"]);
    expect(lines).toContain("LC_ALL=C.UTF-8");
  });
});

describe("whatever a plan contains", () => {
  const odd = fc.string({ unit: fc.constantFrom(..."ab'\"\\$`!*?[]{}()<>|&;#~=% \t\n\r\u0001é") });

  it("is text to bash, never a command", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(odd, { minLength: 6, maxLength: 6 }), async (texts) => {
        const [a = "", b = "", c = "", d = "", e = "", f = ""] = texts.map(
          (text) => `${text}$(touch ${path("hacked")})`,
        );
        const probe: Probe = {
          title: a,
          action: command("local", ["printf", "%s", b]),
          output: { from: "stdout" },
          compare: "has",
          with: b.trim(),
        };
        const steps: Step[] = [
          actOf("x", {
            title: c,
            action: command("local", ["printf", "%s", d]),
            outputs: { y: { from: "stdout" } },
            verify: [probe],
          }),
          bracketOf("x", [waitOf("w", { title: e, until: { probe } })], {
            title: f,
            open: [edge("open")],
            close: [edge("close")],
          }),
          { kind: "pivot", id: "pivot", title: d },
        ];
        const ran = await run(planOf(steps, { title: a, notes: [b, c], stack: "x" }));
        expect([ran.status, existsSync(path("hacked"))]).toEqual([0, false]);
      }),
      { numRuns: 8 },
    );
  });
});
