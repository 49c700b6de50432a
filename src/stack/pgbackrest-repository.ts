import type { WalConfig } from "../config/wal.ts";
import { type CommandAction, command } from "../runbook/action.ts";
import { secret, type Value } from "../runbook/value.ts";
import type { Argv } from "./runtime/runtime.ts";

/**
 * Where an archive lies, and how it is asked for what is in it without believing pgBackRest's own account: a folder is looked into, a
 * bucket is listed. Measured on 2.45: a server that is away is tried for four times io-timeout.
 */
export interface ArchiveRepository {
  readonly isFolder: boolean;
  /** Lines of pgBackRest's configuration. No secret is among them. */
  readonly options: readonly string[];
  /** Ends with 0 when the repository knows this server, with 1 when not. */
  hasStanza(): CommandAction;
  /** Prints the file of the segment that is told on standard input, if there is one. */
  findSegment(): CommandAction;
  /** Prints every file of the archive by its path in it. */
  listArchive(): CommandAction;
  /** Prints the names of the base backups, among others. */
  listBackups(): CommandAction;
}

/** Runs pgBackRest, or a program that is given it, as the server's user and with what opens the repository. */
export type RunPgBackRest = (argv: Argv) => CommandAction;

/** `repo1-s3-key` as pgBackRest takes it from its environment, which comes before its files. */
const keyVariables = ["PGBACKREST_REPO1_S3_KEY", "PGBACKREST_REPO1_S3_KEY_SECRET"] as const;

/** What opens a bucket besides the password. */
export function keysOf({ s3 }: WalConfig): Readonly<Record<string, Value>> {
  if (s3 === undefined) return {};
  const [access, key] = keyVariables;
  return { [access]: secret("backup.wal.s3.accessKey"), [key]: secret("backup.wal.s3.secretKey") };
}

export function createFolderRepository(settings: WalConfig, host: string): ArchiveRepository {
  const { repository, stanza } = settings;
  const [archive, backups] = [`${repository}/archive/${stanza}`, `${repository}/backup/${stanza}`];
  const inFolder = (folder: string, script: string) => command(host, ["sh", "-c", script, "look", folder]);
  return {
    isFolder: true,
    options: [`repo1-path=${repository}`],
    hasStanza: () => command(host, ["test", "-e", `${archive}/archive.info`], { okExitCodes: [0, 1] }),
    findSegment: () => inFolder(archive, findInFolderScript),
    listArchive: () => inFolder(archive, '[ ! -d "$1" ] || exec find "$1" -type f -printf "%P\\n"'),
    listBackups: () => inFolder(backups, '[ ! -d "$1" ] || exec ls -- "$1"'),
  };
}

/** `common` is pgBackRest with its options; a command follows. */
export function createBucketRepository(
  settings: WalConfig,
  s3: NonNullable<WalConfig["s3"]>,
  common: Argv,
  run: RunPgBackRest,
): ArchiveRepository {
  const { stanza } = settings;
  const { endpoint, bucket, path } = parseBucket(settings.repository);
  const [archive, backups] = [`archive/${stanza}`, `backup/${stanza}`];
  const list = (folder: string, ...options: readonly string[]) => run([...common, "repo-ls", folder, ...options]);
  const address = [
    "repo1-type=s3",
    `repo1-path=${path}`,
    `repo1-s3-bucket=${bucket}`,
    `repo1-s3-endpoint=${endpoint}`,
    `repo1-s3-region=${s3.region}`,
    `repo1-s3-uri-style=${s3.addressing}`,
    ...(s3.authority === undefined ? [] : [`repo1-storage-ca-file=${s3.authority}`]),
  ];
  // Asked before there is a configuration, too.
  const alone = ["pgbackrest", "--no-config", "--io-timeout=10", ...address.map((line) => `--${line}`)];
  return {
    isFolder: false,
    // A small file costs as much as a large one there: a full backup of 30 s took 3 s with bundles.
    options: [...address, "repo1-bundle=y", "io-timeout=10"],
    hasStanza: () => ({
      ...run(["sh", "-c", getScript, "get", ...alone, ...getRaw, `${archive}/archive.info`]),
      okExitCodes: [0, 1],
    }),
    findSegment: () => run(["sh", "-c", findInBucketScript, "find", archive, ...common, "--io-timeout=2"]),
    listArchive: () => list(archive, "--recurse"),
    listBackups: () => list(backups),
  };
}

/** As it lies there, so that no password is needed; ends with 1 when it does not. */
const getRaw = ["repo-get", "--raw", "--ignore-missing"];

/** `s3:https://HOST:PORT/BUCKET/PATH`, as restic writes it. */
function parseBucket(repository: string) {
  const { host, pathname } = new URL(repository.slice("s3:".length));
  const [, bucket = "", ...folders] = pathname.replace(/\/+$/, "").split("/");
  return { endpoint: host, bucket, path: `/${folders.join("/")}` };
}

/** Of an error, its first line: what follows is the server's whole answer. */
const getScript = `
said=$("$@" 2>&1 >/dev/null) && exit
code=$?
printf '%s\\n' "$said" | head -n 1 >&2
exit "$code"
`;

/** An empty file is what a disk that was full left of one. */
const findInFolderScript = `
set -eu
IFS= read -r segment
[ -d "$1" ] || exit 0
exec find "$1" -mindepth 3 -maxdepth 3 -path "*/\${segment%????????}/$segment-*" -size +0
`;

/** Segments lie in folders of 256: to list all of them would take ever longer. */
const findInBucketScript = `
set -eu
IFS= read -r segment
archive=$1
shift
clusters=$("$@" repo-ls "$archive")
for cluster in $clusters; do
  case $cluster in
    *-*) "$@" repo-ls "$archive/$cluster/\${segment%????????}" --filter="^$segment-" ;;
  esac
done
`;

/** For \`sh\`: prints the lines of a configuration that hold the keys, where there are any. */
export const printKeys =
  `[ -z "\${${keyVariables[0]}-}" ] || ` +
  `printf 'repo1-s3-key=%s\\nrepo1-s3-key-secret=%s\\n' "$${keyVariables[0]}" "$${keyVariables[1]}"`;
