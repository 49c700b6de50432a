import { execFileSync } from "node:child_process";
import { chmod, copyFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { configWith, refusal, runJson, share, testFolder, unshare } from "../harness/backups.ts";
import { strike } from "../harness/kill.ts";
import { shell } from "../harness/programs.ts";
import { rclone, type S3Server, s3Lacks, serveS3 } from "../harness/repositories.ts";
import {
  container,
  environment,
  ipai,
  leftovers,
  parsed,
  places,
  project,
  type RunJson,
  run,
  serves,
  sql,
  there,
  until,
  urls,
} from "../harness/sandbox.ts";
import { makeCertificate } from "../harness/smtp.ts";
import { freePort } from "../harness/sshd.ts";

/**
 * The archive of a project, whose server archives in one container while everything else is done in another: what may happen to it is found as
 * on Debian's services (test/component/backup/wal.test.ts and wal-s3.test.ts), and a damaged database comes back from it.
 */

const isLong = process.env["IPAI_TEST_LONG"] !== undefined;

/** What is done with an archive, by the command line with a configuration of its own. */
function archiveOf(config: () => string, env: () => Readonly<Record<string, string>> = () => ({})) {
  const carryOut = (...args: readonly string[]) => runJson(["-c", config(), ...args], { env: env() });
  return {
    carryOut,
    /** The code of the error that it ends with. */
    failure: async (...args: readonly string[]) => (await carryOut(...args)).error?.code,
    refusal: async (...args: readonly string[]) =>
      refusal(await ipai(["-c", config(), ...args, "--yes", "--json"], { env: env() })).code,
    succeed: async (...args: readonly string[]): Promise<RunJson> => {
      const ended = await carryOut(...args);
      expect([args, ended.outcome, ended.error]).toEqual([args, "succeeded", undefined]);
      return ended;
    },
    /** What `ipai health` says of it. */
    health: async (): Promise<string | undefined> => {
      const ended = await ipai(["-c", config(), "health", "--json"], { env: env() });
      const { checks } = parsed<{ checks: { code: string; status: string }[] }>(ended);
      return checks.find(({ code }) => code === "IPAI-WAL-001")?.status;
    },
    labels: async (): Promise<readonly string[]> => {
      const listed = await ipai(["-c", config(), "wal", "list", "--json"], { env: env() });
      return parsed<{ backups: { label: string }[] }>(listed).backups.map(({ label }) => label);
    },
  };
}

const note = (name: string) => sql(`insert into ir_config_parameter (key, value) values ('archive.${name}', 'x')`);
const notes = () =>
  sql("select string_agg(substr(key, 9), ' ' order by id) from ir_config_parameter where key like 'archive.%'");
const everythingServes = async () => (await Promise.all([urls.public, ...urls.odoo].map(serves))).every(Boolean);

describe.runIf(isLong)("the archive of a project in a folder (IPAI_TEST_LONG)", () => {
  let desk: string;
  let disk: string;
  let config: string;
  const archive = archiveOf(() => config);

  beforeAll(async () => {
    desk = await testFolder();
    await share(desk, { database: {} });
    disk = join(desk, "disk");
    await mkdir(disk);
    await shell(`mount -t tmpfs -o size=400m none ${disk}`);
    config = await configure("ipai.yaml", places.password);
    await until("all of it serves again", everythingServes);
    await archive.succeed("wal", "setup");
    await archive.succeed("wal", "backup", "--type", "incr");
  });
  afterAll(async () => {
    await archive.carryOut("wal", "remove");
    await shell(`umount ${disk}`);
    await unshare(desk);
    await rm(desk, { recursive: true });
  });

  const configure = (name: string, passwordFile: string) =>
    configWith(join(desk, name), (stack) => {
      stack.backup["wal"] = { repository: join(disk, "archive"), passwordFile, patience: 30 };
    });

  /** The last segment but one: what follows it is there, so that it is missed. */
  async function segment(): Promise<string> {
    const listed = await run("find", [join(disk, "archive/archive"), "-name", "*-*.zst"]);
    return listed.stdout.trim().split("\n").toSorted().at(-2) ?? "";
  }

  it("is found damaged when half of a segment is missing, and has a gap when all of it is", async () => {
    await archive.succeed("wal", "verify");
    const path = await segment();
    const whole = await readFile(path);
    await writeFile(path, whole.subarray(0, whole.length / 2));
    expect(await archive.failure("wal", "verify")).toBe("wal.damaged");
    await writeFile(path, whole);
    const lost = join(disk, "lost");
    await rename(path, lost);
    expect(await archive.failure("wal", "verify")).toBe("wal.gap");
    await rename(lost, path);
    await archive.succeed("wal", "verify");
    expect(await leftovers()).toEqual([]);
  });

  it("is not opened with another password", async () => {
    await writeFile(join(desk, "password"), "wrong\n");
    const other = await configure("other.yaml", join(desk, "password"));
    expect(await archiveOf(() => other).refusal("wal", "verify")).toBe("wal.repository_unreadable");
    expect(await archiveOf(() => other).failure("wal", "backup")).toBe("wal.repository_unreadable");
    await archive.succeed("wal", "verify");
  });

  it.each(["do:base backup:before", "do:base backup:spawned", "do:base backup:performed"])(
    "whose base backup is killed at %s has it once when the run is gone on with",
    async (point) => {
      const before = await archive.labels();
      const args = ["-c", config, "wal", "backup", "--yes"];
      await strike({ program: "src/cli/main.ts", args, env: environment }, point);
      const [struck] = parsed<RunJson[]>(await ipai(["-c", config, "runs", "--json"]));
      const resumed = parsed<RunJson>(await ipai(["-c", config, "runs", "resume", struck?.run ?? "", "--json"]));
      expect([resumed.outcome, resumed.error]).toEqual(["succeeded", undefined]);
      expect((await archive.labels()).length).toBe(before.length + 1);
      await archive.succeed("wal", "verify");
      expect(await leftovers()).toEqual([]);
    },
  );

  it("whose disk is full says so, in health too, keeps what it has, and goes on when there is room", async () => {
    const before = await archive.labels();
    await shell(`dd if=/dev/zero of=${disk}/filler bs=4k status=none || true`);
    expect(await archive.failure("wal", "backup", "--type", "full")).toBe("wal.repository_full");
    await until("health has seen it", async () => (await archive.health()) === "fail", 120_000);
    await rm(join(disk, "filler"));
    await sql("select pg_switch_wal()");
    await until("health has seen that it goes on", async () => (await archive.health()) === "ok", 120_000);
    expect(await archive.labels()).toEqual(before);
    await archive.succeed("wal", "verify");
    await archive.succeed("wal", "backup", "--type", "diff");
  });

  it("brings a database back that does not start, with its last change, which it did not have yet", async () => {
    await note("archived");
    await sql("select pg_switch_wal()");
    await note("last");
    const data = "/var/lib/postgresql/data/cluster";
    await run("docker", ["kill", container("database")]);
    await there("sh", "-c", 'echo damaged > "$1/global/pg_control"', "damage", data);
    const startedAt = Date.now();
    const back = await archive.succeed("recover", "database");
    process.stdout.write(`recover database from the archive: ${(Date.now() - startedAt) / 1000} s\n`);
    expect(await notes()).toBe("archived last");
    expect(await everythingServes()).toBe(true);
    const [kept] = parsed<{ id: string }[]>(await ipai(["-c", config, "resources", "--json"]));
    expect(kept?.id).toBe(`damaged_${back.run}`);
    expect(await there("cat", `${data}_${kept?.id}/global/pg_control`)).toBe("damaged\n");
    await archive.succeed("resources", "close", kept?.id ?? "");
    // It goes on archiving, as the same server.
    await note("after");
    await archive.succeed("wal", "backup", "--type", "incr");
    await archive.succeed("wal", "verify");
    expect(await archive.health()).toBe("ok");
    expect(await leftovers()).toEqual([]);
  });
});

const lacks = s3Lacks === "" ? "" : `, missing: ${s3Lacks}`;

describe.runIf(isLong && s3Lacks === "")(`the archive of a project in a bucket (IPAI_TEST_LONG${lacks})`, () => {
  let desk: string;
  let config: string;
  let server: S3Server;
  let gateway: string;
  const archive = archiveOf(
    () => config,
    () => ({
      ARCHIVE_ACCESS: server.environment.AWS_ACCESS_KEY_ID,
      ARCHIVE_SECRET: server.environment.AWS_SECRET_ACCESS_KEY,
    }),
  );

  beforeAll(async () => {
    desk = await testFolder();
    // Where containers of the project reach this machine.
    const format = "{{(index .IPAM.Config 0).Gateway}}";
    gateway = (await run("docker", ["network", "inspect", "--format", format, `${project}_default`])).stdout.trim();
    const certificate = makeCertificate(`IP:${gateway},DNS:bucket.test`);
    server = await serveS3(join(desk, "s3"), await freePort(gateway), certificate, gateway);
    await copyFile(certificate.certificate, join(desk, "authority.pem"));
    await chmod(join(desk, "authority.pem"), 0o644);
    rclone(server, ["mkdir", ":s3:archives"]);
    const known = { extra_hosts: [`bucket.test:${gateway}`] };
    await share(desk, { database: known, tools: known });
    await until("all of it serves again", everythingServes);
    config = await configWith(join(desk, "ipai.yaml"), (stack) => {
      stack.backup["wal"] = {
        repository: `s3:https://bucket.test:${server.port}/archives/main`,
        passwordFile: places.password,
        s3: { accessKey: "${ARCHIVE_ACCESS}", secretKey: "${ARCHIVE_SECRET}", authority: join(desk, "authority.pem") },
        patience: 60,
      };
    });
    await archive.succeed("wal", "setup");
  });
  afterAll(async () => {
    await archive.carryOut("wal", "remove");
    await server.stop();
    server[Symbol.dispose]();
    await unshare(desk);
    await rm(desk, { recursive: true });
  });

  const segments = () =>
    rclone(server, ["lsf", "-R", "--files-only", ":s3:archives/main/archive/odoo"])
      .toString()
      .split("\n")
      .filter((name) => /[0-9A-F]{24}-/.test(name))
      .toSorted();

  it("takes segments and base backups, and shows its keys in no list of processes", async () => {
    // Where nothing was written since the last switch, there is nothing to switch.
    await sql("select pg_logical_emit_message(true, 'ipai', 'x')");
    const switched = await sql("select pg_walfile_name(pg_switch_wal())");
    await until("the segment is there", async () => segments().some((name) => name.includes(switched)));
    const seen: string[] = [];
    const watching = setInterval(() => {
      const processes = execFileSync("ps", ["-eo", "args", "-ww"], { encoding: "utf8" }).split("\n");
      // The server itself is told its key there.
      seen.push(...processes.filter((line) => line.includes("pgbackrest") && !line.includes("s3-server.py")));
    }, 100);
    await archive.succeed("wal", "backup", "--type", "diff");
    clearInterval(watching);
    const { AWS_SECRET_ACCESS_KEY: secret } = server.environment;
    expect([seen.length > 0, seen.filter((line) => line.includes(secret))]).toEqual([true, []]);
    expect(await archive.health()).toBe("ok");
  });

  it("is found damaged by a flipped bit, and has a gap when a segment is gone", async () => {
    await archive.succeed("wal", "verify");
    const place = `:s3:archives/main/archive/odoo/${segments().at(-2) ?? ""}`;
    const whole = rclone(server, ["cat", place]);
    rclone(server, ["deletefile", place]);
    expect(await archive.failure("wal", "verify")).toBe("wal.gap");
    const broken = Buffer.from(whole);
    const middle = Math.floor(broken.length / 2);
    broken[middle] = (broken[middle] ?? 0) ^ 1;
    rclone(server, ["rcat", place], broken);
    expect(await archive.failure("wal", "verify")).toBe("wal.damaged");
    rclone(server, ["rcat", place], whole);
    await archive.succeed("wal", "verify");
  });

  it("that is away is told by its code and by health, and goes on when it is back", async () => {
    const { port, certificate } = server;
    await server.stop();
    expect(await archive.refusal("wal", "verify")).toBe("wal.repository_away");
    expect(await archive.health()).toMatch(/unknown|fail/);
    server = await serveS3(join(desk, "s3"), port, certificate, gateway);
    await sql("select pg_switch_wal()");
    await until("health has seen that it goes on", async () => (await archive.health()) === "ok", 180_000);
    await archive.succeed("wal", "verify");
  });

  it("gives back the instant between two changes", async () => {
    await note("first");
    const at = await sql(`select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`);
    await note("second");
    const startedAt = Date.now();
    const restored = await archive.succeed("restore", "--at", at);
    process.stdout.write(`restore to an instant from a bucket: ${(Date.now() - startedAt) / 1000} s\n`);
    expect(await notes()).toMatch(/\bfirst$/);
    expect(await everythingServes()).toBe(true);
    await archive.succeed("resources", "close", restored.run);
    expect(await leftovers()).toEqual([]);
  });
});
