import { z } from "zod";
import { type CommandAction, command, type Probe, type SqlAction } from "../../runbook/action.ts";
import type { Act, Parallel, Plan } from "../../runbook/plan.ts";
import { output, runId, type Text } from "../../runbook/value.ts";
import { takeConfiguration } from "../../stack/configuration.ts";
import { linkTree, pathExists, readText } from "../../stack/files.ts";
import { explained, type Restic } from "../../stack/restic.ts";
import type { Stack } from "../../stack/stack.ts";
import type { Procedure } from "../procedure.ts";
import { change, read, require } from "../steps.ts";
import { takeAutomation } from "./automation/take.ts";
import { automationOfSet } from "./automation/told.ts";
import { requestProof } from "./certificate/request.ts";
import { findWrongClock } from "./clock.ts";
import { NoRepository } from "./errors.ts";
import { type BackupFacts, jobsOf, knownRepository, readBackupFacts } from "./facts.ts";
import { holdExists, readInstant, resticTime, snapshot, takenAt, withFilesHeld } from "./hold.ts";
import { limitNotes } from "./limits.ts";
import { unlock } from "./locks.ts";
import { aboutSql, attachmentsSql, globalsSql, manifestSql, rolesSql, sequencesSql } from "./manifest.ts";
import { type SetReason, setReasons } from "./retention.ts";
import { withFullDisk, withWorkingFolder, workingFolder } from "./working-folder.ts";

const input = z.object({
  reason: z.enum(setReasons).default("by-hand").describe("Why it is made: it decides for how long the set is kept"),
});
type BackupInput = z.infer<typeof input>;

export const backup: Procedure<BackupInput, BackupFacts> = {
  name: "backup",
  chapter: "backup",
  version: 1,
  risk: "change",
  title: "Full backup",
  summary:
    "Dumps the database and takes the filestore as of the same instant, with a manifest of every table's rows and checksums, and " +
    "stores both encrypted in the repository. Odoo keeps running; only its removal of unreferenced files is held off.",
  done: { title: "Backup complete" },
  input,
  facts: readBackupFacts,
  plan: planBackup,
};

function planBackup(stack: Stack, { reason }: BackupInput, facts: BackupFacts): Plan {
  const { restic } = stack;
  if (restic === undefined) throw NoRepository({ stack: stack.name });
  const folder = workingFolder(stack);
  return {
    procedure: backup.name,
    version: backup.version,
    stack: stack.name,
    title: `Back up ${stack.config.odoo.database} and its filestore`,
    input: { reason },
    facts: {},
    lease: "shared",
    notes: notesOf(stack, restic, facts),
    steps: [
      ...(facts.isRepositoryThere ? [] : [makeRepository(restic)]),
      unlock(restic),
      withWorkingFolder(stack, folder, [
        noteRepository(stack, restic),
        withFilesHeld(stack, [
          readInstant(stack),
          describe(stack, folder, "sequences", "Note where the sequences stand", sequencesSql),
          takeTogether(stack, folder, facts),
        ]),
        findMissingParts(stack, folder),
        checkFilestore(stack, folder),
        findLostAttachments(stack, folder),
        ...takeAutomation(stack, folder, jobsOf(stack.config, facts.cores)),
        store(restic, folder, reason),
        readAccount(stack, folder),
      ]),
      record(stack, reason),
      ...(stack.config.backup?.verify === "every" ? [requestProof(stack)] : []),
      findWrongClock(stack),
    ],
  };
}

function notesOf(stack: Stack, restic: Restic, facts: BackupFacts): readonly string[] {
  return [
    `Repository: ${restic.repository}`,
    ...limitNotes(stack, "upload"),
    ...(facts.isFilestoreNear
      ? []
      : [
          `${stack.config.workDirectory} is on another file system than the filestore: the attachments are copied, not linked, ` +
            "which takes time and their space once more until the backup is stored.",
        ]),
  ];
}

/** What has one snapshot, or needs none, waits for nothing else; the sequences alone have to be read before the dump reads them. */
function takeTogether(stack: Stack, folder: string, facts: BackupFacts): Parallel {
  return {
    kind: "parallel",
    id: "take",
    title: "Take what belongs together",
    acts: [
      dump(stack, folder, facts),
      describe(stack, folder, "manifest", "Note every table's rows and checksum", manifestSql),
      describe(stack, folder, "roles", "Note the roles of the server", rolesSql),
      describe(stack, folder, "globals", "Note their rights and passwords", globalsSql),
      describe(stack, folder, "attachments", "List the attachments and their checksums", attachmentsSql),
      describe(stack, folder, "about", "Note versions and modules", aboutSql),
      takeFilestore(stack, folder),
      takeParts(stack, folder),
    ],
  };
}

function makeRepository(restic: Restic): Act {
  return change(
    { id: "repository", title: "Create the repository", action: restic.initialise() },
    { done: restic.isInitialised(), verify: [restic.isInitialised()], timeoutSeconds: 60 },
  );
}

/** Once it is known, it is missed when it is not there, instead of being made anew. */
function noteRepository(stack: Stack, restic: Restic): Act {
  const { tools: host, config } = stack;
  const path = knownRepository(config.workDirectory);
  const noted: Probe = {
    title: "the repository is noted",
    action: readText(host, path),
    output: { from: "stdout" },
    compare: "eq",
    with: restic.repository,
  };
  const action = { kind: "write", host, path, content: `${restic.repository}\n`, mode: "0644" } as const;
  return change({ id: "know", title: "Note the repository", action }, { done: noted, verify: [noted] });
}

function dump(stack: Stack, folder: string, facts: BackupFacts): Act {
  const { config, postgres } = stack;
  const target = `${folder}/set/dump`;
  const options = { snapshot, folder: target, jobs: jobsOf(config, facts.cores) };
  const listed: Probe = {
    title: "the dump's table of contents is complete",
    action: postgres.listDump(target),
    output: { from: "stdout" },
    compare: "has",
    with: "ir_attachment",
    code: "backup.dump_failed",
  };
  return change(
    {
      id: "dump",
      title: "Dump the database",
      action: withFullDisk(explained(postgres.dump(config.odoo.database, options))),
    },
    {
      verify: [listed],
      timeoutSeconds: 6 * 3600,
      forecastSeconds: 1 + Math.ceil(facts.databaseBytes / dumpBytesPerSecond),
    },
  );
}

/** Measured on the test machine; only used to say how long it will take. */
const dumpBytesPerSecond = 60_000_000;

/** Runs SQL in the dump's snapshot and keeps its answer as a file of the set. */
function describe(stack: Stack, folder: string, id: string, title: string, sql: string): Act {
  const file = `${folder}/set/${id}`;
  const query = stack.postgres.query(stack.config.odoo.database, sql, { snapshot, takenAt });
  return change(
    { id, title, action: kept(query, file) },
    { verify: [hasContent(stack.tools, file)], timeoutSeconds: 3600 },
  );
}

/** psql answers an error of SQL with 3 and a lost connection with 2: 1 is dd's word. */
export function kept(query: SqlAction, into: Text): SqlAction {
  return { ...query, into, exitCodes: { ...query.exitCodes, 1: "backup.disk_full" } };
}

function hasContent(host: string, file: string): Probe {
  return {
    title: `${file.split("/").at(-1)} is not empty`,
    action: command(host, ["stat", "--format=%s", "--", file]),
    output: { from: "stdout", as: "number" },
    compare: "ge",
    with: 1,
  };
}

function takeFilestore(stack: Stack, folder: string): Act {
  const copy = `${folder}/set/filestore`;
  const action = explained(linkTree(stack.tools, stack.odoo.filestoreOf(stack.config.odoo.database), copy));
  return change(
    {
      id: "filestore",
      title: "Take the filestore",
      action: withFullDisk({ ...action, exitCodes: { 1: "backup.filestore_unreadable" } }),
    },
    {
      // Had the hold ended before, the clean-up may have taken files that the dump still names.
      verify: [
        pathExists(stack.tools, copy, "the filestore is in the set"),
        { ...holdExists(stack), code: "backup.hold_ended" },
      ],
      timeoutSeconds: 6 * 3600,
    },
  );
}

/**
 * Files that are already missing or altered in the live filestore cannot be saved by refusing the backup: they are listed in the
 * set, and a proof accepts exactly these.
 */
function checkFilestore(stack: Stack, folder: string): Act {
  return read(
    {
      id: "check",
      title: "Check every attachment against its checksum",
      action: withFullDisk(
        explained(command(stack.tools, ["sh", "-c", checkScript, "check", `${folder}/set`, "unsound"])),
      ),
      outputs: {
        files: { from: "stdout", as: "jsonLines", pick: [0, "files"] },
        unsound: { from: "stdout", as: "jsonLines", pick: [0, "unsound"] },
        bytes: { from: "stdout", as: "jsonLines", pick: [0, "bytes"] },
      },
    },
    { timeoutSeconds: 6 * 3600 },
  );
}

/**
 * Prints `{files, unsound, bytes}` and leaves the names of unsound files in the set, sorted. sha1sum says "NAME: FAILED …". One that is there
 * but cannot be read ends the backup when it is to be stored.
 */
export const checkScript = `
set -eu
cd "$1/filestore"
LC_ALL=C sha1sum --check --quiet ../attachments 2>/dev/null | sed 's/: FAILED.*$//' | LC_ALL=C sort > "../$2"
printf '{"files": %s, "unsound": %s, "bytes": %s}\\n' "$(wc -l < ../attachments)" "$(wc -l < "../$2")" "$(du -sb . | cut -f 1)"
`;

/** Passwords are among them; the repository is encrypted, and here only root may enter. */
function takeParts(stack: Stack, folder: string): Act {
  const action = takeConfiguration(stack.config, `${folder}/set/configuration`);
  return change(
    { id: "configuration", title: "Take configuration and code", action: withFullDisk(explained(action)) },
    { verify: [hasContent(stack.tools, `${folder}/set/configuration/parts`)], timeoutSeconds: 1800 },
  );
}

/** A finding, not a failure: without its configuration a set is worth less, not nothing. */
function findMissingParts(stack: Stack, folder: string): Act {
  const states = '"state": "(missing|unreadable)"';
  const probe: Probe = {
    title: "every part of the configuration is in the set",
    action: command(stack.tools, ["grep", "-E", "-e", states, "--", `${folder}/set/configuration/parts`], {
      okExitCodes: [0, 1],
    }),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
    code: "backup.parts_missing",
  };
  return require({ id: "parts", title: "Every part of the configuration is in the set", probe }, {
    onFail: "continue",
  });
}

/** A finding, not a failure: the run goes on. */
function findLostAttachments(stack: Stack, folder: string): Act {
  const probe: Probe = {
    title: "no attachment was lost before",
    action: command(stack.tools, ["cat", `${folder}/set/unsound`]),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
    code: "backup.attachments_lost",
  };
  return require({ id: "lost", title: "No attachment was lost before", probe }, { onFail: "continue" });
}

/** restic's own account goes to a file, so that a run which was killed in between still finds it. Without room for it the set counts all the same. */
function store(restic: Restic, folder: string, reason: SetReason): Act {
  const note = `${folder}/stored`;
  const action = restic.store(`${folder}/set`, resticTime, reason);
  const noted: CommandAction = {
    ...action,
    pipeline: [...action.pipeline, { argv: ["sh", "-c", 'tee -- "$1" || :', "note", note] }],
  };
  const { before, after } = restic.isStored(note);
  return change(
    { id: "store", title: "Store the set in the repository", action: noted },
    { done: before, verify: [after], timeoutSeconds: 12 * 3600 },
  );
}

/** A JSON line each for the set, what restic read and what the repository took in (-1 when it was not noted, or not to its end). */
function readAccount(stack: Stack, folder: string): Act {
  return read({
    id: "account",
    title: "Read what was stored",
    action: command(stack.tools, ["sh", "-c", accountScript, "account", folder]),
    outputs: {
      databaseBytes: { from: "stdout", as: "jsonLines", pick: [0, "databaseBytes"] },
      setBytes: { from: "stdout", as: "jsonLines", pick: [1, "total_bytes_processed"] },
      storedBytes: { from: "stdout", as: "jsonLines", pick: [2, "bytes"] },
    },
  });
}

const accountScript = `
cat "$1/set/about"
grep '"message_type":"summary".*}$' "$1/stored" 2>/dev/null || echo '{"total_bytes_processed": -1}'
grep '"message_type":"growth".*}$' "$1/stored" 2>/dev/null || echo '{"bytes": -1}'
`;

function record(stack: Stack, reason: SetReason): Act {
  const input = {
    reason,
    stack: stack.name,
    id: runId,
    takenAt,
    databaseBytes: output("account", "databaseBytes"),
    storedBytes: output("account", "storedBytes"),
    setBytes: output("account", "setBytes"),
    files: output("check", "files"),
    unsound: output("check", "unsound"),
    filestoreBytes: output("check", "bytes"),
    automation: stack.automation === undefined ? null : automationOfSet.told,
  };
  return change(
    {
      id: "catalogue",
      title: "Enter the backup in the catalogue",
      action: { kind: "call", name: "backup.record", version: 1, input },
    },
    { timeoutSeconds: 30 },
  );
}
