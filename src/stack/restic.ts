import type { CopyConfig, StackConfig } from "../config/schema.ts";
import { type Command, type CommandAction, command, type Probe } from "../runbook/action.ts";
import { prefixed, runId, secret, type Text, type Value } from "../runbook/value.ts";
import { watching } from "./watched.ts";

/** What the first repository and its copies have in common: they can be looked into, checked, and made smaller. */
export interface Prunable {
  readonly repository: string;
  isInitialised(): Probe;
  /** Removes the locks that killed restic processes left behind; those of living ones stay. */
  unlock(): CommandAction;
  /** There is no lock, living or dead: of a repository in a folder, which can be looked into without its password. */
  readonly isUnlocked?: Probe;
  list(): CommandAction;
  /** Takes snapshots, by restic's own ids, out of the repository. What only they needed is still there: see `prune`. */
  forget(snapshots: readonly string[]): CommandAction;
  /** Exactly these snapshots are there, of this stack's sets. */
  holds(snapshots: readonly string[]): Probe;
  /** None of these snapshots is there. */
  lacks(snapshots: readonly string[]): Probe;
  /** Gives back the room of what no snapshot needs any more. */
  prune(): CommandAction;
  /** Whether every snapshot's parts are there, without reading them. */
  checkStructure(): CommandAction;
  /** The same, and reads back so much of the data, chosen anew each time. Ends with restic's exit code, whatever it is. */
  checkSample(percent: number): CommandAction;
}

/** A repository that sets are taken out of. None of this needs to write there. */
export interface Readable {
  readonly repository: string;
  /** The stack whose sets are meant; others may keep theirs in the same repository. */
  readonly owner: string;
  list(): CommandAction;
  /** `prefix`: a program that starts restic, or answers in its place. */
  exists(backup: Text, prefix?: readonly Text[]): Probe;
  /** Writes a backup's content, or a part of it, into a folder; restic checks the hash of every blob that it reads. */
  fetch(backup: Text, folder: Text, part?: SetPart): CommandAction;
  /** Bytes that a backup takes when it is read back, as JSON. */
  measure(backup: Text): CommandAction;
  /** One file of a backup. */
  print(backup: Text, file: string): CommandAction;
  /** A script of `sh` with these words; what follows them is restic with its options, for this repository. */
  script(text: string, words: readonly [Text, ...Text[]]): CommandAction;
}

/** `database`: all but the attachments. `files`: the attachments, and the list of them. `automation`: what is n8n's. */
export type SetPart = "all" | "database" | "files" | "automation" | "configuration";

/** A repository by the name that people call it. */
export interface NamedRepository extends Readable {
  readonly name: string;
}

/**
 * The repository of backups: encrypted, deduplicated, checksummed, kept by restic. A backup carries its run's id as a tag, so it can
 * be found again without knowing restic's own snapshot id.
 */
export interface Restic extends Prunable, Readable {
  initialise(): CommandAction;
  /**
   * Stores a folder's content as of `taken` (`YYYY-MM-DD HH:MM:SS`, UTC), whole or not at all. Prints JSON lines: progress, then a
   * `summary`, then the repository's `growth`.
   */
  store(folder: Text, taken: Text, reason: string): CommandAction;
  /** Whether this run's backup is there, before and after it is stored; `note` is the file that what `store` prints is kept in. */
  isStored(note: Text): { readonly before: Probe; readonly after: Probe };
  /** Reads every byte of the repository and checks it, also what only other backups need. */
  check(): CommandAction;
}

/** What restic's exit codes mean: those above 9 are told by 0.17 and later, and by `explained` for those before. */
const exitCodes = {
  10: "backup.repository_unreadable",
  11: "backup.repository_locked",
  12: "backup.repository_unreadable",
  28: "backup.disk_full",
};
export const openExitCodes = { ...exitCodes, 1: "backup.repository_unreadable" };
export const storeExitCodes = {
  ...exitCodes,
  1: "backup.repository_unwritable",
  3: "backup.source_unreadable",
  28: "backup.repository_full",
};
const forgetExitCodes = { ...exitCodes, 1: "backup.forget_failed", 3: "backup.forget_failed" };
/** All that a check may say; what could not be asked is told apart from what is damaged. */
const checkExitCodes = [0, 1, 2, 3, 10, 11, 12, 28];
const readExitCodes = { ...exitCodes, 1: "backup.repository_damaged", 3: "backup.repository_damaged" };

/** restic with its arguments; `prefix` is a program that starts it. */
export type Program = (
  args: readonly Text[],
  options?: Partial<CommandAction>,
  prefix?: readonly Text[],
) => CommandAction;

export function createRestic(stack: StackConfig, tools: string): Restic | undefined {
  const { backup } = stack;
  if (backup === undefined) return undefined;
  const { repository } = backup;
  const restic = createProgram(stack, tools, environmentOf(backup, "backup"), backup.options);
  const readable = createReadable(stack.name, restic);
  return {
    repository,
    isInitialised: () => ({
      title: "the repository exists",
      action: isFolder(repository)
        ? // 0.14 answers 1 both for "no repository" and for "wrong password": the file itself decides.
          command(tools, ["test", "-e", `${repository}/config`], { okExitCodes: [0, 1] })
        : openRemote(restic),
      output: { from: "exitCode", as: "number" },
      compare: "eq",
      with: 0,
      code: "backup.repository_unreadable",
    }),
    initialise: () => explained(restic(["init"], { exitCodes: storeExitCodes })),
    store: (folder, taken, reason) =>
      explained(
        restic(
          ["backup", "--json", "--ignore-ctime", ...setOf(stack, runId, reason), "--time", taken, "."],
          { exitCodes: storeExitCodes },
          [
            ...[...gently, "sh", "-c", isFolder(repository) ? storeScript : storeAwayScript],
            ...["store", folder, stack.name, tagOf(runId)],
          ],
        ),
      ),
    isStored: (note) => ({
      before: readable.exists(runId, ["sh", "-c", begunScript, "ask", note]),
      after: readable.exists(
        runId,
        isFolder(repository) ? ["sh", "-c", wholeScript, "ask", note, `${repository}/snapshots`] : [],
      ),
    }),
    check: () => explained(restic(["check", "--read-data", ...bare], { exitCodes: readExitCodes })),
    ...readable,
    ...createPrunable(stack, restic),
    ...lookedInto(tools, repository),
  };
}

/** Here, or behind an address. */
export function isFolder(repository: string): boolean {
  return repository.startsWith("/");
}

/** To open a repository takes half a second of a processor for its key, by intent: what the folder itself tells is not asked of restic. */
export function lookedInto(tools: string, repository: string): Pick<Prunable, "isUnlocked"> {
  if (!isFolder(repository)) return {};
  const script = '[ ! -d "$1" ] || exec find "$1" -type f -print -quit';
  const isUnlocked: Probe = {
    title: "the repository has no lock",
    action: command(tools, ["sh", "-c", script, "look", `${repository}/locks`]),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
  };
  return { isUnlocked };
}

/** What restic needs to find a repository and to open it; `path` is where the configuration says so. `RESTIC_FROM_` is what it copies from. */
export function environmentOf(
  given: Pick<CopyConfig, "repository" | "passwordFile" | "environment">,
  path: string,
  prefix: "RESTIC_" | "RESTIC_FROM_" = "RESTIC_",
): Readonly<Record<string, Value>> {
  const { repository, passwordFile, environment } = given;
  return {
    [`${prefix}REPOSITORY`]: repository,
    ...(passwordFile === undefined
      ? { [`${prefix}PASSWORD`]: secret(`${path}.password`) }
      : { [`${prefix}PASSWORD_FILE`]: passwordFile }),
    ...Object.fromEntries(Object.keys(environment).map((name) => [name, secret(`${path}.environment.${name}`)])),
  };
}

/**
 * Answers 0 when there is a repository, and 10 when there is none; whatever else it meets is no answer. Before 0.17 restic ends with 1 for
 * all of it, so its words are read.
 */
export function openRemote(restic: Program): CommandAction {
  const opened = restic(["cat", "config", ...bare], { exitCodes: openExitCodes, okExitCodes: [0, 10] });
  return told(opened, openedScript);
}

const openedScript = `{ print; line = tolower($0) }
line ~ /wrong password or no key found/ { code = 12 }
line ~ /unable to open config file: .*(does not exist|doesn.t exist|no such file|not found|not present|404)/ { code = 10 }
END { exit code }`;

export function createProgram(
  stack: StackConfig,
  tools: string,
  repository: Readonly<Record<string, Value>>,
  options: readonly string[] = [],
): Program {
  const env: Readonly<Record<string, Value>> = {
    ...repository,
    // It reads and prints times without their zone.
    TZ: "UTC",
    // A line of progress every ten seconds; as it comes, a single backup prints dozens.
    RESTIC_PROGRESS_FPS: "0.1",
    RESTIC_CACHE_DIR: `${stack.workDirectory}/restic-cache`,
  };
  const limits = stack.backup === undefined ? [] : limitsOf(stack.backup.limit);
  const given = [...limits, ...options.flatMap((option) => ["-o", option])];
  return (args, more = {}, prefix = []) => ({
    ...command(tools, [...prefix, "restic", ...given, ...args] as unknown as readonly [Text, ...Text[]], { env }),
    ...more,
  });
}

/** restic takes whole KiB per second, and nothing for no limit. */
function limitsOf({ uploadBytes, downloadBytes }: NonNullable<StackConfig["backup"]>["limit"]): readonly string[] {
  const option = (name: string, bytes: number | undefined) =>
    bytes === undefined ? [] : [name, String(Math.max(1, Math.round(bytes / 1024)))];
  return [...option("--limit-upload", uploadBytes), ...option("--limit-download", downloadBytes)];
}

/** For whatever may wait: users come first, for processor and disk. */
export const gently = ["nice", "-n", "10", "ionice", "-c", "2", "-n", "7"];

export function tagOf(backup: Text): Text {
  return prefixed("run=", backup);
}

/** The tags say what the catalogue says, and outlive it. */
function setOf(stack: StackConfig, backup: Text, reason: string): readonly Text[] {
  return ["--host", stack.name, "--tag", tagOf(backup), "--tag", `reason=${reason}`];
}

/**
 * Reading needs no lock, so it also works where nothing can be written any more. What it reads is what a disaster would leave: the
 * repository, not the cache beside it.
 */
export const bare = ["--no-lock", "--no-cache"];

export function createReadable(owner: string, restic: Program): Omit<Readable, "repository"> {
  const select = (wanted: Text): readonly Text[] => [...bare, "--host", owner, "--tag", tagOf(wanted)];
  return {
    owner,
    list: () => listOf(owner, restic),
    exists: (wanted, prefix = []) => ({
      title: "the repository has this backup",
      action: restic(["snapshots", "--json", ...select(wanted)], { exitCodes: openExitCodes }, prefix),
      output: { from: "stdout" },
      compare: "has",
      with: '"id"',
      code: "backup.not_found",
    }),
    fetch: (wanted, folder, part = "all") =>
      explained(
        restic(
          ["restore", "latest", ...select(wanted), ...parts[part], "--target", folder],
          { exitCodes: readExitCodes },
          ["sh", "-c", fetchScript, "fetch", folder, ...watching(folder)],
        ),
      ),
    measure: (wanted) =>
      restic(["stats", "--json", "--mode", "restore-size", ...select(wanted)], { exitCodes: readExitCodes }),
    print: (wanted, file) => restic(["dump", ...select(wanted), "latest", file], { exitCodes: readExitCodes }),
    script: (text, words) => explained(restic([], { exitCodes: readExitCodes }, ["sh", "-c", text, ...words])),
  };
}

const parts: Readonly<Record<SetPart, readonly string[]>> = {
  all: [],
  database: ["--exclude", "/filestore"],
  configuration: only("/configuration"),
  files: only("/filestore", "/attachments", "/unsound", "/about"),
  automation: only("/automation", "/configuration/automation", "/roles", "/about"),
};

function only(...paths: readonly string[]): readonly string[] {
  return paths.flatMap((path) => ["--include", path]);
}

function listOf(owner: string, restic: Program): CommandAction {
  return restic(["snapshots", "--json", ...bare, "--host", owner], { exitCodes: openExitCodes });
}

export function createPrunable(stack: StackConfig, restic: Program): Omit<Prunable, "repository" | "isInitialised"> {
  const list = listOf(stack.name, restic);
  const sampled = (percent: number) => restic(["check", `--read-data-subset=${percent}%`, ...bare]);
  return {
    unlock: () => restic(["unlock"], { exitCodes: openExitCodes }),
    list: () => list,
    checkStructure: () => explained(restic(["check", ...bare], { exitCodes: readExitCodes })),
    checkSample: (percent) => ({ ...explained(sampled(percent)), okExitCodes: checkExitCodes }),
    forget: (snapshots) => explained(restic(["forget", ...snapshots], { exitCodes: forgetExitCodes })),
    holds: (snapshots) => ({
      title: "the repository holds every set that is kept, and no other",
      action: { ...list, pipeline: [...list.pipeline, { argv: ["jq", "-r", setIdsFilter] }] },
      output: { from: "stdout" },
      compare: "eq",
      with: snapshots.toSorted().join("\n"),
      code: "backup.forget_failed",
    }),
    lacks: (snapshots) => ({
      title: "none of these is in the repository any more",
      action: { ...list, pipeline: [...list.pipeline, { argv: ["jq", "-r", amongFilter, "--args", ...snapshots] }] },
      output: { from: "stdout" },
      compare: "absent",
      with: "",
      code: "backup.forget_failed",
    }),
    prune: () => explained(restic(["prune"], { exitCodes: forgetExitCodes })),
  };
}

/**
 * Exit code 3 means that files could not be read, and that a backup without them was stored all the same: that one is taken out
 * again, so that nobody relies on it. restic's own count of what it added is from before its compression, so the growth of the
 * repository is told in a line of its own.
 */
const storeScript = `
folder=$1 host=$2 tag=$3
shift 3
size() { du -sb -- "$RESTIC_REPOSITORY" | cut -f 1; }
before=$(size) && cd -- "$folder" || exit
"$@" || { code=$?; [ "$code" != 3 ] || restic forget latest --host "$host" --tag "$tag" >&2; exit "$code"; }
printf '{"message_type":"growth","bytes":%s}\\n' "$(($(size) - before))"
`;

/** Without an account of it nothing was begun. One that could not be made, on a full disk, costs a second storing of the same after a crash. */
const begunScript = '[ ! -e "$1" ] || { shift && exec "$@"; }';

/** A snapshot's file has the SHA-256 of its content as its name. Where that is not found, with no room for an account too, restic is asked. */
const wholeScript = `
id=$(jq -Rr 'fromjson? | select(.message_type == "summary") | .snapshot_id' "$1" 2>/dev/null | tail -n 1)
for file in "$2/$id"*; do
  [ -z "$id" ] || [ "$(sha256sum < "$file")" != "\${file##*/}  -" ] || { echo '"id"'; exit; }
done
shift 2
exec "$@"
`;

/** Behind an address nothing can be measured. restic itself tells what it added, after compression, since 0.17: before, nothing is told. */
const storeAwayScript = `
folder=$1 host=$2 tag=$3
shift 3
cd -- "$folder" || exit
exec 4>&1
code=$({ { "$@" 3>&-; echo "$?" >&3; } | awk '{ print; fflush() }
  /"message_type":"summary"/ && match($0, /"data_added_packed":[0-9]+/) { bytes = substr($0, RSTART + 20, RLENGTH - 20) }
  END { if (bytes != "") printf "{\\"message_type\\":\\"growth\\",\\"bytes\\":%s}\\n", bytes }' >&4; } 3>&1)
[ "$code" != 3 ] || restic forget latest --host "$host" --tag "$tag" >&2
exit "$code"
`;

/** The ids of sets alone, a line each, sorted: snapshots of the filestore come and go beside them. */
const setIdsFilter = '[.[] | select(any(.tags[]?; startswith("run="))) | .id] | sort[]';
/** Those of the arguments that are there. */
const amongFilter = "(map(.id)) as $there | $ARGS.positional[] | select(IN($there[]))";

/** Files that a killed attempt left are checked and completed, but 0.14 fails where a link is already there. */
const fetchScript = '[ ! -d "$1" ] || find "$1" -type l -delete && shift && exec "$@"';

/**
 * Tells causes apart that a program reports under one exit code, by what it prints: a full disk on this side does not mean that what
 * was read is damaged. Its lines pass through, without the addresses of restic's own code. restic's cache may find no room: it goes on
 * without. Of a pipeline the last program is meant: what those before it say is none of what it reads.
 */
export function explained(action: CommandAction): CommandAction {
  return told(action, explainScript);
}

function told(action: CommandAction, script: string): CommandAction {
  const last = { ...(action.pipeline.at(-1) as Command), mergeStderr: true };
  const pipeline: readonly Command[] = [...action.pipeline.slice(0, -1), last, { argv: ["awk", script] }];
  return { ...action, pipeline: pipeline as CommandAction["pipeline"] };
}

const explainScript = `/^(\\t|main[.]|runtime[.]|github[.]com\\/)/ { next }
{ print; fflush(); line = tolower($0) }
line ~ /no space left on device|disk quota exceeded/ && line !~ /\\/restic-cache\\// { code = 28 }
line ~ /repository is already locked/ { code = 11 }
line ~ /^fatal: .*(wrong password or no key found)/ { code = 12 }
line ~ /^fatal: .*(unable to open (config file|repository at)|connection refused|connection reset|no route to host|i\\/o timeout)/ { code = 10 }
END { exit code }`;
