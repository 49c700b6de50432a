import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { parseConfig } from "../../../src/config/load.ts";
import { readOutput } from "../../../src/host/perform.ts";
import { composeConfig } from "../../../src/procedures/sandbox/compose.ts";
import { createStack } from "../../../src/stack/stack.ts";
import { type ImageSuccessor, type Lines, parseLines } from "../../../src/stack/successor/image.ts";
import { perform } from "../../harness/perform.ts";
import "../../../src/procedures/upgrade/major/errors.ts";

/** The variables of a compose project, exchanged and brought back in a real `.env`. */

let folder: string;
const file = () => join(folder, ".env");

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ipai-variables-"));
});
afterEach(() => rm(folder, { recursive: true }));

function successor(): ImageSuccessor {
  const text = composeConfig({ folder, basePort: 18_080, images: {} }).replace(
    '"modules": "ipai_*"',
    '"modules": "ipai_*", "upgrade": { "to": { "19.0": { "ODOO_IMAGE": "odoo:19.0", "ODOO_CONF": "./odoo-19.conf" } } }',
  );
  const { sandbox } = parseConfig(text, "ipai.yaml", {}).stacks;
  const found = sandbox === undefined ? undefined : createStack(sandbox).successor("19.0");
  if (found?.kind !== "image") throw new TypeError("the project names no image");
  return found;
}

const linesNow = async (): Promise<Lines> => {
  const { lines, wanted } = successor();
  return parseLines(String(readOutput(await perform(lines), { from: "stdout" })), Object.keys(wanted));
};

it("change alone, and are as they were when they are brought back", async () => {
  const before =
    "# ours\nODOO_IMAGE=odoo:17.0\nSECRET=$a\\\\b 'c'\n export ODOO_IMAGE = odoo:18.0 # served\nMY_ODOO_IMAGE=x\n";
  await writeFile(file(), before);
  await chmod(file(), 0o640);
  const old = await linesNow();
  // The last of several counts.
  expect(old).toEqual({ ODOO_IMAGE: " export ODOO_IMAGE = odoo:18.0 # served", ODOO_CONF: null });
  const { write, wanted } = successor();
  for (const _ of ["once", "and again, as by a run that was killed"]) {
    await perform(write(wanted));
    expect(await readFile(file(), "utf8")).toBe(
      `${before.replace(" export ODOO_IMAGE = odoo:18.0 # served", "ODOO_IMAGE=odoo:19.0")}ODOO_CONF=./odoo-19.conf\n`,
    );
  }
  expect(await linesNow()).toEqual(wanted);
  await perform(write(old));
  expect([await readFile(file(), "utf8"), (await stat(file())).mode & 0o777]).toEqual([before, 0o640]);
  expect(await readdir(folder)).toEqual([".env"]);
});

it("are said where nobody said any, and not any more when they are brought back", async () => {
  const { write, wanted } = successor();
  expect(await linesNow()).toEqual({ ODOO_IMAGE: null, ODOO_CONF: null });
  await perform(write(wanted));
  expect(await readFile(file(), "utf8")).toBe("ODOO_IMAGE=odoo:19.0\nODOO_CONF=./odoo-19.conf\n");
  await perform(write({ ODOO_IMAGE: null, ODOO_CONF: null }));
  expect(await readFile(file(), "utf8")).toBe("");
});

it("cannot be exchanged through a link", async () => {
  await writeFile(join(folder, "elsewhere"), "");
  await symlink("elsewhere", file());
  await expect(linesNow()).rejects.toMatchObject({ code: "upgrade.variables_fixed" });
});
