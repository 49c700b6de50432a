import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CertificateDocument } from "../../src/procedures/backup/certificate/content.ts";
import { at, backups, copyRepository, latestBackup, runJson, storeChanged, testFolder } from "../harness/backups.ts";
import { folder, ipai, leftovers, parsed, type RunJson, run } from "../harness/sandbox.ts";

/** What a proof must not let pass. The damaged ones lie in a copy of the repository. */
let backup: string;
let desk: string;
let repository: string;
let config: string;

beforeAll(async () => {
  backup = (await latestBackup()) ?? (await runJson(["backup"])).run;
  desk = await testFolder();
  ({ repository, config } = await copyRepository(desk));
});

afterAll(() => rm(desk, { recursive: true }));

function verify(id: string, options: Parameters<typeof runJson>[1] = {}): Promise<RunJson> {
  return runJson(["--config", config, "backup", "verify", id], options);
}

/** Refused under this code, nothing of it left, no proof in the catalogue, and evidence of the failure. */
async function expectRefused(proof: RunJson, id: string, code: string): Promise<void> {
  expect(proof).toMatchObject({ outcome: expect.stringMatching(/^failed/), error: { code } });
  expect(await leftovers()).toEqual([]);
  expect((await backups()).find((entry) => entry.id === id)?.proof ?? null).toBeNull();
  const signed = parsed<CertificateDocument>(await ipai(["backup", "certificate", proof.run, "--json"]));
  expect(signed.certificate).toMatchObject({ verdict: "failed", set: { id }, failure: { code }, counts: null });
}

describe("a proof is refused", () => {
  it("when an attachment is missing from the backup", async () => {
    const lose = 'rm "$1/filestore/$(cut -d " " -f 3 "$1/attachments" | tail -1)"';
    await storeChanged(repository, backup, "20200101t000000_a001", desk, lose);
    const proof = await verify("20200101t000000_a001");
    await expectRefused(proof, "20200101t000000_a001", "backup.attachments_damaged");
    expect(proof.error?.message).toMatch(/[0-9a-f]{2}\/[0-9a-f]{40}/);
  });

  it("when the dump is cut off", async () => {
    const cut = 'cd "$1/dump"; largest=$(ls -S *.dat | head -1); truncate -s $(($(stat -c %s $largest) / 2)) $largest';
    await storeChanged(repository, backup, "20200101t000000_a002", desk, cut);
    await expectRefused(await verify("20200101t000000_a002"), "20200101t000000_a002", "backup.dump_damaged");
  });

  it("when one cell of the restored copy is another, and says in which table", async () => {
    const change = `runuser -u postgres -- psql -XAtq -h ${folder}/work/proof/*/socket -d copy -c "update res_company set name = name || ' ' where id = 1"`;
    const proof = await verify(backup, at("do:folder/cluster/restore:recorded", change));
    await expectRefused(proof, backup, "backup.manifest_mismatch");
    expect(proof.error?.output?.match(/"table" : "[^"]+"/g)).toEqual(Array(2).fill('"table" : "public.res_company"'));
  });

  it("when one byte of the repository is another, and an earlier proof no longer counts", async () => {
    expect((await verify(backup)).outcome).toBe("succeeded");
    expect((await backups()).find(({ id }) => id === backup)).toMatchObject({ proof: { mismatches: 0 }, doubt: null });
    const packs = await run("find", [join(repository, "data"), "-type", "f", "-size", "+100k"]);
    const [pack = ""] = packs.stdout.split("\n");
    const flip = `printf "$(printf '\\\\x%02x' $((0x$(xxd -p -s $2 -l 1 "$1") ^ 1)))" | dd of="$1" bs=1 seek=$2 conv=notrunc status=none`;
    const flipped = await run("bash", ["-euo", "pipefail", "-c", flip, "flip", pack, "50000"]);
    expect(flipped).toMatchObject({ exitCode: 0, stderr: "" });
    const refused = await verify(backup);
    await expectRefused(refused, backup, "backup.repository_damaged");
    expect((await backups()).find(({ id }) => id === backup)?.doubt).toMatchObject({ run: refused.run });
  });
});
