import { z } from "zod";
import type { Plan } from "../../../runbook/plan.ts";
import { pathIsAbsent, removeTree } from "../../../stack/files.ts";
import { dropDatabaseSql } from "../../../stack/postgres.ts";
import type { Stack } from "../../../stack/stack.ts";
import type { Procedure } from "../../procedure.ts";
import { noteClosed, type Resource } from "../../resources.ts";
import { takeBack } from "../../steps.ts";
import { getCopy, nameOfCopy } from "./facts.ts";
import { folderOf, stopStagingOdoo } from "./serve.ts";

const input = z.object({ id: nameOfCopy });
type Input = z.infer<typeof input>;

export const removeStaging: Procedure<Input, Pick<Resource, "by" | "openedAt">> = {
  name: "copy remove",
  chapter: "backup",
  version: 1,
  risk: "destroy",
  title: "Removal of a staging copy",
  summary:
    "Stops the Odoo on a staging copy, and removes its database and its attachments. What was done in it is lost.",
  done: { title: "Staging copy removed" },
  input,
  facts: async (reader, { id }) => {
    const { by, openedAt } = await getCopy(reader, id);
    return { by, openedAt };
  },
  plan: planRemove,
};

/** Nothing of it can be brought back, and nothing of it is the stack's: each step is tried again, and what is gone already is well. */
function planRemove(stack: Stack, { id }: Input, { by, openedAt }: Pick<Resource, "by" | "openedAt">): Plan {
  const { tools: host, postgres, odoo } = stack;
  const files = odoo.filestoreOf(id);
  const gone = postgres.databaseIsAbsent(id);
  const removal = { effect: "destroy", undo: "irreversible", timeoutSeconds: 1800 } as const;
  return {
    procedure: removeStaging.name,
    version: removeStaging.version,
    stack: stack.name,
    title: `Remove the staging copy ${id}`,
    input: { id },
    facts: { openedAt },
    lease: "shared",
    notes: [`${by} made it on ${openedAt}. What was tried in it is lost.`],
    steps: [
      stopStagingOdoo(stack, id),
      takeBack(
        { id: "drop", title: "Remove its database", action: postgres.query("postgres", dropDatabaseSql, { name: id }) },
        { ...removal, done: gone, verify: [gone] },
      ),
      takeBack(
        { id: "drop files", title: "Remove its attachments", action: removeTree(host, files) },
        { ...removal, verify: [pathIsAbsent(host, files, "its filestore is gone")] },
      ),
      takeBack(
        {
          id: "drop folder",
          title: "Remove its folder",
          action: removeTree(host, folderOf(stack, id)),
        },
        { ...removal, verify: [pathIsAbsent(host, folderOf(stack, id), "its folder is gone")] },
      ),
      noteClosed(stack, id),
    ],
  };
}
