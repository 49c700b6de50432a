import { existsSync, readdirSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lacking } from "../../harness/archive.ts";
import { createMachine, ipaiOn, type Machine } from "../../harness/machine.ts";
import { parsed, type RunJson, until } from "../../harness/sandbox.ts";

/** A database server that does not start any more, on a stack whose archive and sets are somewhere else. */
describe.skipIf(lacking.length > 0)("a database", () => {
  let machine: Machine;
  let set: string;

  beforeAll(async () => {
    machine = await createMachine(29_650);
    await writeFile(join(machine.kept, "wal-key"), "another one\n", { mode: 0o600 });
    await machine.configure((stack) => {
      stack.backup["wal"] = {
        repository: join(machine.kept, "archive"),
        passwordFile: join(machine.kept, "wal-key"),
        patience: 20,
      };
    });
    machine.startAll();
    await until("all of it serves", machine.serves);
    await succeed("wal", "setup");
    set = (await succeed("backup")).run;
  }, 180_000);
  afterAll(() => machine[Symbol.asyncDispose]());

  const ipai = (...args: readonly string[]) => ipaiOn(machine, args);
  async function succeed(...args: readonly string[]): Promise<RunJson> {
    const ended = parsed<RunJson>(await ipai(...args, "--yes", "--json"));
    expect([args.join(" "), ended.outcome, ended.error]).toEqual([args.join(" "), "succeeded", undefined]);
    return ended;
  }
  const notes = () => machine.sql("select string_agg(note, ',' order by id) from entries where note like 'after%'");
  const data = () => join(machine.folder, "data");

  it("that answers is not replaced by mistake", async () => {
    const refused = parsed<{ error: { code: string } }>(await ipai("recover", "database", "--yes", "--json"));
    expect(refused.error.code).toBe("recovery.database_serves");
  });

  it("that a drill cannot bring back is told so, and nothing is left of the drill", async () => {
    // Here is no Odoo that could neutralize a copy.
    for (const what of ["server", "database"]) {
      const ended = parsed<RunJson>(await ipai("drill", what, "--yes", "--json"));
      expect([what, ended.outcome, ended.error?.code]).toEqual([what, "failed-and-undone", "odoo.neutralize_failed"]);
    }
    const drills = parsed<{ what: string; evidence?: object }[]>(await ipai("drill", "list", "--json"));
    expect(drills.map(({ what, evidence }) => [what, evidence])).toEqual([
      ["database", undefined],
      ["server", undefined],
    ]);
    expect(readdirSync(join(machine.folder, "work/drill"))).toEqual([]);
  }, 120_000);

  it("whose server does not start comes back with its last change, which no archive had yet; the damaged one is kept", async () => {
    machine.sql("insert into entries (note) values ('after the set')");
    machine.sql("select pg_switch_wal()", "postgres");
    machine.sql("insert into entries (note) values ('after the last segment')");
    machine.killServer();
    await rm(join(data(), "global/pg_control"));
    const ended = await succeed("recover", "database");
    expect(await machine.serves()).toBe(true);
    expect(notes()).toBe("after the set,after the last segment");
    expect(existsSync(`${data()}_damaged_${ended.run}/base`)).toBe(true);
    expect(readdirSync(join(machine.folder, "work/runs", ended.run, "evidence")).sort()).toEqual([
      "controldata",
      "files",
      "server.log",
    ]);
    expect(machine.sql("show work_mem", "postgres")).toBe("7MB");
    expect(machine.sql("show fsync", "postgres")).toBe("on");
    const [kept] = parsed<{ id: string; kind: string }[]>(await ipai("resources", "--json"));
    expect(kept).toMatchObject({ id: `damaged_${ended.run}`, kind: "kept" });
    await succeed("resources", "close", kept?.id ?? "");
    expect(existsSync(`${data()}_damaged_${ended.run}`)).toBe(false);
    // It goes on archiving, as the same server.
    machine.sql("insert into entries (note) values ('after the recovery')");
    await succeed("wal", "backup", "--type", "incr");
  }, 180_000);

  it("of which nothing is left comes back from a set, and is archived beside the old one's archive", async () => {
    const backups = async () =>
      parsed<{ backups: { label: string }[] }>(await ipai("wal", "list", "--json")).backups.map(({ label }) => label);
    const old = await backups();
    machine.killServer();
    await rm(data(), { recursive: true });
    await succeed("recover", "database", "--set", set);
    expect(notes()).toBe("");
    expect(machine.sql("select count(*) from entries")).toBe("500");
    const now = await backups();
    expect(now.slice(0, old.length)).toEqual(old);
    expect(now.length).toBe(old.length + 1);
    await succeed("wal", "verify");
  }, 180_000);
});
