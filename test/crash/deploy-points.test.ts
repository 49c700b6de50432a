import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Plan, walk } from "../../src/runbook/plan.ts";
import { prove, runJson } from "../harness/backups.ts";
import { listUncovered, type Program, rehearse, strike, strikeFirst } from "../harness/kill.ts";
import { fingerprint, fingerprintAtRest } from "../harness/release.ts";
import { type Draft, deployed, push } from "../harness/repository.ts";
import {
  environment,
  folder,
  ipai,
  isCompose,
  isThere,
  leftovers,
  parsed,
  type RunJson,
  sql,
  urls,
} from "../harness/sandbox.ts";

/**
 * Deployments that are killed at every point that they pass, forwards and back; `deploy.test.ts` has a few of them for CI. Some hours, so
 * only with IPAI_TEST_LONG. What was shown is noted in IPAI_TEST_NOTES, a line of JSON for each point, and not struck again;
 * IPAI_TEST_POINTS chooses (`first`: of every step the most dangerous one; else a pattern), IPAI_TEST_BLOWS says how often one run is struck
 * (once, when absent: each point by itself), IPAI_TEST_MINUTES ends it between two runs.
 */

const isLong = process.env["IPAI_TEST_LONG"] !== undefined;
const chosen = new RegExp(process.env["IPAI_TEST_POINTS"] ?? "");
const blows = Number(process.env["IPAI_TEST_BLOWS"] ?? 1);
const notes = process.env["IPAI_TEST_NOTES"] ?? join(folder, "..", "points.jsonl");
const endsAt = Date.now() + Number(process.env["IPAI_TEST_MINUTES"] ?? 600) * 60_000;

type Kind = "code" | "hotfix" | "failing" | "release" | "backup" | "rollback";

interface Note {
  readonly kind: Kind;
  /** In the order in which it was struck. */
  readonly points: readonly string[];
  readonly outcome: string;
  readonly code: string | null;
  readonly seconds: number;
  readonly faults: readonly string[];
}

/** What the stack has to be at when nothing is under way. */
interface Standing {
  readonly commit: string;
  /** What every process answers that has loaded this commit. */
  readonly says: string;
  readonly data: readonly string[];
}

let count = 0;
let base: Standing;
let crons: string;
/** Tables that the release itself changes. */
let changing: readonly string[];

const controllers = "ipai_demo_ledger/controllers";
const controller = (says: string) => `from odoo import http


class Serving(http.Controller):
    @http.route("/ipai_demo/serving", type="http", auth="none")
    def serving(self):
        return "${says}"
`;

interface Wanted {
  readonly commit: string;
  readonly says: string;
}

/** A commit that is known by what its processes answer. Code alone, unless `more` changes something else. */
async function bring(more?: (draft: Draft) => Promise<void>, branch = "attempt"): Promise<Wanted> {
  const says = `${process.pid}-${++count}`;
  const work = async (draft: Draft) => {
    await draft.put(`${controllers}/main.py`, controller(says));
    await more?.(draft);
  };
  return { commit: await push(`Say ${says}`, work, branch), says };
}

const addField = ({ edit }: Draft) =>
  edit("ipai_demo_ledger/models/entry.py", "note =", "remark = fields.Char()\n    note =");
const breakView = async (draft: Draft) => {
  await addField(draft);
  await draft.edit("ipai_demo_report/views/entry_views.xml", 'name="band"', 'name="no_such_field"');
};

const rows = async () => (await fingerprint()).split("\n");
const tableOf = (line: string) => /"table" : "([^"]*)"/.exec(line)?.[1] ?? line;
const differing = (one: readonly string[], other: readonly string[]) =>
  one.filter((line) => !other.includes(line)).map(tableOf);
const recorded = () => sql("select value from ir_config_parameter where key = 'ipai.module_hashes'");
const activeCrons = () => sql("select string_agg(id || cron_name, ',' order by id) from ir_cron where active");
const releases = async () =>
  parsed<{ id: string; commit: string }[]>(await ipai(["deployments", "--limit", "1000", "--json"]));
const saidBy = async (url: string) =>
  (await fetch(`${url}/ipai_demo/serving`).catch(() => undefined))?.text() ?? "nothing";

function program(...args: readonly string[]): Program {
  return { program: "src/cli/main.ts", args: [...args, "--yes"], env: environment };
}

async function unharmed(...args: readonly string[]): Promise<void> {
  const { outcome, error } = await runJson(args);
  if (outcome !== "succeeded") throw new Error(`${args.join(" ")}: ${outcome} ${error?.message}`);
}

async function closeKept(): Promise<void> {
  for (const { id } of parsed<{ id: string }[]>(await ipai(["resources", "--json"])))
    await unharmed("resources", "close", id);
}

/** The stack as it is, in words that say what is wrong with it. `mayDiffer`: tables that need not be as they were. */
async function faultsOf(standing: Standing, mayDiffer: readonly string[]): Promise<readonly string[]> {
  const [commit, said, data, cronsNow, isClosed, left] = await Promise.all([
    deployed(),
    Promise.all([urls.public, ...urls.odoo].map(saidBy)),
    rows(),
    activeCrons(),
    isThere(join(folder, "maintenance/on")),
    leftovers(),
  ]);
  const unless = (isRight: boolean, fault: string) => (isRight ? [] : [fault]);
  return [
    ...unless(commit === standing.commit, `the tree is at ${commit}, not at ${standing.commit}`),
    ...unless(
      said.every((one) => one === standing.says),
      `what serves says ${said.join(", ")}, not ${standing.says}`,
    ),
    ...differing(data, standing.data).flatMap((table) => unless(mayDiffer.includes(table), `other data: ${table}`)),
    ...unless(cronsNow === crons, `other scheduled actions: ${cronsNow}`),
    ...unless(!isClosed, "maintenance is on"),
    ...left.map((one) => `left: ${one}`),
  ];
}

interface Blow {
  readonly kind: Kind;
  readonly args: readonly string[];
  /** Where the stack is when the run succeeds. */
  readonly wanted: Wanted;
  readonly outcome: "succeeded" | "failed-and-undone";
}

const update = "closed/stopped/update";

/** A program is let work so long before it is struck. */
const afterMs: Readonly<Record<string, number>> = {
  [`do:${update}:spawned`]: 2500,
  "do:closed/stopped/snapshot:spawned": 150,
  "do:checkout:spawned": 30,
};

/** It cannot be told from a whole one, so it is taken back; everything else is gone on with. */
const isHalfUpdate = (point: string) => point.startsWith(`do:${update}:`) && !point.endsWith(":recorded");

/** Tables in which a run of this kind may leave something else than was there. */
function mayDiffer(kind: Kind, isThrough: boolean): readonly string[] {
  if (kind === "code" || kind === "hotfix") return ["public.ir_config_parameter"];
  return isThrough && (kind === "release" || kind === "backup") ? changing : [];
}

/**
 * Strikes at one point, resumes, and strikes again at the next one, so often as `blows` says; resumes until the run has ended, looks, and
 * notes it. What was struck is taken out of `points`. Returns whether the run went through.
 */
async function survive(points: string[], { kind, args, wanted, outcome: usual }: Blow): Promise<boolean> {
  const startedAt = performance.now();
  const [before, hashes] = await Promise.all([releases(), recorded()]);
  const struck = [await strikeAt(program(...args), points)];
  const [{ run } = { run: "" }] = parsed<RunJson[]>(await ipai(["runs", "--limit", "1", "--json"]));
  const resume = { ...program(), args: ["runs", "resume", run] };
  while (struck.length < blows && points.length > 0) {
    const point = await strikeFirst(resume, points);
    if (point === undefined) break;
    points.splice(points.indexOf(point), 1);
    struck.push(point);
  }
  await ipai(["runs", "resume", run]);
  const { outcome, error } = parsed<RunJson>(await ipai(["runs", "show", run, "--json"]));
  const isThrough = outcome === "succeeded";
  const expected = struck.some(isHalfUpdate) ? "failed-and-undone" : usual;
  const standing = { ...base, ...(isThrough ? wanted : {}) };
  const [found, listed] = await Promise.all([faultsOf(standing, mayDiffer(kind, isThrough)), releases()]);
  const added = listed.filter(({ id }) => before.every((one) => one.id !== id));
  const faults = [
    ...(listed[0]?.commit === standing.commit ? [] : [`deployments say ${listed[0]?.commit}`]),
    ...(outcome === expected ? [] : [`ended ${outcome}, not ${expected}`]),
    ...(added.length === (isThrough ? 1 : 0) ? [] : [`${added.length} releases were noted`]),
    ...(isThrough || (await recorded()) === hashes ? [] : ["another code is recorded as installed"]),
    // What a release keeps of before, for its rollback, has the name of its run.
    ...found.filter((fault) => !(isThrough && fault.startsWith("left: ") && fault.includes(`_before_${run}`))),
  ];
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
  const note: Note = { kind, points: struck, outcome, code: error?.code ?? null, seconds, faults };
  await appendFile(notes, `${JSON.stringify(note)}\n`);
  process.stdout.write(`${[kind, struck.join(", "), outcome, error?.code, `${seconds} s`, ...faults].join(" | ")}\n`);
  expect(faults).toEqual([]);
  return isThrough;
}

/** One that is let work first is struck by itself; else the first of them that is passed. */
async function strikeAt(run: Program, points: string[]): Promise<string> {
  const [next = ""] = points;
  const ms = afterMs[next];
  if (ms !== undefined) await strike(run, next, { afterMs: ms });
  const point = ms === undefined ? await strikeFirst(run, blows === 1 ? [next] : points) : next;
  if (point === undefined) throw new Error(`ended without passing ${points.join(", ")}`);
  points.splice(points.indexOf(point), 1);
  return point;
}

const isOver = () => Date.now() > endsAt;

interface Rehearsed {
  readonly kind: Kind;
  readonly args: readonly string[];
  /** The step that fails by itself; the run goes back from it. */
  readonly failsAt?: string;
}

/** The points that this kind of run passes, the most dangerous of each step first, and of those the changes; without what was shown already. */
async function pointsOf({ kind, args, failsAt }: Rehearsed, isMeant = (_: string) => true): Promise<string[]> {
  const { plan } = parsed<{ plan: Plan }>(await ipai([...args, "--plan", "--json"]));
  const passed = await rehearse(program(...args));
  const entries = walk(plan);
  const last = failsAt === undefined ? entries.length - 1 : entries.findIndex(({ path }) => path === failsAt);
  const due = entries
    .slice(0, last + 1)
    .flatMap(({ path, undo }) => [
      `do:${path}`,
      ...(failsAt === undefined ? [] : undo.map(({ id }) => `undo:${path}~${id}`)),
    ]);
  expect(due.length).toBeGreaterThan(10);
  expect(listUncovered([plan], passed).filter((step) => due.includes(step))).toEqual([]);
  const reads = entries.flatMap(({ path, step }) =>
    step.kind === "act" && step.effect === "read" ? [`do:${path}`] : [],
  );
  const known = await readNotes();
  const label = (point: string) => (isMostDangerous(point, passed, reads) ? `first ${point}` : point);
  // What the plan does not name is inside one of its procedures.
  const isWanted = (path: string | undefined) => path === undefined || isMeant(path);
  const owner = (point: string) => entries.find(({ path }) => point.split(/[:~]/)[1] === path)?.path;
  const all = passed.filter((point) => chosen.test(label(point)) && isWanted(owner(point)));
  const left = all.filter((point) => !known.has(`${kind} ${point}`));
  process.stdout.write(
    `${kind}: ${due.length} steps, ${passed.length} points; ${left.length} of ${all.length} to strike\n`,
  );
  const rank = (point: string) => (label(point) === point ? 2 : Number(point.endsWith(":recorded")));
  return left.toSorted((one, other) => rank(one) - rank(other));
}

/** Of an act that changes something, the moment when its program works; of anything else, when its end is written down. */
function isMostDangerous(point: string, passed: readonly string[], reads: readonly string[]): boolean {
  const step = point.slice(0, point.lastIndexOf(":"));
  const at = ["spawned", "performed"].find((one) => !reads.includes(step) && passed.includes(`${step}:${one}`));
  return point === `${step}:${at ?? "recorded"}`;
}

/** What was shown, and had no fault. */
async function readNotes(): Promise<ReadonlySet<string>> {
  const text = await readFile(notes, "utf8").catch(() => "");
  const all = text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Note);
  return new Set(
    all
      .filter(({ faults }) => faults.length === 0)
      .flatMap(({ kind, points }) => points.map((point) => `${kind} ${point}`)),
  );
}

const hours = 10 * 3_600_000;
const title = "killed at each point that it passes (IPAI_TEST_LONG)";

describe.runIf(isLong && !isCompose)(title, { timeout: hours }, () => {
  beforeAll(async () => {
    await prove();
    const addController = async ({ put, edit }: Draft) => {
      await put(`${controllers}/__init__.py`, "from . import main\n");
      await edit("ipai_demo_ledger/__init__.py", "import models", "import controllers, models");
    };
    const brought = await bring(addController, "main");
    await unharmed("deploy", "--no-backup");
    await closeKept();
    base = { ...brought, data: [] };
    crons = await activeCrons();
  });
  // Which code belongs to the database is noted in it, so each kind begins with what the last one left.
  beforeEach(async () => {
    base = { ...base, data: (await fingerprintAtRest()).split("\n") };
  });
  afterAll(async () => {
    expect((await ipai(["demo", "reset"])).exitCode).toBe(0);
  });

  it("code alone is brought", async () => {
    const kind = "code";
    const [first, outcome] = [await bring(), "succeeded"] as const;
    const points = await pointsOf({ kind, args: ["deploy", "--to", first.commit] });
    base = { ...base, ...first };
    while (points.length > 0 && !isOver()) {
      const wanted = await bring();
      await survive(points, { kind, args: ["deploy", "--to", wanted.commit], wanted, outcome });
      base = { ...base, ...wanted };
    }
  });

  it.each([
    { kind: "hotfix", failsAt: "fix", command: "hotfix", more: undefined, options: ["--verify", "false"] },
    { kind: "failing", failsAt: update, command: "deploy", more: breakView, options: ["--no-backup"] },
  ] as const)("$kind, which would be taken back, is taken back", async ({ kind, failsAt, command, more, options }) => {
    const wanted = await bring(more);
    const args = [command, "--to", wanted.commit, ...options];
    const points = await pointsOf({ kind, args, failsAt });
    while (points.length > 0 && !isOver()) await survive(points, { kind, args, wanted, outcome: "failed-and-undone" });
  });

  it("a release that changes the database is brought, and its rollback takes it back", async () => {
    const [wanted, outcome] = [await bring(addField), "succeeded"] as const;
    const args = ["deploy", "--to", wanted.commit, "--no-backup"];
    const there = { kind: "release", args, wanted, outcome } as const;
    const back = { kind: "rollback", args: ["rollback"], wanted: base, outcome } as const;
    const releasePoints = await pointsOf(there);
    changing = differing(await rows(), base.data);
    const rollbackPoints = await pointsOf(back);
    await closeKept();
    while (releasePoints.length + rollbackPoints.length > 0 && !isOver()) {
      if (releasePoints.length === 0) await unharmed(...args);
      else if (!(await survive(releasePoints, there))) continue;
      if (rollbackPoints.length === 0) await unharmed(...back.args);
      else await survive(rollbackPoints, back);
      await closeKept();
    }
  });

  it("the backup before such a release is made", async () => {
    const wanted = await bring(addField);
    const blow = { kind: "backup", args: ["deploy", "--to", wanted.commit], wanted, outcome: "succeeded" } as const;
    const points = await pointsOf(blow, (path) => path === "backup");
    changing = differing(await rows(), base.data);
    const goBack = async () => {
      await unharmed("rollback");
      await closeKept();
    };
    await goBack();
    while (points.length > 0 && !isOver()) {
      await survive(points, blow);
      await goBack();
    }
  });
});
