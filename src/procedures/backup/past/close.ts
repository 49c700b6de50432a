import { z } from "zod";
import type { Plan } from "../../../runbook/plan.ts";
import type { Stack } from "../../../stack/stack.ts";
import type { Procedure } from "../../procedure.ts";
import { noteClosed, type Resource } from "../../resources.ts";
import { removeFolder } from "../set.ts";
import { folderOf, getPast, sideOf, stopSide } from "./past.ts";

const input = z.object({ id: z.string().describe("The opened past: ipai past list") });
type Input = z.infer<typeof input>;

export const closePast: Procedure<Input, Resource> = {
  name: "past close",
  chapter: "backup",
  version: 1,
  risk: "change",
  title: "Closing of an opened past",
  summary: "Stops the server of an opened past and removes it, with what was extracted into its folder.",
  input,
  facts: (reader, { id }) => getPast(reader, id),
  plan: planClose,
};

function planClose(stack: Stack, { id }: Input, past: Resource): Plan {
  return {
    procedure: closePast.name,
    version: closePast.version,
    stack: stack.name,
    title: `Close ${past.title}`,
    input: { id },
    facts: { openedAt: past.openedAt },
    lease: "shared",
    notes: [`Opened by ${past.by}, until ${past.expires}. What was extracted elsewhere stays.`],
    steps: [stopSide(sideOf(stack, id)), removeFolder(stack, folderOf(stack, id), "past"), noteClosed(stack, id)],
  };
}
