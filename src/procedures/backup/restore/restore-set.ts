import type { Bracket, Plan, ProcedureStep, Step } from "../../../runbook/plan.ts";
import { join, runId, type Text } from "../../../runbook/value.ts";
import type { NamedRepository } from "../../../stack/restic.ts";
import { createScratchCluster } from "../../../stack/scratch.ts";
import type { Stack } from "../../../stack/stack.ts";
import type { Procedure } from "../../procedure.ts";
import { compareAttachments, compareManifest, compareSequences } from "../compare.ts";
import { serveCopy } from "../copy.ts";
import { checkAttachments, fetchSet, fileOfSet, restoreInScratch, withFolder, withScratch } from "../set.ts";
import { automationNotes, bringAutomation } from "./automation.ts";
import { linkForCopy } from "./carry.ts";
import {
  bringSince,
  findMissing,
  linkPast,
  listMissing,
  listNamed,
  makeFilestores,
  nameLost,
  type Search,
} from "./files.ts";
import { givePast, keptDays, loadedPast, loadPast, namesOf, neutralizePast, putInPlace } from "./place.ts";
import { type RestoreSetFacts, readRestoreSetFacts, toJson } from "./set-facts.ts";
import { type SetInput, setInput } from "./set-input.ts";

export const restoreSet: Procedure<SetInput, RestoreSetFacts> = {
  name: "restore set",
  chapter: "backup",
  version: 1,
  risk: "change",
  title: "Restore of a set",
  summary:
    "Brings database and filestore back from a backup's set, or one of them, or n8n's database: read from the repository, checked, loaded beside the serving " +
    "database, compared row by row, and only then put in the place of the present, which is kept under another name.",
  done: { title: "Restored" },
  input: setInput,
  facts: readRestoreSetFacts,
  plan: planRestoreSet,
};

function planRestoreSet(stack: Stack, given: SetInput, facts: RestoreSetFacts): Plan {
  const folder = join(`${stack.config.workDirectory}/restore/`, runId);
  const { only } = given;
  const makesBackup = given.backup && facts.present.database && stack.restic !== undefined;
  return {
    procedure: restoreSet.name,
    version: restoreSet.version,
    stack: stack.name,
    title: titleOf(stack, given, facts),
    input: { ...given },
    facts: toJson(facts),
    lease: "exclusive",
    notes: notesOf(stack, given, facts, makesBackup),
    steps: [
      withFolder(stack, folder, "set", [
        ...(makesBackup ? [backUpPresent] : []),
        ...fetchSet(
          stack,
          repositoryOf(stack, given, facts),
          { backup: facts.set.id, databaseBytes: facts.databaseBytes, part: only ?? "all" },
          folder,
        ),
        ...(facts.present.files ? [] : [makeFilestores(stack)]),
        ...bring(stack, given, facts, folder),
      ]),
    ],
  };
}

function bring(stack: Stack, given: SetInput, facts: RestoreSetFacts, folder: Text): Bracket["body"] {
  if (given.only === "automation") return bringAutomation(stack, facts, folder);
  return given.only === "files" ? bringFiles(stack, given, facts, folder) : bringDatabase(stack, given, facts, folder);
}

/** Kept for its own time whatever becomes of this restore. */
const backUpPresent: ProcedureStep = {
  kind: "procedure",
  id: "backup",
  title: "Back up the present first",
  name: "backup",
  input: { reason: "before-restore" },
  mandate: { risk: "change", undoClass: "instant" },
};

function repositoryOf(stack: Stack, { from }: SetInput, { repository }: RestoreSetFacts): NamedRepository {
  const found = stack.sources.get(from ?? stack.name)?.find(({ name }) => name === repository);
  if (found === undefined) throw new TypeError(`The facts name a repository ${repository} that is not configured`);
  return found;
}

/** With the set's own filestore; or with the live one and whatever the set's database names besides. */
function bringDatabase(stack: Stack, given: SetInput, facts: RestoreSetFacts, folder: Text): Bracket["body"] {
  const { odoo, config } = stack;
  const { source, jobs, databaseBytes, set, running, present } = facts;
  const isWhole = given.only === null;
  const restored = loadedPast(stack, folder);
  const load = { source, jobs, databaseBytes };
  const search: Search = {
    list: fileOfSet(folder, "attachments"),
    missing: fileOfSet(folder, isWhole ? "unsound-now" : "missing"),
    repository: repositoryOf(stack, given, facts),
    first: set.id,
  };
  const files = isWhole
    ? [
        checkAttachments(stack, folder),
        linkPast(stack, fileOfSet(folder, "filestore"), "Put its filestore beside the live one"),
      ]
    : [linkPast(stack, odoo.filestoreOf(config.odoo.database), "Link the live filestore"), listMissing(stack, search)];
  return [
    ...files,
    ...findMissing(stack, search),
    nameLost(stack, search),
    ...(facts.trial === undefined ? [] : tryOdoo(stack, folder, { ...load, isWhole })),
    loadPast(stack, folder, load),
    compareManifest(stack, restored),
    compareAttachments(stack, restored),
    compareSequences(stack, restored),
    ...(given.from === null ? [] : [givePast(stack, { isNeutralized: !given.asProduction })]),
    ...(given.from === null || given.asProduction ? [] : neutralizePast(stack)),
    ...putInPlace(stack, running, {
      database: { isThere: present.database },
      files: { isThere: present.files },
    }),
  ];
}

/** As a proof does it, on a server of its own, so that nothing of it touches the stack's. */
function tryOdoo(
  stack: Stack,
  folder: Text,
  { isWhole, ...load }: { isWhole: boolean; source: string; jobs: number; databaseBytes: number },
): readonly Step[] {
  const cluster = createScratchCluster(stack.config, stack.runtime, folder);
  return [
    withScratch(cluster, [
      restoreInScratch(cluster, folder, load),
      ...(isWhole ? [] : [linkForCopy(stack, folder)]),
      ...serveCopy(stack, cluster, folder),
    ]),
  ];
}

/** Users go on meanwhile: what they have added since the list was made is brought over once nobody writes any more. */
function bringFiles(stack: Stack, given: SetInput, facts: RestoreSetFacts, folder: Text): Bracket["body"] {
  const list = fileOfSet(folder, "named");
  const search: Search = {
    list,
    missing: fileOfSet(folder, "missing"),
    repository: repositoryOf(stack, given, facts),
    first: facts.set.id,
  };
  return [
    checkAttachments(stack, folder),
    linkPast(stack, fileOfSet(folder, "filestore"), "Put its filestore beside the live one"),
    listNamed(stack, "named", "List the attachments that the database names", list),
    listMissing(stack, search),
    ...findMissing(stack, search),
    ...putInPlace(stack, facts.running, { files: { isThere: facts.present.files } }, [
      ...bringSince(stack, search),
      nameLost(stack, search),
    ]),
  ];
}

function titleOf(stack: Stack, { only, from }: SetInput, { set }: RestoreSetFacts): string {
  const parts = {
    all: stack.config.odoo.database,
    database: "the database",
    files: "the filestore",
    automation: "n8n",
  };
  const what = parts[only ?? "all"];
  return `Restore ${what} from set ${set.id}${from === null ? "" : ` of ${from}`}`;
}

function notesOf(stack: Stack, given: SetInput, facts: RestoreSetFacts, makesBackup: boolean): readonly string[] {
  const { database } = namesOf(stack);
  const { set, present, repository } = facts;
  const { only, from, asProduction } = given;
  const isOf = `The set is of ${set.takenAt} (${set.reason}), from the repository ${repository}.`;
  if (only === "automation") return [isOf, ...automationNotes(stack, facts), ...backupNotes(given, facts, makesBackup)];
  return [
    isOf,
    ...(only === "files"
      ? ["The database is not touched. Attachments that it names and that are not in the set are looked for elsewhere."]
      : ["What users did since then is not in the restored database; it stays in the one that is kept."]),
    ...(only === "database"
      ? ["The filestore stays; attachments that the restored database names are added to it."]
      : []),
    ...keptNotes(database, only, present),
    ...backupNotes(given, facts, makesBackup),
    ...trialNotes(given, facts),
    ...(only === null && stack.automation !== undefined
      ? ["n8n is not touched: --only automation brings its database back."]
      : []),
    ...facts.differences.map(
      (line) => `${line}. Odoo may refuse to work until \`ipai upgrade\` was run, or the code is put back.`,
    ),
    ...(from === null ? mailNotes(only) : asProduction ? movedNotes(from) : neutralNotes(from)),
  ];
}

function keptNotes(database: string, only: SetInput["only"], present: RestoreSetFacts["present"]): readonly string[] {
  const kept = [
    ...(only !== "files" && present.database ? [`the database as ${database}_before_RUN`] : []),
    ...(present.files ? [`the filestore beside it`] : []),
  ];
  if (kept.length === 0) return ["There is nothing here that could be kept."];
  return [
    `The present is kept for ${keptDays} days, ${kept.join(" and ")}, RUN being this run's id: ipai resources lists, extends and closes it.`,
  ];
}

function backupNotes({ backup }: SetInput, { present }: RestoreSetFacts, makesBackup: boolean): readonly string[] {
  if (makesBackup) return ["A set of the present is made first, and kept as one made before a restore."];
  if (!present.database) return ["There is no database here, so no set of the present is made."];
  return backup
    ? ["This stack has no repository, so no set of the present is made."]
    : ["No set of the present is made first: what is kept beside is all that there will be of it."];
}

function trialNotes({ only, trial }: SetInput, facts: RestoreSetFacts): readonly string[] {
  if (only === "files") return [];
  if (facts.trial !== undefined) return [`Odoo is tried on a neutralized copy first, ${facts.trial}.`];
  return trial === "never"
    ? ["Odoo is not tried on a copy first: whether it works with this set shows when users are out."]
    : ["The set is proven, and the code is of the same versions: Odoo is not tried on a copy again."];
}

function mailNotes(only: SetInput["only"]): readonly string[] {
  return only === "files"
    ? []
    : ["Mail that waited at that instant waits again, and scheduled actions that were due since are due."];
}

function neutralNotes(from: string): readonly string[] {
  return [
    `It comes from ${from}, so it is neutralized before any Odoo starts on it: no mail, no scheduled actions, no payments.`,
  ];
}

function movedNotes(from: string): readonly string[] {
  return [
    `It comes from ${from} and is NOT neutralized: here it sends mail, runs scheduled actions and takes payments. ${from} must not run any more.`,
  ];
}
