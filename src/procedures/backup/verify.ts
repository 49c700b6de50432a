import { z } from "zod";
import { command, type Probe } from "../../runbook/action.ts";
import type { Act, Bracket, Plan } from "../../runbook/plan.ts";
import { join, output, runId, suffixed, type Text } from "../../runbook/value.ts";
import { makeDirectory, pathExists, pathIsAbsent, removeTree } from "../../stack/files.ts";
import type { Restic } from "../../stack/restic.ts";
import { createScratchCluster, type ScratchCluster } from "../../stack/scratch.ts";
import type { Stack } from "../../stack/stack.ts";
import type { Procedure } from "../procedure.ts";
import { change, read, startService, stopService, takeBack } from "../steps.ts";
import { checkScript, kept } from "./backup.ts";
import { copyName, serveCopy } from "./copy.ts";
import { NoRepository } from "./errors.ts";
import { jobsOf, type ProofFacts, readProofFacts } from "./facts.ts";
import { attachmentsSql, manifestSql, sequencesSql } from "./manifest.ts";

const input = z.object({ backup: z.string().default("latest").describe("Id of the backup, or latest") });
type VerifyInput = z.infer<typeof input>;

export const verifyBackup: Procedure<VerifyInput, ProofFacts> = {
  name: "backup verify",
  chapter: "backup",
  version: 1,
  risk: "change",
  title: "Backup verification",
  summary:
    "Restores a backup on a throw-away PostgreSQL beside the stack's own, compares every table with the manifest and every " +
    "attachment with its checksum, neutralizes the copy, and lets Odoo serve its login page from it. What holds becomes the proof.",
  done: { title: "Backup proven" },
  input,
  facts: (reader, { backup }) => readProofFacts(reader, backup),
  plan: planVerification,
};

function planVerification(stack: Stack, { backup }: VerifyInput, facts: ProofFacts): Plan {
  const { restic } = stack;
  if (restic === undefined) throw NoRepository({ stack: stack.name });
  const folder = join(`${stack.config.workDirectory}/proof/`, runId);
  const cluster = createScratchCluster(stack.config, stack.runtime, folder);
  return {
    procedure: verifyBackup.name,
    version: verifyBackup.version,
    stack: stack.name,
    title: `Prove backup ${facts.backup}`,
    input: { backup },
    facts: { backup: facts.backup },
    lease: "shared",
    notes: ["The copy is restored on a PostgreSQL of its own; the stack keeps serving and is not touched."],
    steps: [
      recordDoubt(stack, facts),
      checkRepository(restic),
      withFolder(stack, folder, [
        fetch(stack, restic, facts, folder),
        aboutBackup(stack, folder),
        checkAttachments(stack, folder),
        withCluster(cluster, [
          restoreDump(stack, cluster, folder, facts),
          compareManifest(stack, cluster, folder),
          compareAttachments(stack, cluster, folder),
          compareSequences(stack, cluster, folder),
          ...serveCopy(stack, cluster, folder),
        ]),
        countProof(stack, folder),
      ]),
      recordProof(stack, facts),
    ],
  };
}

/**
 * A pack that is damaged where this backup does not use it would be found too late: later backups do not store again what the
 * repository seems to have.
 */
function checkRepository(restic: Restic): Act {
  return read(
    { id: "check", title: "Read the whole repository and check it", action: restic.check(), outputs: {} },
    { timeoutSeconds: 24 * 3600 },
  );
}

/** Two users have folders below: this one they may pass through but not read. The set is only for the cluster's user. */
function withFolder(stack: Stack, folder: Text, body: Bracket["body"]): Bracket {
  const { tools: host } = stack;
  return {
    kind: "bracket",
    id: "folder",
    title: "Folder of the proof",
    open: [
      change(
        {
          id: "make folder",
          title: "Make the folder of the proof",
          action: command(host, ["install", "-d", "-m", "0711", "-o", stack.postgres.user, folder]),
        },
        { verify: [pathExists(host, folder, "the folder is there")] },
      ),
      change(
        {
          id: "set folder",
          title: "Make the folder of the set",
          action: makeDirectory(host, suffixed(folder, "/set"), stack.postgres.user),
        },
        { verify: [pathExists(host, suffixed(folder, "/set"), "the folder of the set is there")] },
      ),
    ],
    body,
    close: [
      takeBack(
        { id: "remove folder", title: "Remove the folder of the proof", action: removeTree(host, folder) },
        { verify: [pathIsAbsent(host, folder, "the folder is gone")], timeoutSeconds: 1800 },
      ),
    ],
  };
}

function fetch(stack: Stack, restic: Restic, { backup, databaseBytes }: ProofFacts, folder: Text): Act {
  return change(
    {
      id: "fetch",
      title: "Read the backup from the repository",
      action: restic.fetch(backup, suffixed(folder, "/set")),
    },
    {
      verify: [pathExists(stack.tools, suffixed(folder, "/set/manifest"), "the set has its manifest")],
      timeoutSeconds: 12 * 3600,
      forecastSeconds: 1 + Math.ceil(databaseBytes / fetchBytesPerSecond),
    },
  );
}

/** Measured on the test machine; only used to say how long it will take. */
const fetchBytesPerSecond = 50_000_000;
const restoreBytesPerSecond = 15_000_000;

function aboutBackup(stack: Stack, folder: Text): Act {
  return read({
    id: "about",
    title: "Read what the backup says about itself",
    action: command(stack.tools, ["cat", suffixed(folder, "/set/about")]),
    outputs: {
      database: { from: "stdout", as: "json", pick: ["database"] },
      databaseBytes: { from: "stdout", as: "json", pick: ["databaseBytes"] },
      takenAt: { from: "stdout", as: "json", pick: ["takenAt"] },
    },
  });
}

function withCluster(cluster: ScratchCluster, body: Bracket["body"]): Bracket {
  return {
    kind: "bracket",
    id: "cluster",
    title: "Throw-away PostgreSQL",
    open: [startService("start cluster", "Start a throw-away PostgreSQL", { ...cluster, stopSeconds: 60 })],
    body,
    close: [stopService("stop cluster", "Stop the throw-away PostgreSQL", { ...cluster, stopSeconds: 60 })],
  };
}

function restoreDump(stack: Stack, cluster: ScratchCluster, folder: Text, facts: ProofFacts): Act {
  const action = cluster.restore(copyName, {
    source: output("about", "database"),
    dump: suffixed(folder, "/set/dump"),
    roles: suffixed(folder, "/set/roles"),
    jobs: jobsOf(stack.config, facts.cores),
  });
  return change(
    { id: "restore", title: "Restore the dump into a new database", action },
    {
      verify: [
        {
          title: "the restored database is an Odoo database",
          action: cluster.query(copyName, "select count(*) from ir_module_module where state = 'installed';\n"),
          output: { from: "stdout", as: "number" },
          compare: "ge",
          with: 1,
          code: "backup.dump_damaged",
        },
      ],
      timeoutSeconds: 12 * 3600,
      forecastSeconds: 2 + Math.ceil(facts.databaseBytes / restoreBytesPerSecond),
    },
  );
}

function compareManifest(stack: Stack, cluster: ScratchCluster, folder: Text): Act {
  const mine = suffixed(folder, "/manifest");
  const equal: Probe = {
    ...filesAreEqual(stack, suffixed(folder, "/set/manifest"), mine),
    title: "every table has the rows and checksums of the backup's manifest",
    code: "backup.manifest_mismatch",
  };
  return change(
    {
      id: "manifest",
      title: "Compare every table with the manifest",
      action: kept(cluster.query(copyName, manifestSql), mine),
    },
    { verify: [equal], timeoutSeconds: 3600 },
  );
}

/** Answers with the lines in which they differ: `-` as it was, `+` as it came back. */
function filesAreEqual(stack: Stack, was: Text, came: Text): Omit<Probe, "title"> {
  const lines = ["--unchanged-line-format=", "--old-line-format=- %L", "--new-line-format=+ %L"];
  return {
    action: command(stack.tools, ["diff", ...lines, "--", was, came], { okExitCodes: [0, 1] }),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
  };
}

/** The files were checked against the list in the set; this is what the restored database itself asks for. */
function compareAttachments(stack: Stack, cluster: ScratchCluster, folder: Text): Act {
  const mine = suffixed(folder, "/attachments");
  const equal: Probe = {
    ...filesAreEqual(stack, suffixed(folder, "/set/attachments"), mine),
    title: "the database asks for the attachments that were checked",
    code: "backup.attachments_damaged",
  };
  return change(
    {
      id: "attachment list",
      title: "Compare the list of attachments",
      action: kept(cluster.query(copyName, attachmentsSql), mine),
    },
    { verify: [equal], timeoutSeconds: 3600 },
  );
}

/** Rows alone do not make a database that can be worked with: a sequence that fell back gives numbers out again. */
function compareSequences(stack: Stack, cluster: ScratchCluster, folder: Text): Act {
  const mine = suffixed(folder, "/sequences");
  const notBehind: Probe = {
    title: "no sequence gives numbers out again",
    action: command(stack.tools, ["awk", "-F", "\t", behindScript, mine, suffixed(folder, "/set/sequences")]),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
    code: "backup.sequences_behind",
  };
  return change(
    {
      id: "sequences",
      title: "Compare where the sequences stand",
      action: kept(cluster.query(copyName, sequencesSql), mine),
    },
    { verify: [notBehind] },
  );
}

/** The copy's sequences are read first, the backup's then compared with them. A copy without sequences has an empty file. */
export const behindScript =
  'FILENAME == ARGV[1] { now[$1] = $2; next } !($1 in now) { print $1 " is missing" } ' +
  '($1 in now) && now[$1] + 0 < $2 + 0 { print $1 " is at " now[$1] ", was at " $2 }';

/** What was unsound when the backup was made was lost before; anything more is the backup's fault. */
function checkAttachments(stack: Stack, folder: Text): Act {
  const set = suffixed(folder, "/set");
  const newlyLost: Probe = {
    title: "every attachment is there with its checksum",
    action: command(stack.tools, [
      "comm",
      "-13",
      suffixed(folder, "/set/unsound"),
      suffixed(folder, "/set/unsound-now"),
    ]),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
    code: "backup.attachments_damaged",
  };
  return change(
    {
      id: "attachments",
      title: "Check every attachment against its checksum",
      action: command(stack.tools, ["sh", "-c", checkScript, "check", set, "unsound-now"]),
    },
    { verify: [newlyLost], timeoutSeconds: 6 * 3600 },
  );
}

function countProof(stack: Stack, folder: Text): Act {
  return read({
    id: "count",
    title: "Count what was proven",
    action: command(stack.tools, ["sh", "-c", countScript, "count", folder]),
    outputs: {
      tables: { from: "stdout", as: "json", pick: ["tables"] },
      rows: { from: "stdout", as: "json", pick: ["rows"] },
      attachments: { from: "stdout", as: "json", pick: ["attachments"] },
      unsound: { from: "stdout", as: "json", pick: ["unsound"] },
    },
  });
}

const countScript = `
awk -v attachments="$(wc -l < "$1/set/attachments")" -v unsound="$(wc -l < "$1/set/unsound")" -F '"rows" : ' '
  /^[{]"table"/ { split($2, part, ","); tables++; rows += part[1] }
  END { printf "{\\"tables\\": %d, \\"rows\\": %d, \\"attachments\\": %d, \\"unsound\\": %d}\\n", tables, rows, attachments, unsound }' "$1/manifest"
`;

/** First of all: a verification that fails, or never ends, must not leave an earlier proof standing. */
function recordDoubt(stack: Stack, { backup }: ProofFacts): Act {
  const input = { stack: stack.name, backup, run: runId };
  return change(
    {
      id: "doubt",
      title: "From here on only this verification counts",
      action: { kind: "call", name: "backup.record_doubt", version: 1, input },
    },
    { timeoutSeconds: 30 },
  );
}

function recordProof(stack: Stack, facts: ProofFacts): Act {
  const input = {
    stack: stack.name,
    backup: facts.backup,
    run: runId,
    takenAt: output("about", "takenAt"),
    databaseBytes: output("about", "databaseBytes"),
    tables: output("count", "tables"),
    rows: output("count", "rows"),
    attachments: output("count", "attachments"),
    unsound: output("count", "unsound"),
  };
  return change(
    {
      id: "record proof",
      title: "Record the proof",
      action: { kind: "call", name: "backup.record_proof", version: 1, input },
    },
    { timeoutSeconds: 30 },
  );
}
