import { z } from "zod";
import { type Command, type CommandAction, command, type Probe } from "../runbook/action.ts";
import { suffixed, type Text } from "../runbook/value.ts";
import { checkoutScript } from "./git-checkout.ts";
import "./errors.ts";

/**
 * The git work tree that Odoo's code is taken from. Builds commands, runs none. Git always runs as the owner of the tree: what it
 * writes must be readable as before, its settings and keys are that person's, and nothing that lies in a repository of somebody
 * else (a hook, a filter, a helper) ever runs as root.
 */
export interface Git {
  /** The machine that the tree is on. */
  readonly place: string;
  readonly repository: string;
  /** Any program as the owner of the tree, in the tree, with settings for git that hold for all it starts. */
  as(argv: Command["argv"], options?: CommandOptions): CommandAction;
  /** The full hash of the commit that is checked out. */
  head(): CommandAction;
  /** The full hash of the commit that a branch, a tag or an abbreviated hash means. */
  resolve(revision: Text): CommandAction;
  /** What the remote's branch was when it was last fetched. */
  resolveBranch(branch?: string): CommandAction;
  /** What the remote's tag was when everything was last fetched: git itself leaves a tag where it is when the remote moves it. */
  resolveTag(tag: string): CommandAction;
  /** Brings the commits of a branch, and the tags on them, into the repository. The work tree stays as it is. */
  fetch(branch?: string): CommandAction;
  /** Brings every branch and tag of the remote, and forgets those that it has no more. The tree's own tags stay as they are. */
  fetchAll(): CommandAction;
  /** JSON lines for `parseTreeChanges`: what differs from the commit that is checked out. */
  changes(): CommandAction;
  /** Nothing of git's is changed, and nothing that git does not know lies in these folders. */
  isClean(folders: readonly string[]): Probe;
  /** JSON lines for `parseCommits`: commits that `to` has and `from` has not, newest first. */
  log(from: Text, to: Text): CommandAction;
  /**
   * The tree becomes that of a commit, on no branch. Refuses rather than write over anything that git does not keep. Goes on where one
   * that was killed stopped, in either direction. `half`: the commit of which half may lie there when the tree's own is the wanted one still.
   */
  checkout(commit: Text, half?: Text): CommandAction;
  isAt(commit: Text): Probe;
}

export interface GitSource {
  readonly repository: string;
  readonly remote: string;
  readonly branch: string;
}

type CommandOptions = NonNullable<Parameters<typeof command>[2]>;

export function createGit(place: string, { repository, remote, branch }: GitSource): Git {
  const as = (argv: Command["argv"], options: CommandOptions = {}) => command(place, owned(repository, argv), options);
  const git = (words: readonly Text[], options: CommandOptions = { exitCodes: unreadable }) =>
    as(["git", ...words], options);
  const lines = (words: readonly Text[], script: string): CommandAction => ({
    kind: "command",
    host: place,
    pipeline: [{ argv: owned(repository, ["git", ...words]) }, { argv: ["/usr/bin/python3", "-c", script] }],
    exitCodes: unreadable,
  });
  const resolve = (revision: Text) =>
    git(["rev-parse", "--verify", "--quiet", "--end-of-options", suffixed(revision, "^{commit}")], {
      exitCodes: unknown,
    });
  const ofBranch = (name: string) => `refs/remotes/${remote}/${name}`;
  const ofTag = (name: string) => `refs/ipai/${remote}/tags/${name}`;
  const fetch = (words: readonly string[]) =>
    as(["sh", "-c", fetchScript, "fetch", ...words], { exitCodes: { 128: "git.fetch_failed" } });
  return {
    place,
    repository,
    as,
    head: () => git(["rev-parse", "--verify", "HEAD^{commit}"]),
    resolve,
    resolveBranch: (name = branch) => resolve(ofBranch(name)),
    resolveTag: (name) => resolve(ofTag(name)),
    fetch: (name = branch) => fetch([remote, `+refs/heads/${name}:${ofBranch(name)}`]),
    fetchAll: () => fetch(["--prune", remote, `+refs/heads/*:${ofBranch("*")}`, `+refs/tags/*:${ofTag("*")}`]),
    changes: () => lines(["status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames"], changesScript),
    isClean: (folders) => ({
      title: "the work tree is as its commit says",
      action: as(["sh", "-c", cleanScript, "clean", ...folders], { exitCodes: unreadable }),
      output: { from: "stdout" },
      compare: "absent",
      with: "",
      code: "git.not_clean",
    }),
    log: (from, to) => lines(["log", "-z", ...logOptions, range(from, to), "--"], commitsScript),
    checkout: (commit, half) =>
      as(["/usr/bin/python3", "-", commit, ...(half === undefined ? [] : [half])], {
        stdin: checkoutScript,
        exitCodes: { 1: "git.checkout_refused", 28: "host.disk_full" },
      }),
    isAt: (commit) => ({
      title: "the work tree is at the commit",
      action: git(["rev-parse", "--verify", "HEAD^{commit}"]),
      output: { from: "stdout" },
      compare: "eq",
      with: commit,
      code: "git.not_at_commit",
    }),
  };
}

/** 1 is the answer of `--quiet`: nothing is called so. */
const unknown = { 1: "git.unknown_revision", 128: "git.unreadable" };
const unreadable = { 128: "git.unreadable" };

function owned(repository: string, argv: readonly Text[]): Command["argv"] {
  return ["sh", "-c", ownerScript, "owner", repository, ...argv];
}

/**
 * Root becomes the owner, by number, for a user of a container has no name on its machine; anybody else stays who he is, and git's own
 * question whether he trusts the owner stays asked. It is answered for root's own files only: git trusts nobody else's, and a part of
 * the repository that root once made (`git pull` as root) is no reason to fail. Files that git writes are readable to others,
 * whatever mask the caller has: Odoo's user need not be the owner.
 */
const ownerScript = `set -eu
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_COMMON_DIR GIT_NAMESPACE GIT_CONFIG_PARAMETERS
cd -- "$1"
shift
umask 022
set_up() {
  GIT_CONFIG_COUNT=0
  while [ $# -gt 0 ]; do
    export "GIT_CONFIG_KEY_$GIT_CONFIG_COUNT=$1" "GIT_CONFIG_VALUE_$GIT_CONFIG_COUNT=$2"
    GIT_CONFIG_COUNT=$((GIT_CONFIG_COUNT + 1))
    shift 2
  done
  export GIT_CONFIG_COUNT
}
common="core.hooksPath /dev/null core.fsmonitor false core.quotePath false gc.auto 0 maintenance.auto false"
export GIT_TERMINAL_PROMPT=0 GIT_OPTIONAL_LOCKS=0 GIT_PAGER=cat LC_ALL=C.UTF-8
if [ "$(id -u)" != 0 ] || [ "$(stat --format=%u .)" = 0 ]; then
  set_up $common
  exec "$@"
fi
user=$(stat --format=%u .)
if [ "$(stat --format=%u .git)" = 0 ]; then set_up $common safe.directory '*'; else set_up $common; fi
HOME=$(getent passwd "$user" | cut -d: -f6)
export HOME
if group=$(id -g "$user" 2>/dev/null); then
  exec setpriv --reuid="$user" --regid="$group" --init-groups -- "$@"
fi
exec setpriv --reuid="$user" --regid="$(stat --format=%g .)" --clear-groups -- "$@"`;

/** Nobody is there to type a passphrase or to trust an unknown host. */
const fetchScript = `ssh=$(git config core.sshCommand) || ssh=ssh
GIT_SSH_COMMAND="$ssh -o BatchMode=yes" exec git fetch --quiet --no-recurse-submodules "$@"`;

/**
 * What git does not know counts where code lies: Odoo loads it, no commit has it, and going to another commit does not take it away.
 * Elsewhere it is the operator's own (variables, notes). What is ignored never counts: compiled Python is.
 */
const cleanScript = `set -eu
git status --porcelain=v1 --untracked-files=no --no-renames
[ $# -eq 0 ] || git --literal-pathspecs ls-files --others --exclude-standard -- "$@"`;

const logOptions = [
  "--no-show-signature",
  "--no-color",
  "--no-mailmap",
  "--no-decorate",
  "--encoding=UTF-8",
  "--format=%H%x00%aI%x00%an%x00%s",
];

function range(from: Text, to: Text): Text {
  return { join: [...parts(from), "..", ...parts(to)] };
}

function parts(text: Text) {
  if (typeof text === "string") return [text];
  return "join" in text ? text.join : [text];
}

/** Names need not be UTF-8; bytes that are not are told as \xNN. */
const fields = `import json, sys
fields = [field.decode("utf-8", "backslashreplace") for field in sys.stdin.buffer.read().split(b"\\0")[:-1]]
`;

const changesScript = `${fields}
for field in fields:
    print(json.dumps({"path": field[3:], "isKnown": field[:2] != "??"}))`;

const commitsScript = `${fields}
for commit, at, author, subject in zip(*[iter(fields)] * 4):
    print(json.dumps({"commit": commit, "at": at, "author": author, "subject": subject}))`;

const treeChange = z.object({ path: z.string(), isKnown: z.boolean() });
const commit = z.object({ commit: z.string(), at: z.string(), author: z.string(), subject: z.string() });

/** Something in the work tree that its commit has not; `isKnown`: git keeps an older form of it. */
export type TreeChange = z.infer<typeof treeChange>;
export type Commit = z.infer<typeof commit>;

export function parseTreeChanges(lines: unknown): readonly TreeChange[] {
  return z.array(treeChange).parse(lines);
}

export function parseCommits(lines: unknown): readonly Commit[] {
  return z.array(commit).parse(lines);
}
