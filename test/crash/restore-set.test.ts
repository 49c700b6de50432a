import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Program, strike } from "../harness/kill.ts";
import { installedCode } from "../harness/release.ts";
import {
  environment,
  ipai,
  isCompose,
  leftovers,
  parsed,
  type RunJson,
  serves,
  sql,
  urls,
} from "../harness/sandbox.ts";

/** A restore of a set, killed where it changes something: resumed, ended rightly, once, with what was there kept. */

let set: string;

beforeAll(async () => {
  await installedCode();
  await note("first");
  set = parsed<RunJson>(await ipai(["backup", "--yes", "--json"])).run;
});
afterAll(() => sql("delete from ir_config_parameter where key like 'restore.%'"));

const note = (name: string) =>
  sql(`insert into ir_config_parameter (key, value) values ('restore.${name}', 'x') on conflict (key) do nothing`);
const notes = (database = "odoo") =>
  sql(
    "select coalesce(string_agg(substr(key, 9), ' ' order by key), '') from ir_config_parameter where key like 'restore.%'",
    database,
  );

function restoring(...words: readonly string[]): Program {
  const args = ["restore", set, "--no-try", "--yes", ...words];
  return { program: "src/cli/main.ts", args, env: environment };
}

describe("a restore of a set", () => {
  it.each([
    { point: "do:folder/files held/take/dump:spawned", words: [], afterMs: 300 },
    { point: "do:folder/fetch:spawned", words: ["--no-backup"], afterMs: 200 },
    { point: "do:folder/load:spawned", words: ["--no-backup"], afterMs: 1000 },
    { point: "do:folder/closed/stopped/swap:performed", words: ["--no-backup"] },
    { point: "do:folder/closed/stopped/swap files:spawned", words: ["--no-backup"] },
  ])("that is killed at $point goes on when it is resumed", async ({ point, words, afterMs }) => {
    await note("second");
    await strike(restoring(...words), point, afterMs === undefined ? {} : { afterMs });
    const [struck] = parsed<RunJson[]>(await ipai(["runs", "--json"]));
    const ended = parsed<RunJson>(await ipai(["runs", "resume", struck?.run ?? "", "--json"]));
    expect([ended.outcome, ended.error]).toEqual(["succeeded", undefined]);
    expect(await notes()).toBe("first");
    expect(await notes(`odoo_before_${ended.run}`)).toBe("first second");
    for (const url of [urls.public, ...urls.odoo]) expect([url, await serves(url)]).toEqual([url, true]);
    const forgotten = parsed<RunJson>(await ipai(["run", "restore", "forget", `id=${ended.run}`, "--yes", "--json"]));
    expect(forgotten.outcome).toBe("succeeded");
    expect(await leftovers()).toEqual([]);
  });

  it.skipIf(isCompose)("that is killed while it is taken back is taken back to its end", async () => {
    await note("second");
    const point = "undo:folder/closed/stopped/swap~swap back:performed";
    const failing = { ...restoring("--no-backup"), imports: ["test/harness/at-point.ts"] };
    const script = `kill -TERM $PPID`;
    const env = { ...environment, AT_POINT: "do:folder/closed/stopped/swap files:recorded", AT_SCRIPT: script };
    await strike({ ...failing, env }, point);
    const [struck] = parsed<RunJson[]>(await ipai(["runs", "--json"]));
    const ended = parsed<RunJson>(await ipai(["runs", "resume", struck?.run ?? "", "--json"]));
    expect(ended.outcome).toBe("cancelled");
    expect(await notes()).toBe("first second");
    for (const url of [urls.public, ...urls.odoo]) expect([url, await serves(url)]).toEqual([url, true]);
    expect(await leftovers()).toEqual([]);
  });
});
