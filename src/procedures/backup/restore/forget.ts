import { z } from "zod";
import { command } from "../../../runbook/action.ts";
import type { Act, Plan } from "../../../runbook/plan.ts";
import { pathIsAbsent, removeTree } from "../../../stack/files.ts";
import { dropDatabaseSql } from "../../../stack/postgres.ts";
import type { Stack } from "../../../stack/stack.ts";
import type { FactReader, Procedure } from "../../procedure.ts";
import { findResource, noteClosed } from "../../resources.ts";
import { change } from "../../steps.ts";
import { RestoreNothingKept } from "./errors.ts";

/** What a restore kept of the present goes when nobody misses anything. */

const input = z.object({
  id: z
    .string()
    .regex(/^\d{8}t\d{6}_\w+$/, "must be the whole id of a run")
    .describe("The run of the restore that kept it"),
});
type ForgetInput = z.infer<typeof input>;

export interface KeptFacts {
  /** Odoo's, or n8n's. */
  readonly databases: readonly string[];
  readonly hasFiles: boolean;
}

export const forgetKept: Procedure<ForgetInput, KeptFacts> = {
  name: "restore forget",
  chapter: "backup",
  version: 1,
  risk: "destroy",
  title: "Removal of what a restore kept",
  summary: "Drops the database that a restore set aside, and its filestore. The serving ones are not touched.",
  input,
  facts: readKept,
  plan: planForget,
};

function keptOf({ config, odoo, automation }: Stack, run: string) {
  const name = `${config.odoo.database}_before_${run}`;
  const further = automation?.database === undefined ? [] : [`${automation.database}_before_${run}`];
  return { names: [name, ...further], files: odoo.filestoreOf(name) };
}

async function readKept({ stack, records, number, exitCode }: FactReader, { id }: ForgetInput): Promise<KeptFacts> {
  const { names, files } = keptOf(stack, id);
  const [counts, code] = await Promise.all([
    Promise.all(names.map((name) => number(stack.postgres.databaseExists(name).action))),
    exitCode(command(stack.tools, ["test", "-d", files as string], { okExitCodes: [0, 1] })),
  ]);
  const isOpen = (await findResource(records, stack.name, id))?.closed === null;
  const databases = names.filter((_, index) => counts[index] === 1);
  if (databases.length === 0 && code !== 0 && !isOpen) throw RestoreNothingKept({ run: id });
  return { databases, hasFiles: code === 0 };
}

function planForget(stack: Stack, { id }: ForgetInput, { databases, hasFiles }: KeptFacts): Plan {
  const { names, files } = keptOf(stack, id);
  const drop = (name: string): Act =>
    change(
      {
        id: name === names[0] ? "drop database" : "drop automation",
        title: `Drop the database ${name}`,
        action: stack.postgres.query("postgres", dropDatabaseSql, { name }),
      },
      { effect: "destroy", undo: "irreversible", verify: [stack.postgres.databaseIsAbsent(name)], timeoutSeconds: 600 },
    );
  const filestore: Act = change(
    { id: "remove files", title: "Remove its filestore", action: removeTree(stack.tools, files) },
    {
      effect: "destroy",
      undo: "irreversible",
      verify: [pathIsAbsent(stack.tools, files, "the filestore is gone")],
      timeoutSeconds: 3600,
    },
  );
  return {
    procedure: forgetKept.name,
    version: forgetKept.version,
    stack: stack.name,
    title: `Remove what the restore ${id} kept`,
    input: { id },
    facts: { databases, hasFiles },
    lease: "shared",
    notes: [
      "What users did between the restored instant and that restore is nowhere else but in the set that was made before it.",
    ],
    // What somebody has removed by hand is only noted.
    steps: [...databases.map(drop), ...(hasFiles ? [filestore] : []), noteClosed(stack, id)],
  };
}
