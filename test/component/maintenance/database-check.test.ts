import { execFileSync } from "node:child_process";
import { closeSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { App } from "../../../src/cli/app.ts";
import { consentTo } from "../../../src/cli/consent.ts";
import { advance } from "../../../src/engine/advance.ts";
import { listSteps, type Run } from "../../../src/engine/journal.ts";
import { findIntegrity, findIntegrityFaults } from "../../../src/procedures/maintenance/integrity.ts";
import { renderScript } from "../../../src/runbook/script.ts";
import { type Archived, createArchived, lacking } from "../../harness/archive.ts";
import { run as runProgram } from "../../harness/sandbox.ts";

/** Bytes that are flipped in the files of a real PostgreSQL, found and named; users go on working meanwhile. */
const isPossible = !lacking.includes("pg_createcluster");
let server: Archived;
let app: App;

/** A little of an Odoo database: two models, and what one of them is linked by. */
const schema = `
create table ir_model (id int primary key, model text);
create table ir_model_relation (id int primary key, name text, model int);
insert into ir_model values (1, 'res.partner'), (2, 'res.partner.category');
insert into ir_model_relation values (1, 'res_partner_category_rel', 1);
create table res_partner (id int primary key, name text, comment text);
create index res_partner_name_index on res_partner (name);
insert into res_partner select n, 'Partner ' || n, repeat(md5(n::text), 3) from generate_series(1, 5000) n;
create table res_partner_category_rel (partner int, category int, primary key (partner, category));
insert into res_partner_category_rel select n, n % 7 from generate_series(1, 5000) n;
create table unlinked (id int primary key);
insert into unlinked select generate_series(1, 5000);
`;

beforeAll(async () => {
  if (!isPossible) return;
  server = await createArchived(29_440);
  // A test machine that loses power loses its tests too.
  server.sql("alter system set fsync = off");
  server.sql("select pg_reload_conf()");
  server.sql("create database odoo");
  server.sql(schema, "odoo");
  app = await server.app();
}, 120_000);
afterAll(async () => {
  if (isPossible) await server[Symbol.asyncDispose]();
});

async function check(): Promise<Run> {
  const run = await app.record(await app.plan("database check", "sandbox", {}));
  await consentTo(app, run);
  return advance(app.engine(), run.id);
}

const findings = async () =>
  (await findIntegrityFaults(app.records, "sandbox", new Date())).map(({ code, status }) => `${code} ${status}`);

function control(word: "start" | "stop"): void {
  const env = { ...process.env, PG_CLUSTER_CONF_ROOT: join(server.folder, "postgresql") };
  const mode = word === "stop" ? ["-m", "fast"] : [];
  execFileSync("pg_ctlcluster", ["15", "sandbox", word, ...mode], { env, stdio: "ignore" });
}

interface Bytes {
  readonly of: string;
  /** Where, or a text: its last byte. */
  readonly at: number | string;
  readonly length?: number;
}

/** Flips every bit of bytes in relations' files while the server is stopped, and gives what takes it back. */
function flip(...all: readonly Bytes[]): () => void {
  server.sql("checkpoint", "odoo");
  const places = all.map(({ of, at, length = 1 }) => {
    const file = join(server.folder, "data", server.sql(`select pg_relation_filepath('${of}')`, "odoo"));
    return { file, at: typeof at === "number" ? at : readFileSync(file).indexOf(at) + at.length - 1, length };
  });
  const turn = () => {
    control("stop");
    for (const place of places) turnBytes(place);
    control("start");
  };
  turn();
  return turn;
}

function turnBytes({ file, at, length }: { file: string; at: number; length: number }): void {
  expect(at).toBeGreaterThan(page);
  const opened = openSync(file, "r+");
  const bytes = Buffer.alloc(length);
  readSync(opened, bytes, 0, length, at);
  writeSync(opened, Buffer.from(bytes.map((byte) => byte ^ 0xff)), 0, length, at);
  closeSync(opened);
}

const page = 8192;

describe.skipIf(!isPossible)("a check of the database", () => {
  it("finds a sound one sound, and leaves nothing in it", async () => {
    const before = server.sql("select count(*), max(oid) from pg_class", "odoo");
    expect((await check()).outcome).toBe("succeeded");
    expect(server.sql("select count(*), max(oid) from pg_class", "odoo")).toBe(before);
    expect(server.sql("select count(*) from pg_extension where extname = 'amcheck'", "odoo")).toBe("0");
    const found = await findIntegrity(app.records, "sandbox");
    expect(found).toMatchObject({ outcome: "sound", checksums: false, wrong: [] });
    expect(found?.tables).toBe(
      Number(server.sql("select count(*) from pg_class where relkind in ('r', 'm', 't')", "odoo")),
    );
    expect(found?.indexes).toBe(Number(server.sql("select count(*) from pg_class where relkind = 'i'", "odoo")));
    expect(await findings()).toEqual(["IPAI-DB-003 warn"]);
  });

  it("uses an extension amcheck that is there already, and leaves it", async () => {
    server.sql("create extension amcheck", "odoo");
    expect((await check()).outcome).toBe("succeeded");
    expect(server.sql("select count(*) from pg_extension where extname = 'amcheck'", "odoo")).toBe("1");
    server.sql("drop extension amcheck", "odoo");
  });

  it("names an index with a flipped byte, its table and its model; by script too; made anew it is sound", async () => {
    flip({ of: "res_partner_name_index", at: "Partner 2500" });
    const run = await check();
    expect(run.error).toMatchObject({ code: "database.damaged" });
    expect(run.error?.message).toContain(
      "index public.res_partner_name_index of public.res_partner (model res.partner)",
    );
    expect(await findings()).toEqual(["IPAI-DB-002 fail", "IPAI-DB-003 warn"]);
    const script = renderScript(await app.plan("database check", "sandbox", {}));
    const byHand = await runProgram("bash", ["-c", script], { env: { run_id: "byhand" } });
    expect([byHand.exitCode, byHand.stdout + byHand.stderr]).toEqual([
      4,
      expect.stringContaining("res_partner_name_index"),
    ]);
    server.sql("reindex index res_partner_name_index", "odoo");
    expect((await check()).outcome).toBe("succeeded");
    expect((await runProgram("bash", ["-c", script], { env: { run_id: "byhand" } })).exitCode).toBe(0);
  });

  it("names a table with flipped bytes, and no backup is removed until it is sound", async () => {
    // The first line pointer of a page: where its row begins, how long it is, and of which kind.
    const pointer = { at: 2 * page + 24, length: 4 };
    const turnBack = flip({ of: "res_partner", ...pointer }, { of: "res_partner_category_rel", ...pointer });
    const run = await check();
    expect(run.error?.message).toContain("table public.res_partner (model res.partner)");
    expect(run.error?.message).toContain("table public.res_partner_category_rel (model res.partner)");
    expect(run.error?.message).not.toContain("unlinked");
    await expect(app.plan("backup prune", "sandbox", {})).rejects.toMatchObject({ code: "backup.removal_held" });
    turnBack();
    expect((await check()).outcome).toBe("succeeded");
    await expect(app.plan("backup prune", "sandbox", {})).resolves.toBeDefined();
  });

  it("finds a row that an index does not know", async () => {
    server.sql("update pg_index set indisready = false where indexrelid = 'unlinked_pkey'::regclass", "odoo");
    server.sql("insert into unlinked values (6000)", "odoo");
    server.sql("update pg_index set indisready = true where indexrelid = 'unlinked_pkey'::regclass", "odoo");
    expect((await check()).error?.message).toMatch(
      /index public\.unlinked_pkey of public\.unlinked: .*lacks matching index tuple/,
    );
    server.sql("reindex table unlinked", "odoo");
  });

  it("says what it could not read because somebody holds it, and tells that from damage", async () => {
    const held = runProgram("runuser", [
      ...["-u", "postgres", "--", "psql", "-h", join(server.folder, "run"), "-p", "29441", "-XAtq", "-d", "odoo"],
      ...["-c", "begin; lock table unlinked; select pg_sleep(60)"],
    ]);
    const locks =
      "select count(*) from pg_locks where relation = 'unlinked'::regclass and mode = 'AccessExclusiveLock'";
    while (server.sql(locks, "odoo") === "0") await new Promise((resolve) => setTimeout(resolve, 50));
    const run = await check();
    server.sql(
      "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep%' and pid <> pg_backend_pid()",
    );
    await held;
    expect(run.error).toMatchObject({ code: "database.check_incomplete" });
    expect(run.error?.message).toContain("unlinked");
    expect(await findings()).toEqual(["IPAI-DB-002 warn", "IPAI-DB-003 warn"]);
    expect((await listSteps(app.control, run.id)).map(({ step, outcome }) => `${step} ${outcome}`)).toEqual([
      ...["pages succeeded", "note succeeded", "sound failed"],
    ]);
  });

  it("with checksums finds any flipped bit, and warns no more of their absence", async () => {
    control("stop");
    server.shell('/usr/lib/postgresql/15/bin/pg_checksums --enable -D "$1"', join(server.folder, "data"));
    control("start");
    expect((await check()).outcome).toBe("succeeded");
    expect(await findings()).toEqual([]);
    // In the middle of a text: nothing but its checksum knows.
    flip({ of: "res_partner", at: "Partner 150" });
    const run = await check();
    expect(run.error?.message).toMatch(/table public\.res_partner \(model res\.partner\).*invalid page in block \d/);
    expect(run.error?.message).toMatch(/wrong checksum, \d+ times, the last at 20\d\d-\d\d-\d\d \d\d:\d\d UTC/);
    // Repaired, the server still counts what it met, until it is told to forget.
    server.sql("truncate res_partner", "odoo");
    expect((await check()).error?.message).toMatch(/^[^;]*wrong checksum/);
    server.sql("select pg_stat_reset()", "odoo");
    expect((await check()).outcome).toBe("succeeded");
  });
});
