import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { listLinks } from "../../../src/engine/audit.ts";
import { openWorkshop } from "../../../src/engine/beside.ts";
import { backUpControl } from "../../../src/engine/control-backup.ts";
import { listBackupFiles, requireWhole } from "../../../src/engine/control-file.ts";
import { keep, readBackupState } from "../../../src/engine/keeper.ts";
import { listDeliveries } from "../../../src/engine/outbox.ts";
import { LocalExecutor } from "../../../src/host/local.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { strike } from "../../harness/kill.ts";
import { planOf, runPlan, World } from "../../harness/plans.ts";

/** The control database's own backups, on a real PostgreSQL: what is kept is whole and proven, and nothing half is ever taken for it. */
let test: TestControl;
let directory: string;
const executor = new LocalExecutor();
const request = (more: { keep?: number; file?: string } = {}) => ({
  ...{ home: test.home, executor, actor: "anna", directory, keep: 3 },
  ...more,
});
const files = () => readdirSync(directory).sort();
const databases = async () => {
  const { rows } = await sql<{ name: string }>`select datname as name from pg_database order by 1`.execute(
    test.control.db,
  );
  return rows.map(({ name }) => name);
};

beforeAll(async () => {
  test = await startControl();
  directory = join(test.home, "control-backups");
  const w = World.create(test.home);
  await runPlan(test.control, planOf([w.act("a"), w.read("b", "x")]));
});
afterAll(() => test[Symbol.asyncDispose]());

describe("a backup", () => {
  it("is one file that only its owner reads, with what it has and its proof, and is told in the audit", async () => {
    const { path, manifest } = await backUpControl(request());
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(await requireWhole(path)).toEqual(manifest);
    expect(manifest.tables["public.runs"]?.rows).toBe(1);
    const links = await listLinks(test.control);
    expect(manifest.audit).toEqual({ entries: links.length - 1, head: links.at(-2)?.hash });
    expect(links.at(-1)).toMatchObject({ actor: "anna", action: "control.backed_up", subject: path });
    expect(await databases()).toEqual(["postgres", "template0", "template1"]);
  });

  it("can be read by PostgreSQL's own program alone", async () => {
    const [newest] = await listBackupFiles(directory);
    const dump = execFileSync("tail", ["-n", "+2", newest?.path ?? ""]);
    expect(execFileSync("pg_restore", ["--list"], { input: dump, encoding: "utf8" })).toContain(
      "TABLE DATA public runs",
    );
  });

  it("leaves so many as are kept, and whatever is no whole backup", async () => {
    const torn = join(directory, "control-20200101t000000000z.backup");
    writeFileSync(torn, "half");
    const made: string[] = [];
    for (let count = 0; count < 4; count++) made.push((await backUpControl(request())).path);
    const listed = await listBackupFiles(directory);
    expect(listed.map(({ path }) => path)).toEqual([...made.slice(1).reverse(), torn]);
    expect(listed.at(-1)?.fault).toContain("does not begin with the manifest");
    rmSync(torn);
  });

  it("is written to a file of one's choice, and over none", async () => {
    const file = join(test.home, "mine.backup");
    const before = files();
    expect((await backUpControl(request({ file }))).path).toBe(file);
    const written = readFileSync(file);
    await expect(backUpControl(request({ file }))).rejects.toMatchObject({ code: "control.backup_exists" });
    expect(readFileSync(file)).toEqual(written);
    expect(files()).toEqual(before);
  });

  it("is made by one process at a time", async () => {
    await using _ = await openWorkshop({ home: test.home, executor });
    const before = files();
    await expect(backUpControl(request())).rejects.toMatchObject({ code: "control.copy_under_way" });
    expect(files()).toEqual(before);
  });

  it("is not kept when the audit chain in it does not hold", async () => {
    const change = (actor: string) =>
      test.control.db.transaction().execute(async (tx) => {
        await sql`alter table audit disable trigger audit_only_grows`.execute(tx);
        await sql`update audit set actor = ${actor} where number = 2`.execute(tx);
        await sql`alter table audit enable trigger audit_only_grows`.execute(tx);
      });
    const before = files();
    await change("nobody");
    await expect(backUpControl(request())).rejects.toMatchObject({
      code: "control.backup_unproven",
      message: expect.stringContaining("entry 2 was changed"),
    });
    await change("anna");
    expect(files()).toEqual(before);
    expect(await databases()).toEqual(["postgres", "template0", "template1"]);
  });

  it.skipIf(process.getuid?.() !== 0)(
    "on a disk that is full leaves nothing half, and the old ones as they were",
    async () => {
      const disk = mkdtempSync(join(test.home, "disk-"));
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "none", disk]);
      try {
        const small = { ...request(), directory: disk };
        const { path } = await backUpControl(small);
        await sql`insert into records (kind, id, stack, data) select 'big', n::text, 's',
        to_jsonb(array(select md5(random()::text || n) from generate_series(1, 2000))) from generate_series(1, 30) as n`.execute(
          test.control.db,
        );
        // At the dump, and when there is room for that but not for the whole file beside it.
        for (const count of [30, 14]) {
          await sql`delete from records where kind = 'big' and id::integer > ${count}`.execute(test.control.db);
          await expect(backUpControl(small)).rejects.toMatchObject({
            code: "control.copy_failed",
            message: expect.stringMatching(/space/i),
          });
          expect(readdirSync(disk)).toEqual([path.split("/").at(-1)]);
          await requireWhole(path);
        }
      } finally {
        execFileSync("umount", [disk]);
        await sql`delete from records where kind = 'big'`.execute(test.control.db);
      }
      expect(await databases()).toEqual(["postgres", "template0", "template1"]);
    },
  );
});

describe("a backup that is killed", () => {
  it.each(["begun", "dumped", "loaded", "proven"])(
    "when it is %s leaves the old ones, and the next one clears up",
    async (stage) => {
      const whole = () => files().filter((name) => name.endsWith(".backup"));
      const before = whole();
      const program = { program: "test/harness/copy-control.ts", args: [test.home, "backup", directory] };
      await strike(program, `control:${stage}`);
      expect(whole()).toEqual(before);
      expect(files().length).toBe(before.length + 1);
      await backUpControl(request({ keep: 14 }));
      expect(files()).toEqual(whole());
      expect(whole().length).toBe(before.length + 1);
      expect(await databases()).toEqual(["postgres", "template0", "template1"]);
    },
  );

  it("when it has its name is whole", async () => {
    const program = { program: "test/harness/copy-control.ts", args: [test.home, "backup", directory] };
    const before = files();
    await strike(program, "control:named");
    const added = files().find((name) => name.endsWith(".backup") && !before.includes(name));
    expect((await requireWhole(join(directory, added ?? ""))).by).toBe("anna");
  });
});

describe("every night", () => {
  const night = (more: { directory?: string; now?: Date } = {}) => {
    const told: string[] = [];
    const { now = new Date(), ...rest } = more;
    const pace = { timezone: "UTC", quiet: [], digest: undefined };
    const routes = [{ channel: "chat", severity: "warning", stacks: [], chapters: [], pace } as const];
    const ports = { control: test.control, backup: { ...request(), ...rest }, routes, now: () => now };
    const pause = () => Promise.resolve();
    return { told, look: () => keep({ ...ports, pause, tell: ({ kind }) => told.push(kind) }) };
  };

  it("one is made when there is none, and the next when a night has passed", async () => {
    const folder = join(test.home, "nightly");
    const today = night({ directory: folder });
    expect([await today.look(), await today.look()]).toEqual([true, true]);
    expect(today.told).toEqual(["backed_up"]);
    const tomorrow = night({ directory: folder, now: new Date(Date.now() + 24 * 3_600_000) });
    await tomorrow.look();
    expect(tomorrow.told).toEqual(["backed_up"]);
    const state = (hours: number) => readBackupState(test.control, folder, new Date(Date.now() + hours * 3_600_000));
    expect(await state(0)).toMatchObject({ status: "ok", kept: 2, failure: null });
    expect(await state(31)).toMatchObject({ status: "late" });
  });

  it("one that fails is told once to those who want to know, and is seen until one succeeds", async () => {
    const folder = join(test.home, "no-folder");
    writeFileSync(folder, "");
    const failing = night({ directory: join(folder, "in it") });
    expect([await failing.look(), await failing.look()]).toEqual([false, false]);
    const messages = await listDeliveries(test.control, 10);
    expect(messages.map(({ title, channel, severity }) => [title.split(" on ")[0], channel, severity])).toEqual([
      ["its backup failed", "chat", "critical"],
    ]);
    const state = () => readBackupState(test.control, join(test.home, "nightly"), new Date());
    expect((await state()).failure).toContain("ENOTDIR");
    await night({ directory: join(test.home, "other") }).look();
    expect((await state()).failure).toBe(null);
  });
});

describe("on a server of somebody else's", () => {
  const urlOf = (role: string, database: string) =>
    `postgresql://${role}@/${database}?host=${encodeURIComponent(join(test.home, "control/socket"))}`;

  it("says which right is missing, and works when it is there", async () => {
    await sql`create role limited login`.execute(test.control.db);
    await sql`create database theirs`.execute(test.control.db);
    await sql`grant create on database theirs to limited`.execute(test.control.db);
    const given = { ...request(), url: urlOf("limited", "theirs") };
    await expect(backUpControl(given)).rejects.toMatchObject({
      code: "control.right_missing",
      hint: expect.stringContaining('alter role "limited" createdb'),
    });
    await sql`alter role limited createdb`.execute(test.control.db);
    await expect(backUpControl(given)).rejects.toMatchObject({
      code: "control.right_missing",
      hint: expect.stringContaining('grant "ipai" to "limited"'),
    });
    await sql`alter database theirs owner to limited`.execute(test.control.db);
    const file = join(test.home, "theirs.backup");
    const { manifest } = await backUpControl({ ...given, file });
    expect(manifest.tables["public.runs"]?.rows).toBe(0);
  });
});
