import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/load.ts";
import { createStack } from "../../src/stack/stack.ts";
import { lacking } from "../harness/archive.ts";
import { configWith } from "../harness/backups.ts";
import { type Program, strike } from "../harness/kill.ts";
import { perform } from "../harness/perform.ts";
import {
  environment,
  folder,
  home,
  ipai,
  isCompose,
  leftovers,
  parsed,
  psql,
  type RunJson,
  run,
  serves,
  sql,
  until,
  urls,
} from "../harness/sandbox.ts";

/** Back to an instant on a real Odoo: exactly to it, with its attachments, through `kill -9`, and not at all when something is wrong. */

const reason = isCompose ? "only on Debian's own services" : lacking.length > 0 ? `missing: ${lacking.join(", ")}` : "";

describe.skipIf(reason !== "")(`a restore of an instant${reason === "" ? "" : ` (${reason})`}`, () => {
  let config: string;
  const filestore = join(folder, "odoo/filestore");

  beforeAll(async () => {
    const wal = {
      repository: join(home, "wal-archive"),
      passwordFile: join(folder, "repository-password"),
      patience: 20,
    };
    config = await configWith(join(home, "wal.yaml"), (stack) => {
      stack.backup["wal"] = wal;
    });
    const setup = await ipai(["-c", config, "wal", "setup", "--yes"]);
    expect([setup.exitCode, setup.stderr]).toEqual([0, expect.stringContaining("succeeded")]);
    // The end of a base backup is told in whole seconds: what lies in the same one is not reached from it.
    const ended = Date.now();
    await until("a later second than the base backup's", async () => Date.now() > ended + 1000);
  });
  afterAll(async () => {
    await ipai(["-c", config, "wal", "remove", "--yes"]);
    await rm(join(home, "wal-archive"), { recursive: true, force: true });
    await sql("delete from ir_attachment where name like 'restore-%'");
  });

  const note = (name: string) =>
    sql(`insert into ir_config_parameter (key, value) values ('restore.${name}', 'x') on conflict (key) do nothing`);
  const notes = (database = "odoo") =>
    sql(
      "select coalesce(string_agg(substr(key, 9), ' ' order by key), '') from ir_config_parameter where key like 'restore.%'",
      database,
    );

  /** Two transactions and the instant between them. */
  async function between(): Promise<string> {
    await sql("delete from ir_config_parameter where key like 'restore.%'");
    await note("first");
    const at = await sql(`select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`);
    await until(
      "the next millisecond",
      async () => (await sql(`select clock_timestamp() > '${at}'::timestamptz + interval '5 ms'`)) === "t",
    );
    await note("second");
    return at;
  }

  /** What the present is kept as; removed, so that the next restore begins as this one did. */
  async function takeKept(id: string): Promise<string> {
    const kept = `odoo_before_${id}`;
    const had = await notes(kept);
    const forgotten = await ipai(["resources", "close", id, "--yes"]);
    expect(forgotten.exitCode).toBe(0);
    return had;
  }

  function restoring(at: string): Program {
    return { program: "src/cli/main.ts", args: ["-c", config, "restore", "--at", at, "--yes"], env: environment };
  }

  async function expectServing(): Promise<void> {
    for (const url of [urls.public, ...urls.odoo]) expect([url, await serves(url)]).toEqual([url, true]);
  }

  it.each([
    { point: "do:folder/fetch:spawned", afterMs: 500 },
    { point: "do:folder/side/replay:performed" },
    { point: "do:folder/side/load:spawned", afterMs: 1000 },
    { point: "do:folder/side/closed/stopped/swap:performed" },
    { point: "do:folder/side/closed/stopped/swap files:spawned" },
  ])(
    "that is killed at $point is resumed, and has exactly the first of two transactions",
    async ({ point, afterMs }) => {
      const at = await between();
      await strike(restoring(at), point, afterMs === undefined ? {} : { afterMs });
      const [struck] = parsed<RunJson[]>(await ipai(["-c", config, "runs", "--json"]));
      const ended = parsed<RunJson>(await ipai(["-c", config, "runs", "resume", struck?.run ?? "", "--json"]));
      expect([ended.outcome, ended.error]).toEqual(["succeeded", undefined]);
      expect(await notes()).toBe("first");
      expect(await takeKept(ended.run)).toBe("first second");
      await expectServing();
      expect(await leftovers()).toEqual([]);
    },
  );

  it("finds attachments in a kept copy of the filestore and in a backup, and names the one that is nowhere", async () => {
    const content = "a document of the past";
    const name = createHash("sha1").update(content).digest("hex");
    const lost = createHash("sha1").update("lost").digest("hex");
    const inSet = createHash("sha1").update("in a set").digest("hex");
    const path = (sum: string) => `${sum.slice(0, 2)}/${sum}`;
    const kept = join(filestore, "odoo_kept", path(name));
    await mkdir(join(kept, ".."), { recursive: true });
    await writeFile(kept, content);
    const live = join(filestore, "odoo", path(inSet));
    await mkdir(join(live, ".."), { recursive: true });
    await writeFile(live, "in a set");
    for (const sum of [name, lost, inSet])
      await sql(
        `insert into ir_attachment (name, type, store_fname, checksum) values ('restore-${sum}', 'binary', '${path(sum)}', '${sum}')`,
      );
    expect((await ipai(["-c", config, "backup", "--yes"])).exitCode).toBe(0);
    await rm(live);
    const at = await between();
    try {
      const ended = parsed<RunJson>(await ipai(["-c", config, "restore", "--at", at, "--yes", "--json"]));
      expect([ended.outcome, ended.error]).toEqual(["succeeded", undefined]);
      expect((await run("cat", [live])).stdout).toBe("in a set");
      const step = ended.steps.find(({ id }) => id === "lost files");
      expect(step?.error?.code).toBe("restore.attachments_missing");
      expect((await run("cat", [join(filestore, "odoo", path(name))])).stdout).toBe(content);
      expect(JSON.stringify(step?.error)).toContain(lost);
      expect(JSON.stringify(step?.error)).not.toContain(name);
      await takeKept(ended.run);
    } finally {
      await sql("delete from ir_attachment where name like 'restore-%'");
      await rm(join(filestore, "odoo_kept"), { recursive: true });
    }
  });

  it("has the file of an attachment that Odoo removed before any set had it", async () => {
    const { sandbox } = parseConfig(await readFile(config, "utf8"), config, {}).stacks;
    if (sandbox === undefined) throw new TypeError("the practice stack has no definition");
    const { odoo } = createStack(sandbox);
    const inOdoo = (code: string) => perform(odoo.shell(code, {}), { timeoutMs: 120_000 });
    const content = `was there for a while, ${Date.now()}`;
    const sum = createHash("sha1").update(content).digest("hex");
    const file = join(filestore, "odoo", sum.slice(0, 2), sum);
    const values = `{"name": "restore-short-lived", "raw": b"${content}"}`;
    await inOdoo(`env["ir.attachment"].create(${values})\nenv.cr.commit()\n`);
    expect((await run("cat", [file])).stdout).toBe(content);
    const stored = await ipai(["-c", config, "backup", "files", "--yes"]);
    expect([stored.exitCode, stored.stderr]).toEqual([0, expect.stringContaining("succeeded")]);
    const at = await between();
    await inOdoo(
      'env["ir.attachment"].search([("name", "=", "restore-short-lived")]).unlink()\nenv.cr.commit()\n' +
        'env["ir.attachment"]._gc_file_store()\nenv.cr.commit()\n',
    );
    expect((await run("cat", [file])).exitCode).not.toBe(0);
    const ended = parsed<RunJson>(await ipai(["-c", config, "restore", "--at", at, "--yes", "--json"]));
    expect([ended.outcome, ended.error]).toEqual(["succeeded", undefined]);
    expect(ended.steps.find(({ id }) => id === "lost files")?.error).toBeUndefined();
    expect((await run("cat", [file])).stdout).toBe(content);
    expect(await sql("select count(*) from ir_attachment where name = 'restore-short-lived'")).toBe("1");
    await takeKept(ended.run);
  });

  it("that meets somebody else on the database is taken back, and the present serves with all that it has", async () => {
    const at = await between();
    const [program, ...args] = psql;
    const other = run(program, [
      ...args,
      "-d",
      "odoo",
      "-c",
      "set application_name = 'a visitor'",
      "-c",
      "select pg_sleep(300)",
    ]);
    await until(
      "the visitor is there",
      async () => (await sql("select count(*) from pg_stat_activity where application_name = 'a visitor'")) === "1",
    );
    const ended = parsed<RunJson>(await ipai(["-c", config, "restore", "--at", at, "--yes", "--json"]));
    expect([ended.outcome, ended.error?.code]).toEqual(["failed-and-undone", "restore.database_busy"]);
    await sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'a visitor'");
    await other;
    expect(await notes()).toBe("first second");
    await expectServing();
    expect(await leftovers()).toEqual([]);
    expect((await readdir(filestore)).filter((name) => name !== "odoo")).toEqual([]);
  });

  it("goes back to before a run", async () => {
    await sql("delete from ir_config_parameter where key like 'restore.%'");
    await note("first");
    const made = parsed<RunJson>(await ipai(["-c", config, "wal", "verify", "--yes", "--json"]));
    await note("second");
    const ended = parsed<RunJson>(await ipai(["-c", config, "restore", "--before-run", made.run, "--yes", "--json"]));
    expect([ended.outcome, ended.error]).toEqual(["succeeded", undefined]);
    expect(await notes()).toBe("first");
    expect(await takeKept(ended.run)).toBe("first second");
  });
});
