import { existsSync } from "node:fs";
import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runJson, testFolder } from "../harness/backups.ts";
import { odooProgram, postgresTool, shell } from "../harness/programs.ts";
import {
  container,
  folder,
  ipai,
  isCompose,
  isThere,
  leftovers,
  parsed,
  places,
  run,
  serves,
  services,
  sql,
  there,
  urls,
} from "../harness/sandbox.ts";

/** Files that leave are read by Odoo itself; files that come, good and bad, on a stack that serves meanwhile. */

describe("files", () => {
  let desk: string;
  const { filestore } = places;
  const mark = (value: string) =>
    sql(
      `insert into ir_config_parameter (key, value) values ('exchange.mark', '${value}') on conflict (key) do update set value = excluded.value`,
    );
  const marked = (database = "odoo") =>
    sql("select value from ir_config_parameter where key = 'exchange.mark'", database);
  const expectServing = async () => {
    for (const url of [urls.public, ...urls.odoo]) expect([url, await serves(url)]).toEqual([url, true]);
  };

  /** A service that was restarted is another process. */
  const processes = () =>
    Promise.all(
      services.map(async (service) =>
        isCompose
          ? (await run("docker", ["inspect", "--format", "{{.State.Pid}} {{.State.StartedAt}}", container(service)]))
              .stdout
          : readFile(join(folder, `run/${service}.pid`), "utf8"),
      ),
    );

  beforeAll(async () => {
    desk = await testFolder();
    await mark("first");
    const backup = await runJson(["backup"]);
    expect(backup.outcome).toBe("succeeded");
  });
  afterAll(async () => {
    await sql("delete from ir_config_parameter where key = 'exchange.mark'");
    await rm(desk, { recursive: true });
  });

  it("a backup is exported, told in the audit, and loaded by Odoo itself", async () => {
    const file = join(desk, "odoo.zip");
    const made = await runJson(["backup", "export", file]);
    expect([made.outcome, made.error]).toEqual(["succeeded", undefined]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const { stdout } = await ipai(["audit", "--json"]);
    expect(stdout).toContain('"set.exported"');
    const again = await ipai(["backup", "export", file, "--yes", "--json"]);
    expect(parsed<{ error: { code: string } }>(again).error.code).toBe("backup.file_exists");

    // The stand-in for Odoo's image has none of PostgreSQL's programs, which Odoo's loader calls.
    if (isCompose) {
      const { stdout: listed } = await run("python3", ["-m", "zipfile", "-l", file]);
      for (const name of ["dump.sql", "manifest.json", "filestore/"]) expect(listed).toContain(name);
      return expect(await leftovers()).toEqual([]);
    }
    await shell(`chmod 0644 ${file}`);
    await sql("alter role odoo createdb", "postgres");
    try {
      await shell(`${(await odooProgram()).join(" ")} db -c ${folder}/odoo.conf load loaded ${file}`);
      expect(await marked("loaded")).toBe("first");
      for (const count of [
        "select count(*) from ir_module_module where state = 'installed'",
        "select count(*) from account_account",
        "select count(*) from ir_attachment where store_fname is not null and create_date < now() - interval '1 minute'",
      ])
        expect([count, await sql(count, "loaded")]).toEqual([count, await sql(count)]);
      const files = (await sql("select distinct store_fname from ir_attachment where store_fname is not null")).split(
        "\n",
      );
      expect(files.length).toBeGreaterThan(10);
      const look = 'cd "$1" && shift && for name; do [ -e "$name" ] || echo "$name"; done';
      expect(await there("sh", "-c", look, "look", join(filestore, "loaded"), ...files)).toBe("");
    } finally {
      await sql("alter role odoo nocreatedb", "postgres");
      await sql("drop database if exists loaded with (force)", "postgres");
      await there("rm", "-rf", join(filestore, "loaded"));
    }
    expect(await leftovers()).toEqual([]);
  });

  it("a bad file changes nothing, and no service notices", async () => {
    const trace = join("/tmp", "ipai-exchange-was-run");
    const text = (body: string) =>
      `--\n-- PostgreSQL database dump\n--\n${body}\n--\n-- PostgreSQL database dump complete\n--\n`;
    const cases = [
      ["commands.sql", text(`select 1;\n\\! touch ${trace}`), "restore.file_commands"],
      ["foreign.sql", text("create table t (a int);"), "restore.file_not_odoo"],
      [
        "newer.sql",
        "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 99.0\n",
        "restore.file_newer_server",
      ],
      ["text.sql", "hello", "restore.file_unknown"],
    ] as const;
    const started = await processes();
    for (const [name, content, code] of cases) {
      await writeFile(join(desk, name), content);
      const ended = await ipai(["restore", join(desk, name), "--yes", "--json"]);
      expect(ended.exitCode).not.toBe(0);
      expect([name, parsed<{ error: { code: string } }>(ended).error.code]).toEqual([name, code]);
    }
    expect(existsSync(trace)).toBe(false);
    expect(await processes()).toEqual(started);
    expect(await leftovers()).toEqual([]);
  });

  it("the runbook's own backup is restored, with attachments from the filestore that is there", async () => {
    const file = join(desk, "odoo_backup.sql.gz");
    await shell(`${postgresTool("pg_dump")} odoo | gzip > ${file}`);
    await mark("second");
    const lost = await sql(
      "select store_fname from ir_attachment where store_fname is not null order by id desc limit 1",
    );
    await there("rm", join(filestore, "odoo", lost));
    const restored = await runJson(["restore", file]);
    expect([restored.outcome, restored.error]).toEqual(["succeeded", undefined]);
    expect(await marked()).toBe("first");
    const kept = `odoo_before_${restored.run}`;
    expect(await marked(kept)).toBe("second");
    // It was in the backup that was made first.
    expect(await isThere(join(filestore, "odoo", lost))).toBe(true);
    expect(await sql("select pg_get_userbyid(datdba) from pg_database where datname = 'odoo'", "postgres")).toBe(
      "odoo",
    );
    await expectServing();
    const forgotten = await runJson(["resources", "close", restored.run]);
    expect(forgotten.outcome).toBe("succeeded");
    expect(await there("ls", filestore)).toBe("odoo\n");
    expect(await leftovers()).toEqual([]);
  });
});
