import { defineError } from "../../../errors/error.ts";

/** What a file from elsewhere may be instead of a good one. The stack serves as before in every case. */

interface Told {
  readonly output?: string;
  readonly found?: string;
}

const asBefore = "Nothing of it was put in place; the stack serves as before.";

function last({ output, found }: Told): string {
  return (output ?? found ?? "").trim().split("\n").at(-1) ?? "";
}

export const FileAbsent = defineError<{ file: string; host: string }>("restore.file_absent", {
  exitCode: 26,
  message: (d) => `There is no file ${d.file} on ${d.host} that can be read. Nothing was changed.`,
  hint: () => "The file has to lie on the stack's own machine. Copy it there (scp), and name it by its whole path.",
});

export const FileUnknown = defineError<{ file: string } | Told>("restore.file_unknown", {
  exitCode: 33,
  message: (d) =>
    "file" in d
      ? `${d.file} is neither a backup of Odoo's (zip) nor what pg_dump writes for one database. Nothing was changed.`
      : `It is not what pg_dump writes for one database: ${last(d)} ${asBefore}`,
  hint: () =>
    "Taken are: Odoo's zip, `pg_dump -Fc`, and `pg_dump` as SQL, the last two also through gzip. Of a dump of a whole server (pg_dumpall) " +
    "restore it elsewhere first, and dump the one database.",
});

export const FileChanged = defineError<Told>("restore.file_changed", {
  exitCode: 33,
  message: () => `The file is not the one that the plan was made of. ${asBefore}`,
  hint: () => "Is it still being copied? Wait until it is there whole, and begin again.",
});

export const FileNoDump = defineError<Told>("restore.file_no_dump", {
  exitCode: 33,
  message: () => `The zip has no dump.sql, so it is no backup of Odoo's. ${asBefore}`,
  hint: () => "Was a folder packed instead of its content? dump.sql and filestore/ lie at the top of a backup.",
});

export const FileDamaged = defineError<Told>("restore.file_damaged", {
  exitCode: 33,
  message: (d) => `The file is damaged, or cut off: ${last(d)}. ${asBefore}`,
  hint: () => "Compare its size and checksum with where it came from, and bring it again.",
});

export const FileTruncated = defineError<Told>("restore.file_truncated", {
  exitCode: 33,
  message: (d) => `The dump is not whole. ${last(d)} ${asBefore}`,
  hint: () => "Bring the file again, or take an older one: what is missing cannot be told from what never was.",
});

export const FileNewerServer = defineError<{ file: string; server: string; own: string }>("restore.file_newer_server", {
  exitCode: 26,
  message: (d) =>
    `${d.file} was made of PostgreSQL ${d.server}, and the stack's server is ${d.own}, which cannot read it. Nothing was changed.`,
  hint: () =>
    "A server reads dumps of its own version and of older ones. Upgrade it first, or restore the file on a newer one.",
});

export const FileSqlError = defineError<Told>("restore.file_sql_error", {
  exitCode: 33,
  message: (d) => `The dump cannot be loaded: ${last(d)}. ${asBefore}`,
  hint: () =>
    "It is loaded with the rights of the database's owner. `permission denied` means that it wants more; an extension that it names has to " +
    "be installed on this server and be in the present database.",
});

export const FileCommands = defineError<Told>("restore.file_commands", {
  exitCode: 33,
  message: (d) =>
    `The SQL has a command for psql in it, which could start programs of this machine: ${last(d)}. It was not run. ${asBefore}`,
  hint: () =>
    "pg_dump writes none but \\restrict, \\unrestrict and \\connect. Who made this file, and who had it since?",
});

export const FileNotOdoo = defineError<Told>("restore.file_not_odoo", {
  exitCode: 33,
  message: () => `What was loaded is no Odoo database: it has no list of installed modules. ${asBefore}`,
  hint: () => "Is it the dump of another program's database?",
});

export const FileOtherSeries = defineError<Told>("restore.file_other_series", {
  exitCode: 33,
  message: (d) =>
    `The database in the file is of Odoo ${d.found ?? "another series"}, which the stack's Odoo does not serve. ${asBefore}`,
  hint: () => "A database goes with its series of Odoo. To bring it to another one is an upgrade of its own.",
});

export const FileModulesMissing = defineError<Told>("restore.file_modules_missing", {
  exitCode: 33,
  message: (d) => `Modules are installed in it of which the stack has no code: ${d.found ?? ""}. ${asBefore}`,
  hint: () => "Put their code into one of odoo.addons, update the list of modules in Odoo (Apps), and begin again.",
});

export const FileAttachments = defineError<Told>("restore.file_attachments", {
  exitCode: 33,
  message: (d) =>
    `Attachments in it are not named by their content, as Odoo names them, but like paths to somewhere: ${d.found ?? ""}. ${asBefore}`,
  hint: () =>
    "Who made this file, and who had it since? In a database of your own, put ir_attachment.store_fname right first.",
});

export const FileRunsCode = defineError<Told>("restore.file_runs_code", {
  exitCode: 33,
  message: (d) =>
    `The database has code of its own in places where the server's superuser would run it: ${d.found ?? ""}. ${asBefore}`,
  hint: () =>
    "Odoo makes nothing of the kind. If it is yours, load the file by hand, take these objects out, and dump it again.",
});

export const ExportExists = defineError<{ file: string } | Told>("backup.file_exists", {
  exitCode: 26,
  message: (d) =>
    `There is a file ${"file" in d ? d.file : last(d)} already. It was not replaced, and nothing was written.`,
  hint: () => "Name another one, or move that away.",
});

export const ExportNowhere = defineError<{ file: string }>("backup.no_folder", {
  exitCode: 26,
  message: (d) => `There is no folder for ${d.file} on the stack's machine. Nothing was written.`,
  hint: () => "Make the folder first, or name another file by its whole path.",
});

export const ExportDiffers = defineError<Told>("backup.export_differs", {
  exitCode: 33,
  message: (d) => `The file, read back, is not what the backup holds: ${d.found ?? ""}. It was not handed out.`,
  hint: () => "`ipai backup verify` proves the backup itself. If that is well, please report this.",
});
