import { type CommandAction, command, type Probe } from "../runbook/action.ts";
import { suffixed, type Text } from "../runbook/value.ts";
import { pathIsAbsent } from "./files.ts";

/**
 * Things are put where they belong, and what was there is set aside under a name that says for which run: nothing is written over. A
 * ledger says what this run made, so that taking back removes exactly that, wherever the run was killed.
 */
export interface Placing {
  readonly host: string;
  /** A file that lists what this run put in place. It outlives the run. */
  readonly ledger: Text;
  /** What follows the name of something that was set aside. */
  readonly suffix: Text;
}

/** A copy of a file or folder, complete or absent. */
export function placeCopy({ host, ledger, suffix }: Placing, source: Text, target: Text): CommandAction {
  const script = `${ledgerScript}${placeScript}`;
  return command(host, ["sh", "-c", script, "place", ledger, suffix, target, source], diskFull);
}

/** Moves instead of copying, where both are on one file system. `owner`: whose all of it becomes. */
export function placeTree(placing: Placing, source: Text, target: Text, owner: string): CommandAction {
  const { host, ledger, suffix } = placing;
  const script = `${ledgerScript}${moveScript}`;
  return command(host, ["sh", "-c", script, "move", ledger, suffix, target, source, owner], diskFull);
}

/** A clone of a git repository, at a commit. */
export function placeClone(placing: Placing, target: Text, { remote, commit, branch }: Clone): CommandAction {
  const { host, ledger, suffix } = placing;
  const script = `${ledgerScript}${cloneScript}`;
  const words = branch === "" ? ["--detach", commit] : ["-B", branch, commit];
  return command(host, ["sh", "-c", script, "clone", ledger, suffix, target, remote, ...words], {
    env: { GIT_TERMINAL_PROMPT: "0" },
    exitCodes: { 28: "backup.disk_full", 128: "recovery.code_unreachable" },
  });
}

export interface Clone {
  readonly remote: string;
  readonly commit: string;
  /** Empty when it was on none. */
  readonly branch: string;
}

/** Makes room for something that a program will make itself, and notes that it is this run's. */
export function makeRoom({ host, ledger, suffix }: Placing, target: Text): CommandAction {
  return command(host, ["sh", "-c", `${ledgerScript}take_place`, "room", ledger, suffix, target]);
}

/** Removes what this run put there, and puts back what had been there. */
export function takeAway({ host, ledger, suffix }: Placing, target: Text): CommandAction {
  return command(host, ["sh", "-c", `${ledgerScript}${awayScript}`, "away", ledger, suffix, target]);
}

/** Whatever was there is there again, or nothing is. */
export function isTakenAway({ host, suffix }: Placing, target: Text): Probe {
  return pathIsAbsent(host, asideOf(target, suffix), "nothing of it is set aside any more");
}

export function asideOf(target: Text, suffix: Text): Text {
  return typeof suffix === "string" ? suffixed(target, suffix) : { join: [...parts(target), ...parts(suffix)] };
}

function parts(value: Text) {
  if (typeof value === "string") return [value];
  return "join" in value ? value.join : [value];
}

/** Whether a placed copy is what it was copied of; a link is compared as a link. */
export function isSame(host: string, source: Text, target: Text, title: string): Probe {
  return {
    title,
    action: command(host, ["diff", "-rq", "--no-dereference", "--", source, target], { okExitCodes: [0, 1] }),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
    code: "recovery.not_in_place",
  };
}

const diskFull = { exitCodes: { 28: "backup.disk_full" } };

/** `ledger suffix target` come first. Setting aside comes before the note, and the note before anything is made: see `awayScript`. */
export const ledgerScript = `
set -eu
ledger=$1 suffix=$2 target=$3
shift 3
is_made() { [ -e "$ledger" ] && grep -qxF -e "$target" -- "$ledger"; }
is_there() { [ -e "$1" ] || [ -L "$1" ]; }
take_place() {
  is_made && return
  if is_there "$target"; then mv -T -- "$target" "$target$suffix"; fi
  mkdir -p -- "$(dirname -- "$target")" "$(dirname -- "$ledger")"
  printf '%s\\n' "$target" >> "$ledger"
}
end() { [ "$1" = 0 ] || [ "$(df --output=avail -B1M "$(dirname -- "$target")" | tail -n 1)" -ge 4 ] || exit 28; }
`;

const placeScript = `
take_place
trap 'end $?' EXIT
rm -rf --one-file-system -- "$target.partial$suffix"
cp -a -- "$1" "$target.partial$suffix"
rm -rf --one-file-system -- "$target"
mv -T -- "$target.partial$suffix" "$target"
`;

/** Between two file systems it is copied first, to a name that says that the copy is whole. */
const moveScript = `
take_place
trap 'end $?' EXIT
if ! is_there "$target"; then
  if ! is_there "$target.partial$suffix"; then
    if [ "$(stat --format=%d -- "$1")" = "$(stat --format=%d -- "$(dirname -- "$target")")" ]; then
      mv -T -- "$1" "$target.partial$suffix"
    else
      rm -rf --one-file-system -- "$target.copying$suffix"
      cp -a -- "$1" "$target.copying$suffix"
      mv -T -- "$target.copying$suffix" "$target.partial$suffix"
    fi
  fi
  chown -R "$2:" -- "$target.partial$suffix"
  mv -T -- "$target.partial$suffix" "$target"
fi
`;

/** After the remote, the words of git checkout. */
const cloneScript = `
take_place
remote=$1
shift
rm -rf --one-file-system -- "$target.partial$suffix"
git clone --quiet --no-checkout -- "$remote" "$target.partial$suffix"
git -C "$target.partial$suffix" checkout --quiet "$@"
rm -rf --one-file-system -- "$target"
mv -T -- "$target.partial$suffix" "$target"
`;

/** What is not in the ledger was there before, whatever the run was about to do. */
const awayScript = `
if is_made; then
  rm -rf --one-file-system -- "$target" "$target.partial$suffix" "$target.copying$suffix"
  grep -vxF -e "$target" -- "$ledger" > "$ledger.new" || true
  mv -f -- "$ledger.new" "$ledger"
fi
if is_there "$target$suffix" && ! is_there "$target"; then mv -T -- "$target$suffix" "$target"; fi
`;
