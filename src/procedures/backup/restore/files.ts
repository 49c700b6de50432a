import { command, type Probe } from "../../../runbook/action.ts";
import type { Act, Step } from "../../../runbook/plan.ts";
import type { Text } from "../../../runbook/value.ts";
import { linkTree, pathExists, pathIsAbsent, removeTree } from "../../../stack/files.ts";
import type { Readable } from "../../../stack/restic.ts";
import type { Stack } from "../../../stack/stack.ts";
import { change, require, takeBack } from "../../steps.ts";
import { kept } from "../backup.ts";
import { attachmentsSql } from "../manifest.ts";
import { namesOf } from "./place.ts";

/**
 * The attachments that a database names. Odoo names a file by the SHA-1 of its content and never writes into it again, so whichever
 * file of that name has that content is the right one, wherever it was kept: in the live filestore, in the copy that an earlier run
 * left beside it, or in a backup.
 */

/** The filestore that will serve is made of names for the files of another one, in no time and no space on the same file system. */
export function linkPast(stack: Stack, source: Text, title: string): Act {
  const { tools: host } = stack;
  const { pastFiles } = namesOf(stack);
  const there = pathExists(host, pastFiles, "the filestore of the past is there");
  return change(
    { id: "link files", title, action: linkTree(host, source, pastFiles) },
    {
      done: there,
      verify: [there],
      timeoutSeconds: 6 * 3600,
      undo: [
        takeBack(
          { id: "unlink files", title: "Remove the filestore of the past", action: removeTree(host, pastFiles) },
          { verify: [pathIsAbsent(host, pastFiles, "it is gone")], timeoutSeconds: 1800 },
        ),
      ],
    },
  );
}

/** On a machine where this stack has never served there is no place for filestores yet. */
export function makeFilestores(stack: Stack): Act {
  const { tools: host, odoo, config } = stack;
  const there = pathExists(host, odoo.filestore, "there is a place for filestores");
  const folders = [config.odoo.dataDirectory, odoo.filestore];
  return change(
    {
      id: "filestores",
      title: "Make the place for filestores",
      action: command(host, ["install", "-d", "-m", "0750", "-o", config.odoo.user, ...folders]),
    },
    { done: there, verify: [there] },
  );
}

export interface Search {
  /** Checksums and names, as `sha1sum --check` reads them. */
  readonly list: Text;
  /** The file for the names that are not found yet. */
  readonly missing: Text;
  /** Where to look after the kept copies. */
  readonly repository: Readable | undefined;
  /** The folder that they are brought into; the filestore that will serve without it. */
  readonly into?: Text;
  /** The set that is asked first. */
  readonly first?: Text;
}

/** Which files are not there, or not what their name says. */
export function listMissing(stack: Stack, search: Search): Act {
  const { tools: host } = stack;
  const { list, missing } = search;
  return change(
    {
      id: "missing files",
      title: "Check every attachment that it names",
      action: command(host, ["sh", "-c", missingScript, "missing", list, placeOf(stack, search), missing]),
    },
    { verify: [pathExists(host, missing, "what is missing is listed")], timeoutSeconds: 6 * 3600 },
  );
}

function placeOf(stack: Stack, { into }: Search): Text {
  return into ?? namesOf(stack).pastFiles;
}

/** Without list or folder it cannot be told, and nothing is. */
const missingScript = `
set -eu
test -r "$1"
cd -- "$2"
LC_ALL=C sha1sum --check --quiet -- "$1" 2>/dev/null | sed 's/: FAILED.*$//' | LC_ALL=C sort > "$3.partial"
mv -f -- "$3.partial" "$3"
`;

/** What is missing is looked for wherever it may have been kept, and put in its place. */
export function findMissing(stack: Stack, search: Search): readonly Act[] {
  const keptTitle = "Look for missing attachments in kept copies of the filestore";
  return [findKept(stack, "kept files", keptTitle, search), ...findStored(stack, search)];
}

/** The live filestore is one of them. */
function findKept(stack: Stack, id: string, title: string, search: Search): Act {
  const { tools: host, odoo } = stack;
  const { list, missing } = search;
  return change(
    {
      id,
      title,
      action: command(host, [
        "sh",
        "-c",
        keptScript,
        "kept",
        ...[list, placeOf(stack, search), missing, odoo.filestore],
      ]),
    },
    { verify: [pathExists(host, missing, "what is still missing is listed")], timeoutSeconds: 6 * 3600 },
  );
}

/** The attachments that the serving database names. */
export function listNamed(stack: Stack, id: string, title: string, list: Text): Act {
  const { postgres, tools: host, config } = stack;
  return change(
    { id, title, action: kept(postgres.query(config.odoo.database, attachmentsSql), list) },
    { verify: [pathExists(host, list, "the list is there")], timeoutSeconds: 3600 },
  );
}

/** Nobody writes any more: what was added since is brought over from the live filestore. Names alone tell what is new. */
export function bringSince(stack: Stack, search: Search): readonly Step[] {
  const { tools: host } = stack;
  const { list, missing } = search;
  const action = command(host, ["sh", "-c", sinceScript, "since", list, namesOf(stack).pastFiles, missing]);
  return [
    listNamed(stack, "named now", "List the attachments that it names now", list),
    change(
      { id: "new files", title: "See which of them were added since", action },
      { verify: [pathExists(host, missing, "what is missing is listed")], timeoutSeconds: 1800 },
    ),
    findKept(stack, "live files", "Bring over what was added since", search),
  ];
}

/** What was missing before counts if it is still named. */
const sinceScript = `
set -eu
export LC_ALL=C
cut -c 43- -- "$1" | sort -u > "$3.named"
(cd -- "$2" && find . -type f -printf '%P\\n') | sort > "$3.there"
{ comm -23 "$3.named" "$3.there"; sort -u "$3" | comm -12 - "$3.named"; } | sort -u > "$3.partial"
mv -f -- "$3.partial" "$3"
`;

/**
 * `take_from FOLDER` copies those that are missing and that are there, with the right content; then only those count as missing that are
 * not in their place with the right content. Whatever was half copied when it was killed is still missing.
 */
const takeFunctions = `
export LC_ALL=C
take_from() {
  awk 'NR == FNR { wanted[$0]; next } substr($0, 43) in wanted' "$missing" "$list" > "$missing.list"
  (cd -- "$1" && sha1sum --check -- "$missing.list" 2>/dev/null | sed -n 's/: OK$//p') > "$missing.found"
  if [ -s "$missing.found" ]; then
    (cd -- "$1" && xargs -d '\\n' cp -a --parents --remove-destination -t "$copy" -- < "$missing.found")
    (cd -- "$copy" && { cat -- "$missing.found"; sed 's,/[^/]*$,,' "$missing.found" | sort -u; } | xargs -d '\\n' chown --reference=. --)
    (cd -- "$copy" && sha1sum --check --quiet -- "$missing.list" 2>/dev/null | sed 's/: FAILED.*$//' | sort) > "$missing.partial"
    mv -f -- "$missing.partial" "$missing"
  fi
  rm -f -- "$missing.list" "$missing.found"
}
`;

const keptScript = `${takeFunctions}
set -eu
list=$1 copy=$2 missing=$3 filestore=$4
for other in "$filestore"/*/; do
  [ -s "$missing" ] || break
  [ "$other" = "$copy/" ] || [ ! -d "$other" ] || take_from "$other"
done
`;

/**
 * Every snapshot is asked for what is still missing, the newest first unless one is to be asked before: sets, and those of the filestore
 * alone. Odoo removes what its database does not name any more, so what was there between two nights is in the second kind only.
 */
function findStored(stack: Stack, search: Search): readonly Act[] {
  const { list, missing, repository, first } = search;
  if (repository === undefined) return [];
  const words = [list, placeOf(stack, search), missing, first ?? "none"] as const;
  return [
    change(
      {
        id: "stored files",
        title: "Look for missing attachments in backups",
        action: repository.script(storedScript, ["stored", ...words, repository.owner]),
      },
      { verify: [pathExists(stack.tools, missing, "what is still missing is listed")], timeoutSeconds: 12 * 3600 },
    ),
  ];
}

/**
 * One question for all names, then one reading of each snapshot that has some of them: opening the repository takes longer than a
 * file. In a set they lie below `/filestore`, in a snapshot of the filestore alone at its top. Where a damaged repository does not
 * answer, each snapshot is asked for all. Of a snapshot that cannot be read nothing is taken; the next one is asked.
 */
const storedScript = `${takeFunctions}
set -eu
list=$1 copy=$2 missing=$3 first=run=$4 owner=$5
shift 5
[ -s "$missing" ] || exit 0
desk=$missing.desk where=$missing.where
snapshots=$("$@" snapshots --json --no-lock --no-cache --host "$owner" |
  jq -r --arg first "$first" 'sort_by(.time) | reverse | sort_by(if (.tags // []) | index($first) then 0 else 1 end) | .[].id')
xargs -a "$missing" -d '\\n' -n 500 "$@" find --json --no-lock --no-cache --host "$owner" > "$where.json" &&
  jq -r '.[] | .snapshot as $snapshot | .matches[]? | select(.type == "file") | "\\($snapshot) \\(.path)"' "$where.json" > "$where" ||
  awk '{ print "any /filestore/" $0; print "any /" $0 }' "$missing" > "$where"
for snapshot in $snapshots; do
  [ -s "$missing" ] || break
  awk -v snapshot="$snapshot" '
    NR == FNR { wanted[$0]; next }
    $1 == snapshot || $1 == "any" { name = $2; sub("^/filestore", "", name); sub("^/", "", name); if (name in wanted) print $2 }
  ' "$missing" "$where" > "$where.here"
  [ -s "$where.here" ] || continue
  rm -rf -- "$desk"
  sed 's/^/--include=/' "$where.here" |
    xargs -d '\\n' -n 400 "$@" restore "$snapshot" --no-lock --no-cache --target "$desk" >&2 || continue
  for folder in "$desk/filestore" "$desk"; do
    [ ! -d "$folder" ] || take_from "$folder"
  done
done
rm -rf -- "$desk" "$where" "$where.json" "$where.here"
`;

/** A finding, not a failure: the database is worth having without them, and a person must know which they are. */
export function nameLost(stack: Stack, { missing }: Search): Act {
  const probe: Probe = {
    title: "every attachment that it names has its file",
    action: command(stack.tools, ["cat", "--", missing]),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
    code: "restore.attachments_missing",
  };
  return require({ id: "lost files", title: "Every attachment that it names has its file", probe }, {
    onFail: "continue",
  });
}
