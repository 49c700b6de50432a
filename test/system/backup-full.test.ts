import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  at,
  backups,
  configWith,
  removeShared,
  restic,
  runJson,
  sharedFolder,
  storeChanged,
} from "../harness/backups.ts";
import { leftovers, run } from "../harness/sandbox.ts";

/**
 * A working folder on a small disk of its own that runs full before each stage of a backup and of a proof: told by its name, nothing left,
 * what was there untouched, no set called damaged for it. And a set that a newer server made.
 */
let desk: string;
let work: string;
let config: string;
let first: string;

beforeAll(async () => {
  desk = await sharedFolder();
  work = join(desk, "work");
  await mkdir(work);
  await sh(`mount -t tmpfs -o size=600m none ${work}`);
  config = await configWith(join(desk, "ipai.yaml"), (stack) => {
    stack.backup["repository"] = join(desk, "repository");
    stack["workDirectory"] = work;
  });
  first = (await runJson(["--config", config, "backup"])).run;
});

afterAll(async () => {
  await sh(`umount ${work}`);
  await removeShared(desk);
});

async function sh(script: string): Promise<void> {
  const ended = await run("bash", ["-euo", "pipefail", "-c", script]);
  if (ended.exitCode !== 0) throw new Error(`${script}\n${ended.stderr}`);
}

const filler = () => join(work, "filler");
/** Not a byte more goes there; restic's cache could make room for some. */
const fill = () => `rm -rf ${work}/restic-cache; dd if=/dev/zero of=${filler()} bs=4k status=none || true`;

describe("a disk that runs full in a backup", () => {
  it.each([
    { point: "do:folder/own folder:before", stages: ["own folder"] },
    { point: "do:folder/files held/sequences:before", stages: ["sequences"] },
    // What is taken at the same time meets it all at once, but for what was ready just before.
    {
      point: "do:folder/files held/take/dump:before",
      stages: ["dump", "manifest", "roles", "globals", "attachments", "about", "filestore", "configuration"],
    },
  ])("at $point ends it with that, and leaves nothing", async ({ point, stages }) => {
    const failed = await runJson(["--config", config, "backup"], at(point, fill()));
    await rm(filler());
    expect([failed.outcome, failed.error?.code]).toEqual(["failed-and-undone", "backup.disk_full"]);
    const met = failed.steps.filter(({ error }) => error !== undefined);
    expect(stages).toEqual(expect.arrayContaining(met.map(({ id }) => id)));
    expect(met.map(({ id }) => id)).toContain(stages[0]);
    expect(new Set(met.map(({ error }) => error?.code))).toEqual(new Set(["backup.disk_full"]));
    expect((await readdir(work)).filter((name) => name !== "restic-cache")).toEqual(["repository"]);
    expect(await leftovers()).toEqual([]);
    expect(await listSets()).toEqual([first]);
  });

  // What is left then needs no room there: no attachment is unsound, and restic's account is told without.
  it.each(["do:folder/check:before", "do:folder/store:before"])(
    "at %s does not keep it from being stored",
    async (point) => {
      const before = await listSets();
      const made = await runJson(["--config", config, "backup"], at(point, fill()));
      await rm(filler());
      expect([made.outcome, made.error?.code]).toEqual(["succeeded", undefined]);
      expect(await listSets()).toEqual([...before, made.run]);
      expect((await runJson(["--config", config, "backup", "verify"])).outcome).toBe("succeeded");
    },
  );
});

describe("a disk that runs full in a proof", () => {
  it.each([
    "do:folder/fetch:before",
    "do:folder/attachments:before",
    "do:folder/cluster/start cluster:before",
    "do:folder/cluster/manifest:before",
    "do:folder/cluster/neutralize:before",
  ])("at %s says nothing against the set", async (point) => {
    const failed = await runJson(["--config", config, "backup", "verify", first], at(point, fill()));
    await rm(filler());
    expect(failed.outcome).toBe("failed-and-undone");
    expect(failed.error?.code).toBe("backup.disk_full");
    expect(await readdir(join(work, "proof"))).toEqual([]);
    expect(await leftovers()).toEqual([]);
  });

  it("leaves it to be proven when there is room again", async () => {
    expect((await runJson(["--config", config, "backup", "verify", first])).outcome).toBe("succeeded");
    expect((await backups()).find(({ id }) => id === first)).toMatchObject({ proof: { mismatches: 0 }, doubt: null });
  });
});

describe("a set of a newer server", () => {
  it("is told from a damaged one", async () => {
    // What a server that is not there yet will write: its version where the set tells of itself, and a format of its dump.
    const newer = `sed -i 's/"server" : "[^"]*"/"server" : "21.2 (Debian 21.2-1)"/' "$1/about"
      printf '\\x01\\x20' | dd of="$1/dump/toc.dat" bs=1 seek=5 conv=notrunc status=none`;
    await storeChanged(join(desk, "repository"), first, "20200101t000000_a017", desk, newer);
    const proof = await runJson(["--config", config, "backup", "verify", "20200101t000000_a017"]);
    expect([proof.outcome, proof.error?.code]).toEqual(["failed-and-undone", "backup.server_newer"]);
    expect(proof.error?.message).toContain("PostgreSQL 21.2");
    expect(await leftovers()).toEqual([]);
  });
});

async function listSets(): Promise<readonly string[]> {
  const found = JSON.parse(await restic(join(desk, "repository"), "snapshots", "--json", "--no-lock")) as {
    tags: string[];
  }[];
  return found.map(({ tags }) => (tags[0] ?? "").replace("run=", ""));
}
