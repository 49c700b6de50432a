import { mkdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { at, configWith, prove, removeShared, runJson, sharedFolder } from "../harness/backups.ts";
import { call } from "../harness/odoo.ts";
import { fingerprint, fingerprintAtRest } from "../harness/release.ts";
import { type Draft, deployed, push } from "../harness/repository.ts";
import {
  container,
  folder,
  ipai,
  isCompose,
  leftovers,
  parsed,
  type RunJson,
  root,
  run,
  serves,
  services,
  sql,
  urls,
} from "../harness/sandbox.ts";
import { codeReaders, databaseFolder, databaseServer, type SmallDisk, smallDisk } from "../harness/small-disk.ts";
import { whileWatched } from "../harness/users.ts";

/**
 * Deployments that meet what is no fault of the release: a disk that runs full, a control database that goes away, a service that nobody can
 * wait for. The old release serves again afterwards, or all of the new one does; never half of it.
 */

const entry = "ipai_demo_ledger/models/entry.py";
const crons = () => sql("select string_agg(id || cron_name || active, ',' order by id) from ir_cron");
const everythingServes = async () => (await Promise.all([urls.public, ...urls.odoo].map(serves))).every(Boolean);
const release = ({ lay }: Draft) => lay("good");

/** What a release that is taken back leaves as it was. */
const everything = async () => [await deployed(), await fingerprint(), await crons()];

beforeAll(prove);
afterAll(async () => {
  expect((await ipai(["demo", "reset"])).exitCode).toBe(0);
});

/** A deployment that something happens to ends with what was there before. */
async function fails(what: string, args: readonly string[], options: Parameters<typeof runJson>[1] = {}) {
  await fingerprintAtRest();
  const before = await everything();
  const ended = await whileWatched(what, () => runJson(args, options));
  return { ended, isAsBefore: async () => expect(await everything()).toEqual(before) };
}

/** Nothing of it is left that could be in somebody's way. */
async function nothingIsStuck(): Promise<void> {
  expect([await everythingServes(), await leftovers()]).toEqual([true, []]);
}

describe("a disk that runs full", () => {
  let commit = "";
  beforeAll(async () => {
    commit = await push("The release", release, "attempt");
  });

  async function runsFull(disk: SmallDisk, what: string, point: string, config: readonly string[] = []): Promise<void> {
    const args = [...config, "deploy", "--to", commit, "--no-backup"];
    const { ended, isAsBefore } = await fails(`${what} before ${point}`, args, at(point, disk.fill));
    await disk.empty();
    expect([ended.outcome, ended.error?.code]).toEqual(["failed-and-undone", "host.disk_full"]);
    await isAsBefore();
    await nothingIsStuck();
  }

  describe("under the database", () => {
    let disk: SmallDisk;
    beforeAll(async () => {
      disk = await smallDisk(await databaseFolder(), { megabytes: 400, filler: "filler" }, databaseServer);
    });
    afterAll(() => disk.remove());

    it("at do:closed/stopped/snapshot:before", async () => {
      await runsFull(disk, "the database's disk full", "do:closed/stopped/snapshot:before");
    });

    // PostgreSQL lets nobody in to a database that it has to write the first file for: somebody has to make room.
    it("at do:closed/stopped/update:before waits for room, and goes back when there is some", async () => {
      const args = ["deploy", "--to", commit, "--no-backup"];
      const options = at("do:closed/stopped/update:before", disk.fill);
      await fingerprintAtRest();
      const before = await everything();
      const ended = await whileWatched("the database's disk full before the update, room made at once", async () => {
        const struck = await runJson(args, options);
        expect([struck.outcome, struck.error?.code]).toEqual(["waiting", "host.disk_full"]);
        await disk.empty();
        return parsed<RunJson>(await ipai(["runs", "resume", struck.run, "--json"]));
      });
      expect([ended.outcome, ended.error?.code]).toEqual(["failed-and-undone", "host.disk_full"]);
      expect(await everything()).toEqual(before);
      await nothingIsStuck();
    });
  });

  describe("under the working folder", () => {
    let desk: string;
    let config: string;
    let disk: SmallDisk;
    beforeAll(async () => {
      desk = await sharedFolder();
      const work = join(desk, "work");
      await mkdir(work);
      disk = await smallDisk(work, { megabytes: 50, filler: "filler" });
      config = await configWith(join(desk, "ipai.yaml"), (stack) => {
        stack["workDirectory"] = work;
      });
    });
    afterAll(async () => {
      await disk.remove();
      await removeShared(desk);
    });

    it("at do:closed/stopped/update:before", async () => {
      const point = "do:closed/stopped/update:before";
      await runsFull(disk, "the working folder's disk full", point, ["--config", config]);
    });
  });

  describe("under the code", () => {
    let disk: SmallDisk;
    beforeAll(async () => {
      disk = await smallDisk(join(folder, "addons"), { megabytes: 50, filler: ".git/filler" }, codeReaders);
    });
    afterAll(() => disk.remove());

    it("at do:closed/stopped/checkout:before", async () => {
      await runsFull(disk, "the code's disk full", "do:closed/stopped/checkout:before");
    });

    it("when code alone is brought", async () => {
      const say = await push("Say more", ({ edit }) => edit(entry, "class Entry", "# more\nclass Entry"), "attempt");
      const options = at("do:checkout:before", disk.fill);
      const { ended, isAsBefore } = await fails("the code's disk full, code alone", ["deploy", "--to", say], options);
      await disk.empty();
      expect([ended.outcome, ended.error?.code]).toEqual(["failed-and-undone", "host.disk_full"]);
      await isAsBefore();
      await nothingIsStuck();
    });
  });
});

describe("a tree that somebody changes when a release has begun", () => {
  const stray = join(folder, "addons", entry);
  const processes = async () =>
    isCompose
      ? (await run("docker", ["inspect", "--format", "{{.State.StartedAt}}", ...services.map(container)])).stdout
      : Promise.all(services.map((name) => readFile(join(folder, "run", `${name}.pid`), "utf8")));

  it("is left as it is, and no service is restarted with what nobody judged", async () => {
    const commit = await push("Say it", ({ edit }) => edit(entry, "class Entry", "# so\nclass Entry"), "attempt");
    const [before, running] = [await deployed(), await processes()];
    const options = at("do:tree:before", `cp -a ${stray} ${stray}.was; echo 'import nobody_has_this' >> ${stray}`);
    const ended = await runJson(["deploy", "--to", commit], options);
    expect([ended.outcome, ended.error?.code]).toEqual(["failed", "git.not_clean"]);
    expect(await readFile(stray, "utf8")).toContain("nobody_has_this");
    await rename(`${stray}.was`, stray);
    expect([await deployed(), await processes()]).toEqual([before, running]);
    await nothingIsStuck();
  });
});

/** An update loads it, a server does not. */
const unhealthy = `import sys
if "--stop-after-init" not in sys.argv:
    import nobody_has_this
from odoo`;

it("a service that never becomes healthy after an update is waited for as long as it may take, and taken back", async () => {
  const config = await configWith(join(folder, "impatient.yaml"), (stack) => {
    Object.assign(stack["odoo"] as object, { startSeconds: 30 });
  });
  const breaks = async ({ lay, edit }: Draft) => {
    await lay("good");
    await edit(entry, "from odoo", unhealthy);
  };
  const commit = await push("Import what is not there, when it serves", breaks, "attempt");
  const args = ["--config", config, "deploy", "--to", commit, "--no-backup"];
  const { ended, isAsBefore } = await fails("never healthy, with an update", args);
  expect([ended.outcome, ended.error?.code]).toEqual(["failed-and-undone", "odoo.not_serving"]);
  await isAsBefore();
  await nothingIsStuck();
});

describe("a control database that is restarted", () => {
  /** It is away for three seconds, while the step goes on. */
  const restart = `${root}/bin/ipai control stop
    setsid sh -c 'sleep 3; exec ${root}/bin/ipai runs --json' > /dev/null 2>&1 < /dev/null &`;

  it("while a release is taken back does not keep the old one from serving", async () => {
    const commit = await push("A release with a view that is wrong", ({ lay }) => lay("broken"), "attempt");
    const options = at("undo:closed/stopped/update~swap database:before", restart);
    const args = ["deploy", "--to", commit, "--no-backup"];
    const { ended, isAsBefore } = await fails("the control database restarted, taken back", args, options);
    expect([ended.outcome, ended.error?.code]).toEqual(["failed-and-undone", "odoo.update_failed"]);
    await isAsBefore();
    await nothingIsStuck();
  });

  // The last one: the disks' release stands afterwards.
  it("while a release is brought does not keep it from being brought", async () => {
    const commit = await push("The release", release, "attempt");
    const args = ["deploy", "--to", commit, "--no-backup"];
    const ended = await whileWatched("the control database restarted", () =>
      runJson(args, at("do:closed/stopped/update:spawned", restart)),
    );
    expect([ended.outcome, ended.error]).toEqual(["succeeded", undefined]);
    expect([await deployed(), await everythingServes()]).toEqual([commit, true]);
    expect(await sql("select latest_version from ir_module_module where name = 'ipai_demo_report'")).toMatch(
      /1\.1\.0$/,
    );
  });
});

// After the release above: what it brings is brought here for good too.
describe("a deployment that is cancelled when users have been let in", () => {
  const proxy = (what: "pause" | "unpause") =>
    isCompose
      ? `docker ${what} ${container("nginx")} >&2`
      : `pkill -${what === "pause" ? "STOP" : "CONT"} -P "$(cat ${join(folder, "run/nginx.pid")})"`;
  const cancel = `setsid ${root}/bin/ipai runs cancel "$(${root}/bin/ipai runs --json | jq -r '.[0].run')" >/dev/null 2>&1 </dev/null &`;

  it("asks what is to be done, and nothing that they write is lost", async () => {
    const addField = ({ edit }: Draft) => edit(entry, "note =", "remark = fields.Char()\n    note =");
    const commit = await push("A new field", addField, "attempt");
    // The public address does not answer until the cancel has come.
    const options = at("do:closed/maintenance off:recorded", `${proxy("pause")}\n${cancel}`);
    const ended = await runJson(["deploy", "--to", commit, "--no-backup"], options);
    expect([ended.outcome, ended.error?.code]).toEqual(["waiting", "run.cancelled"]);
    expect((await run("sh", ["-c", proxy("unpause")])).exitCode).toBe(0);
    const partner = await call<number>("res.partner", "create", { name: "Written meanwhile" });
    const args = ["runs", "resume", ended.run, "--decide", "again", "--json"];
    expect(parsed<RunJson>(await ipai(args))).toMatchObject({ outcome: "succeeded" });
    expect([await deployed(), await everythingServes()]).toEqual([commit, true]);
    expect(await sql(`select name from res_partner where id = ${partner}`)).toBe("Written meanwhile");
  });
});
