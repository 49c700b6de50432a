import { z } from "zod";
import type { Plan, Step } from "../../../runbook/plan.ts";
import { join, runId, type Text } from "../../../runbook/value.ts";
import { createScratchCluster, type ScratchCluster } from "../../../stack/scratch.ts";
import type { Stack } from "../../../stack/stack.ts";
import type { FactReader, Procedure } from "../../procedure.ts";
import { noteOpened } from "../../resources.ts";
import { type Running, readRunning } from "../../running.ts";
import { compareAttachments, compareManifest, compareSequences } from "../compare.ts";
import { copyName, serveSilenced, silence } from "../copy.ts";
import { NoRepository } from "../errors.ts";
import { type FileFacts, readFileFacts } from "../exchange/facts.ts";
import { loadFile, takeFile } from "../exchange/load.ts";
import { jobsOf, type ProofFacts, readProofFacts } from "../facts.ts";
import { describePast, dumpPast, linkForCopy } from "../restore/carry.ts";
import { findMissing, linkPast, listMissing, nameLost, type Search } from "../restore/files.ts";
import { loadedPast, loadPast } from "../restore/place.ts";
import {
  aboutSet,
  checkAttachments,
  databaseOfSet,
  fetchSet,
  fileOfSet,
  restoreInScratch,
  withFolder,
  withScratch,
} from "../set.ts";
import { nameOfCopy, requireFreeName } from "./facts.ts";
import { placeCopy, stayUnknown } from "./place.ts";

const input = z.object({
  from: z
    .string()
    .default("latest")
    .describe("Id of a backup, latest, or the whole path of a file on the stack's machine"),
  name: nameOfCopy,
  days: z
    .number()
    .int()
    .min(1)
    .max(90)
    .default(7)
    .describe("It is removed after so many days, unless they are extended"),
});
type Input = z.infer<typeof input>;

/** What the copy is made of: a file, or a set of the repository. */
interface Facts {
  readonly file: FileFacts | undefined;
  readonly set: ProofFacts | undefined;
  readonly running: Running;
}

export const restoreCopy: Procedure<Input, Facts> = {
  name: "restore copy",
  chapter: "backup",
  version: 1,
  risk: "change",
  title: "Staging copy",
  summary:
    "Makes a copy beside the present, of a backup or of a file: restored on a throw-away PostgreSQL, silenced there (mail, scheduled actions, " +
    "webhooks, payments, addresses and keys of other services), tried, and only then brought into the stack's server under its own name, " +
    "where the stack's Odoo does not know of it. It has an owner and an end.",
  done: { title: "Staging copy made" },
  input,
  facts: readFacts,
  plan: planCopy,
};

async function readFacts(reader: FactReader, { from, name }: Input): Promise<Facts> {
  await requireFreeName(reader, name);
  const running = await readRunning(reader);
  return from.startsWith("/")
    ? { running, set: undefined, file: await readFileFacts(reader, from) }
    : { running, file: undefined, set: await readProofFacts(reader, from) };
}

function planCopy(stack: Stack, { from, name, days }: Input, facts: Facts): Plan {
  const folder = join(`${stack.config.workDirectory}/restore/`, runId);
  const cluster = createScratchCluster(stack.config, stack.runtime, folder);
  const { before, within, size } = sourceOf(stack, cluster, folder, facts);
  const restored = loadedPast(stack, folder);
  const what = facts.file === undefined ? `backup ${facts.set?.backup ?? from}` : from;
  return {
    procedure: restoreCopy.name,
    version: restoreCopy.version,
    stack: stack.name,
    title: `Make ${name}, a copy for staging of ${what}`,
    input: { from, name, days },
    facts: boundTo(facts),
    lease: "shared",
    notes: notesOf(name, days),
    steps: [
      withFolder(stack, folder, "copy", [
        ...before,
        withScratch(cluster, [
          ...within,
          ...silence(stack, cluster, copyName, name),
          ...describePast(stack, cluster, folder, copyName),
          dumpPast(stack, cluster, folder, size.jobs, copyName),
          ...serveSilenced(stack, cluster, folder),
        ]),
        noteOpened(stack, {
          id: name,
          kind: "copy",
          title: `copy of ${what}`,
          hours: days * 24,
          close: { procedure: "copy remove" },
          about: { database: name, from: what },
        }),
        loadPast(stack, folder, { source: copyName, ...size }),
        compareManifest(stack, restored, "restore.carried_differs"),
        compareAttachments(stack, restored),
        compareSequences(stack, restored),
        ...placeCopy(stack, name),
        ...stayUnknown(stack, name, facts.running),
      ]),
    ],
  };
}

/** What lies before the throw-away server, and what is done in it until the database is there as `copy`. */
interface Source {
  readonly before: readonly Step[];
  readonly within: readonly Step[];
  readonly size: { readonly jobs: number; readonly databaseBytes: number };
}

function sourceOf(stack: Stack, cluster: ScratchCluster, folder: Text, { file, set }: Facts): Source {
  if (file !== undefined) return sourceOfFile(stack, cluster, folder, file);
  const { restic } = stack;
  if (restic === undefined || set === undefined) throw NoRepository({ stack: stack.name });
  const size = { jobs: jobsOf(stack.config, set.cores), databaseBytes: set.databaseBytes };
  return {
    before: [...fetchSet(stack, restic, set, folder), aboutSet(stack, folder), checkAttachments(stack, folder)],
    within: [
      restoreInScratch(cluster, folder, { source: databaseOfSet, ...size }),
      linkPast(stack, fileOfSet(folder, "filestore"), "Put its attachments beside the live filestore"),
    ],
    size,
  };
}

function sourceOfFile(stack: Stack, cluster: ScratchCluster, folder: Text, facts: FileFacts): Source {
  const search: Search = {
    list: fileOfSet(folder, "attachments"),
    missing: fileOfSet(folder, "missing"),
    repository: stack.restic,
  };
  const [, , , listed] = describePast(stack, cluster, folder, copyName);
  return {
    before: takeFile(stack, folder, facts),
    within: [
      ...loadFile(stack, cluster, folder, { facts, database: copyName }),
      ...(listed === undefined ? [] : [{ ...listed, id: "file attachments" }]),
      linkPast(stack, fileOfSet(folder, "filestore"), "Put its attachments beside the live filestore"),
      listMissing(stack, search),
      ...findMissing(stack, search),
      nameLost(stack, search),
      linkForCopy(stack, folder),
    ],
    size: { jobs: facts.jobs, databaseBytes: facts.bytes },
  };
}

function boundTo({ file, set, running }: Facts): Plan["facts"] {
  const services = { odoo: running.odoo };
  if (file === undefined) return { backup: set?.backup ?? null, ...services };
  return { file: file.file, bytes: file.bytes, writtenAt: file.writtenAt, ...services };
}

function notesOf(name: string, days: number): readonly string[] {
  return [
    "The stack keeps serving and is not touched; its server has to hold the copy besides.",
    `The copy holds what users wrote, and their passwords still open it. It is removed after ${days} days: \`ipai resources\`.`,
    `\`ipai copy serve ${name}\` starts an Odoo on it that nobody but this machine reaches.`,
  ];
}
