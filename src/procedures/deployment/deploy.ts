import { z } from "zod";
import type { Override, Plan, ProcedureStep, Step } from "../../runbook/plan.ts";
import { runId } from "../../runbook/value.ts";
import type { Stack } from "../../stack/stack.ts";
import { whileInMaintenance } from "../maintenance/bracket.ts";
import { announcedBefore, type FactReader, type Procedure } from "../procedure.ts";
import { noteOpened } from "../resources.ts";
import { boundTo as boundToRunning } from "../running.ts";
import { pivot, whileOdooStopped } from "../steps.ts";
import { namesOf } from "../upgrade/snapshot.ts";
import { recordHashes, updateModules } from "../upgrade/update.ts";
import { workDirectory } from "../upgrade/upgrade.ts";
import { changesDatabase, heed, sayTick, type Tick, withoutHoldUntilLater } from "./checklist.ts";
import { askAgain, tickRelease } from "./checklist-facts.ts";
import { checkOut, seenCode, short, unchangedTree } from "./code.ts";
import { NotRehearsed } from "./errors.ts";
import { askFor, type DeployFacts, readDeployFacts, requireGit } from "./facts.ts";
import { buildImages, keepImages, renewTools, useImages } from "./image.ts";
import { inputsOf } from "./inputs.ts";
import { noteRelease, noteSize } from "./release.ts";
import { canDrain, isDrained, restartAgain, restartEach, websocketsLoaded } from "./roll.ts";
import { smokeTests } from "./smoke.ts";

const input = z.object({
  to: z.string().nullable().default(null).describe("Branch, tag or commit; the source's branch when absent"),
  install: z.array(z.string()).default([]).describe("New modules of the release to install"),
  backup: z.boolean().default(true).describe("Back up first, when the database has to change"),
  acceptLostCrons: z.boolean().default(false).describe("Accept that active scheduled actions disappear"),
  override: z
    .object({
      reason: z.string().min(1).describe("Why: it is in the plan, in the journal and in the audit chain"),
      findings: z
        .array(z.string())
        .nullable()
        .default(null)
        .describe("Their codes; those that are red now when absent"),
    })
    .nullable()
    .default(null)
    .describe("Go on in spite of what is red on the checklist; two people have to consent then"),
});
type DeployInput = z.infer<typeof input>;

interface CheckedFacts extends DeployFacts {
  readonly ticks: readonly Tick[];
  readonly override: Override | undefined;
}

export const deploy: Procedure<DeployInput, CheckedFacts> = {
  name: "deploy",
  chapter: "deployment",
  version: 1,
  risk: "destroy",
  title: "Deployment",
  summary:
    "Brings a commit of the source into place. What only changes code is rolled, one service after the other, and no request fails. " +
    "What changes the database is brought while users are kept out: a copy first, then code and update. Either all of the new release " +
    "serves afterwards, or all of the old one.",
  done: { title: "Deployment complete", line: "The system is live. Please report any issues." },
  announceSeconds: announcedBefore,
  input,
  facts: readCheckedFacts,
  plan: planDeploy,
};

/** What is refused comes first: nobody can go on in spite of that. */
async function readCheckedFacts(reader: FactReader, given: DeployInput): Promise<CheckedFacts> {
  const facts = await readRehearsedFacts(reader, given);
  const known = await tickRelease(reader, facts);
  // Who overrides for later means what would hold it up now.
  const ticks = reader.at === undefined || given.override !== null ? known : withoutHoldUntilLater(known);
  return { ...facts, ticks, override: heed(ticks, given.override) };
}

async function readRehearsedFacts(reader: FactReader, given: DeployInput): Promise<DeployFacts> {
  const facts = await readDeployFacts(reader, given);
  const isAsked = reader.stack.config.source?.rehearse === "always" && !isRolled(facts);
  if (isAsked && facts.forecastSeconds === undefined) throw NotRehearsed({ commit: short(facts.to) });
  return facts;
}

function planDeploy(stack: Stack, given: DeployInput, facts: CheckedFacts): Plan {
  const { ticks, override } = facts;
  return {
    procedure: deploy.name,
    version: deploy.version,
    stack: stack.name,
    title: titleOf(facts),
    // The commit, and not the branch, and what is overridden by name: what was approved is what runs.
    input: { ...given, to: facts.to, override: override === undefined ? null : { ...override } },
    facts: boundTo(facts),
    lease: "exclusive",
    notes: notesOf(stack, given, facts),
    seen: ticks.map(sayTick),
    ...(override === undefined ? {} : { override }),
    ...awayOf(stack, facts),
    steps: [
      askAgain(stack, facts, override?.findings ?? []),
      ...(isRolled(facts) ? roll(stack, facts) : replace(stack, given, facts)),
    ],
  };
}

interface RollOptions {
  /** What has to be seen besides, before it stays. */
  readonly besides?: readonly Step[];
  /** Releases that are taken back by it. */
  readonly undone?: readonly string[];
}

/** Code alone: nothing of the database changes but the note of which code it belongs to. */
export function roll(stack: Stack, facts: DeployFacts, { besides = [], undone }: RollOptions = {}): readonly Step[] {
  const git = requireGit(stack);
  const { code, running, hashes, recorded, images } = facts;
  return [
    ...canDrain(stack, running),
    ...websocketsLoaded(stack, running),
    ...newImages(stack, facts),
    unchangedTree(stack, git, facts),
    noteSize(stack),
    // Only once the old code lies there again: until it is checked out, nobody has judged what does.
    checkOut(stack, git, facts, restartAgain(stack, running, images)),
    seenCode(stack, code),
    { ...recordHashes(stack, hashes), undo: [{ ...recordHashes(stack, recorded), id: "record before" }] },
    ...useImages(stack, facts, false),
    ...renewTools(stack, images),
    ...restartEach(stack, running, images),
    ...smokeTests(stack, running.odoo),
    ...besides,
    pivot,
    noteRelease(stack, facts, {
      kind: undone === undefined ? "code" : "rollback",
      snapshot: false,
      undone: undone ?? [],
    }),
  ];
}

/** Users are kept out while code and database change together. The copy of before is kept for a rollback. */
function replace(stack: Stack, given: DeployInput, facts: DeployFacts): readonly Step[] {
  const git = requireGit(stack);
  const { updates, installs, code, running } = facts;
  return [
    ...newImages(stack, facts),
    unchangedTree(stack, git, facts),
    noteSize(stack),
    ...(given.backup && stack.restic !== undefined ? [backUp] : []),
    workDirectory(stack),
    noteOpened(stack, {
      id: runId,
      kind: "kept",
      title: namesOf(stack).before,
      hours: keptHours,
      close: { procedure: "restore forget" },
    }),
    ...whileInMaintenance(stack, { ...running, reason: "A new version is being installed." }, [
      ...whileOdooStopped(stack, running.odoo, [
        checkOut(stack, git, facts),
        ...useImages(stack, facts, true),
        seenCode(stack, [...updates, ...installs, ...code]),
        ...updateModules(stack, { ...facts, changes: updates }, given.acceptLostCrons),
      ]),
      ...smokeTests(stack, running.odoo),
      pivot,
    ]),
    noteRelease(stack, facts, { kind: "database", snapshot: true }),
  ];
}

/** Before anything is touched. */
export function newImages(stack: Stack, facts: DeployFacts): readonly Step[] {
  return [...buildImages(stack, facts, wordsOf(facts)), ...keepImages(stack, facts)];
}

/** What a new image is asked, if anything. */
export function wordsOf({ needs }: Pick<DeployFacts, "needs">): readonly string[] | undefined {
  return needs.length === 0 ? undefined : askFor(needs);
}

const backUp: ProcedureStep = {
  kind: "procedure",
  id: "backup",
  title: "Back up before the deployment",
  name: "backup",
  input: { reason: "before-upgrade" },
  mandate: { risk: "change", undoClass: "instant" },
};

/** Hours that the copy of before lives, unless somebody extends it. */
export const keptHours = 72;

export function boundTo({ series, from, to, updates, installs, code, images, running }: DeployFacts): Plan["facts"] {
  const all = (modules: DeployFacts["updates"]) =>
    modules.map(({ name, from: old, to: next, hash }) => ({ name, from: old, to: next, hash }));
  return {
    series,
    from,
    to,
    updates: all(updates),
    installs: all(installs),
    code: all(code),
    running: boundToRunning(running),
    ...(images.length === 0 ? {} : { images: images.map(({ name, services }) => ({ name, services: [...services] })) }),
  };
}

export function titleOf({ from, to, commits, updates, installs, code }: DeployFacts): string {
  const [latest] = commits;
  const what = latest === undefined ? short(to) : `${short(to)} (${latest.subject})`;
  const changed = [...updates, ...installs, ...code].length;
  return from === to ? `Deploy ${what} again: ${changed} modules` : `Deploy ${what}`;
}

export function notesOf(stack: Stack, given: Pick<DeployInput, "backup">, facts: DeployFacts): readonly string[] {
  const { commits, updates, installs, code, reasons } = facts;
  const named = (modules: DeployFacts["updates"]) => modules.map(({ name, from, to }) => `${name}: ${from} → ${to}`);
  return [
    ...commits.slice(0, 20).map(({ commit, author, subject }) => `${short(commit)} ${subject} (${author})`),
    ...(commits.length > 20 ? [`and ${commits.length - 20} more commits`] : []),
    ...named(updates),
    ...installs.map(({ name, to }) => `${name}: new, ${to}`),
    ...(code.length === 0 ? [] : [`Code only: ${code.map(({ name }) => name).join(", ")}`]),
    ...reasons.slice(0, 20),
    ...staleOf(facts),
    ...toldBy(facts),
    ...wayOf(stack, given, facts),
  ];
}

/** What code alone leaves as the old code had computed it. */
function staleOf({ code, scan }: DeployFacts): readonly string[] {
  const names = code.map(({ name }) => name);
  const reasons = scan.addons.filter(({ name }) => names.includes(name)).flatMap((addon) => addon.reasons);
  return reasons.filter(({ why }) => why.includes("not computed again")).map(({ file, why }) => `${file}: ${why}`);
}

/** Users notice nothing of services that are drained before they are restarted. What a release needs is measured by rehearsing it. */
export function awayOf(stack: Stack, facts: DeployFacts): Pick<Plan, "awaySeconds"> {
  if (!isRolled(facts)) return { awaySeconds: facts.forecastSeconds ?? null };
  return isDrained(stack, facts.running) ? { awaySeconds: 0 } : {};
}

/** Nothing but code changes: services can be restarted one by one. */
function isRolled(facts: DeployFacts): boolean {
  return !changesDatabase(facts);
}

function wayOf(stack: Stack, { backup }: Pick<DeployInput, "backup">, facts: DeployFacts): readonly string[] {
  const { running } = facts;
  if (running.odoo.length === 0) return ["No Odoo service runs now; none will be started."];
  if (!isRolled(facts))
    return [
      "Users are kept out while the database changes; `ipai rehearse` measures for how long.",
      `What was before is kept for ${keptHours} hours, for \`ipai rollback\`.`,
      ...(backup && stack.restic === undefined ? ["This stack has no repository, so no backup is made first."] : []),
    ];
  return isDrained(stack, running)
    ? ["Services are restarted one after the other, each taken out of nginx meanwhile: no request fails."]
    : [
        "Users wait, or see an error, for as long as a service needs to start: there is no other that could answer, or no services.proxy.upstreams.",
      ];
}

/** What whoever consents should have read: what breaks by the authors' own words, and who may do what from now on. */
function toldBy({ scan, images }: DeployFacts): readonly string[] {
  const { breaking, changelog, rights, guards, image, configuration } = scan;
  const built = images.map((one) => ({ ...one, inputs: inputsOf(one, scan) }));
  const isBuilt = ({ file }: { readonly file: string }) => built.some(({ inputs }) => inputs.includes(file));
  return [
    ...breaking.map(({ commit, subject }) => `Breaking, says ${short(commit)}: ${subject}`),
    ...changelog
      .filter(({ isBreaking }) => isBreaking)
      .map(({ file, line }) => `Breaking, says ${file}: ${line.trim()}`),
    ...rights.map(({ group, model, gains, loses }) => {
      const what = [...gains.map((one) => `may ${one}`), ...loses.map((one) => `may not ${one} any more`)];
      return `Access: ${group || "everybody"} ${what.join(", ")}: ${model}`;
    }),
    ...guards.map(({ change, model, id }) => `Access: ${model} ${id} is ${change}`),
    ...built.map(
      ({ name, services, inputs }) =>
        `Built anew: ${name}, of which ${services.join(", ")} are made (${inputs.join(", ")})`,
    ),
    ...image
      .filter((one) => !isBuilt(one))
      .map(({ file, why }) => `Not brought by this: ${file} (${why}); the image or the machine needs it`),
    ...configuration
      .filter((one) => !isBuilt(one))
      .map(({ file, why }) => `Not brought by this: services go on with the ${file} that they have (${why})`),
  ];
}
