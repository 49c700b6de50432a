import { z } from "zod";
import type { Plan } from "../../../runbook/plan.ts";
import type { Stack } from "../../../stack/stack.ts";
import type { Procedure } from "../../procedure.ts";
import type { Resource } from "../../resources.ts";
import { compareWithPresent } from "./compare.ts";
import { folderOf, getPast, sideOf, standsStill } from "./past.ts";

const input = z.object({ id: z.string().describe("The opened past: ipai past list") });
type Input = z.infer<typeof input>;

export const lookAtPast: Procedure<Input, Resource> = {
  name: "past look",
  chapter: "backup",
  version: 1,
  risk: "change",
  title: "Comparison with an opened past",
  summary: "Says anew what would be lost by going back to an opened past: users have worked on since it was opened.",
  input,
  facts: (reader, { id }) => getPast(reader, id),
  plan: planLook,
};

function planLook(stack: Stack, { id }: Input, past: Resource): Plan {
  const side = sideOf(stack, id);
  return {
    procedure: lookAtPast.name,
    version: lookAtPast.version,
    stack: stack.name,
    title: `Compare the present with ${past.title}`,
    input: { id },
    facts: { openedAt: past.openedAt },
    lease: "shared",
    notes: ["Every table is read once, on both sides, as a dump reads it."],
    steps: [standsStill(side), compareWithPresent(stack, side, folderOf(stack, id))],
  };
}
