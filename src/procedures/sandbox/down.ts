import { z } from "zod";
import type { Act, Plan } from "../../runbook/plan.ts";
import { pathIsAbsent, removeTree } from "../../stack/files.ts";
import type { Stack } from "../../stack/stack.ts";
import type { Procedure } from "../procedure.ts";
import { change, stopService } from "../steps.ts";

const input = z.object({
  /** Removes the sandbox's folder as well, with its database and its backups. */
  remove: z.string().nullable().describe("Folder of the sandbox to remove, or null to keep it"),
});
type DownInput = z.infer<typeof input>;

export const sandboxDown: Procedure<DownInput, Record<string, never>> = {
  name: "sandbox down",
  chapter: "sandbox",
  version: 1,
  title: "Practice stack off",
  summary: "Stops every process of the practice stack; with `remove`, its data goes too.",
  input,
  facts: async () => ({}),
  plan: planDown,
};

function planDown(stack: Stack, { remove }: DownInput): Plan {
  const { proxy, cache, database, odoo } = stack.config.services;
  const names = [proxy?.name, ...odoo.map((service) => service.name), cache?.name, database.name];
  return {
    procedure: sandboxDown.name,
    version: sandboxDown.version,
    stack: stack.name,
    title: remove === null ? "Stop the practice stack" : "Remove the practice stack",
    input: { remove },
    facts: {},
    lease: "exclusive",
    notes: remove === null ? [] : [`Everything below ${remove} is removed, its backups too.`],
    steps: [
      ...names
        .filter((name) => name !== undefined)
        .map((name) => ({
          ...stopService(`stop ${name}`, `Stop ${name}`, stack.runtime.service(name)),
          onFail: "continue" as const,
        })),
      ...(remove === null ? [] : [removeFolder(stack, remove)]),
    ],
  };
}

function removeFolder(stack: Stack, folder: string): Act {
  return change(
    { id: "remove", title: "Remove its folder", action: removeTree(stack.host, folder) },
    { effect: "destroy", undo: "irreversible", verify: [pathIsAbsent(stack.host, folder, "the folder is gone")] },
  );
}
