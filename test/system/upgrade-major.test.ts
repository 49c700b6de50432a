import { readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { configWith, refusal, testFolder } from "../harness/backups.ts";
import { strike } from "../harness/kill.ts";
import { fingerprint, fingerprintAtRest } from "../harness/release.ts";
import { deployed, push } from "../harness/repository.ts";
import {
  environment,
  folder,
  ipai,
  leftovers,
  parsed,
  type RunJson,
  run,
  serves,
  sql,
  until,
  urls,
} from "../harness/sandbox.ts";
import { chain, effects, script, seriesOfStack } from "../harness/series.ts";

/**
 * Upgrades of a real Odoo that is found by way of a link, within its own series: what serves is exchanged as it is between two series, and
 * Odoo's own update of all modules can succeed without anybody's upgrade scripts.
 */

interface ReportJson {
  readonly id: string;
  readonly state: string;
  readonly scripts: readonly { readonly name: string }[];
  readonly found: { readonly come: readonly string[]; readonly gone: readonly string[] };
}

let desk: string;
let config: string;
let series: string;
let link: string;
const homes = { now: "", next: "" };

/** The same stack, with its Odoo by way of a link. */
beforeAll(async () => {
  expect((await ipai(["demo", "up"])).exitCode).toBe(0);
  desk = await testFolder();
  link = join(desk, "current");
  const definition = await readFile(join(folder, "ipai.yaml"), "utf8");
  const program = /"command": \[\s*"[^"]*python3",\s*"([^"]+)"/.exec(definition)?.[1] ?? "";
  homes.now = program.replace(/\/(usr\/bin\/odoo|odoo-bin)$/, "");
  homes.next = join(desk, "next");
  await symlink(homes.now, link);
  await symlink(homes.now, homes.next);
  const conf = join(desk, "odoo.conf");
  const byLink = (text: string) => text.replaceAll(`${homes.now}/`, `${link}/`).replaceAll(`${folder}/odoo.conf`, conf);
  await writeFile(conf, byLink(await readFile(join(folder, "odoo.conf"), "utf8")));
  series = await seriesOfStack();
  config = await configWith(join(desk, "ipai.yaml"), (stack, stacks) => {
    const { odoo, ...rest } = JSON.parse(byLink(JSON.stringify(stack))) as { odoo: object };
    stacks["sandbox"] = {
      ...rest,
      odoo: { ...odoo, upgrade: { link, to: { [series]: homes.next, "99.0": homes.next } } },
    };
  });
});
afterAll(async () => {
  expect((await ipai(["demo", "reset"])).exitCode).toBe(0);
});

const words = (...args: readonly string[]) => ["--config", config, "upgrade", "major", "--to", series, ...args];
const upgrade = async (...args: readonly string[]) =>
  parsed<RunJson>(await ipai([...words(...args), "--yes", "--json"]));
const refused = async (...args: readonly string[]) => refusal(await ipai([...words(...args), "--yes", "--json"]));
const reports = async () =>
  parsed<readonly ReportJson[]>(await ipai(["--config", config, "upgrade", "report", "--json"]));
const everythingServes = async () => (await Promise.all([urls.public, ...urls.odoo].map(serves))).every(Boolean);
const database = async () =>
  sql("select string_agg(datname, ' ' order by datname) from pg_database where datname like 'odoo%'");

describe("an upgrade that is refused", () => {
  it.each([
    ["to a series whose Odoo nobody named", ["--to", "98.0"], "upgrade.no_successor"],
    ["to a series that the folder has not", ["--to", "99.0"], "upgrade.wrong_successor"],
    ["with a folder of scripts that is not there", ["--upgrade-path", "/nowhere"], "upgrade.folder_missing"],
    ["without a module that fits", ["--without", "ipai_demo_ledger"], "upgrade.without_unknown"],
  ])("%s changes nothing", async (_, args, code) => {
    expect((await refused(...args)).code).toBe(code);
    expect(await everythingServes()).toBe(true);
  });

  it("names every module that does not fit before anything starts", async () => {
    const commit = await push(
      "What does not fit",
      async ({ folder: clone, edit }) => {
        await rm(join(clone, "ipai_demo_report"), { recursive: true });
        await edit("ipai_demo_ledger/__manifest__.py", '"base"', '"base", "nobody_has_this"');
      },
      "attempt",
    );
    const { code, message } = await refused("--ref", commit);
    expect(code).toBe("upgrade.modules_incompatible");
    expect(message).toContain("ipai_demo_ledger (needs nobody_has_this, which nobody has)");
    expect(message).toContain(`ipai_demo_report (no code for ${series})`);
  });
});

const held = "Demo Ledger: post due entries";
const lastCall = (cron: string) => sql(`select coalesce(lastcall::text, '') from ir_cron where cron_name = '${cron}'`);
const wakeSchedulers = () => sql("select pg_notify('cron_trigger', 'odoo')", "postgres");

/** Schedulers run what is due and nobody holds, and not what is due before it: when it ran last. */
async function passedOver(): Promise<string> {
  const before = await lastCall(held);
  await sql(`insert into ir_cron_trigger (cron_id, call_at)
    select id, now() at time zone 'UTC' - interval '1 minute' from ir_cron where cron_name = '${held}'`);
  await sql(`insert into ir_cron select (jsonb_populate_record(c, jsonb_build_object('id', nextval('ir_cron_id_seq'),
      'cron_name', 'Not held', 'priority', 1000, 'lastcall', null, 'nextcall', '2020-01-01', 'active', true))).*
    from ir_cron c where cron_name = '${held}'`);
  await until("what is not held has run", async () => {
    await wakeSchedulers();
    return (await lastCall("Not held")) !== "";
  });
  expect(await lastCall(held)).toBe(before);
  await sql("delete from ir_cron where cron_name = 'Not held'");
  return before;
}

describe("an upgrade with scripts", () => {
  it("that fails is taken back, and the old one serves with every row", async () => {
    const [before, at] = [await fingerprintAtRest(), await deployed()];
    const commit = await push(
      "A script that fails",
      async (draft) => {
        await chain(draft, series);
        await script(
          draft,
          series,
          series,
          "04_fourth.sql",
          "insert into effects (what) values ('half');\nselect 1 / 0;\n",
        );
      },
      "attempt",
    );
    const ended = await upgrade("--ref", commit, "--no-backup");
    expect(ended).toMatchObject({ outcome: "failed-and-undone", error: { code: "upgrade.migration_failed" } });
    expect(ended.error?.message).toContain("division by zero");
    expect([await readlink(link), await deployed(), await everythingServes()]).toEqual([homes.now, at, true]);
    expect([await database(), await fingerprint()]).toEqual(["odoo", before]);
    expect(await leftovers()).toEqual([]);
  });

  it("that is killed between two of them is resumed, waits for somebody's word, and runs each once", async () => {
    const commit = await push("The next series", (draft) => chain(draft, series));
    await strike(
      { program: "src/cli/main.ts", args: [...words("--no-backup"), "--yes"], env: environment },
      "do:closed/stopped/folder/migrate 01_first.sql:recorded",
    );
    const [struck] = parsed<RunJson[]>(await ipai(["runs", "--json"]));
    const id = struck?.run ?? "";
    expect([await readlink(link), await effects(), await effects(`odoo_next_${id}`)]).toEqual([homes.now, "", "first"]);
    const resumed = ipai(["--config", config, "runs", "resume", id, "--json"], { timeoutMs: 600_000 });
    // It serves, and nobody is let in: by the services' own addresses one may look.
    await until("it serves", async () => (await Promise.all(urls.odoo.map(serves))).every(Boolean), 300_000);
    await until("it waits", async () => (await reports())[0]?.state === "tried");
    expect([await serves(urls.public), await readlink(link)]).toEqual([false, homes.next]);
    expect((await run("curl", ["--silent", urls.public])).stdout).toContain("Practice stack");
    const heldAt = await passedOver();
    expect((await ipai(["--config", config, "runs", "signal", id, "let-in"])).exitCode).toBe(0);
    expect(parsed<RunJson>(await resumed)).toMatchObject({ outcome: "succeeded" });
    await until("scheduled actions run again", async () => (await lastCall(held)) !== heldAt);
    expect(await effects()).toBe("first second third");
    expect(await sql("select string_agg(name, ' ' order by at) from ipai.migrations")).toMatch(
      /^\d+_to_\d+\/01_first\.sql \S+\/02_second\.py \S+\/03_third\.sql$/,
    );
    expect(await sql("select latest_version from ir_module_module where name = 'ipai_demo_ledger'")).toMatch(
      /1\.1\.0$/,
    );
    expect([await deployed(), await everythingServes()]).toEqual([commit, true]);
    // The one of before is kept, and knows of no script.
    expect(await database()).toBe(`odoo odoo_before_${id}`);
    expect(await effects(`odoo_before_${id}`)).toBe("");
    const [report] = await reports();
    expect(report).toMatchObject({ id, state: "serving" });
    expect(report?.scripts.map(({ name }) => name)).toEqual(["01_first.sql", "02_second.py", "03_third.sql"]);
    expect(report?.found.come).toContain("rows effects 3");
    const [release] = parsed<{ id: string; kind: string }[]>(await ipai(["deployments", "--json"]));
    expect(release).toMatchObject({ id, kind: "series" });
  });

  it("that it has had runs none of them again, and refuses one that changed", async () => {
    const plan = await ipai(words("--plan"));
    expect(plan.stdout).toMatch(/Script that the database has had: \S+\/03_third\.sql/);
    expect(plan.stdout).not.toContain("Run ");
    const commit = await push(
      "Changed afterwards",
      (draft) => script(draft, series, series, "01_first.sql", "select 1;\n"),
      "attempt",
    );
    expect((await refused("--ref", commit)).code).toBe("upgrade.migration_changed");
  });
});
