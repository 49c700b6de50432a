import { command, type Probe } from "../../../runbook/action.ts";
import type { Act, Step } from "../../../runbook/plan.ts";
import type { Text } from "../../../runbook/value.ts";
import { linkTree, pathExists, pathIsAbsent, removeTree } from "../../../stack/files.ts";
import type { SideCluster } from "../../../stack/side.ts";
import type { Stack } from "../../../stack/stack.ts";
import { change, require, takeBack } from "../../steps.ts";
import { kept } from "../backup.ts";
import { attachmentsSql } from "../manifest.ts";
import { fileIn } from "./side.ts";

/**
 * The attachments of a past database. Odoo names a file by the SHA-1 of its content and never writes into it again, so whichever
 * file of that name has that content is the right one, wherever it was kept: in the live filestore, in the copy that an earlier run
 * left beside it, or in a backup.
 */
export function gatherFiles(stack: Stack, side: SideCluster, folder: Text, copy: Text): readonly Step[] {
  const { tools: host, odoo, config } = stack;
  const live = odoo.filestoreOf(config.odoo.database);
  const list = fileIn(folder, "attachments");
  const there = pathExists(host, copy, "the filestore of the past is there");
  return [
    change(
      {
        id: "attachments",
        title: "List the attachments that it names",
        action: kept(side.query(config.odoo.database, attachmentsSql), list),
      },
      { verify: [pathExists(host, list, "the list is there")], timeoutSeconds: 3600 },
    ),
    change(
      { id: "link files", title: "Link the live filestore", action: linkTree(host, live, copy) },
      {
        done: there,
        verify: [there],
        timeoutSeconds: 6 * 3600,
        undo: [
          takeBack(
            { id: "unlink files", title: "Remove the filestore of the past", action: removeTree(host, copy) },
            { verify: [pathIsAbsent(host, copy, "it is gone")], timeoutSeconds: 1800 },
          ),
        ],
      },
    ),
    findKept(stack, folder, copy),
    ...findStored(stack, folder, copy),
    nameLost(stack, folder),
  ];
}

/** Files that are not there, or not what their name says, are looked for in every kept copy of the filestore. */
function findKept(stack: Stack, folder: Text, copy: Text): Act {
  const { tools: host, odoo } = stack;
  const missing = fileIn(folder, "missing");
  return change(
    {
      id: "kept files",
      title: "Look for missing attachments in kept copies of the filestore",
      action: command(host, [
        "sh",
        "-c",
        keptScript,
        "kept",
        fileIn(folder, "attachments"),
        copy,
        odoo.filestore,
        missing,
      ]),
    },
    { verify: [pathExists(host, missing, "what is still missing is listed")], timeoutSeconds: 6 * 3600 },
  );
}

/** `bad LIST COPY` names what is not there or not what its name says; without list or copy that cannot be told, and nothing is. */
const checkFunctions = `
bad() { test -r "$1" && test -d "$2" || return 2; (cd -- "$2" && LC_ALL=C sha1sum --check --quiet -- "$1" 2>/dev/null | sed 's/: FAILED.*$//' | LC_ALL=C sort) || true; }
sum() { awk -v name="$2" 'substr($0, 43) == name { print $1; exit }' "$1"; }
`;

const keptScript = `${checkFunctions}
set -eu
list=$1 copy=$2 filestore=$3 missing=$4
bad "$list" "$copy" > "$missing.all"
while IFS= read -r name; do
  wanted=$(sum "$list" "$name")
  for other in "$filestore"/*/"$name"; do
    [ -f "$other" ] && [ "$(sha1sum < "$other" | cut -c 1-40)" = "$wanted" ] || continue
    mkdir -p -- "$(dirname -- "$copy/$name")"
    chown --reference="$copy" -- "$(dirname -- "$copy/$name")"
    cp -a --remove-destination -- "$other" "$copy/$name"
    break
  done
done < "$missing.all"
bad "$list" "$copy" > "$missing.partial"
mv -f -- "$missing.partial" "$missing"
`;

/** Every backup is asked for all that is still missing, the newest first: a file that is in any of them is the right one. */
function findStored({ restic, tools: host }: Stack, folder: Text, copy: Text): readonly Act[] {
  if (restic === undefined) return [];
  const missing = fileIn(folder, "missing");
  const listed = restic.list();
  const [list] = listed.pipeline;
  const argv = [
    "sh",
    "-c",
    storedScript,
    "stored",
    missing,
    copy,
    fileIn(folder, "attachments"),
    ...list.argv,
  ] as const;
  return [
    change(
      {
        id: "stored files",
        title: "Look for missing attachments in backups",
        action: { ...listed, pipeline: [{ ...list, argv }] },
      },
      { verify: [pathExists(host, missing, "what is still missing is listed")], timeoutSeconds: 6 * 3600 },
    ),
  ];
}

const storedScript = `${checkFunctions}
set -eu
missing=$1 copy=$2 list=$3
shift 3
[ -s "$missing" ] || exit 0
snapshots=$("$@" | grep -o '"short_id":"[0-9a-f]*"' | cut -d '"' -f 4 | tac)
while IFS= read -r name; do
  for snapshot in $snapshots; do
    mkdir -p -- "$(dirname -- "$copy/$name")"
    restic --no-lock --no-cache dump "$snapshot" "/filestore/$name" > "$copy/$name.partial" 2>/dev/null || continue
    [ "$(sha1sum < "$copy/$name.partial" | cut -c 1-40)" = "$(sum "$list" "$name")" ] || continue
    chown --reference="$copy" -- "$copy/$name.partial" "$(dirname -- "$copy/$name")"
    mv -f -- "$copy/$name.partial" "$copy/$name"
    break
  done
  rm -f -- "$copy/$name.partial"
done < "$missing"
bad "$list" "$copy" > "$missing.partial"
mv -f -- "$missing.partial" "$missing"
`;

/** A finding, not a failure: the database is worth having without them, and a person must know which they are. */
function nameLost(stack: Stack, folder: Text): Act {
  const probe: Probe = {
    title: "every attachment of the past has its file",
    action: command(stack.tools, ["cat", "--", fileIn(folder, "missing")]),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
    code: "restore.attachments_missing",
  };
  return require({ id: "lost files", title: "Every attachment of the past has its file", probe }, {
    onFail: "continue",
  });
}
