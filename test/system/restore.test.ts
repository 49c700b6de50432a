import { createHash } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  at,
  backups,
  configWith,
  copyRepository,
  refusal,
  runJson,
  storeChanged,
  testFolder,
} from "../harness/backups.ts";
import { call } from "../harness/odoo.ts";
import { bring, installedCode } from "../harness/release.ts";
import {
  folder,
  inTools,
  ipai,
  isCompose,
  isThere,
  leftovers,
  parsed,
  places,
  psql,
  type RunJson,
  run,
  serves,
  sql,
  there,
  until,
  urls,
} from "../harness/sandbox.ts";

/** A set brought back on a real Odoo: whole, the database or the filestore alone, and not at all when something is wrong. */

const filestore = (database = "odoo") => `${places.filestore}/${database}`;

const pathOf = (content: string) => {
  const sum = createHash("sha1").update(content).digest("hex");
  return `${sum.slice(0, 2)}/${sum}`;
};

/** A record of the ledger, with a document. */
async function enter(name: string, content: string): Promise<number> {
  const partner = await call<number>("res.partner", "create", { name: `Restore: ${name}` });
  await call("ir.attachment", "create", {
    name: `restore-${name}.txt`,
    datas: Buffer.from(content).toString("base64"),
    ...{ res_model: "res.partner", res_id: partner },
  });
  return partner;
}

const partners = (database = "odoo") =>
  sql(
    "select coalesce(string_agg(name, ', ' order by name), '') from res_partner where name like 'Restore: %'",
    database,
  );

/** What users see in a document, by way of Odoo. */
async function read(name: string): Promise<string> {
  const domain = [["name", "=", `restore-${name}.txt`]];
  const [found] = await call<readonly { datas: string }[]>("ir.attachment", "search_read", domain, ["datas"]);
  return Buffer.from(found?.datas ?? "", "base64").toString();
}

async function everythingServes(): Promise<boolean> {
  return (await Promise.all([urls.public, ...urls.odoo].map(serves))).every(Boolean);
}

const crons = () => sql("select string_agg(id::text, ' ' order by id) from ir_cron where active");

/** What the restore kept goes, and nothing else is left. */
async function forget(id: string): Promise<void> {
  const ended = await runJson(["resources", "close", id]);
  expect([ended.outcome, ended.undoClass]).toEqual(["succeeded", "irreversible"]);
  expect(parsed(await ipai(["resources", "--json"]))).toEqual([]);
  expect(await leftovers()).toEqual([]);
}

const quick = ["--no-backup", "--no-try"];
const [kept, changed, nobodys] = ["the document as it was", "another document", "what nobody keeps"];
let set: string;

beforeAll(async () => {
  await installedCode();
  await enter("kept", kept);
  await enter("deleted", "a document that is deleted");
  set = (await runJson(["backup"])).run;
});

/** After the set: one is renamed, one is deleted with its document's file, one is new. */
async function goOn(): Promise<void> {
  const id = async (name: string) =>
    (await call<readonly number[]>("res.partner", "search", [["name", "=", `Restore: ${name}`]]))[0] ?? 0;
  await call("res.partner", "write", [await id("kept")], { name: "Restore: renamed" });
  const attachments = await call<readonly number[]>("ir.attachment", "search", [["name", "=", "restore-deleted.txt"]]);
  await call("ir.attachment", "unlink", attachments);
  await call("res.partner", "unlink", [await id("deleted")]);
  await there("rm", "-f", `${filestore()}/${pathOf("a document that is deleted")}`);
  await enter("new", changed);
}

afterAll(async () => {
  expect((await ipai(["demo", "reset"])).exitCode).toBe(0);
});

describe("a set", () => {
  let before: { readonly partners: string; readonly crons: string };
  let whole: RunJson;

  it("is shown with what it would lose, before anybody is asked", async () => {
    before = { partners: await partners(), crons: await crons() };
    await goOn();
    const plan = await ipai(["restore", set.slice(-4), "--plan"]);
    expect(plan.exitCode).toBe(0);
    expect(plan.stderr).toMatch(/^The set is [\d.]+ (s|min).* old\./);
    expect(plan.stderr).toMatch(/at least \d+ records were created \(\+\) and \d+ changed \(~\).*res\.partner \+1 ~1/);
    expect(plan.stdout).toContain("because the set is not proven");
    expect(plan.stdout).toContain(`Restore odoo from set ${set}`);
  });

  it("is brought back whole, with what is there now kept in a set and beside", async () => {
    whole = await runJson(["restore", "latest"]);
    expect([whole.outcome, whole.error, whole.undoClass]).toEqual(["succeeded", undefined, "instant"]);
    expect({ partners: await partners(), crons: await crons() }).toEqual(before);
    expect([await read("kept"), await read("deleted"), await read("new")]).toEqual([
      kept,
      "a document that is deleted",
      "",
    ]);
    expect(await isThere(`${filestore()}/${pathOf(changed)}`)).toBe(false);
    expect(await everythingServes()).toBe(true);
  });

  it("was compared, and Odoo was tried on a neutralized copy of it", () => {
    const steps = Object.fromEntries(whole.steps.map(({ id, outcome }) => [id, outcome]));
    const wanted = ["manifest", "attachment list", "sequences", "neutralize", "serve the copy", "lost files"];
    expect(wanted.map((id) => [id, steps[id]])).toEqual(wanted.map((id) => [id, "succeeded"]));
    expect(steps["neutralize past"]).toBeUndefined();
  });

  it("leaves the present beside, which Odoo does not see and which is removed on demand", async () => {
    const name = `odoo_before_${whole.run}`;
    expect(await partners(name)).toBe("Restore: new, Restore: renamed");
    expect(await isThere(`${filestore(name)}/${pathOf(changed)}`)).toBe(true);
    expect(await sql(`select datistemplate from pg_database where datname = '${name}'`, "postgres")).toBe("t");
    const [resource] = parsed<{ id: string; kind: string; openedAt: string; expires: string }[]>(
      await ipai(["resources", "--json"]),
    );
    expect([resource?.id, resource?.kind]).toEqual([whole.run, "kept"]);
    expect(Date.parse(resource?.expires ?? "") - Date.parse(resource?.openedAt ?? "")).toBe(14 * 86_400_000);
    await forget(whole.run);
    const again = await ipai(["run", "restore", "forget", `id=${whole.run}`, "--plan", "--json"]);
    expect([again.exitCode, refusal(again).code]).toEqual([26, "restore.nothing_kept"]);
  });

  it("made before that restore is found, and is not what latest means", async () => {
    const [newest] = await backups();
    const entry = newest as unknown as { id: string; reason: string };
    expect(entry.reason).toBe("before-restore");
    const plan = parsed<{ plan: { facts: { set: string } } }>(await ipai(["restore", "latest", "--plan", "--json"]));
    expect(plan.plan.facts.set).toBe(set);
  });

  it("gives its database alone: the filestore stays, and what was deleted from it comes back", async () => {
    await goOn();
    const ended = await runJson(["restore", set, "--only", "database", ...quick]);
    expect([ended.outcome, ended.error]).toEqual(["succeeded", undefined]);
    expect(await partners()).toBe(before.partners);
    expect([await read("kept"), await read("deleted")]).toEqual([kept, "a document that is deleted"]);
    expect(await isThere(`${filestore()}/${pathOf(changed)}`)).toBe(true);
    expect(await everythingServes()).toBe(true);
    await forget(ended.run);
  });

  it("gives its filestore alone: the database is not touched, and what came since is not lost", async () => {
    await enter("nowhere", nobodys);
    const names = await partners();
    await there("sh", "-c", 'rm -r -- "$1"/[0-9a-f][0-9a-f]', "lose", filestore());
    await enter("newer", "written when all else was lost");
    const ended = await runJson(
      ["restore", set, "--only", "files", ...quick],
      at("do:folder/missing files:recorded", addedMeanwhile("meanwhile", "added while it ran")),
    );
    expect([ended.outcome, ended.error]).toEqual(["succeeded", undefined]);
    expect(await partners()).toBe(`${names}, Restore: newer`.split(", ").sort().join(", "));
    expect([await read("kept"), await read("newer"), await read("meanwhile")]).toEqual([
      kept,
      "written when all else was lost",
      "added while it ran",
    ]);
    // Nobody has this one: it is named, and nothing else is.
    const lost = ended.steps.find(({ id }) => id === "lost files");
    expect(lost?.error?.code).toBe("restore.attachments_missing");
    expect(JSON.stringify(lost?.error)).toContain(pathOf(nobodys));
    expect(JSON.stringify(lost?.error)).not.toContain(pathOf(kept));
    expect(await everythingServes()).toBe(true);
    await sql(
      "delete from ir_attachment where name in ('restore-nowhere.txt', 'restore-newer.txt', 'restore-meanwhile.txt')",
    );
    await forget(ended.run);
  });

  it("with which Odoo does not serve is taken back, and the present serves with all that it has", async () => {
    const names = await partners();
    const breakIt = `update ir_ui_view set arch_db = '{"en_US": "<t t-name=\\"web.login\\"><t t-esc=\\"1/0\\"/></t>"}' where key = 'web.login'`;
    const restoring = runJson(["restore", set, ...quick], brokenPast(breakIt));
    let id = "";
    await until(
      "it waits for Odoo",
      async () => {
        const { leases } = parsed<{ leases: { run: string }[] }>(await ipai(["status", "--json"]));
        id = leases[0]?.run ?? "";
        if (id === "") return false;
        const { steps } = parsed<RunJson>(await ipai(["runs", "show", id, "--json"]));
        return steps.some((step) => step.id.startsWith("serve odoo-accounting") && step.outcome === "running");
      },
      240_000,
    );
    await ipai(["runs", "cancel", id]);
    const ended = await restoring;
    expect(ended.outcome).toBe("cancelled");
    expect(await partners()).toBe(names);
    expect(await read("kept")).toBe(kept);
    expect(await everythingServes()).toBe(true);
    expect(await leftovers()).toEqual([]);
  });
});

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
const psqlLine = psql.map(quoted).join(" ");

/** The restored database is made one that Odoo shows no login page of, after it was compared. */
function brokenPast(statement: string) {
  const find = "select datname from pg_database where datname like 'odoo_past_%'";
  return at(
    "do:folder/sequences:recorded",
    `name=$(${psqlLine} -d postgres -c ${quoted(find)})\n${psqlLine} -d "$name" -c ${quoted(statement)}`,
  );
}

/** A script of what Odoo does when somebody adds a document. */
function addedMeanwhile(name: string, content: string): string {
  const path = pathOf(content);
  const write =
    'mkdir -p -- "$(dirname -- "$1")" && printf %s "$2" > "$1" && chown -R --reference="$3" -- "$(dirname -- "$1")"';
  const words = [...inTools, "sh", "-c", write, "add", `${filestore()}/${path}`, content, filestore()];
  const row =
    "insert into ir_attachment (name, type, store_fname, checksum, file_size, create_uid, write_uid, create_date, write_date) " +
    `values ('restore-${name}.txt', 'binary', '${path}', '${path.slice(3)}', ${content.length}, 2, 2, now(), now())`;
  return `${words.map(quoted).join(" ")}\n${psqlLine} -d odoo -c ${quoted(row)}`;
}

describe.skipIf(isCompose)("a set is refused before anything is begun", () => {
  let desk: string;
  let copy: Awaited<ReturnType<typeof copyRepository>>;
  beforeAll(async () => {
    desk = await testFolder();
    copy = await copyRepository(desk);
  });
  afterAll(() => rm(desk, { recursive: true }));

  const plan = (given: string, ...more: readonly string[]) =>
    ipai(["-c", copy.config, "restore", given, ...more, "--plan", "--json"]);

  it.each([
    ["of a newer server", "99.1", "restore.newer_server", 's/"server" : "[^"]*"/"server" : "99.1"/'],
    ["of another series", "17.0", "restore.series", 's/"base" : "[0-9]*\\.0/"base" : "17.0/'],
    [
      "whose code is not there",
      "ipai_gone",
      "restore.code_missing",
      's/"base" :/"ipai_gone" : "19.0.1.0.0", "base" :/',
    ],
  ])("%s", async (_, named, code, edit) => {
    const id = `20260101t000000_${code.slice(8, 12)}`;
    await storeChanged(copy.repository, set, id, desk, `sed -i ${quoted(edit)} "$1/about"`);
    const ended = await plan(id);
    expect([ended.exitCode, refusal(ended).code]).toEqual([26, code]);
    expect(refusal(ended).message).toContain(named.replace(/\.1$/, ""));
  });

  it("of which there are several, none, or whose repository is away", async () => {
    await storeChanged(copy.repository, set, `${set}2`, desk, "true");
    expect(refusal(await plan(set.slice(0, 12))).code).toBe("backup.ambiguous");
    expect(refusal(await plan("nothing_like_it")).code).toBe("backup.not_found");
    expect(refusal(await plan(set, "--repository", "nowhere")).code).toBe("backup.repository_unknown");
    expect(refusal(await plan(set, "--from", "nowhere")).code).toBe("restore.source_unknown");
    const away = await configWith(join(desk, "away.yaml"), (stack) => {
      const { passwordFile, repository } = stack.backup;
      stack.backup["repository"] = join(desk, "gone");
      stack.backup["copies"] = { nearby: { repository, passwordFile } };
    });
    const ended = await ipai(["-c", away, "restore", set, "--plan", "--json"]);
    expect([refusal(ended).code, refusal(ended).hint]).toEqual([
      "restore.repository_away",
      expect.stringContaining("nearby"),
    ]);
    // Its copy has it.
    const found = await ipai(["-c", away, "restore", set, "--repository", "nearby", "--plan"]);
    expect([found.exitCode, found.stdout]).toEqual([0, expect.stringContaining("from the repository nearby")]);
  });

  it("whose words do not fit together", async () => {
    const codes = [["latest", "--at", "2026-01-01 10:00"], [], ["--at", "2026-01-01 10:00", "--no-backup"]];
    const said = await Promise.all(codes.map((words) => ipai(["restore", ...words, "--plan", "--json"])));
    expect(said.map((ended) => [ended.exitCode, refusal(ended).code])).toEqual([
      [14, "usage.restore_when"],
      [14, "usage.restore_when"],
      [14, "usage.restore_mixed"],
    ]);
    expect(refusal(await plan("latest", "--only", "mail")).code).toBe("usage.restore_part");
  });

  it("tries a set whose code is of another version, though it is proven", async () => {
    expect((await runJson(["backup", "verify", set])).outcome).toBe("succeeded");
    expect((await ipai(["restore", set, "--plan"])).stdout).toContain("Odoo is not tried on a copy again");
    await bring("good");
    const { stdout } = await ipai(["restore", set, "--plan"]);
    expect(stdout).toMatch(/ipai_demo_report: [\d.]+ in the set, [\d.]+ in the addons folder/);
    expect(stdout).toContain("because the code is of another version");
    await installedCode();
  });
});

describe.skipIf(isCompose)("a set of another stack", () => {
  const port = Number(new URL(urls.public).port) + 40;
  const staging = join(folder, "staging");
  let config: string;
  let daemon: { command: string[]; environment: Record<string, string>; pidFile: string };

  /** A second stack on the same server, which has never served. */
  beforeAll(async () => {
    const conf = (await readFile(join(folder, "odoo.conf"), "utf8"))
      .replace("db_name = odoo", "db_name = staging")
      .replace("^odoo$", "^staging$")
      .replace(/data_dir = .*/, `data_dir = ${staging}`);
    await writeFile(join(folder, "staging.conf"), conf);
    config = await configWith(join(folder, "staging.yaml"), (stack, stacks) => {
      stack.backup["restoreInto"] = ["staging"];
      const { runtime, services, odoo, urls: _, backup: __, ...rest } = structuredClone(stack) as unknown as Sandbox;
      const { "odoo-core": core, database } = runtime.native.services as Record<string, typeof daemon>;
      const own = { pidFile: join(folder, "run/odoo-staging.pid"), log: join(folder, "log/odoo-staging.log") };
      const words = ["-c", join(folder, "staging.conf"), `--http-port=${port}`, `--gevent-port=${port + 1}`];
      const command = [...(core?.command.slice(0, core.command.indexOf("-c")) ?? []), ...words];
      daemon = { ...core, ...own, command } as typeof daemon;
      stacks["staging"] = {
        ...rest,
        workDirectory: join(folder, "staging-work"),
        runtime: { native: { services: { database, "odoo-staging": daemon } } },
        services: {
          database: services.database,
          odoo: [{ name: "odoo-staging", url: `http://127.0.0.1:${port}` }],
        },
        odoo: { ...odoo, database: "staging", dataDirectory: staging, config: join(folder, "staging.conf") },
        urls: { public: `http://127.0.0.1:${port}` },
      };
    });
  });
  afterAll(async () => {
    await run("start-stop-daemon", ["--stop", "--oknodo", "--retry", "10", "--pidfile", daemon.pidFile]);
    for (const name of (await sql("select datname from pg_database where datname like 'staging%'", "postgres")).split(
      "\n",
    ))
      await sql(`alter database "${name}" is_template false; drop database "${name}" with (force)`, "postgres");
    for (const name of ["staging", "staging-work", "staging.conf", "staging.yaml"])
      await rm(join(folder, name), { recursive: true, force: true });
  });

  const restoring = (...words: readonly string[]) =>
    ipai(["-c", config, "--stack", "staging", "restore", set, "--from", "sandbox", ...words, "--json"]);
  const asked = (text: string) => sql(text, "staging");

  it("comes to a stack that has nothing yet, neutralized before any Odoo starts on it", async () => {
    const ended = parsed<RunJson>(await restoring("--no-try", "--yes"));
    expect([ended.outcome, ended.error]).toEqual(["succeeded", undefined]);
    expect(await asked("select count(*) from res_partner where name = 'Restore: kept'")).toBe("1");
    expect(await asked("select value from ir_config_parameter where key = 'database.is_neutralized'")).toBe("true");
    expect(await asked("select count(*) from ir_mail_server where active and smtp_host <> 'invalid'")).toBe("0");
    expect(await asked("select count(*) from ir_cron where active")).toMatch(/^[01]$/);
    expect((await run("cat", [join(staging, "filestore/staging", pathOf(kept))])).stdout).toBe(kept);
    // The one that it comes from goes on as it is.
    expect(await sql("select count(*) from ir_config_parameter where key = 'database.is_neutralized'")).toBe("0");
  });

  it("takes the place of one that serves, which is kept", async () => {
    const environment = Object.entries(daemon.environment).map(([name, value]) => `${name}=${value}`);
    const start = [
      "--start",
      "--background",
      "--make-pidfile",
      "--pidfile",
      daemon.pidFile,
      "--user",
      "odoo",
      "--chuid",
      "odoo",
    ];
    await run("start-stop-daemon", [...start, "--startas", "/usr/bin/env", "--", ...environment, ...daemon.command]);
    await until("staging serves", () => serves(`http://127.0.0.1:${port}`));
    await asked("delete from res_partner where name = 'Restore: kept'");
    const ended = parsed<RunJson>(await restoring("--no-try", "--yes"));
    expect([ended.outcome, ended.error]).toEqual(["succeeded", undefined]);
    expect(await asked("select count(*) from res_partner where name = 'Restore: kept'")).toBe("1");
    expect(await serves(`http://127.0.0.1:${port}`)).toBe(true);
    expect(await partners(`staging_before_${ended.run}`)).not.toContain("Restore: kept");
  });

  it("that moves here is not neutralized, which cannot be taken back; and is not lent without being asked for", async () => {
    const plan = parsed<{ undoClass: string; plan: { steps: unknown } }>(await restoring("--as-production", "--plan"));
    expect([plan.undoClass, JSON.stringify(plan.plan.steps).includes("neutralize past")]).toEqual([
      "irreversible",
      false,
    ]);
    const closed = join(folder, "closed.yaml");
    await writeFile(closed, (await readFile(config, "utf8")).replace(/"restoreInto": \[[^\]]*\]/, '"restoreInto": []'));
    const words = ["-c", closed, "--stack", "staging", "restore", set, "--from", "sandbox", "--plan", "--json"];
    expect(refusal(await ipai(words)).code).toBe("restore.source_unknown");
    await rm(closed);
  });
});

interface Sandbox {
  readonly runtime: { readonly native: { readonly services: Record<string, unknown> } };
  readonly services: { readonly database: unknown };
  readonly odoo: Record<string, unknown>;
  readonly urls: unknown;
  readonly backup: unknown;
}
