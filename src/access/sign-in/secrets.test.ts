import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Secret } from "../../config/secret.ts";
import { type AuthSecrets, loadAuthSecrets } from "./secrets.ts";

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ipai-secrets-"));
  file = join(folder, "below", "access-secret");
});

afterEach(() => rm(folder, { recursive: true }));

const reveal = (secrets: AuthSecrets) => secrets.map(({ version, value }) => [version, value.reveal()]);
const long = "x".repeat(32);

describe("the secret of sessions", () => {
  it("is made once, for nobody else to read, also when several begin at the same time", async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => loadAuthSecrets({ file })));
    const [[version, value] = []] = reveal(all[0] ?? []);
    expect([version, value]).toEqual([1, expect.stringMatching(/^[\w-]{43}$/)]);
    expect(new Set(all.map((one) => JSON.stringify(reveal(one)))).size).toBe(1);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(folder, "below"))).toEqual(["access-secret"]);
    expect(await readFile(file, "utf8")).toBe(`1:${value}\n`);
    expect(JSON.stringify(all)).not.toContain(value);
  });

  it("is what the configuration gives, if it does", async () => {
    const given = new Secret(`2:${"n".repeat(40)}, 1:${long}`);
    expect(reveal(await loadAuthSecrets({ file, given }))).toEqual([
      [2, "n".repeat(40)],
      [1, long],
    ]);
    expect(reveal(await loadAuthSecrets({ file, given: new Secret(long) }))).toEqual([[1, long]]);
    expect(await readdir(folder)).toEqual([]);
  });

  it.each([
    ["nothing", ""],
    ["too short", "1:short"],
    ["the same version twice", `1:${long}\n1:${"y".repeat(32)}`],
    ["one that is none among others", `2:${long}\nx y`],
  ])("is refused when it is %s", async (_, text) => {
    const own = join(folder, "own");
    await writeFile(own, text);
    const error = await loadAuthSecrets({ file: own }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "access.bad_secret" });
    expect(String(error)).not.toContain(long);
  });
});
