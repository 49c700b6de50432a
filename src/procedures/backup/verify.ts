import { z } from "zod";
import { command } from "../../runbook/action.ts";
import type { Act, Plan } from "../../runbook/plan.ts";
import { join, output, runId, type Text } from "../../runbook/value.ts";
import type { Restic } from "../../stack/restic.ts";
import { createScratchCluster } from "../../stack/scratch.ts";
import type { Stack } from "../../stack/stack.ts";
import type { Procedure } from "../procedure.ts";
import { change, read } from "../steps.ts";
import { proveAutomation } from "./automation/prove.ts";
import { certify, certifyFailure, givePassword, identify, logIn, readBooks } from "./certificate/steps.ts";
import { compareAttachments, compareManifest, compareSequences } from "./compare.ts";
import { copyName, serveCopy } from "./copy.ts";
import { NoRepository } from "./errors.ts";
import { jobsOf, type ProofFacts, readProofFacts } from "./facts.ts";
import { limitNotes } from "./limits.ts";
import {
  aboutSet,
  checkAttachments,
  databaseOfSet,
  fetchSet,
  requireServer,
  restoreInScratch,
  setIn,
  withFolder,
  withScratch,
} from "./set.ts";

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
    "attachment with its checksum, adds up the books, does the same with n8n's database if the set has one, neutralizes the copy, and lets a user log in to an Odoo on it. What holds becomes the proof, " +
    "and whatever came of it a signed certificate.",
  done: { title: "Backup proven", line: "Its certificate: ipai backup certificate" },
  input,
  facts: (reader, { backup }) => readProofFacts(reader, backup),
  plan: planVerification,
};

function planVerification(stack: Stack, { backup }: VerifyInput, facts: ProofFacts): Plan {
  const { restic } = stack;
  if (restic === undefined) throw NoRepository({ stack: stack.name });
  const folder = join(`${stack.config.workDirectory}/proof/`, runId);
  const cluster = createScratchCluster(stack.config, stack.runtime, folder);
  const load = {
    source: databaseOfSet,
    jobs: jobsOf(stack.config, facts.cores),
    databaseBytes: facts.databaseBytes,
  };
  const restored = { ask: (sql: string) => cluster.query(copyName, sql), set: setIn(folder), answers: folder };
  return {
    procedure: verifyBackup.name,
    version: verifyBackup.version,
    stack: stack.name,
    title: `Prove backup ${facts.backup}`,
    input: { backup },
    facts: { backup: facts.backup },
    lease: "shared",
    notes: [
      "The copy is restored on a PostgreSQL of its own; the stack keeps serving and is not touched.",
      ...limitNotes(stack, "download"),
    ],
    steps: [
      recordDoubt(stack, facts),
      checkRepository(restic),
      withFolder(stack, folder, "proof", [
        ...fetchSet(stack, restic, facts, folder),
        aboutWhole(stack, folder),
        checkAttachments(stack, folder),
        withScratch(cluster, [
          ...identify(stack, cluster),
          requireServer(cluster),
          restoreInScratch(cluster, folder, load),
          compareManifest(stack, restored),
          compareAttachments(stack, restored),
          compareSequences(stack, restored),
          ...readBooks(stack, cluster),
          ...proveAutomation(stack, cluster, folder, load.jobs),
          ...serveCopy(stack, cluster, folder, {
            before: givePassword(stack, cluster, folder),
            inside: [logIn(stack, folder)],
          }),
        ]),
        countProof(stack, folder),
      ]),
      certify(stack, facts.backup),
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

/** All that the set says about itself goes into the certificate. */
function aboutWhole(stack: Stack, folder: Text): Act {
  const about = aboutSet(stack, folder);
  return { ...about, outputs: { ...about.outputs, said: { from: "stdout", as: "json" } } };
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
    { undo: [certifyFailure(stack, backup)], timeoutSeconds: 30 },
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
