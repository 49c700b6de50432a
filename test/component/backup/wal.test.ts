import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { App } from "../../../src/cli/app.ts";
import { renderScript } from "../../../src/runbook/script.ts";
import { createSideCluster } from "../../../src/stack/side.ts";
import { type Archived, carryOut, createArchived, finding, lacking } from "../../harness/archive.ts";
import { perform } from "../../harness/perform.ts";

/** pgBackRest itself on a server of a few megabytes: what is set up, what is found, and what each thing that goes wrong is called. */
describe.skipIf(lacking.length > 0)(
  `the archive${lacking.length > 0 ? ` (missing: ${lacking.join(", ")})` : ""}`,
  () => {
    let test: Archived;
    let app: App;
    const files = ["postgresql/15/sandbox/ipai-wal", "postgresql/15/sandbox/conf.d/ipai-wal.conf"];
    const traces = () => files.filter((name) => existsSync(join(test.folder, name)));

    beforeAll(async () => {
      test = await createArchived(28_431);
      app = await test.app();
      test.sql("create database odoo");
    });
    afterAll(() => test[Symbol.asyncDispose]());

    it("that cannot be set up leaves the server as it was", async () => {
      // An archive of this name that belongs to another server.
      const other = join(test.folder, "foreign");
      const config = `[global]\nlock-path=${test.folder}/run/lock\nrepo1-path=${other}\nrepo1-cipher-type=aes-256-cbc\nrepo1-cipher-pass=a good password\n`;
      const server = join(test.folder, "other-server");
      await mkdir(server);
      execFileSync("chown", ["postgres", server]);
      test.shell('/usr/lib/postgresql/15/bin/initdb -D "$1/data" >/dev/null', server);
      await writeFile(join(test.folder, "other.conf"), `${config}[odoo]\npg1-path=${server}/data\n`);
      execFileSync("install", ["-d", "-o", "postgres", other]);
      test.shell(
        'pgbackrest --config="$1" --stanza=odoo --no-online --log-level-file=off stanza-create',
        join(test.folder, "other.conf"),
      );
      const foreign = await carryOut(await test.app({ repository: other }), "wal setup");
      expect([foreign.outcome, foreign.error?.code]).toEqual(["undone", "wal.other_server"]);
      // Mounted over a disk that is too small for a single segment.
      const small = join(test.folder, "small");
      await mkdir(small);
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "none", small]);
      try {
        const full = await carryOut(await test.app({ repository: small }), "wal setup");
        expect([full.outcome, full.error?.code]).toEqual(["undone", "wal.repository_full"]);
      } finally {
        execFileSync("umount", [small]);
      }
      const file = join(test.folder, "a-file");
      await writeFile(file, "");
      const nowhere = await carryOut(await test.app({ repository: join(file, "archive") }), "wal setup");
      expect(nowhere.outcome).toMatch(/failed|undone/);
      expect(test.sql("show archive_mode")).toBe("off");
      expect(traces()).toEqual([]);
    });

    it("is set up by a run, and a segment lies in the repository", async () => {
      expect(await finding(app, "IPAI-WAL-001")).toMatchObject({ status: "fail", value: null });
      const run = await carryOut(app, "wal setup");
      expect([run.outcome, run.error]).toEqual(["succeeded", null]);
      expect(test.sql("show archive_mode")).toBe("on");
      const segment = test.sql("select pg_walfile_name(pg_switch_wal())");
      await expect.poll(() => segments().some((name) => name.startsWith(segment)), { timeout: 10_000 }).toBe(true);
      expect(await finding(app, "IPAI-WAL-001")).toMatchObject({ status: "ok" });
      // The password is nowhere but where only the server's user reads it.
      expect(statSync(join(test.folder, files[0] ?? "", "secret/password.conf")).mode & 0o777).toBe(0o600);
      expect(readFileSync(join(test.folder, files[0] ?? "", "pgbackrest.conf"), "utf8")).not.toContain("good password");
    });

    it("is set up once: a second time restarts nothing", async () => {
      const began = test.sql("select pg_postmaster_start_time()");
      expect((await carryOut(app, "wal setup")).outcome).toBe("succeeded");
      expect(test.sql("select pg_postmaster_start_time()")).toBe(began);
    });

    it("takes base backups of every kind, and removes what is older than is kept", async () => {
      const two = await test.app({ keep: 2 });
      await carryOut(two, "wal setup");
      for (const type of ["diff", "incr", "full"]) {
        const run = await carryOut(two, "wal backup", { type });
        expect([run.outcome, run.error]).toEqual(["succeeded", null]);
      }
      const labels = readdirSync(join(test.repository, "backup/odoo")).filter((name) => /^\d{8}-/.test(name));
      expect(labels.filter((name) => name.endsWith("F"))).toHaveLength(2);
      expect((await carryOut(two, "wal verify")).outcome).toBe("succeeded");
    });

    it("is not opened with another password", async () => {
      const other = await test.app({ passwordFile: join(test.folder, "other") });
      await expect(carryOut(other, "wal verify")).rejects.toMatchObject({ code: "wal.repository_unreadable" });
      const run = await carryOut(other, "wal backup");
      expect(run.error?.code).toBe("wal.repository_unreadable");
    });

    it("that is stopped, or whose repository is away, is told by its code and by health", async () => {
      const pgbackrest = `pgbackrest --config="$1/pgbackrest.conf" --stanza=odoo`;
      test.shell(`${pgbackrest} stop`, join(test.folder, files[0] ?? ""));
      expect((await carryOut(app, "wal backup")).error?.code).toBe("wal.stopped");
      await expect.poll(async () => (await finding(app, "IPAI-WAL-001"))?.status, { timeout: 20_000 }).toBe("fail");
      expect((await finding(app, "IPAI-WAL-001"))?.hint).toContain("archive_command fails");
      test.shell(`${pgbackrest} start`, join(test.folder, files[0] ?? ""));
      expect((await carryOut(app, "wal backup")).outcome).toBe("succeeded");
      expect((await finding(app, "IPAI-WAL-001"))?.status).toBe("ok");
      await rename(test.repository, `${test.repository}-away`);
      try {
        expect(await finding(app, "IPAI-WAL-001")).toMatchObject({ status: "fail" });
        expect((await carryOut(app, "wal backup")).error?.code).toBe("wal.repository_missing");
      } finally {
        await rename(`${test.repository}-away`, test.repository);
      }
      await expect.poll(async () => (await finding(app, "IPAI-WAL-001"))?.status, { timeout: 90_000 }).toBe("ok");
    }, 120_000);

    it("that is damaged is found, though pgBackRest ends with 0", async () => {
      const [label = ""] = readdirSync(join(test.repository, "backup/odoo")).filter((name) => /F$/.test(name));
      const file =
        execFileSync("find", [join(test.repository, "backup/odoo", label), "-name", "PG_VERSION.zst"], {
          encoding: "utf8",
        }).split("\n")[0] ?? "";
      const whole = await readFile(file);
      const broken = Buffer.from(whole);
      broken[broken.length - 3] = (broken.at(-3) ?? 0) ^ 1;
      writeFileSync(file, broken);
      const damaged = await carryOut(app, "wal verify");
      expect([damaged.outcome, damaged.error?.code]).toEqual(["undone", "wal.damaged"]);
      writeFileSync(file, whole);
      expect((await carryOut(app, "wal verify")).outcome).toBe("succeeded");
      const lost = segmentFiles().at(-2) ?? "";
      await rename(lost, join(test.folder, "lost"));
      expect((await carryOut(app, "wal verify")).error?.code).toBe("wal.gap");
      await rename(join(test.folder, "lost"), lost);
      expect((await carryOut(app, "wal verify")).outcome).toBe("succeeded");
      // Half a segment, as a disk that was full would leave it.
      const content = await readFile(lost);
      writeFileSync(lost, content.subarray(0, content.length / 2));
      expect((await carryOut(app, "wal verify")).error?.code).toBe("wal.damaged");
      writeFileSync(lost, content);
      expect((await carryOut(app, "wal verify")).outcome).toBe("succeeded");
    });

    it.each(["do:base backup:before", "do:base backup:spawned", "do:base backup:performed"])(
      "whose base backup is killed at %s has it when the run is gone on with, once",
      async (killAt) => {
        const labels = () => readdirSync(join(test.repository, "backup/odoo")).filter((name) => /^\d{8}-/.test(name));
        const before = labels().length;
        const killed = await test.ipai(["wal", "backup", "--yes"], { killAt });
        expect([killed.signal, killed.stderr]).toEqual(["SIGKILL", expect.any(String)]);
        const [struck] = JSON.parse((await test.ipai(["runs", "--json"])).stdout) as { run: string }[];
        const resumed = await test.ipai(["runs", "resume", struck?.run ?? ""]);
        expect([resumed.exitCode, resumed.stderr]).toEqual([0, expect.any(String)]);
        expect(labels()).toHaveLength(before + 1);
        expect((await carryOut(app, "wal verify")).outcome).toBe("succeeded");
      },
    );

    it("gives back the instant between two transactions: the first is there, the second is not", async () => {
      test.sql("create table events (name text, at timestamptz default clock_timestamp())", "odoo");
      test.sql("insert into events values ('first')", "odoo");
      const at = test.sql("select clock_timestamp() at time zone 'UTC'");
      test.sql("insert into events values ('second')", "odoo");
      test.sql("select pg_switch_wal()");
      const { side, target } = past("between", at);
      await perform(side.fetch(target));
      await perform(side.start);
      try {
        await perform(side.awaitTarget);
        const { stdout } = await perform(side.query("odoo", "select string_agg(name, ' ') from events;"));
        expect(stdout.trim()).toBe("first");
        expect(
          (
            await perform(side.query("postgres", "select current_setting('archive_mode'), pg_is_in_recovery();"))
          ).stdout.trim(),
        ).toBe("off|t");
      } finally {
        await perform(side.stop);
      }
    });

    it("says that an instant after its end is not reached", async () => {
      const { side, target } = past("late", "2099-01-01 00:00:00");
      await perform(side.fetch(target));
      const reach = async () => {
        await perform(side.start);
        await perform(side.awaitTarget);
      };
      await expect(reach()).rejects.toMatchObject({ code: "restore.target_not_reached" });
    });

    it("is asked for no instant before it begins, and none to come", async () => {
      await expect(app.plan("restore", "sandbox", { at: "2001-01-01T00:00:00Z" })).rejects.toMatchObject({
        code: "restore.too_early",
      });
      await expect(app.plan("restore", "sandbox", { at: "2099-01-01T00:00:00Z" })).rejects.toMatchObject({
        code: "restore.in_future",
      });
    });

    it("is removed by a run, and keeps what it has", async () => {
      const run = await carryOut(app, "wal remove");
      expect([run.outcome, run.error]).toEqual(["succeeded", null]);
      expect([test.sql("show archive_mode"), traces(), segments().length > 0]).toEqual(["off", [], true]);
      await expect(app.plan("wal backup", "sandbox", {})).rejects.toMatchObject({ code: "wal.not_set_up" });
    });

    it("is set up by its exported script as well, where ipai is not", async () => {
      const script = renderScript(await app.plan("wal setup", "sandbox", {}));
      execFileSync("bash", [], { input: script, stdio: ["pipe", "ignore", "pipe"] });
      expect(test.sql("show archive_mode")).toBe("on");
      expect((await carryOut(app, "wal verify")).outcome).toBe("succeeded");
    });

    it("whose disk is full says so, in health too, and goes on when there is room", async () => {
      const small = join(test.folder, "tight");
      await mkdir(small);
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=100m", "none", small]);
      try {
        await carryOut(app, "wal remove");
        const tight = await test.app({ repository: join(small, "archive") });
        expect((await carryOut(tight, "wal setup")).error).toBeNull();
        expect((await carryOut(tight, "wal backup")).outcome).toBe("succeeded");
        execFileSync("sh", ["-c", 'dd if=/dev/zero of="$1" bs=4k status=none || true', "fill", join(small, "filler")], {
          stdio: "ignore",
        });
        const full = await carryOut(tight, "wal backup", { type: "full" });
        expect(full.error?.code).toBe("wal.repository_full");
        await expect.poll(async () => (await finding(tight, "IPAI-WAL-001"))?.status, { timeout: 90_000 }).toBe("fail");
        await rm(join(small, "filler"));
        // It wakes the archiver, which otherwise looks again after a minute.
        test.sql("select pg_switch_wal()");
        await expect.poll(async () => (await finding(tight, "IPAI-WAL-001"))?.status, { timeout: 90_000 }).toBe("ok");
        expect((await carryOut(tight, "wal backup", { type: "full" })).outcome).toBe("succeeded");
        expect((await carryOut(tight, "wal verify")).outcome).toBe("succeeded");
        await carryOut(tight, "wal remove");
      } finally {
        execFileSync("umount", [small]);
      }
    }, 300_000);

    function segmentFiles(): readonly string[] {
      return execFileSync("find", [join(test.repository, "archive"), "-name", "*-*.zst"], { encoding: "utf8" })
        .split("\n")
        .filter((name) => name !== "")
        .sort();
    }

    function segments(): readonly string[] {
      return segmentFiles().map((name) => name.split("/").at(-1) ?? "");
    }

    function past(name: string, at: string) {
      const { config, runtime, pgbackrest } = app.stack();
      if (pgbackrest === undefined) throw new TypeError("a stack with an archive has pgBackRest");
      const folder = join(test.folder, "run", name);
      execFileSync("install", ["-d", "-o", "postgres", folder]);
      const [backup = ""] = readdirSync(join(test.repository, "backup/odoo")).filter((label) => /F$/.test(label));
      return {
        side: createSideCluster(config, runtime, pgbackrest, folder),
        target: { at: `${at}+00`, backup, limits: { max_connections: "100" } },
      };
    }
  },
);
