import type { StackConfig } from "../config/schema.ts";
import { type CommandAction, command, type Probe } from "../runbook/action.ts";
import { runId, type Text } from "../runbook/value.ts";
import { createProgram, environmentOf, explained, gently, openExitCodes, storeExitCodes } from "./restic.ts";

/**
 * Snapshots of the filestore alone, every few minutes: what Odoo wrote since the last one leaves the disk that it lies on, as every
 * change of the database does through the archive. Each is a bag of files and no set: a file's name is the SHA-1 of its content, so
 * whichever snapshot has it has the right one.
 */
export interface FileSnapshots {
  /** A file on the host: its time is the instant up to which everything is stored, its text says by which run and in which snapshot. */
  readonly note: string;
  /** Stores what is new, or notes that nothing is. */
  ship(): CommandAction;
  isShipped(): Probe;
  /** What is not stored yet: a line of JSON. Needs no password. */
  ask(): CommandAction;
}

/** The tag of these snapshots. Sets have `run=…`: whatever lists sets goes by that. */
export const filesTag = "files";

export function createFileSnapshots(stack: StackConfig, tools: string): FileSnapshots | undefined {
  const { odoo, workDirectory, backup } = stack;
  if (backup === undefined) return undefined;
  const { repository } = backup;
  const restic = createProgram(stack, tools, environmentOf(backup, "backup"), backup.options);
  const filestore = `${odoo.dataDirectory}/filestore/${odoo.database}`;
  const note = `${workDirectory}/files-stored`;
  const places = [filestore, note, repository] as const;
  const script = (text: string, ...words: readonly Text[]) => ["sh", "-c", `${functions}${text}`, "files", ...words];
  return {
    note,
    ship: () =>
      explained(
        restic(
          [],
          { exitCodes: { ...storeExitCodes, 4: "backup.filestore_unreadable" } },
          script(shipScript, ...places, stack.name, runId),
        ),
      ),
    isShipped: () => ({
      title: "the note is this run's, and its snapshot is in the repository",
      action: restic([], { exitCodes: openExitCodes }, script(shippedScript, ...places)),
      output: { from: "stdout" },
      compare: "eq",
      with: runId,
      code: "backup.files_not_stored",
    }),
    ask: () => command(tools, ["sh", "-c", `${functions}${askScript}`, "files", ...places]),
  };
}

/** `stored ID REPOSITORY RESTIC…`: a folder is looked into, which needs no password and takes no time; any other is asked. */
const functions = `
field() { jq -r --arg name "$2" '.[$name] // empty' "$1" 2>/dev/null || true; }
stored() {
  id=$1 where=$2
  shift 2
  [ -n "$id" ] || return 1
  case $where in
    /*) [ -e "$where/snapshots/$id" ] ;;
    *) "$@" snapshots --json --no-lock "$id" | grep -qF "$id" ;;
  esac
}
`;

/**
 * Whether there is anything new is asked of the files' times of change: Odoo's clean-up, and what only removes, is nothing new. The mark
 * is older than the first file that is looked at, so what comes meanwhile is newer than it and goes with the next one. `checklist` holds
 * empty files by which Odoo remembers what it may have to remove. Making and removing links, as every backup does, changes no file:
 * without `--ignore-ctime` each would be read again.
 *
 * restic answers 3 when a file could not be read. One that Odoo removed while restic was on its way to it is no loss: what is gone now
 * is not asked for by the present. One that is still there is.
 *
 * A lock is waited for, ten minutes: while a prune gives room back nothing can be stored. A dead one's is removed.
 */
const shipScript = `
set -u
filestore=$1 note=$2 repository=$3 host=$4 run=$5
shift 5
cd -- "$filestore" 2>/dev/null || { sleep 1; cd -- "$filestore" || exit 4; }
mkdir -p -- "$(dirname -- "$note")" || exit
mark="$note.$run"
trap 'rm -f -- "$mark" "$mark.out" "$mark.errors" "$mark.code" "$mark.next"' EXIT
: > "$mark" || exit
at=$(date -u -r "$mark" +%Y-%m-%dT%H:%M:%S.%3NZ)
parent=$(field "$note" snapshot)
stored "$parent" "$repository" "$@" || parent=
if [ -n "$parent" ] && [ -z "$(find . -path ./checklist -prune -o -type f -cnewer "$note" -print -quit)" ]; then
  jq -c --arg run "$run" --arg at "$at" '. + {run: $run, at: $at, added: 0}' "$note" > "$mark.next" || exit
else
  tries=0
  while :; do
    rm -f -- "$mark.code"
    { ${gently.join(" ")} "$@" backup --json --ignore-ctime --host "$host" --tag ${filesTag} --tag "by=$run" --exclude "$filestore/checklist" \\
      \${parent:+--parent "$parent"} . 2> "$mark.errors" || echo "$?" > "$mark.code"; } | tee "$mark.out"
    code=$(cat -- "$mark.code" 2>/dev/null || echo 0)
    [ "$tries" -lt 120 ] && grep -qi 'repository is already locked' "$mark.errors" || break
    tries=$((tries + 1))
    "$@" unlock
    sleep 5
  done
  # Of the last try alone: what the others met does not end this one.
  cat -- "$mark.errors"
  if [ "$code" = 3 ]; then
    jq -Rr 'fromjson? | select(.message_type == "error") | .item // empty' "$mark.errors" > "$mark"
    [ ! -s "$mark" ] || code=0
    while IFS= read -r item; do [ ! -e "$item" ] || code=3; done < "$mark"
  fi
  [ "$code" = 0 ] || exit "$code"
  # Before 0.17 it tells the first characters of the id only.
  short=$(jq -Rr 'fromjson? | select(.message_type == "summary") | .snapshot_id' "$mark.out")
  case $repository in
    /*) id=$(cd -- "$repository/snapshots" && ls | grep "^$short" | head -n 1) ;;
    *) id=$("$@" snapshots --json --no-lock "$short" | jq -r '.[0].id') ;;
  esac
  jq -Rc --arg run "$run" --arg at "$at" --arg id "$id" --arg parent "$parent" 'fromjson? | select(.message_type == "summary")
    | {run: $run, at: $at, snapshot: $id, parent: $parent, files: .total_files_processed,
       kept: (.files_unmodified + .files_changed), added: .files_new}' "$mark.out" > "$mark.next" || exit
fi
touch -d "$at" -- "$mark.next" && mv -f -- "$mark.next" "$note"
`;

const shippedScript = `
filestore=$1 note=$2 repository=$3
shift 3
if stored "$(field "$note" snapshot)" "$repository" "$@"; then field "$note" run; fi
`;

/** Only a file that Odoo wrote since counts: one whose links changed is not younger. */
const askScript = `
set -eu
[ -d "$1" ] || { echo '{"filestore":false}'; exit; }
if [ ! -e "$2" ]; then echo '{"filestore":true,"noted":false}'; exit; fi
case $3 in
  /*) there=false; if stored "$(field "$2" snapshot)" "$3"; then there=true; fi ;;
  *) there=null ;;
esac
cd -- "$1"
find . -path ./checklist -prune -o -type f -newer "$2" -printf '%T@\\n' |
  awk -v now="$(date +%s)" -v noted="$(stat --format=%Y -- "$2")" -v there="$there" '
    { n++; if (min == "" || $1 < min) min = $1 }
    END { printf "{\\"filestore\\":true,\\"noted\\":true,\\"notedSeconds\\":%d,\\"isInRepository\\":%s,\\"waiting\\":%d,\\"waitingSeconds\\":%s}\\n",
      now - noted, there, n, n == 0 ? "null" : (now > min ? int(now - min) : 0) }'
`;
