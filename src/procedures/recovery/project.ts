import { command } from "../../runbook/action.ts";
import type { Bracket, Step } from "../../runbook/plan.ts";
import type { Text } from "../../runbook/value.ts";
import { pathExists, pathIsAbsent, removeTree } from "../../stack/files.ts";
import type { Containers } from "../../stack/ground.ts";
import type { Stack } from "../../stack/stack.ts";
import { fileOfSet, setIn } from "../backup/set.ts";
import { change, takeBack, waitFor } from "../steps.ts";
import { asking, putConfiguration } from "./configuration.ts";
import type { HostFacts } from "./facts.ts";
import type { Phase } from "./phases.ts";
import { getGroundRepository } from "./sets.ts";

/** Of a stack in containers the places come first where everything else is done: its project's files on the machine, then the tools. */

export function projectPhases(stack: Stack, facts: HostFacts): readonly Phase[] {
  const { containers } = stack.ground;
  if (containers === undefined) return [];
  return [
    { name: "configuration and code", steps: [withDesk(stack, facts, containers.desk)] },
    { name: "containers", steps: makeContainers(stack, containers) },
  ];
}

/** There are passwords in it. */
function withDesk(stack: Stack, facts: HostFacts, desk: Text): Bracket {
  const { host } = stack.ground;
  const { id, repository } = facts.set;
  const parts = fileOfSet(desk, "configuration/parts");
  return {
    kind: "bracket",
    id: "desk",
    title: "Folder on the machine",
    open: [
      change(
        {
          id: "make desk",
          title: "Make a folder on the machine",
          action: command(host, ["install", "-d", "-m", "0700", desk, setIn(desk)]),
        },
        { verify: [pathExists(host, setIn(desk), "the folder is there")] },
      ),
    ],
    body: [
      change(
        {
          id: "fetch configuration",
          title: "Read configuration and code from the repository",
          action: getGroundRepository(stack, repository).fetch(id, setIn(desk), "configuration"),
        },
        { ...asking, verify: [pathExists(host, parts, "the set has its parts")], timeoutSeconds: 3600 },
      ),
      ...putConfiguration(stack, facts, desk),
    ],
    close: [
      takeBack(
        { id: "remove desk", title: "Remove the folder on the machine", action: removeTree(host, desk) },
        { verify: [pathIsAbsent(host, desk, "the folder is gone")] },
      ),
    ],
  };
}

function makeContainers({ tools, config }: Stack, containers: Containers): readonly Step[] {
  const filestore = `${config.odoo.dataDirectory}/filestore`;
  return [
    change(
      { id: "containers", title: "Make the database's server and the tools", action: containers.start },
      {
        ...asking,
        verify: containers.areRunning,
        // Images are fetched and built.
        timeoutSeconds: 3600,
        undo: [
          takeBack(
            {
              id: "remove containers",
              title: "Remove the project's containers and volumes",
              action: containers.remove,
            },
            {
              verify: [
                {
                  title: "nothing of the project is left",
                  action: containers.remains,
                  output: { from: "stdout" },
                  compare: "absent",
                  with: "",
                },
              ],
            },
          ),
        ],
      },
    ),
    waitFor(
      {
        id: "server made",
        title: "Wait until the database's server has done what it does at its first start",
        probe: containers.answers,
        // The project's own scripts for it may load something.
        timeoutSeconds: 900,
      },
      { onTimeout: "ask" },
    ),
    change(
      { id: "data folders", title: "Make the folders that Odoo writes to", action: containers.makeFolders },
      { ...asking, verify: [pathExists(tools, filestore, "they are there")] },
    ),
  ];
}
