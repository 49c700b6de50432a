import { defineError } from "../../errors/error.ts";

interface Command {
  readonly output?: string;
}

interface Found {
  readonly found: string;
}

interface Space {
  readonly purpose: string;
  readonly directory: string;
  readonly needed: string;
  readonly free: string;
}

export const NoRepository = defineError<{ stack: string }>("backup.no_repository", {
  exitCode: 13,
  message: (d) => `The configuration of ${d.stack} names no backup repository.`,
  hint: () => "Set backup.repository and backup.passwordFile (or backup.password) in ipai.yaml.",
});

export const NoCopies = defineError<{ stack: string }>("backup.no_copies", {
  exitCode: 13,
  message: (d) => `The configuration of ${d.stack} names no second repository.`,
  hint: () => "Name one under backup.copies in ipai.yaml, best on another machine.",
});

export const RepositoryUnknown = defineError<{ given: string; known: string }>("backup.repository_unknown", {
  exitCode: 14,
  message: (d) => `There is no repository ${d.given}. Nothing was changed.`,
  hint: (d) => `There is: ${d.known}.`,
});

export const AppendOnly = defineError<{ repository: string }>("backup.append_only", {
  exitCode: 13,
  message: (d) =>
    `The repository ${d.repository} can only be added to (appendOnly), so nothing is removed from it. Nothing was changed.`,
  hint: () =>
    "Prune it where it is served, with restic on its own disk; only there may anything be removed. That is what protects it from whoever gets in here.",
});

export const NothingRemoved = defineError<{ repository: string; at: string }>("backup.nothing_removed", {
  exitCode: 33,
  message: (d) =>
    `The last check of ${d.repository} (${d.at}) found it damaged. Which sets are whole is not known, so none was removed.`,
  hint: () =>
    "`ipai backup verify ID` says whether a set can be restored. Take a new backup, best into another repository; when `ipai backup check` finds this one " +
    "sound again, it is pruned again.",
});

export const ServerNewer = defineError<Found>("backup.server_newer", {
  exitCode: 33,
  message: (d) =>
    `The backup was made of PostgreSQL ${d.found}, which is newer than the one here: an older one reads no newer dump. The backup is not damaged.`,
  hint: () =>
    "Upgrade the database server, or restore it where one of that version is. `ipai backup verify` works there.",
});

export const BackupNotFound = defineError<{ backup: string } | Found>("backup.not_found", {
  exitCode: 26,
  message: (d) => ("backup" in d ? `There is no backup ${d.backup}.` : "The repository does not hold this backup."),
  hint: () => "`ipai backup list` shows what there is.",
});

export const BackupAmbiguous = defineError<{ given: string; found: string }>("backup.ambiguous", {
  exitCode: 14,
  message: (d) => `${d.given} is in the ids of several backups. Nothing was changed.`,
  hint: (d) => `Which is meant: ${d.found}?`,
});

export const HoldEnded = defineError("backup.hold_ended", {
  exitCode: 32,
  message: () =>
    "Odoo's clean-up of files was not held off until the filestore was taken. No backup was made; older ones are untouched.",
  hint: () =>
    "Was the database server restarted, or the session that held it off ended? Take the backup again; one that takes longer needs a higher backup.timeoutHours.",
});

export const DumpFailed = defineError<Command>("backup.dump_failed", {
  exitCode: 32,
  message: () => "pg_dump could not write the dump. No backup was made; older ones are untouched.",
  hint: () => "The last lines of its output say what it met: a lock, a lost connection, a damaged table.",
});

export const DumpDamaged = defineError<Command>("backup.dump_damaged", {
  exitCode: 33,
  message: () =>
    "The dump in this backup cannot be restored whole: pg_restore met an error. Do not rely on this backup.",
  hint: () =>
    "Do its last lines name an extension that is not installed here? Then install it and verify again. Otherwise take a new backup and " +
    "verify it at once; an older proven one is in `ipai backup list`.",
});

export const RepositoryDamaged = defineError<Command>("backup.repository_damaged", {
  exitCode: 33,
  message: () =>
    "The repository does not give back what was stored: restic met missing or altered data. Do not rely on this backup.",
  hint: () =>
    "Check the disk under the repository, then take a new backup. `restic check --read-data` lists what is damaged.",
});

export const RepositoryUnreadable = defineError<Command & { readonly repository?: string }>(
  "backup.repository_unreadable",
  {
    exitCode: 34,
    message: (d) =>
      d.repository === undefined
        ? "The backup repository cannot be opened."
        : d.repository.startsWith("/")
          ? `There is no repository in ${d.repository}, although backups were stored there. Nothing was changed.`
          : `The repository ${d.repository}, where backups were stored, is not reached, or is not there any more. Nothing was changed.`,
    hint: (d) =>
      d.repository === undefined
        ? "Is its disk mounted, and is the password (backup.passwordFile or backup.password) the right one?"
        : "Is its disk mounted, does its server answer? If a new one is wanted there, remove the file `repository` in the stack's workDirectory.",
  },
);

export const RepositoryLocked = defineError<Command>("backup.repository_locked", {
  exitCode: 34,
  retryable: true,
  message: () => "Another restic holds the repository for itself, to check or to prune it.",
  hint: () => "Try again when it is done. Its lock is removed by the next backup if it is dead.",
});

export const RepositoryUnwritable = defineError<Command>("backup.repository_unwritable", {
  exitCode: 34,
  message: () => "The backup could not be written to the repository. Older backups are untouched.",
  hint: () => "Is it read-only, or its disk failing? The last lines of restic's output say which.",
});

export const ForgetFailed = defineError<Command | Found>("backup.forget_failed", {
  exitCode: 34,
  message: () =>
    "Sets that are not needed any more could not all be taken out of the repository. Those that are kept were not touched.",
  hint: () =>
    "The last lines of restic's output say why. Those that are left go with the next `ipai backup prune`. A repository that only lets " +
    "itself be added to is pruned where it is served, not from here.",
});

export const RepositoryFull = defineError<Command>("backup.repository_full", {
  exitCode: 35,
  message: () => "The disk of the backup repository is full. No backup was made; older ones are untouched.",
  hint: () => "Make room there, or name a repository on a larger disk (backup.repository in ipai.yaml).",
});

export const SourceUnreadable = defineError<Command>("backup.source_unreadable", {
  exitCode: 34,
  message: () => "Some of the files to back up could not be read. The backup is incomplete and not counted.",
  hint: () => "The last lines of restic's output name the files.",
});

export const NoSpace = defineError<Space>("backup.no_space", {
  exitCode: 35,
  message: (d) => `${d.purpose} needs about ${d.needed} in ${d.directory}; ${d.free} are free. Nothing was begun.`,
  hint: () => "Free some space there, or set workDirectory in ipai.yaml to a larger disk.",
});

export const DiskFull = defineError<Command>("backup.disk_full", {
  exitCode: 35,
  message: () => "The disk under the working directory (workDirectory) ran full. Backups that exist are untouched.",
  hint: () => "Free some space there, or set workDirectory in ipai.yaml to a larger disk, then run it again.",
});

export const FilestoreUnreadable = defineError<Command>("backup.filestore_unreadable", {
  exitCode: 34,
  message: () => "The filestore could not be taken whole. No backup was made; older ones are untouched.",
  hint: () =>
    "Its last lines name the file. An input/output error means a failing disk: copy what can be read, then replace it.",
});

export const AttachmentsLost = defineError<Found>("backup.attachments_lost", {
  exitCode: 33,
  message: (d) =>
    `Attachments are missing from the live filestore, or differ from their checksum, since before this backup: ${d.found}`,
  hint: () =>
    "The backup holds everything else. Put the files back from an older backup, or find their documents by ir_attachment.store_fname.",
});

export const FilesNotStored = defineError<Found>("backup.files_not_stored", {
  exitCode: 34,
  message: () =>
    "New files of the filestore were not stored: the repository does not hold the snapshot that this run should have made. What was stored before is untouched.",
  hint: () =>
    "Is the repository's disk mounted, and has it room? `ipai backup files` tries again; `ipai status` says how old the oldest of them is.",
});

export const SequencesBehind = defineError<Found>("backup.sequences_behind", {
  exitCode: 33,
  message: (d) => `Sequences came back with numbers that were already given out: ${d.found}`,
  hint: () => "Odoo could not create records in this copy. Take a new backup and verify it at once.",
});

export const PartsMissing = defineError<Found>("backup.parts_missing", {
  exitCode: 33,
  message: (d) => `The set lacks parts of the configuration. Database and filestore are in it. ${d.found}`,
  hint: () =>
    "Is the path right (odoo.config, odoo.addons, backup.files), and may this user read it? What is left out is to be made by hand after a disaster.",
});

export const ManifestMismatch = defineError<Found>("backup.manifest_mismatch", {
  exitCode: 33,
  message: (d) => `The restored database is not the one that was backed up. First differences: ${d.found}`,
  hint: () =>
    "Each line names a table with its number of rows and checksum, or another object: `-` as it was backed up, `+` as it came back.",
});

export const AttachmentsDamaged = defineError<Found>("backup.attachments_damaged", {
  exitCode: 33,
  message: (d) => `Attachments are missing from the backup, or differ from their checksum: ${d.found}`,
  hint: () => "Documents of users would be lost by a restore. Take a new backup and verify it at once.",
});

export const ClockJumped = defineError<Found>("backup.clock_jumped", {
  exitCode: 33,
  message: (d) =>
    `Sets contradict each other in when they were made, so a clock was wrong: ${d.found}. The set is stored; none of them is removed meanwhile.`,
  hint: () =>
    "Which date is wrong? Check the clock of the database server (`timedatectl`). When a set that claims to be later is not needed any more, take it " +
    "out with restic forget: until then whatever was made after it is kept.",
});

export const BackupUnderWay = defineError<Found>("backup.under_way", {
  exitCode: 27,
  retryable: true,
  message: (d) => `The backup's working folder is in use by run ${d.found}.`,
  hint: () => "Wait for that run, resume it, or cancel it: `ipai runs`.",
});

export const ProofDoesNotServe = defineError<Found>("backup.copy_not_serving", {
  exitCode: 33,
  message: () => "Odoo does not serve a login page from the restored copy.",
  hint: () => "Its log is kept: copy.log in the run's folder below workDirectory/runs.",
});

export const CopyRefusesLogin = defineError<Command | Found>("backup.copy_login_refused", {
  exitCode: 33,
  message: () =>
    "Odoo serves the restored copy, and lets no user of it log in: it gave no session, or nothing could be read with it.",
  hint: () =>
    "Its log is kept: copy.log in the run's folder below workDirectory/runs. Is there an active internal user in the database at all?",
});

export const BooksUnbalanced = defineError<Found>("backup.books_unbalanced", {
  exitCode: 33,
  message: (d) => `The books in this backup do not balance, as they did not when it was made. ${d.found}`,
  hint: () =>
    "The backup is whole: this is for the finance team. Odoo posts no such entry; something else wrote to its tables.",
});
