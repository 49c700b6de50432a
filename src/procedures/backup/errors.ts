import { defineError } from "../../errors/error.ts";

interface Command {
  readonly output?: string;
}

interface Found {
  readonly found: string;
}

export const NoRepository = defineError<{ stack: string }>("backup.no_repository", {
  exitCode: 13,
  message: (d) => `The configuration of ${d.stack} names no backup repository.`,
  hint: () => "Set backup.repository and backup.passwordFile (or backup.password) in ipai.yaml.",
});

export const BackupNotFound = defineError<{ backup: string } | Found>("backup.not_found", {
  exitCode: 26,
  message: (d) => ("backup" in d ? `There is no backup ${d.backup}.` : "The repository does not hold this backup."),
  hint: () => "`ipai backup list` shows what there is.",
});

export const DumpFailed = defineError<Command>("backup.dump_failed", {
  exitCode: 32,
  message: () => "pg_dump could not write the dump. No backup was made; older ones are untouched.",
  hint: () => "Is the disk of the working directory full? The last lines of its output say what it met.",
});

export const DumpDamaged = defineError<Command>("backup.dump_damaged", {
  exitCode: 33,
  message: () =>
    "The dump in this backup cannot be restored whole: pg_restore met an error. Do not rely on this backup.",
  hint: () => "Take a new backup and verify it at once. An older proven one is in `ipai backup list`.",
});

export const RepositoryDamaged = defineError<Command>("backup.repository_damaged", {
  exitCode: 33,
  message: () =>
    "The repository does not give back what was stored: restic met missing or altered data. Do not rely on this backup.",
  hint: () =>
    "Check the disk under the repository, then take a new backup. `restic check --read-data` lists what is damaged.",
});

export const RepositoryUnreadable = defineError<Command>("backup.repository_unreadable", {
  exitCode: 34,
  message: () => "The backup repository cannot be opened.",
  hint: () => "Is its disk mounted, and is the password (backup.passwordFile or backup.password) the right one?",
});

export const RepositoryUnwritable = defineError<Command>("backup.repository_unwritable", {
  exitCode: 34,
  message: () => "The backup could not be written to the repository. Older backups are untouched.",
  hint: () => "Is its disk full or read-only, or the password wrong? The last lines of restic's output say which.",
});

export const SourceUnreadable = defineError<Command>("backup.source_unreadable", {
  exitCode: 34,
  message: () => "Some of the files to back up could not be read. The backup is incomplete and not counted.",
  hint: () => "The last lines of restic's output name the files.",
});

export const ManifestMismatch = defineError<Found>("backup.manifest_mismatch", {
  exitCode: 33,
  message: (d) => `The restored database is not the one that was backed up. First differences: ${d.found}`,
  hint: () =>
    "Each line names a table with its number of rows and checksum: `-` as it was backed up, `+` as it came back.",
});

export const AttachmentsDamaged = defineError<Found>("backup.attachments_damaged", {
  exitCode: 33,
  message: (d) => `Attachments are missing from the backup, or differ from their checksum: ${d.found}`,
  hint: () => "Documents of users would be lost by a restore. Take a new backup and verify it at once.",
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
  hint: () => "The log of the copy's Odoo is in the run's output.",
});
