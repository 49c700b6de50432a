import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { backups, configWith, restic, runJson, share, testFolder, unshare } from "../harness/backups.ts";
import { ipai, leftovers, parsed, type RunJson, serves, sql, until, urls } from "../harness/sandbox.ts";

/**
 * The clock of a database server that jumps while it runs, forward and back: libfaketime, which the image of the tests has, reads from a file
 * how far it is off. Whatever it says of the sets' age, none is removed for it.
 */

const isLong = process.env["IPAI_TEST_LONG"] !== undefined;

describe.runIf(isLong)("the clock of a project's database server (IPAI_TEST_LONG)", () => {
  let desk: string;
  let config: string;
  let sound: string;
  let ahead: string;
  let right: string;

  beforeAll(async () => {
    desk = await testFolder();
    await writeFile(join(desk, "clock"), "+0d\n");
    // Only for the server: what else is run in its container keeps its time. Each process reads the file for itself.
    const variables = {
      LD_PRELOAD: "/usr/$LIB/faketime/libfaketime.so.1",
      FAKETIME_DISABLE_SHM: "1",
      FAKETIME_TIMESTAMP_FILE: join(desk, "clock"),
      FAKETIME_CACHE_DURATION: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    };
    const words = Object.entries(variables).map(([name, value]) => `${name}=${value.replaceAll("$", "$$$$")}`);
    await share(desk, { database: { command: ["env", ...words, "postgres"] } });
    await until("all of it serves again", async () => (await Promise.all(urls.odoo.map(serves))).every(Boolean));
    config = await configWith(join(desk, "ipai.yaml"), (stack) => {
      stack.backup["keep"] = { daily: 1, weekly: 0, monthly: 0 };
    });
    sound = (await make()).run;
  });
  afterAll(async () => {
    await unshare(desk);
    await rm(desk, { recursive: true });
  });

  const make = () => runJson(["-c", config, "backup"]);
  const takenAt = async (id: string) => Date.parse((await backups()).find((one) => one.id === id)?.takenAt ?? "");
  const years = 365 * 86_400_000;

  /** The server goes on; only its clock is another one. */
  async function setClock(days: number): Promise<void> {
    await writeFile(join(desk, "clock"), `${days < 0 ? "" : "+"}${days}d\n`);
    const off = async () => Number(await sql("select extract(epoch from clock_timestamp())")) * 1000 - Date.now();
    await until("its clock has jumped", async () => Math.abs((await off()) - days * 86_400_000) < 60_000);
  }

  /** What is there after a prune. */
  async function pruned(): Promise<readonly string[]> {
    const ended = await runJson(["-c", config, "backup", "prune"]);
    expect([ended.outcome, ended.error]).toEqual(["succeeded", undefined]);
    const listed = await restic("/var/lib/ipai/repository", "snapshots", "--json", "--no-lock", "--host", "sandbox");
    return (JSON.parse(listed) as { tags: string[] }[])
      .map(({ tags }) => (tags[0] ?? "").replace("run=", ""))
      .toSorted();
  }

  async function finding(): Promise<string | undefined> {
    type Status = { health: { checks: { code: string; status: string }[] } };
    const { health } = parsed<Status>(await ipai(["-c", config, "status", "--json"]));
    return health.checks.find(({ code }) => code === "IPAI-BACKUP-011")?.status;
  }

  const clockOf = ({ steps }: RunJson) => steps.find(({ error }) => error?.code === "backup.clock_jumped");

  it("a year ahead for a night makes nothing old", async () => {
    const began = await sql("select pg_postmaster_start_time()");
    await setClock(365);
    const made = await make();
    expect([made.outcome, made.error, clockOf(made)]).toEqual(["succeeded", undefined, undefined]);
    ahead = made.run;
    expect(await takenAt(ahead)).toBeGreaterThan(Date.now() + years - 600_000);
    expect(await finding()).toBe("warn");
    // A week is what a set made by hand has.
    expect(await pruned()).toEqual([sound, ahead].toSorted());
    expect(await sql("select pg_postmaster_start_time()")).toBe(began);
  });

  it("right again, the next set names the wrong one, and nothing is removed", async () => {
    await setClock(0);
    const made = await make();
    expect([made.outcome, clockOf(made)?.outcome]).toEqual(["succeeded", "failed"]);
    right = made.run;
    expect(await pruned()).toEqual([sound, ahead, right].toSorted());
  });

  it("two years behind makes no candidate of the sets of that night", async () => {
    await setClock(-700);
    const made = await make();
    await setClock(0);
    expect(await takenAt(made.run)).toBeLessThan(Date.now() - years);
    expect(await pruned()).toEqual([sound, ahead, right, made.run].toSorted());
    expect(await leftovers()).toEqual([]);
  });
});
