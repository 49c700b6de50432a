import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CertificateDocument } from "../../src/procedures/backup/certificate/content.ts";
import { at, type BackupJson, backups, refusal, runJson, testFolder } from "../harness/backups.ts";
import { collectGarbage, type Load, logIn, postEntries, repeat, userOf, write } from "../harness/odoo.ts";
import {
  basePort,
  folder,
  inOdoo,
  inTools,
  ipai,
  isCompose,
  leftovers,
  parsed,
  places,
  psql as psqlWords,
  type RunJson,
  root,
  run,
  serves,
  sql,
  there,
  until,
  urls,
} from "../harness/sandbox.ts";

/**
 * One backup and its proof, made while users write, Odoo cleans its files up and one attachment is missing; every test looks at
 * another side of it.
 */
let backup: RunJson;
let proof: RunJson;
let entry: BackupJson;
let visits: Awaited<ReturnType<Load["stop"]>>;
let writes: Awaited<ReturnType<Load["stop"]>>;
let copy: ReadonlyMap<string, string>;
let session: string;
let cronsBefore: string;
let lost: string;
let desk: string;
let passwords: string;

const passwordsSql = "select md5(string_agg(concat(id, ' ', password), ', ' order by id)) from res_users";
const activeCrons = "select string_agg(id::text, ' ' order by id) from ir_cron where active";
const neutralizeFile = join(folder, "addons/ipai_demo_ledger/data/neutralize.sql");

beforeAll(async () => {
  desk = await testFolder();
  await writeFile(
    neutralizeFile,
    "insert into ir_config_parameter (key, value) values ('test.own_neutralization', 'done');",
  );
  lost = await sql("select store_fname from ir_attachment where store_fname is not null order by id limit 1");
  await there("rm", `${places.filestore}/odoo/${lost}`);
  session = await logIn();
  await postEntries([100.1, 50.25], "2026-01-31");
  passwords = await sql(passwordsSql);
  cronsBefore = await sql(activeCrons);
  const writer = write();
  const visitor = repeat(async () => {
    if (!(await serves(urls.public))) throw new Error("no login page");
  }, 500);
  const [made] = await Promise.all([
    runJson(["backup"], at("do:folder/files held/take/dump:before", untilCleanUpWaits)),
    until("the clean-up is held off", async () => (await sql(holding)) !== "0").then(collectGarbage),
  ]);
  backup = made;
  const look = join(desk, "look");
  proof = await runJson(["backup", "verify"], at("do:folder/cluster/odoo/serve the copy:recorded", lookScript(look)));
  visits = await visitor.stop();
  writes = await writer.stop();
  copy = new Map((await readFile(look, "utf8")).split("\n").map((line) => line.split("=", 2) as [string, string]));
  entry = (await backups())[0] as BackupJson;
}, 300_000);

afterAll(async () => {
  await rm(desk, { recursive: true });
  await rm(neutralizeFile);
});

const holding = "select count(*) from pg_stat_activity where application_name like 'ipai % %'";
const wantsLock =
  "select count(*) from pg_locks where relation = 'ir_attachment'::regclass and mode = 'ShareLock' and not granted";
const quoted = (word: string) => `'${word}'`;

/** Odoo's clean-up of files stands before its lock when the dump begins. */
const untilCleanUpWaits = `
ask() { ${psqlWords.map(quoted).join(" ")} -d odoo -c "$1"; }
until [ "$(ask "${wantsLock}")" -gt 0 ]; do sleep 0.1; done`;

/** How many sequences stand below the highest number in their column. */
const behindSql = `
select format('%s of %s', count(*) filter (where used > coalesce(last, 0)), count(*)) from (
  select pg_sequence_last_value(s.oid) as last, (xpath('/row/max/text()',
      query_to_xml(format('select max(%I) from %s', attname, attrelid::regclass), false, true, '')))[1]::text::bigint as used
    from pg_class s join pg_depend d on d.objid = s.oid and d.classid = 'pg_class'::regclass and d.deptype = 'a'
    join pg_attribute on attrelid = refobjid and attnum = refobjsubid where s.relkind = 'S') sequences`;

/**
 * What can be seen of the copy and its Odoo while it serves: lines of NAME=VALUE in a file. With what the smallest image has: a process's
 * sockets are numbers among its open files, and rows of the kernel's table.
 */
function lookScript(file: string): string {
  return `
portsOf='${portsScript}'
tools() { ${inTools.map(quoted).join(" ")} "$@"; }
odoo() { ${inOdoo.map(quoted).join(" ")} "$@"; }
proof=$(tools sh -c 'echo ${places.work}/proof/*')
pid=$(tools cat $proof/odoo.pid)
cluster=$(tools head -1 $proof/cluster/postmaster.pid)
ask() { tools runuser -u postgres -- psql -XAtq -h $proof/socket -d copy -c "$1"; }
listens=$(odoo sh -c "$portsOf" ports $pid)
outside=$(odoo hostname -I | awk '{print $1}')
{
  echo "listens=$listens"
  echo "outside=$outside"
  echo "reached=$(odoo curl -s -m 5 -o /dev/null http://$outside:$((0x\${listens##*:}))/web/login && echo yes || echo no)"
  echo "cluster=$(tools sh -c "$portsOf" ports $cluster | wc -l)"
  echo "folders=$(odoo cat /proc/$pid/cmdline | tr '\\0' '\\n' | grep data-dir | tr = :)"
  echo "files=$(odoo ls -l /proc/$pid/fd | grep -c "${places.filestore}" || true)"
  echo "active=$(ask "select string_agg(cron_name, ', ') from ir_cron where active")"
  echo "lastcall=$(ask "select to_char(coalesce(max(lastcall), '2000-01-01'), 'YYYY-MM-DD\\"T\\"HH24:MI:SS\\"Z\\"') from ir_cron")"
  echo "mail=$(ask "select string_agg(name, ', ') from ir_mail_server where active")"
  echo "own=$(ask "select value from ir_config_parameter where key = 'test.own_neutralization'")"
  echo "behind=$(ask "${behindSql}")"
} > ${file}`;
}

/** The local addresses, in hexadecimal, at which a process listens. */
const portsScript = `for file in /proc/$1/fd/*; do readlink "$file"; done | sed -n "s/^socket:.\\([0-9]*\\).*/\\1/p" > /tmp/ports.$$
awk "NR == FNR { own[\\$1] = 1; next } \\$4 == \\"0A\\" && \\$10 in own { print \\$2 }" /tmp/ports.$$ /proc/net/tcp /proc/net/tcp6
rm /tmp/ports.$$`;

describe("a backup made while Odoo writes", () => {
  it("succeeds, and its run is told as JSON", () => {
    expect(backup).toMatchObject({ procedure: "backup", stack: "sandbox", outcome: "succeeded", undoClass: "instant" });
    expect(Object.keys(backup)).toEqual([
      ...["run", "procedure", "stack", "title", "actor", "planHash", "consentsNeeded", "createdAt", "waitingFor"],
      ...["outcome", "startedAt", "finishedAt", "seconds", "undoClass", "steps"],
    ]);
    expect(Object.keys(backup.steps[0] ?? {})).toEqual(["id", "title", "outcome", "seconds", "attempts"]);
    expect(writes.done).toBeGreaterThan(5);
    expect(writes.failures).toEqual([]);
  });

  it("is proven whole: every table, every row, every attachment", async () => {
    expect(proof.outcome).toBe("succeeded");
    expect(entry.id).toBe(backup.run);
    expect(entry.proof).toMatchObject({ mismatches: 0, attachments: entry.files });
    const tables = "select count(*) from pg_tables where schemaname = 'public'";
    expect(entry.proof?.tables).toBe(Number(await sql(tables)));
    expect(entry.proof?.rows).toBeGreaterThan(30_000);
  });

  it("is listed with the agreed members", () => {
    expect(Object.keys(entry)).toEqual(
      expect.arrayContaining(["id", "takenAt", "databaseBytes", "storedBytes", "files", "seconds", "proof", "unsound"]),
    );
    expect(Object.keys(entry.proof ?? {})).toEqual(
      expect.arrayContaining(["at", "seconds", "tables", "rows", "attachments", "mismatches"]),
    );
    expect(Date.parse(entry.takenAt)).toBeLessThan(Date.parse(entry.proof?.at ?? ""));
    expect(entry.storedBytes).toBeLessThan(entry.databaseBytes);
  });

  it("says which attachment was lost before, and the proof accepts exactly that one", () => {
    expect(entry.unsound).toBe(1);
    const finding = backup.steps.find((step) => step.id === "lost");
    expect(finding).toMatchObject({ outcome: "failed", error: { code: "backup.attachments_lost" } });
    expect(JSON.stringify(finding)).toContain(lost);
  });

  it("costs nobody a page, and writers no more than the clean-up's own patience", () => {
    expect(visits.failures).toEqual([]);
    expect(visits.done).toBeGreaterThan(20);
    expect(writes.slowestMs).toBeLessThan(15_000);
  });

  it("leaves sessions and scheduled actions as they are", async () => {
    expect(await userOf(session)).toBe(2);
    expect(await sql(activeCrons)).toBe(cronsBefore);
  });

  it("leaves nothing behind", async () => {
    expect(await leftovers()).toEqual([]);
    expect((await there("ls", places.work)).split("\n")).not.toContain("backup");
  });
});

describe("the copy that a proof serves from", () => {
  it("is reached from the loopback interface only", () => {
    // 127.0.0.1, as the kernel writes it.
    expect(copy.get("listens")).toMatch(/^0100007F:[0-9A-F]{4}$/);
    expect(copy.get("outside")).toMatch(/\d/);
    expect(copy.get("reached")).toBe("no");
    expect(copy.get("cluster")).toBe("0");
  });

  it("has its own files", () => {
    expect(copy.get("folders")).toBe(`--data-dir:${places.work}/proof/${proof.run}/odoo`);
    expect(copy.get("files")).toBe("0");
  });

  it("is neutralized, by the stack's own modules too", () => {
    expect(copy.get("active")).toBe("");
    expect(copy.get("mail")).toBe("neutralization - disable emails");
    expect(copy.get("own")).toBe("done");
  });

  it("has run no scheduled action", () => {
    // A stack that has just been made may have run none either.
    expect(Date.parse(copy.get("lastcall") ?? "")).toBeLessThanOrEqual(Date.parse(entry.takenAt));
  });

  it("has no sequence that gives an id out again", () => {
    expect(copy.get("behind")).toMatch(/^0 of [1-9]\d\d$/);
  });
});

describe("the certificate of a proof", () => {
  let document: CertificateDocument;
  const check = (file: string, ...more: readonly string[]) => ipai(["backup", "certificate", "verify", file, ...more]);

  it("says who, what, how much and how long, and whether the books balance", async () => {
    document = parsed<CertificateDocument>(await ipai(["backup", "certificate", backup.run, "--json"]));
    const { certificate } = document;
    const production = await sql("select system_identifier from pg_control_system()");
    const { tables, rows, attachments } = entry.proof ?? {};
    expect(certificate).toMatchObject({
      verdict: "proven",
      set: {
        id: backup.run,
        takenAt: new Date(entry.takenAt).toISOString(),
        database: "odoo",
        databaseBytes: entry.databaseBytes,
      },
      source: { cluster: production, modules: { account: expect.any(String), base: expect.any(String) } },
      verification: { run: proof.run, actor: proof.actor, plan: proof.planHash },
      restored: { odoo: expect.stringContaining("Odoo Server") },
      counts: { tables, rows, attachments, unsound: 1 },
      login: { user: "admin", uid: 2 },
      failure: null,
    });
    expect(certificate.restored?.cluster).toMatch(/^\d{15,}$/);
    expect(certificate.restored?.cluster).not.toBe(production);
    const [book, ...others] = certificate.books ?? [];
    expect([Number(book?.debit), Number(book?.credit), book?.moves, book?.unbalanced, book?.lastDate, others]).toEqual([
      ...[150.35, 150.35, 2, 0, "2026-01-31", []],
    ]);
    expect(certificate.verification.phases.map(({ name }) => name)).toEqual([
      ...["check", "fetch", "restore", "compare", "serve"],
    ]);
  });

  it("holds as JSON and as a page, and shows every change of either", async () => {
    const [json, pdf, key] = ["c.json", "c.pdf", "key.pem"].map((name) => join(desk, name)) as [string, string, string];
    await writeFile(json, JSON.stringify(document));
    expect((await ipai(["backup", "certificate", backup.run, "--pdf", pdf])).exitCode).toBe(0);
    await writeFile(key, (await ipai(["backup", "certificate", "key"])).stdout);
    // Another machine: neither a configuration nor a control database, only the public key.
    const elsewhere = { directory: desk, env: { IPAI_HOME: join(desk, "nowhere") } };
    for (const file of [json, pdf]) {
      const ended = await ipai(["backup", "certificate", "verify", file, "--key", key], elsewhere);
      expect([ended.exitCode, ended.stdout]).toEqual([0, expect.stringContaining(document.digest)]);
    }
    expect(refusal(await ipai(["backup", "certificate", "verify", json, "--json"], elsewhere)).code).toBe(
      "certificate.no_key",
    );
    await writeFile(json, JSON.stringify(document).replace('"unsound":1', '"unsound":0'));
    const page = await readFile(pdf);
    // The digits of the date of the page: nothing that is signed.
    page.write("7", page.indexOf("/CreationDate (D:20") + "/CreationDate (D:20".length);
    await writeFile(pdf, page);
    for (const file of [json, pdf]) {
      const broken = await check(file, "--json");
      expect([broken.exitCode, refusal(broken).code]).toEqual([24, "certificate.broken"]);
    }
  });

  it("is named in the audit, and made with a password that production never had", async () => {
    const links = (await ipai(["audit", "export"])).stdout.trim().split("\n");
    const told = links.map((line) => JSON.parse(line) as { action: string; subject: string; detail: object });
    expect(told.filter(({ action, subject }) => action === "proof.certified" && subject === proof.run)).toMatchObject([
      { detail: { digest: document.digest, verdict: "proven", set: backup.run } },
    ]);
    expect(await sql(passwordsSql)).toBe(passwords);
  });
});

describe("the next backup", () => {
  let next: RunJson;

  it("keeps out another one meanwhile, which is told whose folder it is", async () => {
    const wait = `touch ${desk}/there; until [ -e ${desk}/go ]; do sleep 0.1; done`;
    const first = runJson(["backup"], at("do:folder/files held/take/dump:before", wait));
    await until("the first one is about to dump", async () => (await readdir(desk)).includes("there"));
    const second = await runJson(["backup"]);
    await writeFile(join(desk, "go"), "");
    next = await first;
    expect(second).toMatchObject({ outcome: "failed-and-undone", error: { code: "backup.under_way" } });
    expect(second.error?.message).toContain(next.run);
    expect(await leftovers()).toEqual([]);
  });

  it("stores only what has changed, and the older one stays proven", async () => {
    expect(next.outcome).toBe("succeeded");
    const [newest, older] = await backups();
    expect(newest).toMatchObject({ id: next.run, proof: null });
    expect(newest?.storedBytes).toBeLessThan(entry.databaseBytes / 20);
    // The rules that keep it are others beside a newer one.
    expect(older).toEqual({ ...entry, kept: older?.kept, removableAt: older?.removableAt });
    expect(older?.kept).toContain("the last proven");
  });
});

describe("what is there", () => {
  it("is read page by page, and so is what the repository has, without a finding", async () => {
    for (const words of [
      ["database", "check"],
      ["backup", "check"],
    ]) {
      const checked = await runJson(words);
      expect([words, checked.outcome, checked.error]).toEqual([words, "succeeded", undefined]);
      expect(checked.steps.filter(({ outcome }) => outcome !== "succeeded")).toEqual([]);
    }
    expect(await leftovers()).toEqual([]);
  });
});

/** The commands that a page gives after a line, with what they stand for put in its place. */
async function byHand(page: string, after: string, places: Readonly<Record<string, string>>): Promise<string> {
  const text = await readFile(join(root, "docs/operating", page), "utf8");
  const from = text.indexOf("```sh\n", text.indexOf(after)) + "```sh\n".length;
  return Object.entries(places).reduce(
    (script, [word, place]) => script.replaceAll(word, place),
    text.slice(from, text.indexOf("```", from)),
  );
}

const typed = (script: string, env: Readonly<Record<string, string>>) =>
  run("bash", ["-euo", "pipefail", "-c", script], { env });

// Typed on the machine where restic and PostgreSQL are.
describe.skipIf(isCompose)("a set, by hand and without ipai", () => {
  const repository = { RESTIC_REPOSITORY: places.repository, RESTIC_PASSWORD_FILE: places.password };
  const entries = "select count(*), sum(amount) from ipai_demo_entry";

  it("comes back beside the database that serves, by the commands of the page", async () => {
    const server = { PGHOST: join(folder, "run"), PGPORT: String(basePort + 1) };
    const script = await byHand("when-it-stops.md", "To restore a backup without", {
      "/srv/backup/restic": places.repository,
      "/etc/ipai/repository-password": places.password,
      "20261124t215046_0ad3": backup.run,
      "/var/tmp/set": join(desk, "beside"),
    });
    expect(await typed(script, server)).toMatchObject({ exitCode: 0 });
    const look = [...psqlWords.slice(1), "--dbname=odoo_restored", "--command", entries];
    expect((await run(psqlWords[0], look)).stdout).toMatch(/^[1-9]\d*\|\d/);
    await sql("drop database odoo_restored", "postgres");
  });

  it("comes back on a server that has nothing, roles and all, by the commands of the other page", async () => {
    const [data, set] = [join(desk, "server"), join(desk, "set")];
    const pg = `runuser -u postgres -- /usr/lib/postgresql/15/bin`;
    const server = { PGHOST: desk, PGPORT: "5432", ...repository };
    await run("chmod", ["0777", desk]);
    const begin = `${pg}/initdb -D ${data} >/dev/null && ${pg}/pg_ctl -D ${data} -o "-k ${desk} -h ''" -w -l ${data}/log start`;
    expect(await typed(begin, {})).toMatchObject({ exitCode: 0 });
    try {
      const script = await byHand("disaster-recovery.md", "## By hand", {
        STACK: "sandbox",
        "run=ID": `run=${backup.run}`,
        "/srv/set": set,
        "/var/lib/odoo": join(desk, "odoo"),
        DATABASE: "odoo",
      });
      expect(await typed(`mkdir -p ${join(desk, "odoo/filestore")}\n${script}`, server)).toMatchObject({ exitCode: 0 });
      const look = (what: string) =>
        run("runuser", ["-u", "postgres", "--", "psql", "-XAtc", what, "odoo"], { env: server });
      expect((await look(entries)).stdout).toMatch(/^[1-9]\d*\|\d/);
      expect((await look("select pg_get_userbyid(datdba) from pg_database where datname = 'odoo'")).stdout).toBe(
        "odoo\n",
      );
      expect(await readdir(join(desk, "odoo/filestore/odoo"))).not.toEqual([]);
    } finally {
      await typed(`${pg}/pg_ctl -D ${data} -m immediate stop`, {});
    }
  }, 120_000);
});

describe("a proof of a backup that there is not", () => {
  it("is refused before anything is begun", async () => {
    const ended = await ipai(["backup", "verify", "20200101t000000_0000", "--yes", "--json"]);
    expect(ended.exitCode).toBe(26);
    expect(refusal(ended).code).toBe("backup.not_found");
  });
});
