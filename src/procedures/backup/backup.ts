import { z } from "zod";
import { type CommandAction, command, type Probe } from "../../runbook/action.ts";
import type { Act, Bracket, Plan } from "../../runbook/plan.ts";
import { join, output, runId } from "../../runbook/value.ts";
import { linkTree, makeDirectory, pathExists } from "../../stack/files.ts";
import { seriesSql } from "../../stack/odoo/sql.ts";
import type { Restic } from "../../stack/restic.ts";
import type { Stack } from "../../stack/stack.ts";
import type { Procedure } from "../procedure.ts";
import { change, read, takeBack, waitFor } from "../steps.ts";
import { NoRepository } from "./errors.ts";
import { aboutSql, attachmentsSql, manifestSql } from "./manifest.ts";

const input = z.object({});
type BackupInput = z.infer<typeof input>;

interface BackupFacts {
  readonly databaseBytes: number;
}

export const backup: Procedure<BackupInput, BackupFacts> = {
  name: "backup",
  chapter: "backup",
  version: 1,
  title: "Full backup",
  summary:
    "Dumps the database and takes the filestore as of the same instant, with a manifest of every table's rows and checksums, and " +
    "stores both encrypted in the repository. Odoo keeps running; only its removal of unreferenced files is held off.",
  input,
  facts: async (reader) => {
    if (reader.stack.restic === undefined) throw NoRepository({ stack: reader.stack.name });
    const about = z.object({ size: z.number() });
    const { database } = reader.stack.config.odoo;
    return { databaseBytes: about.parse(await reader.json(reader.stack.postgres.query(database, seriesSql))).size };
  },
  plan: planBackup,
};

function planBackup(stack: Stack, _input: BackupInput, facts: BackupFacts): Plan {
  const { restic } = stack;
  if (restic === undefined) throw NoRepository({ stack: stack.name });
  const folder = workingFolder(stack);
  return {
    procedure: backup.name,
    version: backup.version,
    stack: stack.name,
    title: `Back up ${stack.config.odoo.database} and its filestore`,
    input: {},
    facts: {},
    lease: "shared",
    notes: [`Repository: ${restic.repository}`],
    steps: [
      prepareRepository(restic),
      change(
        { id: "unlock", title: "Remove locks of dead backups", action: restic.unlock() },
        { verify: [restic.isInitialised()] },
      ),
      withWorkingFolder(stack, folder, [
        withFilesHeld(stack, [
          readInstant(stack),
          dump(stack, folder, facts),
          describe(stack, folder, "manifest", "Note every table's rows and checksum", manifestSql),
          describe(stack, folder, "attachments", "List the attachments and their checksums", attachmentsSql),
          linkFilestore(stack, folder),
        ]),
        about(stack, folder),
        checkFilestore(stack, folder),
        store(restic, folder),
        readAccount(stack, folder),
      ]),
      record(stack),
    ],
  };
}

/** One backup of a stack at a time; the folder's path is always the same, so that restic finds unchanged files quickly. */
export function workingFolder(stack: Stack): string {
  return `${stack.config.workDirectory}/backup`;
}

function prepareRepository(restic: Restic): Act {
  return change(
    { id: "repository", title: "Create the repository if there is none", action: restic.initialise() },
    { done: restic.isInitialised(), verify: [restic.isInitialised()], timeoutSeconds: 60 },
  );
}

/** The folder belongs to one run: another one is refused, and what a dead run left is only removed by resuming that run. */
function withWorkingFolder(stack: Stack, folder: string, body: Bracket["body"]): Bracket {
  const { host } = stack;
  const owner: Probe = {
    title: "the working folder is this run's",
    action: command(host, [
      "sh",
      "-c",
      'mkdir -p -- "$1" && cd -- "$1" && { ( set -C; echo "$2" > run ) 2>/dev/null || true; } && cat run',
      "own",
      folder,
      runId,
    ]),
    output: { from: "stdout" },
    compare: "eq",
    with: runId,
    code: "backup.under_way",
  };
  const clean: CommandAction = command(host, [
    "sh",
    "-c",
    'if [ ! -e "$1/run" ] || [ "$(cat "$1/run")" = "$2" ]; then rm -rf --one-file-system -- "$1"; fi',
    "clean",
    folder,
    runId,
  ]);
  return {
    kind: "bracket",
    id: "folder",
    title: "Working folder",
    open: [
      change({ id: "own folder", title: "Take the working folder", action: owner.action }, { verify: [owner] }),
      change(
        {
          id: "set folder",
          title: "Make the folder of the set",
          action: makeDirectory(host, `${folder}/set`, stack.postgres.user),
        },
        { verify: [pathExists(host, `${folder}/set`, "the set's folder is there")] },
      ),
    ],
    body,
    close: [
      takeBack(
        { id: "clean folder", title: "Remove the working folder", action: clean },
        { verify: [ownFolderIsGone(host, folder)] },
      ),
    ],
  };
}

function ownFolderIsGone(host: string, folder: string): Probe {
  return {
    title: "nothing of this run is left in the working folder",
    action: command(host, ["sh", "-c", 'cat "$1/run" 2>/dev/null || true', "left", folder]),
    output: { from: "stdout" },
    compare: "absent",
    with: runId,
  };
}

/**
 * Odoo's file clean-up takes a SHARE lock on ir_attachment. A session that holds ROW EXCLUSIVE, as every writer does, keeps it
 * out without stopping anybody's work. The same session exports the snapshot that dump and manifest see. It goes on when this
 * program dies, and ends by itself after the longest time that a backup may take.
 */
function withFilesHeld(stack: Stack, body: Bracket["body"]): Bracket {
  const { postgres, config, runtime } = stack;
  const seconds = (config.backup?.timeoutHours ?? 6) * 3600;
  const session = postgres.client(
    "psql",
    ...["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", config.odoo.database],
    ...["-c", "begin isolation level repeatable read"],
    ...["-c", "lock table ir_attachment in row exclusive mode"],
    ...[
      "-c",
      "select set_config('application_name', current_setting('application_name') || ' ' || pg_export_snapshot(), false)",
    ],
    ...["-c", `select pg_sleep(${seconds})`],
  );
  const hold = runtime.detach({ PGAPPNAME: join("ipai ", runId) }, session);
  const release = postgres.query(
    "postgres",
    "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name like :'hold';\n",
    {
      hold: join("ipai ", runId, "%"),
    },
  );
  return {
    kind: "bracket",
    id: "files held",
    title: "Odoo's file clean-up is held off",
    open: [
      change({ id: "hold files", title: "Hold Odoo's file clean-up off", action: hold }, { done: holdStarted(stack) }),
      waitFor({
        id: "holding",
        title: "Wait until the holding session is there",
        probe: holdStarted(stack),
        timeoutSeconds: 30,
      }),
      waitFor({
        id: "held",
        title: "Wait until it has its lock",
        probe: holdExists(stack),
        timeoutSeconds: 300,
      }),
    ],
    body,
    close: [
      takeBack(
        { id: "release files", title: "Let Odoo's file clean-up go on", action: release },
        { attempts: 5, verify: [holdIsGone(stack)] },
      ),
    ],
  };
}

const holdSql = "select count(*) from pg_stat_activity where application_name like :'hold';\n";

function holdStarted(stack: Stack): Probe {
  const action = stack.postgres.query("postgres", holdSql, { hold: join("ipai ", runId, "%") });
  return {
    title: "the holding session is there",
    action,
    output: { from: "stdout", as: "number" },
    compare: "ge",
    with: 1,
  };
}

/** With the snapshot's id in its name, the session has its lock. */
function holdExists(stack: Stack): Probe {
  const action = stack.postgres.query("postgres", holdSql, { hold: join("ipai ", runId, " %") });
  return {
    title: "the clean-up is held off",
    action,
    output: { from: "stdout", as: "number" },
    compare: "ge",
    with: 1,
  };
}

function holdIsGone(stack: Stack): Probe {
  return { ...holdStarted(stack), title: "the holding session is gone", compare: "eq", with: 0 };
}

function readInstant(stack: Stack): Act {
  const action = stack.postgres.query("postgres", instantSql, { hold: join("ipai ", runId, " %") });
  return read({
    id: "instant",
    title: "Read the snapshot's name and time",
    action,
    outputs: {
      snapshot: { from: "stdout", as: "json", pick: ["snapshot"] },
      takenAt: { from: "stdout", as: "json", pick: ["takenAt"] },
      resticTime: { from: "stdout", as: "json", pick: ["resticTime"] },
    },
  });
}

const instantSql = `
select json_build_object('snapshot', split_part(application_name, ' ', 3),
    'takenAt', to_char(xact_start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    'resticTime', to_char(xact_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'))
  from pg_stat_activity where application_name like :'hold';
`;

function dump(stack: Stack, folder: string, facts: BackupFacts): Act {
  const { config, postgres } = stack;
  const target = `${folder}/set/dump`;
  const options = { snapshot: output("instant", "snapshot"), folder: target, jobs: config.backup?.jobs ?? 2 };
  const listed: Probe = {
    title: "the dump's table of contents is complete",
    action: postgres.listDump(target),
    output: { from: "stdout" },
    compare: "has",
    with: "ir_attachment",
    code: "backup.dump_failed",
  };
  return change(
    { id: "dump", title: "Dump the database", action: postgres.dump(config.odoo.database, options) },
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
  const query = stack.postgres.query(stack.config.odoo.database, sql, { snapshot: output("instant", "snapshot") });
  return change(
    { id, title, action: { ...query, into: file } },
    { verify: [hasContent(stack.host, file)], timeoutSeconds: 3600 },
  );
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

function linkFilestore(stack: Stack, folder: string): Act {
  const copy = `${folder}/set/filestore`;
  const action = linkTree(stack.host, stack.odoo.filestoreOf(stack.config.odoo.database), copy);
  return change(
    { id: "filestore", title: "Take the filestore", action },
    { verify: [pathExists(stack.host, copy, "the filestore is in the set")], timeoutSeconds: 6 * 3600 },
  );
}

function about(stack: Stack, folder: string): Act {
  const file = `${folder}/set/about`;
  const action = { ...stack.postgres.query(stack.config.odoo.database, aboutSql), into: file };
  return change(
    { id: "about", title: "Note versions and modules", action },
    { verify: [hasContent(stack.host, file)] },
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
      action: command(stack.host, ["sh", "-c", checkScript, "check", `${folder}/set`, "unsound"]),
      outputs: {
        files: { from: "stdout", as: "jsonLines", pick: [0, "files"] },
        unsound: { from: "stdout", as: "jsonLines", pick: [0, "unsound"] },
      },
    },
    { timeoutSeconds: 6 * 3600 },
  );
}

/** Prints `{files, unsound}` and leaves the names of unsound files in the set, sorted. sha1sum says "NAME: FAILED …". */
export const checkScript = `
set -eu
cd "$1/filestore"
LC_ALL=C sha1sum --check --quiet ../attachments 2>/dev/null | sed 's/: FAILED.*$//' | LC_ALL=C sort > "../$2" || true
printf '{"files": %s, "unsound": %s}\\n' "$(wc -l < ../attachments)" "$(wc -l < "../$2")"
`;

/** restic's own account goes to a file, so that a run which was killed in between still finds it. */
function store(restic: Restic, folder: string): Act {
  const action = restic.store(`${folder}/set`, output("instant", "resticTime"));
  const kept: CommandAction = { ...action, pipeline: [...action.pipeline, { argv: ["tee", `${folder}/stored`] }] };
  return change(
    { id: "store", title: "Store the set in the repository", action: kept },
    { done: restic.exists(runId), verify: [restic.exists(runId)], timeoutSeconds: 12 * 3600 },
  );
}

/** One JSON line for the set, one for what the repository took in (-1 when the program died before restic said it). */
function readAccount(stack: Stack, folder: string): Act {
  return read({
    id: "account",
    title: "Read what was stored",
    action: command(stack.host, ["sh", "-c", accountScript, "account", folder]),
    outputs: {
      databaseBytes: { from: "stdout", as: "jsonLines", pick: [0, "databaseBytes"] },
      storedBytes: { from: "stdout", as: "jsonLines", pick: [1, "data_added"] },
    },
  });
}

const accountScript = `cat "$1/set/about" && { grep '"message_type":"summary"' "$1/stored" 2>/dev/null || echo '{"data_added": -1}'; }`;

function record(stack: Stack): Act {
  const input = {
    stack: stack.name,
    id: runId,
    takenAt: output("instant", "takenAt"),
    databaseBytes: output("account", "databaseBytes"),
    storedBytes: output("account", "storedBytes"),
    files: output("check", "files"),
    unsound: output("check", "unsound"),
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
