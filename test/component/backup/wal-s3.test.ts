import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { App } from "../../../src/cli/app.ts";
import { renderScript } from "../../../src/runbook/script.ts";
import { createSideCluster } from "../../../src/stack/side.ts";
import { type Archived, carryOut, createArchived, finding, lacking } from "../../harness/archive.ts";
import { perform } from "../../harness/perform.ts";
import { rclone, type S3Server, s3Lacks, serveS3 } from "../../harness/repositories.ts";
import { freePort } from "../../harness/sshd.ts";

/** pgBackRest's archive in a bucket: a real server of S3 (OpenStack Swift) behind TLS, on the loopback. */

// The server takes a tenth of a second for each object; one that is away is tried for four times ten seconds.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 });

const missing = [...lacking, ...(s3Lacks === "" ? [] : [s3Lacks])];
const names = ["ARCHIVE_ACCESS", "ARCHIVE_SECRET"] as const;

describe.skipIf(missing.length > 0)(
  `the archive in a bucket${missing.length > 0 ? ` (missing: ${missing.join(", ")})` : ""}`,
  () => {
    let [test, server, app]: [Archived?, S3Server?, App?] = [];
    const given = () => {
      if (test === undefined || server === undefined || app === undefined) throw new TypeError("not set up");
      return { test, server, app };
    };
    const settingsOf = (s3: S3Server, folder: string) => ({
      repository: `s3:https://localhost:${s3.port}/archives/main`,
      s3: {
        accessKey: `\${${names[0]}}`,
        secretKey: `\${${names[1]}}`,
        // Readable for the server's user.
        authority: join(folder, "authority.pem"),
      },
    });
    const secretsOf = ({ environment }: S3Server, secret = environment.AWS_SECRET_ACCESS_KEY) => ({
      [names[0]]: environment.AWS_ACCESS_KEY_ID,
      [names[1]]: secret,
    });

    beforeAll(async () => {
      test = await createArchived(28_441);
      server = await serveS3(join(test.folder, "s3"), await freePort("127.0.0.1"));
      copyFileSync(server.certificate.certificate, join(test.folder, "authority.pem"));
      chmodSync(join(test.folder, "authority.pem"), 0o644);
      app = await test.app(settingsOf(server, test.folder), secretsOf(server));
      test.sql("create database odoo");
    });
    afterAll(async () => {
      await test?.[Symbol.asyncDispose]();
      await server?.stop();
      server?.[Symbol.dispose]();
    });

    it("is not set up in a bucket that is not there, nor with other keys, and leaves nothing", async () => {
      const { test, server, app } = given();
      const nowhere = await carryOut(app, "wal setup");
      expect([nowhere.outcome, nowhere.error?.code, nowhere.error?.message]).toEqual([
        "undone",
        "wal.repository_away",
        expect.stringContaining("404"),
      ]);
      rclone(server, ["mkdir", ":s3:archives"]);
      const other = await test.app(settingsOf(server, test.folder), secretsOf(server, "another key"));
      const refused = await carryOut(other, "wal setup").catch((error: unknown) => ({ outcome: "refused", error }));
      expect([refused.outcome, refused.error]).toEqual([
        "refused",
        expect.objectContaining({ code: "wal.repository_away", message: expect.stringContaining("403") }),
      ]);
      expect(test.sql("show archive_mode")).toBe("off");
    });

    it("is set up by a run, and a segment lies in the bucket, encrypted", async () => {
      const { test, server, app } = given();
      const run = await carryOut(app, "wal setup");
      expect([run.outcome, run.error]).toEqual(["succeeded", null]);
      const segment = test.sql("select pg_walfile_name(pg_switch_wal())");
      await expect.poll(() => segments(server).some((name) => name.includes(segment)), { timeout: 20_000 }).toBe(true);
      expect(await finding(app, "IPAI-WAL-001")).toMatchObject({ status: "ok" });
      expect(rclone(server, ["cat", ":s3:archives/main/archive/odoo/archive.info"]).toString("latin1")).toMatch(
        /^Salted__/,
      );
    });

    it("keeps its keys where only the server's user reads them, and shows them in no plan and no list of processes", async () => {
      const { test, server, app } = given();
      const folder = join(test.folder, "postgresql/15/sandbox/ipai-wal");
      const kept = join(folder, "secret/password.conf");
      const secret = server.environment.AWS_SECRET_ACCESS_KEY;
      expect([statSync(kept).mode & 0o777, readFileSync(kept, "utf8").includes(secret)]).toEqual([0o600, true]);
      expect(readFileSync(join(folder, "pgbackrest.conf"), "utf8")).not.toContain(secret);
      const plan = await app.plan("wal setup", "sandbox", {});
      expect(JSON.stringify(plan)).not.toContain(secret);
      expect(renderScript(plan)).not.toContain(secret);
      const seen: string[] = [];
      const watching = setInterval(() => {
        const processes = execFileSync("ps", ["-eo", "args", "-ww"], { encoding: "utf8" }).split("\n");
        // The server itself is told its key there.
        seen.push(...processes.filter((line) => line.includes("pgbackrest") && !line.includes("s3-server.py")));
      }, 100);
      try {
        expect((await carryOut(app, "wal backup")).outcome).toBe("succeeded");
      } finally {
        clearInterval(watching);
      }
      expect([seen.length > 0, seen.filter((line) => line.includes(secret))]).toEqual([true, []]);
    });

    it("takes base backups, verifies them, and finds a flipped bit and a segment that is gone", async () => {
      const { server, app } = given();
      for (const type of ["full", "diff"]) {
        const run = await carryOut(app, "wal backup", { type });
        expect([run.outcome, run.error]).toEqual(["succeeded", null]);
      }
      expect((await carryOut(app, "wal verify")).outcome).toBe("succeeded");
      const lost = segments(server).at(-2) ?? "";
      const place = `:s3:archives/main/archive/odoo/${lost}`;
      const whole = rclone(server, ["cat", place]);
      rclone(server, ["deletefile", place]);
      expect((await carryOut(app, "wal verify")).error?.code).toBe("wal.gap");
      const broken = Buffer.from(whole);
      const middle = Math.floor(broken.length / 2);
      broken[middle] = (broken[middle] ?? 0) ^ 1;
      rclone(server, ["rcat", place], broken);
      expect((await carryOut(app, "wal verify")).error?.code).toBe("wal.damaged");
      rclone(server, ["rcat", place], whole);
    });

    it("gives back the instant between two transactions: the first is there, the second is not", async () => {
      const { test, app } = given();
      test.sql("create table events (name text, at timestamptz default clock_timestamp())", "odoo");
      test.sql("insert into events values ('first')", "odoo");
      const at = test.sql("select clock_timestamp() at time zone 'UTC'");
      test.sql("insert into events values ('second')", "odoo");
      const segment = test.sql("select pg_walfile_name(pg_switch_wal())");
      await expect
        .poll(() => segments(given().server).some((name) => name.includes(segment)), { timeout: 20_000 })
        .toBe(true);
      const { config, runtime, pgbackrest, secret } = app.stack();
      const secrets = Object.fromEntries(
        ["backup.wal.s3.accessKey", "backup.wal.s3.secretKey"].map((name) => [name, secret(name)]),
      );
      if (pgbackrest === undefined) throw new TypeError("a stack with an archive has pgBackRest");
      const folder = join(test.folder, "run", "between");
      execFileSync("install", ["-d", "-o", "postgres", folder]);
      const { stdout: listed } = await perform(pgbackrest.repository.listBackups(), { secrets });
      const [backup = ""] = listed.split("\n").filter((label) => /^\d{8}-\d{6}F$/.test(label));
      const side = createSideCluster(config, runtime, pgbackrest, folder);
      await perform(side.fetch({ at: `${at}+00`, backup, limits: { max_connections: "100" } }), { secrets });
      await perform(side.start);
      try {
        await perform(side.awaitTarget);
        const { stdout } = await perform(side.query("odoo", "select string_agg(name, ' ') from events;"));
        expect(stdout.trim()).toBe("first");
      } finally {
        await perform(side.stop);
      }
    });

    it("that is away is told by its code and by health, and goes on when it is back", async () => {
      const { test, app } = given();
      const { port, certificate } = given().server;
      await given().server.stop();
      await expect(carryOut(app, "wal verify")).rejects.toMatchObject({ code: "wal.repository_away" });
      // The archiver has not met it yet, or it has: what could not be looked into is not well in either case.
      expect((await finding(app, "IPAI-WAL-001"))?.status).toMatch(/unknown|fail/);
      server = await serveS3(join(test.folder, "s3"), port, certificate);
      test.sql("select pg_switch_wal()");
      await expect.poll(async () => (await finding(app, "IPAI-WAL-001"))?.status, { timeout: 120_000 }).toBe("ok");
      expect((await carryOut(app, "wal verify")).outcome).toBe("succeeded");
    });

    function segments(s3: S3Server): readonly string[] {
      const args = ["lsf", "-R", "--files-only", ":s3:archives/main/archive/odoo"];
      return rclone(s3, args)
        .toString()
        .split("\n")
        .filter((name) => /[0-9A-F]{24}-/.test(name))
        .sort();
    }
  },
);
