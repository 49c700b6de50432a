import { defineError } from "../../../errors/error.ts";

/** What a command printed, or what a probe found. */
interface Told {
  readonly output?: string;
  readonly found?: string;
}

export const WalNotConfigured = defineError<{ stack: string }>("wal.not_configured", {
  exitCode: 13,
  message: (d) => `The configuration of ${d.stack} names no archive (backup.wal).`,
  hint: () => "Set backup.wal.repository and backup.wal.passwordFile (or password) in ipai.yaml, then: ipai wal setup",
});

export const WalUnsupported = defineError<{ stack: string }>("wal.unsupported", {
  exitCode: 13,
  message: (d) =>
    `The database server of ${d.stack} is neither a cluster of Debian's (pg_ctlcluster) nor a service of a compose project, and continuous archiving is only set up on those. Nothing was changed.`,
  hint: () => "Backups (`ipai backup`) work on every runtime.",
});

export const WalProgramMissing = defineError<{ where: string }>("wal.program_missing", {
  exitCode: 31,
  message: (d) => `pgBackRest is not installed ${d.where}. Nothing was changed.`,
  hint: () =>
    "Install Debian's package: apt-get install pgbackrest. In a compose project it belongs into the image of the database, which archives, and into that of the tools.",
});

export const WalServerApart = defineError<{ what: string }>("wal.server_apart", {
  exitCode: 31,
  message: (d) =>
    `The database's container and the tools have not the same: ${d.what}. What one of them archives the other would not find. Nothing was changed.`,
  hint: () =>
    "Both need pgBackRest, one base image, the server's data, runtime.compose.serverFolder and the repository, each at one path: docs/operating/compose.md.",
});

export const WalServerUnknown = defineError<Told>("wal.server_unknown", {
  exitCode: 31,
  message: () => "The installed pgBackRest does not know this version of PostgreSQL.",
  hint: () => "2.45 (Debian 12) knows PostgreSQL up to 15, 2.55 (Debian 13) up to 17. Install a newer one.",
});

export const WalOtherServer = defineError<Told>("wal.other_server", {
  exitCode: 34,
  message: () =>
    "The repository has the archive of another database server under this name. Nothing was written to it.",
  hint: () =>
    "Is backup.wal.repository the right one? For a server that was made anew, choose another backup.wal.stanza; the old archive stays.",
});

export const WalArchivedElsewhere = defineError<{ command: string }>("wal.archived_elsewhere", {
  exitCode: 23,
  message: (d) =>
    `The server already archives, with another command: ${d.command}. A server has one archive; nothing was changed.`,
  hint: () => "If that archive is not needed any more, set archive_mode to off and restart the server, then try again.",
});

export const WalNotSetUp = defineError<{ stack: string }>("wal.not_set_up", {
  exitCode: 23,
  message: (d) => `The database server of ${d.stack} does not archive to the repository that is configured.`,
  hint: () => "`ipai wal setup` begins it; it restarts the database server once.",
});

export const WalSettingsUnread = defineError<Told>("wal.settings_unread", {
  exitCode: 41,
  message: (d) => `The server would not take the settings of the archive${d.found ? `: ${d.found}` : "."}`,
  hint: () =>
    "Does postgresql.conf have include_dir = 'conf.d' (in a compose project, include_if_exists = '/var/lib/ipai/server/ipai-wal.conf'), and does nothing set the same later (ALTER SYSTEM, postgresql.auto.conf)?",
});

export const WalSettingsNotTaken = defineError<Told>("wal.settings_not_taken", {
  exitCode: 41,
  message: (d) => `The server runs, but not with the settings of the archive (found ${d.found ?? "others"}).`,
  hint: () => "Its log says what it read; `select * from pg_file_settings` shows which file has the last word.",
});

export const WalRepositoryMissing = defineError<Told>("wal.repository_missing", {
  exitCode: 34,
  message: () => "There is no archive of this server in the repository. Nothing was written to it.",
  hint: () =>
    "Is its disk mounted, and are backup.wal.repository and stanza right? For a new archive: ipai wal setup. `ipai wal` shows what there is.",
});

export const WalRepositoryAway = defineError<Told>("wal.repository_away", {
  exitCode: 34,
  retryable: true,
  message: (d) =>
    `The server of the archive's repository cannot be reached, or lets nobody in${d.output ? `: ${lastError(d.output)}` : "."}`,
  hint: () =>
    "Is it up, does backup.wal.s3.authority vouch for its certificate, are its keys right, and is the bucket there? Until then the database server keeps every segment itself.",
});

export const WalRepositoryUnreadable = defineError<Told>("wal.repository_unreadable", {
  exitCode: 34,
  message: () => "The repository cannot be opened: the password is another one, or its catalogue is damaged.",
  hint: () => "Is backup.wal.passwordFile (or password) the one that the repository was made with?",
});

export const WalRepositoryUnwritable = defineError<Told>("wal.repository_unwritable", {
  exitCode: 34,
  message: (d) => `The repository cannot be written${d.output ? `: ${lastError(d.output)}` : "."}`,
  hint: () => "It must belong to the user of the database server, on a file system that is not read-only.",
});

export const WalRepositoryFull = defineError<Told>("wal.repository_full", {
  exitCode: 35,
  message: () => "The disk under the archive's repository, or the one written to, is full.",
  hint: () =>
    "Make room there soon: until then the server keeps every segment itself, and stops when its own disk is full too.",
});

export const WalNotArriving = defineError<Told>("wal.not_arriving", {
  exitCode: 33,
  message: () => "A finished segment of the write-ahead log does not arrive in the repository.",
  hint: () => "The server's own log has what its archive_command meets; `ipai health` says since when.",
});

export const WalStopped = defineError<Told>("wal.stopped", {
  exitCode: 33,
  message: () => "pgBackRest was told to stop on this server (`pgbackrest stop`), so nothing is archived or backed up.",
  hint: () => "`pgbackrest start` with the archive's configuration lets it go on; whoever stopped it may know why.",
});

export const WalBusy = defineError<Told>("wal.busy", {
  exitCode: 27,
  retryable: true,
  message: () => "Another pgBackRest works on this server.",
  hint: () => "Wait until it is done, then try again.",
});

export const WalServerUnreachable = defineError<Told>("wal.server_unreachable", {
  exitCode: 40,
  retryable: true,
  message: () => "pgBackRest cannot ask the database server, or it is not the primary.",
  hint: () => "Does it run (`pg_lsclusters`)?",
});

export const WalBackupFailed = defineError<Told>("wal.backup_failed", {
  exitCode: 32,
  message: () => "The base backup is not in the repository. Earlier ones are untouched.",
  hint: () => "The last lines of pgBackRest's output name the cause.",
});

export const WalDamaged = defineError<Told>("wal.damaged", {
  exitCode: 33,
  message: (d) => `The archive is damaged: ${d.found ?? lastError(d.output)}.`,
  hint: () => "Check the disk under it, then begin anew at once: ipai wal backup --type full",
});

export const WalGap = defineError<Told>("wal.gap", {
  exitCode: 33,
  message: (d) => `Segments of the write-ahead log are missing from the archive: ${d.found ?? ""}`,
  hint: () =>
    "No instant after a gap can be reached from a backup before it. Begin anew at once: ipai wal backup --type full",
});

function lastError(output = ""): string {
  const lines = output.trim().split("\n");
  const line = lines.find((one) => /(^| )ERROR: /.test(one)) ?? lines.at(-1) ?? "";
  return line.replace(/^.*?ERROR: (\[\d+\]: )?/, "").replace(/:$/, "");
}
