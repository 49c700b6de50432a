import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { Command } from "./action.ts";
import { quote, renderShell, variableOf } from "./shell.ts";
import { join, output, runId, secret } from "./value.ts";

/**
 * Text that was rendered for bash must mean, to bash, what the tool does without a shell. The echo program writes what it was
 * given into a file, so that each part of a pipeline can be asked.
 */
const folder = mkdtempSync(joinPath(tmpdir(), "ipai-shell-"));
const echo = joinPath(folder, "echo program='x");
const echoScript = `#!/usr/bin/perl
open my $record, '>', $ENV{RECORD} or die;
my @variables = sort map { "$_=$ENV{$_}" } grep { /^T_/ } keys %ENV;
print $record map { "$_\\0" } scalar(@ARGV), @ARGV, @variables, '';
print $record $_ while <STDIN>;
print "from $ENV{RECORD}\\n";
`;
writeFileSync(echo, echoScript);
chmodSync(echo, 0o755);
afterAll(() => rmSync(folder, { recursive: true }));

const text = fc
  .oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: "grapheme-ascii" }),
    fc.string({ unit: fc.constantFrom(..."'\"\\$`!*?[]{}()<>|&;#~=%^- \t\n\r\u0001\u001b\u007f\u0085ENDa") }),
    fc.constantFrom("END\n", "END", "a\nEND\nEND_\n", "-n", "--", "~", "~root", "", "\n", "\n\n", "$(touch x)", "a=b"),
  )
  .map((value) => value.replaceAll("\0", ""));
const names = fc.string({ unit: fc.constantFrom(..."ABCxyz019_"), maxLength: 6 }).map((name) => `T_${name}`);
const part = fc.record({
  args: fc.array(text, { maxLength: 4 }),
  env: fc.dictionary(names, text, { maxKeys: 3, noNullPrototype: true }),
  stdin: fc.option(
    fc.oneof(
      text,
      text.map((value) => `${value}\n`),
    ),
    { nil: undefined },
  ),
});

describe("renderShell", () => {
  it("means to bash what the command says", { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 3 }), (parts) => {
        expect(runRendered(parts)).toEqual(parts.map((_, index) => expected(parts, index)));
      }),
      { numRuns: 100 },
    );
  });

  it.each([
    ...["a=b", "-a=b", "=", "a b", "é", "-x", "+x", "~", "~root", "#x", "%1", "%", "$x", "*", "^x", "a\rb"],
    ...["!", "{", "}", "[[", "]]", "if", "fi", "time", "function", "coproc", "case", "in", "select"],
    ...["exit", "cd", "eval", "exec", "source", ":", "set", "wait", "time=", "command", "export"],
  ])("calls a program named %j", callsProgram);

  it("calls a program whose name an earlier step recorded, even if it looks like an assignment", () => {
    symlinkSync(echo, joinPath(folder, "x=recorded"));
    const record = joinPath(folder, "record-recorded");
    const shell = renderShell({ host: "local", pipeline: [{ argv: [join("x=", output("find", "name")), "x"] }] });
    expect(bash(shell, { RECORD: record, find_name: "recorded" })).toMatchObject({ status: 0, stderr: "" });
    expect(readFileSync(record, "utf8")).toBe("1\0x\0\0");
  });

  it("shows no control character to a terminal", () => {
    const shell = renderShell({
      host: "local",
      pipeline: [{ argv: ["x", "a\r\u001b[2Jb'\\", "\u0085", "tab\there"], stdin: "a\rb\n" }],
    });
    expect(shell).toBe("x $'a\\x0d\\x1b[2Jb\\'\\\\' $'\\xc2\\x85' $'tab\\x09here' < <(printf %s $'a\\x0db\n')");
  });

  it.each<[string, Command]>([
    ["a NUL byte in an argument", { argv: ["x", "a\0b"] }],
    ["a NUL byte in an input", { argv: ["x"], stdin: "a\0b\n" }],
    ["an environment variable without a variable's name", { argv: ["x"], env: { "a-b": "1" } }],
    ["an environment variable that bash keeps to itself", { argv: ["x"], env: { UID: "1" } }],
  ])("refuses %s", (_, command) => {
    expect(() => renderShell({ host: "local", pipeline: [command] })).toThrow(TypeError);
  });

  it("merges standard error where asked", () => {
    const noisy: Command = { argv: ["sh", "-c", "echo err >&2; echo out"], mergeStderr: true };
    expect(bash(renderShell({ host: "local", pipeline: [noisy, { argv: ["sort"] }] }))).toMatchObject({
      stdout: "err\nout\n",
      stderr: "",
    });
  });

  it("takes recorded values and secrets from variables", () => {
    const argv: Command["argv"] = ["printf", "%s|", output("dump", "file name"), join("a b/", runId)];
    const shell = renderShell({
      host: "local",
      pipeline: [{ argv, stdin: secret("backup.password"), env: { KEY: secret("k") } }],
    });
    expect(bash(shell, allSet)).toMatchObject({ stdout: "x  y*|a b/r 1|", status: 0 });
    expect(bash(shell, { ...allSet, dump_file_name: "" })).toMatchObject({ stdout: "|a b/r 1|", status: 0 });
  });

  it("starts no program of a pipeline when a recorded value or a secret is missing", () => {
    const record = joinPath(folder, "record-missing");
    const reader: Command = { argv: [echo], env: { RECORD: record } };
    const uses: readonly [string, ...Command[]][] = [
      ["dump_file_name", { argv: ["echo", output("dump", "file name")] }, reader],
      ["IPAI_SECRET_K", { argv: ["echo"], env: { KEY: secret("k") } }, reader],
      ["IPAI_SECRET_BACKUP_PASSWORD", { ...reader, stdin: secret("backup.password") }],
      ["run_id", { ...reader, stdin: join("id ", runId, "\n") }],
    ];
    for (const [name, first, ...rest] of uses as [string, Command, ...Command[]][]) {
      const shell = renderShell({ host: "local", pipeline: [first, ...rest] });
      expect(bash(shell, allSet).status).toBe(0);
      rmSync(record);
      const { [name]: _, ...others } = allSet as Record<string, string>;
      expect(bash(shell, others)).toMatchObject({ stdout: "", stderr: expect.stringContaining(name) });
      expect(existsSync(record)).toBe(false);
    }
    expect(
      bash(renderShell({ host: "local", pipeline: [{ ...reader, stdin: secret("k") }] }), { IPAI_SECRET_K: "" }).status,
    ).not.toBe(0);
  });

  it("names variables that nothing else has", () => {
    const refs = [output("dump", "file name"), output("BASH", "ENV"), output("1st", "x"), runId, startedAt];
    expect(refs.map(variableOf)).toEqual(["dump_file_name", "step_BASH_ENV", "step_1st_x", "run_id", "run_started_at"]);
  });

  it("never writes a secret", () => {
    expect(quote(secret("backup.password"))).toBe('"${IPAI_SECRET_BACKUP_PASSWORD:?}"');
  });
});

const allSet = { dump_file_name: "x  y*", run_id: "r 1", IPAI_SECRET_BACKUP_PASSWORD: "p", IPAI_SECRET_K: "k" };
const startedAt = { ref: "run", field: "startedAt" } as const;

function callsProgram(name: string): void {
  symlinkSync(echo, joinPath(folder, name));
  const record = joinPath(folder, "record-name");
  rmSync(record, { force: true });
  const shell = renderShell({ host: "local", pipeline: [{ argv: [name, "x"] }] });
  const ran = bash(shell, { RECORD: record });
  expect([shell, ran.status, ran.stderr]).toEqual([shell, 0, ""]);
  expect(readFileSync(record, "utf8")).toBe("1\0x\0\0");
}

interface Part {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string | undefined;
}

function recordOf(index: number): string {
  return joinPath(folder, `record-${index}`);
}

function runRendered(parts: readonly Part[]): readonly string[] {
  const [first, ...rest] = parts.map((each, index): Command => {
    const { args, env, stdin } = each;
    const base: Command = { argv: [echo, ...args], env: { ...env, RECORD: recordOf(index) } };
    return stdin === undefined ? base : { ...base, stdin };
  });
  if (first === undefined) throw new Error("A pipeline has a part");
  const ran = bash(renderShell({ host: "local", pipeline: [first, ...rest] }));
  expect([ran.stderr, ran.stdout]).toEqual(["", `from ${recordOf(parts.length - 1)}\n`]);
  return parts.map((_, index) => readFileSync(recordOf(index), "utf8"));
}

function expected(parts: readonly Part[], index: number): string {
  const { args, env, stdin } = parts[index] as Part;
  const variables = Object.entries(env)
    .map(([name, value]) => `${name}=${value}`)
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const input = stdin ?? (index === 0 ? "" : `from ${recordOf(index - 1)}\n`);
  return `${[String(args.length), ...args, ...variables].map((word) => `${word}\0`).join("")}\0${input}`;
}

/** SIGPIPE of a part whose output nobody reads is no failure here, so no pipefail. --norc: with a socket as input bash believes to be a remote shell. */
function bash(
  script: string,
  env: Record<string, string> = {},
): { status: number | null; stdout: string; stderr: string } {
  const ran = spawnSync("bash", ["--norc", "-c", `set -eu\n${script}`], {
    encoding: "utf8",
    input: "must not be read",
    env: { PATH: `${folder}:/usr/bin:/bin`, LC_ALL: "C.UTF-8", ...env },
  });
  return { status: ran.status, stdout: ran.stdout, stderr: ran.stderr };
}
