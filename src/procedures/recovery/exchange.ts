import { command } from "../../runbook/action.ts";
import type { Act, Step } from "../../runbook/plan.ts";
import { join, runId, suffixed, type Text } from "../../runbook/value.ts";
import { clusterPart } from "../../stack/configuration.ts";
import { pathExists, pathIsAbsent, swapTree } from "../../stack/files.ts";
import type { Replacement } from "../../stack/replacement.ts";
import { configurationFiles } from "../../stack/server-files.ts";
import type { Stack } from "../../stack/stack.ts";
import { fileOfSet } from "../backup/set.ts";
import { noteOpened } from "../resources.ts";
import { change, takeBack } from "../steps.ts";
import { inSet } from "./configuration.ts";
import type { DatabaseFacts } from "./database-facts.ts";

/** A database server that was proven beside the damaged one takes its place; the damaged one is kept. */

/** Whoever asks what happened asks within weeks. */
const keptDays = 30;

export function exchange(stack: Stack, server: Replacement, facts: DatabaseFacts, work: Text): readonly Step[] {
  const { tools: host } = stack;
  const { dataDirectory } = facts;
  const damaged = join(`${dataDirectory}_damaged_`, runId);
  const opened = noteOpened(stack, {
    id: join("damaged_", runId),
    kind: "kept",
    title: join(`Damaged database server, ${dataDirectory}_damaged_`, runId),
    hours: keptDays * 24,
    close: { procedure: "recover forget" },
    about: { dataDirectory },
  });
  return [
    opened,
    change(
      { id: "settle", title: "Have all of it on the disk, as a server of its own", action: server.settle },
      { done: server.isSettled, verify: [server.isSettled], timeoutSeconds: 3600 },
    ),
    ...takeOver(stack, server, facts, work),
    change(
      {
        id: "exchange",
        title: "Put it in the damaged one's place",
        action: swapTree(host, dataDirectory, server.data, damaged),
      },
      {
        done: pathIsAbsent(host, server.data, "it is in its place"),
        verify: [pathExists(host, `${dataDirectory}/PG_VERSION`, "its data are there")],
        undo: [
          takeBack(
            {
              id: "exchange back",
              title: "Put the damaged one back",
              action: swapTree(host, dataDirectory, damaged, server.data),
            },
            {
              done: pathIsAbsent(host, damaged, "it is in its place"),
              verify: [pathIsAbsent(host, damaged, "it is in its place")],
            },
          ),
        ],
      },
    ),
  ];
}

/** Where a server's configuration is among its data: the damaged one's if it is there, else that of the set, else what it was made with. */
function takeOver(
  stack: Stack,
  server: Replacement,
  { dataDirectory, set }: DatabaseFacts,
  work: Text,
): readonly Act[] {
  if (stack.serverFiles?.isConfigurationInside !== true) return [];
  const part = set?.parts.find((one) => one.part === clusterPart && one.state === "taken");
  const folders = part === undefined ? [] : [fileOfSet(work, `configuration/${inSet(part)}`)];
  const words = [server.data, stack.postgres.user, configurationFiles.join(" "), dataDirectory, ...folders];
  return [
    change(
      {
        id: "own configuration",
        title: "Give it the configuration that the damaged one had",
        action: command(stack.tools, ["sh", "-c", takeOverScript, "take", ...words]),
      },
      { verify: [pathExists(stack.tools, suffixed(server.data, "/postgresql.conf"), "it has its configuration")] },
    ),
  ];
}

const takeOverScript = `
set -eu
data=$1 user=$2 names=$3
shift 3
for name in $names; do
  for folder; do
    [ -s "$folder/$name" ] || continue
    install -m 0600 -o "$user" -g "$(id -gn "$user")" -- "$folder/$name" "$data/$name.partial"
    mv -f -- "$data/$name.partial" "$data/$name"
    break
  done
done
`;
