import { z } from "zod";
import type { Plan, Step } from "../../../runbook/plan.ts";
import { join, prefixed, runId, suffixed } from "../../../runbook/value.ts";
import { createScratchCluster } from "../../../stack/scratch.ts";
import type { Stack } from "../../../stack/stack.ts";
import { copyName } from "../../backup/copy.ts";
import { type ProofFacts, readProofFacts } from "../../backup/facts.ts";
import { onCopy } from "../../backup/on-copy.ts";
import { RehearsalWithoutBackup } from "../../deployment/errors.ts";
import type { FactReader, Procedure } from "../../procedure.ts";
import { workDirectory } from "../upgrade.ts";
import { upgradeCopy } from "./beside.ts";
import { type MajorFacts, readMajorFacts } from "./facts.ts";
import { boundTo, notesOf, waysInput } from "./major.ts";
import { noteMajor } from "./record.ts";

const input = z.object({
  ...waysInput,
  backup: z.string().default("latest").describe("Id of the backup to rehearse on, or latest"),
});
type RehearsalInput = z.infer<typeof input>;

interface Facts {
  readonly upgrade: MajorFacts;
  readonly set: ProofFacts;
}

export const rehearseMajor: Procedure<RehearsalInput, Facts> = {
  name: "upgrade rehearsal",
  chapter: "upgrade",
  version: 1,
  risk: "change",
  title: "Rehearsal of an upgrade to another series",
  summary:
    "Does the upgrade on a copy: a backup on a throw-away PostgreSQL, silenced, with scripts, code and program of the new series. Says how long " +
    "it takes, what it changes, and what Odoo says on the way. The stack keeps serving and is not touched.",
  done: { title: "Rehearsed", line: "What it found: ipai upgrade report" },
  input,
  facts: readFacts,
  plan: planRehearsal,
};

async function readFacts(reader: FactReader, given: RehearsalInput): Promise<Facts> {
  if (reader.stack.restic === undefined) throw RehearsalWithoutBackup({ stack: reader.stack.name });
  return { upgrade: await readMajorFacts(reader, given), set: await readProofFacts(reader, given.backup) };
}

function planRehearsal(stack: Stack, given: RehearsalInput, { upgrade, set }: Facts): Plan {
  return {
    procedure: rehearseMajor.name,
    version: rehearseMajor.version,
    stack: stack.name,
    title: `Rehearse the upgrade of Odoo ${upgrade.from} to ${upgrade.to}`,
    input: { ...given, ref: upgrade.code?.to ?? null },
    facts: { upgrade: boundTo(upgrade), backup: set.backup },
    lease: "shared",
    notes: [
      ...notesOf(upgrade),
      `It is done on backup ${set.backup}, on a PostgreSQL of its own; the stack keeps serving and is not touched.`,
    ],
    steps: steps(stack, given, { upgrade, set }),
  };
}

function steps(stack: Stack, given: RehearsalInput, { upgrade, set }: Facts): readonly Step[] {
  const { restic } = stack;
  if (restic === undefined) throw RehearsalWithoutBackup({ stack: stack.name });
  const folder = join(`${stack.config.workDirectory}/upgrade/`, runId);
  const cluster = createScratchCluster(stack.config, stack.runtime, folder);
  const odooOptions = [...cluster.odooOptions, prefixed("--data-dir=", suffixed(folder, "/odoo"))];
  const ground = { database: copyName, query: cluster.query, odooOptions };
  const copy = { repository: restic, set, cluster, folder, what: "rehearsal" };
  return [
    workDirectory(stack),
    onCopy(stack, copy, { silenced: upgradeCopy(stack, folder, ground, { ways: given, facts: upgrade }) }),
    noteMajor(stack, upgrade, { id: "note", title: "Note what was found", state: "rehearsed", backup: set.backup }),
  ];
}
