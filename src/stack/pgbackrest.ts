import type { StackConfig } from "../config/schema.ts";
import type { WalConfig } from "../config/wal.ts";
import { type Command, type CommandAction, command, type Probe } from "../runbook/action.ts";
import { quote } from "../runbook/shell.ts";
import { secret, suffixed, type Text, type Value } from "../runbook/value.ts";
import {
  type ArchiveRepository,
  createBucketRepository,
  createFolderRepository,
  keysOf,
  printKeys,
} from "./pgbackrest-repository.ts";
import type { Argv, Runtime } from "./runtime/runtime.ts";

/**
 * The archive of the database server: base backups and every segment of its write-ahead log, kept by pgBackRest. Measured on 2.45:
 * `verify` ends with 0 whatever it finds, and says nothing of a segment that is gone; `info` ends with 0 when there is no repository.
 */
export interface PgBackRest {
  readonly settings: WalConfig;
  readonly repository: ArchiveRepository;
  /** Its configuration, which the server's archive_command reads too. The password lies in a file of its own beside it. */
  readonly folder: string;
  readonly configurationFile: string;
  readonly passwordFile: string;
  /** Settings of the server, as a file that its configuration includes. */
  readonly serverFile: string;
  readonly archiveCommand: string;
  configuration(dataDirectory: string): string;
  /** `hasReplica`: the server writes enough for an archive already, or more. */
  serverSettings(hasReplica: boolean): string;
  /** Puts the password where the archive_command finds it. */
  keepPassword(): CommandAction;
  createStanza(): CommandAction;
  /** The server was made anew: from here on it is this one, and what the repository has of the old one stays. */
  upgradeStanza(): CommandAction;
  hasStanza(): Probe;
  /** The segment, as the server names it, lies in the repository. */
  holds(segment: Text): Probe;
  /** Makes the server finish a segment and waits for it. When it does not come, archives the one that waits by hand, to learn why. */
  check(dataDirectory: string): CommandAction;
  backup(type: BackupType, annotation: Text): CommandAction;
  info(): CommandAction;
  verify(): CommandAction;
  /** A line for each segment that is not there although a kept backup, or a later segment of its timeline, needs it. */
  gaps(segmentBytes: number): CommandAction;
  /** A base backup and what leads from it to the target. `around`: a program that is given pgBackRest's command at its end. */
  restore(args: readonly Text[], around: readonly Text[]): CommandAction;
  /** Runs a program as the server's user that is given, at its end, the command that fetches a segment: add its name and where to. */
  archiveGet(around: readonly Text[]): CommandAction;
}

export type BackupType = "full" | "diff" | "incr";

/** Its exit codes are its own numbers of errors (error.yaml of its source); 20 is told by `reasoned`. */
const exitCodes = {
  20: "wal.repository_full",
  28: "wal.other_server",
  29: "wal.repository_unreadable",
  41: "wal.repository_unwritable",
  44: "wal.other_server",
  39: "wal.repository_away",
  46: "wal.server_unknown",
  47: "wal.repository_unwritable",
  49: "wal.repository_away",
  50: "wal.busy",
  51: "wal.other_server",
  53: "wal.repository_unwritable",
  55: "wal.repository_missing",
  56: "wal.server_unreachable",
  62: "wal.stopped",
  64: "wal.repository_unwritable",
  82: "wal.not_arriving",
  95: "wal.repository_unreadable",
};

export function createPgBackRest(stack: StackConfig, runtime: Runtime): PgBackRest | undefined {
  const settings = stack.backup?.wal;
  const { archive: place, user } = runtime.postgres;
  if (settings === undefined || place === undefined) return undefined;
  const host = runtime.tools;
  const { folder, serverFile } = place;
  const configurationFile = `${folder}/pgbackrest.conf`;
  const passwordFile = `${folder}/secret/password.conf`;
  const common: Argv = [
    "pgbackrest",
    `--config=${configurationFile}`,
    `--config-include-path=${folder}/secret`,
    `--stanza=${settings.stanza}`,
  ];
  const run = (argv: Argv) => withPassword(settings, host, (words) => runtime.as(user, words), argv);
  const repository =
    settings.s3 === undefined
      ? createFolderRepository(settings, host)
      : createBucketRepository(settings, settings.s3, common, run);
  // Of a bucket no disk can be asked; the lock and the working files lie here.
  const disk = repository.isFolder ? settings.repository : folder;
  const pgbackrest = (...args: Text[]): CommandAction => reasoned(run([...common, ...args]), disk);
  const info = printable(run([...common, "info", "--output=json"]));
  const archiveCommand = archiveCommandOf(common);
  return {
    settings,
    repository,
    folder,
    configurationFile,
    passwordFile,
    serverFile,
    archiveCommand,
    configuration: (dataDirectory) => configurationText(stack, { settings, repository, folder, dataDirectory }),
    serverSettings: (hasReplica) => serverText(settings, archiveCommand, hasReplica),
    keepPassword: () => keepPassword(settings, host, { user, file: passwordFile, env: keysOf(settings) }),
    createStanza: () => pgbackrest("stanza-create"),
    upgradeStanza: () => pgbackrest("stanza-upgrade"),
    hasStanza: () => hasStanza(repository),
    holds: (segment) => holds(repository, segment),
    check: (data) =>
      reasoned(run(["sh", "-c", checkScript, "check", data, String(settings.patience), ...common]), disk),
    backup: (type, annotation) => pgbackrest("backup", `--type=${type}`, annotation),
    info: () => info,
    verify: () => faultsOf(pgbackrest("verify", "--output=text")),
    gaps: (segmentBytes) => ({
      ...info,
      pipeline: [
        ...info.pipeline,
        ...followedBy(repository.listArchive()),
        { argv: ["/usr/bin/python3", "-c", gapsScript, String(segmentBytes)] },
      ],
    }),
    archiveGet: (around) => run([...around, ...common, "archive-get"] as unknown as Argv),
    restore: (args, around) => {
      const action = reasoned(run([...around, ...common, "restore", ...args] as unknown as Argv), stack.workDirectory);
      return { ...action, exitCodes: { ...exitCodes, 20: "backup.disk_full", 29: "wal.damaged", 95: "wal.damaged" } };
    },
  };
}

/** With the password and the keys that are configured now: they are what a disaster would leave. */
function withPassword(settings: WalConfig, host: string, asServer: (argv: Argv) => Argv, argv: Argv): CommandAction {
  const keys = keysOf(settings);
  if (settings.passwordFile === undefined)
    return command(host, asServer(argv), {
      env: { ...keys, PGBACKREST_REPO1_CIPHER_PASS: secret("backup.wal.password") },
      exitCodes,
    });
  const words = ["sh", "-c", passwordScript, "password", settings.passwordFile, ...asServer(argv)] as const;
  return command(host, words, { ...(settings.s3 === undefined ? {} : { env: keys }), exitCodes });
}

function hasStanza(repository: ArchiveRepository): Probe {
  return {
    title: "the repository knows this server",
    action: repository.hasStanza(),
    output: { from: "exitCode", as: "number" },
    compare: "eq",
    with: 0,
    code: "wal.repository_missing",
  };
}

function holds(repository: ArchiveRepository, segment: Text): Probe {
  const { pipeline, ...find } = repository.findSegment();
  const [first, ...others] = pipeline;
  return {
    title: "the segment is in the repository",
    action: { ...find, pipeline: [{ ...first, stdin: suffixed(segment, "\n") }, ...others] },
    output: { from: "stdout" },
    compare: "has",
    with: segment,
    code: "wal.not_arriving",
  };
}

/** What came so far, an end of line, and then what the programs print. */
function followedBy({ pipeline: [first, ...others] }: CommandAction): readonly Command[] {
  return [{ ...first, argv: ["sh", "-c", 'cat; echo; exec "$@"', "follow", ...first.argv] }, ...others];
}

/** Of a catalogue that another password was tried on, it quotes bytes that no JSON may have. */
function printable(action: CommandAction): CommandAction {
  return { ...action, pipeline: [...action.pipeline, { argv: ["tr", "-d", "\\000-\\037\\177-\\377"] }] };
}

/** PostgreSQL gives this to a shell, after it has put in the segment's path. */
function archiveCommandOf(common: Argv): string {
  const words = [...common, "archive-push"].map((word) => quote(word).replaceAll("%", "%%"));
  return `${words.join(" ")} "%p"`;
}

interface Kept {
  readonly user: string;
  readonly file: string;
  readonly env: Readonly<Record<string, Value>>;
}

function keepPassword({ passwordFile }: WalConfig, host: string, { user, file, env }: Kept): CommandAction {
  const variables = Object.keys(env).length === 0 ? {} : { env };
  const [source, options] =
    passwordFile === undefined ? ["/dev/stdin", { stdin: secret("backup.wal.password") }] : [passwordFile, {}];
  const script = Object.keys(env).length === 0 ? keepScript("echo") : keepScript(`echo; ${printKeys}`);
  return command(host, ["sh", "-c", script, "keep", user, file, source], { ...options, ...variables });
}

function serverText(settings: WalConfig, archiveCommand: string, hasReplica: boolean): string {
  return [
    "# Continuous archiving by ipai: `ipai wal remove` takes it away.",
    ...(hasReplica ? [] : ["wal_level = replica"]),
    "archive_mode = on",
    `archive_command = ${quoteSetting(archiveCommand)}`,
    `archive_timeout = ${settings.archiveTimeout}`,
    "",
  ].join("\n");
}

interface Configured extends Pick<PgBackRest, "settings" | "repository" | "folder"> {
  readonly dataDirectory: string;
}

function configurationText(stack: StackConfig, { settings, repository, folder, dataDirectory }: Configured): string {
  const { host, port, superuser } = stack.services.database;
  return [
    "# Made by ipai: `ipai wal setup` writes it anew.",
    "[global]",
    ...repository.options,
    "repo1-cipher-type=aes-256-cbc",
    `repo1-retention-full=${settings.keep}`,
    "compress-type=zst",
    "start-fast=y",
    `archive-timeout=${settings.patience}`,
    "log-level-file=off",
    "log-level-console=info",
    `lock-path=${folder}/lock`,
    "",
    `[${settings.stanza}]`,
    `pg1-path=${dataDirectory}`,
    `pg1-socket-path=${host}`,
    `pg1-port=${port}`,
    `pg1-user=${superuser}`,
    "",
  ].join("\n");
}

/** As PostgreSQL reads it in its configuration; its own \`%\` of an archive_command stays what it is. */
function quoteSetting(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}

const passwordScript =
  'PGBACKREST_REPO1_CIPHER_PASS=$(cat -- "$1") && export PGBACKREST_REPO1_CIPHER_PASS && shift && exec "$@"';

const keepScript = (end: string) => `
set -eu
umask 077
install -d -m 0700 -o "$1" "$(dirname -- "$2")"
{ printf '[global]\\nrepo1-cipher-pass='; cat -- "$3"; ${end}; } > "$2.partial"
chown "$1" "$2.partial"
mv -f -- "$2.partial" "$2"
`;

/** \`check\` only knows that nothing came; pushing the oldest segment that waits says what stands in its way. */
const checkScript = `
data=$1 patience=$2
shift 2
"$@" --archive-timeout="$patience" check
code=$?
[ "$code" = 82 ] || exit "$code"
waiting=$(find "$data/pg_wal/archive_status" -name '*.ready' | sort | head -n 1)
[ -n "$waiting" ] || exit 82
waiting=\${waiting##*/}
"$@" archive-push "$data/pg_wal/\${waiting%.ready}" || exit
exit 82
`;

/**
 * A full disk has no number of its own, and of one that fills up in the middle of a write the reason is not told: the disk itself is
 * asked. What archive-push met in a repository is named in its text only.
 */
function reasoned(action: CommandAction, disk: string): CommandAction {
  const [first, ...others] = action.pipeline;
  const reason = { argv: ["sh", "-c", reasonScript, "reason", disk] } as const;
  return { ...action, pipeline: [{ ...first, mergeStderr: true }, ...others, reason] };
}

/** Less than a segment and some room is as good as nothing. Of what a bucket's server was asked nobody needs every header. */
const reasonScript = `
code=0
awk '/^ +[*][*][*] Path/ { isRequest = 1 }
/^[^ ]|^ +[*][*][*] Response Content/ { isRequest = 0 }
!isRequest { print; fflush() }
/\\[FormatError\\]|\\[CryptoError\\]/ { code = 29 }
/\\[(FileOpenError|PathCreateError|PathOpenError)\\]/ { code = 41 }
/\\[(HostConnectError|ProtocolError)\\]|unable to (find hostname|verify certificate)/ { code = 49 }
/unable to write|No space left on device|Disk quota exceeded/ { code = 64 }
END { exit code }' || code=$?
[ "$code" != 64 ] || [ "$(df --output=avail -B1M "$1" | tail -n 1)" -ge 20 ] || exit 20
exit "$code"
`;

/** Only what is wrong: nothing else tells a damaged repository from a whole one. A segment that cannot be unpacked ends it with 29. */
function faultsOf(action: CommandAction): CommandAction {
  const [first, ...others] = action.pipeline;
  return {
    ...action,
    pipeline: [first, ...others, { argv: ["awk", faultsScript] }],
    exitCodes: { ...exitCodes, 29: "wal.damaged", 95: "wal.damaged" },
  };
}

const faultsScript = `/INFO: (invalid|file missing|.* is (missing|invalid))/ { sub(/^.*INFO: /, ""); print; next }
/^ERROR: /
!/INFO/ && /status: (error|invalid)|(missing|checksum invalid|size invalid|other): [1-9]/ { sub(/^ +/, ""); print }`;

/** Reads what `info` says, and behind it the files of the archive. A segment's name is its timeline and its number, of which a part counts to 4 GB. */
const gapsScript = `
import json, re, sys
size = int(sys.argv[1])
per = 0x100000000 // size
def number(name): return int(name[8:16], 16) * per + int(name[16:24], 16)
def name(timeline, n): return timeline + "%08X%08X" % (n // per, n % per)
stanzas = json.loads(sys.stdin.readline())
kept = {}
for path in sys.stdin:
    found = re.fullmatch("([^/]+)/.*?([0-9A-F]{24})-[0-9a-f]{40}([.][a-z0-9]+)?", path.rstrip())
    if found: kept.setdefault((found[1], found[2][:8]), set()).add(number(found[2]))
ids = {a["database"]["id"]: a["id"] for s in stanzas for a in s.get("archive", [])}
oldest = {}
for backup in (b for s in stanzas for b in s.get("backup", [])):
    first, last = backup["archive"]["start"], backup["archive"]["stop"]
    key = (ids.get(backup["database"]["id"], "?"), first[:8])
    oldest[key] = min(oldest.get(key, number(first)), number(first))
    for n in range(number(first), number(last) + 1):
        if n not in kept.get(key, set()): print("backup", backup["label"], "lacks", name(key[1], n))
for key, have in sorted(kept.items()):
    begin = oldest.get(key, min(have))
    gap = [n for n in range(begin, max(have)) if n not in have]
    if gap: print(len(gap), "of", key[0], "from", name(key[1], gap[0]), "are missing")
`;
