import { type CommandAction, command, type Probe } from "../../runbook/action.ts";
import type { Act, Bracket } from "../../runbook/plan.ts";
import { runId } from "../../runbook/value.ts";
import { makeDirectory, pathExists, readText } from "../../stack/files.ts";
import { explained } from "../../stack/restic.ts";
import type { Stack } from "../../stack/stack.ts";
import { change, takeBack } from "../steps.ts";

/** Where a backup gathers its set before it is stored. */

/** One backup of a stack at a time; the folder's path is always the same, so that restic finds unchanged files quickly. */
export function workingFolder(stack: Stack): string {
  return `${stack.config.workDirectory}/backup`;
}

/** The folder belongs to one run: another one is refused, and what a dead run left is only removed by resuming that run. */
export function withWorkingFolder(stack: Stack, folder: string, body: Bracket["body"]): Bracket {
  const { tools: host } = stack;
  const owner: Probe = {
    title: "the working folder is this run's",
    action: withFullDisk(explained(command(host, ["sh", "-c", ownScript, "own", folder, runId]))),
    output: { from: "stdout" },
    compare: "eq",
    with: runId,
    code: "backup.under_way",
  };
  const clean: CommandAction = command(host, [
    "sh",
    "-c",
    'if [ ! -e "$1/run" ] || [ "$(cat "$1/run")" = "$2" ]; then rm -rf --one-file-system -- "$1"; fi',
    "clean",
    folder,
    runId,
  ]);
  return {
    kind: "bracket",
    id: "folder",
    title: "Working folder",
    open: [
      change({ id: "own folder", title: "Take the working folder", action: owner.action }, { verify: [owner] }),
      openTheWay(stack),
      change(
        {
          id: "set folder",
          title: "Make the folder of the set",
          action: makeDirectory(host, `${folder}/set`, stack.postgres.user),
        },
        { verify: [pathExists(host, `${folder}/set`, "the set's folder is there")] },
      ),
    ],
    body,
    close: [
      takeBack(
        { id: "clean folder", title: "Remove the working folder", action: clean },
        { verify: [ownFolderIsGone(host, folder)] },
      ),
    ],
  };
}

/**
 * Written aside and given its name by a link, which fails when there is one: on a full disk an empty name would keep everybody out for
 * good. By a program of its own, since the shell's echo calls a full disk an I/O error.
 */
const ownScript = `
mkdir -p -- "$1" && cd -- "$1" || exit
[ -s run ] || rm -f run
if [ ! -e run ]; then
  env echo "$2" > "run.$2" || { rm -f "run.$2"; exit 1; }
  ln "run.$2" run 2>/dev/null
  rm -f "run.$2"
fi
cat run
`;

/** PostgreSQL's user writes the dump below a folder that others, such as restic for its cache, may have made for root alone. */
function openTheWay(stack: Stack): Act {
  const { tools: host, postgres, runtime, config } = stack;
  const passes: Probe = {
    title: `${postgres.user} reaches the folder for working files`,
    action: command(host, runtime.as(postgres.user, ["test", "-x", config.workDirectory]), { okExitCodes: [0, 1] }),
    output: { from: "exitCode", as: "number" },
    compare: "eq",
    with: 0,
  };
  const action = command(host, ["chmod", "a+x", config.workDirectory]);
  return change(
    { id: "way", title: `Let ${postgres.user} through to the working folder`, action },
    { done: passes, verify: [passes] },
  );
}

function ownFolderIsGone(host: string, folder: string): Probe {
  return {
    title: "nothing of this run is left in the working folder",
    action: readText(host, `${folder}/run`),
    output: { from: "stdout" },
    compare: "absent",
    with: runId,
  };
}

export function withFullDisk(action: CommandAction): CommandAction {
  return { ...action, exitCodes: { ...action.exitCodes, 28: "backup.disk_full" } };
}
