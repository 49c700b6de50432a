import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { configWith, refusal, testFolder } from "../harness/backups.ts";
import { strike } from "../harness/kill.ts";
import { fingerprint, fingerprintAtRest } from "../harness/release.ts";
import { type Draft, deployed, push } from "../harness/repository.ts";
import {
  container,
  environment,
  folder,
  ipai,
  leftovers,
  parsed,
  type RunJson,
  run,
  serves,
  services,
  sql,
  until,
  urls,
} from "../harness/sandbox.ts";
import { chain, effects, script, seriesOfStack } from "../harness/series.ts";

/**
 * Upgrades of a compose project whose variable names another image. Within one series, whose update can succeed without anybody's upgrade
 * scripts, by an image that is the same Odoo with another id; to another series by a real one, named by IPAI_TEST_NEXT_ODOO.
 */

const isLong = process.env["IPAI_TEST_LONG"] !== undefined;
const [next, nextSeries] = [`ipai-test-next:${process.pid}`, `ipai-test-series:${process.pid}`];
const laterOdoo = process.env["IPAI_TEST_NEXT_ODOO"];
let [config, series, now, later] = ["", "", "", ""];

async function docker(...args: readonly string[]): Promise<string> {
  const ended = await run("docker", args);
  if (ended.exitCode !== 0) throw new Error(ended.stderr);
  return ended.stdout.trim();
}
/** The same Odoo as another image, in which Python finds it, as in the official one. */
async function made(from: string, name: string): Promise<void> {
  const file = `FROM ${from}\nENV PYTHONPATH=/opt/odoo:/opt/odoo/usr/lib/python3/dist-packages\n`;
  const ended = await run("docker", ["build", "--quiet", "--tag", name, "-"], { stdin: file });
  if (ended.exitCode !== 0) throw new Error(ended.stderr);
}
const ofOdoo = [...services, "odoo-tools"];
/** What each container of Odoo is made of, once. */
const images = async () => [
  ...new Set((await docker("inspect", "--format", "{{.Config.Image}}", ...ofOdoo.map(container))).split("\n")),
];
const variables = () => readFile(join(folder, ".env"), "utf8");
const beside = `${container("odoo-tools")}-next`;
const isBeside = async () => (await docker("ps", "--all", "--filter", `name=${beside}`, "-q")) !== "";

beforeAll(async () => {
  [series, now = ""] = [await seriesOfStack(), ...(await images())];
  await made(now, next);
  if (laterOdoo !== undefined) {
    await made(laterOdoo, nextSeries);
    later = /\d+\.\d+/.exec(await docker("run", "--rm", laterOdoo, "odoo", "--version"))?.[0] ?? "";
  }
  config = await configWith(join(await testFolder(), "ipai.yaml"), (stack, stacks) => {
    const to = {
      [series]: { ODOO_IMAGE: next },
      ...(laterOdoo === undefined ? {} : { [later]: { ODOO_IMAGE: nextSeries } }),
      ...{ "99.0": { ODOO_IMAGE: next }, "98.0": { ODOO_IMAGE: "ipai-test-nowhere:1" }, "97.0": { REDIS_IMAGE: next } },
    };
    stacks["sandbox"] = { ...stack, odoo: { ...(stack as unknown as { odoo: object }).odoo, upgrade: { to } } };
  });
});
afterAll(async () => {
  await docker("rmi", next, ...(laterOdoo === undefined ? [] : [nextSeries]));
});

const words = (...args: readonly string[]) => ["--config", config, "upgrade", "major", "--to", series, ...args];
const upgrade = async (...args: readonly string[]) =>
  parsed<RunJson>(await ipai([...words(...args), "--yes", "--json"], { timeoutMs: 600_000 }));
const upgrading = (...args: readonly string[]) => ({
  ...{ program: "src/cli/main.ts", env: environment },
  args: [...words(...args, "--no-backup"), "--yes"],
});
const refused = async (...args: readonly string[]) => refusal(await ipai([...words(...args), "--yes", "--json"]));
const everythingServes = async () => (await Promise.all([urls.public, ...urls.odoo].map(serves))).every(Boolean);
const database = async () =>
  sql("select string_agg(datname, ' ' order by datname) from pg_database where datname like 'odoo%'");
const latest = async () => parsed<RunJson[]>(await ipai(["runs", "--json"]))[0]?.run ?? "";
const state = async () =>
  parsed<readonly { readonly state: string }[]>(await ipai(["--config", config, "upgrade", "report", "--json"]))[0]
    ?.state;
/** Those that were stopped serve, by their own addresses. */
const isTried = async () => (await Promise.all(urls.odoo.map(serves))).every(Boolean);
/** All that an upgrade that was taken back must have left as it was. */
const whole = async () => ({
  ...{ images: await images(), variables: await variables(), commit: await deployed(), databases: await database() },
  ...{
    isBeside: await isBeside(),
    rows: await fingerprint(),
    serves: await everythingServes(),
    leftovers: await leftovers(),
  },
});

describe("an upgrade of a project that is refused", () => {
  it.each([
    ["to a series whose image nobody named", "96.0", "upgrade.no_successor", "Known: "],
    ["to a series that the image has not", "99.0", "upgrade.wrong_successor", ""],
    ["to an image that is not there", "98.0", "upgrade.image_unfit", "there is no image ipai-test-nowhere:1"],
    ["by variables that name no other image", "97.0", "upgrade.image_unfit", "odoo-tools is made of"],
  ])("%s changes nothing", async (_, to, code, reason) => {
    const { code: found, message, hint } = await refused("--to", to);
    expect([found, `${message} ${hint}`]).toEqual([code, expect.stringContaining(reason)]);
  });

  it("since it names the new image already, beside containers of the old one, changes nothing", async () => {
    const before = await variables();
    // As an upgrade by hand that stopped half-way leaves it; Compose takes the quotes off.
    await writeFile(join(folder, ".env"), `${before}\nODOO_IMAGE='${next}'\n`);
    try {
      const { code, message } = await refused("--to", "99.0");
      expect([code, message]).toEqual(["upgrade.image_unfit", expect.stringContaining(`the project names ${next}`)]);
      expect(await images()).toEqual([now]);
    } finally {
      await writeFile(join(folder, ".env"), before);
    }
  });
});

describe("an upgrade of a project", () => {
  it("that is killed between two scripts is resumed, and taken back when somebody says no: with every row", async () => {
    await fingerprintAtRest();
    const before = await whole();
    const commit = await push("Nobody wants this", (draft) => chain(draft, series), "attempt");
    await strike(upgrading("--ref", commit), "do:closed/stopped/folder/beside/migrate 01_first.sql:recorded");
    const id = await latest();
    // What serves is as it was; the container of the other image is beside it.
    expect([await images(), await variables(), await isBeside()]).toEqual([[now], before.variables, true]);
    expect([await effects(), await effects(`odoo_next_${id}`)]).toEqual(["", "first"]);
    const resumed = ipai(["--config", config, "runs", "resume", id, "--json"], { timeoutMs: 600_000 });
    await until("the new one serves", isTried, 300_000);
    expect([await state(), await images(), await isBeside(), await serves(urls.public)]).toEqual([
      "tried",
      [next],
      false,
      false,
    ]);
    expect([await effects(), await deployed()]).toEqual(["first second third", commit]);
    await ipai(["--config", config, "runs", "cancel", id]);
    expect(parsed<RunJson>(await resumed).outcome).toBe("cancelled");
    expect(await whole()).toEqual(before);
  });

  it.runIf(isLong)("whose script fails is taken back, and the old one serves with every row", async () => {
    await fingerprintAtRest();
    const before = await whole();
    const commit = await push(
      "A script that fails",
      async (draft) => {
        await chain(draft, series);
        await script(
          draft,
          series,
          series,
          "04_fourth.sql",
          "insert into effects (what) values ('half');\nselect 1 / 0;\n",
        );
      },
      "attempt",
    );
    const ended = await upgrade("--ref", commit, "--no-backup");
    expect(ended).toMatchObject({ outcome: "failed-and-undone", error: { code: "upgrade.migration_failed" } });
    expect(await whole()).toEqual(before);
  });

  it.runIf(isLong)("is resumed when the machine was away in the middle: its container came back with it", async () => {
    await fingerprintAtRest();
    const before = await whole();
    const commit = await push("Half-way", (draft) => chain(draft, series), "attempt");
    await strike(upgrading("--ref", commit), "do:closed/stopped/folder/beside/migrate 01_first.sql:recorded");
    // As the machine's end does, and not as somebody who stops it.
    process.kill(Number(await docker("inspect", "--format", "{{.State.Pid}}", beside)), "SIGKILL");
    const state = () => docker("inspect", "--format", "{{.State.Running}} {{.RestartCount}}", beside);
    await until("its container is back", async () => (await state()) === "true 1");
    const id = await latest();
    const resumed = ipai(["--config", config, "runs", "resume", id, "--json"], { timeoutMs: 600_000 });
    await until("the new one serves", isTried, 300_000);
    expect([await effects(), await images()]).toEqual(["first second third", [next]]);
    await ipai(["--config", config, "runs", "cancel", id]);
    expect(parsed<RunJson>(await resumed).outcome).toBe("cancelled");
    expect(await whole()).toEqual(before);
  });

  it.runIf(isLong)(
    "that is killed while containers change, and while that is taken back, is taken back to its end",
    async () => {
      await fingerprintAtRest();
      const before = await whole();
      const commit = await push("Killed twice", (draft) => chain(draft, series), "attempt");
      await strike(upgrading("--ref", commit), "do:closed/stopped/remove odoo-core:performed");
      const id = await latest();
      const resuming = {
        ...{ program: "src/cli/main.ts", args: ["--config", config, "runs", "resume", id] },
        imports: ["test/harness/at-point.ts"],
        env: { ...environment, AT_POINT: "do:closed/stopped/code seen:recorded", AT_SCRIPT: "kill -TERM $PPID" },
      };
      await strike(resuming, "undo:closed/stopped/program~remove odoo-tools again:performed");
      const ended = parsed<RunJson>(await ipai(["--config", config, "runs", "resume", id, "--json"]));
      expect(ended.outcome).toBe("cancelled");
      expect(await whole()).toEqual(before);
    },
  );

  it.runIf(isLong)("is rehearsed on a backup, beside the serving project", async () => {
    expect((await ipai(["backup", "--yes"])).exitCode).toBe(0);
    const before = await whole();
    const commit = await push("To be rehearsed", (draft) => chain(draft, series), "attempt");
    const ended = await upgrade("--ref", commit, "--rehearse");
    expect(ended).toMatchObject({ outcome: "succeeded" });
    expect(await state()).toBe("rehearsed");
    expect(await whole()).toEqual(before);
  });

  it.runIf(isLong)("brings database, code and image, and is what the project's files say", async () => {
    const before = await variables();
    const commit = await push("The next series", (draft) => chain(draft, series));
    const ended = await upgrade("--no-backup", "--no-approval");
    expect(ended).toMatchObject({ outcome: "succeeded" });
    expect([await effects(), await deployed(), await everythingServes()]).toEqual(["first second third", commit, true]);
    expect([await images(), await isBeside()]).toEqual([[next], false]);
    expect(await variables()).toBe(before.replace(`ODOO_IMAGE=${now}`, `ODOO_IMAGE=${next}`));
    expect(await database()).toBe(`odoo odoo_before_${ended.run}`);
    const health = parsed<{ checks: { code: string; status: string }[] }>(await ipai(["health", "--json"]));
    expect(health.checks.find(({ code }) => code === "IPAI-CMP-001")?.status).toBe("ok");
    expect((await ipai(["demo", "reset"])).exitCode).toBe(0);
  });
});

describe.runIf(laterOdoo !== undefined)("an upgrade of a project to another series (IPAI_TEST_NEXT_ODOO)", () => {
  it("names what the other series has no code for before anything starts", async () => {
    const { code, message } = await refused("--to", later);
    expect([code, message]).toEqual(["upgrade.modules_incompatible", expect.stringContaining(`no code for ${later}`)]);
    expect([await images(), await everythingServes()]).toEqual([[now], true]);
  });

  it("ends in Odoo's first seconds where no scripts bring the database there, and all is taken back", async () => {
    await fingerprintAtRest();
    const before = await whole();
    const { message } = await refused("--to", later);
    const gone = [...message.matchAll(/(\w+) \(no code for/g)].map(([, name = ""]) => name);
    const nothing = (draft: Draft) => script(draft, series, later, "01_nothing.sql", "select 1;\n");
    const commit = await push("No scripts of anybody's", nothing, "attempt");
    const ended = await upgrade("--to", later, "--ref", commit, "--no-backup", "--without", ...gone);
    expect(ended).toMatchObject({ outcome: "failed-and-undone", error: { code: "odoo.update_failed" } });
    expect(await whole()).toEqual(before);
  });
});
