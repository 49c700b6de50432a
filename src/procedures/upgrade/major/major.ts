import { z } from "zod";
import type { Act, Plan, ProcedureStep, Step, Wait } from "../../../runbook/plan.ts";
import { join, runId } from "../../../runbook/value.ts";
import { linkTree, makeDirectory, pathExists, pathIsAbsent, removeTree } from "../../../stack/files.ts";
import { dropDatabaseSql } from "../../../stack/postgres.ts";
import type { Stack } from "../../../stack/stack.ts";
import {
  changePlaces,
  keptDays,
  type Names,
  namesOfDatabase,
  namesWith,
  noteKeptAs,
} from "../../backup/restore/place.ts";
import { withFolder } from "../../backup/set.ts";
import { checkOut, seenCode, short, unchangedTree } from "../../deployment/code.ts";
import { requireGit } from "../../deployment/facts.ts";
import { noteRelease, noteSize } from "../../deployment/release.ts";
import { smokeTests } from "../../deployment/smoke.ts";
import { whileInMaintenance } from "../../maintenance/bracket.ts";
import type { FactReader, Procedure } from "../../procedure.ts";
import { boundTo as boundToRunning } from "../../running.ts";
import { change, pivot, takeBack, whileOdooStopped } from "../../steps.ts";
import { requireSpace } from "../facts.ts";
import { copyBytesPerSecond } from "../snapshot.ts";
import { compareCrons, nobodyElse, readBefore, recordHashes } from "../update.ts";
import { upgradeCopy } from "./beside.ts";
import { holdCrons, releaseCrons } from "./crons.ts";
import type { NewCode } from "./exchange.ts";
import { type MajorFacts, readMajorFacts } from "./facts.ts";
import { programFacts, programOf } from "./program.ts";
import { noteMajor, rehearsedSeconds } from "./record.ts";

/** What an upgrade and its rehearsal are both told. */
export const waysInput = {
  to: z
    .string()
    .regex(/^\d+\.\d+$/)
    .describe("The series to upgrade to, such as 19.0"),
  ref: z.string().nullable().default(null).describe("Branch, tag or commit of the source; its branch when absent"),
  upgradePath: z
    .array(z.string().regex(/^\/[^,]*$/))
    .default([])
    .describe("Folders with upgrade scripts of Odoo's own kind, such as OpenUpgrade's"),
  load: z
    .array(z.string())
    .default([])
    .describe("Modules that Odoo loads before all others, such as openupgrade_framework"),
  without: z
    .array(z.string())
    .default([])
    .describe("Installed modules that the new series has no code for: scripts rename, merge or remove them"),
};

const input = z.object({
  ...waysInput,
  backup: z.boolean().default(true).describe("Back up first"),
  approval: z.boolean().default(true).describe("Let users in only when somebody has looked at it and says so"),
  acceptLostCrons: z.boolean().default(false).describe("Accept that active scheduled actions disappear"),
});
type MajorInput = z.infer<typeof input>;

interface RehearsedFacts extends MajorFacts {
  /** What scripts and update took in a rehearsal, seconds; undefined when there was none. */
  readonly rehearsed: number | undefined;
}

export const upgradeMajor: Procedure<MajorInput, RehearsedFacts> = {
  name: "upgrade major",
  chapter: "upgrade",
  version: 1,
  risk: "change",
  title: "Upgrade to another series",
  summary:
    "Brings a stack to another series of Odoo. Users are kept out; the database is copied, and the copy is brought there: by the source's own " +
    "scripts, each once and in a transaction with its record, then by Odoo's update of every module. What serves is touched only when that is " +
    "verified: then database, filestore, code and program change places. The old ones serve again if anything is not as it should be, or if " +
    "whoever looks at it says no.",
  done: { title: "Upgrade complete", line: "The system is live on the new version. Please report any issues." },
  input,
  facts: readFacts,
  plan: planMajor,
};

async function readFacts(reader: FactReader, given: MajorInput): Promise<RehearsedFacts> {
  const facts = await readMajorFacts(reader, given);
  await requireSpace(reader, facts.databaseBytes);
  return { ...facts, rehearsed: await rehearsedSeconds(reader.records, reader.stack.name, facts) };
}

function planMajor(stack: Stack, given: MajorInput, facts: RehearsedFacts): Plan {
  return {
    procedure: upgradeMajor.name,
    version: upgradeMajor.version,
    stack: stack.name,
    title: `Upgrade Odoo ${facts.from} to ${facts.to}`,
    // The commit, and not the branch: what was approved is what runs.
    input: { ...given, ref: facts.code?.to ?? null },
    facts: boundTo(facts),
    lease: "exclusive",
    notes: [...notesOf(facts), ...wayOf(stack, given, facts)],
    steps: steps(stack, given, facts),
  };
}

/** Names that belong to this run alone: the copy that is upgraded (`past`, as what comes is called), and what is kept. */
function namesOf(stack: Stack): Names {
  const { database } = stack.config.odoo;
  return namesWith(stack, namesOfDatabase(database, join(`${database}_next_`, runId)));
}

function steps(stack: Stack, given: MajorInput, facts: RehearsedFacts): readonly Step[] {
  const { running, code } = facts;
  const names = namesOf(stack);
  const folder = join(`${stack.config.workDirectory}/upgrade/`, runId);
  const ground = { database: names.past, query: stack.postgres.query, odooOptions: [] };
  const program = programOf(stack, facts);
  return [
    ...program.unmoved,
    ...(code === undefined ? [] : [unchangedTree(stack, requireGit(stack), code)]),
    ...(given.backup && stack.restic !== undefined ? [backUp] : []),
    makeRunFolder(stack, names),
    noteKeptAs(stack, names.before),
    ...whileInMaintenance(stack, { ...running, reason: `Odoo ${facts.to} is being installed.` }, [
      ...whileOdooStopped(stack, running.odoo, [
        nobodyElse(stack, "unused"),
        readBefore(stack),
        noteSize(stack),
        copyDatabase(stack, names, facts.databaseBytes),
        copyFilestore(stack, names),
        withFolder(stack, folder, "upgrade", [
          ...upgradeCopy(stack, folder, ground, {
            ways: given,
            facts,
            meanwhile: [compareCrons(stack, given.acceptLostCrons, names.past)],
          }),
        ]),
        noteMajor(stack, facts, { id: "report", title: "Note what was found", state: "tried" }),
        ...changePlaces(stack, { database: { isThere: true }, files: { isThere: true } }, names),
        ...program.exchange(newCode(stack, facts)),
        ...(facts.managed.length === 0 ? [] : [recordHashes(stack, hashesOf(facts))]),
        ...holdCrons(stack),
      ]),
      ...program.served(running.odoo),
      ...smokeTests(stack, running.odoo),
      ...(given.approval ? [approval] : []),
      pivot,
      releaseCrons(stack),
    ]),
    noteMajor(stack, facts, { id: "serving", title: "Note that it serves", state: "serving" }),
    ...(code === undefined ? [] : [noteAsRelease(stack, facts, code)]),
  ];
}

/** What a deployment after it, or a rollback, counts from. */
function noteAsRelease(stack: Stack, { managed }: MajorFacts, code: NonNullable<MajorFacts["code"]>): Act {
  const modules = { updates: managed, installs: [], code: [] };
  return noteRelease(stack, { ...code, ...modules }, { kind: "series", snapshot: true });
}

const backUp: ProcedureStep = {
  kind: "procedure",
  id: "backup",
  title: "Back up before the upgrade",
  name: "backup",
  input: { reason: "before-upgrade" },
  mandate: { risk: "change", undoClass: "instant" },
};

/** Users are out meanwhile: nobody's answer is a no. */
const approval: Wait = {
  kind: "wait",
  id: "approval",
  title:
    "Wait until somebody has looked at it and lets users in: `ipai runs signal RUN let-in`, or `ipai runs cancel RUN`",
  until: { signal: "let-in" },
  timeoutSeconds: 4 * 3600,
  onTimeout: "undo",
};

/**
 * Where the log of the update stays, as evidence. The first to be done, so the last to be taken back: the copy goes when users are back,
 * since the server writes all of its memory to the disk before it drops a database.
 */
function makeRunFolder(stack: Stack, { past, pastFiles }: Names): Act {
  const { tools: host, postgres } = stack;
  const work = join(`${stack.config.workDirectory}/runs/`, runId);
  const [absent, gone] = [
    postgres.databaseIsAbsent(past),
    pathIsAbsent(host, pastFiles, "the copy's filestore is gone"),
  ];
  return change(
    { id: "work", title: "Make the run's own folder", action: makeDirectory(host, work) },
    {
      verify: [pathExists(host, work, "the run's folder is there")],
      undo: [
        takeBack(
          {
            id: "drop copy",
            title: "Remove the upgraded copy",
            action: postgres.query("postgres", dropDatabaseSql, { name: past }),
          },
          { done: absent, verify: [absent], timeoutSeconds: 1800 },
        ),
        takeBack(
          { id: "drop copy files", title: "Remove its filestore", action: removeTree(host, pastFiles) },
          { done: gone, verify: [gone], timeoutSeconds: 1800 },
        ),
      ],
    },
  );
}

function copyDatabase({ postgres }: Stack, { database, past }: Names, databaseBytes: number): Act {
  return change(
    { id: "copy", title: "Copy the database", action: postgres.copyHidden(database, past) },
    {
      done: postgres.isHidden(past),
      verify: [postgres.isHidden(past)],
      attempts: 3,
      timeoutSeconds: 6 * 3600,
      forecastSeconds: Math.ceil(databaseBytes / copyBytesPerSecond),
    },
  );
}

function copyFilestore(stack: Stack, { database, pastFiles }: Names): Act {
  const there = pathExists(stack.tools, pastFiles, "the copy has its filestore");
  return change(
    {
      id: "copy files",
      title: "Link the filestore for the copy",
      action: linkTree(stack.tools, stack.odoo.filestoreOf(database), pastFiles),
    },
    { done: there, verify: [there], timeoutSeconds: 6 * 3600 },
  );
}

/** The same that the copy was updated with. */
function newCode(stack: Stack, { code, managed }: MajorFacts): NewCode {
  return {
    bring: code === undefined ? [] : [checkOut(stack, requireGit(stack), code)],
    seen: managed.length === 0 ? undefined : seenCode(stack, managed),
  };
}

function hashesOf({ managed }: MajorFacts): Readonly<Record<string, string>> {
  return Object.fromEntries(managed.map(({ name, hash }) => [name, hash]));
}

/** Facts of an upgrade and of its rehearsal. */
export function boundTo({
  from,
  to,
  program,
  code,
  scripts,
  had,
  versions,
  managed,
  running,
}: MajorFacts): Plan["facts"] {
  return {
    ...{ from, to, code: code === undefined ? null : { from: code.from, to: code.to }, had },
    ...programFacts(program),
    scripts: scripts.map(({ name, checksum }) => ({ name, checksum })),
    versions,
    managed: managed.map(({ name, hash }) => ({ name, hash })),
    running: boundToRunning(running),
  };
}

/** What whoever consents should have read, of the upgrade itself. */
export function notesOf({ code, scripts, had, versions, managed }: MajorFacts): readonly string[] {
  return [
    `${Object.keys(versions).length} modules are updated.`,
    ...managed.slice(0, 20).map(({ name, from, to }) => `${name}: ${from} → ${to}`),
    ...(managed.length > 20 ? [`and ${managed.length - 20} more of one's own`] : []),
    ...(code === undefined ? ["This stack has no source, so no scripts of one's own are run."] : []),
    ...(code === undefined || code.from === code.to
      ? []
      : [`Code: ${short(code.from)} → ${short(code.to)}, ${code.commits.length} commits`]),
    ...scripts.map(({ name, checksum }) => `Script: ${name} (${checksum.slice(0, 12)})`),
    ...had.map((name) => `Script that the database has had: ${name}`),
  ];
}

function wayOf(stack: Stack, given: MajorInput, { running, rehearsed, from, to }: RehearsedFacts) {
  const { approval: isAsked, backup, upgradePath } = given;
  return [
    ...(from !== to && upgradePath.length === 0
      ? ["No upgrade scripts of Odoo's own kind are given: whatever the series changed, the scripts above have to do."]
      : []),
    rehearsed === undefined
      ? "Users are kept out from the copy on; for how long nobody has rehearsed (`ipai upgrade major --rehearse`)."
      : `Users are kept out from the copy on, for about ${Math.ceil(rehearsed + usualSeconds)} s by the rehearsal besides the copy${isAsked ? ", and until somebody has looked" : ""}.`,
    "Scheduled actions run again when users are let in: until then no mail is sent or fetched by them.",
    `The database of before is kept for ${keptDays} days.`,
    ...(running.odoo.length === 0 ? ["No Odoo service runs now; none will be started."] : []),
    ...(backup && stack.restic === undefined ? ["This stack has no repository, so no backup is made first."] : []),
  ];
}

/** Seconds that stopping, starting and asking take. */
const usualSeconds = 20;
