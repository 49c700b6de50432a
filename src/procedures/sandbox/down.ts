import { z } from "zod";
import { command } from "../../runbook/action.ts";
import type { Act, Plan } from "../../runbook/plan.ts";
import { pathIsAbsent, removeTree } from "../../stack/files.ts";
import { projectOf } from "../../stack/runtime/compose.ts";
import { removeAll } from "../../stack/runtime/compose-program.ts";
import type { Argv, Stoppable } from "../../stack/runtime/runtime.ts";
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
  risk: "destroy",
  title: "Practice stack off",
  summary: "Stops every process of the practice stack; with `remove`, its data goes too.",
  input,
  facts: async () => ({}),
  plan: planDown,
};

function planDown(stack: Stack, { remove }: DownInput): Plan {
  const { proxy, cache, database, odoo } = stack.config.services;
  const named = (service: { readonly name: string } | undefined) => (service === undefined ? [] : [service.name]);
  const others = [...named(proxy), ...odoo.flatMap(named), ...named(cache)];
  const stop = (name: string, service: Stoppable): Act => ({
    ...stopService(`stop ${name}`, `Stop ${name}`, service),
    onFail: "continue",
  });
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
      stop(others.join(", "), stack.runtime.together(others)),
      stop(database.name, stack.runtime.service(database.name)),
      ...stopTools(stack, stop),
      ...(remove === null ? [] : [...removeProject(stack), removeFolder(stack, remove), forgetBackups(stack)]),
    ],
  };
}

function stopTools({ runtime, config }: Stack, stop: (name: string, service: Stoppable) => Act): readonly Act[] {
  if (!("compose" in config.runtime)) return [];
  const { tools, odooTools } = config.runtime.compose;
  return [stop("the tools", runtime.together([tools, odooTools]))];
}

/** Its containers, networks and volumes: the database, the filestore and the backups are in them. */
function removeProject(stack: Stack): readonly Act[] {
  if (!("compose" in stack.config.runtime)) return [];
  const project = projectOf(stack.config);
  const left = ["docker", "ps", "--all", "--quiet", "--filter", `label=com.docker.compose.project=${project.project}`];
  return [
    change(
      { id: "remove project", title: "Remove its containers and volumes", action: removeAll(stack.host, project) },
      {
        effect: "destroy",
        undo: "irreversible",
        verify: [
          {
            title: "no container of it is left",
            action: command(stack.host, left as unknown as Argv),
            output: { from: "stdout" },
            compare: "absent",
            with: "",
          },
        ],
      },
    ),
  ];
}

/** They went with it. */
function forgetBackups(stack: Stack): Act {
  return change(
    {
      id: "forget backups",
      title: "Take its backups out of the catalogue",
      action: { kind: "call", name: "backup.forget_all", version: 1, input: { stack: stack.name } },
    },
    { timeoutSeconds: 30 },
  );
}

function removeFolder(stack: Stack, folder: string): Act {
  return change(
    { id: "remove", title: "Remove its folder", action: removeTree(stack.host, folder) },
    { effect: "destroy", undo: "irreversible", verify: [pathIsAbsent(stack.host, folder, "the folder is gone")] },
  );
}
