import { beforeAll, describe, expect, it } from "vitest";
import type { Plan } from "../../src/runbook/plan.ts";
import { listPoints, type Program, strike } from "../harness/kill.ts";
import { bring, fingerprint, fingerprintAtRest, installedCode } from "../harness/release.ts";
import { environment, ipai, leftovers, parsed, type RunJson, serves, sql, urls } from "../harness/sandbox.ts";

/**
 * `kill -9` of the command line in the middle of real work on a real Odoo. Somebody resumes the run, as the message says; it must
 * end as it would have ended, once, with nothing left behind.
 */

interface Case {
  readonly point: string;
  readonly afterMs?: number;
  readonly outcome: "succeeded" | "failed-and-undone";
}

const backups: readonly Case[] = [
  { point: "do:folder/files held/hold files:performed", outcome: "succeeded" },
  { point: "do:folder/files held/take/dump:spawned", afterMs: 400, outcome: "succeeded" },
  { point: "do:folder/files held/release files:spawned", outcome: "succeeded" },
  { point: "do:folder/store:spawned", afterMs: 300, outcome: "succeeded" },
  { point: "do:folder/store:performed", outcome: "succeeded" },
  { point: "do:catalogue:spawned", outcome: "succeeded" },
];
const proofs: readonly Case[] = [
  { point: "do:folder/cluster/restore:spawned", afterMs: 1500, outcome: "succeeded" },
  { point: "do:folder/cluster/odoo/start copy:performed", outcome: "succeeded" },
];
const update = "do:closed/stopped/update";
const undoOf = "undo:closed/stopped/update~";
const failing: readonly Case[] = [
  { point: "do:closed/stopped/snapshot:spawned", outcome: "failed-and-undone" },
  { point: `${update}:spawned`, afterMs: 2500, outcome: "failed-and-undone" },
  { point: `${undoOf}swap database:spawned`, outcome: "failed-and-undone" },
  { point: `${undoOf}swap files:performed`, outcome: "failed-and-undone" },
  { point: "undo:work~drop failed database:spawned", outcome: "failed-and-undone" },
  {
    point: "undo:closed/stopped/stop odoo-accounting, odoo-core, odoo-marketing~start odoo-core:spawned",
    outcome: "failed-and-undone",
  },
];
const working: readonly Case[] = [
  // A half-done update cannot be told from a finished one, so it is taken back.
  { point: `${update}:performed`, outcome: "failed-and-undone" },
  { point: "do:closed/stopped/record:spawned", outcome: "succeeded" },
];

function program(...args: string[]): Program {
  return { program: "src/cli/main.ts", args: [...args, "--yes"], env: environment };
}

/** Strikes, resumes until the run has ended, and tells how. */
async function survive(one: Case, ...args: string[]): Promise<RunJson> {
  await strike(program(...args), one.point, one.afterMs === undefined ? {} : { afterMs: one.afterMs });
  const [struck] = parsed<RunJson[]>(await ipai(["runs", "--json"]));
  if (struck === undefined) throw new Error("There is no run");
  expect(["running", "undoing"]).toContain(struck.outcome);
  expect((await ipai(["runs"])).stdout).toMatch(new RegExp(`${struck.run} .*interrupted`));
  const run = parsed<RunJson>(await ipai(["runs", "resume", struck.run, "--json"]));
  expect([run.run, run.outcome]).toEqual([struck.run, one.outcome]);
  return run;
}

async function requirePointsOfPlan(cases: readonly Case[], ...args: string[]): Promise<void> {
  const { plan } = parsed<{ plan: Plan }>(await ipai([...args, "--plan", "--json"]));
  expect(listPoints(plan)).toEqual(expect.arrayContaining(cases.map((one) => one.point)));
}

async function everythingServes(): Promise<boolean> {
  return (await Promise.all([urls.public, ...urls.odoo].map(serves))).every(Boolean);
}

const activeCrons = () => sql("select string_agg(cron_name, ', ' order by id) from ir_cron where active");

describe("a backup that is killed", () => {
  beforeAll(() => requirePointsOfPlan(backups, "backup"));

  it.each(backups)("at $point is finished by whoever resumes it", async (one) => {
    const run = await survive(one, "backup");
    expect(await leftovers()).toEqual([]);
    const made = parsed<{ id: string }[]>(await ipai(["backup", "list", "--json"]));
    expect(made.filter((backup) => backup.id === run.run)).toHaveLength(1);
  });

  it("is proven in the end", async () => {
    expect(parsed<RunJson>(await ipai(["backup", "verify", "--yes", "--json"])).outcome).toBe("succeeded");
  });
});

describe("a proof that is killed", () => {
  beforeAll(() => requirePointsOfPlan(proofs, "backup", "verify"));

  it.each(proofs)("at $point is finished by whoever resumes it", async (one) => {
    await survive(one, "backup", "verify");
    expect(await leftovers()).toEqual([]);
  });
});

describe("an upgrade that is killed", () => {
  let before: { readonly data: string; readonly crons: string };
  beforeAll(async () => {
    await installedCode();
    before = { data: await fingerprintAtRest(), crons: await activeCrons() };
    await bring("broken");
    await requirePointsOfPlan([...failing, ...working], "upgrade");
  });

  it.each(failing)("at $point, and would have failed, is taken back", async (one) => {
    await bring("broken");
    await survive(one, "upgrade");
    expect({ data: await fingerprint(), crons: await activeCrons() }).toEqual(before);
    expect(await everythingServes()).toBe(true);
    expect(await leftovers()).toEqual([]);
  });

  it.each(working)("at $point, and would have worked, ends as $outcome", async (one) => {
    await installedCode();
    await bring("good");
    await survive(one, "upgrade");
    if (one.outcome === "failed-and-undone")
      expect({ data: await fingerprint(), crons: await activeCrons() }).toEqual(before);
    else
      expect(await sql("select latest_version from ir_module_module where name = 'ipai_demo_ledger'")).toMatch(
        /\.1\.1\.0$/,
      );
    expect(await everythingServes()).toBe(true);
    expect(await leftovers()).toEqual([]);
  });
});
