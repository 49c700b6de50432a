import { type CommandAction, command, type Probe } from "../runbook/action.ts";
import type { Text } from "../runbook/value.ts";

/** Folders and files of a host: the few things that plans do with them, each safe to repeat. */

export function makeDirectory(host: string, path: Text, owner?: string): CommandAction {
  const argv: readonly [Text, ...Text[]] =
    owner === undefined
      ? ["install", "-d", "-m", "0750", path]
      : ["install", "-d", "-m", "0750", "-o", owner, "-g", owner, path];
  return command(host, argv);
}

export function removeTree(host: string, path: Text): CommandAction {
  return command(host, ["rm", "-rf", "--one-file-system", "--", path]);
}

export function pathExists(host: string, path: Text, title: string): Probe {
  return existence(host, path, title, "eq");
}

export function pathIsAbsent(host: string, path: Text, title: string): Probe {
  return existence(host, path, title, "ge");
}

/** `test -e` answers 0 (there) or 1 (not there). */
function existence(host: string, path: Text, title: string, compare: "eq" | "ge"): Probe {
  return {
    title,
    action: command(host, ["test", "-e", path], { okExitCodes: [0, 1] }),
    output: { from: "exitCode", as: "number" },
    compare,
    with: compare === "eq" ? 0 : 1,
  };
}

/** A file's text, or `absent` when there is none. One that cannot be read is an error, not an answer. */
export function readText(host: string, path: Text): CommandAction {
  return command(host, ["sh", "-c", readScript, "read", path]);
}

export const absent = "\u0001";
const readScript = 'if [ -e "$1" ]; then cat -- "$1"; else printf "\\001"; fi';

/**
 * A second set of names for the same files, in no time and no space. Odoo never writes into an attachment's file again, it only
 * unlinks it, so the copy stays whole whatever the live filestore does. On another file system it becomes a real copy. Built
 * aside: a copy half made is never taken for one.
 */
export function linkTree(host: string, source: Text, copy: Text): CommandAction {
  return command(host, ["sh", "-c", linkScript, "link", source, copy]);
}

const linkScript =
  'rm -rf -- "$2" "$2.partial" && mkdir -p -- "$1" && { cp -al -- "$1" "$2.partial" 2>/dev/null || ' +
  '{ rm -rf -- "$2.partial" && cp -a -- "$1" "$2.partial"; }; } && mv -T -- "$2.partial" "$2"';

/** A real copy, complete or absent, taking the place of an older one. */
export function copyTree(host: string, source: Text, copy: Text): CommandAction {
  return command(host, ["sh", "-c", copyScript, "copy", source, copy]);
}

const copyScript =
  'rm -rf -- "$2.partial" && mkdir -p -- "$(dirname -- "$2")" && cp -a -- "$1" "$2.partial" && rm -rf -- "$2" && mv -T -- "$2.partial" "$2"';

/**
 * Puts `copy` in the place of `live` and keeps what was there as `aside`. Can be repeated after being killed between its two
 * renames; when `copy` is gone it has already been done.
 */
export function swapTree(host: string, live: Text, copy: Text, aside: Text): CommandAction {
  return command(host, ["sh", "-c", swapScript, "swap", live, copy, aside]);
}

const swapScript =
  'if [ -d "$2" ]; then if [ -d "$1" ]; then mkdir -p -- "$(dirname -- "$3")" && mv -T -- "$1" "$3"; fi && mv -T -- "$2" "$1"; fi';

/** Two trees are equal in content; compiled Python does not count. Empty output means equal. */
export function treesAreEqual(host: string, one: Text, other: Text, title: string): Probe {
  return {
    title,
    action: command(host, ["diff", "-rq", "--exclude=*.pyc", "--exclude=__pycache__", "--", one, other], {
      okExitCodes: [0, 1],
    }),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
  };
}
