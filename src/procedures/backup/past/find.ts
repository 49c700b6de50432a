import { z } from "zod";
import type { CommandAction } from "../../../runbook/action.ts";
import type { Act, Plan } from "../../../runbook/plan.ts";
import { concat, output, runId, suffixed, type Text } from "../../../runbook/value.ts";
import { pathExists } from "../../../stack/files.ts";
import type { PgBackRest } from "../../../stack/pgbackrest.ts";
import { createSideCluster } from "../../../stack/side.ts";
import type { Stack } from "../../../stack/stack.ts";
import type { FactReader, Procedure } from "../../procedure.ts";
import { change } from "../../steps.ts";
import { readFolder, requireSpace } from "../facts.ts";
import { type PastFacts, readBaseFacts } from "../restore/facts.ts";
import { fetchPast, withSideCluster } from "../restore/side.ts";
import { withFolder } from "../set.ts";
import { requirePgBackRest } from "../wal/facts.ts";
import { segmentArrives } from "../wal/steps.ts";
import { findScript } from "./find-script.ts";

const input = z.object({
  model: z
    .string()
    .regex(/^[a-z0-9_.]+$/)
    .describe("Such as account.move"),
  record: z.string().min(1).max(200).describe("Its id, or its name"),
  what: z.enum(["deleted", "changed"]).describe("What became of it"),
  since: z.iso
    .datetime({ offset: true })
    .optional()
    .describe("It was still there, or as it was, at this instant; a day ago without it"),
});
type Input = z.infer<typeof input>;

export type FindFacts = PastFacts & {
  /** The segment that the base backup ends in. */
  readonly segment: string;
};

export const findInPast: Procedure<Input, FindFacts> = {
  name: "past find",
  chapter: "backup",
  version: 1,
  risk: "change",
  title: "Search for the transaction",
  summary:
    "Finds the last instant at which a record was still there, or still as it was: by what the write-ahead log says was written over, and by " +
    "looking at the record just before and just after, in a copy that is let go forward from one transaction to the next.",
  input,
  facts: readFacts,
  plan: planFind,
};

async function readFacts(reader: FactReader, { since }: Input): Promise<FindFacts> {
  const { serverBytes, ...facts } = await readBaseFacts(reader, since);
  const { workDirectory } = reader.stack.config;
  const work = await readFolder(reader, workDirectory);
  requireSpace("The search", workDirectory, 1.2 * serverBytes + 200_000_000, work.freeBytes);
  return facts;
}

function planFind(stack: Stack, { model, record, what, since }: Input, facts: FindFacts): Plan {
  const pgbackrest = requirePgBackRest(stack);
  const folder = concat(`${stack.config.workDirectory}/find/`, runId);
  const side = createSideCluster(stack.config, stack.runtime, pgbackrest, folder);
  const search = (mode: "present" | "search", last: Text) =>
    searchAction(
      stack,
      pgbackrest,
      [mode, folder, stack.config.odoo.database, model, record, what],
      [facts.segment, last],
    );
  return {
    procedure: findInPast.name,
    version: findInPast.version,
    stack: stack.name,
    title: `Find when ${model} ${record} was ${what}`,
    input: { model, record, what, ...(since === undefined ? {} : { since }) },
    facts: { backup: facts.backup },
    lease: "shared",
    notes: [
      `Searched from the end of base backup ${facts.backup} on; --since goes back further.`,
      "Only the log and a copy beside the stack are read. Nothing is changed in the present.",
    ],
    steps: [
      withFolder(stack, folder, "search", [
        notePresent(stack, search("present", ""), folder),
        ...segmentArrives(stack, pgbackrest),
        fetchPast(side, undefined, facts),
        withSideCluster(side, [searchPast(stack, search("search", output("segment", "name")), folder)]),
      ]),
    ],
  };
}

/** Before the segment is finished: so everything that made the record what it is now lies in the archive. */
function notePresent(stack: Stack, action: CommandAction, folder: Text): Act {
  return change(
    { id: "present", title: "Note how the record is now", action },
    { verify: [pathExists(stack.tools, suffixed(folder, "/present.json"), "it is noted")] },
  );
}

function searchPast(stack: Stack, action: CommandAction, folder: Text): Act {
  return change(
    { id: "search", title: "Search the log, and look just before and just after", action },
    {
      outputs: { candidates: { from: "stdout", as: "json", pick: ["candidates"] } },
      verify: [pathExists(stack.tools, suffixed(folder, "/cluster/PG_VERSION"), "the copy is still there")],
      timeoutSeconds: 12 * 3600,
    },
  );
}

function searchAction(
  stack: Stack,
  pgbackrest: PgBackRest,
  words: readonly Text[],
  segments: readonly [first: string, last: Text],
): CommandAction {
  const { host, port, superuser } = stack.config.services.database;
  const { program } = stack.runtime.postgres;
  const programs = [program("psql"), program("pg_ctl"), program("pg_waldump")];
  const action = pgbackrest.archiveGet([
    ...["/usr/bin/python3", "-c", findScript],
    ...words,
    ...[host, String(port), superuser],
    ...programs,
    ...segments,
  ]);
  return { ...action, exitCodes: { ...action.exitCodes, ...exitCodes } };
}

const exitCodes = {
  3: "past.record_not_so",
  4: "past.no_model",
  5: "past.not_found",
  6: "past.too_many",
  7: "restore.target_not_reached",
};

/** What the step `search` gives. */
export const candidate = z.object({
  /** The last instant before it. */
  at: z.string(),
  committedAt: z.string(),
  xid: z.number(),
  id: z.number(),
  name: z.string().nullable(),
  columns: z.array(z.object({ column: z.string(), before: z.json(), after: z.json() })),
  by: z.object({ uid: z.number().nullable(), login: z.string().nullable(), name: z.string().nullable() }),
});
export type Candidate = z.infer<typeof candidate>;
