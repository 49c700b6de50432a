import { type CommandAction, command, type Probe } from "../../runbook/action.ts";
import type { Act, Step } from "../../runbook/plan.ts";
import type { Text } from "../../runbook/value.ts";
import { pathExists } from "../../stack/files.ts";
import { placingIn } from "../../stack/ground.ts";
import { isSame, isTakenAway, type Placing, placeClone, placeCopy, takeAway } from "../../stack/placing.ts";
import type { Stack } from "../../stack/stack.ts";
import { fileOfSet } from "../backup/set.ts";
import { change, takeBack } from "../steps.ts";
import { type HostFacts, partsToPlace, placeOf } from "./facts.ts";
import type { FoundPart, FoundSet } from "./sets.ts";

/** Configuration and code of a set, put where they belong: by name of their users, with the folders that services need. */

/** What stops half-way is not thrown away: the cause is removed, and it goes on where it was. */
export const asking = { onFail: "ask" } as const;

/** Among the tools. */
export function placingOf(stack: Stack): Placing {
  return placingIn(stack.tools, `${stack.config.workDirectory}/runs/`, "/made");
}

export function putConfiguration(stack: Stack, facts: HostFacts, folder: Text): readonly Step[] {
  const { users, set } = facts;
  return [
    ...users.map((name) => makeUser(stack, name)),
    ...(stack.ground.containers === undefined ? [makeFolders(stack, folder)] : []),
    ...partsToPlace(set).map((part) => putPart(stack, part, folder)),
    giveOwners(stack, facts, folder),
    ...keepArchiveQuiet(stack, set),
  ];
}

function makeUser({ ground: { host } }: Stack, name: string): Act {
  const there: Probe = {
    title: `there is a user ${name}`,
    action: command(host, ["id", "-u", name], { okExitCodes: [0, 1] }),
    output: { from: "exitCode", as: "number" },
    compare: "eq",
    with: 0,
  };
  const words = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", name];
  return change(
    { id: `user ${name}`, title: `Make the service user ${name}`, action: command(host, ["useradd", ...words]) },
    { ...asking, done: there, verify: [there] },
  );
}

/** A service does not make the folder of its log or its pid file. Those that are there stay as they are. */
function makeFolders({ tools: host }: Stack, folder: Text): Act {
  const list = fileOfSet(folder, "configuration/folders");
  return change(
    {
      id: "folders",
      title: "Make the folders that services need",
      action: command(host, ["sh", "-c", foldersScript, "folders", list, ""]),
    },
    {
      ...asking,
      verify: [
        {
          title: "every folder is there",
          action: command(host, ["sh", "-c", missingFoldersScript, "look", list, ""]),
          output: { from: "stdout" },
          compare: "absent",
          with: "",
        },
      ],
    },
  );
}

/** From the top down. An owner that this machine does not have leaves a folder to root. */
export const foldersScript = `
set -eu
LC_ALL=C sort -k 4 -- "$1" | while read -r user group mode path; do
  path="$2$path"
  [ ! -e "$path" ] || continue
  rm -rf -- "$path.partial"
  mkdir -p -m "$mode" -- "$path.partial"
  chmod "$mode" "$path.partial"
  if id -u "$user" >/dev/null 2>&1 && getent group "$group" >/dev/null; then chown "$user:$group" -- "$path.partial"; fi
  mv -T -- "$path.partial" "$path"
done
`;

const missingFoldersScript =
  'while read -r user group mode path; do [ -d "$2$path" ] || printf "%s\\n" "$path"; done < "$1"';

function putPart(stack: Stack, part: FoundPart, folder: Text): Step {
  return part.state === "commit" ? clonePart(stack, part) : copyPart(stack, part, folder);
}

function copyPart(stack: Stack, part: FoundPart, folder: Text): Act {
  const target = placeOf(part);
  const source = fileOfSet(folder, `configuration/${inSet(part)}`);
  const { host, placing } = stack.ground;
  return change(
    { id: `put ${part.part}`, title: `Put ${target} in place`, action: placeCopy(placing, source, target) },
    {
      ...asking,
      verify: [isSame(host, source, target, `${target} is as the set has it`)],
      undo: [awayStep(placing, target)],
      timeoutSeconds: 3600,
    },
  );
}

/** Where a part lies in the configuration of the set. */
export function inSet({ part, path }: FoundPart): string {
  return `${part}/${path.replace(/\/+$/, "").split("/").at(-1) ?? ""}`;
}

/** Code that a remote has: the set has only its commit. */
function clonePart(stack: Stack, part: FoundPart): Act {
  const { host, placing } = stack.ground;
  const target = placeOf(part);
  return change(
    {
      id: `put ${part.part}`,
      title: `Fetch the code of ${target}, commit ${part.commit.slice(0, 12)}`,
      action: placeClone(placing, target, part),
    },
    {
      ...asking,
      verify: [
        {
          title: "it is at that commit",
          action: command(host, ["git", "-c", "safe.directory=*", "-C", target, "rev-parse", "HEAD"]),
          output: { from: "stdout" },
          compare: "eq",
          with: part.commit,
          code: "recovery.not_in_place",
        },
      ],
      undo: [awayStep(placing, target)],
      timeoutSeconds: 3600,
    },
  );
}

export function awayStep(placing: Placing, target: string): Act {
  return takeBack(
    { id: `away ${target}`, title: `Take ${target} away again`, action: takeAway(placing, target) },
    { verify: [isTakenAway(placing, target)], timeoutSeconds: 3600 },
  );
}

/** As the set tells them: by name of a machine, since another one gives its users other numbers, by number of what containers share. */
function giveOwners(stack: Stack, { set }: HostFacts, folder: Text): Act {
  const list = fileOfSet(folder, "configuration/owners");
  const copied = partsToPlace(set).filter(({ state }) => state === "taken");
  const words = copied.flatMap((part) => [inSet(part), placeOf(part)]);
  const action = (script: string): CommandAction =>
    command(stack.ground.host, ["sh", "-c", `${ownersOf}${script}`, "own", list, ...words]);
  return change(
    { id: "owners", title: "Give configuration and code to their users", action: action(ownScript) },
    {
      ...asking,
      verify: [
        {
          title: "everything has its owner",
          action: action(strayScript),
          output: { from: "stdout" },
          compare: "absent",
          with: "",
        },
      ],
    },
  );
}

/** The paths that belonged to somebody else than root, a line each with user and group; an owner that this machine does not have is left out. */
const ownersOf = `
set -eu
list=$1
shift
below() { awk -v part="$1" -v target="$2" '{ path = substr($0, length($1) + length($2) + 3) }
  path == part || index(path, part "/") == 1 { print $1 " " $2 " " target substr(path, length(part) + 1) }' "$list"; }
known() {
  case $1$2 in
    *[!0-9]*) id -u "$1" >/dev/null 2>&1 && getent group "$2" >/dev/null ;;
    *) [ "$(id -u)" = 0 ] ;;
  esac
}
each() {
  while [ $# -gt 0 ]; do below "$1" "$2"; shift 2; done | while read -r user group path; do
    if known "$user" "$group"; then printf '%s %s %s\\n' "$user" "$group" "$path"; fi
  done
}
`;

const ownScript = `each "$@" | while read -r user group path; do chown -h "$user:$group" -- "$path"; done`;

const strayScript = `each "$@" | while read -r user group path; do
  [ "$(stat --format='%U %G' -- "$path")" = "$user $group" ] || [ "$(stat --format='%u %g' -- "$path")" = "$user $group" ] ||
    printf '%s\\n' "$path"
done`;

/**
 * A server that archives goes on under the old one's name with other data: pgBackRest would refuse, another program might write over what is
 * there. The archive of ours is set up again at the end; of another one a person decides.
 */
function keepArchiveQuiet(stack: Stack, { cluster }: FoundSet): readonly Act[] {
  const { configuration } = stack.runtime.postgres;
  const isOurs = stack.pgbackrest !== undefined && cluster.archiveCommand === stack.pgbackrest.archiveCommand;
  if (configuration === undefined || isOurs || cluster.archiveMode === "off") return [];
  const path = `${configuration}/conf.d/zz-ipai-recovered.conf`;
  const content =
    "# Put here by ipai's recovery. Look where archive_command leads to before you remove this file.\narchive_mode = off\n";
  return [
    change(
      {
        id: "quiet",
        title: "Let the new server archive nothing where the old one did",
        action: { kind: "write", host: stack.tools, path, content, mode: "0644" },
      },
      { ...asking, verify: [pathExists(stack.tools, path, "the setting is there")] },
    ),
  ];
}
