import { z } from "zod";
import { command, type Probe } from "../../../runbook/action.ts";
import type { Act, Plan } from "../../../runbook/plan.ts";
import { join, runId, suffixed } from "../../../runbook/value.ts";
import { makeDirectory, pathExists } from "../../../stack/files.ts";
import type { PgBackRest } from "../../../stack/pgbackrest.ts";
import type { Stack } from "../../../stack/stack.ts";
import type { FactReader, Procedure } from "../../procedure.ts";
import { change, require } from "../../steps.ts";
import { readArchive, requireArchiving, requirePgBackRest } from "./facts.ts";
import { isWithoutGaps } from "./steps.ts";

const nothing = z.object({});

export const walVerify: Procedure<z.infer<typeof nothing>, VerifyFacts> = {
  name: "wal verify",
  chapter: "backup",
  version: 1,
  risk: "change",
  title: "Integrity of the archive",
  summary:
    "Reads every file of the archive and compares its checksum, and looks for every segment from the oldest backup on. pgBackRest's " +
    "own exit code says nothing of either.",
  input: nothing,
  facts: readVerifyFacts,
  plan: planVerification,
};

interface VerifyFacts {
  readonly segmentBytes: number;
}

async function readVerifyFacts(reader: FactReader): Promise<VerifyFacts> {
  const { segmentBytes } = await requireArchiving(reader);
  await readArchive(reader);
  return { segmentBytes };
}

function planVerification(stack: Stack, _input: object, { segmentBytes }: VerifyFacts): Plan {
  const pgbackrest = requirePgBackRest(stack);
  const whole = isWithoutGaps(pgbackrest, segmentBytes);
  return {
    procedure: walVerify.name,
    version: walVerify.version,
    stack: stack.name,
    title: `Check the archive in ${pgbackrest.settings.repository}`,
    input: {},
    facts: {},
    lease: "shared",
    notes: ["Only reads. That an instant can be restored is only shown by restoring one."],
    steps: [
      require({ id: "gaps", title: "No segment is missing", probe: whole }, { timeoutSeconds: 600 }),
      ...readEverything(stack, pgbackrest),
    ],
  };
}

/** What is wrong goes to a file first: to ask twice would be to read the archive twice. */
function readEverything(stack: Stack, pgbackrest: PgBackRest): readonly Act[] {
  const { tools: host, config } = stack;
  const folder = join(`${config.workDirectory}/runs/`, runId);
  const file = suffixed(folder, "/faults");
  const verify = pgbackrest.verify();
  const sound: Probe = {
    title: "every file has its checksum",
    action: command(host, ["cat", "--", file]),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
    code: "wal.damaged",
  };
  return [
    change(
      { id: "folder", title: "Make the run's own folder", action: makeDirectory(host, folder) },
      { verify: [pathExists(host, folder, "the run's folder is there")] },
    ),
    change(
      {
        id: "checksums",
        title: "Read every file and compare its checksum",
        action: { ...verify, pipeline: [...verify.pipeline, { argv: ["tee", "--", file] }] },
      },
      { verify: [sound], timeoutSeconds: 12 * 3600 },
    ),
  ];
}
