import { z } from "zod";
import type { Plan } from "../../../runbook/plan.ts";
import { pathIsAbsent, removeTree } from "../../../stack/files.ts";
import type { Stack } from "../../../stack/stack.ts";
import type { FactReader, Procedure } from "../../procedure.ts";
import { boundTo, type Running, readRunning } from "../../running.ts";
import { change, read } from "../../steps.ts";
import { requireArchiving, requirePgBackRest } from "./facts.ts";
import { changeSettings, settingIs, whileServerMayRestart } from "./steps.ts";

const input = z.object({});
type Input = z.infer<typeof input>;

interface Facts {
  readonly running: Running;
  readonly walLevel: string;
}

export const walRemove: Procedure<Input, Facts> = {
  name: "wal remove",
  chapter: "backup",
  version: 1,
  risk: "change",
  title: "End of continuous archiving",
  summary: "Lets the database server archive no more, and restarts it once. What is in the repository stays there.",
  input,
  facts: readFacts,
  plan: planRemoval,
};

async function readFacts(reader: FactReader): Promise<Facts> {
  const { walLevel } = await requireArchiving(reader);
  return { running: await readRunning(reader), walLevel };
}

function planRemoval(stack: Stack, _input: Input, { running, walLevel }: Facts): Plan {
  const pgbackrest = requirePgBackRest(stack);
  const { folder, settings } = pgbackrest;
  const off = settingIs(stack, "the server does not archive", "show archive_mode;", "off");
  return {
    procedure: walRemove.name,
    version: walRemove.version,
    stack: stack.name,
    title: "End the archiving of the database server",
    input: {},
    facts: boundTo(running),
    lease: "exclusive",
    notes: [
      `${settings.repository} is kept; from now on no later instant can be restored from it.`,
      "The database server is restarted, with Odoo stopped meanwhile.",
    ],
    steps: [
      ...whileServerMayRestart(stack, running, [
        ...changeSettings(stack, pgbackrest, {
          wanted: undefined,
          before: pgbackrest.serverSettings(walLevel !== "minimal"),
        }),
        read(
          { id: "off", title: "The server does not archive", action: off.action, outputs: {} },
          { verify: [off], attempts: 3 },
        ),
      ]),
      change(
        {
          id: "forget",
          title: "Remove pgBackRest's configuration and password",
          action: removeTree(stack.tools, folder),
        },
        { verify: [pathIsAbsent(stack.tools, folder, "the configuration is gone")], onFail: "continue" },
      ),
    ],
  };
}
