import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readOutput } from "../../../src/host/perform.ts";
import type { FileFacts } from "../../../src/procedures/backup/exchange/facts.ts";
import { judgeFile } from "../../../src/procedures/backup/exchange/load.ts";
import { manifestSql } from "../../../src/procedures/backup/manifest.ts";
import { type DumpKind, loadInto, parseHeader, takeFiles } from "../../../src/stack/dump-file.ts";
import { createScratchCluster, type ScratchCluster } from "../../../src/stack/scratch.ts";
import { createStack } from "../../../src/stack/stack.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { perform, practiceStack } from "../../harness/perform.ts";
import "../../../src/procedures/backup/exchange/errors.ts";
import { createNastySql, nastyRoles, nastySql } from "./nasty.ts";

/** Files of every kind, good and bad, loaded by the user who may do nothing besides, on a server of its own. */

let test: TestControl;
let folder: string;
let cluster: ScratchCluster;
const definition = () => practiceStack(folder);
const { runtime } = createStack(practiceStack("/nowhere"));
const locale = { collate: "C", ctype: "C.UTF-8" };
const marker = "/tmp/ipai-dump-file-was-run";

beforeAll(async () => {
  test = await startControl();
  folder = join(test.home, "files");
  await mkdir(folder);
  execFileSync("chown", ["postgres", folder]);
  execFileSync("chmod", ["0755", folder]);
  cluster = createScratchCluster(definition(), createStack(definition()).runtime, folder);
  psql(nastyRoles, "postgres");
  psql(createNastySql, "postgres");
  psql(nastySql);
  // It is for a role of that server, which is not there where the file is loaded.
  psql("drop policy own on states");
  await perform(cluster.start);
});
afterAll(async () => {
  await perform(cluster.stop);
  await test[Symbol.asyncDispose]();
});

const address = () => ["-h", join(test.home, "control/socket"), "-U", "ipai"];
const psql = (sql: string, database = "nasty") =>
  execFileSync("psql", [...address(), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database], {
    input: sql,
    encoding: "utf8",
  });
const dump = (...options: readonly string[]) =>
  execFileSync("pg_dump", [...address(), ...options, "nasty"], { maxBuffer: 1 << 26 });

async function file(name: string, content: string | Buffer): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

async function headerOf(path: string) {
  const content = await readFile(path);
  const unzipped = execFileSync("sh", ["-c", 'gzip -dc -- "$1" 2>/dev/null | head -c 4096', "head", path]);
  return parseHeader(content.subarray(0, 4096), unzipped);
}

async function load(path: string, given?: { kind: DumpKind; isGzipped: boolean }) {
  const header = given ?? (await headerOf(path));
  if (header === undefined) throw new TypeError(`${path} is of no kind`);
  await perform(cluster.prepare("loaded", locale));
  return perform(loadInto(runtime, { path, ...header }, cluster, "loaded"));
}

const codeOf = (path: string, given?: { kind: DumpKind; isGzipped: boolean }) =>
  load(path, given).then(
    () => "loaded",
    (error: { code: string }) => error.code,
  );

/** Tables with their rows and checksums, and large objects; owners and grants are not taken over. */
const rowsOf = (manifest: string) => manifest.split("\n").filter((line) => /^\{"(table|large objects)"/.test(line));
const loaded = async () => rowsOf((await perform(cluster.query("loaded", manifestSql))).stdout);

const dumpText = (body: string) =>
  `--\n-- PostgreSQL database dump\n--\n\n${body}\n--\n-- PostgreSQL database dump complete\n--\n`;

describe("a dump", () => {
  it.each([
    ["plain.sql", () => dump()],
    ["without-owner.sql", () => dump("--no-owner")],
    ["makes-its-own.sql", () => dump("--create", "--clean")],
    ["cleans.sql", () => dump("--clean")],
    ["packed.sql.gz", () => execFileSync("gzip", ["-c"], { input: dump() })],
    ["custom.dump", () => dump("-Fc")],
    ["custom.dump.gz", () => execFileSync("gzip", ["-c"], { input: dump("-Fc") })],
  ])("%s brings back every row, and nothing of the server that it came from", async (name, make) => {
    const path = await file(name, make());
    expect((await headerOf(path))?.server).toMatch(/^\d\d\./);
    await load(path);
    expect(await loaded()).toEqual(rowsOf(psql(manifestSql)));
    const owners =
      "select string_agg(distinct tableowner, ' ') from pg_tables where schemaname !~ '^(pg_|information)'";
    expect((await perform(cluster.query("loaded", owners))).stdout.trim()).toBe("nobody");
    await perform(cluster.adopt("loaded"));
    expect((await perform(cluster.query("loaded", owners))).stdout.trim()).toBe("odoo");
  });

  it("keeps what looks like commands within texts, bodies of functions and rows", async () => {
    const body = String.raw`
create table public.t (a text default 'a;b\', b text);
create function public.f() returns text language sql begin atomic select case when true then 'x' end; select 'y;'; end;
create function public.g() returns text language sql as $_$ select '
\! touch ${marker}
GRANT ALL ON x TO postgres;
' $_$;
insert into public.t values (E'it''s \' \\', 'b'), ('it''s', E'\
;');
/* nested /* ; */ \! */
copy public.t (a, b) from stdin;
\\! touch	\restrict x
\restrict y	z
\.
`;
    await load(await file("looks.sql", dumpText(body)));
    const asked = await perform(
      cluster.query(
        "loaded",
        "select count(*), max(length(public.g())), md5(string_agg(a || b, ',' order by a, b)) from public.t;",
      ),
    );
    expect(asked.stdout.trim()).toMatch(/^4\|\d\d\|/);
    const rows = await perform(
      cluster.query("loaded", String.raw`select a from public.t where a like '\\! touch' or a like E'\restrict y';`),
    );
    expect(rows.stdout).toContain(String.raw`\! touch`);
    expect(existsSync(marker)).toBe(false);
  });

  it("has no rights but over its own empty database", async () => {
    const may = await perform(
      cluster.query(
        "postgres",
        "select rolsuper, rolcreatedb, rolcreaterole, rolbypassrls, (select count(*) from pg_auth_members where member = r.oid) from pg_roles r where rolname = 'nobody';",
      ),
    );
    expect(may.stdout.trim()).toBe("f|f|f|f|0");
  });
});

describe("a file that is not as it should be", () => {
  it.each([
    ["a program of psql's", "restore.file_commands", `create table t (a int);\n\\! touch ${marker}`],
    ["one within a statement", "restore.file_commands", `select 1 \\! touch ${marker}\n;`],
    ["one after another on a line", "restore.file_commands", `select 1; \\o |touch ${marker}`],
    ["psql's way to read files", "restore.file_commands", "\\copy t from '/etc/passwd'"],
    ["its way to another database", "restore.file_commands", "create table t (a int);\n\\connect postgres"],
    ["a program of the server's", "restore.file_sql_error", `copy (select 1) to program 'touch ${marker}';`],
    ["a file of the server's", "restore.file_sql_error", "create table t (a text); copy t from '/etc/passwd';"],
    ["another user", "restore.file_sql_error", "set session authorization postgres;"],
    ["an error half-way", "restore.file_sql_error", "create table t (a int);\nselect nonsense from nowhere;"],
    ["rows that do not fit", "restore.file_sql_error", "create table t (a int);\ncopy t from stdin;\nx\n\\.\n"],
    ["an end within rows", "restore.file_truncated", "create table t (a int);\ncopy t from stdin;\n1\n"],
    ["an end within a text", "restore.file_truncated", "select 'it ends"],
  ])("with %s is refused by %s", async (_, code, body) => {
    expect(await codeOf(await file("bad.sql", dumpText(body)))).toBe(code);
    expect(existsSync(marker)).toBe(false);
  });

  it("names the line of an error", async () => {
    const path = await file("line.sql", dumpText("create table t (a int);\n\nselect nonsense\n  from nowhere;"));
    await expect(load(path)).rejects.toMatchObject({ message: expect.stringContaining("line 7: relation") });
  });

  it("without its end, cut anywhere, is never taken for whole", async () => {
    for (const [name, content] of [
      ["cut.sql", dump()],
      ["cut.sql.gz", execFileSync("gzip", ["-c"], { input: dump() })],
      ["cut.dump", dump("-Fc")],
    ] as const)
      for (const part of [0.3, 0.6, 0.9, 0.98]) {
        const path = await file(name, content);
        await truncate(path, Math.floor(content.length * part));
        expect([name, part, await codeOf(path)]).toEqual([
          name,
          part,
          expect.stringMatching(/file_(truncated|damaged)$/),
        ]);
      }
  });

  it("with a flipped byte in its middle is damaged", async () => {
    const content = execFileSync("gzip", ["-c"], { input: dump() });
    content[Math.floor(content.length / 2)] = (content[Math.floor(content.length / 2)] ?? 0) ^ 0xff;
    expect(await codeOf(await file("flipped.sql.gz", content))).toMatch(
      /^restore\.file_(damaged|truncated|sql_error)$/,
    );
  });

  it("of another kind is told before it is read", async () => {
    for (const content of ["select 1;\n", "", "PK", "\u001f\u008b"])
      expect(await headerOf(await file("other", content))).toBeUndefined();
    const whole = await file("all.sql", "--\n-- PostgreSQL database cluster dump\n--\n\nSET x = 1;\n");
    expect(await codeOf(whole)).toBe("restore.file_unknown");
    const newer = "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 99.1 (Debian 99.1-1)\n";
    expect(await headerOf(await file("newer.sql", newer))).toMatchObject({ server: "99.1 (Debian 99.1-1)" });
  });
});

describe("a zip of Odoo's", () => {
  const zip = (name: string, entries: Readonly<Record<string, string>>) => {
    const script =
      "import json, sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as z:\n for name, text in json.load(sys.stdin).items(): z.writestr(name, text)";
    const path = join(folder, name);
    execFileSync("/usr/bin/python3", ["-c", script, path], { input: JSON.stringify(entries) });
    return path;
  };
  const hello = "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d";

  it("gives its dump, and of its files only those that are what their name says", async () => {
    const path = zip("odoo.zip", {
      "dump.sql": dump().toString(),
      "manifest.json": "{}",
      [`filestore/aa/${hello}`]: "hello",
      [`filestore/bb/bb${hello.slice(2)}`]: "other",
      "filestore/../../escaped": "x",
      "/etc/escaped": "x",
      "filestore/checklist/x": "x",
    });
    expect(await headerOf(path)).toMatchObject({ kind: "zip" });
    await load(path);
    expect(await loaded()).toEqual(rowsOf(psql(manifestSql)));
    const files = join(folder, "taken");
    expect(JSON.parse((await perform(takeFiles("local", path, files))).stdout)).toEqual({ files: 1, unsound: 1 });
    expect(execFileSync("find", [files, "-type", "f"], { encoding: "utf8" }).trim()).toBe(`${files}/aa/${hello}`);
    expect(existsSync(join(folder, "escaped"))).toBe(false);
  });

  it("without a dump, or cut off, is refused", async () => {
    const empty = zip("empty.zip", { "readme.txt": "x" });
    expect(await codeOf(empty)).not.toBe("loaded");
    await expect(perform(takeFiles("local", empty, join(folder, "none")))).rejects.toMatchObject({
      code: "restore.file_no_dump",
    });
    const cut = zip("cut.zip", { "dump.sql": dump().toString() });
    await truncate(cut, (await readFile(cut)).length - 100);
    expect(await codeOf(cut)).toMatch(/^restore\.file_(truncated|damaged)$/);
  });
});

describe("a database that was loaded from a file", () => {
  const odoo = `
create table public.ir_module_module (name varchar, state varchar, latest_version varchar);
insert into public.ir_module_module values ('base', 'installed', '19.0.1.3'), ('old', 'uninstalled', null);
create table public.ir_attachment (id int, store_fname varchar, checksum varchar, name varchar);
insert into public.ir_attachment values (1, 'aa/${"a".repeat(40)}', '${"a".repeat(40)}', 'x'), (2, null, null, 'y');
create table public.ir_config_parameter (key varchar); create table public.ir_cron (id int); create table public.res_users (id int);
create extension if not exists pg_trgm;
create function public.touched() returns trigger language plpgsql as 'begin return new; end';
create trigger touched before update on public.ir_cron for each row execute function public.touched();
`;
  const facts: FileFacts = {
    ...{ file: "/f", kind: "sql", isGzipped: false, bytes: 1, writtenAt: 1, series: "19.0", jobs: 1 },
    present: undefined,
  };

  /** The code of the first question that is answered with no; undefined when all is well. */
  async function judge(more: string): Promise<string | undefined> {
    await load(await file("judged.sql", dumpText(odoo + more)));
    for (const { verify } of judgeFile(createStack(definition()), cluster, "loaded", facts))
      for (const probe of verify) {
        const result = await perform(probe.action);
        const value = String(readOutput(result, probe.output));
        const holds = probe.compare === "absent" ? value === "" : value === probe.with;
        if (!holds) return probe.code;
      }
    return undefined;
  }

  it("is taken when it is as Odoo makes them, with triggers of its modules", async () => {
    expect(await judge("")).toBeUndefined();
  });

  const evil = "create function public.evil(text) returns boolean language sql immutable as 'select true';";
  it.each([
    [
      "a check that calls its own function",
      "restore.file_runs_code",
      `${evil} create table t (a text check (public.evil(a)));`,
    ],
    ["a domain that does", "restore.file_runs_code", `${evil} create domain d as text check (public.evil(value));`],
    [
      "a generated column that does",
      "restore.file_runs_code",
      `${evil} create table t (a text, b boolean generated always as (public.evil(a)) stored);`,
    ],
    [
      "an operator that is taken for the server's",
      "restore.file_runs_code",
      "create function public.same(varchar, varchar) returns boolean language sql as 'select true'; create operator public.= (leftarg = varchar, rightarg = varchar, function = public.same);",
    ],
    [
      "a function that is taken for the server's",
      "restore.file_runs_code",
      "create function public.count(varchar) returns bigint language sql as 'select 1::bigint';",
    ],
    [
      "a view in the place of a table",
      "restore.file_not_odoo",
      "drop table public.ir_cron; create view public.ir_cron as select 1 as id;",
    ],
    [
      "another series",
      "restore.file_other_series",
      "update public.ir_module_module set latest_version = '17.0.1.3' where name = 'base';",
    ],
    [
      "attachments that lead out of the filestore",
      "restore.file_attachments",
      `insert into public.ir_attachment values (3, '../../../etc/passwd', '${"a".repeat(40)}', 'z');`,
    ],
  ])("with %s is refused by %s", async (_, code, more) => {
    expect(await judge(more)).toBe(code);
  });
});
