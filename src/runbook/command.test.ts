import { describe, expect, it } from "vitest";
import { command, type HttpAction, type SqlAction } from "./action.ts";
import { toCommand } from "./command.ts";
import { join, output, runId, secret } from "./value.ts";

const query: SqlAction = {
  kind: "sql",
  host: "db1",
  client: ["runuser", "-u", "postgres", "--", "psql", "-h", "/run/pg"],
  database: "odoo",
  text: "select :'name';\n",
};

describe("a command", () => {
  it("is itself", () => {
    const action = command("web1", ["ls"], { okExitCodes: [0, 2], exitCodes: { 1: "x.y" }, env: { A: "1" } });
    expect(toCommand(action)).toBe(action);
    expect(action).toEqual({
      kind: "command",
      host: "web1",
      pipeline: [{ argv: ["ls"], env: { A: "1" } }],
      okExitCodes: [0, 2],
      exitCodes: { 1: "x.y" },
    });
    expect(command("web1", ["ls"])).toEqual({ kind: "command", host: "web1", pipeline: [{ argv: ["ls"] }] });
  });
});

describe("SQL", () => {
  it("goes to psql by standard input, bare, without psqlrc or password prompt, and stops at the first error", () => {
    expect(toCommand(query)).toEqual({
      kind: "command",
      host: "db1",
      pipeline: [
        {
          argv: [...query.client, "-X", "-Atq", "-w", "-v", "ON_ERROR_STOP=1", "-d", "odoo"],
          stdin: "select :'name';\n",
        },
      ],
    });
  });

  it("takes values as variables of psql, never as text of the query", () => {
    const values = { name: "x'; drop table y; --", before: join("odoo_", runId) };
    const [psql] = toCommand({ ...query, values, database: output("find", "database") }).pipeline;
    expect(psql.argv.slice(query.client.length)).toEqual([
      ...["-X", "-Atq", "-w", "-v", "ON_ERROR_STOP=1"],
      ...["-v", "name=x'; drop table y; --", "-v", join("before=", "odoo_", runId)],
      ...["-d", output("find", "database")],
    ]);
    expect(psql.stdin).toBe(query.text);
  });

  it("can leave its answer in a file, and keeps what exit codes mean", () => {
    const action = toCommand({ ...query, into: join("/set/", runId), exitCodes: { 3: "a.b" } });
    expect(action.pipeline[1]).toEqual({ argv: ["dd", join("of=", "/set/", runId), "conv=fsync", "status=none"] });
    expect(action.exitCodes).toEqual({ 3: "a.b" });
  });
});

describe("HTTP", () => {
  const get: HttpAction = {
    kind: "http",
    host: "web1",
    method: "GET",
    url: "http://127.0.0.1/web/login",
    timeoutSeconds: 20,
  };
  const common = [
    "curl",
    "--disable",
    "--silent",
    "--show-error",
    "--max-time",
    "20",
    "--write-out",
    "\\n%{http_code}",
    "--request",
  ];

  it("is asked with curl, which reads no settings, follows no redirect and prints the status last", () => {
    expect(toCommand(get)).toEqual({
      kind: "command",
      host: "web1",
      pipeline: [{ argv: [...common, "GET", "http://127.0.0.1/web/login"] }],
    });
  });

  it("sends headers, and a body that may be a secret by standard input", () => {
    const headers = { "Content-Type": "application/json", "X-Run": runId };
    expect(toCommand({ ...get, method: "POST", headers, body: secret("token") }).pipeline).toEqual([
      {
        argv: [
          ...[...common, "POST", "--header", "Content-Type: application/json"],
          ...["--header", join("X-Run: ", runId), "--data-binary", "@-", "http://127.0.0.1/web/login"],
        ],
        stdin: secret("token"),
      },
    ]);
  });

  it("gives curl a header's secret through a descriptor: in argv it would show", () => {
    const [first] = toCommand({ ...get, headers: { "X-Key": secret("n8n.key"), Accept: "text/plain" } }).pipeline;
    expect(first.env).toEqual({ HIDDEN: secret("n8n.key") });
    expect(first.argv.slice(0, 2)).toEqual(["sh", "-c"]);
    expect(first.argv.slice(3, 6)).toEqual(["curl", "X-Key: ", "--disable"]);
    expect(first.argv).toContain("Accept: text/plain");
    const two = { "X-Key": secret("n8n.key"), "X-Other": secret("n8n.other") };
    expect(() => toCommand({ ...get, headers: two })).toThrow("one secret in a header, not several");
    const [own] = toCommand({ ...get, bearer: secret("finance.apiKey") }).pipeline;
    expect([own.env, own.argv[4]]).toEqual([{ HIDDEN: secret("finance.apiKey") }, "Authorization: Bearer "]);
  });
});

describe("a file", () => {
  it("is written aside, synced and renamed, with the content on standard input", () => {
    const content = join("db = ", output("find", "database"), "\n");
    expect(toCommand({ kind: "write", host: "web1", path: "/etc/a b", content, mode: "0640" })).toEqual({
      kind: "command",
      host: "web1",
      pipeline: [
        {
          argv: [
            "sh",
            "-c",
            'umask 077 && dd of="$1.partial" conv=fsync status=none && chmod "$2" "$1.partial" && mv -f "$1.partial" "$1"',
            "write",
            "/etc/a b",
            "0640",
          ],
          stdin: content,
        },
      ],
    });
  });
});
