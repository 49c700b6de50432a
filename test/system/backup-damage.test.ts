import { rename } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CertificateDocument } from "../../src/procedures/backup/certificate/content.ts";
import {
  at,
  backups,
  copyRepository,
  latestBackup,
  refusal,
  removeShared,
  restic,
  runJson,
  sharedFolder,
  storeChanged,
} from "../harness/backups.ts";
import { inTools, ipai, isCompose, leftovers, parsed, places, type RunJson, run } from "../harness/sandbox.ts";

/** What a proof must not let pass. The damaged ones lie in a copy of the repository. */
let backup: string;
let desk: string;
let repository: string;
let config: string;

beforeAll(async () => {
  backup = (await latestBackup()) ?? (await runJson(["backup"])).run;
  desk = await sharedFolder();
  ({ repository, config } = await copyRepository(desk));
});

afterAll(() => removeShared(desk));

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
    const change = `proof=$(${inTools.join(" ")} sh -c 'echo ${places.work}/proof/*')
      ${inTools.join(" ")} runuser -u postgres -- psql -XAtq -h $proof/socket -d copy -c "update res_company set name = name || ' ' where id = 1"`;
    const proof = await verify(backup, at("do:folder/cluster/restore:recorded", change));
    await expectRefused(proof, backup, "backup.manifest_mismatch");
    expect(proof.error?.output?.match(/"table" : "[^"]+"/g)).toEqual(Array(2).fill('"table" : "public.res_company"'));
  });

  // On Debian's services test/component/backup/damage.test.ts does the same: its restic asks again for a minute for what is not there.
  it.runIf(isCompose)(
    "by the check, and by the prune, when a pack is missing, and not when it is there again",
    async () => {
      const sets = async () =>
        (JSON.parse(await restic(repository, "snapshots", "--json", "--no-lock")) as { id: string }[]).map(
          ({ id }) => id,
        );
      const before = await sets();
      const pack = await largestPack();
      await rename(pack, join(desk, "lost"));
      const refused = await runJson(["--config", config, "backup", "check"]);
      const unpruned = refusal(await ipai(["--config", config, "backup", "prune", "--yes", "--json"]));
      await rename(join(desk, "lost"), pack);
      expect(refused.error?.code).toBe("backup.repository_damaged");
      expect(unpruned.code).toBe("backup.nothing_removed");
      expect(await sets()).toEqual(before);
      expect((await runJson(["--config", config, "backup", "check"])).outcome).toBe("succeeded");
      expect(await leftovers()).toEqual([]);
    },
  );

  it("when one byte of the repository is another, and an earlier proof no longer counts", async () => {
    expect((await verify(backup)).outcome).toBe("succeeded");
    expect((await backups()).find(({ id }) => id === backup)).toMatchObject({ proof: { mismatches: 0 }, doubt: null });
    const pack = await largestPack();
    const flip = `printf "$(printf '\\\\x%02x' $((0x$(xxd -p -s $2 -l 1 "$1") ^ 1)))" | dd of="$1" bs=1 seek=$2 conv=notrunc status=none`;
    const flipped = await run("bash", ["-euo", "pipefail", "-c", flip, "flip", pack, "50000"]);
    expect(flipped).toMatchObject({ exitCode: 0, stderr: "" });
    const refused = await verify(backup);
    await expectRefused(refused, backup, "backup.repository_damaged");
    expect((await backups()).find(({ id }) => id === backup)?.doubt).toMatchObject({ run: refused.run });
  });
});

async function largestPack(): Promise<string> {
  const packs = await run("find", [join(repository, "data"), "-type", "f", "-printf", "%s %p\\n"]);
  const [largest = ""] = packs.stdout.split("\n").toSorted((a, b) => Number.parseInt(b, 10) - Number.parseInt(a, 10));
  return largest.replace(/^\d+ /, "");
}
