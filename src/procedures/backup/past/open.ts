import { z } from "zod";
import type { Plan, Step } from "../../../runbook/plan.ts";
import { runId } from "../../../runbook/value.ts";
import { createSideCluster, type SideCluster } from "../../../stack/side.ts";
import type { Stack } from "../../../stack/stack.ts";
import type { FactReader, Procedure } from "../../procedure.ts";
import { noteOpened } from "../../resources.ts";
import { require } from "../../steps.ts";
import { readFolder, requireSpace } from "../facts.ts";
import { type PastFacts, readPastFacts } from "../restore/facts.ts";
import { fetchPast, reachInstant, startSide, targetOf } from "../restore/side.ts";
import { makeFolder, removeFolder } from "../set.ts";
import { requirePgBackRest } from "../wal/facts.ts";
import { segmentArrives } from "../wal/steps.ts";
import { closePast } from "./close.ts";
import { compareWithPresent } from "./compare.ts";
import { folderOf, stopSide } from "./past.ts";

const input = z.object({
  at: z.iso.datetime({ offset: true }).describe("The instant, such as 2026-11-23T02:00:00Z"),
  hours: z
    .number()
    .positive()
    .max(24 * 90)
    .default(8)
    .describe("For how long it stays open, hours"),
});
type Input = z.infer<typeof input>;

export const openPast: Procedure<Input, PastFacts> = {
  name: "past open",
  chapter: "backup",
  version: 1,
  risk: "change",
  title: "Look into the past",
  summary:
    "Opens the database as it was at an instant, beside the stack: restored, replayed and kept there as a server that takes no change. " +
    "Says what would be lost by going back, record by record. The stack is only read.",
  input,
  facts: readFacts,
  plan: planOpen,
};

async function readFacts(reader: FactReader, { at }: Input): Promise<PastFacts> {
  const facts = await readPastFacts(reader, at);
  const { workDirectory } = reader.stack.config;
  const work = await readFolder(reader, workDirectory);
  requireSpace("An opened past", workDirectory, 1.2 * facts.serverBytes + 200_000_000, work.freeBytes);
  return facts;
}

function planOpen(stack: Stack, { at, hours }: Input, facts: PastFacts): Plan {
  const pgbackrest = requirePgBackRest(stack);
  const folder = folderOf(stack, runId);
  const side = createSideCluster(stack.config, stack.runtime, pgbackrest, folder);
  return {
    procedure: openPast.name,
    version: openPast.version,
    stack: stack.name,
    title: `Open ${stack.config.odoo.database} as it was at ${targetOf(at)}`,
    input: { at, hours },
    facts: { backup: facts.backup },
    lease: "shared",
    notes: [
      "It is a recovery that stands still: a server that refuses every change, whoever asks.",
      `It takes the room of the whole server, and is closed after ${hours} hours: ipai past close, or ipai resources extend.`,
    ],
    steps: [
      ...segmentArrives(stack, pgbackrest),
      noteOpened(stack, {
        id: runId,
        kind: "past",
        title: `${stack.config.odoo.database} as it was at ${targetOf(at)}`,
        hours,
        close: { procedure: closePast.name },
        about: { at },
      }),
      { ...makeFolder(stack, folder, "past"), undo: [removeFolder(stack, folder, "past")] },
      fetchPast(side, at, facts),
      { ...startSide(side), undo: [stopSide(side)] },
      ...reachInstant(side, at),
      ...takesNoChange(stack, side),
      compareWithPresent(stack, side, folder),
    ],
  };
}

/** Tried, not believed: a change, and to be let write, by the superuser. The server's words for no: read-only, and not during recovery. */
function takesNoChange({ config }: Stack, side: SideCluster): readonly Step[] {
  const probe = {
    title: "it refuses a change by its superuser",
    action: side.query(config.odoo.database, tryToWrite),
    output: { from: "stdout" },
    compare: "eq",
    with: "25006 0A000",
    code: "past.writable",
  } as const;
  return [require({ id: "read-only", title: "It takes no change", probe })];
}

/** Were it not refused, nothing would stay: it is rolled back. */
const tryToWrite = `
\\set ON_ERROR_STOP off
begin;
update ir_module_module set name = name;
\\set row :SQLSTATE
rollback;
begin read write;
\\set session :SQLSTATE
rollback;
\\echo :row :session
`;
