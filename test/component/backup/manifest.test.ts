import { chmod, chown, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LocalExecutor } from "../../../src/host/local.ts";
import { behindScript } from "../../../src/procedures/backup/compare.ts";
import { manifestSql, rolesSql, sequencesSql } from "../../../src/procedures/backup/manifest.ts";
import { giveDatabaseSql } from "../../../src/stack/postgres.ts";
import { createScratchCluster, type ScratchCluster } from "../../../src/stack/scratch.ts";
import { createStack } from "../../../src/stack/stack.ts";
import "../../../src/procedures/backup/restore/errors.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { perform, practiceStack } from "../../harness/perform.ts";
import { changesOfRows, changesOfStructure, createNastySql, nastyRoles, nastySql } from "./nasty.ts";

let test: TestControl;
let folder: string;
beforeAll(async () => {
  test = await startControl();
  folder = join(test.home, "backup");
  await mkdir(folder);
  await asPostgres(folder);
  await psql(nastyRoles, "postgres");
  await psql(createNastySql, "postgres");
  await psql(nastySql);
  await writeManifests();
});
afterAll(() => test[Symbol.asyncDispose]());

const executor = new LocalExecutor();
const options = { signal: new AbortController().signal, timeoutMs: 60_000 };

/** The cluster's own user must be able to read what a test writes. */
async function asPostgres(path: string): Promise<void> {
  const { stdout } = await run(["id", "-u", "postgres"]);
  await chown(path, Number(stdout), -1);
  await chmod(path, 0o755);
}

async function run(argv: readonly [string, ...string[]], stdin = "") {
  const result = await executor.run([{ argv, env: {}, stdin, mergeStderr: false }], options);
  if (result.exitCode !== 0) throw new Error(`${argv.join(" ")}\n${result.stderr}`);
  return result;
}

function address(): readonly string[] {
  return ["-h", join(test.home, "control/socket"), "-U", "ipai"];
}

async function psql(sql: string, database = "nasty"): Promise<string> {
  const argv = ["psql", ...address(), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database] as const;
  return (await run(argv, sql)).stdout;
}

const changes = [...changesOfRows, ...changesOfStructure];

/** Before, between and after all changes, in one session: `manifest-0`, then one with each change and one with it taken back. */
async function writeManifests(): Promise<void> {
  const into = (index: number) => `\\o ${folder}/manifest-${index}\n${manifestSql}\\o /dev/null\n`;
  const texts = changes.map(
    ([, change, back], index) => `${change};\n${into(2 * index + 1)}${back};\n${into(2 * index + 2)}`,
  );
  await psql(into(0) + texts.join(""));
}

/** The lines in which a change shows. That it was taken back shows in none, or what it was is not known. */
async function linesOf(what: string): Promise<readonly string[]> {
  const index = changes.findIndex(([name]) => name === what);
  const [before = "", changed = "", after = ""] = await Promise.all(
    [0, 1, 2].map((step) => readFile(join(folder, `manifest-${2 * index + step}`), "utf8")),
  );
  expect(difference(before, after)).toEqual([]);
  return difference(before, changed);
}

/** The lines that only one of two texts has. */
function difference(one: string, other: string): readonly string[] {
  const [left, right] = [one.split("\n"), other.split("\n")];
  return [...left.filter((line) => !right.includes(line)), ...right.filter((line) => !left.includes(line))];
}

describe("a manifest", () => {
  it("is the same text when nothing has changed, however the session is set", async () => {
    const before = await psql(manifestSql);
    const settings =
      "set datestyle to 'German'; set timezone to 'Asia/Manila'; set bytea_output to 'escape'; set extra_float_digits to -5;";
    expect(before).toContain('{"table" : "public.cells", "rows" : 3,');
    expect(await psql(settings + manifestSql)).toBe(before);
  });

  it("does not depend on where rows lie on the disk", async () => {
    const before = await psql(manifestSql);
    await psql("update cells set t = t; vacuum full cells; cluster cells using cells_pkey;");
    expect(await psql(manifestSql)).toBe(before);
  });

  it.each(changesOfRows.map(([what]) => what))("notices %s, in one line", async (what) => {
    const lines = await linesOf(what);
    expect(lines).toHaveLength(2);
    expect(lines.every((line) => /^\{"(table|large objects)"/.test(line))).toBe(true);
  });

  it.each(changesOfStructure.map(([what]) => what))("notices %s in the structure", async (what) => {
    expect(await linesOf(what)).not.toEqual([]);
  });

  it("is taken under the limits of no user", async () => {
    expect((await psql("show statement_timeout")).trim()).toBe("1h");
    expect((await psql(`${manifestSql}show statement_timeout`)).trim()).toMatch(/\n0$/);
  });
});

describe("sequences", () => {
  it("may only have gone on; one that fell back or is missing is named, and one that counts down the other way round", async () => {
    const [was, now] = [join(folder, "was"), join(folder, "now")];
    const compared = async () => (await run(["awk", "-F", "\t", behindScript, now, was])).stdout;
    await writeFile(was, await psql(sequencesSql));
    await psql("select nextval('cells_id_seq'), nextval('counter')");
    await writeFile(now, await psql(sequencesSql));
    expect(await compared()).toBe("");
    await psql("select setval('cells_id_seq', 1), setval('counter', 100)");
    await writeFile(now, (await psql(sequencesSql)).replace(/.*states_id_seq.*\n/, ""));
    expect(await compared()).toBe(
      "public.cells_id_seq is at 1, was at 3\npublic.counter is at -100, was at -95\npublic.states_id_seq is missing\n",
    );
  });
});

describe("a restore on a throw-away cluster", () => {
  it("brings back every row, every object, its owner and its grants, and no sequence behind", async () => {
    const cluster = createCluster();
    const set = join(folder, "set");
    await mkdir(set);
    const before = await psql(manifestSql);
    const sequences = await psql(sequencesSql);
    await writeFile(join(set, "roles"), await psql(rolesSql, "postgres"));
    await run(["pg_dump", ...address(), "--format=directory", "--compress=0", `--file=${set}/dump`, "nasty"]);
    await run(["chown", "-R", "postgres", set]);
    try {
      await perform(cluster.start);
      const dump = { source: "nasty", dump: join(set, "dump"), roles: join(set, "roles"), jobs: 2 };
      await perform(cluster.restore("copy", dump));
      const after = await perform(cluster.query("copy", manifestSql));
      expect(difference(before, after.stdout)).toEqual([]);
      expect((await perform(cluster.query("copy", sequencesSql))).stdout).toBe(sequences);
      const next = await perform(
        cluster.query("copy", "select nextval('states_id_seq') > (select max(id) from states);"),
      );
      expect(next.stdout.trim()).toBe("t");
      // Once more over what is there, as after an interruption.
      await perform(cluster.restore("copy", dump));
      expect((await perform(cluster.query("copy", "select count(*) from cells;"))).stdout.trim()).toBe("3");
    } finally {
      await perform(cluster.stop);
    }
  });
});

describe("a load into the serving server", () => {
  /** The stack whose server is the test's. */
  const served = () => {
    const definition = practiceStack(folder);
    const database = { ...definition.services.database, host: join(test.home, "control/socket"), superuser: "ipai" };
    return createStack({ ...definition, services: { ...definition.services, database: { ...database, port: 5432 } } });
  };

  it("brings a database in under another name, with its owner, settings and grants, while the one it was made of serves", async () => {
    const { postgres } = served();
    const set = join(folder, "beside");
    await mkdir(set);
    await psql(`comment on database nasty is E'it''s\\nALTER DATABASE nasty '`);
    await psql('grant connect on database nasty to "Report Reader"; revoke connect on database nasty from public');
    const before = await psql(manifestSql);
    await writeFile(join(set, "roles"), await psql(rolesSql, "postgres"));
    await run(["pg_dump", ...address(), "--format=directory", "--compress=0", `--file=${set}/dump`, "nasty"]);
    await run(["chown", "-R", "postgres", set]);
    const dump = { source: "nasty", dump: join(set, "dump"), roles: join(set, "roles"), jobs: 2 };
    // Over what a killed attempt left.
    await psql("create database nasty_past_1 is_template true", "postgres");
    await perform(postgres.load("nasty_past_1", dump));
    expect(difference(before, await psql(manifestSql, "nasty_past_1"))).toEqual([]);
    const about = (name: string) =>
      psql(
        `select (select array_agg(item::text order by item::text) from unnest(datacl) item), shobj_description(oid, 'pg_database'), datistemplate from pg_database where datname = '${name}'`,
        "postgres",
      );
    expect(await about("nasty_past_1")).toBe((await about("nasty")).replace(/f\n$/, "t\n"));
    expect(await about("nasty")).toContain("Report Reader");
    await perform(postgres.query("nasty_past_1", giveDatabaseSql, { user: "Report Reader" }));
    expect(await psql("select distinct tableowner from pg_tables where schemaname = 'public'", "nasty_past_1")).toBe(
      "Report Reader\n",
    );
    expect(await psql("select distinct tableowner from pg_tables where schemaname = 'public'")).toBe("shop\n");
  });

  it("that meets a dump that is cut off ends with its code", async () => {
    const { postgres } = served();
    const set = join(folder, "cut");
    await run(["cp", "-a", join(folder, "beside"), set]);
    await run(["sh", "-c", 'for file in "$1"/dump/[0-9]*.dat; do truncate -s 3 "$file"; done', "cut", set]);
    const dump = { source: "nasty", dump: join(set, "dump"), roles: join(set, "roles"), jobs: 2 };
    const refused = perform(postgres.load("nasty_past_2", dump));
    await expect(refused).rejects.toMatchObject({ code: "restore.carry_failed" });
  });
});

function createCluster(): ScratchCluster {
  const definition = practiceStack(folder);
  return createScratchCluster(definition, createStack(definition).runtime, folder);
}
