import { z } from "zod";
import type { Plan } from "../../runbook/plan.ts";
import { pathIsAbsent, removeTree } from "../../stack/files.ts";
import type { Stack } from "../../stack/stack.ts";
import type { Procedure } from "../procedure.ts";
import { getResource, noteClosed } from "../resources.ts";
import { change } from "../steps.ts";

/** The damaged server that a recovery kept goes when nobody needs it as evidence any more. */

const input = z.object({
  id: z.string().regex(/^damaged_\d{8}t\d{6}_\w+$/, "must be damaged_ and the whole id of a run"),
});
type Input = z.infer<typeof input>;

interface Kept {
  readonly path: string;
}

const about = z.object({ dataDirectory: z.string().startsWith("/") });

export const forgetDamaged: Procedure<Input, Kept> = {
  name: "recover forget",
  chapter: "recovery",
  version: 1,
  risk: "destroy",
  title: "Removal of a damaged database server",
  summary: "Removes the data folder that a recovery of the database set aside. The serving one is not touched.",
  input,
  facts: async ({ records, stack }, { id }) => {
    const kept = await getResource(records, stack.name, id);
    return { path: damagedPath(about.parse(kept.about).dataDirectory, id) };
  },
  plan: planForget,
};

/** `id` has the run's own. */
export function damagedPath(dataDirectory: string, id: string): string {
  return `${dataDirectory}_${id}`;
}

function planForget(stack: Stack, { id }: Input, { path }: Kept): Plan {
  const { tools: host } = stack;
  return {
    procedure: forgetDamaged.name,
    version: forgetDamaged.version,
    stack: stack.name,
    title: `Remove ${path}`,
    input: { id },
    facts: { path },
    lease: "exclusive",
    notes: ["It is the only copy of what the damaged server had and the recovered one does not."],
    steps: [
      change(
        { id: "remove", title: `Remove ${path}`, action: removeTree(host, path) },
        {
          effect: "destroy",
          undo: "irreversible",
          verify: [pathIsAbsent(host, path, "it is gone")],
          timeoutSeconds: 3600,
        },
      ),
      noteClosed(stack, id),
    ],
  };
}
