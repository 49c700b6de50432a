import { copyFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Draft, deployed, developer, giveTo, ownerOf, push } from "../harness/repository.ts";
import { folder, ipai, parsed, type RunJson } from "../harness/sandbox.ts";
import { comeAndGo } from "../harness/users.ts";

/** Code alone behind an nginx in a container, of a work tree that is mounted. What else a deployment does is shown by `deploy.test.ts`. */

const entry = "ipai_demo_ledger/models/entry.py";
const say = ({ edit }: Draft) =>
  edit(entry, 'due.write({"state": "posted"})', 'due.write({"state": "posted"})  # said');

const refusedBy = async () => parsed<RunJson>(await ipai(["deploy", "--yes", "--json"])).error?.code;

/** While users come and go. */
async function run(what: string): Promise<readonly unknown[]> {
  const users = await comeAndGo();
  const ended = parsed<RunJson>(await ipai([what, "--yes", "--json"]));
  const { requests, failures } = await users.stop();
  return [ended.outcome, requests > 200, failures];
}

beforeAll(() => giveTo(developer));
afterAll(() => giveTo(0));

it("is rolled, and rolled back, and no request fails", async () => {
  const [before, commit] = [await deployed(), await push("Say it more clearly", say)];
  expect(await run("deploy")).toEqual(["succeeded", true, []]);
  expect([await deployed(), await ownerOf(entry)]).toEqual([commit, developer]);
  expect(await run("rollback")).toEqual(["succeeded", true, []]);
  expect(await deployed()).toBe(before);
});

it("is refused while nginx has another file than the one that lies there", async () => {
  const [before, file] = [await deployed(), join(folder, "nginx.conf")];
  await push("Say it otherwise", say);
  const mounted = `${file}.mounted`;
  await rename(file, mounted);
  await copyFile(mounted, file);
  expect(await refusedBy()).toBe("proxy.upstreams_unseen");
  await rename(mounted, file);
  expect(await deployed()).toBe(before);
});
