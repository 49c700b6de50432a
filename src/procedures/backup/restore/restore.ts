import { z } from "zod";
import type { Plan } from "../../../runbook/plan.ts";
import { join, runId } from "../../../runbook/value.ts";
import { createSideCluster } from "../../../stack/side.ts";
import type { Stack } from "../../../stack/stack.ts";
import type { Procedure } from "../../procedure.ts";
import { boundTo } from "../../running.ts";
import { compareAttachments, compareManifest, compareSequences } from "../compare.ts";
import { serveCopy } from "../copy.ts";
import { fileOfSet, withFolder } from "../set.ts";
import { requirePgBackRest } from "../wal/facts.ts";
import { segmentArrives } from "../wal/steps.ts";
import { describePast, dumpPast, linkForCopy, makeCopy } from "./carry.ts";
import { type RestoreFacts, readRestoreFacts } from "./facts.ts";
import { findMissing, linkPast, listMissing, nameLost, type Search } from "./files.ts";
import { keptDays, loadedPast, loadPast, namesOf, putInPlace } from "./place.ts";
import { fetchPast, promote, reachInstant, targetOf, withSideCluster } from "./side.ts";

const input = z.object({
  at: z.iso.datetime({ offset: true }).describe("The instant, such as 2026-11-23T02:00:00Z"),
});
type Input = z.infer<typeof input>;

export const restore: Procedure<Input, RestoreFacts> = {
  name: "restore",
  chapter: "backup",
  version: 1,
  risk: "change",
  title: "Restore of an instant",
  summary:
    "Brings the database back to an instant: restored and replayed beside the stack, judged there, tried with a neutralized copy, " +
    "carried over, compared, and only then put in the place of the present, which is kept under another name.",
  input,
  facts: (reader, { at }) => readRestoreFacts(reader, at),
  plan: planRestore,
};

function planRestore(stack: Stack, { at }: Input, facts: RestoreFacts): Plan {
  const pgbackrest = requirePgBackRest(stack);
  const folder = join(`${stack.config.workDirectory}/restore/`, runId);
  const side = createSideCluster(stack.config, stack.runtime, pgbackrest, folder);
  const { running, jobs, databaseBytes } = facts;
  const { database } = namesOf(stack);
  const restored = loadedPast(stack, folder);
  const search: Search = {
    list: fileOfSet(folder, "attachments"),
    missing: fileOfSet(folder, "missing"),
    repository: stack.restic,
  };
  return {
    procedure: restore.name,
    version: restore.version,
    stack: stack.name,
    title: `Restore ${stack.config.odoo.database} as it was at ${targetOf(at)}`,
    input: { at },
    facts: { backup: facts.backup, ...boundTo(running) },
    lease: "exclusive",
    notes: notesOf(stack),
    steps: [
      ...segmentArrives(stack, pgbackrest),
      withFolder(stack, folder, "past", [
        fetchPast(side, at, facts),
        withSideCluster(side, [
          ...reachInstant(side, at),
          promote(side),
          ...describePast(stack, side, folder),
          linkPast(stack, stack.odoo.filestoreOf(database), "Link the live filestore"),
          listMissing(stack, search),
          ...findMissing(stack, search),
          nameLost(stack, search),
          makeCopy(stack, side),
          linkForCopy(stack, folder),
          ...serveCopy(stack, side, folder),
          dumpPast(stack, side, folder, jobs),
          loadPast(stack, folder, { source: database, jobs, databaseBytes }),
          compareManifest(stack, restored, "restore.carried_differs"),
          compareAttachments(stack, restored),
          compareSequences(stack, restored),
          // Within: what is taken back opens again what had been closed, and a folder that was removed cannot be opened.
          ...putInPlace(stack, running, { database: { isThere: true }, files: { isThere: true } }),
        ]),
      ]),
    ],
  };
}

function notesOf(stack: Stack): readonly string[] {
  const { database } = stack.config.odoo;
  return [
    "What users did since that instant is not in the restored database; it stays in the one that is kept.",
    `The present is kept for ${keptDays} days as ${database}_before_RUN with its filestore, RUN being this run's id: ipai resources lists, extends and closes it.`,
    "Mail that waited at that instant waits again, and scheduled actions that were due since are due.",
  ];
}
