import { z } from "zod";
import { command } from "../../../runbook/action.ts";
import type { Plan } from "../../../runbook/plan.ts";
import { join, runId } from "../../../runbook/value.ts";
import { createScratchCluster } from "../../../stack/scratch.ts";
import type { Stack } from "../../../stack/stack.ts";
import type { FactReader, Procedure } from "../../procedure.ts";
import { boundTo as boundToRunning, type Running, readRunning } from "../../running.ts";
import { compareAttachments, compareManifest, compareSequences } from "../compare.ts";
import { serveCopy } from "../copy.ts";
import { describePast, dumpPast, linkForCopy, makeCopy } from "../restore/carry.ts";
import { findMissing, linkPast, listMissing, nameLost, type Search } from "../restore/files.ts";
import { loadedPast, loadPast, namesOf, putInPlace } from "../restore/place.ts";
import { fileOfSet, withFolder, withScratch } from "../set.ts";
import { type FileFacts, readFileFacts } from "./facts.ts";
import { loadFile, takeFile } from "./load.ts";

const input = z.object({
  file: z
    .string()
    .startsWith("/")
    .describe("On the stack's machine, by its whole path: Odoo's zip, or what pg_dump writes"),
});
type Input = z.infer<typeof input>;

interface Facts extends FileFacts {
  readonly running: Running;
  /** Whether there is a filestore that is kept. */
  readonly hasFiles: boolean;
}

export const restoreFile: Procedure<Input, Facts> = {
  name: "restore file",
  chapter: "backup",
  version: 1,
  risk: "change",
  title: "Restore of a file",
  summary:
    "Takes a backup of Odoo's (zip) or of pg_dump's from elsewhere: loads it on a throw-away PostgreSQL as a user who may do nothing besides, " +
    "judges it there, tries it with a neutralized copy, carries it over, compares, and only then puts it in the place of the present, " +
    "which is kept under another name.",
  input,
  facts: readFacts,
  plan: planRestoreFile,
};

async function readFacts(reader: FactReader, { file }: Input): Promise<Facts> {
  const { stack } = reader;
  const live = command(stack.tools, ["test", "-d", stack.odoo.filestoreOf(stack.config.odoo.database)], {
    okExitCodes: [0, 1],
  });
  return {
    ...(await readFileFacts(reader, file)),
    hasFiles: (await reader.exitCode(live)) === 0,
    running: await readRunning(reader),
  };
}

function planRestoreFile(stack: Stack, { file }: Input, facts: Facts): Plan {
  const folder = join(`${stack.config.workDirectory}/restore/`, runId);
  const cluster = createScratchCluster(stack.config, stack.runtime, folder);
  const { database } = namesOf(stack);
  const { running, jobs, bytes } = facts;
  const restored = loadedPast(stack, folder);
  const search: Search = {
    list: fileOfSet(folder, "attachments"),
    missing: fileOfSet(folder, "missing"),
    repository: stack.restic,
  };
  return {
    procedure: restoreFile.name,
    version: restoreFile.version,
    stack: stack.name,
    title: `Restore ${database} from ${file}`,
    input: { file },
    facts: boundTo(facts),
    lease: "exclusive",
    notes: notesOf(stack, facts),
    steps: [
      withFolder(stack, folder, "file", [
        ...takeFile(stack, folder, facts),
        withScratch(cluster, [
          ...loadFile(stack, cluster, folder, { facts, database }),
          ...describePast(stack, cluster, folder),
          linkPast(stack, fileOfSet(folder, "filestore"), "Put its attachments beside the live filestore"),
          listMissing(stack, search),
          ...findMissing(stack, search),
          nameLost(stack, search),
          makeCopy(stack, cluster),
          linkForCopy(stack, folder),
          ...serveCopy(stack, cluster, folder),
          dumpPast(stack, cluster, folder, jobs),
        ]),
        loadPast(stack, folder, { source: database, jobs, databaseBytes: bytes }),
        compareManifest(stack, restored, "restore.carried_differs"),
        compareAttachments(stack, restored),
        compareSequences(stack, restored),
        ...putInPlace(stack, running, {
          database: { isThere: facts.present !== undefined },
          files: { isThere: facts.hasFiles },
        }),
      ]),
    ],
  };
}

/** What a file that was changed meanwhile, or a stack that was, makes another plan of. */
export function boundTo({ file, bytes, writtenAt, running }: Facts): Plan["facts"] {
  return { file, bytes, writtenAt, ...boundToRunning(running) };
}

function notesOf(stack: Stack, { kind }: Facts): readonly string[] {
  const { database } = stack.config.odoo;
  return [
    "What users did since the file was made is not in the restored database; it stays in the one that is kept.",
    `The present is kept as ${database}_before_RUN with its filestore, RUN being this run's id.`,
    "Owners, and rights that were given to other roles, are not taken from the file: all of it becomes Odoo's user's.",
    kind === "zip"
      ? "Attachments that the zip lacks are looked for in the live filestore, in kept ones, and in backups."
      : "The file has no attachments: they are looked for in the live filestore, in kept ones, and in backups.",
    "Mail that waited then waits again, and scheduled actions that were due since are due.",
  ];
}
