import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { App } from "../../../src/cli/app.ts";
import { createNotary } from "../../../src/cli/notary.ts";
import { findFault, listLinks } from "../../../src/engine/audit.ts";
import type { Run } from "../../../src/engine/journal.ts";
import { listOccurrences } from "../../../src/engine/occurrences.ts";
import { recordInventory } from "../../../src/procedures/backup/calls.ts";
import { booksSql } from "../../../src/procedures/backup/certificate/books.ts";
import {
  certify,
  certifyFailure,
  findCertificate,
  listCertificates,
  requestProof,
} from "../../../src/procedures/backup/certificate/calls.ts";
import { books, isBalanced } from "../../../src/procedures/backup/certificate/content.ts";
import { checkDocument } from "../../../src/procedures/backup/certificate/sign.ts";
import { aboutSql } from "../../../src/procedures/backup/manifest.ts";
import { type BackupApp, scopeOf, startBackupApp } from "../../harness/backup-app.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { ipai, parsed, run as runProgram } from "../../harness/sandbox.ts";

/** Certificates in a real catalogue, of verifications that fail and of what one that succeeds has found. */
let test: BackupApp;
let app: App;
let failed: Run;

beforeAll(async () => {
  test = await startBackupApp(() => ({}));
  app = test.app;
  // A set without a dump: its verification begins, and fails.
  await test.make("night01", new Date("2026-11-24T18:00:00Z"));
  failed = await test.carryOut("backup verify", { backup: "night01" });
});
afterAll(() => test[Symbol.asyncDispose]());

const environment = () => ({ ...process.env, IPAI_HOME: test.home, IPAI_DATABASE_URL: undefined });
const notary = () => createNotary(app.control, environment());
const certificates = () => listCertificates(app.records, "sandbox", 50);
const subject = { stack: "sandbox", timezone: "Asia/Manila", backup: "night01", repository: "/r", place: "local" };
const found = {
  ...{ postgres: "15.18", cluster: "74", odoo: "Odoo Server 19.0", tables: 3, rows: 9, attachments: 1, unsound: 0 },
  about: {
    database: "odoo",
    databaseBytes: 5,
    takenAt: "2026-11-24T18:00:00Z",
    server: "15.18",
    modules: { base: "19.0.1.3" },
  },
  automation: { isDumped: true, workflows: 12, credentials: 3, exported: 12 },
  books: null,
  login: { user: "ana", uid: 2, company: "A" },
};
const certified = async () =>
  (await listLinks(app.control))
    .filter(({ action }) => action === "proof.certified")
    .map(({ detail }) => detail["digest"]);

describe("a verification that fails", () => {
  it("leaves a signed certificate that says where and why, and who began it", async () => {
    expect(failed.outcome).toBe("undone");
    const document = await findCertificate(app.records, "sandbox", "night01");
    expect(document?.certificate).toMatchObject({
      ...{ verdict: "failed", counts: null, books: null, login: null },
      set: { id: "night01", takenAt: "2026-11-24T18:00:00.000Z", databaseBytes: 1 },
      verification: { run: failed.id, actor: "anna", plan: failed.plan_hash },
      failure: { step: "Read the backup from the repository", code: failed.error?.code },
    });
    expect(document?.certificate.verification.phases.map(({ name }) => name)).toEqual(["check", "fetch"]);
    expect(await certified()).toEqual([document?.digest]);
    for (const wanted of ["latest", failed.id])
      expect(await findCertificate(app.records, "sandbox", wanted)).toEqual(document);
    // Whoever may look at another stack alone finds nothing here.
    for (const wanted of ["latest", failed.id, "night01"])
      expect(await findCertificate(app.records, "other", wanted)).toBeUndefined();
  });

  it("is certified once, however often it is asked for", async () => {
    const before = await certificates();
    await certifyFailure(app.records, notary())(subject, scopeOf(failed.id));
    await certify(app.records, notary())({ ...subject, ...found }, scopeOf(failed.id));
    expect(await certificates()).toEqual(before);
    expect(await certified()).toHaveLength(1);
  });
});

describe("the key of the control plane", () => {
  it("is made once, for this user alone, and signs what openssl can check", async () => {
    const file = join(test.home, "certificate.key");
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const before = await readFile(file, "utf8");
    const signers = await Promise.all(Array.from({ length: 8 }, () => notary().signer()));
    expect(new Set(signers.map(({ fingerprint }) => fingerprint)).size).toBe(1);
    expect(await readFile(file, "utf8")).toBe(before);
    const script = `
      set -euo pipefail
      cd "$1"
      jq -r .signature certificate.json | base64 -d > signature
      jq -cjS .certificate certificate.json > text
      [ "$(sha256sum < text | cut -d " " -f 1)" = "$(jq -r .digest certificate.json)" ]
      openssl pkeyutl -verify -pubin -inkey public.pem -rawin -in text -sigfile signature
      printf x >> text
      ! openssl pkeyutl -verify -pubin -inkey public.pem -rawin -in text -sigfile signature`;
    const json = await ipai(["--config", test.config, "backup", "certificate", "night01", "--json"], {
      env: environment() as never,
    });
    const key = await ipai(["backup", "certificate", "key"], { env: environment() as never });
    const write = (name: string, text: string) =>
      runProgram("sh", ["-c", 'cat > "$1"', "write", join(test.folder, name)], { stdin: text });
    await write("certificate.json", json.stdout);
    await write("public.pem", key.stdout);
    expect(key.stdout).toBe(`${signers[0]?.publicKey}`);
    const checked = await runProgram("bash", ["-c", script, "check", test.folder]);
    expect([checked.exitCode, checked.stdout]).toEqual([0, expect.stringContaining("Signature Verified Successfully")]);
  });

  it("checks its own certificates without being named", async () => {
    const [document] = await certificates();
    const signer = await notary().signer();
    if (document === undefined) throw new TypeError("there is a certificate");
    checkDocument("c.json", document, { pem: signer.publicKey, where: "own" });
    const told = await ipai(["backup", "certificate", "verify", join(test.folder, "certificate.json"), "--json"], {
      env: environment() as never,
    });
    expect(parsed(told)).toMatchObject({ holds: true, page: null, digest: document.digest });
  });
});

describe("a certificate", () => {
  it("outlives the set that it is of", async () => {
    const removed = { stack: "sandbox", removed: ["night01"], missing: [], found: [] };
    await recordInventory(app.records)(removed, scopeOf("prune"));
    const listed = await ipai(["--config", test.config, "backup", "certificate", "list"], {
      env: environment() as never,
    });
    expect(listed.stdout).toMatch(/night01 .*NOT PROVEN +anna/);
    expect(findFault(await listLinks(app.control))).toBeUndefined();
  });

  it("is refused by its code when there is none, and written over no file", async () => {
    const ask = (...args: readonly string[]) =>
      ipai(["--config", test.config, "backup", "certificate", ...args, "--json"], { env: environment() as never });
    const none = await ask("night99");
    expect([none.exitCode, parsed<{ error: { code: string } }>(none).error.code]).toEqual([
      26,
      "certificate.not_found",
    ]);
    const there = await ask("night01", "--pdf", test.config);
    expect([there.exitCode, parsed<{ error: { code: string } }>(there).error.code]).toEqual([
      14,
      "certificate.file_exists",
    ]);
    const other = await ask("verify", test.config);
    expect([other.exitCode, parsed<{ error: { code: string } }>(other).error.code]).toEqual([
      14,
      "certificate.unreadable",
    ]);
  });
});

describe("a backup that is to be proven at once", () => {
  it("asks a worker for it, once", async () => {
    const scope = {
      ...scopeOf(failed.id),
      scope: { ...scopeOf(failed.id).scope, run: { id: failed.id, startedAt: "2026-11-25T01:00:00.000Z" } },
    };
    for (let index = 0; index < 2; index++) await requestProof(notary())({ stack: "sandbox" }, scope);
    expect(await listOccurrences(app.control, "sandbox", 5, "once-proof")).toMatchObject([
      { procedure: "backup verify", input: { backup: failed.id }, actor: "anna", state: "due" },
    ]);
  });
});

/** The tables of Odoo's accounting, as far as a trial balance reads them. */
const ledger = `
create table res_currency (id int primary key, name text);
create table res_company (id int primary key, name text, currency_id int);
create table account_move (id int primary key, name text, company_id int, state text, date date);
create table account_move_line (id serial, move_id int, debit numeric, credit numeric, currency_id int, amount_currency numeric);
insert into res_currency values (1, 'PHP'), (2, 'USD');
insert into res_company values (1, 'Peña Trading', 1), (2, 'Export', 2), (3, 'Nothing posted', 1);
insert into account_move values (1, 'A/1', 1, 'posted', '2026-01-31'), (2, 'A/2', 1, 'posted', '2026-02-28'), (3, 'A/3', 1, 'draft', '2026-12-31'),
  (4, 'B/1', 2, 'posted', '2025-12-31'), (5, 'B/2', 2, 'posted', '2026-03-01'), (6, 'C/1', 3, 'cancel', '2026-01-01'), (7, 'A/4', 1, 'posted', '2026-03-01');
insert into account_move_line (move_id, debit, credit, currency_id, amount_currency) values
  (1, 90071992547409910.01, 0, 1, 90071992547409910.01), (1, 0, 90071992547409910.01, 1, -90071992547409910.01),
  (2, 56.1, 0, 2, 1.00), (2, 0, 56.10, 1, -56.1), (3, 1000000, 0, 1, 1000000),
  (4, 10, 0, 2, 10), (4, 0, 10.01, 2, -10.01), (5, 5.01, 0, 2, 5.01), (5, 0, 5, 2, -5);
`;

const setTables = `
create table ir_attachment (id int, store_fname text);
create table ir_module_module (name text, state text, latest_version text);
insert into ir_module_module values ('base', 'installed', '19.0.1.3'), ('draft', 'installed', null), ('crm', 'uninstalled', null);
`;

describe("the trial balance", () => {
  let control: TestControl;
  beforeAll(async () => {
    control = await startControl();
    await psql("create database ledger", "postgres");
  });
  afterAll(() => control[Symbol.asyncDispose]());

  async function psql(text: string, database = "ledger", variables: readonly string[] = []): Promise<string> {
    const place = ["-h", join(control.home, "control/socket"), "-U", "ipai", "-d", database];
    const options = ["ON_ERROR_STOP=1", ...variables].flatMap((one) => ["-v", one]);
    const ended = await runProgram("psql", ["-XAtq", ...options, ...place], { stdin: text });
    expect(ended.stderr).toBe("");
    return ended.stdout;
  }

  it("is signed with what a set says about itself, in the words of the backup that wrote it", async () => {
    await psql(setTables, "postgres");
    const about = JSON.parse(await psql(aboutSql, "postgres", ["takenAt=2026-11-25T19:10:47Z"]));
    const system = (await psql("select system_identifier from pg_control_system()", "postgres")).trim();
    // Two readers, two members: one for the certificate, one for whoever makes the server anew.
    expect(about).toMatchObject({ systemIdentifier: system, cluster: { version: expect.stringMatching(/^\d+$/) } });
    const account = {
      actor: "anna",
      planHash: "5".repeat(64),
      startedAt: "2026-11-25T19:11:00.000Z",
      steps: [],
      failure: null,
    };
    const witness = { ...notary(), account: async () => account };
    await certify(app.records, witness)({ ...subject, ...found, backup: "night02", about }, scopeOf("verify02"));
    expect((await findCertificate(app.records, "sandbox", "verify02"))?.certificate).toMatchObject({
      ...{ verdict: "proven", set: { id: "night02", takenAt: "2026-11-25T19:10:47.000Z", database: "postgres" } },
      source: { cluster: system, modules: { base: "19.0.1.3", draft: null } },
    });
    const odd = { ...subject, ...found, about: { ...about, systemIdentifier: {} } };
    await expect(certify(app.records, witness)(odd, scopeOf("verify03"))).rejects.toMatchObject({
      code: "certificate.set_unreadable",
    });
  });

  const read = async () => JSON.parse(await psql(booksSql)) as { companies: unknown; unbalanced: string };

  it("is null where accounting is not installed", async () => {
    expect(await read()).toEqual({ companies: null, unbalanced: "" });
  });

  it("adds up what is posted, exactly, and finds entries that only balance together", async () => {
    await psql(ledger);
    const { companies, unbalanced } = await read();
    const parsedBooks = books.parse(companies);
    expect(parsedBooks).toEqual([
      {
        ...{ company: "Peña Trading", currency: "PHP", debit: "90071992547409966.11", credit: "90071992547409966.11" },
        ...{ moves: 3, unbalanced: 0, lastDate: "2026-03-01" },
        foreign: [{ currency: "USD", debit: "1.00", credit: "0" }],
      },
      {
        ...{ company: "Export", currency: "USD", debit: "15.01", credit: "15.01" },
        ...{ moves: 2, unbalanced: 2, lastDate: "2026-03-01", foreign: [] },
      },
    ]);
    expect(parsedBooks?.map(isBalanced)).toEqual([true, false]);
    expect(unbalanced).toBe("Export: 2 of 2 posted entries do not balance, such as B/1");
  });
});
